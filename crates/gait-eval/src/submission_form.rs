//! What the file for a competition consists of: the `[submission]` table of a protocol.

use std::fmt;

use serde::Deserialize;

use crate::Name;
use crate::pattern::{RawSelector, Selector, SelectorError};

/// What a submission consists of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SubmissionForm {
    pub gallery: Selector,
    pub probes: Selector,
    pub id: Vec<IdColumn>,
    id_column: String,
    rank_column: String,
    pub ranks: usize,
    pub numbers: bool,
}

/// The `[submission]` table of a protocol.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSubmission {
    gallery: RawSelector,
    /// The probes, one row each.
    probes: RawSelector,
    /// What names a probe: the first of these that is different for all probes.
    id: Vec<IdColumn>,
    /// Heading of the probe's name.
    id_column: String,
    /// Heading of the subjects, nearest first; `*` stands for the rank.
    rank_column: String,
    /// How many of the nearest gallery sequences are given, as their subjects.
    ranks: usize,
    /// Whether subjects are written as numbers, `00017` as 17.
    numbers: bool,
}

/// Which name of a sequence identifies it in a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdColumn {
    /// Its view.
    View,
    /// Its condition.
    Condition,
}

/// Why the `[submission]` table of a protocol cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmissionFormError {
    /// Nothing names a probe.
    #[error("id is empty; name \"view\" or \"condition\"")]
    NoId,
    /// No gallery sequence would be given.
    #[error("ranks must be at least 1")]
    NoRanks,
    /// The gallery is not a selection.
    #[error("gallery")]
    Gallery(#[source] SelectorError),
    /// The probes are not a selection.
    #[error("probes")]
    Probes(#[source] SelectorError),
}

impl fmt::Display for IdColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::View => "view",
            Self::Condition => "condition",
        })
    }
}

impl IdColumn {
    /// This name of a sequence.
    pub(crate) fn name_in<'a>(self, name: &Name<'a>) -> &'a str {
        match self {
            Self::View => name.view,
            Self::Condition => name.condition,
        }
    }
}

impl RawSubmission {
    pub fn checked(self) -> Result<SubmissionForm, SubmissionFormError> {
        if self.id.is_empty() {
            return Err(SubmissionFormError::NoId);
        }
        if self.ranks == 0 {
            return Err(SubmissionFormError::NoRanks);
        }
        Ok(SubmissionForm {
            gallery: self.gallery.checked().map_err(SubmissionFormError::Gallery)?,
            probes: self.probes.checked().map_err(SubmissionFormError::Probes)?,
            id: self.id,
            id_column: self.id_column,
            rank_column: self.rank_column,
            ranks: self.ranks,
            numbers: self.numbers,
        })
    }
}

impl SubmissionForm {
    /// Its gallery and its probes.
    pub fn selectors(&self) -> [&Selector; 2] {
        [&self.gallery, &self.probes]
    }

    /// The headings of the file.
    pub fn header(&self) -> Vec<String> {
        let ranks = (1..=self.ranks).map(|rank| self.rank_column.replace('*', &rank.to_string()));
        std::iter::once(self.id_column.clone()).chain(ranks).collect()
    }
}
