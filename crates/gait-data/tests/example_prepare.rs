//! The example that prepares a tree and draws a batch.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "the example prints")]

#[path = "../examples/prepare_and_sample.rs"]
mod example;

#[test]
fn a_tree_is_prepared_and_a_batch_is_drawn() {
    let place = tempfile::tempdir().unwrap();
    let raw = place.path().join("raw");
    example::write_walkers(&raw).unwrap();
    let batch = example::prepare_and_sample(&raw, &place.path().join("set")).unwrap();
    assert_eq!((batch.subjects.len(), batch.frames), (4, 10));
    assert_eq!((batch.height, batch.width), (64, 44));
    assert_eq!(batch.pixels.len(), 4 * 10 * 64 * 44);
}
