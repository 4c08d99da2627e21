//! What can go wrong with data, said in one line: what, where, and how to mend it.

use std::io;
use std::path::{Path, PathBuf};

/// An error of this crate. Its `Display` is one line for the user.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file system refused.
    #[error("{}: cannot {action}: {}", path.display(), io_reason(source))]
    Io {
        /// What was tried, as a verb: "read", "write".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A tree that is not as its layout says, a partition that does not fit, a prepared set that is
    /// damaged, a place that is taken.
    #[error("{}: {what}; {mend}", path.display())]
    Unusable {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
        /// What the user can do.
        mend: String,
    },
    /// A path pattern that says nothing usable.
    #[error("pattern `{pattern}`: {what}; write one like {{subject}}/{{condition}}/{{view}}")]
    Pattern {
        /// The pattern as given.
        pattern: String,
        /// What is wrong with it.
        what: String,
    },
    /// A setting that the data cannot serve.
    #[error("{setting}: {what}; {mend}")]
    Setting {
        /// Dotted name of the setting, as `--set` takes it.
        setting: &'static str,
        /// What is wrong with it.
        what: String,
        /// What the user can do.
        mend: String,
    },
    /// The user stopped the work; what is finished is kept.
    #[error(
        "stopped as you asked; run the same command again (`prepare` goes on from where it stopped)"
    )]
    Stopped,
    /// A thread of this crate ended without a result.
    #[error("a data thread ended early; this is a bug, please report it with the command you ran")]
    Thread,
}

impl DataError {
    /// An [`DataError::Io`] for `path`.
    pub fn io(action: &'static str, path: impl AsRef<Path>, source: io::Error) -> Self {
        DataError::Io { action, path: path.as_ref().to_path_buf(), source }
    }

    /// A [`DataError::Unusable`] for `path`.
    pub(crate) fn unusable(
        path: impl AsRef<Path>,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        let path = path.as_ref().to_path_buf();
        DataError::Unusable { path, what: what.into(), mend: mend.into() }
    }
}

/// The system's reason, with the mend where there is one to name.
pub fn io_reason(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::NotFound => "it does not exist; check the path".into(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; change its permissions or choose another place".into()
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full; free some space and go on".into()
        }
        _ => source.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_disk_names_the_file_and_the_mend() {
        let error = DataError::io("write", "out/clips.arrow", io::ErrorKind::StorageFull.into());
        assert_eq!(
            error.to_string(),
            "out/clips.arrow: cannot write: the disk is full; free some space and go on"
        );
    }
}
