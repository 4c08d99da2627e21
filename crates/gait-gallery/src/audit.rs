//! The audit: who did what, and when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Who acts, and when. The caller says both: a library knows neither users nor their clocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// The user and the machine, such as `anna@door-3`.
    pub who: String,
    /// The time of the action; consents are checked at this time. The audit keeps milliseconds.
    pub at: Timestamp,
}

impl By {
    /// Somebody, now.
    pub fn now(who: impl Into<String>) -> Self {
        Self { who: who.into(), at: Timestamp::now() }
    }
}

/// One line of the audit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditEntry {
    /// Its number; later entries have larger ones.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who, as the caller said.
    pub who: String,
    /// What, and with which result.
    #[serde(flatten)]
    pub event: Event,
}

/// What the audit keeps.
///
/// Subjects are named by their numbers alone. The audit is never changed, so names and embeddings
/// could not be erased from it when a person is removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The gallery was made.
    Created {
        /// Whether it is encrypted.
        encrypted: bool,
    },
    /// A consent for all subjects was set.
    PolicySet,
    /// Templates were added to a subject, which may be new.
    Enrolled {
        /// The subject.
        subject: i64,
        /// How many templates.
        templates: usize,
    },
    /// A subject's own consent was set.
    ConsentSet {
        /// The subject.
        subject: i64,
    },
    /// A subject got another name.
    Renamed {
        /// The subject.
        subject: i64,
    },
    /// The templates of one subject were given to another, and the first one was removed.
    Merged {
        /// Who has the templates now.
        subject: i64,
        /// Who is gone.
        from: i64,
    },
    /// A subject and its templates were erased.
    Removed {
        /// The subject.
        subject: i64,
        /// How many templates.
        templates: u64,
        /// Why.
        reason: Removal,
    },
    /// A rule for decisions was set.
    Calibrated {
        /// The largest distance of a person who is named.
        threshold: f32,
        /// The false accept rate that was asked for.
        false_accept_rate: f64,
        /// The number of pairs that it rests on.
        pairs: usize,
    },
    /// All templates were made anew by another network.
    Rebuilt {
        /// The fingerprint of the network.
        network: String,
        /// How many templates.
        templates: usize,
    },
    /// Somebody was searched for.
    Identified {
        /// Where the sequence comes from. The caller must not put personal data here.
        source: String,
        /// Who was named; `None` for unknown.
        subject: Option<i64>,
        /// The distance of the nearest subject, if there was one.
        distance: Option<f32>,
    },
    /// All subjects were written to a file.
    Exported {
        /// How many subjects.
        subjects: usize,
        /// How many templates.
        templates: usize,
    },
    /// Subjects were read from a file.
    Imported {
        /// How many subjects.
        subjects: usize,
        /// How many templates.
        templates: usize,
    },
}

/// Why a subject was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Removal {
    /// Somebody asked for it.
    Asked,
    /// The consent had ended.
    Expired,
    /// The key of the subject is gone, as in a backup from before a removal.
    KeyLost,
}

impl Event {
    /// The numbers of the subjects that it is about.
    pub fn subjects(&self) -> [Option<i64>; 2] {
        match self {
            Self::Enrolled { subject, .. }
            | Self::ConsentSet { subject }
            | Self::Renamed { subject }
            | Self::Removed { subject, .. } => [Some(*subject), None],
            Self::Merged { subject, from } => [Some(*subject), Some(*from)],
            Self::Identified { subject, .. } => [*subject, None],
            Self::Created { .. }
            | Self::PolicySet
            | Self::Calibrated { .. }
            | Self::Rebuilt { .. }
            | Self::Exported { .. }
            | Self::Imported { .. } => [None, None],
        }
    }
}

/// Which entries of the audit are wanted; by default all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Not before this time.
    pub from: Option<Timestamp>,
    /// Not after this time.
    pub to: Option<Timestamp>,
    /// Only entries about the subject with this number, which may be removed.
    pub subject: Option<i64>,
}

impl AuditQuery {
    pub(crate) fn matches(&self, entry: &AuditEntry) -> bool {
        self.from.is_none_or(|from| entry.at >= from)
            && self.to.is_none_or(|to| entry.at <= to)
            && self.subject.is_none_or(|id| entry.event.subjects().contains(&Some(id)))
    }
}
