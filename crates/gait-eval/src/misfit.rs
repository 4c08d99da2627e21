//! What a protocol needs and the data does not have.

use std::collections::BTreeSet;
use std::fmt;

use crate::Name;
use crate::pattern::Selector;
use crate::submission_form::IdColumn;

/// Names that a message lists; the others are only counted.
const NAMED: usize = 8;

/// What a protocol needs and the data does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    /// The protocol has no groups of probes: their identities are known to the organisers only.
    #[error("the identities of its probes are not public, so there is nothing to score")]
    NoPublicProbes,
    /// The data has no sequence.
    #[error("there is no sequence to test")]
    NoSequences,
    /// The protocol needs [`Protocol::with_listed`](crate::Protocol::with_listed).
    #[error("its probes are those in the PROBE_SET of the data set's partition, which is missing")]
    NoList,
    /// No sequence is in the gallery, or none is a probe.
    #[error("it looks for {part} with {wanted}, but the {sequences} sequences have {found}")]
    NotFound {
        /// What was looked for.
        part: Part,
        /// The rule for it.
        wanted: Box<Selector>,
        /// Number of sequences in the data.
        sequences: usize,
        /// The names that the data has instead.
        found: FoundNames,
    },
    /// The protocol has no submission.
    #[error("it has no [submission] table")]
    NoSubmission,
    /// There are fewer gallery sequences than a submission must name.
    #[error(
        "a submission names the nearest {ranks} gallery sequences ({wanted}), and the data has \
         {found}"
    )]
    SmallGallery {
        /// Gallery sequences that are named for each probe.
        ranks: usize,
        /// The rule for the gallery.
        wanted: Box<Selector>,
        /// Gallery sequences in the data.
        found: usize,
    },
    /// Several probes would have the same name in a submission.
    #[error(
        "several probes are named `{name}`; a submission needs a different {} for each",
        joined(columns)
    )]
    RepeatedProbe {
        /// The name.
        name: String,
        /// What may name a probe.
        columns: Vec<IdColumn>,
    },
    /// A submission names subjects by number, and this one is not a number.
    #[error("a submission names subjects by number, but gallery subject `{0}` is not a number")]
    SubjectNotANumber(String),
}

/// A part of the data that a protocol selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The sequences that probes are compared with.
    Gallery,
    /// The sequences that are to be recognised.
    Probes,
}

/// Names in the data, distinct and in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundNames {
    /// Conditions.
    Conditions(Vec<String>),
    /// Subjects.
    Subjects(Vec<String>),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gallery => "a gallery",
            Self::Probes => "probes",
        })
    }
}

impl fmt::Display for FoundNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, names) = match self {
            Self::Conditions(names) => ("conditions", names),
            Self::Subjects(names) => ("subjects", names),
        };
        let shown = &names[..names.len().min(NAMED)];
        write!(f, "{kind} {}", shown.join(", "))?;
        if shown.len() < names.len() {
            write!(f, " and {} more", names.len() - shown.len())?;
        }
        Ok(())
    }
}

fn joined(columns: &[IdColumn]) -> String {
    let names: Vec<String> = columns.iter().map(ToString::to_string).collect();
    names.join(" or ")
}

impl Misfit {
    /// Nothing of `names` is selected by `wanted`.
    pub(crate) fn not_found(names: &[Name], part: Part, wanted: &Selector) -> Self {
        let distinct = |part: for<'a> fn(&Name<'a>) -> &'a str| {
            let names: BTreeSet<&str> = names.iter().map(part).collect();
            names.into_iter().map(str::to_owned).collect()
        };
        let found = if wanted.has_conditions() {
            FoundNames::Conditions(distinct(|name| name.condition))
        } else {
            FoundNames::Subjects(distinct(|name| name.subject))
        };
        Self::NotFound { part, wanted: Box::new(wanted.clone()), sequences: names.len(), found }
    }
}
