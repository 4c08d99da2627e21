//! The output folder of a preparation: what may be there already, and the partial folder.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::shard::write_json;
use crate::DataError;
use crate::set::{ABOUT_FILE, About, CLIPS_FILE, PreparedSet, read_about};

/// Folder of unfinished work within the output folder.
pub(crate) const PARTIAL_FOLDER: &str = ".partial";
const FINGERPRINT_FILE: &str = "fingerprint.json";
const LOCK_FILE: &str = "lock";

/// What the output folder holds before the work.
#[derive(Debug)]
pub(super) enum Present {
    /// A whole set made from the same tree with the same settings.
    Same(Box<About>),
    /// Nothing, unfinished work, or a set that is to be replaced.
    Free,
}

/// Looks at the output folder `out` for a set with `fingerprint`.
///
/// # Errors
/// If it holds something else that nobody allowed to replace.
pub(super) fn look(out: &Path, fingerprint: &str, overwrite: bool) -> Result<Present, DataError> {
    if !out.exists() {
        return Ok(Present::Free);
    }
    if !out.is_dir() {
        let what = "a file is in the way of the output folder";
        return Err(DataError::unusable(out, what, "choose another output folder"));
    }
    if out.join(ABOUT_FILE).exists() {
        let about = read_about(out);
        let same = about.is_ok_and(|about| about.fingerprint == fingerprint);
        return match PreparedSet::open(out) {
            Ok(set) if same && !overwrite => Ok(Present::Same(Box::new(set.about().clone()))),
            // Damaged, but its own: made again.
            Err(_) if same => Ok(Present::Free),
            _ if overwrite => Ok(Present::Free),
            _ => Err(DataError::unusable(
                out,
                "it holds a set prepared from another tree, an older state of it, or with other \
                 settings",
                "choose another output folder, or replace the set with --overwrite",
            )),
        };
    }
    let known = [PARTIAL_FOLDER, CLIPS_FILE];
    let entries = fs::read_dir(out).map_err(|e| DataError::io("read", out, e))?;
    let foreign = entries.flatten().find(|e| known.iter().all(|name| e.file_name() != *name));
    match foreign {
        Some(entry) => Err(DataError::unusable(
            out,
            format!("it already holds {}", entry.file_name().display()),
            "choose an empty or new output folder",
        )),
        None => Ok(Present::Free),
    }
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

/// Takes the lock of the partial folder; the system frees it when the process ends.
fn lock(folder: &Path) -> Result<File, DataError> {
    let path = folder.join(LOCK_FILE);
    let file = File::create(&path).map_err(|e| DataError::io("write", &path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DataError::unusable(
            folder,
            "another process is preparing this set",
            "wait for it, or choose another output folder",
        )),
        // A file system without locks: the user has to take care.
        Err(TryLockError::Error(_)) => Ok(file),
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
