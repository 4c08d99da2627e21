//! A preparation that is stopped or killed goes on, and ends with the same bytes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Place, options, write_sequence};
use gait_data::{DataError, PrepareOptions, PreparedSet, Watch, prepare};

/// The two files of the set in `out`.
fn bytes(out: &Path) -> [Vec<u8>; 2] {
    ["clips.arrow", "prepared.json"].map(|name| fs::read(out.join(name)).unwrap())
}

/// Prepares until `enough` sequences are done, then stops.
fn stop_after(place: &Place, enough: u64) {
    let stop = AtomicBool::new(false);
    let progress = |done, _| stop.store(done >= enough, Ordering::Relaxed);
    let watch = Watch { progress: &progress, stop: &stop };
    let error = prepare(&place.raw(), &place.out(), &options(), &watch).unwrap_err();
    assert!(matches!(error, DataError::Stopped(_)), "{error}");
    let error = PreparedSet::open(&place.out()).unwrap_err().to_string();
    assert!(error.contains("not finished"), "{error}");
}

#[test]
fn a_stopped_run_goes_on_and_ends_with_the_same_bytes() {
    let place = Place::with_tree(40, 5, 2);
    place.prepare();
    let expected = bytes(&place.out());
    fs::remove_dir_all(place.out()).unwrap();
    stop_after(&place, 100);
    // A half-written part is not trusted.
    fs::write(place.out().join(".partial/000001.arrow"), "half").unwrap();
    let report = place.prepare();
    assert!(report.resumed >= 64 && report.resumed < 200, "{}", report.resumed);
    assert_eq!(bytes(&place.out()), expected);
}

#[test]
fn threads_do_not_change_the_bytes() {
    let place = Place::with_tree(30, 4, 2);
    place.prepare();
    let expected = bytes(&place.out());
    fs::remove_dir_all(place.out()).unwrap();
    let options = PrepareOptions { threads: 1, ..options() };
    prepare(&place.raw(), &place.out(), &options, &Watch::silent()).unwrap();
    assert_eq!(bytes(&place.out()), expected);
}

#[test]
fn a_damaged_part_is_made_again() {
    let place = Place::with_tree(40, 5, 2);
    place.prepare();
    let expected = bytes(&place.out());
    fs::remove_dir_all(place.out()).unwrap();
    stop_after(&place, 130);
    let part = place.out().join(".partial/000000.arrow");
    let whole = fs::read(&part).unwrap();
    fs::write(&part, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(place.prepare().resumed, 64);
    assert_eq!(bytes(&place.out()), expected);
}

#[test]
fn a_changed_tree_discards_unfinished_work() {
    let place = Place::with_tree(40, 5, 2);
    stop_after(&place, 100);
    write_sequence(&place.raw().join("041/nm-01/090"), 7, 2);
    let report = place.prepare();
    assert!(report.discarded);
    assert_eq!((report.resumed, place.set().len()), (0, 201));
}

#[test]
fn two_runs_into_one_folder_do_not_mix() {
    let place = Place::with_tree(40, 5, 1);
    let (raw, out) = (place.raw(), place.out());
    let progress = |done, _| {
        if done == 10 {
            let error = prepare(&raw, &out, &options(), &Watch::silent()).unwrap_err();
            assert!(error.to_string().contains("another process"), "{error}");
        }
    };
    let stop = AtomicBool::new(false);
    prepare(&raw, &out, &options(), &Watch { progress: &progress, stop: &stop }).unwrap();
    assert_eq!(place.set().len(), 200);
}

const CHILD: &str = "GAIT_DATA_TEST_PLACE";

/// What the killed process runs; does nothing as an ordinary test.
#[test]
fn child_of_the_kill_test() {
    if let Some(place) = std::env::var_os(CHILD) {
        let place = Path::new(&place);
        // Slow enough that the kill comes in the middle on any machine.
        let progress = |_, _| std::thread::sleep(Duration::from_millis(3));
        let watch = Watch { progress: &progress, ..Watch::silent() };
        prepare(&place.join("raw"), &place.join("out"), &options(), &watch).unwrap();
    }
}

#[test]
fn a_killed_process_leaves_work_that_goes_on() {
    let place = Place::with_tree(60, 10, 3);
    place.prepare();
    let expected = bytes(&place.out());
    fs::remove_dir_all(place.out()).unwrap();

    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_of_the_kill_test"])
        .env(CHILD, place.raw().parent().unwrap())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    let first_part = place.out().join(".partial/000000.json");
    while !first_part.exists() && start.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(PreparedSet::open(&place.out()).is_err(), "it was killed too late to prove anything");
    let report = place.prepare();
    assert!(report.resumed >= 64, "{}", report.resumed);
    assert_eq!(bytes(&place.out()), expected);
}
