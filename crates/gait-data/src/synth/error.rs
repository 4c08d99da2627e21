//! Why walkers could not be made.

use std::path::PathBuf;

use gait_support::{FileError, Stopped, did_you_mean};

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
    /// There is no built-in world of this name.
    #[error("unknown world `{name}`{}; known: {}", did_you_mean(nearest.as_ref()), known.join(", "))]
    UnknownWorld {
        /// The name as given.
        name: String,
        /// The known name that is most like it.
        nearest: Option<String>,
        /// Every known name.
        known: Vec<String>,
    },
    /// The text of a world is not TOML, or has a key or a type that no world has.
    #[error("{place}{}: {message}", line.map_or(String::new(), |line| format!(", line {line}")))]
    WorldSyntax {
        /// The file.
        place: String,
        /// The line, counted from 1, where it is known.
        line: Option<usize>,
        /// What is wrong.
        message: String,
    },
    /// A value of a world that no walker can have.
    #[error("{key}: {} is out of range (expected {})", shown(value), shown(within))]
    Range {
        /// The dotted key.
        key: &'static str,
        /// The smallest and the largest value as given.
        value: [f32; 2],
        /// The smallest and the largest value that it can have.
        within: [f32; 2],
    },
    /// A world without a frame rate.
    #[error("walks.rates: no rate given (expected at least one)")]
    NoRates,
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

/// A range as its settings write it, or the one number that it holds.
fn shown([low, high]: &[f32; 2]) -> String {
    if low == high { low.to_string() } else { format!("{low} to {high}") }
}
