//! Small raw trees for the tests.

// Each test file uses some of these.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};

use gait_data::{DataError, Layout, PrepareOptions, PrepareReport, PreparedSet, Watch, prepare};
use image::{GrayImage, Luma};

/// A frame of 30 rows and 40 columns: a block whose width tells sequences and frames apart.
pub fn frame(sequence: usize, number: usize) -> GrayImage {
    let (left, right) = (3 + number % 5, 15 + sequence % 7 + number % 5);
    GrayImage::from_fn(40, 30, |x, y| {
        let inside = (left..right).contains(&(x as usize)) && (4..26).contains(&y);
        Luma([if inside { 255 } else { 0 }])
    })
}

/// Writes `frames` frames into `folder`.
pub fn write_sequence(folder: &Path, sequence: usize, frames: usize) {
    fs::create_dir_all(folder).unwrap();
    for number in 0..frames {
        frame(sequence, number).save(folder.join(format!("{number:03}.png"))).unwrap();
    }
}

/// A CASIA-B tree of `subjects` (001, ...) with `per_subject` sequences (nm-01, ...) of view 090.
pub fn write_tree(root: &Path, subjects: usize, per_subject: usize, frames: usize) {
    for subject in 1..=subjects {
        for condition in 1..=per_subject {
            let folder = format!("{subject:03}/nm-{condition:02}/090");
            write_sequence(&root.join(folder), subject * 31 + condition, frames);
        }
    }
}

pub fn options() -> PrepareOptions {
    PrepareOptions { threads: 3, ..PrepareOptions::new(Layout::CasiaB) }
}

/// Raw and prepared folders that go away with the value.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    pub fn with_tree(subjects: usize, per_subject: usize, frames: usize) -> Self {
        let place = Place::new();
        write_tree(&place.raw(), subjects, per_subject, frames);
        place
    }

    pub fn raw(&self) -> PathBuf {
        self.folder.path().join("raw")
    }

    pub fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    pub fn prepare(&self) -> PrepareReport {
        prepare(&self.raw(), &self.out(), &options(), &Watch::silent()).unwrap()
    }

    /// Prepares by another layout.
    pub fn prepare_as(&self, layout: &str) -> Result<PrepareReport, DataError> {
        let options = PrepareOptions::new(Layout::from_name(layout, None).unwrap());
        prepare(&self.raw(), &self.out(), &options, &Watch::silent())
    }

    pub fn set(&self) -> PreparedSet {
        PreparedSet::open(&self.out()).unwrap()
    }
}
