//! Trees that OpenGait prepared, read and written.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use common::Place;
use gait_data::pickle::{NUMPY_RULES, NumpyArray, Pickle};
use gait_data::{DataError, Layout, PrepareOptions, PrepareReport, PreparedSet, Watch};
use gait_data::{convert, prepare};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/opengait")
}

fn prepare_as(raw: &Path, out: &Path, layout: &str) -> Result<PrepareReport, DataError> {
    let options = PrepareOptions::new(Layout::from_name(layout, None).unwrap());
    prepare(raw, out, &options, &Watch::silent())
}

fn expected(frames: usize, width: usize) -> Vec<u8> {
    let at = |i: usize| i / (64 * width) * 101 + i / width % 64 * 17 + i % width * 5 + 3;
    (0..frames * 64 * width).map(|i| (at(i) % 256) as u8).collect()
}

#[test]
fn prepared_trees_are_packed_as_they_are() {
    let place = Place::new();
    for layout in ["opengait", "casia-b"] {
        let report = prepare_as(&fixture(), &place.out().join(layout), layout).unwrap();
        assert_eq!(report.about.counts.sequences, 4);
        assert_eq!(report.about.counts.frames, 10);
        let set = PreparedSet::open(&place.out().join(layout)).unwrap();
        let read: Vec<(String, usize, Vec<u8>)> = (0..4)
            .map(|i| {
                (set.entry(i).key.to_string(), set.entry(i).width, set.clip(i).unwrap().pixels)
            })
            .collect();
        let wanted = [
            ("001/nm-01/000", 64, 3),
            ("001/nm-02/000", 44, 2),
            ("002/nm-01/000", 64, 3),
            ("002/nm-02/000", 64, 2),
        ];
        for ((key, width, pixels), wanted) in read.iter().zip(wanted) {
            assert_eq!((key.as_str(), *width), (wanted.0, wanted.1));
            assert!(*pixels == expected(wanted.2, wanted.1), "{key}");
            assert_eq!(set.clip(0).unwrap().trimmed().width, 44);
        }
    }
}

#[test]
fn arrays_of_another_kind_are_skipped_and_named() {
    let place = Place::new();
    let report = prepare_as(&fixture(), &place.out(), "opengait").unwrap();
    let dropped = &report.about.dropped;
    let named = "003/nm-";
    let wanted = [
        "01/000: 000.pkl: it holds float32 [1, 64, 64], not uint8; expected uint8 from 0 (black) \
         to 255 (white)",
        "02/000: 000.pkl: its frames are 64x50, not 64x64 or 64x44",
        "03/000: 000.pkl: its frames are 128x128; this set has a height of 64",
        "04/000: 000.pkl: it holds uint8 [64, 64], not frames; expected uint8 [frames, rows, columns]",
        "05/000: 000.pkl: no frame is left",
    ];
    assert_eq!(dropped.sequences.first, wanted.map(|what| format!("{named}{what}")));
    assert_eq!(
        dropped.strays.first,
        ["ratios", "sils"].map(|what| format!("002/nm-01/000/000-{what}.pkl"))
    );
    assert_eq!(report.skipped_inputs(), 5);
}

#[test]
fn a_pattern_chooses_among_several_arrays() {
    let place = Place::new();
    let layout = Layout::from_name("flat", Some("{subject}/{condition}/{view}/*-sils.pkl"));
    let options = PrepareOptions::new(layout.unwrap());
    prepare(&fixture(), &place.out(), &options, &Watch::silent()).unwrap();
    assert_eq!(place.set().len(), 1);
    // The one named aligned matches, too, and wins.
    assert!(place.set().clip(0).unwrap().pixels == expected(3, 64));
}

#[test]
fn a_tree_of_nothing_but_hostile_files_ends_in_one_line() {
    let place = Place::new();
    let folder = place.raw().join("001/nm-01/000");
    fs::create_dir_all(&folder).unwrap();
    for (bytes, part) in [
        (&b"\x80\x02cos\nsystem\n(X\x02\0\0\0lstR."[..], "it calls os.system, which is refused"),
        (b"", "zero bytes"),
        (b"\x89PNG", "not the start of a pickle"),
    ] {
        fs::write(folder.join("000.pkl"), bytes).unwrap();
        let error = prepare_as(&place.raw(), &place.out(), "opengait").unwrap_err().to_string();
        assert!(error.contains("001/nm-01/000: 000.pkl: ") && error.contains(part), "{error}");
        assert!(!error.contains('\n'));
    }
}

#[test]
fn converted_sets_come_back_whole() {
    let place = Place::with_tree(3, 2, 4);
    place.prepare();
    let set = place.set();
    let tree = place.raw().with_file_name("tree");
    let report = convert(&set, &tree, &Watch::silent()).unwrap();
    assert_eq!((report.sequences, report.frames), (6, 24));
    let bytes = fs::read(tree.join("002/nm-01/090/090.pkl")).unwrap();
    let pickle = Pickle::read(&bytes, &NUMPY_RULES).unwrap();
    assert_eq!(NumpyArray::from_value(pickle.root()).unwrap().describe(), "uint8 [4, 64, 64]");

    let again = place.out().with_file_name("again");
    let options = PrepareOptions {
        partition: Some(report.partition),
        ..PrepareOptions::new(Layout::OpenGait)
    };
    prepare(&tree, &again, &options, &Watch::silent()).unwrap();
    let again = PreparedSet::open(&again).unwrap();
    assert_eq!(again.entries(), set.entries());
    assert_eq!((again.train(), again.test()), (set.train(), set.test()));
    for index in 0..set.len() {
        assert_eq!(again.clip(index).unwrap(), set.clip(index).unwrap());
    }
}

#[test]
fn a_conversion_that_cannot_take_its_place_leaves_nothing_and_can_be_repeated() {
    let place = Place::with_tree(2, 1, 2);
    place.prepare();
    let tree = place.raw().with_file_name("tree");
    // Somebody takes the place meanwhile.
    let progress = |_, _| {
        fs::create_dir_all(&tree).unwrap();
        fs::write(tree.join("notes.txt"), "precious").unwrap();
    };
    let watch = Watch { progress: &progress, ..Watch::silent() };
    let error = convert(&place.set(), &tree, &watch).unwrap_err().to_string();
    assert!(error.contains("cannot replace") && error.contains("tree"), "{error}");
    fs::remove_dir_all(&tree).unwrap();
    assert_eq!(convert(&place.set(), &tree, &Watch::silent()).unwrap().sequences, 2);
}

#[test]
fn conversion_leaves_what_is_there_and_nothing_when_stopped() {
    let place = Place::with_tree(2, 1, 2);
    place.prepare();
    let tree = place.raw().with_file_name("tree");
    fs::create_dir(&tree).unwrap();
    let stop = AtomicBool::new(true);
    let watch = Watch { progress: &|_, _| {}, stop: &stop };
    assert!(matches!(convert(&place.set(), &tree, &watch), Err(DataError::Stopped(_))));
    let names: Vec<_> = fs::read_dir(tree.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}"); // raw, out, tree
    fs::write(tree.join("notes.txt"), "precious").unwrap();
    let error = convert(&place.set(), &tree, &Watch::silent()).unwrap_err().to_string();
    assert!(error.contains("tree: it already holds notes.txt"), "{error}");
}
