//! The crate's examples, run.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../examples/walkers.rs"]
#[allow(dead_code, reason = "`main` is not called")]
mod walkers;

#[test]
fn walkers_are_written_with_their_sheet() {
    let place = tempfile::tempdir().unwrap();
    let report = walkers::make_walkers(place.path()).unwrap();
    assert_eq!([report.subjects, report.sequences], [3, 27]);
    assert!(place.path().join("silhouettes/003/cl-01/045").is_dir());
    // Three people in three outfits from three views, four phases of the stride of each.
    let sheet = image::open(place.path().join("sheet.png")).unwrap();
    assert_eq!([sheet.width(), sheet.height()], [12 * 105, 9 * 169]);
}
