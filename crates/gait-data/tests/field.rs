//! Inputs of the field: images that are no silhouettes, and people who must not get lost unseen.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;
use std::path::Path;

use common::{Place, frame, options, write_sequence};
use gait_data::{PrepareOptions, PrepareReport, Watch, convert, prepare};
use image::{DynamicImage, GrayImage, Luma, Rgba, RgbaImage};

/// A tree of two sound subjects and the sequence 003/nm-01/090, for which `write` gets the folder.
fn with_third(write: impl FnOnce(&Path)) -> (Place, PrepareReport) {
    let place = Place::with_tree(2, 1, 3);
    let folder = place.raw().join("003/nm-01/090");
    fs::create_dir_all(&folder).unwrap();
    write(&folder);
    let report = place.prepare();
    (place, report)
}

/// Writes three frames that `change` makes of silhouettes.
fn write_changed<T: Into<DynamicImage>>(folder: &Path, change: impl Fn(GrayImage) -> T) {
    for number in 0..3 {
        let image: DynamicImage = change(frame(7, number)).into();
        image.save(folder.join(format!("{number}.png"))).unwrap();
    }
}

/// The third sequence is skipped for `reason`; the others are kept.
fn check_skipped(reason: &str, write: impl FnOnce(&Path)) {
    let (place, report) = with_third(write);
    let skipped = &report.about.dropped.sequences;
    assert_eq!((skipped.count, place.set().len()), (1, 2), "{report}");
    assert!(skipped.first[0].starts_with("003/nm-01/090: "), "{report}");
    assert!(skipped.first[0].contains(reason), "{report}");
    assert!(report.skipped_inputs() > 0);
}

fn pixels(change: impl Fn(u8) -> u8) -> impl Fn(GrayImage) -> GrayImage {
    move |mut image| {
        image.pixels_mut().for_each(|pixel| pixel[0] = change(pixel[0]));
        image
    }
}

#[test]
fn black_on_white_is_refused() {
    check_skipped("3 of 3 frames are black on white", |folder| {
        write_changed(folder, pixels(|value| 255 - value));
    });
}

#[test]
fn masks_of_labels_are_refused_at_any_size() {
    for value in [1, 2] {
        let reason = format!("its brightest pixel is {value}; a silhouette is white (255)");
        check_skipped(&reason, |folder| write_changed(folder, pixels(|v| v / 255 * value)));
        check_skipped(&reason, |folder| {
            let large = GrayImage::from_fn(900, 600, |x, y| {
                Luma([if (300..500).contains(&x) && y > 20 { value } else { 0 }])
            });
            large.save(folder.join("1.png")).unwrap();
        });
    }
}

#[test]
fn a_mask_in_the_transparency_is_refused() {
    for colour in [0, 255] {
        check_skipped("the silhouette is in its transparency", |folder| {
            write_changed(folder, |grey| {
                RgbaImage::from_fn(40, 30, |x, y| {
                    Rgba([colour, colour, colour, grey.get_pixel(x, y)[0]])
                })
            });
        });
    }
}

#[test]
fn pickled_masks_and_inverted_arrays_are_refused() {
    // Silhouettes as OpenGait pickles them, with their values changed in the file.
    let place = Place::with_tree(1, 1, 3);
    place.prepare();
    let tree = place.raw().with_file_name("tree");
    convert(&place.set(), &tree, &Watch::silent()).unwrap();
    let whole = fs::read(tree.join("001/nm-01/090/090.pkl")).unwrap();
    let start = whole.len() - 3 - 3 * 64 * 64;
    let changed = |change: fn(u8) -> u8| {
        let mut bytes = whole.clone();
        bytes[start..start + 3 * 64 * 64].iter_mut().for_each(|pixel| *pixel = change(*pixel));
        bytes
    };
    let masks = changed(|value| u8::from(value > 127));
    check_skipped("its brightest pixel is 1", |f| fs::write(f.join("090.pkl"), masks).unwrap());
    let inverted = changed(|value| 255 - value);
    let reason = "3 of 3 frames are black on white";
    check_skipped(reason, |f| fs::write(f.join("090.pkl"), inverted).unwrap());
}

#[test]
fn doubtful_sequences_are_kept_and_named() {
    let (place, report) = with_third(|folder| write_changed(folder, pixels(|v| v / 6)));
    let dropped = &report.about.dropped;
    assert_eq!((place.set().len(), dropped.sequences.count, report.skipped_inputs()), (3, 0, 1));
    assert!(dropped.doubtful.first[0].starts_with("003/nm-01/090: its brightest pixel is 42"));
    assert!(report.to_string().contains("1 sequences kept that may not be silhouettes"));
    let (place, report) = with_third(|folder| {
        write_changed(folder, pixels(|v| v));
        pixels(|v| 255 - v)(frame(7, 3)).save(folder.join("3.png")).unwrap();
    });
    let doubtful = &report.about.dropped.doubtful;
    assert_eq!(place.set().len(), 3);
    assert!(doubtful.first[0].contains("1 of 4 frames are black on white"), "{report}");
}

#[test]
fn a_set_of_nothing_but_inverted_images_is_refused_with_the_reason() {
    let place = Place::new();
    let folder = place.raw().join("001/nm-01/090");
    fs::create_dir_all(&folder).unwrap();
    write_changed(&folder, pixels(|value| 255 - value));
    let error = prepare(&place.raw(), &place.out(), &options(), &Watch::silent()).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("(001/nm-01/090: 3 of 3 frames are black on white"), "{error}");
}

#[test]
fn jpeg_brings_a_remark() {
    let (_, report) = with_third(|folder| {
        for number in 0..3 {
            frame(7, number).save(folder.join(format!("{number}.jpg"))).unwrap();
        }
    });
    assert_eq!(report.skipped_inputs(), 0, "{report}");
    assert!(report.to_string().contains("note: 3 silhouettes come from JPEG"), "{report}");
}

#[test]
fn frames_that_count_twice_or_are_none_are_left_out_and_named() {
    let (place, report) = with_third(|folder| {
        write_changed(folder, pixels(|v| v));
        frame(7, 0).save(folder.join("0.jpg")).unwrap();
        frame(7, 1).save(folder.join("1 (1).png")).unwrap();
        frame(7, 2).save(folder.join("gei.png")).unwrap();
    });
    assert_eq!(place.set().entry(2).frames, 3);
    assert_eq!(report.skipped_inputs(), 0);
    let named = [
        "003/nm-01/090/0.jpg: a second copy of 0.png",
        "003/nm-01/090/1 (1).png: a second copy of 1.png",
        "003/nm-01/090/gei.png: a gait energy image, not a frame",
    ];
    assert_eq!(report.about.dropped.strays.first, named);
}

#[test]
fn the_first_reason_is_shown_when_every_image_fails() {
    check_skipped("no frame is left of 2 (2 unreadable; 1.png: a Git LFS pointer", |folder| {
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
        fs::write(folder.join("1.png"), pointer).unwrap();
        fs::write(folder.join("2.png"), "").unwrap();
    });
    check_skipped(
        "(1 unreadable; 1.png: neither PNG nor BMP nor JPEG inside, but WebP",
        |folder| {
            fs::write(folder.join("1.png"), b"RIFF\x10\0\0\0WEBPVP8L").unwrap();
        },
    );
}

#[test]
fn likely_causes_are_named() {
    let holds = |name: &'static str| move |folder: &Path| fs::write(folder.join(name), "").unwrap();
    check_skipped("the archive 090.tar.gz was not unpacked", holds("090.tar.gz"));
    check_skipped("the archive a.7z was not unpacked", holds("a.7z"));
    check_skipped("090.AVI is a video, not silhouettes", holds("090.AVI"));
    check_skipped("it holds the folder more", |folder| {
        write_sequence(&folder.join("more"), 1, 2);
    });
}

/// What the preparation of two sound subjects reports as lost beside them, when `add` adds to the
/// tree.
fn lost(add: impl FnOnce(&Path)) -> Vec<String> {
    let place = Place::with_tree(2, 1, 3);
    add(&place.raw());
    let report = place.prepare();
    assert_eq!(place.set().len(), 2, "{report}");
    assert_eq!(report.skipped_inputs(), report.about.dropped.sequences.count);
    report.about.dropped.sequences.first
}

#[test]
fn empty_folders_are_named() {
    assert_eq!(lost(|raw| fs::create_dir(raw.join("005")).unwrap()), ["005: it is empty"]);
    let add = |raw: &Path| fs::create_dir_all(raw.join("005/nm-01")).unwrap();
    assert_eq!(lost(add), ["005/nm-01: it is empty"]);
    // A folder of notes is nobody.
    let notes = |raw: &Path| {
        fs::create_dir(raw.join("docs")).unwrap();
        fs::write(raw.join("docs/readme.txt"), "").unwrap();
    };
    assert_eq!(lost(notes), [""; 0]);
}

#[test]
fn images_one_level_too_high_are_named() {
    let named = ["004/nm-01: 3 images are here, not in a folder {view}"];
    assert_eq!(lost(|raw| write_sequence(&raw.join("004/nm-01"), 1, 3)), named);
    let named = ["004: 3 images are here, not in a folder {condition}"];
    assert_eq!(lost(|raw| write_sequence(&raw.join("004"), 1, 3)), named);
    // Beside a sequence of the same walk, too.
    let named = ["001/nm-01: 2 images are here, not in a folder {view}"];
    assert_eq!(lost(|raw| write_sequence(&raw.join("001/nm-01"), 1, 2)), named);
    // A single picture of the whole set is a stray.
    let preview = |raw: &Path| frame(1, 1).save(raw.join("preview.png")).unwrap();
    assert_eq!(lost(preview), [""; 0]);
}

#[test]
fn archives_in_the_place_of_folders_are_named() {
    let archive = |name: &'static str| move |raw: &Path| fs::write(raw.join(name), "").unwrap();
    assert_eq!(lost(archive("003.tar.gz")), ["003.tar.gz: the archive was not unpacked"]);
    // Left over after it was unpacked, and the download as a whole.
    assert_eq!(lost(archive("002.tar.gz")), [""; 0]);
    assert_eq!(lost(archive("DatasetB-silhouettes.zip")), [""; 0]);
    let place = Place::new();
    fs::create_dir_all(place.raw()).unwrap();
    fs::write(place.raw().join("GaitDatasetB-silh.zip"), "").unwrap();
    let error = prepare(&place.raw(), &place.out(), &options(), &Watch::silent()).unwrap_err();
    let error = error.to_string();
    assert!(error.ends_with("; GaitDatasetB-silh.zip: the archive was not unpacked"), "{error}");
}

#[cfg(unix)]
#[test]
fn broken_links_and_names_that_are_not_utf_8_are_named() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    let link = |raw: &Path| {
        fs::create_dir_all(raw.join("003/nm-01")).unwrap();
        symlink("../../../gone/090", raw.join("003/nm-01/090")).unwrap();
        symlink("nowhere", raw.join("004")).unwrap();
    };
    assert_eq!(lost(link), ["003/nm-01/090: a broken link", "004: a broken link"]);
    let gbk = |raw: &Path| {
        let name = OsStr::from_bytes(b"\xd5\xc5\xc8\xfd");
        write_sequence(&raw.join(name).join("nm-01/090"), 1, 2);
    };
    assert_eq!(lost(gbk), [r#""\xD5\xC5\xC8\xFD": its name is not UTF-8"#]);
}

#[cfg(unix)]
#[test]
fn control_characters_of_names_are_escaped() {
    let named = lost(|raw| fs::create_dir(raw.join("a\x1b[2Jb")).unwrap());
    assert_eq!(named, [r"a\u{1b}[2Jb: it is empty"]);
}

#[test]
fn a_partition_of_another_data_set_is_named_as_such() {
    let place = Place::with_tree(2, 1, 2);
    let file = place.raw().with_extension("json");
    fs::write(&file, r#"{"TRAIN_SET": ["a"], "TEST_SET": ["b"]}"#).unwrap();
    let partition = Some(file);
    let options = PrepareOptions { partition, leave_out_unlisted: true, ..options() };
    let error = prepare(&place.raw(), &place.out(), &options, &Watch::silent()).unwrap_err();
    let wanted = "it lists none of the 2 subjects of the tree (001, 002), only 2 others (a, b)";
    assert!(error.to_string().ends_with(wanted), "{error}");
}

#[test]
fn frames_are_sorted_by_number_however_long_it_is() {
    let huge = "9".repeat(40);
    let (place, _) = with_third(|folder| {
        for (name, number) in [("10", 1), ("9", 0), (huge.as_str(), 2)] {
            frame(7, number).save(folder.join(format!("{name}.png"))).unwrap();
        }
    });
    let (other, _) = with_third(|folder| {
        (0..3).for_each(|n| frame(7, n).save(folder.join(format!("{n}.png"))).unwrap());
    });
    assert_eq!(place.set().clip(2).unwrap(), other.set().clip(2).unwrap());
}
