//! The benchmarks as their owners ship them and as OpenGait arranges them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;

use common::Place;
use gait_data::{Layout, PrepareOptions, Watch, prepare};

/// Prepares a tree of the `folders`, each with one image of `size` rows and columns, and compares
/// the sequences found.
fn check(layout: &str, height: usize, size: u32, folders: &[&str], expected: &[&str]) -> String {
    let place = Place::new();
    for folder in folders {
        let folder = place.raw().join(folder);
        fs::create_dir_all(&folder).unwrap();
        let image = image::GrayImage::from_pixel(size, size, image::Luma([255]));
        image.save(folder.join("0001.png")).unwrap();
    }
    let layout = Layout::from_name(layout, None).unwrap();
    let options = PrepareOptions { height, ..PrepareOptions::new(layout) };
    let report = prepare(&place.raw(), &place.out(), &options, &Watch::silent()).unwrap();
    assert_eq!(report.skipped_inputs(), 0, "{report}");
    let keys: Vec<String> = place.set().entries().iter().map(|e| e.key.to_string()).collect();
    assert_eq!(keys, expected);
    report.to_string()
}

#[test]
fn ou_mvlp_names_view_and_sequence_before_the_subject() {
    let said = check(
        "ou-mvlp",
        64,
        20,
        &["Silhouette_000-00/00001", "Silhouette_015-01/00001", "Silhouette_000-00/00002"],
        &["00001/00/000", "00001/01/015", "00002/00/000"],
    );
    assert!(said.contains("note: OU-MVLP: found 2 of 10307 subjects"), "{said}");
    check("ou-mvlp", 64, 20, &["00001/00/000"], &["00001/00/000"]);
}

#[test]
fn grew_keeps_training_gallery_and_probes_apart() {
    let owners = [
        "distractor/zz9",
        "test/gallery/00001/t16VLaQf",
        "test/gallery/00001/79XJefi8",
        "test/gallery/00002/4XPn5Z29",
        "test/probe/01DdvEHX",
        "train/00001/4XPn5Z28",
        "train/00001/5TXe8svE",
    ];
    let arranged = [
        "00001/01/79XJefi8",
        "00001/02/t16VLaQf",
        "00001train/00/4XPn5Z28",
        "00001train/00/5TXe8svE",
        "00002/01/4XPn5Z29",
        "probe/03/01DdvEHX",
    ];
    let said = check("grew", 64, 64, &owners, &arranged);
    assert!(said.contains("found 4 of 26001 subjects and 6 of 126887 sequences"), "{said}");
    assert!(said.contains("distractor: does not match train or test"), "{said}");
    check("grew", 64, 64, &arranged, &arranged);
}

#[test]
fn numbered_conditions_stay_in_the_order_of_their_names() {
    let mut names: Vec<[String; 2]> = (1..=101)
        .map(|n| [format!("test/gallery/00001/s{n:03}"), format!("00001/{n:02}/s{n:03}")])
        .collect();
    names.sort_by(|a, b| a[1].cmp(&b[1]));
    assert!(names[98][1] < names[99][1] && names[10][1].starts_with("00001/100/"), "{names:?}");
    let column =
        |column: usize| -> Vec<&str> { names.iter().map(|n| n[column].as_str()).collect() };
    check("grew", 64, 64, &column(0), &column(1));
}

#[test]
fn casia_e_joins_height_scene_walk_and_number() {
    check(
        "casia-e",
        64,
        128,
        &["001/H/scene1/bg/000/1", "001/H/scene1/bg/000/2", "201/L/scene3_s/nm/180/1"],
        &["001/H-scene1-bg-1/000", "001/H-scene1-bg-2/000", "201/L-scene3_s-nm-1/180"],
    );
}

#[test]
fn sustech1k_takes_aligned_silhouettes_only() {
    let said = check(
        "sustech1k",
        64,
        64,
        &["0000/00-nm/000/Sils_aligned", "0000/00-nm/000/Sils_raw", "0001/01-bg/045/Sils_aligned"],
        &["0000/00-nm/000", "0001/01-bg/045"],
    );
    assert!(said.contains("Sils_raw: does not match Sils_aligned"), "{said}");
    // The owners' images are of any size.
    check("sustech1k", 64, 150, &["0000/00-nm/000/Sils_aligned"], &["0000/00-nm/000"]);
}

#[test]
fn hid_takes_the_sequence_for_the_condition() {
    let wanted = ["0001/003/default", "0500/000/default", "probe/00042/default"];
    let owners = ["train/0001/003", "HID2022_test_gallery/0500/000", "HID2022_test_probe/00042"];
    check("hid", 128, 128, &owners, &wanted);
    check("hid", 128, 128, &["0001/003", "0500/000", "probe/00042"], &wanted);
    check("hid", 128, 128, &wanted, &wanted);
}

#[test]
fn gait3d_and_ccpg_come_arranged() {
    let gait3d = ["0000/camid0_videoid2/seq0"];
    let said = check("gait3d", 128, 20, &gait3d, &gait3d);
    assert!(said.contains("Gait3D: found 1 of 4000 subjects and 1 of 25309 sequences"), "{said}");
    let ccpg = ["000/U0_D0_BG/00_0"];
    check("ccpg", 64, 20, &ccpg, &ccpg);
}

#[test]
fn two_folders_of_one_sequence_are_refused() {
    let place = Place::new();
    for folder in ["1/a-b/c/0/d", "1/a/b-c/0/d"] {
        fs::create_dir_all(place.raw().join(folder)).unwrap();
        fs::write(place.raw().join(folder).join("1.png"), "").unwrap();
    }
    let pattern = "{subject}/{condition}/{condition}/{view}/{condition}";
    let layout = Layout::from_name("flat", Some(pattern)).unwrap();
    let options = PrepareOptions::new(layout);
    let error = prepare(&place.raw(), &place.out(), &options, &Watch::silent()).unwrap_err();
    assert!(error.to_string().contains("are both the sequence 1/a-b-c-d/0"), "{error}");
}
