//! What a reader of the figures must know about the data behind them.

use std::fmt;

use crate::protocol::UnmatchedProbes;

/// A remark on a result: what the data lacks, or what else limits its meaning. Its `Display` is one
/// line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// The protocol leaves these views out of the test.
    SkippedViews {
        /// Sequences that are left out.
        sequences: usize,
        /// The views.
        views: Vec<String>,
    },
    /// Probes of the data set's list are not in the data.
    MissingProbes {
        /// Listed probes that are missing.
        missing: usize,
        /// Listed probes in all.
        listed: usize,
    },
    /// There is one view only, so identical views were compared although the protocol excludes them.
    OneView {
        /// The view.
        view: String,
        /// The protocol.
        protocol: String,
    },
    /// A group has no probes and is left out of the mean.
    NoProbes {
        /// The group.
        group: String,
    },
    /// A group has no gallery and is left out of the mean.
    NoGallery {
        /// The group.
        group: String,
    },
    /// Probes with nothing to be compared with were left out.
    ProbesWithoutGallery {
        /// The group.
        group: String,
        /// Probes that were left out.
        left_out: usize,
        /// Probes in all.
        probes: usize,
    },
    /// Pairs of views without probes or without gallery were left out of the means.
    MissingPairs {
        /// The group.
        group: String,
        /// Pairs that are missing.
        missing: usize,
        /// Pairs that the views of the data make.
        pairs: usize,
    },
    /// Comparisons whose gallery has no sequence of the probe's subject.
    Unmatched {
        /// The group.
        group: String,
        /// Comparisons without such a sequence.
        unmatched: usize,
        /// Comparisons in all.
        compared: usize,
        /// Whether a comparison is that of a probe with one view of the gallery, not with all of it.
        by_view: bool,
        /// How they are counted.
        counted: UnmatchedProbes,
    },
    /// Probes that are compared with an exact copy of their own embedding. If the copies are of one
    /// recording, as when a file holds everything twice, the figures are too high.
    Duplicates {
        /// The group.
        group: String,
        /// Probes with a copy in their gallery.
        duplicates: usize,
        /// Probes in all.
        probes: usize,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SkippedViews { sequences, views } => {
                let views = views.join(", ");
                write!(f, "{sequences} sequences of view {views} are not part of the test")
            }
            Self::MissingProbes { missing, listed } => {
                write!(f, "{missing} of {listed} listed probes are not in the data")
            }
            Self::OneView { view, protocol } => write!(
                f,
                "all sequences are of one view ({view}): identical views are compared, although \
                 {protocol} excludes them"
            ),
            Self::NoProbes { group } => {
                write!(f, "{group} has no probes in this data and is left out of the mean")
            }
            Self::NoGallery { group } => {
                write!(f, "{group} has no gallery in this data and is left out of the mean")
            }
            Self::ProbesWithoutGallery { group, left_out, probes } => {
                write!(f, "{group}: {left_out} of {probes} probes have no gallery and are left out")
            }
            Self::MissingPairs { group, missing, pairs } => write!(
                f,
                "{group}: {missing} of {pairs} pairs of views have no probe or no gallery and are \
                 left out of the means"
            ),
            Self::Unmatched { group, unmatched, compared, by_view, counted } => {
                let what = if *by_view { "comparisons of a probe with a view" } else { "probes" };
                let fate = match counted {
                    UnmatchedProbes::Wrong => "count as wrong",
                    UnmatchedProbes::Skip => "are left out",
                };
                write!(
                    f,
                    "{group}: {unmatched} of {compared} {what} have no gallery sequence of their \
                     subject and {fate}"
                )
            }
            Self::Duplicates { group, duplicates, probes } => write!(
                f,
                "{group}: {duplicates} of {probes} probes have an exact copy in their gallery; if it \
                 is the same recording, the figures are too high"
            ),
        }
    }
}
