//! What can go wrong with data.

use std::io;
use std::path::{Path, PathBuf};

use gait_support::{FileError, Stopped};

use crate::partition::PartitionFault;
use crate::pattern::PatternFault;
use crate::prepare::OutputFault;
use crate::sampler::SamplerError;
use crate::set::SetFault;
use crate::tree::TreeFault;
use crate::{Layout, SequenceKey};

/// An error of this crate: what is wrong and where. Its `Display` is one line without its source.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or folder that could not be read, written or locked.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file that should be JSON.
    #[error("{} is not JSON of the expected form", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser met.
        source: serde_json::Error,
    },
    /// A text file in UTF-16, as some editors of Windows write it.
    #[error("{} is UTF-16; expected UTF-8", path.display())]
    Utf16 {
        /// The file.
        path: PathBuf,
    },
    /// A layout that does not exist.
    #[error(
        "unknown layout `{name}`{}; known: {}",
        gait_support::did_you_mean(.nearest.as_ref()),
        Layout::NAMES.join(", ")
    )]
    UnknownLayout {
        /// The name as given.
        name: String,
        /// The most similar name of a layout.
        nearest: Option<String>,
    },
    /// A pattern for a layout that has one of its own.
    #[error("the layout {layout} has its own pattern")]
    FixedPattern {
        /// The layout's name.
        layout: &'static str,
    },
    /// A path pattern that cannot be used.
    #[error("pattern `{pattern}`: {fault}")]
    Pattern {
        /// The pattern as given.
        pattern: String,
        /// What is wrong with it.
        fault: PatternFault,
    },
    /// Silhouettes of a height that cannot be prepared.
    #[error(
        "silhouettes of {height} rows cannot be prepared; expected an even number from 16 to 512"
    )]
    Height {
        /// The height as given.
        height: usize,
    },
    /// A raw tree that is not as its layout describes it.
    #[error("{}: {fault}", root.display())]
    Tree {
        /// The root of the tree.
        root: PathBuf,
        /// What is wrong with it.
        fault: Box<TreeFault>,
    },
    /// A partition file that cannot be used, or does not fit the tree.
    #[error("{}: {fault}", path.display())]
    Partition {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: PartitionFault,
    },
    /// A folder or file that cannot be written because something is there.
    #[error("{}: {fault}", path.display())]
    Output {
        /// The folder or file.
        path: PathBuf,
        /// What is in the way.
        fault: OutputFault,
    },
    /// A prepared set, or a file of it, that cannot be used.
    #[error("{}: {fault}", path.display())]
    Set {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it.
        fault: SetFault,
    },
    /// A name in a set that cannot be the name of a folder.
    #[error("`{}` in the sequence {key} cannot be the name of a folder", name.escape_debug())]
    NotAFolderName {
        /// The name.
        name: String,
        /// The sequence.
        key: Box<SequenceKey>,
    },
    /// A sequence that is too long for a pickled array.
    #[error("{}: the sequence {key} is too long for one array", path.display())]
    TooLong {
        /// The file to be written.
        path: PathBuf,
        /// The sequence.
        key: Box<SequenceKey>,
    },
    /// The caller stopped the work; what is finished is kept.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A thread of this crate ended without a result.
    #[error("a data thread ended early, which is a bug")]
    Thread,
    /// Batches cannot be drawn.
    #[error(transparent)]
    Sampler(#[from] SamplerError),
}

impl DataError {
    /// A [`FileError::Io`] for `path`. `action` is a verb: "read", "write".
    pub fn io(action: &'static str, path: impl AsRef<Path>, source: io::Error) -> Self {
        FileError::io(action, path, source).into()
    }

    pub(crate) fn tree(root: &Path, fault: TreeFault) -> Self {
        DataError::Tree { root: root.to_path_buf(), fault: Box::new(fault) }
    }

    pub(crate) fn partition(path: &Path, fault: PartitionFault) -> Self {
        DataError::Partition { path: path.to_path_buf(), fault }
    }

    pub(crate) fn output(path: &Path, fault: OutputFault) -> Self {
        DataError::Output { path: path.to_path_buf(), fault }
    }

    pub(crate) fn set(path: &Path, fault: SetFault) -> Self {
        DataError::Set { path: path.to_path_buf(), fault }
    }
}
