//! Why walkers could not be made.

use std::path::PathBuf;

use gait_support::{FileError, Stopped};

/// Options that cannot be filmed, or a tree that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SynthError {
    /// A number of people, frames or recordings that is out of range.
    #[error("{option}: {count} is out of range (expected {fewest} to {most})")]
    Count {
        /// Field of [`SynthOptions`](super::SynthOptions), or the fields whose sum it is.
        option: &'static str,
        /// The number as given.
        count: usize,
        /// The smallest accepted number.
        fewest: usize,
        /// The largest accepted number.
        most: usize,
    },
    /// There is no view to film from.
    #[error("views: no angle given (expected at least one)")]
    NoViews,
    /// A view that is not an angle on the circle around the walker.
    #[error("views: {view} is out of range (expected 0 up to, but not including, 360 degrees)")]
    View {
        /// The angle as given.
        view: f64,
    },
    /// Two views whose folders would have the same name.
    #[error("views: {name} occurs twice")]
    DuplicateView {
        /// The view's folder name.
        name: String,
    },
    /// The tree would replace a file.
    #[error("{} is a file, not a folder", path.display())]
    NotAFolder {
        /// Where the tree should go.
        path: PathBuf,
    },
    /// The tree would mix with what is already there.
    #[error("{} is not empty", path.display())]
    NotEmpty {
        /// Where the tree should go.
        path: PathBuf,
    },
    /// A file or folder that could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The caller stopped the work; nothing is left behind.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}
