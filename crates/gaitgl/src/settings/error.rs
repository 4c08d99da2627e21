//! Settings that cannot be used.

use std::path::PathBuf;

use gait_support::did_you_mean;
use gait_support::io_reason;

use super::one_line;

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A key that does not exist.
    #[error("unknown setting `{key}`{}", did_you_mean(.nearest.as_ref()))]
    UnknownKey {
        /// The key, dotted.
        key: String,
        /// The most similar key that exists.
        nearest: Option<String>,
    },
    /// A preset that does not exist.
    #[error("unknown preset `{name}`{}; known: {}", did_you_mean(.nearest.as_ref()), .known.join(", "))]
    UnknownPreset {
        /// The name.
        name: String,
        /// The most similar name that exists.
        nearest: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// A recipe that does not exist.
    #[error(
        "unknown recipe `{name}`{}; known: {}, or a file ending in .toml",
        did_you_mean(.nearest.as_ref()), .known.join(", ")
    )]
    UnknownRecipe {
        /// The name.
        name: String,
        /// The most similar name that exists.
        nearest: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// A value that cannot be used.
    #[error("{key} = {value} cannot be used: {mend}")]
    Invalid {
        /// The key, dotted.
        key: String,
        /// The value.
        value: String,
        /// What to write instead.
        mend: String,
    },
    /// A file or an argument that is not TOML, or holds a value of the wrong type.
    #[error("{place}: {problem}")]
    Syntax {
        /// The file or the argument.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// A file that cannot be read.
    #[error("cannot read the configuration {}: {}", .path.display(), io_reason(.source))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A value that cannot be used, with its mend.
#[expect(clippy::needless_pass_by_value, reason = "numbers and names alike, as they are at hand")]
pub(crate) fn invalid(key: &str, value: impl ToString, mend: &str) -> SettingsError {
    SettingsError::Invalid { key: key.into(), value: value.to_string(), mend: mend.into() }
}

/// What is not TOML, or holds a value of the wrong type.
pub(super) fn syntax(place: &str, problem: &str) -> SettingsError {
    SettingsError::Syntax { place: place.into(), problem: one_line(problem) }
}
