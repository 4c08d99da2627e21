//! Settings that cannot be used.

use std::error::Error;

use gait_support::{FileError, did_you_mean};

use super::requirement::Requirement;

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
        "unknown recipe `{name}`{}; known: {}, or a file with the extension .toml",
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
    /// A value that is not allowed.
    #[error("{key} = {value} cannot be used: {requirement}")]
    Invalid {
        /// The key, dotted.
        key: &'static str,
        /// The value.
        value: String,
        /// What the value must satisfy.
        requirement: Requirement,
    },
    /// An assignment or a table to an existing network names a preset.
    #[error("preset = {preset} cannot be used: the preset of a network does not change")]
    FixedPreset {
        /// The value, as TOML.
        preset: String,
    },
    /// A file or an assignment that is not TOML, or holds a value of the wrong type.
    #[error("cannot use {place}")]
    Syntax {
        /// The file or the assignment.
        place: String,
        /// What is wrong.
        source: SyntaxError,
    },
    /// Settings that no text can hold.
    #[error("the settings cannot be written as text")]
    Unwritable {
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A file that cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Text that holds no settings.
#[derive(Debug, thiserror::Error)]
pub enum SyntaxError {
    /// It is not TOML, or a value has the wrong type.
    #[error("{}", one_line(.0))]
    Toml(Box<toml::de::Error>),
    /// The preset is not a string.
    #[error("preset = {0} is not a name such as \"paper-small\"")]
    PresetIsNotAName(String),
    /// An assignment without `=`.
    #[error("expected key=value, for instance train.iterations=500")]
    NotAnAssignment,
    /// An assignment without a key.
    #[error("the key is empty")]
    EmptyKey,
    /// A file in UTF-16.
    #[error("it is UTF-16 text; expected UTF-8")]
    Utf16,
    /// A file that is not text.
    #[error("it is not UTF-8 text")]
    NotUtf8,
}

impl SettingsError {
    #[expect(clippy::needless_pass_by_value, reason = "the callers have numbers and owned text")]
    pub(crate) fn invalid(
        key: &'static str,
        value: impl ToString,
        requirement: Requirement,
    ) -> Self {
        Self::Invalid { key, value: value.to_string(), requirement }
    }

    pub(super) fn syntax(place: &str, source: SyntaxError) -> Self {
        Self::Syntax { place: place.into(), source }
    }

    pub(super) fn toml(place: &str, source: toml::de::Error) -> Self {
        Self::syntax(place, SyntaxError::Toml(Box::new(source)))
    }

    pub(crate) fn unwritable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unwritable { source: source.into() }
    }
}

/// The message of a TOML error without the excerpt that it draws below.
fn one_line(error: &toml::de::Error) -> String {
    let message = error.to_string();
    let lines = message.lines().map(str::trim);
    let text: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('|') && !line.contains(" | "))
        .collect();
    text.join(" ")
}
