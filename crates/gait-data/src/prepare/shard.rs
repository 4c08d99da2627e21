//! Finished parts of a preparation, from which a killed one resumes.
//!
//! A part is two files in the partial folder: the rows, and a note of what was dropped on the way.
//! The note comes last: a part counts when it is there and the rows are whole.

use std::fs;
use std::path::{Path, PathBuf};

use crate::DataError;
use crate::set::arrow_file::{ArrowFile, Row, read_batches};
use crate::set::{Dropped, SetFault, map};
use arrow_array::RecordBatch;
use gait_support::files::write_json;
use serde::{Deserialize, Serialize};

/// Sequences of a part: few enough that a kill loses seconds, and that a part of long sequences
/// is small in memory.
pub(super) const SEQUENCES: usize = 64;

/// What a part records beside its rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShardNote {
    /// Sequences kept.
    pub sequences: u64,
    /// Their frames.
    pub frames: u64,
    /// What was dropped.
    pub dropped: Dropped,
}

/// Part `number` of the preparation in `folder`.
pub(super) struct Shard {
    rows: PathBuf,
    note: PathBuf,
}

impl Shard {
    pub fn new(folder: &Path, number: usize) -> Self {
        let path = |end: &str| folder.join(format!("{number:06}.{end}"));
        Shard { rows: path("arrow"), note: path("json") }
    }

    /// Writes the part and syncs it to disk.
    pub fn write(&self, rows: &[Row], note: &ShardNote) -> Result<(), DataError> {
        let mut file = ArrowFile::create(&self.rows)?;
        if !rows.is_empty() {
            file.write(rows)?;
        }
        file.finish()?;
        Ok(write_json(&self.note, note)?)
    }

    /// The part's note if the part is whole.
    pub fn finished(&self) -> Option<ShardNote> {
        let note: ShardNote = serde_json::from_slice(&fs::read(&self.note).ok()?).ok()?;
        let rows: usize = self.batches().ok()?.iter().map(RecordBatch::num_rows).sum();
        (rows as u64 == note.sequences).then_some(note)
    }

    /// The rows, in place.
    pub fn batches(&self) -> Result<Vec<RecordBatch>, DataError> {
        read_batches(&map(&self.rows)?)
            .map_err(|fault| DataError::set(&self.rows, SetFault::Clips(fault)))
    }
}
