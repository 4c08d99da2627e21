//! What can go wrong in an evaluation, in the words of its user.

use thiserror::Error;

use gait_support::{Stopped, did_you_mean, nearest};

/// A failure of this crate: one line that names the thing and the mend.
#[derive(Debug, Error, PartialEq)]
pub enum EvalError {
    /// The embeddings contradict themselves (lengths, shape, a value that is not finite).
    #[error("embeddings: {0}")]
    Embeddings(String),
    /// A protocol file says something that cannot be understood or run.
    #[error("protocol {name}: {problem}")]
    Protocol {
        /// The protocol's name, or what it was read from.
        name: String,
        /// What is wrong, and how to mend it.
        problem: String,
    },
    /// No built-in protocol, distance or metric has this name.
    #[error(
        "unknown {kind} `{name}`{}; known: {}",
        did_you_mean(.nearest.as_ref()),
        .known.join(", ")
    )]
    Unknown {
        /// What was looked for: "protocol", "distance", "metric".
        kind: &'static str,
        /// The name that was given.
        name: String,
        /// The closest known name, if one is close.
        nearest: Option<String>,
        /// All known names.
        known: Vec<String>,
    },
    /// The protocol selects nothing from this data.
    #[error("protocol {protocol} does not fit the data: {problem}")]
    Misfit {
        /// The protocol's name.
        protocol: String,
        /// What it looked for and what the data has.
        problem: String,
    },
    /// The caller asked to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl EvalError {
    /// An [`EvalError::Unknown`] with the closest of `known`, where one is close enough to be meant.
    pub(crate) fn unknown(kind: &'static str, name: &str, known: Vec<String>) -> Self {
        Self::Unknown { kind, name: name.to_owned(), nearest: nearest(name, &known), known }
    }
}
