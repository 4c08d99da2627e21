//! The examples do what they say.

#![allow(dead_code, reason = "the mains of the examples are not called")]

#[path = "../examples/compare_clips.rs"]
mod compare_clips;
#[path = "../examples/train_ten_steps.rs"]
mod train_ten_steps;

use gait_data::PreparedSet;
use gaitgl::run::RunFolder;

#[test]
fn ten_steps_are_trained_and_two_clips_compared() {
    let folder = tempfile::tempdir().unwrap();
    let losses = train_ten_steps::train(folder.path()).unwrap();
    assert_eq!(losses.len(), 10);
    assert!(losses.iter().all(|loss| loss.is_finite() && *loss > 0.0), "{losses:?}");

    let set = PreparedSet::open(&folder.path().join("prepared")).unwrap();
    let checkpoint = RunFolder::new(folder.path().join("run")).require_latest().unwrap();
    let distance = |pair| compare_clips::compare(&checkpoint, &set, pair).unwrap();
    assert_eq!(distance([0, 0]), 0.0);
    assert!(distance([0, 1]) > 0.0);
    assert_eq!(distance([0, 1]), distance([1, 0]));
}
