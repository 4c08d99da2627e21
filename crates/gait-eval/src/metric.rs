//! Metrics, and their values for the ranking of one probe.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bounds::Row;
use crate::{EvalError, NameKind, UnknownName};

/// A figure of merit of identification. A gallery sequence is right if it shows the probe's subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Metric {
    /// Share of probes with a right gallery sequence among the nearest k.
    Rank(usize),
    /// Mean over probes of the average precision: the mean over the right gallery sequences of the
    /// share of right ones among all that are at least as near.
    MeanAveragePrecision,
    /// Mean over probes of the inverse negative penalty: the number of right gallery sequences over
    /// the rank of the last of them.
    MeanInverseNegativePenalty,
}

impl TryFrom<String> for Metric {
    type Error = UnknownName;

    fn try_from(name: String) -> Result<Self, UnknownName> {
        let rank = name.strip_prefix("rank-").and_then(|k| k.parse().ok()).filter(|k| *k > 0);
        match (name.as_str(), rank) {
            (_, Some(k)) => Ok(Self::Rank(k)),
            ("mAP", _) => Ok(Self::MeanAveragePrecision),
            ("mINP", _) => Ok(Self::MeanInverseNegativePenalty),
            _ => {
                let known = ["rank-1", "rank-5", "rank-10", "rank-20", "mAP", "mINP"];
                Err(UnknownName::new(NameKind::Metric, &name, known.map(str::to_owned).to_vec()))
            }
        }
    }
}

impl From<Metric> for String {
    fn from(metric: Metric) -> Self {
        metric.to_string()
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rank(k) => write!(f, "rank-{k}"),
            Self::MeanAveragePrecision => f.write_str("mAP"),
            Self::MeanInverseNegativePenalty => f.write_str("mINP"),
        }
    }
}

impl Metric {
    /// The name in JSON results: `rank1`, `mAP`.
    pub fn key(self) -> String {
        self.to_string().replace('-', "")
    }
}

/// How the gallery sequences of one probe's subject, the right ones, are ranked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ProbeOutcome {
    /// Gallery sequences that are nearer than the first right one.
    pub before_first: usize,
    /// Average precision, 0 to 1.
    pub average_precision: f64,
    /// Right sequences over the rank of the last right one, 0 to 1.
    pub inverse_negative_penalty: f64,
}

impl ProbeOutcome {
    /// Ranks entries `(position, right)` of a gallery, in its order; `None` if none is right.
    ///
    /// Of equal distances, the first in the gallery comes first, as in a stable sort.
    ///
    /// # Errors
    /// [`EvalError::Range`] if a distance is too small for the unit.
    pub fn from_row(
        row: &mut Row,
        entries: &(impl Iterator<Item = (usize, bool)> + Clone),
    ) -> Result<Option<Self>, EvalError> {
        let of = |wanted: bool| {
            let entries = entries.clone().filter(move |(_, right)| *right == wanted);
            entries.map(|(at, _)| at)
        };
        let rights = of(true).map(|at| Ok((row.distance(at)?, at)));
        let mut rights = rights.collect::<Result<Vec<(f32, usize)>, EvalError>>()?;
        rights.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        if rights.is_empty() {
            return Ok(None);
        }
        // How many right entries are nearer than one at some distance.
        let nearer = |d: f32, at: usize| {
            rights.partition_point(|r| r.0.total_cmp(&d).then(r.1.cmp(&at)).is_lt())
        };
        // Sorting the right entries alone is enough, and much less work than sorting the gallery.
        // wrongs[r]: wrong entries between right r - 1 and right r; the last ones follow all.
        let mut wrongs = vec![0usize; rights.len() + 1];
        for at in of(false) {
            let least = nearer(row.low()[at], at);
            let is_decided = least == nearer(row.high()[at], at);
            let place = if is_decided { least } else { nearer(row.distance(at)?, at) };
            wrongs[place] += 1;
        }
        wrongs.pop();
        let before_first = wrongs[0];
        let mut rank = 0;
        let mut precisions = 0.0;
        for (found, wrong) in wrongs.iter().enumerate() {
            rank += wrong + 1;
            precisions += (found + 1) as f64 / rank as f64;
        }
        let n = rights.len() as f64;
        Ok(Some(Self {
            before_first,
            average_precision: precisions / n,
            inverse_negative_penalty: n / rank as f64,
        }))
    }

    /// What this probe adds to a metric, 0 to 1.
    pub fn score(&self, metric: Metric) -> f64 {
        match metric {
            Metric::Rank(k) => f64::from(u8::from(self.before_first < k)),
            Metric::MeanAveragePrecision => self.average_precision,
            Metric::MeanInverseNegativePenalty => self.inverse_negative_penalty,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(ranking: &[(f32, bool)]) -> Option<ProbeOutcome> {
        let distances: Vec<f32> = ranking.iter().map(|(distance, _)| *distance).collect();
        let entries = ranking.iter().map(|(_, right)| *right).enumerate();
        Row::known(&distances, |row| ProbeOutcome::from_row(row, &entries)).unwrap()
    }

    #[test]
    fn two_of_four_right() {
        // In order: wrong 1, right 2, wrong 3, right 4.
        let o = outcome(&[(4.0, true), (1.0, false), (2.0, true), (3.0, false)]).unwrap();
        assert_eq!(o.before_first, 1);
        assert!((o.average_precision - (1.0 / 2.0 + 2.0 / 4.0) / 2.0).abs() < 1e-12);
        assert!((o.inverse_negative_penalty - 2.0 / 4.0).abs() < 1e-12);
    }

    #[test]
    fn ties_go_to_the_earlier_entry() {
        assert_eq!(outcome(&[(1.0, true), (1.0, false)]).unwrap().before_first, 0);
        assert_eq!(outcome(&[(1.0, false), (1.0, true)]).unwrap().before_first, 1);
    }

    #[test]
    fn no_right_entry_has_no_outcome() {
        assert_eq!(outcome(&[(1.0, false)]), None);
        assert_eq!(outcome(&[]), None);
    }

    #[test]
    fn metric_names_round_trip() {
        for name in ["rank-1", "rank-20", "mAP", "mINP"] {
            assert_eq!(Metric::try_from(name.to_owned()).unwrap().to_string(), name);
        }
        for name in ["rank-0", "rank-", "map", "Rank-1"] {
            assert!(Metric::try_from(name.to_owned()).is_err(), "{name}");
        }
    }
}
