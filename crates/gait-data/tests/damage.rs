//! Truncated, foreign and corrupt prepared sets end in an error, never in a panic.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;
use std::path::Path;

use common::Place;
use gait_data::{DataError, PreparedSet};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Opens the set and reads every clip.
fn read_all(out: &Path) -> Result<Vec<u8>, DataError> {
    let set = PreparedSet::open(out)?;
    let mut pixels = Vec::new();
    for index in 0..set.len() {
        let clip = set.clip(index)?;
        assert_eq!(clip.pixels.len(), clip.frames * clip.height * clip.width);
        pixels.extend(clip.pixels);
    }
    Ok(pixels)
}

/// A set and the bytes of its file.
fn prepared() -> (Place, Vec<u8>) {
    let place = Place::with_tree(3, 2, 3);
    place.prepare();
    let clips = fs::read(place.out().join("clips.arrow")).unwrap();
    (place, clips)
}

/// Replaces the file, and the size that the description gives for it.
fn replace(place: &Place, clips: &[u8]) {
    let path = place.out().join("prepared.json");
    let mut about: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    about["bytes"] = clips.len().into();
    fs::write(&path, about.to_string()).unwrap();
    fs::write(place.out().join("clips.arrow"), clips).unwrap();
}

#[test]
fn a_truncated_file_is_refused() {
    let (place, clips) = prepared();
    for length in (0..clips.len()).step_by(97).chain([clips.len() - 1]) {
        fs::write(place.out().join("clips.arrow"), &clips[..length]).unwrap();
        let error = read_all(&place.out()).unwrap_err().to_string();
        assert!(error.contains("clips.arrow: it has"), "{error}");
        replace(&place, &clips[..length]);
        let error = read_all(&place.out()).unwrap_err().to_string();
        assert!(error.contains("clips.arrow: it is") && !error.contains('\n'), "{error}");
        replace(&place, &clips);
    }
}

#[test]
fn changed_bytes_never_panic_and_never_change_pixels_unseen() {
    let (place, clips) = prepared();
    let expected = read_all(&place.out()).unwrap();
    let mut generator = ChaCha8Rng::seed_from_u64(3);
    let mut refused = 0;
    for _ in 0..2000 {
        let mut changed = clips.clone();
        for _ in 0..generator.random_range(1..4) {
            let at = generator.random_range(0..changed.len());
            changed[at] = if generator.random() { generator.random() } else { 0xFF };
        }
        fs::write(place.out().join("clips.arrow"), &changed).unwrap();
        match read_all(&place.out()) {
            // A change in a name or in padding leaves the pixels.
            Ok(pixels) => assert_eq!(pixels, expected),
            Err(error) => {
                assert!(!error.to_string().contains('\n'), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 500, "{refused}");
}

#[test]
fn foreign_files_and_folders_are_refused() {
    let (place, clips) = prepared();
    let out = place.out();
    let check = |part: &str| {
        let error = read_all(&out).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    replace(&place, b"PK not an arrow file at all");
    check("it is not an Arrow file");
    replace(&place, &clips);
    fs::write(out.join("prepared.json"), "{").unwrap();
    check("prepared.json is not JSON of the expected form");
    fs::write(out.join("prepared.json"), r#"{"form": 99}"#).unwrap();
    check("it is of form 99, this program reads form 1 to 2");
    fs::remove_file(out.join("prepared.json")).unwrap();
    check("not a prepared set");
    assert!(
        PreparedSet::open(&place.raw().join("no")).unwrap_err().to_string().contains("no such")
    );
}
