//! Evaluation of gait recognition: distances, test protocols, metrics and tables.
//!
//! Embeddings come as plain values from any program; this crate knows nothing of networks and reads
//! and writes no files.
//!
//! - [`Embeddings`]: values `[n, c, p]` of `n` sequences, and the subject, condition and view of each;
//! - [`Protocol`]: which sequences are the gallery and which are probes, what is compared and what
//!   is measured. The protocols of the public benchmarks are built in; others are TOML files;
//! - [`evaluate()`]: rank-k, mAP and mINP of a protocol as an [`Evaluation`], which prints as the
//!   table of a paper and converts to JSON;
//! - [`Outcomes`]: what each subject contributes to the figures; [`Outcomes::intervals`] of them, and
//!   [`compare()`] for two results of the same test;
//! - [`verify()`]: equal error rates and true accept rates of the same pairs;
//! - [`confusions()`]: the errors of a test one by one, the worst first;
//! - [`submission()`]: the CSV file of a competition;
//! - [`open_set()`]: how often people are taken for others, or for strangers, and the threshold for a
//!   false accept rate;
//! - [`nearest()`]: the nearest sequences of a gallery, much faster than all distances;
//! - [`distance_matrix`] and [`map_rows`]: the distances alone; [`PackedGallery`] for a gallery that
//!   is compared with many probes, one after the other.
//!
//! ```
//! use gait_eval::{Distance, Embeddings, Protocol, Watch, evaluate};
//!
//! // Two people with two sequences each; embeddings of one channel and one strip.
//! let names = [("anna", "1"), ("anna", "2"), ("ben", "1"), ("ben", "2")];
//! let names = names.map(|(who, how)| (who.to_owned(), how.to_owned(), "90".to_owned()));
//! let embeddings = Embeddings::new(1, 1, vec![0.1, 0.2, 5.0, 5.3], names)?;
//! let protocol = Protocol::builtin("leave-one-out")?;
//! let result = evaluate(&embeddings, &protocol, Distance::Strips, &Watch::silent())?;
//! assert_eq!(result.mean[0], Some(100.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bootstrap;
mod bounds;
mod columns;
mod comparison;
mod confusion;
mod copies;
mod distance;
mod embeddings;
mod error;
mod evaluate;
mod evaluation;
mod grid;
mod metric;
mod misfit;
mod nearest;
mod note;
mod open_set;
mod open_set_rule;
mod outcomes;
mod packed;
mod pairs;
mod pairwise;
mod pattern;
mod protocol;
mod protocol_error;
mod range;
mod reciprocal;
mod rerank;
mod rows;
mod selection;
mod submission;
mod submission_form;
mod table;
mod unknown;
mod verification;

pub use bootstrap::{Confidence, Interval, Intervals, RESAMPLES};
pub use comparison::{Comparison, ComparisonError, Difference, compare};
pub use confusion::{Confusion, Neighbour, confusions};
pub use distance::Distance;
pub use embeddings::{Embeddings, EmbeddingsError, Name};
pub use error::EvalError;
pub use evaluate::evaluate;
pub use evaluation::{Evaluation, GroupResult, PairResult, ViewResult};
pub use gait_support::{Stopped, Watch};
pub use metric::Metric;
pub use misfit::{FoundNames, Misfit, Part};
pub use nearest::nearest;
pub use note::Note;
pub use open_set::{OpenSet, OpenSetPoint, PairRates, SearchRates, open_set};
pub use open_set_rule::{OpenSetRule, RateError};
pub use outcomes::{GroupOutcomes, Outcomes, OutcomesError, Ratio};
pub use packed::PackedGallery;
pub use pattern::{Selector, SelectorError};
pub use protocol::{
    Average, IdenticalViews, Protocol, PublishedFigures, PublishedRow, PublishedTable,
    UnmatchedProbes,
};
pub use protocol_error::{GroupError, ProtocolError, PublishedError};
pub use rerank::{Rerank, RerankError};
pub use rows::{distance_matrix, map_rows};
pub use submission::{Submission, submission};
pub use submission_form::{IdColumn, SubmissionFormError};
pub use unknown::{NameKind, UnknownName};
pub use verification::{RocCsvError, RocCurve, RocPoint, Verification, VerificationGroup, verify};
