//! What can go wrong in an evaluation.

use gait_support::Stopped;

use crate::misfit::Misfit;
use crate::protocol_error::ProtocolError;
use crate::unknown::UnknownName;

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
    /// A probe is not of the shape of the gallery.
    #[error(
        "an embedding of {}x{} (channels x strips) cannot be compared with a gallery of {}x{}",
        given[0], given[1], gallery[0], gallery[1]
    )]
    Shape {
        /// Channels and strips of the embedding.
        given: [usize; 2],
        /// Channels and strips of the gallery.
        gallery: [usize; 2],
    },
    /// The caller asked to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}
