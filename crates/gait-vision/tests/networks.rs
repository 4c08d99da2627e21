//! The networks on a drawn figure, against ONNX Runtime and numpy (`reference/export_vision.py`).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::num::NonZero;
use std::path::{Path, PathBuf};

use gait_support::full_message;
use gait_vision::{BodyMasker, Bounds, Detection, Detector, Engine, Frame, ModelError};
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn golden() -> Value {
    serde_json::from_slice(&std::fs::read(fixture("figure.json")).unwrap()).unwrap()
}

fn figure() -> image::RgbImage {
    image::open(fixture("figure.png")).unwrap().to_rgb8()
}

fn frame(image: image::RgbImage) -> Frame {
    Frame::new(image.width() as usize, image.height() as usize, image.into_raw()).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn bounds(edges: &[f32]) -> Bounds {
    Bounds { left: edges[0], top: edges[1], right: edges[2], bottom: edges[3] }
}

fn engine() -> Engine {
    Engine::new(NonZero::<usize>::MIN)
}

/// Whether they are equal but for sums of f32 in another order: 1e-3 pixels of some hundred.
fn is_close(found: &Detection, expected: &Value) -> bool {
    let Bounds { left, top, right, bottom } = found.bounds;
    let found = [left, top, right, bottom, found.score];
    found.iter().zip(numbers(expected)).all(|(found, expected)| (found - expected).abs() < 1e-3)
}

#[test]
fn the_figure_is_found_once() {
    let found = Detector::shipped(&engine()).unwrap().detect(&frame(figure())).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(is_close(&found[0], &golden()["boxes"][0]), "{found:?}");
}

#[test]
fn boxes_are_in_the_pixels_of_the_frame() {
    // The figure at double width and half height.
    let stretched = image::imageops::resize(&figure(), 600, 150, image::imageops::Triangle);
    let found = Detector::shipped(&engine()).unwrap().detect(&frame(stretched)).unwrap();
    let expected = numbers(&golden()["boxes"][0]);
    let expected =
        bounds(&[expected[0] * 2.0, expected[1] / 2.0, expected[2] * 2.0, expected[3] / 2.0]);
    // Half of the rows are lost, so the box moves a little.
    assert!(found[0].bounds.overlap(&expected) > 0.85, "{found:?} {expected:?}");
}

#[test]
fn a_frame_without_people_has_no_boxes() {
    let grey = Frame::new(64, 48, vec![128; 64 * 48 * 3]).unwrap();
    assert_eq!(Detector::shipped(&engine()).unwrap().detect(&grey).unwrap(), []);
}

#[test]
fn the_mask_of_the_figure_is_that_of_onnx_runtime() {
    let golden = golden();
    let masker = BodyMasker::shipped(&engine()).unwrap();
    let person = bounds(&numbers(&golden["mask_box"]));
    let masks = masker.masks(&frame(figure()), &[person]).unwrap();
    let mask = &masks[0];
    let expected = &golden["mask"];
    let close = |found: f32, name: &str, tolerance: f32| {
        let expected = expected[name].as_f64().unwrap() as f32;
        assert!((found - expected).abs() < tolerance, "{name}: {found} {expected}");
    };
    close(mask.presence(), "presence", 1e-5);
    // Logits differ by up to 0.5 of 900, at the edge of the body.
    close(mask.values().iter().sum(), "sum", 10.0);
    assert!(mask.is_present());
    let rows = mask.values().chunks_exact(256).step_by(16).map(|row| row.iter().sum::<f32>());
    for (found, expected) in rows.zip(numbers(&expected["row_sums"])) {
        assert!((found - expected).abs() < 0.5, "{found} {expected}");
    }
}

#[test]
fn a_mask_lies_on_its_person_in_the_frame() {
    let golden = golden();
    let masker = BodyMasker::shipped(&engine()).unwrap();
    let person = bounds(&numbers(&golden["mask_box"]));
    let mask = masker.masks(&frame(figure()), &[person]).unwrap().remove(0);
    let placed = mask.in_frame(300, 300);
    assert_eq!([placed.left, placed.top, placed.width, placed.height], [22, 22, 256, 256]);
    assert_eq!(placed.values, mask.values());
    // A smaller frame cuts it.
    let cut = mask.in_frame(100, 150);
    assert_eq!([cut.left, cut.top, cut.width, cut.height], [22, 22, 78, 128]);
    assert_eq!(cut.values[77 + 78 * 3], placed.values[77 + 256 * 3]);
}

#[test]
fn people_at_and_beyond_the_border_get_masks_of_their_own() {
    let masker = BodyMasker::shipped(&engine()).unwrap();
    let golden = golden();
    let person = bounds(&numbers(&golden["mask_box"]));
    let elsewhere = [
        Bounds::around(0.0, 150.0, 60.0, 180.0),
        Bounds::around(-900.0, 5000.0, 60.0, 180.0),
        Bounds::around(10.0, 10.0, 0.1, 0.1),
        Bounds::around(10.0, 10.0, 1e9, 1e9),
    ];

    let people = [&elsewhere[..], &elsewhere, &elsewhere, &[person]].concat();
    let figure = frame(figure());
    let masks = masker.masks(&figure, &people).unwrap();
    assert_eq!(masks.len(), people.len());
    let alone = masker.masks(&figure, &[person]).unwrap();
    assert_eq!(masks[12].presence(), alone[0].presence());
    assert_eq!(masks[12].values(), alone[0].values());
    assert!(!masks[1].is_present());
    let outside = masks[1].in_frame(300, 300);
    assert_eq!(outside.values.len(), outside.width * outside.height);
    assert!(outside.values.is_empty());
    assert_eq!(masker.masks(&figure, &[]).unwrap(), []);
}

/// Writes a description beside the fixture `tiny-yolox.onnx` and reads it.
fn tiny(change: impl FnOnce(String) -> String) -> Result<Detector, ModelError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(fixture("tiny-yolox.onnx"), folder.path().join("tiny.onnx")).unwrap();
    let path = folder.path().join("tiny.toml");
    std::fs::write(&path, change(TINY.to_owned())).unwrap();
    Detector::read(&engine(), &path)
}

const TINY: &str = "onnx = 'tiny.onnx'
[input]
width = 40
height = 32
fit = 'letterbox'
padding = 114
channels = 'bgr'
black = 0
white = 255
[output.decoding.yolox]
output = 'output'
class = 1
strides = [8, 16]
[output.selection]
min-score = 0.0
max-overlap = 1.0
";

#[test]
fn a_users_own_detector_is_described_in_a_file() {
    let detector = tiny(|text| text).unwrap();
    let head = image::imageops::crop_imm(&figure(), 130, 40, 40, 24).to_image();
    let found = detector.detect(&frame(head)).unwrap();
    let golden = golden();
    let expected = golden["yolox"].as_array().unwrap();
    assert_eq!(found.len(), expected.len());
    // Not in order: cells of the plain background have the same score.
    for expected in expected {
        assert!(found.iter().any(|found| is_close(found, expected)), "{expected} {found:?}");
    }
}

/// The message of a description with `from` replaced by `to`, without the folder.
fn problem(from: &str, to: &str) -> String {
    let Err(error) = tiny(|text| text.replace(from, to)) else { panic!("{from} {to}") };
    let message = full_message(&error);
    message.split_once("tiny").map_or(message.clone(), |(_, rest)| format!("tiny{rest}"))
}

#[test]
fn mistakes_in_a_description_are_named() {
    assert_eq!(
        problem("'tiny.onnx'", "'a.onnx'").split_once("a.onnx: ").unwrap().1,
        "it does not exist"
    );
    let unknown = problem("padding", "pading");
    assert!(unknown.starts_with("tiny.toml does not describe a network: "), "{unknown}");
    assert!(unknown.contains("unknown field `pading`"), "{unknown}");
    assert!(problem("'bgr'", "'gbr'").contains("expected `rgb` or `bgr`"));
    assert_eq!(
        problem("min-score = 0.0", "min-score = 40"),
        "tiny.toml: output.selection.min-score must be between 0 and 1"
    );
    assert_eq!(
        problem("strides = [8,", "strides = [0,"),
        "tiny.toml: output.decoding.yolox.strides must be between 1 and 1024"
    );
    assert_eq!(
        problem("width = 40", "width = 48"),
        "tiny.onnx does not take images of the shape [1, 3, 32, 48]"
    );
    assert_eq!(
        problem("output = 'output'", "output = 'boxes'"),
        "tiny.onnx has no output \"boxes\", only output"
    );
    let toml_as_onnx = problem("'tiny.onnx'", "'tiny.toml'");
    assert!(toml_as_onnx.starts_with("tiny.toml: "), "{toml_as_onnx}");
}

#[test]
fn outputs_that_do_not_fit_their_decoding_are_errors() {
    let image = Frame::new(40, 32, vec![0; 40 * 32 * 3]).unwrap();
    for (from, to, expected) in [
        ("strides = [8, 16]", "strides = [8]", "[1, 24, 7] instead of [1, 20, 0]"),
        ("class = 1", "class = 2", "[1, 24, 7] instead of [1, 24, 8]"),
    ] {
        let error = tiny(|text| text.replace(from, to)).unwrap().detect(&image).unwrap_err();
        assert!(error.to_string().ends_with(expected), "{error}");
    }
}
