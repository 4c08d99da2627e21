//! What can go wrong with a run folder.

use std::path::PathBuf;

use gait_support::FileError;

use crate::checkpoint::CheckpointError;
use crate::settings::SettingsError;

/// A run folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A new run was to start where there is one already.
    #[error("{} holds a run already", .0.display())]
    Exists(PathBuf),
    /// There is no run.
    #[error("{} holds no run", .0.display())]
    NoRun(PathBuf),
    /// There is a run, but it has no checkpoint yet.
    #[error("{} holds no checkpoint", .0.display())]
    NoCheckpoint(PathBuf),
    /// Another process is training there.
    #[error("another process is training in {}", .0.display())]
    Busy(PathBuf),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The settings of the run cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The newest checkpoint is damaged, but there is an older one.
    #[error("the newest checkpoint of the run is damaged")]
    Damaged {
        /// The file and what is wrong with it.
        source: CheckpointError,
        /// The checkpoint before it.
        before: PathBuf,
    },
    /// The newest checkpoint, by the number in its name, was not written at that iteration.
    #[error("{} was written at iteration {iteration}, not at the one in its name", .path.display())]
    Misnumbered {
        /// The file.
        path: PathBuf,
        /// The iteration that the checkpoint itself records.
        iteration: u64,
    },
    /// A line of the metrics is not what a training writes.
    #[error("line {line} of {} is damaged", .path.display())]
    Metrics {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A checkpoint cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}
