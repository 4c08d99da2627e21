//! Open-set recognition: is a walker one of the people in a gallery, and which one?
//!
//! The terms are those of ISO/IEC 19795-1:2021 and of NIST's tests of identification (P. Grother,
//! M. Ngan, K. Hanaoka, "Face Recognition Vendor Test Part 2: Identification", NISTIR 8271, 2019).
//! The score of a sequence for a person is its smallest distance to the person's other sequences.

use std::collections::BTreeSet;

use crate::pairs::numbered;
use crate::{Distance, Embeddings, EvalError, OpenSetRule, RateError, Watch, map_rows};

/// The most scores of pairs that are kept (256 MiB). Of larger sets, evenly spaced sequences are
/// compared.
const MOST_PAIRS: usize = 64 << 20;

/// The scores of a set of sequences in which each is compared with all others.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenSet {
    /// Scores of sequences for their own person, in order.
    genuine: Vec<f32>,
    /// Scores of sequences for each other person, in order.
    impostors: Vec<f32>,
    searches: Vec<Search>,
}

/// The scores that decide about one sequence.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Search {
    /// For its own person; `None` if there is no other sequence of that person.
    own: Option<f32>,
    /// For the nearest other person.
    first: f32,
    /// For the second nearest other person.
    second: Option<f32>,
}

/// How often pairs of a sequence and an enrolled person are taken wrongly, as fractions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairRates {
    /// Accepted pairs of different people (FAR); `None` without such pairs.
    pub false_accept: Option<f64>,
    /// Rejected pairs of the same person (FRR); `None` without such pairs.
    pub false_reject: Option<f64>,
}

/// How often identifications are wrong, as fractions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SearchRates {
    /// People who are not in the gallery and are named (FPIR); `None` without two people.
    pub false_positive: Option<f64>,
    /// People in the gallery who are not given their name (FNIR); `None` without a person who has
    /// two sequences.
    pub false_negative: Option<f64>,
}

/// One point of the curves of an [`OpenSet`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OpenSetPoint {
    /// The largest accepted distance.
    pub threshold: f32,
    /// Errors of comparisons with one person.
    pub pairs: PairRates,
    /// Errors of identifications.
    pub searches: SearchRates,
}

/// Compares each sequence with all others, as pairs and as identifications.
///
/// A sequence is searched twice, among the other sequences of all people and with its own person left
/// out, as one who is enrolled and as one who is not.
///
/// # Errors
/// [`EvalError::Range`] if a distance exceeds single precision, [`EvalError::Stopped`] if the watch
/// asks to stop.
pub fn open_set(e: &Embeddings, distance: Distance, watch: &Watch) -> Result<OpenSet, EvalError> {
    let (names, subjects) = numbered(e.subjects().iter().map(String::as_str));
    let step = (e.len() * names.len()).div_ceil(MOST_PAIRS);
    let probes: Vec<usize> = (0..e.len()).step_by(step).collect();
    let gallery: Vec<usize> = (0..e.len()).collect();
    let scores = |at: usize, row: &[f32]| {
        let mut scores = vec![f32::INFINITY; names.len()];
        for (i, (&d, &subject)) in row.iter().zip(&subjects).enumerate() {
            if i != probes[at] {
                scores[subject] = scores[subject].min(d);
            }
        }
        let own = scores.swap_remove(subjects[probes[at]]);
        (own.is_finite().then_some(own), scores)
    };
    let rows = map_rows(e, distance, &probes, &gallery, watch, scores)?;
    Ok(OpenSet::new(rows))
}

impl OpenSet {
    /// From the score of each sequence for its own person and those for all others.
    fn new(rows: Vec<(Option<f32>, Vec<f32>)>) -> Self {
        let mut searches = Vec::new();
        for (own, others) in &rows {
            let mut nearest: Vec<f32> = others.clone();
            nearest.sort_unstable_by(f32::total_cmp);
            if let Some(&first) = nearest.first() {
                searches.push(Search { own: *own, first, second: nearest.get(1).copied() });
            }
        }
        let mut genuine: Vec<f32> = rows.iter().filter_map(|(own, _)| *own).collect();
        let mut impostors: Vec<f32> = rows.into_iter().flat_map(|(_, others)| others).collect();
        genuine.sort_unstable_by(f32::total_cmp);
        impostors.sort_unstable_by(f32::total_cmp);
        Self { genuine, impostors, searches }
    }

    /// Number of pairs of a sequence and its own person.
    pub fn genuine(&self) -> usize {
        self.genuine.len()
    }

    /// Number of pairs of a sequence and another person.
    pub fn impostors(&self) -> usize {
        self.impostors.len()
    }

    /// The largest threshold that accepts at most this fraction of the pairs of different people.
    ///
    /// # Errors
    /// A rate that is not a fraction, or is too small for so few pairs; see [`RateError`].
    pub fn threshold(&self, false_accept_rate: f64) -> Result<f32, RateError> {
        largest_threshold(&self.impostors, self.impostors.len(), false_accept_rate)
    }

    /// FAR and FRR at a threshold.
    pub fn pairs(&self, threshold: f32) -> PairRates {
        let accepted = |sorted: &[f32]| sorted.partition_point(|d| *d <= threshold);
        let rejected = self.genuine.len() - accepted(&self.genuine);
        PairRates {
            false_accept: share(accepted(&self.impostors), self.impostors.len()),
            false_reject: share(rejected, self.genuine.len()),
        }
    }

    /// FPIR and FNIR of a rule. Every sequence is searched once without its person (is it named?) and,
    /// if its person has another sequence, once with it (is it given this name?).
    pub fn searches(&self, rule: OpenSetRule) -> SearchRates {
        let enrolled = || self.searches.iter().filter_map(|s| s.own.map(|own| (own, s.first)));
        let named = self.searches.iter().filter(|s| rule.accepts(s.first, s.second)).count();
        let missed = enrolled().filter(|(own, first)| !rule.accepts(*own, Some(*first))).count();
        SearchRates {
            false_positive: share(named, self.searches.len()),
            false_negative: share(missed, enrolled().count()),
        }
    }

    /// The rule with this margin and the largest threshold that names at most this fraction of the
    /// people who are not in the gallery.
    ///
    /// # Errors
    /// As [`OpenSet::threshold`].
    pub fn rule(&self, false_positive_rate: f64, margin: f32) -> Result<OpenSetRule, RateError> {
        let any = OpenSetRule { threshold: f32::INFINITY, margin };
        let named = self.searches.iter().filter(|s| any.accepts(s.first, s.second));
        let mut named: Vec<f32> = named.map(|s| s.first).collect();
        named.sort_unstable_by(f32::total_cmp);
        let threshold = largest_threshold(&named, self.searches.len(), false_positive_rate)?;
        Ok(OpenSetRule { threshold, margin })
    }

    /// The rates at up to about `points` thresholds, in order: at even ranks of the distances of the
    /// same person, and at geometrically spaced ranks of those of different people, so that small
    /// false accept rates have points too.
    pub fn curve(&self, margin: f32, points: usize) -> Vec<OpenSetPoint> {
        let half = points.div_ceil(2).max(1);
        let genuine = self.genuine.iter().step_by(self.genuine.len().div_ceil(half).max(1));
        let ratio = (self.impostors.len().max(2) as f64).powf(1.0 / half as f64);
        let ranks = (0..=half).map(|i| ratio.powf(i as f64).round() as usize);
        let impostors = ranks.filter_map(|rank| self.impostors.get(rank.max(1) - 1));
        // The bits of floats that are not negative are in the order of the floats.
        let thresholds = genuine.chain(impostors).map(|d| d.max(0.0).to_bits());
        let thresholds: BTreeSet<u32> = thresholds.collect();
        let point = |threshold: f32| OpenSetPoint {
            threshold,
            pairs: self.pairs(threshold),
            searches: self.searches(OpenSetRule { threshold, margin }),
        };
        thresholds.into_iter().map(|bits| point(f32::from_bits(bits))).collect()
    }
}

/// The largest threshold that accepts at most the fraction `rate` of `total` pairs, of which these
/// are the distances that can be accepted, in order.
fn largest_threshold(sorted: &[f32], total: usize, rate: f64) -> Result<f32, RateError> {
    RateError::check(rate, total)?;
    let fraction = |count: usize| count as f64 / total as f64;
    // Rounding may be off by one either way.
    let near = (rate * total as f64) as usize;
    let allowed = [near + 1, near].into_iter().find(|k| fraction(*k) <= rate);
    let allowed = allowed.unwrap_or(near.saturating_sub(1));
    Ok(sorted.get(allowed).map_or(f32::MAX, |refused| refused.next_down()))
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Anna at 0 and 1, Ben at 4 and 6, Cleo at 16, on a line.
    ///
    /// | probe | own | Anna | Ben | Cleo |
    /// |---|---|---|---|---|
    /// | 0 | 1 | | 4 | 16 |
    /// | 1 | 1 | | 3 | 15 |
    /// | 4 | 2 | 3 | | 12 |
    /// | 6 | 2 | 5 | | 10 |
    /// | 16 | - | 15 | 10 | |
    fn line() -> OpenSet {
        let people = [("anna", 0.0), ("anna", 1.0), ("ben", 4.0), ("ben", 6.0), ("cleo", 16.0)];
        let names = people.map(|(who, _)| (who.to_owned(), String::new(), String::new()));
        let values = people.map(|(_, at)| at).to_vec();
        let e = Embeddings::new(1, 1, values, names).unwrap();
        open_set(&e, Distance::Strips, &Watch::silent()).unwrap()
    }

    #[test]
    fn scores_are_the_smallest_distances_to_other_sequences() {
        let scores = line();
        assert_eq!(scores.genuine, [1.0, 1.0, 2.0, 2.0]);
        assert_eq!(scores.impostors, [3.0, 3.0, 4.0, 5.0, 10.0, 10.0, 12.0, 15.0, 15.0, 16.0]);
        let last = Search { own: None, first: 10.0, second: Some(15.0) };
        assert_eq!(scores.searches[4], last);
    }

    #[test]
    fn pairs_at_a_distance_equal_to_the_threshold_are_accepted() {
        let rates = |threshold: f32| {
            let rates = line().pairs(threshold);
            [rates.false_accept.unwrap(), rates.false_reject.unwrap()]
        };
        assert_eq!(rates(0.5), [0.0, 1.0]);
        assert_eq!(rates(1.0), [0.0, 0.5]);
        assert_eq!(rates(3.0), [0.2, 0.0]);
        assert_eq!(rates(16.0), [1.0, 0.0]);
    }

    #[test]
    fn searches_count_strangers_who_are_named_and_people_who_are_not() {
        let rates = |threshold: f32, margin: f32| {
            let rates = line().searches(OpenSetRule { threshold, margin });
            [rates.false_positive.unwrap(), rates.false_negative.unwrap()]
        };
        // Nearest others: 4, 3, 3, 5, 10; second nearest: 16, 15, 12, 10, 15.
        assert_eq!(rates(3.0, 0.0), [0.4, 0.0]);
        assert_eq!(rates(1.5, 0.0), [0.0, 0.5]);
        assert_eq!(rates(10.0, 0.0), [1.0, 0.0]);
        // 10 against 15 is not twice as near; own 2 against 3 is not, the other three are.
        assert_eq!(rates(10.0, 0.5), [0.8, 0.25]);
    }

    #[test]
    fn the_threshold_accepts_as_many_as_the_rate_allows() {
        let scores = line();
        // Three of ten pairs: up to 4, below 5.
        assert_eq!(scores.threshold(0.3).unwrap(), 5f32.next_down());
        // Four of them would need half a pair more.
        assert_eq!(scores.threshold(0.35).unwrap(), 5f32.next_down());
        // Five: but the fifth and the sixth are equal.
        assert_eq!(scores.threshold(0.5).unwrap(), 10f32.next_down());
        assert_eq!(scores.threshold(1.0).unwrap(), f32::MAX);
        let few = RateError::TooFewPairs { rate: 0.2, smallest: 0.3, pairs: 10 };
        assert_eq!(scores.threshold(0.2).unwrap_err(), few);
        // Three of five strangers.
        let rule = scores.rule(0.6, 0.0).unwrap();
        assert_eq!(rule.threshold, 5f32.next_down());
        // With the margin one of them is never named.
        assert_eq!(scores.rule(0.8, 0.5).unwrap().threshold, f32::MAX);
    }

    #[test]
    fn the_curve_is_monotonic_and_has_both_ends() {
        let curve = line().curve(0.0, 100);
        let far: Vec<f64> = curve.iter().map(|p| p.pairs.false_accept.unwrap()).collect();
        assert!(far.is_sorted() && curve.iter().map(|p| p.threshold).is_sorted());
        assert_eq!((curve[0].threshold, far[0]), (1.0, 0.0));
        assert_eq!(curve.last().unwrap().pairs.false_accept, Some(1.0));
        assert_eq!(line().curve(0.0, 1).len(), 3);
    }

    #[test]
    fn one_person_has_no_impostors() {
        let names = ["a", "a"].map(|who| (who.to_owned(), String::new(), String::new()));
        let e = Embeddings::new(1, 1, vec![1.0, 2.0], names).unwrap();
        let scores = open_set(&e, Distance::Strips, &Watch::silent()).unwrap();
        assert_eq!((scores.genuine(), scores.impostors()), (2, 0));
        assert_eq!(scores.pairs(1.0).false_accept, None);
        let rule = OpenSetRule { threshold: 1.0, margin: 0.0 };
        assert_eq!(scores.searches(rule).false_positive, None);
        assert_eq!(scores.threshold(0.5).unwrap_err(), RateError::NoPairs);
    }
}
