//! Open-set decisions: a name, or unknown.

use gait_eval::OpenSetRule;
use serde::Serialize;

use crate::{Candidate, Event};

/// What is decided about a track.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It is this subject.
    Known(Candidate),
    /// It is nobody in the gallery, or nobody can tell.
    Unknown(Doubt),
}

/// Why nobody is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// There is nobody in the gallery whose consent holds.
    NobodyKnown,
    /// The nearest subject is farther away than the threshold.
    TooFar,
    /// The second subject is about as near as the first one.
    TooClose,
}

impl Decision {
    /// Decides between the candidates of [`Index::rank`](crate::Index::rank) by
    /// [`OpenSetRule::accepts`].
    pub fn new(candidates: &[Candidate], rule: OpenSetRule) -> Self {
        let Some(best) = candidates.first() else { return Self::Unknown(Doubt::NobodyKnown) };
        let second = candidates.get(1).map(|candidate| candidate.distance);
        if rule.accepts(best.distance, second) {
            Self::Known(best.clone())
        } else if best.distance <= rule.threshold {
            Self::Unknown(Doubt::TooClose)
        } else {
            Self::Unknown(Doubt::TooFar)
        }
    }

    /// The subject who is named.
    pub fn known(&self) -> Option<&Candidate> {
        match self {
            Self::Known(candidate) => Some(candidate),
            Self::Unknown(_) => None,
        }
    }

    /// The entry of the audit for this decision about a source.
    pub fn event(&self, source: &str, candidates: &[Candidate]) -> Event {
        Event::Identified {
            source: source.to_owned(),
            subject: self.known().map(|candidate| candidate.id),
            distance: candidates.first().map(|candidate| candidate.distance),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(distances: &[f32], threshold: f32, margin: f32) -> Decision {
        let candidate = |(id, &distance): (i64, &f32)| Candidate {
            id,
            subject: id.to_string(),
            distance,
            template: 10 + id,
        };
        let candidates: Vec<Candidate> = (0..).zip(distances).map(candidate).collect();
        Decision::new(&candidates, OpenSetRule { threshold, margin })
    }

    #[test]
    fn the_nearest_is_named_if_near_and_clearly_nearest() {
        assert_eq!(decided(&[1.0, 2.0], 1.5, 0.2).known().unwrap().id, 0);
        assert_eq!(decided(&[1.0], 1.5, 0.2).known().unwrap().template, 10);
        assert_eq!(decided(&[], 1.5, 0.0), Decision::Unknown(Doubt::NobodyKnown));
        assert_eq!(decided(&[1.6, 9.0], 1.5, 0.0), Decision::Unknown(Doubt::TooFar));
        assert_eq!(decided(&[1.0, 1.1], 1.5, 0.2), Decision::Unknown(Doubt::TooClose));
        assert_eq!(decided(&[1.0, 1.0], 1.5, 0.0), Decision::Unknown(Doubt::TooClose));
    }

    #[test]
    fn the_audit_keeps_the_number_and_the_distance() {
        let decision = decided(&[1.0, 2.0], 1.5, 0.0);
        let candidates = [decision.known().unwrap().clone()];
        let expected =
            Event::Identified { source: "door".into(), subject: Some(0), distance: Some(1.0) };
        assert_eq!(decision.event("door", &candidates), expected);
    }
}
