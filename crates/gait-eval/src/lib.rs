//! Distances, protocols, metrics and tables of gait recognition. No Burn: embeddings come as plain
//! values, from whatever program made them.
//!
//! [`evaluate`] runs a [`Protocol`] (a data file) on [`Embeddings`] and gives an [`Evaluation`],
//! which prints as a table and writes itself as JSON.

mod distance;
mod embeddings;
mod error;
mod evaluate;
mod evaluation;
mod metric;
mod pairs;
mod pairwise;
mod pattern;
mod protocol;
mod rerank;
mod selection;
mod submission;
mod table;
mod verification;
mod watch;

pub use distance::{Distance, distance_matrix, map_rows};
pub use embeddings::Embeddings;
pub use error::EvalError;
pub use evaluate::evaluate;
pub use evaluation::{Evaluation, GroupResult, PairResult, ViewResult};
pub use metric::{Metric, Outcome};
pub use pattern::{Pattern, Selector};
pub use protocol::{Average, IdenticalViews, ProbeGroup, Protocol, Published, Unmatched};
pub use rerank::Rerank;
pub use submission::{IdColumn, Submission, SubmissionForm, submission};
pub use verification::{RocPoint, Verification, VerificationGroup, verify};
pub use watch::Watch;
