//! Failed file operations, and how an error and its causes become one line.

use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// A file or folder that could not be read, written or locked.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb: "read", "write".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Another process holds the lock of a folder.
    #[error("{} is in use by another process", folder.display())]
    Busy {
        /// The locked folder.
        folder: PathBuf,
    },
    /// A path such as `/` that cannot name a new folder.
    #[error("{} cannot be the name of a new folder", path.display())]
    NotAFolderName {
        /// The path as given.
        path: PathBuf,
    },
}

impl FileError {
    /// A [`FileError::Io`] for `path`. `action` is a verb: "read", "write".
    pub fn io(action: &'static str, path: impl AsRef<Path>, source: io::Error) -> Self {
        FileError::Io { action, path: path.as_ref().to_path_buf(), source }
    }
}

/// The system's reason in plain words, without the number that Rust adds.
pub fn io_reason(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::NotFound => "it does not exist".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "the disk is full".into(),
        _ => without_number(&source.to_string()).to_owned(),
    }
}

fn without_number(text: &str) -> &str {
    text.find(" (os error ").map_or(text, |at| &text[..at])
}

/// `text` with its control characters escaped, so that a file name cannot send commands to a
/// terminal or break a line.
pub fn escape_controls(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::new();
    for c in text.chars() {
        if c.is_control() {
            escaped.extend(c.escape_debug());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// An error and its causes in one line, separated by colons. Control characters are escaped.
pub fn full_message(error: &(dyn Error + 'static)) -> String {
    let mut line = own_message(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        line = format!("{line}: {}", own_message(error));
        cause = error.source();
    }
    // Parsers that quote a file write several lines, which the caller joins.
    let lines: Vec<Cow<str>> = line.lines().map(escape_controls).collect();
    lines.join("\n")
}

fn own_message(error: &(dyn Error + 'static)) -> String {
    error.downcast_ref::<io::Error>().map_or_else(|| error.to_string(), io_reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_one_line_that_names_the_file() {
        let error = FileError::io("write", "out/clips.arrow", io::ErrorKind::StorageFull.into());
        assert_eq!(full_message(&error), "cannot write out/clips.arrow: the disk is full");
    }

    #[test]
    fn control_characters_of_a_name_do_not_reach_the_terminal() {
        let error = FileError::io("read", "a\x1b[2J.png", io::ErrorKind::NotFound.into());
        assert_eq!(full_message(&error), r"cannot read a\u{1b}[2J.png: it does not exist");
        assert_eq!(escape_controls("tab\there, 張三"), r"tab\there, 張三");
    }

    #[test]
    fn the_number_of_a_system_error_is_left_out() {
        let error = io::Error::from_raw_os_error(20);
        assert!(error.to_string().contains("os error"));
        assert!(!io_reason(&error).contains("os error"), "{}", io_reason(&error));
    }
}
