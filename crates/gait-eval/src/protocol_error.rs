//! What can be wrong with the text of a protocol.

use thiserror::Error;

use crate::metric::Metric;
use crate::pattern::SelectorError;
use crate::rerank::RerankError;
use crate::submission_form::SubmissionFormError;

/// Why a text is not a [`Protocol`](crate::Protocol) that can be run.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The text is not TOML, or has an unknown key or a value of the wrong type.
    #[error("{}{message}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
    Syntax {
        /// The line, from 1, if the fault is in one.
        line: Option<usize>,
        /// The TOML parser's own words, in one line.
        message: String,
    },
    /// `metrics` is empty.
    #[error("metrics is empty; name at least one, such as \"rank-1\"")]
    NoMetrics,
    /// A metric is listed twice.
    #[error("metric {0} is listed twice")]
    RepeatedMetric(Metric),
    /// `decimals` is larger than the precision of a percentage.
    #[error("decimals is more than {most} (it is {decimals}); leave it out for no rounding")]
    Decimals {
        /// The given number.
        decimals: u8,
        /// The largest number allowed.
        most: u8,
    },
    /// `view_ends_at` is the empty text.
    #[error("view_ends_at is empty, so every view would have an empty name")]
    EmptyViewEnd,
    /// There is neither a group of probes nor a submission.
    #[error("there is no group of probes; add a [[probe]] table")]
    NoProbes,
    /// Two groups of probes have the same name.
    #[error("two groups of probes are named {0}")]
    RepeatedGroup(String),
    /// `view-pairs` together with `exclude-same-subject`.
    #[error(
        "average = \"view-pairs\" compares whole views, so no single subject can be excluded; use \
         identical_views = \"exclude\""
    )]
    PairsExcludeSubject,
    /// The gallery is not a selection.
    #[error("[gallery]")]
    Gallery(#[source] SelectorError),
    /// The re-ranking's parameters are out of range.
    #[error("[rerank]")]
    Rerank(#[source] RerankError),
    /// The submission lacks something.
    #[error("[submission]")]
    Submission(#[source] SubmissionFormError),
    /// The published figures have the form of an earlier version.
    #[error(
        "published figures now stand in [[published]] with a [[published.row]] for each system, \
         not in [published] and [[probe]]"
    )]
    OldFigures,
    /// The published figures cannot be used.
    #[error("[[published]]")]
    Published(#[source] PublishedError),
    /// A group of probes cannot be used.
    #[error("probe group {name}")]
    Group {
        /// The group's name.
        name: String,
        /// What is wrong with it.
        #[source]
        reason: GroupError,
    },
}

/// Why a group of probes of a [`Protocol`](crate::Protocol) cannot be used.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum GroupError {
    /// The name is empty, or the one that tables use for the mean.
    #[error("it needs another name: not empty and not `mean`")]
    Name,
    /// The probes are not a selection.
    #[error(transparent)]
    Probes(SelectorError),
    /// The group's own gallery is not a selection.
    #[error("its gallery")]
    Gallery(#[source] SelectorError),
}

/// Why the published figures of a [`Protocol`](crate::Protocol) cannot be used.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum PublishedError {
    /// There is no such group of probes.
    #[error("the row {row} has figures of a group {group}, which is no group of probes")]
    Group {
        /// The row's label.
        row: String,
        /// The unknown group.
        group: String,
    },
    /// There is a figure of a metric that is not measured.
    #[error("there is a figure of {0}, which is not in metrics")]
    Metric(String),
    /// A figure is not a percentage.
    #[error("there is a figure of {0}, which is not a percentage")]
    NotAPercentage(f64),
    /// There are figures by view, but the protocol averages over probes.
    #[error("there are figures by view, but average = \"probes\" has no views")]
    NoViews,
}
