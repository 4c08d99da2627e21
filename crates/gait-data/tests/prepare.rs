//! From a raw tree to a prepared set and back.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use common::{Place, frame, options, write_sequence};
use gait_data::{
    Grey, Layout, Outcome, PartitionOrigin, PrepareOptions, Watch, align, convert, prepare,
};

#[test]
fn every_sequence_comes_back_as_it_was_aligned() {
    let place = Place::with_tree(3, 2, 4);
    let report = place.prepare();
    assert_eq!(report.outcome, Outcome::Written);
    assert_eq!(report.skipped_inputs(), 0);
    let set = place.set();
    assert_eq!((set.len(), set.about().counts.frames, set.about().counts.subjects), (6, 24, 3));
    for (index, entry) in set.entries().iter().enumerate() {
        assert_eq!(
            entry.key.to_string(),
            format!("{:03}/nm-{:02}/090", index / 2 + 1, index % 2 + 1)
        );
        let sequence = (index / 2 + 1) * 31 + index % 2 + 1;
        let expected: Vec<u8> = (0..4)
            .flat_map(|number| {
                let pixels = frame(sequence, number).into_raw();
                align(&Grey { height: 30, width: 40, pixels }, 64).unwrap()
            })
            .collect();
        assert_eq!(set.clip(index).unwrap().pixels, expected);
    }
    assert_eq!((set.train(), set.test()), (vec![0, 1, 2, 3], vec![4, 5]));
    assert!(set.clip(6).unwrap_err().to_string().contains("no sequence 6"));
    assert!(!place.out().join(".partial").exists());
}

#[test]
fn the_fingerprint_follows_the_contents_and_not_the_place() {
    let place = Place::with_tree(3, 2, 4);
    place.prepare();
    let known = place.set().fingerprint();
    // The same tree elsewhere, with another partition.
    let file = place.raw().with_extension("json");
    fs::write(&file, r#"{"TRAIN_SET": ["001"], "TEST_SET": ["002", "003"]}"#).unwrap();
    let elsewhere = Place::with_tree(3, 2, 4);
    let with_partition = PrepareOptions { partition: Some(file), ..options() };
    prepare(&elsewhere.raw(), &elsewhere.out(), &with_partition, &Watch::silent()).unwrap();
    assert_eq!(elsewhere.set().fingerprint(), known);
    // A set of format 1 has no stored fingerprint; the computed one is the same.
    let path = elsewhere.out().join("prepared.json");
    let text = fs::read_to_string(&path).unwrap();
    let mut description: serde_json::Value = serde_json::from_str(&text).unwrap();
    description["form"] = 1.into();
    assert!(description.as_object_mut().unwrap().remove("contents").is_some());
    fs::write(&path, description.to_string()).unwrap();
    assert_eq!(elsewhere.set().fingerprint(), known);
    // One pixel more, one sequence less, another name.
    for (change, number) in [("pixel", 0), ("sequence", 1), ("name", 2)] {
        let other = Place::with_tree(3, 2, 4);
        let raw = other.raw();
        match number {
            0 => {
                let mut image = frame(34, 1);
                image.put_pixel(30, 20, image::Luma([255]));
                image.save(raw.join("001/nm-01/090/001.png")).unwrap();
            }
            1 => fs::remove_dir_all(raw.join("002/nm-02")).unwrap(),
            _ => fs::rename(raw.join("002/nm-02"), raw.join("002/nm-03")).unwrap(),
        }
        other.prepare();
        assert_ne!(other.set().fingerprint(), known, "{change}");
    }
}

#[test]
fn bad_images_and_sequences_are_skipped_and_named() {
    let place = Place::with_tree(2, 3, 3);
    let raw = place.raw();
    fs::write(raw.join("001/nm-01/090/000.png"), "").unwrap();
    let whole = fs::read(raw.join("001/nm-01/090/001.png")).unwrap();
    fs::write(raw.join("001/nm-01/090/001.png"), &whole[..whole.len() / 2]).unwrap();
    fs::write(raw.join("001/nm-02/090/002.png"), "no image").unwrap();
    fs::write(raw.join("001/nm-02/090/Thumbs.db"), "stray").unwrap();
    image::GrayImage::new(40, 30).save(raw.join("001/nm-02/090/001.png")).unwrap();
    for name in ["000", "001", "002"] {
        fs::write(raw.join(format!("002/nm-01/090/{name}.png")), "").unwrap();
    }
    fs::create_dir_all(raw.join("002/nm-04/090")).unwrap();

    let report = place.prepare();
    let dropped = &report.about.dropped;
    assert_eq!(dropped.unreadable_images.count, 6);
    assert_eq!(dropped.faint_frames.first, ["001/nm-02/090/001.png"]);
    assert_eq!(dropped.strays.first, ["001/nm-02/090/Thumbs.db"]);
    assert_eq!(
        dropped.sequences.first,
        [
            "002/nm-01/090: no frame is left of 3 (3 unreadable)",
            "002/nm-04/090: no frame is left; the folder holds no PNG, BMP or JPEG",
        ]
    );
    assert_eq!(report.skipped_inputs(), 8);
    let text = report.to_string();
    assert!(text.contains("001/nm-01/090/000.png: zero bytes"), "{text}");
    assert!(text.contains("001/nm-01/090/001.png: truncated"), "{text}");
    let frames: Vec<usize> = place.set().entries().iter().map(|e| e.frames).collect();
    assert_eq!(frames, [1, 1, 3, 3, 3]);
}

#[test]
fn any_tree_reads_with_a_pattern() {
    let place = Place::new();
    for (number, name) in ["p1-nm-01-000", "p1-bg-01-090", "p2-nm-01-000"].iter().enumerate() {
        write_sequence(&place.raw().join(name).join("mask"), number, 2);
    }
    let layout = Layout::from_name("flat", Some("{subject}-{condition}-{view}/mask")).unwrap();
    prepare(&place.raw(), &place.out(), &PrepareOptions::new(layout), &Watch::silent()).unwrap();
    let keys: Vec<String> = place.set().entries().iter().map(|e| e.key.to_string()).collect();
    assert_eq!(keys, ["p1/bg-01/090", "p1/nm-01/000", "p2/nm-01/000"]);
}

#[test]
fn a_tree_of_nothing_usable_is_refused() {
    let place = Place::with_tree(2, 1, 1);
    for subject in ["001", "002"] {
        fs::write(place.raw().join(subject).join("nm-01/090/000.png"), "").unwrap();
    }
    let error = prepare(&place.raw(), &place.out(), &options(), &Watch::silent()).unwrap_err();
    assert!(
        error.to_string().contains("no sequence of 2 could be used (001/nm-01/090:"),
        "{error}"
    );
}

#[test]
fn frames_that_come_aligned_are_taken_as_they_are() {
    let place = Place::new();
    let folder = place.raw().join("00001/walk/000");
    fs::create_dir_all(&folder).unwrap();
    let aligned = image::GrayImage::from_fn(64, 64, |x, y| image::Luma([(x * y % 251) as u8]));
    aligned.save(folder.join("1.png")).unwrap();
    frame(0, 0).save(folder.join("2.png")).unwrap();
    let options = PrepareOptions { aligned_source: true, ..options() };
    let report = prepare(&place.raw(), &place.out(), &options, &Watch::silent()).unwrap();
    assert_eq!(place.set().clip(0).unwrap().pixels, aligned.into_raw());
    assert_eq!(report.about.dropped.misshapen_frames.first, ["00001/walk/000/2.png"]);
}

#[test]
fn the_same_set_is_kept_and_its_partition_can_change() {
    let place = Place::with_tree(3, 1, 2);
    place.prepare();
    let clips = fs::read(place.out().join("clips.arrow")).unwrap();
    assert_eq!(place.prepare().outcome, Outcome::Kept);

    let file = place.raw().with_extension("json");
    fs::write(&file, r#"{"TRAIN_SET": ["001", "077"], "TEST_SET": ["002", "003"]}"#).unwrap();
    let options = PrepareOptions { partition: Some(file), ..options() };
    let report = prepare(&place.raw(), &place.out(), &options, &Watch::silent()).unwrap();
    assert_eq!(report.outcome, Outcome::Repartitioned);
    assert!(report.to_string().contains("in the partition but without a sequence: 077 (1 in all)"));
    assert_eq!(place.set().test(), [1, 2]);
    assert_eq!(fs::read(place.out().join("clips.arrow")).unwrap(), clips);
}

#[test]
fn sequences_written_anew_in_place_make_another_set() {
    let place = Place::with_tree(2, 1, 2);
    let later = |path: &Path| {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(60)).unwrap();
    };
    let tree = place.raw().with_file_name("tree");
    place.prepare();
    convert(&place.set(), &tree, &Watch::silent()).unwrap();
    for (raw, layout, file) in [
        (place.raw(), Layout::CasiaB, "001/nm-01/090/000.png"),
        (tree, Layout::OpenGait, "002/nm-01/090/090.pkl"),
    ] {
        let out = place.out().join(layout.name());
        let options = PrepareOptions::new(layout);
        let again = || prepare(&raw, &out, &options, &Watch::silent());
        again().unwrap();
        assert_eq!(again().unwrap().outcome, Outcome::Kept);
        later(&raw.join(file));
        let error = again().unwrap_err().to_string();
        assert!(error.contains("an older state of it") && error.contains("--overwrite"), "{error}");
    }
}

#[test]
fn only_subjects_with_a_sequence_are_split() {
    let place = Place::with_tree(12, 1, 2);
    let raw = place.raw();
    for folder in ["000b/x/y", "__MACOSX/a/b", ".Trash/a/b"] {
        fs::create_dir_all(raw.join(folder)).unwrap();
    }
    let report = place.prepare();
    let partition = &report.about.partition;
    assert_eq!((partition.train.len(), partition.test.len()), (7, 5), "{report}");
    assert_eq!(partition.train[0], "001");
    assert_eq!(report.about.dropped.sequences.count, 1, "{report}");
    assert_eq!(place.prepare().outcome, Outcome::Kept);

    let file = raw.with_extension("json");
    let text = r#"{"TRAIN_SET": ["000b", "001"], "TEST_SET": ["002", "077"]}"#;
    fs::write(&file, text).unwrap();
    let options = PrepareOptions { partition: Some(file), leave_out_unlisted: true, ..options() };
    for overwrite in [true, false] {
        let options = PrepareOptions { overwrite, ..options.clone() };
        let report = prepare(&raw, &place.out(), &options, &Watch::silent()).unwrap();
        let partition = &report.about.partition;
        assert_eq!(
            (&partition.train[..], &partition.test[..]),
            (&["001".into()][..], &["002".into()][..])
        );
        assert_eq!(partition.missing, ["000b", "077"]);
        assert_eq!(report.outcome, if overwrite { Outcome::Written } else { Outcome::Kept });
    }
}

#[test]
fn a_subject_without_images_does_not_move_the_split_of_casia_b() {
    let place = Place::new();
    for subject in ["001", "074", "075"] {
        write_sequence(&place.raw().join(subject).join("nm-01/090"), 1, 1);
    }
    fs::create_dir_all(place.raw().join("notes/x/y")).unwrap();
    let partition = place.prepare().about.partition;
    assert_eq!(partition.origin, PartitionOrigin::CasiaB);
    assert_eq!((partition.train.len(), partition.test.len()), (2, 1));
}

#[cfg(unix)]
#[test]
fn a_folder_that_may_not_be_read_is_skipped_and_named() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::with_tree(3, 2, 2);
    let closed = ["001", "002/nm-01", "003/nm-02/090"].map(|folder| place.raw().join(folder));
    let permit = |mode| {
        for folder in &closed {
            fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    permit(0);
    // The administrator may read everything.
    if fs::read_dir(&closed[0]).is_err() {
        let report = place.prepare();
        assert_eq!((report.skipped_inputs(), place.set().len()), (3, 2), "{report}");
        let named = &report.about.dropped.sequences.first;
        assert!(named[0].starts_with("001: permission denied"), "{named:?}");
        assert!(named[1].starts_with("002/nm-01: permission denied"), "{named:?}");
        assert!(named[2].starts_with("003/nm-02/090: "), "{named:?}");
    }
    permit(0o755);
}

#[test]
fn another_partition_that_leaves_out_others_makes_another_set() {
    let place = Place::with_tree(3, 1, 2);
    let file = place.raw().with_extension("json");
    let prepared = |text: &str| {
        fs::write(&file, text).unwrap();
        let partition = Some(file.clone());
        let options = PrepareOptions { partition, leave_out_unlisted: true, ..options() };
        prepare(&place.raw(), &place.out(), &options, &Watch::silent())
    };
    prepared(r#"{"TRAIN_SET": ["001"], "TEST_SET": ["002"]}"#).unwrap();
    let report = prepared(r#"{"TRAIN_SET": ["002"], "TEST_SET": ["001"]}"#).unwrap();
    assert_eq!(report.outcome, Outcome::Repartitioned);
    let error = prepared(r#"{"TRAIN_SET": ["001"], "TEST_SET": ["003"]}"#).unwrap_err().to_string();
    assert!(error.contains("other subjects of it") && error.contains("--overwrite"), "{error}");
}

#[test]
fn another_set_is_replaced_only_when_asked() {
    let place = Place::with_tree(3, 1, 2);
    place.prepare();
    write_sequence(&place.raw().join("004/nm-01/090"), 4, 2);
    let mut options = options();
    let error = prepare(&place.raw(), &place.out(), &options, &Watch::silent()).unwrap_err();
    assert!(error.to_string().contains("--overwrite"), "{error}");
    assert_eq!(place.set().len(), 3);
    options.overwrite = true;
    prepare(&place.raw(), &place.out(), &options, &Watch::silent()).unwrap();
    assert_eq!(place.set().len(), 4);
}

#[test]
fn a_foreign_folder_is_refused() {
    let place = Place::with_tree(1, 1, 1);
    fs::create_dir_all(place.out()).unwrap();
    fs::write(place.out().join("thesis.tex"), "precious").unwrap();
    let error = prepare(&place.raw(), &place.out(), &options(), &Watch::silent()).unwrap_err();
    assert!(error.to_string().contains("already holds thesis.tex"), "{error}");
    assert_eq!(fs::read_dir(place.out()).unwrap().count(), 1);
}

#[test]
fn files_of_the_system_are_not_in_the_way() {
    let place = Place::with_tree(1, 1, 1);
    fs::create_dir_all(place.out()).unwrap();
    for name in [".DS_Store", "Thumbs.db", "desktop.ini"] {
        fs::write(place.out().join(name), "").unwrap();
    }
    assert_eq!(place.prepare().outcome, Outcome::Written);
}

#[test]
fn impossible_heights_are_refused() {
    let place = Place::with_tree(1, 1, 1);
    for height in [0, 15, 63, 1024] {
        let options = PrepareOptions { height, ..options() };
        let error = prepare(&place.raw(), &place.out(), &options, &Watch::silent()).unwrap_err();
        assert!(error.to_string().contains("--height"), "{error}");
    }
}
