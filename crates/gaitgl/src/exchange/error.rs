//! What cannot be imported or exported.

use std::path::PathBuf;

use gait_support::io_reason;

use crate::checkpoint::CheckpointError;
use crate::net::ModelError;
use crate::settings::SettingsError;

/// A file that cannot be imported, or a checkpoint that cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The file cannot be read.
    #[error("cannot read {}: {}", .path.display(), io_reason(.source))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {}: {}", .path.display(), io_reason(.source))]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is damaged, or of another kind.
    #[error("cannot import {}: {problem}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The tensors are not those of the network.
    #[error("{} does not hold the network {preset}: {}", .path.display(), .problems.join("; "))]
    Tensors {
        /// The file.
        path: PathBuf,
        /// The network that was asked for, or that is most similar.
        preset: String,
        /// Every tensor that is missing, unused or of another shape.
        problems: Vec<String>,
    },
    /// The checkpoint has no such form.
    #[error("cannot export to {}: {problem}", .path.display())]
    Export {
        /// The file to write.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// The preset does not exist, or the network cannot be.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The tensors make no network.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The checkpoint cannot be written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}
