//! `prepared.json`: where a prepared set came from, how it was made, what was dropped.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::PREPARE_AGAIN;
use crate::{DataError, Partition, Tally};

/// Version of the prepared set's format; raised when older programs could not read it.
pub const FORM: u32 = 2;

/// The oldest version that this program reads. Version 1 has no fingerprint of the contents.
const OLDEST_FORM: u32 = 1;

/// What `prepared.json` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// [`FORM`] of the program that wrote it.
    pub form: u32,
    /// The raw tree.
    pub source: PathBuf,
    /// How it was read and aligned.
    pub settings: PrepareSettings,
    /// What the set holds.
    pub counts: Counts,
    /// Who is trained on and who is tested.
    pub partition: Partition,
    /// What the tree held and the set does not.
    pub dropped: Dropped,
    /// Bytes of `clips.arrow`.
    pub bytes: u64,
    /// Hash of the tree's listing and the settings, by which a rerun knows its own work.
    pub fingerprint: String,
    /// Fingerprint of the contents, where the program that wrote the set recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<String>,
}

impl About {
    /// What the bytes of a `prepared.json` say; `path` names it in messages.
    ///
    /// # Errors
    /// If it is not one of this program's.
    pub fn decode(path: &Path, text: &[u8]) -> Result<Self, DataError> {
        // The form is read first: another form may have other fields.
        let damaged = |e: serde_json::Error| {
            DataError::unusable(path, format!("it is damaged ({e})"), PREPARE_AGAIN)
        };
        let value: serde_json::Value = serde_json::from_slice(text).map_err(damaged)?;
        match value.get("form").and_then(serde_json::Value::as_u64) {
            Some(form) if !(u64::from(OLDEST_FORM)..=u64::from(FORM)).contains(&form) => {
                let what = format!(
                    "it is of form {form}, this program reads form {OLDEST_FORM} to {FORM}"
                );
                Err(DataError::unusable(path, what, "run `gaitgl prepare` again"))
            }
            _ => serde_json::from_value(value).map_err(damaged),
        }
    }
}

/// How a raw tree was read and aligned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrepareSettings {
    /// Name of the layout.
    pub layout: String,
    /// Pattern of the layout.
    pub pattern: String,
    /// Rows and columns of an aligned silhouette.
    pub height: usize,
    /// Whether the frames were taken as they are, because the data set comes aligned.
    pub aligned_source: bool,
    /// Frames whose pixel sum is at most this were dropped.
    pub faintest_sum: u64,
}

/// What a prepared set holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// People.
    pub subjects: u64,
    /// Sequences.
    pub sequences: u64,
    /// Silhouettes.
    pub frames: u64,
}

/// What the tree held and the set does not: counted, and the first few named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropped {
    /// Images that could not be read, each with its reason.
    pub unreadable_images: Tally,
    /// Frames whose pixel sum is too small.
    pub faint_frames: Tally,
    /// Frames too narrow or too flat to scale, or of another size where the source comes aligned.
    pub misshapen_frames: Tally,
    /// Sequences of which nothing was left, each with its reason.
    pub sequences: Tally,
    /// Files and folders that are no part of the layout.
    pub strays: Tally,
}

impl Dropped {
    /// Counts what `other` counted, after this.
    pub(crate) fn append(&mut self, other: &Dropped) {
        self.unreadable_images.append(&other.unreadable_images);
        self.faint_frames.append(&other.faint_frames);
        self.misshapen_frames.append(&other.misshapen_frames);
        self.sequences.append(&other.sequences);
        self.strays.append(&other.strays);
    }

    /// Inputs that were meant to count and could not be used: unreadable images, misshapen
    /// frames, sequences of which nothing was left. Faint frames are dropped by definition, and
    /// strays are no input; neither counts.
    pub fn skipped_inputs(&self) -> u64 {
        self.unreadable_images.count + self.misshapen_frames.count + self.sequences.count
    }
}
