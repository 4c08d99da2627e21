//! Numbered checkpoints: files `iteration-NUMBER.safetensors`, ordered by number.

use std::fs;
use std::path::{Path, PathBuf};

use gait_support::FileError;

use super::{RunError, if_present};

/// A checkpoint and the iteration in its file name.
pub(super) struct Numbered {
    pub iteration: u64,
    pub path: PathBuf,
}

/// The file of a checkpoint as a training names it.
pub(super) fn path_of(folder: &Path, iteration: u64) -> PathBuf {
    folder.join(format!("iteration-{iteration:08}.safetensors"))
}

/// The numbered checkpoints of a folder, oldest first. Files of the user may have other paddings; of
/// two files with the same number, the one with the name that a training writes counts as newer.
///
/// # Errors
/// A folder that cannot be read; a missing one has none.
pub(super) fn list(folder: &Path) -> Result<Vec<Numbered>, RunError> {
    let Some(entries) = if_present(fs::read_dir(folder), folder)? else {
        return Ok(Vec::new());
    };
    let mut numbered = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| FileError::io("read", folder, e))?.path();
        if let Some(iteration) = iteration_in_name(&path).filter(|_| !path.is_dir()) {
            numbered.push(Numbered { iteration, path });
        }
    }
    numbered.sort_by_cached_key(|Numbered { iteration, path }| {
        (*iteration, *path == path_of(folder, *iteration), path.clone())
    });
    Ok(numbered)
}

/// Removes the checkpoints of all but the `keep` highest iterations, and never `saved`.
///
/// # Errors
/// A folder that cannot be changed.
pub(super) fn prune(folder: &Path, keep: usize, saved: &Path) -> Result<(), RunError> {
    let numbered = list(folder)?;
    let mut iterations: Vec<u64> = numbered.iter().map(|n| n.iteration).collect();
    iterations.dedup();
    let first_kept = iterations.iter().rev().take(keep).next_back().copied().unwrap_or(0);
    let old = numbered.iter().filter(|n| n.iteration < first_kept && n.path != saved);
    for Numbered { path, .. } in old {
        fs::remove_file(path).map_err(|e| FileError::io("remove", path, e))?;
    }
    Ok(())
}

/// The number in the name of a numbered checkpoint; `None` for any other file.
fn iteration_in_name(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let digits = name.strip_prefix("iteration-")?.strip_suffix(".safetensors")?;
    // Parsing alone would accept a plus sign.
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a file under each of these numbers, as they are padded.
    fn with_files(numbers: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for number in numbers {
            fs::write(folder.path().join(format!("iteration-{number}.safetensors")), "").unwrap();
        }
        folder
    }

    /// The numbers in the names of the files, oldest first.
    fn listed(folder: &Path) -> Vec<String> {
        let numbered = list(folder).unwrap();
        let names = numbered.iter().map(|n| n.path.file_stem().unwrap().to_str().unwrap());
        names.map(|name| name.trim_start_matches("iteration-").to_owned()).collect()
    }

    #[test]
    fn checkpoints_are_ordered_by_number_whatever_their_padding() {
        for numbers in [
            &["40000", "00040006"][..],
            &["4", "0000000000000000000000008", "00000012"],
            &["9", "10"],
            &["99999999", "100000000"],
            &["004", "4", "00000004", "5"],
            &["18446744073709551614", "18446744073709551615"],
        ] {
            assert_eq!(listed(with_files(numbers).path()), numbers);
        }
    }

    #[test]
    fn other_files_and_folders_are_no_checkpoints() {
        let overlong = "9".repeat(30);
        let folder = with_files(&["5", "abc", "", "00000009-copy", "+7", "-7", &overlong]);
        fs::create_dir(folder.path().join("iteration-8.safetensors")).unwrap();
        fs::write(folder.path().join("best.safetensors"), "").unwrap();
        assert_eq!(listed(folder.path()), ["5"]);
        prune(folder.path(), 1, Path::new("")).unwrap();
        assert!(folder.path().join(format!("iteration-{overlong}.safetensors")).exists());
    }

    #[test]
    fn the_highest_iterations_stay_and_what_was_just_written() {
        let folder = with_files(&["0000039000", "39999", "40000", "00040000", "00040006"]);
        let saved = path_of(folder.path(), 40_006);
        prune(folder.path(), 2, &saved).unwrap();
        assert_eq!(listed(folder.path()), ["40000", "00040000", "00040006"]);
        prune(folder.path(), 1, &saved).unwrap();
        assert_eq!(listed(folder.path()), ["00040006"]);
        fs::write(path_of(folder.path(), 3), "").unwrap();
        prune(folder.path(), 1, &path_of(folder.path(), 3)).unwrap();
        assert_eq!(listed(folder.path()), ["00000003", "00040006"]);
    }
}
