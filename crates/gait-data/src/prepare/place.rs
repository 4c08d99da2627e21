//! The output folder of a preparation: what may be there already, and the partial folder.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::DataError;
use crate::set::{ABOUT_FILE, CLIPS_FILE, FORM, PARTIAL_FOLDER, PreparedSet, read_about};
use gait_support::files::{LOCK_FILE, lock, write_json};

const FINGERPRINT_FILE: &str = "fingerprint.json";

/// What is in the way of a folder or file to write. Its `Display` follows its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutputFault {
    /// A file has the name of the folder.
    #[error("a file is in the way of the output folder")]
    IsAFile,
    /// The folder holds a set of other contents.
    #[error(
        "it holds a set prepared from another tree, an older state of it, other subjects of it, or \
         with other settings"
    )]
    OtherSet,
    /// The folder holds a set that an earlier version prepared.
    #[error("it holds a set prepared by an earlier version")]
    OlderSet,
    /// The folder holds something else.
    #[error("it already holds {}", entry.display())]
    Holds {
        /// The first entry.
        entry: OsString,
    },
    /// The file to write is there.
    #[error("it is there already")]
    Exists,
}

/// What the output folder holds before the work.
#[derive(Debug)]
pub(super) enum Present {
    /// A whole set made from the same tree with the same settings.
    Same(Box<PreparedSet>),
    /// Nothing, unfinished work, or a set that is to be replaced.
    Free,
}

/// Looks at the output folder `out` for a set with `fingerprint`.
///
/// # Errors
/// If it holds something else that may not be replaced.
pub(super) fn look(out: &Path, fingerprint: &str, overwrite: bool) -> Result<Present, DataError> {
    if !out.exists() {
        return Ok(Present::Free);
    }
    if !out.is_dir() {
        return Err(DataError::output(out, OutputFault::IsAFile));
    }
    if out.join(ABOUT_FILE).exists() {
        let about = read_about(out).ok();
        let same = about.as_ref().is_some_and(|about| about.fingerprint == fingerprint);
        let is_older = about.is_some_and(|about| about.form < FORM);
        return match PreparedSet::open(out) {
            Ok(set) if same && !overwrite => Ok(Present::Same(Box::new(set))),
            // Damaged, but its own: made again.
            Err(_) if same => Ok(Present::Free),
            _ if overwrite => Ok(Present::Free),
            _ if is_older => Err(DataError::output(out, OutputFault::OlderSet)),
            _ => Err(DataError::output(out, OutputFault::OtherSet)),
        };
    }
    let entries = fs::read_dir(out).map_err(|e| DataError::io("read", out, e))?;
    match entries.flatten().find(|entry| !is_ignored(&entry.file_name())) {
        Some(entry) => {
            let entry = entry.file_name();
            Err(DataError::output(out, OutputFault::Holds { entry }))
        }
        None => Ok(Present::Free),
    }
}

/// Whether an entry of the output folder is ours, or not the user's: hidden, or what Windows puts
/// into folders that somebody looked at.
fn is_ignored(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
        || [CLIPS_FILE, "Thumbs.db", "desktop.ini"].iter().any(|known| name == *known)
}

/// The partial folder, locked while this lives.
#[derive(Debug)]
pub(super) struct Partial {
    pub folder: PathBuf,
    /// Whether unfinished work of another tree or other settings was thrown away.
    pub discarded: bool,
    lock: File,
}

impl Partial {
    /// Opens or makes the partial folder of `out` for work with `fingerprint`.
    ///
    /// # Errors
    /// If another process is at work there, or the folder cannot be written.
    pub fn open(out: &Path, fingerprint: &str) -> Result<Self, DataError> {
        let folder = out.join(PARTIAL_FOLDER);
        fs::create_dir_all(&folder).map_err(|e| DataError::io("create", &folder, e))?;
        let lock = lock(&folder)?;
        let path = folder.join(FINGERPRINT_FILE);
        let known: Option<String> =
            fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let mut discarded = false;
        if known.as_deref() != Some(fingerprint) {
            discarded = clear(&folder)?;
            write_json(&path, &fingerprint)?;
        }
        Ok(Partial { folder, discarded, lock })
    }

    /// Removes the folder after the work.
    pub fn remove(self) -> Result<(), DataError> {
        // Some systems refuse to remove an open file.
        drop(self.lock);
        fs::remove_dir_all(&self.folder).map_err(|e| DataError::io("remove", &self.folder, e))
    }
}

/// Empties the partial folder except for its lock; true if there was anything.
fn clear(folder: &Path) -> Result<bool, DataError> {
    let mut any = false;
    let entries = fs::read_dir(folder).map_err(|e| DataError::io("read", folder, e))?;
    for entry in entries.flatten().filter(|e| e.file_name() != LOCK_FILE) {
        let path = entry.path();
        fs::remove_file(&path).map_err(|e| DataError::io("remove", &path, e))?;
        any = true;
    }
    Ok(any)
}
