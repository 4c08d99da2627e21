//! Layouts whose folders say who is trained on and who is tested.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;

use common::Place;
use gait_data::{Layout, PartitionOrigin, PrepareOptions, PrepareReport, Watch, prepare};

/// A tree of `folders`, each with one aligned image.
fn tree(folders: &[&str]) -> Place {
    let place = Place::new();
    for folder in folders {
        let folder = place.raw().join(folder);
        fs::create_dir_all(&folder).unwrap();
        let image = image::GrayImage::from_fn(128, 128, |x, _| {
            image::Luma([if (40..80).contains(&x) { 255 } else { 0 }])
        });
        image.save(folder.join("0001.png")).unwrap();
    }
    place
}

fn check(layout: &str, folders: &[&str], train: &[&str], test: &[&str]) -> PrepareReport {
    let report = tree(folders).prepare_as(layout).unwrap();
    let partition = &report.about.partition;
    assert_eq!(partition.train, train, "{report}");
    assert_eq!(partition.test, test, "{report}");
    assert_eq!(partition.origin, PartitionOrigin::Layout);
    assert_eq!(report.skipped_inputs(), 0, "{report}");
    report
}

#[test]
fn grew_trains_on_its_training_folder_alone() {
    let owners = [
        "train/00001/aa",
        "train/00002/bb",
        "test/gallery/00001/cc",
        "test/gallery/00002/dd",
        "test/gallery/00003/ee",
        "test/probe/p1",
    ];
    let train = ["00001train", "00002train"];
    let test = ["00001", "00002", "00003", "probe"];
    let report = check("grew", &owners, &train, &test);
    let text = report.to_string();
    assert!(text.contains("2 subjects to train on, 4 to test on (the folders of the layout)"));
    // The same tree as OpenGait arranges it.
    let arranged = [
        "00001train/00/aa",
        "00002train/00/bb",
        "00001/01/cc",
        "00002/01/dd",
        "00003/01/ee",
        "probe/03/p1",
    ];
    check("grew", &arranged, &train, &test);
    // A gallery alone: nobody is trained on.
    check("grew", &owners[2..], &[], &test);
}

#[test]
fn hid_never_trains_on_its_gallery() {
    let owners = ["train/0001/003", "HID2022_test_gallery/0500/000", "HID2022_test_probe/00042"];
    check("hid", &owners, &["0001"], &["0500", "probe"]);
    let later = ["000/a", "001/a", "002/a", "003/a", "004/a", "probe/x1", "probe/x2"];
    check("hid", &later, &[], &["000", "001", "002", "003", "004", "probe"]);
    let arranged = ["000/a/default", "001/a/default", "probe/x1/default"];
    check("hid", &arranged, &[], &["000", "001", "probe"]);
}

#[test]
fn subjects_without_a_usable_sequence_are_on_no_side() {
    let place = tree(&["train/00001/aa", "test/gallery/00002/bb"]);
    let folder = place.raw().join("train/00009/zz");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("1.png"), "").unwrap();
    let partition = place.prepare_as("grew").unwrap().about.partition;
    assert_eq!((partition.train.len(), partition.test.len()), (1, 1));
    // Kept as it is by a second run.
    assert_eq!(place.prepare_as("grew").unwrap().about.partition, partition);
}

#[test]
fn a_subject_in_both_folders_is_refused() {
    let error = tree(&["train/0001/003", "HID2022_test_gallery/0001/000"]).prepare_as("hid");
    let error = error.unwrap_err().to_string();
    assert!(error.contains("subject 0001 is both among the training and"), "{error}");
}

#[test]
fn a_given_partition_wins() {
    let place = tree(&["000/a", "001/a", "probe/x1"]);
    let file = place.raw().with_extension("json");
    fs::write(&file, r#"{"TRAIN_SET": ["000"], "TEST_SET": ["001", "probe"]}"#).unwrap();
    let layout = Layout::from_name("hid", None).unwrap();
    let options = PrepareOptions { partition: Some(file), ..PrepareOptions::new(layout) };
    let report = prepare(&place.raw(), &place.out(), &options, &Watch::silent()).unwrap();
    assert_eq!(report.about.partition.train, ["000"]);
    assert_eq!(report.about.partition.test, ["001", "probe"]);
}

#[test]
fn other_layouts_split_by_name() {
    let folders = ["001/a/b", "002/a/b", "probe/a/b"];
    let partition = tree(&folders).prepare_as("casia-b").unwrap().about.partition;
    assert_eq!(partition.origin, PartitionOrigin::Proportional);
}

#[test]
fn a_byte_order_mark_in_a_partition_is_accepted_and_utf_16_is_named() {
    let place = tree(&["001/a/b", "002/a/b"]);
    let file = place.raw().with_extension("json");
    let text = r#"{"TRAIN_SET": ["001"], "TEST_SET": ["002"]}"#;
    let layout = Layout::CasiaB;
    let options = PrepareOptions { partition: Some(file.clone()), ..PrepareOptions::new(layout) };
    let run = || prepare(&place.raw(), &place.out(), &options, &Watch::silent());
    fs::write(&file, format!("\u{feff}{text}")).unwrap();
    assert_eq!(run().unwrap().about.partition.train, ["001"]);
    let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(&file, [&[0xFF, 0xFE], utf_16.as_slice()].concat()).unwrap();
    let error = run().unwrap_err().to_string();
    assert!(error.ends_with("raw.json is UTF-16; expected UTF-8"), "{error}");
    // The description of a set, too, may have gone through an editor.
    let path = place.out().join("prepared.json");
    let description = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("\u{feff}{description}")).unwrap();
    assert_eq!(place.set().len(), 2);
}
