//! Folders that one process writes at a time.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// Takes the lock of a folder, which is freed with the file or with the process; `None` if another
/// process has it.
///
/// # Errors
/// A folder that is missing or cannot be written to.
pub fn lock_folder(folder: &Path) -> io::Result<Option<File>> {
    let file = File::create(folder.join(".lock"))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(None),
        // On a file system without locks the user has to take care.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(file)),
    }
}
