//! Alignment and image reading against OpenCV (`reference/export_alignment.py`).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use gait_data::{AlignError, Grey, Resizing, align, decode_grey, read_grey};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

struct Case {
    size: usize,
    image: Grey,
    /// Aligned by OpenCV's wheel, and without its optimised paths; none if too faint.
    aligned: Option<[Vec<u8>; 2]>,
}

fn cases(file: &str) -> Vec<Case> {
    let stored = fs::read(fixtures().join(file)).unwrap();
    let records = zstd::stream::decode_all(&stored[..]).unwrap();
    let mut rest = &records[..];
    let mut take = |count: usize| {
        let (head, tail) = rest.split_at_checked(count)?;
        rest = tail;
        Some(head.to_vec())
    };
    let mut cases = Vec::new();
    while let Some(head) = take(16) {
        let [size, height, width, status] = [0, 4, 8, 12]
            .map(|at| u32::from_le_bytes(head[at..at + 4].try_into().unwrap()) as usize);
        let pixels = take(height * width).unwrap();
        let aligned = (status == 0).then(|| [(), ()].map(|()| take(size * size).unwrap()));
        cases.push(Case { size, image: Grey { height, width, pixels }, aligned });
    }
    cases
}

/// Shares of pixels that differ at all, and the largest difference.
fn compare(got: &[u8], expected: &[u8]) -> (usize, u8) {
    assert_eq!(got.len(), expected.len());
    let differences = got.iter().zip(expected).map(|(a, b)| a.abs_diff(*b));
    (differences.clone().filter(|d| *d > 0).count(), differences.max().unwrap_or(0))
}

/// Checks all cases of a file against one version of OpenCV: `fewest` of them must be aligned;
/// `different` is the share of pixels that may differ, by one grey level.
fn check(
    file: &str,
    work: fn(&Grey, usize) -> Result<Vec<u8>, AlignError>,
    fewest: usize,
    version: usize,
    different: f64,
) {
    let (mut pixels, mut unequal, mut aligned_cases) = (0, 0, 0);
    for (number, case) in cases(file).iter().enumerate() {
        let got = work(&case.image, case.size);
        let Some(expected) = &case.aligned else {
            assert_eq!(got, Err(AlignError::Faint), "case {number}");
            continue;
        };
        let (count, largest) = compare(&got.unwrap(), &expected[version]);
        assert!(largest <= 1, "case {number}: {largest} grey levels apart");
        pixels += case.size * case.size;
        unequal += count;
        aligned_cases += 1;
    }
    assert!(aligned_cases >= fewest, "{aligned_cases}");
    let share = unequal as f64 / pixels as f64;
    assert!(share <= different, "{unequal} of {pixels} pixels differ");
}

#[test]
fn alignment_equals_opencv() {
    // Both compute with exact weights; a sum that falls on a half may round either way.
    check("alignment.zst", align, 50, 0, 1e-4);
}

#[test]
fn alignment_is_within_one_level_of_opencv_without_intels_library() {
    // That version rounds its weights to 11 bits.
    check("alignment.zst", align, 50, 1, 1e-2);
}

#[test]
fn images_that_come_aligned_are_resized_as_opencv_does() {
    let cubic: fn(&Grey, usize) -> _ = |image, size| Resizing::Cubic.apply(image.clone(), size);
    check("resized.zst", cubic, 9, 0, 1e-4);
    check("resized.zst", cubic, 9, 1, 1e-2);
    let halving: fn(&Grey, usize) -> _ = |image, size| Resizing::Halving.apply(image.clone(), size);
    check("halved.zst", halving, 2, 0, 0.0);
    check("halved.zst", halving, 2, 1, 0.0);
}

#[test]
fn images_read_as_opencv_reads_them() {
    let mut files = 0;
    for entry in fs::read_dir(fixtures().join("images")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        let Some(image) = name.strip_suffix(".grey") else { continue };
        let expected = fs::read(&path).unwrap();
        let grey = read_grey(&path.with_file_name(image)).unwrap();
        let head = [grey.height as u32, grey.width as u32].map(u32::to_le_bytes).concat();
        assert_eq!(head, expected[..8], "{image}");
        let (count, largest) = compare(&grey.pixels, &expected[8..]);
        // JPEG decoders may round their inverse transforms differently; the others are exact.
        let allowed = u8::from(image == "grey.jpg" || image == "colour.JPEG");
        assert!(largest <= allowed, "{image}: {count} pixels differ, by up to {largest}");
        files += 1;
    }
    assert_eq!(files, 11);
}

#[test]
fn damaged_images_never_panic() {
    let mut generator = ChaCha8Rng::seed_from_u64(4);
    for entry in fs::read_dir(fixtures().join("images")).unwrap() {
        let path = entry.unwrap().path();
        let whole = fs::read(&path).unwrap();
        for _ in 0..1000 {
            let mut bytes = whole.clone();
            for _ in 0..generator.random_range(1..4) {
                let at = generator.random_range(0..bytes.len());
                bytes[at] = generator.random();
            }
            bytes.truncate(generator.random_range(0..bytes.len() + 50));
            if let Ok(grey) = decode_grey(&bytes) {
                assert_eq!(grey.pixels.len(), grey.height * grey.width);
            }
        }
    }
}
