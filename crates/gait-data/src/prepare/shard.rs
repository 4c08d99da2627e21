//! Finished parts of a preparation, by which a killed one goes on.
//!
//! A part is two files in the partial folder: the rows, and what was dropped on the way. Both
//! are written beside and renamed, the second one last: a part counts when it is there.

use std::fs;
use std::path::{Path, PathBuf};

use crate::DataError;
use crate::set::arrow_file::{ArrowFile, Row, read_batches};
use crate::set::{Dropped, map};
use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};

/// Sequences of a part: few enough that a kill loses seconds, and that a part of long sequences
/// is small in memory.
pub(super) const SEQUENCES: usize = 64;

/// What a part says beside its rows.
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
        let beside = self.rows.with_extension("tmp");
        let mut file = ArrowFile::create(&beside)?;
        if !rows.is_empty() {
            file.write(rows)?;
        }
        file.finish()?;
        rename(&beside, &self.rows)?;
        write_json(&self.note, note)
    }

    /// The part's note if the part is whole.
    pub fn finished(&self) -> Option<ShardNote> {
        let note: ShardNote = serde_json::from_slice(&fs::read(&self.note).ok()?).ok()?;
        let rows: usize = self.batches().ok()?.iter().map(RecordBatch::num_rows).sum();
        (rows as u64 == note.sequences).then_some(note)
    }

    /// The rows, in place.
    pub fn batches(&self) -> Result<Vec<RecordBatch>, DataError> {
        let mend = "delete it and run the same command again";
        read_batches(&map(&self.rows)?).map_err(|what| DataError::unusable(&self.rows, what, mend))
    }
}

/// Writes `value` beside `path`, syncs it and renames it.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), DataError> {
    let failed = |e| DataError::io("write", path, e);
    let beside = path.with_extension("json.tmp");
    let mut text = serde_json::to_vec_pretty(value).map_err(|e| failed(e.into()))?;
    text.push(b'\n');
    let file = fs::File::create(&beside).map_err(failed)?;
    std::io::Write::write_all(&mut &file, &text).and_then(|()| file.sync_all()).map_err(failed)?;
    rename(&beside, path)
}

/// Renames a finished file into place.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), DataError> {
    fs::rename(from, to).map_err(|e| DataError::io("write", to, e))
}
