//! What can go wrong with data, said in one line: what, where, and how to mend it.

use std::io;
use std::path::{Path, PathBuf};

use gait_support::{FileError, Stopped};

use crate::sampler::SamplerError;

/// An error of this crate. Its `Display` is one line for the user.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or folder that could not be read, written or locked.
    #[error(transparent)]
    File(#[from] FileError),
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
    /// Batches cannot be drawn.
    #[error(transparent)]
    Sampler(#[from] SamplerError),
    /// The caller stopped the work; what is finished is kept.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A thread of this crate ended without a result.
    #[error("a data thread ended early; this is a bug, please report it with the command you ran")]
    Thread,
}

impl DataError {
    /// A [`FileError::Io`] for `path`. `action` is a verb: "read", "write".
    pub fn io(action: &'static str, path: impl AsRef<Path>, source: io::Error) -> Self {
        FileError::io(action, path, source).into()
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
