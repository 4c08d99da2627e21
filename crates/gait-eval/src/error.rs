//! What can go wrong in an evaluation.

use std::fmt;

use gait_support::{Stopped, did_you_mean, nearest};

use crate::{Misfit, ProtocolError};

/// A failure of an evaluation.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// No built-in protocol has this name.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// The text of a protocol cannot be used.
    #[error("protocol {origin}")]
    Protocol {
        /// The file that the text comes from, or its name.
        origin: String,
        /// What is wrong with it.
        #[source]
        reason: ProtocolError,
    },
    /// The data lacks something that the protocol needs.
    #[error("protocol {protocol} does not fit the data")]
    Misfit {
        /// The protocol's name.
        protocol: String,
        /// What is missing.
        #[source]
        reason: Misfit,
    },
    /// A distance between two sequences is too large or too small, in relation to the largest value
    /// of the embeddings, for single precision.
    #[error(
        "a distance of {distance:e} cannot be held in single precision beside {largest:e}, the \
         largest value of the embeddings (in {sequence})"
    )]
    Range {
        /// The distance.
        distance: f64,
        /// The largest magnitude among the embeddings.
        largest: f32,
        /// The sequence that has it, as `subject/condition/view`.
        sequence: String,
    },
    /// The caller asked to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

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
