//! Verification: do two sequences show the same person? A pair is accepted if its distance is at
//! most a threshold.
//!
//! The pairs are those that the protocol compares, of all views together. Counts are exact, in little
//! memory: only the distances of pairs of the same person are kept, and the other pairs are counted
//! between these.

mod roc_csv;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use serde_json::{Map, Value, json};

pub use roc_csv::{RocCsvError, RocCurve};

use crate::pairs::Pairs;
use crate::range::Scale;
use crate::rows::{relative_matrix, relative_rows};
use crate::selection::{self, Chosen};
use crate::{Distance, Embeddings, EvalError, Note, Protocol, Watch};

/// False accept rates at which the true accept rate is given.
const FALSE_ACCEPT_RATES: [f64; 3] = [1e-2, 1e-3, 1e-4];
/// The most points of a curve that are kept for drawing.
const CURVE: usize = 1000;

/// Verification of every group of probes of a protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification {
    /// The protocol's name.
    pub protocol: String,
    /// The distance that was compared with thresholds.
    pub distance: Distance,
    /// The groups, in the order of the protocol.
    pub groups: Vec<VerificationGroup>,
    /// What a reader of the figures must know about the data.
    pub notes: Vec<Note>,
}

/// Verification of one group of probes. Rates are percentages.
#[derive(Debug, Clone, PartialEq)]
pub struct VerificationGroup {
    /// The group's name.
    pub name: String,
    /// Pairs of the same person.
    pub genuine: u64,
    /// Pairs of different people.
    pub impostors: u64,
    /// The rate at which the curve, with straight lines between thresholds, has as many false accepts
    /// as false rejects; `None` without pairs of both kinds.
    pub equal_error_rate: Option<f64>,
    /// Pairs of a false accept rate (as a fraction) and the largest true accept rate at a threshold
    /// that does not exceed it; `None` if there are too few pairs of different people to measure it.
    pub true_accept_rates: Vec<(f64, Option<f64>)>,
    /// The curve, at up to 1000 thresholds.
    pub roc: Vec<RocPoint>,
}

/// One point of a receiver operating characteristic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RocPoint {
    /// The largest distance of an accepted pair.
    pub threshold: f32,
    /// Accepted pairs of different people, percent.
    pub false_accept_rate: f64,
    /// Accepted pairs of the same person, percent.
    pub true_accept_rate: f64,
}

/// Verifies the pairs of probe and gallery that a protocol compares. Distances are not re-ranked.
///
/// # Errors
/// As [`crate::evaluate`].
pub fn verify(
    e: &Embeddings,
    protocol: &Protocol,
    distance: Distance,
    watch: &Watch,
) -> Result<Verification, EvalError> {
    let mut notes = Vec::new();
    let chosen = selection::select(&e.names(), protocol, &mut notes)?;
    let pairs = Pairs::new(e, protocol, &chosen, &mut notes);
    let groups = selection::each_group(protocol, &chosen, watch, |group, chosen, watch| {
        Ok(Counts::new(e, distance, &pairs, chosen, watch)?.group(&group.name))
    })?;
    Ok(Verification { protocol: protocol.name.clone(), distance, groups, notes })
}

/// Pairs by distance. Impostors are counted in `2k + 1` bins around the `k` distinct distances of
/// genuine pairs: below the first, at the first, between the first and the second, ...
struct Counts {
    thresholds: Vec<f32>,
    genuine: Vec<u64>,
    impostors: Vec<u64>,
}

impl Counts {
    fn new(
        e: &Embeddings,
        distance: Distance,
        pairs: &Pairs,
        chosen: &Chosen,
        watch: &Watch,
    ) -> Result<Self, EvalError> {
        let same_person = |&probe: &usize| {
            let same = |&i: &usize| pairs.same_subject(probe, i) && pairs.compared(probe, i);
            let gallery: Vec<usize> = chosen.gallery.iter().copied().filter(same).collect();
            relative_matrix(e, distance, &[probe], &gallery)
        };
        let distances = chosen.probes.par_iter().map(same_person);
        let mut distances = distances.collect::<Result<Vec<_>, _>>()?.concat();
        distances.par_sort_unstable_by(f32::total_cmp);
        let mut thresholds = Vec::new();
        let mut genuine: Vec<u64> = Vec::new();
        for d in distances {
            match genuine.last_mut().filter(|_| thresholds.last() == Some(&d)) {
                Some(count) => *count += 1,
                None => {
                    thresholds.push(d);
                    genuine.push(1);
                }
            }
        }
        let bins: Vec<AtomicU64> =
            (0..2 * thresholds.len() + 1).map(|_| AtomicU64::new(0)).collect();
        let count = |at: usize, row: &[f32]| {
            let probe = chosen.probes[at];
            for (&d, &i) in row.iter().zip(&chosen.gallery) {
                if !pairs.same_subject(probe, i) && pairs.compared(probe, i) {
                    let below = thresholds.partition_point(|t| *t < d);
                    let equal = usize::from(thresholds.get(below) == Some(&d));
                    bins[2 * below + equal].fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        relative_rows(e, distance, &chosen.probes, &chosen.gallery, watch, count)?;
        let scale = Scale::new(e, distance);
        let thresholds = thresholds.into_iter().map(|threshold| scale.restored(threshold));
        let thresholds = thresholds.collect::<Result<_, _>>()?;
        let impostors = bins.into_iter().map(AtomicU64::into_inner).collect();
        Ok(Self { thresholds, genuine, impostors })
    }

    fn group(&self, name: &str) -> VerificationGroup {
        let genuine: u64 = self.genuine.iter().sum();
        let impostors: u64 = self.impostors.iter().sum();
        let mut made = VerificationGroup {
            name: name.to_owned(),
            genuine,
            impostors,
            equal_error_rate: None,
            true_accept_rates: FALSE_ACCEPT_RATES.map(|rate| (rate, None)).to_vec(),
            roc: Vec::new(),
        };
        if genuine == 0 || impostors == 0 {
            return made;
        }
        let share = |part: u64, whole: u64| part as f64 / whole as f64;
        // (false accepts, true accepts) just below and at each threshold.
        let mut corners = vec![(0.0, 0.0)];
        let mut accepted = 0;
        let mut wrongly = self.impostors[0];
        for (k, count) in self.genuine.iter().enumerate() {
            corners.push((share(wrongly, impostors), share(accepted, genuine)));
            accepted += count;
            wrongly += self.impostors[2 * k + 1];
            corners.push((share(wrongly, impostors), share(accepted, genuine)));
            wrongly += self.impostors[2 * k + 2];
        }
        corners.push((1.0, 1.0));
        made.equal_error_rate = equal_error_rate(&corners);
        let at = || corners[2..].iter().step_by(2).take(self.thresholds.len());
        for (rate, best) in &mut made.true_accept_rates {
            if share(1, impostors) <= *rate {
                let allowed = at().take_while(|(wrong, _)| wrong <= rate).last();
                *best = Some(allowed.map_or(0.0, |(_, right)| 100.0 * right));
            }
        }
        let step = self.thresholds.len().div_ceil(CURVE);
        let point = |(threshold, (wrong, right)): (&f32, &(f64, f64))| RocPoint {
            threshold: *threshold,
            false_accept_rate: 100.0 * wrong,
            true_accept_rate: 100.0 * right,
        };
        made.roc = self.thresholds.iter().zip(at()).step_by(step).map(point).collect();
        made
    }
}

/// The false accept rate, in percent, at which a curve of (false accepts, true accepts) has as many
/// false rejects.
fn equal_error_rate(corners: &[(f64, f64)]) -> Option<f64> {
    let excess = |(wrong, right): (f64, f64)| wrong - (1.0 - right);
    let (before, after) = corners
        .windows(2)
        .map(|pair| (pair[0], pair[1]))
        .find(|(_, after)| excess(*after) >= 0.0)?;
    let part = -excess(before) / (excess(after) - excess(before));
    Some(100.0 * (before.0 + part * (after.0 - before.0)))
}

impl Verification {
    /// The result as JSON: `protocol`, `distance`, per group the numbers of pairs (`genuine`,
    /// `impostors`), `eer` and `tar` by false accept rate in percent, and `notes`.
    pub fn to_json(&self) -> Value {
        let mut groups = Map::new();
        for group in &self.groups {
            let tar: Map<String, Value> = group
                .true_accept_rates
                .iter()
                .map(|(rate, best)| (rate.to_string(), json!(best)))
                .collect();
            let value = json!({
                "genuine": group.genuine,
                "impostors": group.impostors,
                "eer": group.equal_error_rate,
                "tar": tar,
            });
            groups.insert(group.name.clone(), value);
        }
        let notes: Vec<String> = self.notes.iter().map(ToString::to_string).collect();
        json!({
            "protocol": self.protocol,
            "distance": self.distance,
            "groups": groups,
            "notes": notes,
        })
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), |v| format!("{v:.2}"));
        let first = self.groups.iter().map(|g| g.name.chars().count()).max().unwrap_or(0);
        writeln!(f, "{}: verification (%)", self.protocol)?;
        write!(f, "{:first$}  {:>12}  {:>12}  {:>6}", "", "same person", "two persons", "EER")?;
        FALSE_ACCEPT_RATES.iter().try_for_each(|rate| write!(f, "  TAR at FAR {rate}"))?;
        writeln!(f)?;
        for group in &self.groups {
            let eer = percent(group.equal_error_rate);
            let VerificationGroup { name, genuine, impostors, .. } = group;
            write!(f, "{name:first$}  {genuine:>12}  {impostors:>12}  {eer:>6}")?;
            for (rate, best) in &group.true_accept_rates {
                write!(f, "  {:>w$}", percent(*best), w = format!("TAR at FAR {rate}").len())?;
            }
            writeln!(f)?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(thresholds: &[f32], genuine: &[u64], impostors: &[u64]) -> VerificationGroup {
        Counts {
            thresholds: thresholds.to_vec(),
            genuine: genuine.to_vec(),
            impostors: impostors.to_vec(),
        }
        .group("ALL")
    }

    #[test]
    fn separable_pairs_have_no_error() {
        let group = counts(&[1.0, 2.0], &[3, 1], &[0, 0, 0, 0, 200]);
        assert_eq!(group.equal_error_rate, Some(0.0));
        assert_eq!(
            group.true_accept_rates,
            [(1e-2, Some(100.0)), (1e-3, None), (1e-4, None)],
            "200 pairs cannot show a rate of 1e-3"
        );
    }

    #[test]
    fn one_of_four_wrong_on_each_side() {
        // In order of distance: 3 genuine, 1 impostor, 1 genuine, 3 impostors.
        let group = counts(&[1.0, 3.0], &[3, 1], &[0, 0, 1, 0, 3]);
        assert_eq!(group.equal_error_rate, Some(25.0));
        assert_eq!(group.roc[1].false_accept_rate, 25.0);
        assert_eq!(group.roc[1].true_accept_rate, 100.0);
    }

    #[test]
    fn ties_are_accepted_together() {
        // All pairs at one distance: the curve is the diagonal.
        let group = counts(&[1.0], &[5], &[0, 400, 0]);
        assert_eq!(group.equal_error_rate, Some(50.0));
        assert_eq!(group.true_accept_rates[0], (1e-2, Some(0.0)));
    }

    #[test]
    fn pairs_of_one_kind_have_no_rates() {
        let group = counts(&[1.0], &[5], &[0, 0, 0]);
        assert_eq!(group.equal_error_rate, None);
        assert!(group.roc.is_empty());
    }
}
