//! Files and folders that are whole or absent: written beside their place and renamed.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::FileError;

/// Writes a file beside its place and renames it, so that no reader meets half of it. Missing
/// folders are made, a link stays one, and what is no regular file (a pipe, a device) is written
/// to as it is.
///
/// # Errors
/// A folder that cannot be written to, a full disk; nothing is left behind then.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_atomic_with(path, |file| file.write_all(bytes))
}

/// [`write_atomic`] for what is written piece by piece.
///
/// # Errors
/// As [`write_atomic`], and what `write` fails with.
pub fn write_atomic_with<T, E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<T, E>,
) -> Result<T, E> {
    write_beside(path, Readers::All, write)
}

/// [`write_atomic_with`] for a file that only its owner may read.
///
/// # Errors
/// As [`write_atomic_with`].
pub fn write_private_with<T, E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<T, E>,
) -> Result<T, E> {
    write_beside(path, Readers::Owner, write)
}

/// Makes a file that only its owner may read, whole or not at all. A file that is there stays as it is.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`], or a folder that is missing or cannot be written to.
pub fn create_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut builder = tempfile::Builder::new();
    builder.rand_bytes(TEMPORARY_SUFFIX_LENGTH).prefix(TEMPORARY_PREFIX);
    let mut file = builder.tempfile_in(folder_of(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|e| e.error)?;
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Readers {
    /// Whoever may read the user's other files.
    All,
    Owner,
}

fn write_beside<T, E: From<io::Error>>(
    path: &Path,
    readers: Readers,
    write: impl FnOnce(&mut File) -> Result<T, E>,
) -> Result<T, E> {
    if fs::metadata(path).is_ok_and(|known| !known.is_file() && !known.is_dir()) {
        return write(&mut File::options().write(true).open(path)?);
    }
    let path = &linked(path)?;
    let folder = folder_of(path);
    fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    // Temporary files are private by default; results should be as readable as any other file.
    #[cfg(unix)]
    if readers == Readers::All {
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    }
    #[cfg(not(unix))]
    let _ = readers;
    builder.rand_bytes(TEMPORARY_SUFFIX_LENGTH);
    let mut file = builder.prefix(TEMPORARY_PREFIX).tempfile_in(folder)?;
    let written = write(file.as_file_mut())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    Ok(written)
}

/// The file that `path` means: itself, or what it links to, be it there or not.
fn linked(path: &Path) -> io::Result<PathBuf> {
    // As many as Linux follows.
    const MOST_LINKS: usize = 40;
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("its links lead in a circle; remove one of them"))
}

/// [`write_atomic`] of `value` as JSON.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), FileError> {
    let text = serde_json::to_vec_pretty(value).map_err(io::Error::from);
    text.and_then(|text| write_atomic(path, &[&text[..], b"\n"].concat()))
        .map_err(|e| FileError::io("write", path, e))
}

/// Checks that [`write_atomic`] could write to `path`, so that long work need not fail at its end.
/// Nothing stays behind; missing folders are not made.
///
/// # Errors
/// A folder of that name, or a place where no file can be made.
pub fn check_writable(path: &Path) -> Result<(), FileError> {
    let failed = |e| FileError::io("write", path, e);
    match fs::metadata(path) {
        Ok(known) if known.is_dir() => return Err(failed(io::ErrorKind::IsADirectory.into())),
        Ok(known) if !known.is_file() => return Ok(()),
        _ => {}
    }
    let file = std::path::absolute(linked(path).map_err(failed)?).map_err(failed)?;
    let folder = file.ancestors().skip(1).find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempfile_in(folder).map_err(failed)?;
    Ok(())
}

/// Renames what is finished into place.
pub fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(from, to).map_err(|e| FileError::io("write", to, e))
}

/// Takes the lock of a `folder` of unfinished work, the file `lock` in it; the system frees it when
/// the process ends.
pub fn lock(folder: &Path) -> Result<File, FileError> {
    let path = folder.join(LOCK_FILE);
    let lock = try_lock(&path).map_err(|e| FileError::io("write", &path, e))?;
    lock.ok_or_else(|| FileError::Busy { folder: folder.to_path_buf() })
}

/// Makes a file and locks it, until it is dropped or the process ends; `None` if another process has
/// it. On a file system without locks the user has to take care.
///
/// # Errors
/// A folder that is missing or cannot be written to.
pub fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = File::create(path)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(None),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(file)),
    }
}

/// Name of the file that keeps other processes out of a folder of results or of unfinished work.
pub const LOCK_FILE: &str = ".lock";

/// How the names of temporary files begin.
const TEMPORARY_PREFIX: &str = ".unfinished-";

/// How the names of temporary files began in earlier versions.
const FORMER_TEMPORARY_PREFIX: &str = ".gaitgl-";

/// Random characters that follow the prefix of a temporary file.
const TEMPORARY_SUFFIX_LENGTH: usize = 6;

/// Removes the temporary files of [`write_atomic`] that a killed process left in `folder`.
/// The caller must hold the folder's [`lock`], so that no file of a running process is removed.
/// Subfolders are not searched; a missing folder holds nothing.
///
/// # Errors
/// A folder that cannot be read or changed.
pub fn remove_stale_temporaries(folder: &Path) -> Result<(), FileError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|e| FileError::io("read", folder, e))?,
    };
    for entry in entries {
        let entry = entry.map_err(|e| FileError::io("read", folder, e))?;
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && entry.file_name().to_str().is_some_and(is_temporary_name) {
            fs::remove_file(entry.path()).map_err(|e| FileError::io("remove", entry.path(), e))?;
        }
    }
    Ok(())
}

fn is_temporary_name(name: &str) -> bool {
    [TEMPORARY_PREFIX, FORMER_TEMPORARY_PREFIX].into_iter().any(|prefix| {
        name.strip_prefix(prefix).is_some_and(|random| {
            random.len() == TEMPORARY_SUFFIX_LENGTH
                && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    })
}

/// A folder of results that is written beside its place and renamed when it is whole. Dropped
/// before that, it takes what was written with it; what a killed process leaves, the next one that
/// writes to the same place removes.
#[derive(Debug)]
pub struct StagedFolder {
    place: PathBuf,
    beside: PathBuf,
    lock: Option<File>,
}

impl StagedFolder {
    /// A folder that will be `place`, where nothing or an empty folder may be.
    ///
    /// # Errors
    /// If it cannot be made, or another process is writing to the same place.
    pub fn create(place: &Path) -> Result<Self, FileError> {
        let failed = |e| FileError::io("write", place, e);
        let place = std::path::absolute(place).map_err(failed)?;
        let (Some(parent), Some(name)) = (place.parent(), place.file_name()) else {
            return Err(FileError::NotAFolderName { path: place });
        };
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(".unfinished");
        let beside = parent.join(hidden);
        fs::create_dir_all(&beside).map_err(failed)?;
        let folder = StagedFolder { lock: Some(lock(&beside)?), beside, place };
        if folder.tree().exists() {
            fs::remove_dir_all(folder.tree())
                .map_err(|e| FileError::io("remove", folder.tree(), e))?;
        }
        fs::create_dir(folder.tree()).map_err(failed)?;
        Ok(folder)
    }

    /// Where to write what the folder shall hold.
    pub fn tree(&self) -> PathBuf {
        self.beside.join("tree")
    }

    /// Puts the folder into its place.
    pub fn finish(self) -> Result<(), FileError> {
        if self.place.exists() {
            fs::remove_dir(&self.place).map_err(|e| FileError::io("replace", &self.place, e))?;
        }
        rename(&self.tree(), &self.place)
    }
}

impl Drop for StagedFolder {
    fn drop(&mut self) {
        // Some systems refuse to remove an open file.
        self.lock = None;
        let _ = fs::remove_dir_all(&self.beside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_stays_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/a.txt");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let full = |_: &mut File| Err::<(), _>(io::Error::from(io::ErrorKind::StorageFull));
        assert!(write_atomic_with(&path, full).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(path.parent().unwrap()), ["a.txt"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_private_file_is_for_its_owner_also_where_another_was() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let others = || fs::metadata(&path).unwrap().permissions().mode() & 0o077;
        write_atomic(&path, b"for all").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        let write = |file: &mut File| file.write_all(b"mine");
        write_private_with(&path, write).unwrap();
        assert_eq!((fs::read(&path).unwrap(), others()), (b"mine".to_vec(), 0));
        let there = create_private(&path, b"other").unwrap_err();
        assert_eq!(there.kind(), io::ErrorKind::AlreadyExists);
        fs::remove_file(&path).unwrap();
        create_private(&path, b"new").unwrap();
        assert_eq!((fs::read(&path).unwrap(), others()), (b"new".to_vec(), 0));
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_its_file_is_written() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir(at("there")).unwrap();
        symlink("there/file", at("near")).unwrap();
        symlink(at("near"), at("far")).unwrap();
        // At first the file that they link to is missing.
        for text in ["one", "two"] {
            write_atomic(&at("far"), text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(at("there/file")).unwrap(), text);
        }
        assert!(at("near").is_symlink() && at("far").is_symlink());
        assert!(!at("there/file").is_symlink());
        symlink("circle", at("circle")).unwrap();
        let error = write_atomic(&at("circle"), b"x").unwrap_err().to_string();
        assert!(error.contains("in a circle"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_written_to_and_stays_a_pipe() {
        use std::os::unix::fs::FileTypeExt;
        let root = tempfile::tempdir().unwrap();
        let pipe = root.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // Open for both ends, so that neither waits for the other.
        let mut reader = File::options().read(true).write(true).open(&pipe).unwrap();
        write_atomic(&pipe, b"text").unwrap();
        assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
        let mut text = [0; 4];
        io::Read::read_exact(&mut reader, &mut text).unwrap();
        assert_eq!(&text, b"text");
        assert_eq!(names(root.path()), ["pipe"]);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_found_before_the_work() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::write(at("file"), "kept").unwrap();
        check_writable(&at("file")).unwrap();
        check_writable(&at("new/folder/file")).unwrap();
        for wrong in ["", "file/inside", "file/deeper/inside"] {
            let error = check_writable(&at(wrong)).unwrap_err();
            assert!(error.to_string().starts_with("cannot write"), "{wrong}: {error}");
        }
        assert_eq!(fs::read_to_string(at("file")).unwrap(), "kept");
        assert_eq!(names(root.path()), ["file"]);
    }

    #[test]
    fn only_what_a_killed_process_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let mut left = Vec::new();
        let seen = |_: &mut File| -> io::Result<()> {
            left = names(folder.path());
            Ok(())
        };
        write_atomic_with(&path, seen).unwrap();
        let kept = ["a.txt", ".unfinished-notes", ".gaitgl-settings.toml", ".lock"];
        left.push(".gaitgl-Ab3xYz".to_owned());
        for name in kept.into_iter().chain(left.iter().map(String::as_str)) {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join(".unfinished-folder")).unwrap();
        remove_stale_temporaries(folder.path()).unwrap();
        let mut names = names(folder.path());
        names.sort();
        let mut expected = kept.to_vec();
        expected.push(".unfinished-folder");
        expected.sort_unstable();
        assert_eq!(names, expected);
        remove_stale_temporaries(&folder.path().join("nowhere")).unwrap();
    }

    #[test]
    fn a_folder_in_the_way_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write_atomic(folder.path(), b"x").is_err());
    }

    #[test]
    fn a_folder_appears_whole_and_replaces_what_a_killed_process_left() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("new/out");
        let killed = StagedFolder::create(&place).unwrap();
        fs::write(killed.tree().join("old"), "").unwrap();
        let error = StagedFolder::create(&place).unwrap_err().to_string();
        assert!(error.contains("by another process"), "{error}");
        drop(killed.lock.as_ref().map(File::unlock));
        std::mem::forget(killed);

        let folder = StagedFolder::create(&place).unwrap();
        fs::write(folder.tree().join("new"), "").unwrap();
        fs::create_dir(&place).unwrap();
        folder.finish().unwrap();
        assert_eq!(names(&place), ["new"]);
        assert_eq!(names(place.parent().unwrap()), ["out"]);
    }

    #[test]
    fn a_folder_that_is_not_finished_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("out");
        drop(StagedFolder::create(&place).unwrap());
        assert!(names(root.path()).is_empty());
        let folder = StagedFolder::create(&place).unwrap();
        fs::create_dir(&place).unwrap();
        fs::write(place.join("mine"), "").unwrap();
        assert!(folder.finish().is_err());
        assert_eq!(names(root.path()), ["out"]);
    }
}
