//! Names that are none of the known ones.

use std::fmt;

use gait_support::{did_you_mean, nearest};

/// A name that is none of the known ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown {kind} `{name}`{}; known: {}",
    did_you_mean(.nearest.as_ref()),
    .known.join(", ")
)]
pub struct UnknownName {
    /// What the name should name.
    pub kind: NameKind,
    /// The name as given.
    pub name: String,
    /// The closest known name, if one is close.
    pub nearest: Option<String>,
    /// All known names.
    pub known: Vec<String>,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameKind {
    /// A built-in [`Protocol`](crate::Protocol).
    Protocol,
    /// A [`Distance`](crate::Distance).
    Distance,
    /// A [`Metric`](crate::Metric).
    Metric,
}

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Protocol => "protocol",
            Self::Distance => "distance",
            Self::Metric => "metric",
        })
    }
}

impl UnknownName {
    pub(crate) fn new(kind: NameKind, name: &str, known: Vec<String>) -> Self {
        Self { kind, name: name.to_owned(), nearest: nearest(name, &known), known }
    }
}
