//! The prepared set: a folder with `clips.arrow` (every aligned sequence) and `prepared.json`
//! (where it came from). Opening maps the file; a clip is decompressed when it is asked for.

mod about;
pub(crate) mod arrow_file;
mod fault;
mod map;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use about::{Dropped, FORM, PrepareSettings, SetCounts, SetDescription};
pub use arrow_file::ClipsFault;
pub use fault::SetFault;
pub(crate) use map::map;

use arrow_buffer::Buffer;
use gait_support::Fingerprint;
use zstd::zstd_safe;

use crate::{Clip, DataError, SequenceKey};
use arrow_file::{Columns, read_columns};

/// Name of the file of sequences in a prepared set.
pub const CLIPS_FILE: &str = "clips.arrow";
/// Name of the description in a prepared set.
pub const ABOUT_FILE: &str = "prepared.json";
/// Name of the folder of unfinished work beside them.
pub(crate) const PARTIAL_FOLDER: &str = ".partial";

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
    about: SetDescription,
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
        Self::from_buffer(folder, about, &map(&folder.join(CLIPS_FILE))?)
    }

    /// The set of a description and the bytes of its `clips.arrow`, as [`PreparedSet::open`] finds
    /// them in `folder`, which names it in messages.
    ///
    /// # Errors
    /// As [`PreparedSet::open`].
    pub fn decode(folder: &Path, about: SetDescription, clips: Vec<u8>) -> Result<Self, DataError> {
        Self::from_buffer(folder, about, &Buffer::from_vec(clips))
    }

    fn from_buffer(folder: &Path, about: SetDescription, file: &Buffer) -> Result<Self, DataError> {
        let path = folder.join(CLIPS_FILE);
        let damaged = |fault| DataError::set(&path, fault);
        let found = file.len() as u64;
        if found != about.bytes {
            return Err(damaged(SetFault::Length { found, expected: about.bytes }));
        }
        let batches = read_columns(file).map_err(|fault| damaged(SetFault::Clips(fault)))?;
        let mut starts = vec![0];
        let mut entries: Vec<SequenceEntry> = Vec::new();
        for batch in &batches {
            entries.extend((0..batch.rows()).map(|row| entry(batch, row)));
            starts.push(entries.len());
        }
        if entries.len() as u64 != about.counts.sequences {
            let expected = about.counts.sequences;
            return Err(damaged(SetFault::Count { found: entries.len(), expected }));
        }
        if let Some(entry) = entries.iter().find(|e| e.size().is_none_or(|size| size == 0)) {
            return Err(damaged(SetFault::Size(Box::new(entry.key.clone()))));
        }
        Ok(PreparedSet { folder: folder.to_path_buf(), about, batches, starts, entries })
    }

    /// Identifies the contents: the name, the size and the pixels of every sequence, wherever the
    /// set is stored. The partition is not part of it.
    ///
    /// Sixteen hexadecimal digits, the same in every version of this crate. It is stored when a set
    /// is prepared; for a set of an older version, which lacks it, it is computed from one page of
    /// the file per sequence.
    pub fn fingerprint(&self) -> String {
        self.about.contents.clone().unwrap_or_else(|| {
            let mut contents = ContentsFingerprint::default();
            self.batches.iter().for_each(|batch| contents.feed(batch));
            contents.to_string()
        })
    }

    /// The folder that holds the set.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the set came from, its partition and what was dropped.
    pub fn about(&self) -> &SetDescription {
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
        self.sequences_of(&self.about.partition.train)
    }

    /// Training subjects with at least one sequence, sorted, and the sequences of each: the classes
    /// of a network that is trained on the set, in their order.
    pub fn classes(&self) -> BTreeMap<&str, Vec<usize>> {
        let mut classes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for index in self.train() {
            classes.entry(&self.entries[index].key.subject).or_default().push(index);
        }
        classes
    }

    /// Indices of the sequences whose subject is tested on.
    pub fn test(&self) -> Vec<usize> {
        self.sequences_of(&self.about.partition.test)
    }

    fn sequences_of(&self, subjects: &[String]) -> Vec<usize> {
        let subjects: BTreeSet<&String> = subjects.iter().collect();
        (0..self.len()).filter(|&i| subjects.contains(&self.entries[i].key.subject)).collect()
    }

    /// The silhouettes of sequence `index`, untrimmed.
    ///
    /// # Errors
    /// If the set has no such sequence or its bytes are damaged.
    pub fn clip(&self, index: usize) -> Result<Clip, DataError> {
        let Some(SequenceEntry { key, frames, height, width }) = self.entries.get(index) else {
            let fault = SetFault::NoSequence { index, length: self.len() };
            return Err(DataError::set(&self.folder, fault));
        };
        let batch = self.starts.partition_point(|start| *start <= index) - 1;
        let stored = self.batches[batch].clip.value(index - self.starts[batch]);
        let size = frames * height * width;
        // What the sizes promise is compared before it is allocated, with what zstd can pack too:
        // any number may stand in the file.
        let most = stored.len().saturating_mul(MOST_INFLATED);
        let damaged = || {
            let path = self.folder.join(CLIPS_FILE);
            DataError::set(&path, SetFault::Damaged(Box::new(key.clone())))
        };
        let promised = zstd_safe::get_frame_content_size(stored).ok().flatten();
        if promised != Some(size as u64) || size > most {
            return Err(damaged());
        }
        let mut pixels = Vec::with_capacity(size);
        // Not `zstd::bulk`, which panics if there is no memory for its context.
        if let Err(code) = zstd_safe::decompress(&mut pixels, stored) {
            if is_out_of_memory(code) {
                let path = self.folder.join(CLIPS_FILE);
                return Err(DataError::io("read", &path, io::ErrorKind::OutOfMemory.into()));
            }
            return Err(damaged());
        }
        if pixels.len() != size {
            return Err(damaged());
        }
        Ok(Clip { frames: *frames, height: *height, width: *width, pixels })
    }
}

/// Whether zstd failed because there was no memory.
fn is_out_of_memory(code: zstd_safe::ErrorCode) -> bool {
    zstd_safe::get_error_name(code).contains("not enough memory")
}

/// The running fingerprint of a set's contents (see [`PreparedSet::fingerprint`]).
#[derive(Default)]
pub(crate) struct ContentsFingerprint(Fingerprint);

impl ContentsFingerprint {
    /// Adds every sequence of `batch`.
    pub fn feed(&mut self, batch: &Columns) {
        for row in 0..batch.rows() {
            let SequenceEntry { key, frames, height, width } = entry(batch, row);
            for name in [&key.subject, &key.condition, &key.view] {
                self.0.feed(name.as_bytes());
            }
            for size in [frames, height, width] {
                self.0.feed(&(size as u64).to_le_bytes());
            }
            // A frame of zstd ends with a checksum of the pixels, whatever version compressed it.
            let clip = batch.clip.value(row);
            self.0.feed(&clip[clip.len().saturating_sub(4)..]);
        }
    }
}

impl fmt::Display for ContentsFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The most that one byte of zstd becomes: its densest block repeats one byte 2^17 times, in four.
const MOST_INFLATED: usize = 1 << 15;

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
/// If there is none, or another program wrote it.
pub(crate) fn read_about(folder: &Path) -> Result<SetDescription, DataError> {
    let path = folder.join(ABOUT_FILE);
    if !folder.is_dir() {
        return Err(DataError::set(folder, SetFault::NoFolder));
    }
    if !path.exists() {
        let is_unfinished = folder.join(PARTIAL_FOLDER).exists();
        let fault = if is_unfinished { SetFault::Unfinished } else { SetFault::NoSet };
        return Err(DataError::set(folder, fault));
    }
    let text = fs::read(&path).map_err(|e| DataError::io("read", &path, e))?;
    SetDescription::decode(&path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition_subjects;
    use arrow_file::{ArrowFile, Row};

    #[test]
    fn a_clip_that_promises_more_than_it_can_hold_costs_no_memory() {
        let frames = 1 << 30;
        let size = (u64::from(frames) * 64 * 64).to_le_bytes();
        // A frame of zstd with its size in eight bytes, and one empty block.
        let clip = [&[0x28, 0xB5, 0x2F, 0xFD, 0xE0], &size[..], &[1, 0, 0]].concat();
        let key = SequenceKey::new("001", "nm-01", "090");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(CLIPS_FILE);
        let mut file = ArrowFile::create(&path).unwrap();
        file.write(&[Row { key, frames, height: 64, width: 64, clip }]).unwrap();
        let bytes = file.finish().unwrap();
        let about = SetDescription {
            form: FORM,
            source: PathBuf::new(),
            settings: PrepareSettings { height: 64, ..Default::default() },
            counts: SetCounts { subjects: 1, sequences: 1, frames: u64::from(frames) },
            partition: partition_subjects(&BTreeSet::new(), None, false).unwrap(),
            dropped: Dropped::default(),
            bytes,
            fingerprint: String::new(),
            contents: None,
        };
        let clips = fs::read(folder.path().join(CLIPS_FILE)).unwrap();
        let set = PreparedSet::decode(folder.path(), about, clips).unwrap();
        let error = set.clip(0).unwrap_err().to_string();
        assert!(error.contains("sequence 001/nm-01/090 is damaged"), "{error}");
    }
}
