//! The prepared set: a folder with `clips.arrow` (every aligned sequence) and `prepared.json`
//! (where it came from). Opening maps the file; a clip is decompressed when it is asked for.

mod about;
pub(crate) mod arrow_file;
mod map;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

pub use about::{About, Counts, Dropped, FORM, PrepareSettings};
pub(crate) use map::map;

use crate::{Clip, DataError, SequenceKey};
use arrow_file::{Columns, read_columns};

/// Name of the file of sequences in a prepared set.
pub const CLIPS_FILE: &str = "clips.arrow";
/// Name of the description in a prepared set.
pub const ABOUT_FILE: &str = "prepared.json";

/// One sequence of a prepared set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceEntry {
    /// Its name.
    pub key: SequenceKey,
    /// t
    pub frames: usize,
    /// h
    pub height: usize,
    /// w, before trimming
    pub width: usize,
}

impl SequenceEntry {
    /// t * h * w, if there can be so many.
    fn size(&self) -> Option<usize> {
        self.frames.checked_mul(self.height)?.checked_mul(self.width)
    }
}

/// An opened prepared set; sequences are sorted by key.
#[derive(Debug)]
pub struct PreparedSet {
    folder: PathBuf,
    about: About,
    batches: Vec<Columns>,
    /// Index of each batch's first sequence, and the number of all sequences at the end.
    starts: Vec<usize>,
    entries: Vec<SequenceEntry>,
}

impl PreparedSet {
    /// Opens the set in `folder`.
    ///
    /// # Errors
    /// If there is none, or its files are truncated, damaged or do not belong together.
    pub fn open(folder: &Path) -> Result<Self, DataError> {
        let about = read_about(folder)?;
        let path = folder.join(CLIPS_FILE);
        let damaged = |what: String| DataError::set(&path, what, PREPARE_AGAIN);
        let file = map(&path)?;
        if file.len() as u64 != about.bytes {
            let what = format!("it has {} bytes where {} were written", file.len(), about.bytes);
            return Err(damaged(what));
        }
        let batches = read_columns(&file).map_err(damaged)?;
        let mut starts = vec![0];
        let mut entries: Vec<SequenceEntry> = Vec::new();
        for batch in &batches {
            entries.extend((0..batch.rows()).map(|row| entry(batch, row)));
            starts.push(entries.len());
        }
        if entries.len() as u64 != about.counts.sequences {
            let expected = about.counts.sequences;
            let what = format!("it holds {} sequences, not {expected}", entries.len());
            return Err(damaged(what));
        }
        if let Some(entry) = entries.iter().find(|e| e.size().is_none_or(|size| size == 0)) {
            return Err(damaged(format!("sequence {} has no sound size", entry.key)));
        }
        Ok(PreparedSet { folder: folder.to_path_buf(), about, batches, starts, entries })
    }

    /// Where the set lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the set came from, its partition and what was dropped.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no sequence.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Every sequence, sorted by key.
    pub fn entries(&self) -> &[SequenceEntry] {
        &self.entries
    }

    /// Sequence `index`, which must be less than [`PreparedSet::len`].
    pub fn entry(&self, index: usize) -> &SequenceEntry {
        &self.entries[index]
    }

    /// Indices of the sequences whose subject is trained on.
    pub fn train(&self) -> Vec<usize> {
        self.of_subjects(&self.about.partition.train)
    }

    /// Indices of the sequences whose subject is tested on.
    pub fn test(&self) -> Vec<usize> {
        self.of_subjects(&self.about.partition.test)
    }

    fn of_subjects(&self, subjects: &[String]) -> Vec<usize> {
        let subjects: BTreeSet<&String> = subjects.iter().collect();
        (0..self.len()).filter(|&i| subjects.contains(&self.entries[i].key.subject)).collect()
    }

    /// The silhouettes of sequence `index`, untrimmed.
    ///
    /// # Errors
    /// If the set has no such sequence or its bytes are damaged.
    pub fn clip(&self, index: usize) -> Result<Clip, DataError> {
        let Some(SequenceEntry { key, frames, height, width }) = self.entries.get(index) else {
            let what = format!("there is no sequence {index}, only {}", self.len());
            return Err(DataError::set(&self.folder, what, "choose a smaller number"));
        };
        let batch = self.starts.partition_point(|start| *start <= index) - 1;
        let stored = self.batches[batch].clip.value(index - self.starts[batch]);
        let size = frames * height * width;
        let damaged = || {
            let path = self.folder.join(CLIPS_FILE);
            DataError::set(path, format!("sequence {key} is damaged"), PREPARE_AGAIN)
        };
        // The size is compared before it is allocated.
        let promised = zstd::zstd_safe::get_frame_content_size(stored).ok().flatten();
        if promised != Some(size as u64) {
            return Err(damaged());
        }
        let pixels = zstd::bulk::decompress(stored, size).map_err(|_| damaged())?;
        if pixels.len() != size {
            return Err(damaged());
        }
        Ok(Clip { frames: *frames, height: *height, width: *width, pixels })
    }
}

const PREPARE_AGAIN: &str = "delete the folder and run `gaitgl prepare` again";

fn entry(batch: &Columns, row: usize) -> SequenceEntry {
    let key = SequenceKey::new(
        batch.subject.value(row),
        batch.condition.value(row),
        batch.view.value(row),
    );
    let [frames, height, width] =
        [&batch.frames, &batch.height, &batch.width].map(|column| column.value(row) as usize);
    SequenceEntry { key, frames, height, width }
}

/// Reads `prepared.json` of the set in `folder`.
///
/// # Errors
/// If there is none, or it is not one of this program's.
pub fn read_about(folder: &Path) -> Result<About, DataError> {
    let path = folder.join(ABOUT_FILE);
    if !folder.is_dir() {
        let what = "there is no such folder";
        return Err(DataError::set(folder, what, "give the folder that `gaitgl prepare` wrote"));
    }
    if !path.exists() {
        return Err(if folder.join(crate::prepare::PARTIAL_FOLDER).exists() {
            let what = "its preparation was not finished";
            DataError::set(folder, what, "run the same `gaitgl prepare` again to go on")
        } else {
            let what = format!("it is no prepared set ({ABOUT_FILE} is missing)");
            DataError::set(folder, what, "make one with `gaitgl prepare RAW OUT`")
        });
    }
    let text = fs::read(&path).map_err(|e| DataError::io("read", &path, e))?;
    // The form is read first: another form may have other fields.
    let damaged =
        |e: serde_json::Error| DataError::set(&path, format!("it is damaged ({e})"), PREPARE_AGAIN);
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(damaged)?;
    match value.get("form").and_then(serde_json::Value::as_u64) {
        Some(form) if form != u64::from(FORM) => {
            let what = format!("it is of form {form}, this program reads form {FORM}");
            Err(DataError::set(&path, what, "run `gaitgl prepare` again"))
        }
        _ => serde_json::from_value(value).map_err(damaged),
    }
}
