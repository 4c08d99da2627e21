//! Consent to be enrolled.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::moment::{NotATime, first_second, last_second};

/// That somebody agreed to be enrolled: who, when, for what, and until when.
///
/// As text: `who, when, purpose, until`. The times are dates such as `2027-03-31`, in UTC, or times
/// such as `2027-03-31T12:00:00Z`; a consent until a date includes that day. The purpose may contain
/// commas.
///
/// ```
/// let consent: gait_gallery::Consent = "Anna B., 2026-11-02, door, lift, 2027-10-31".parse()?;
/// assert_eq!(consent.purpose, "door, lift");
/// assert_eq!(consent.until.to_string(), "2027-10-31T23:59:59Z");
/// # Ok::<(), gait_gallery::ConsentError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Who agreed, or where the agreement is kept.
    pub who: String,
    /// When.
    pub when: Timestamp,
    /// What the templates may be used for.
    pub purpose: String,
    /// The last moment at which they may be used.
    pub until: Timestamp,
}

/// A part of a consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentPart {
    /// Who agreed.
    Who,
    /// When.
    When,
    /// For what.
    Purpose,
    /// Until when.
    Until,
}

/// A consent that says too little.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsentError {
    /// It does not have four parts.
    #[error("a consent has the form `who, when, purpose, until`, not `{0}`")]
    Form(String),
    /// A part is empty.
    #[error("the consent does not say {0}")]
    Empty(ConsentPart),
    /// A time cannot be read.
    #[error("the consent says {part}: `{text}`, which is neither a date nor a time in UTC")]
    Time {
        /// The part.
        part: ConsentPart,
        /// Its text.
        text: String,
    },
    /// It ends before it begins.
    #[error("the consent ends at {until}, before it was given at {when}")]
    Order {
        /// When it was given.
        when: Timestamp,
        /// When it ends.
        until: Timestamp,
    },
}

impl fmt::Display for ConsentPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Who => "who agreed",
            Self::When => "when",
            Self::Purpose => "for what purpose",
            Self::Until => "until when",
        })
    }
}

impl Consent {
    /// Checks that it says something.
    ///
    /// # Errors
    /// An empty part, or an end before the beginning.
    pub fn check(&self) -> Result<(), ConsentError> {
        let texts = [(ConsentPart::Who, &self.who), (ConsentPart::Purpose, &self.purpose)];
        if let Some((part, _)) = texts.into_iter().find(|(_, text)| text.trim().is_empty()) {
            return Err(ConsentError::Empty(part));
        }
        if self.until < self.when {
            return Err(ConsentError::Order { when: self.when, until: self.until });
        }
        Ok(())
    }

    /// Whether it has ended at this time.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        now > self.until
    }
}

impl FromStr for Consent {
    type Err = ConsentError;

    fn from_str(text: &str) -> Result<Self, ConsentError> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let [who, when, purpose @ .., until] = parts.as_slice() else {
            return Err(ConsentError::Form(text.to_owned()));
        };
        if purpose.is_empty() {
            return Err(ConsentError::Form(text.to_owned()));
        }
        let failed = |part| move |NotATime(text)| ConsentError::Time { part, text };
        let consent = Self {
            who: (*who).to_owned(),
            when: first_second(when).map_err(failed(ConsentPart::When))?,
            purpose: purpose.join(", "),
            until: last_second(until).map_err(failed(ConsentPart::Until))?,
        };
        consent.check()?;
        Ok(consent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_includes_its_day() {
        let consent: Consent = "anna, 2026-01-05, research, 2026-12-31".parse().unwrap();
        assert_eq!(consent.when, "2026-01-05T00:00:00Z".parse().unwrap());
        assert!(!consent.has_ended("2026-12-31T23:59:59Z".parse().unwrap()));
        assert!(consent.has_ended("2027-01-01T00:00:00Z".parse().unwrap()));
        let exact: Consent =
            "a, 2026-01-05T10:00:00Z, p, 2026-01-05T12:00:00+01:00".parse().unwrap();
        assert_eq!(exact.until.to_string(), "2026-01-05T11:00:00Z");
    }

    #[test]
    fn what_is_missing_is_named() {
        let problem = |text: &str| text.parse::<Consent>().unwrap_err();
        for text in ["", "anna", "anna, 2026-01-05, 2026-12-31"] {
            assert_eq!(problem(text), ConsentError::Form(text.to_owned()));
        }
        assert_eq!(problem(", 2026-01-05, p, 2026-12-31"), ConsentError::Empty(ConsentPart::Who));
        assert_eq!(
            problem("a, 2026-01-05, , 2026-12-31"),
            ConsentError::Empty(ConsentPart::Purpose)
        );
        let text = "soon".to_owned();
        assert_eq!(
            problem("a, 2026-01-05, p, soon"),
            ConsentError::Time { part: ConsentPart::Until, text }
        );
        assert!(matches!(problem("a, 2026-01-05, p, 2026-01-04"), ConsentError::Order { .. }));
    }
}
