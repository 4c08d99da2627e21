//! Whether one network is better than another: two results of the same test, compared subject by
//! subject.
//!
//! The difference of two figures has a confidence interval by a bootstrap that draws the same
//! subjects for both, and the p-value of a permutation test: if the networks were equally good, the
//! two results of any subject could as well be exchanged, which changes the sign of the subject's
//! part of the difference.

use std::fmt;

use gait_support::{Stopped, Watch};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde_json::{Map, Value, json};

use crate::bootstrap::RESAMPLES;
use crate::grid::{Grid, shown_rows};
use crate::{Confidence, Interval, Metric, Outcomes};

/// With at most so many subjects that differ, all patterns of signs are tried (at most 8,192).
const FEW: usize = 13;
/// Smaller parts of a difference, in percent, come from the rounding of sums.
const ROUNDING: f64 = 1e-9;

/// Two results, or two sets of results of several seeds, compared by subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The protocol's name.
    pub protocol: String,
    /// How sure the intervals are.
    pub confidence: Confidence,
    /// Number of subjects.
    pub subjects: usize,
    /// What was measured.
    pub metrics: Vec<Metric>,
    /// Names of the groups of probes, and `mean`.
    pub rows: Vec<String>,
    /// The difference in each row, per metric; `None` where the data has nothing to compare.
    pub differences: Vec<Vec<Option<Difference>>>,
}

/// One figure of two results.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The figure of the first result in percent.
    pub first: f64,
    /// The figure of the second result in percent.
    pub second: f64,
    /// The interval of the first minus the second; `None` for a single subject.
    pub interval: Option<Interval>,
    /// The probability of a difference at least as large, in either direction, if the two were
    /// equally good.
    pub p_value: f64,
    /// Subjects with a higher figure in the first result.
    pub wins: usize,
    /// Subjects with a higher figure in the second result.
    pub losses: usize,
}

/// Results that cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ComparisonError {
    /// One side has no result.
    #[error("there is no result to compare")]
    NoResult,
    /// The results are of different protocols.
    #[error("the results are of different protocols, {first} and {other}")]
    Protocols {
        /// The first result's protocol.
        first: String,
        /// Another result's protocol.
        other: String,
    },
    /// The protocols have the same name but different rules.
    #[error("the results are of different versions of the protocol {0}")]
    Rules(String),
    /// The results have different subjects.
    #[error("the results are of different subjects ({first} and {other})")]
    Subjects {
        /// Subjects of the first result.
        first: usize,
        /// Subjects of another result.
        other: usize,
    },
    /// The results have different numbers of probes.
    #[error("the results are of different sequences of the same subjects")]
    Probes,
    /// The caller asked to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Compares two results of the same test. If a side has several, such as those of several seeds,
/// each subject's outcomes are averaged over them first.
///
/// # Errors
/// Results of different tests; the watch asks to stop.
pub fn compare(
    first: &[Outcomes],
    second: &[Outcomes],
    confidence: Confidence,
    watch: &Watch,
) -> Result<Comparison, ComparisonError> {
    let first = Outcomes::mean_of(first)?;
    let second = Outcomes::mean_of(second)?;
    let mut difference = first.clone();
    difference.add_times(-1.0, &second)?;
    let intervals = difference.intervals(confidence, watch)?;
    let everyone = vec![1.0; first.subjects.len()];
    let mut differences = vec![Vec::new(); intervals.rows.len()];
    for metric in 0..first.metrics.len() {
        let figures = first.figures(metric, &everyone);
        let figures = figures.into_iter().zip(second.figures(metric, &everyone));
        let parts = difference.contributions(metric);
        for (row, (figures, parts)) in figures.zip(parts).enumerate() {
            let compared = figures.0.zip(figures.1).map(|(first, second)| Difference {
                first,
                second,
                interval: intervals.figures[row][metric].map(|(_, interval)| interval),
                p_value: p_value(&parts, confidence.seed),
                wins: parts.iter().filter(|part| **part > ROUNDING).count(),
                losses: parts.iter().filter(|part| **part < -ROUNDING).count(),
            });
            differences[row].push(compared);
        }
    }
    Ok(Comparison {
        protocol: first.protocol,
        confidence,
        subjects: first.subjects.len(),
        metrics: first.metrics,
        rows: intervals.rows,
        differences,
    })
}

impl Outcomes {
    /// The mean of several results of one test, by subject.
    ///
    /// # Errors
    /// There is none, or they are of different tests.
    pub fn mean_of(results: &[Self]) -> Result<Self, ComparisonError> {
        let (first, others) = results.split_first().ok_or(ComparisonError::NoResult)?;
        let mut mean = first.clone();
        for other in others {
            mean.add_times(1.0, other)?;
        }
        for ratio in mean.ratios_mut() {
            ratio.sums.iter_mut().for_each(|sum| *sum /= results.len() as f64);
        }
        Ok(mean)
    }

    /// Adds the sums of another result of the same test, multiplied by `factor`.
    fn add_times(&mut self, factor: f64, other: &Self) -> Result<(), ComparisonError> {
        self.check_same_test(other)?;
        for (ratio, other) in self.ratios_mut().zip(other.ratios()) {
            ratio.sums.iter_mut().zip(&other.sums).for_each(|(sum, more)| *sum += factor * more);
        }
        Ok(())
    }

    fn check_same_test(&self, other: &Self) -> Result<(), ComparisonError> {
        if self.protocol != other.protocol {
            let first = self.protocol.clone();
            let other = other.protocol.clone();
            return Err(ComparisonError::Protocols { first, other });
        }
        let groups = |of: &Self| -> Vec<(String, bool)> {
            of.groups.iter().map(|group| (group.name.clone(), group.in_mean)).collect()
        };
        let same_rules = self.rules == other.rules && self.metrics == other.metrics;
        if !same_rules || groups(self) != groups(other) {
            return Err(ComparisonError::Rules(self.protocol.clone()));
        }
        if self.subjects != other.subjects {
            let first = self.subjects.len();
            return Err(ComparisonError::Subjects { first, other: other.subjects.len() });
        }
        let ratios = |of: &Self| -> Vec<usize> {
            of.groups.iter().flat_map(|g| g.ratios.iter().map(Vec::len)).collect()
        };
        let mut pairs = self.ratios().zip(other.ratios());
        let alike = pairs.all(|(a, b)| a.weight == b.weight && a.counts == b.counts);
        if ratios(self) == ratios(other) && alike { Ok(()) } else { Err(ComparisonError::Probes) }
    }
}

/// The share of sign patterns of the subjects' parts whose sum is at least as far from 0 as that of
/// the actual signs. All patterns are tried for few parts; otherwise random ones, to which the
/// actual one is added, so that the value is never 0.
fn p_value(parts: &[f64], seed: u64) -> f64 {
    let parts: Vec<f64> = parts.iter().copied().filter(|part| part.abs() > ROUNDING).collect();
    let actual = parts.iter().sum::<f64>().abs() - ROUNDING;
    let extreme = |signs: &dyn Fn(usize) -> bool| {
        let signed = parts.iter().enumerate().map(|(at, p)| if signs(at) { -p } else { *p });
        signed.sum::<f64>().abs() >= actual
    };
    if parts.len() <= FEW {
        let patterns = 1usize << parts.len();
        let hits = (0..patterns).filter(|pattern| extreme(&|at| pattern >> at & 1 == 1)).count();
        return hits as f64 / patterns as f64;
    }
    let hits = (0..RESAMPLES).into_par_iter().filter(|&stream| {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream as u64);
        let signs: Vec<bool> = parts.iter().map(|_| generator.random()).collect();
        extreme(&|at| signs[at])
    });
    (hits.count() + 1) as f64 / (RESAMPLES + 1) as f64
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = shown_rows(self.rows.len());
        let sure = format!("{}% interval", self.confidence.percent);
        let headings = ["first", "second", "difference", &sure, "p", "wins", "losses", "ties"];
        let mut rows = Vec::new();
        for (name, differences) in self.rows.iter().zip(&self.differences).take(shown) {
            for (metric, difference) in self.metrics.iter().zip(differences) {
                let metric =
                    if self.metrics.len() > 1 { metric.to_string() } else { String::new() };
                rows.push(([name.clone(), metric], self.cells(*difference)));
            }
        }
        let metric = if self.metrics.len() > 1 { "accuracy".into() } else { self.leading_metric() };
        writeln!(f, "{}: {metric} (%) of {} subjects, paired", self.protocol, self.subjects)?;
        write!(f, "{}", Grid { headings: headings.map(str::to_owned).to_vec(), rows })
    }
}

impl Comparison {
    fn leading_metric(&self) -> String {
        self.metrics.first().map(ToString::to_string).unwrap_or_default()
    }

    fn cells(&self, difference: Option<Difference>) -> Vec<String> {
        let Some(d) = difference else { return vec!["-".to_owned(); 8] };
        let ties = self.subjects - d.wins - d.losses;
        vec![
            format!("{:.1}", d.first),
            format!("{:.1}", d.second),
            format!("{:+.1}", d.first - d.second),
            d.interval.map_or_else(|| "-".to_owned(), |interval| format!("{interval:+}")),
            format!("{:.4}", d.p_value),
            d.wins.to_string(),
            d.losses.to_string(),
            ties.to_string(),
        ]
    }

    /// The comparison as JSON: `protocol`, `percent`, `resamples`, `seed`, `subjects`, and for each
    /// metric and group (and the `mean`) `first`, `second`, `difference`, `interval`, `p`, `wins`,
    /// `losses` and `ties`.
    pub fn to_json(&self) -> Value {
        let mut root = Map::new();
        root.insert("protocol".to_owned(), json!(self.protocol));
        root.insert("percent".to_owned(), json!(self.confidence.percent));
        root.insert("resamples".to_owned(), json!(RESAMPLES));
        root.insert("seed".to_owned(), json!(self.confidence.seed));
        root.insert("subjects".to_owned(), json!(self.subjects));
        let of = |d: Difference| {
            json!({
                "first": d.first,
                "second": d.second,
                "difference": d.first - d.second,
                "interval": d.interval,
                "p": d.p_value,
                "wins": d.wins,
                "losses": d.losses,
                "ties": self.subjects - d.wins - d.losses,
            })
        };
        for (at, metric) in self.metrics.iter().enumerate() {
            let rows = self.rows.iter().zip(&self.differences);
            let rows: Map<_, _> =
                rows.map(|(name, row)| (name.clone(), json!(row[at].map(of)))).collect();
            root.insert(metric.key(), rows.into());
        }
        root.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcomes::tests::one_group;

    fn compared(first: &[&[f64]], second: &[&[f64]], counts: &[u32]) -> Difference {
        let side = |all: &[&[f64]]| -> Vec<Outcomes> {
            all.iter().map(|sums| one_group(counts, sums)).collect()
        };
        let confidence = Confidence { percent: 95.0, seed: 1 };
        let found = compare(&side(first), &side(second), confidence, &Watch::silent()).unwrap();
        assert_eq!(found.differences[0], found.differences[1], "the mean of one group");
        found.differences[0][0].unwrap()
    }

    #[test]
    fn six_wins_have_the_p_value_of_two_patterns_in_sixty_four() {
        let found = compared(&[&[1.0, 2.0, 1.0, 1.0, 1.0, 3.0]], &[&[0.0; 6]], &[3; 6]);
        assert_eq!((found.first, found.second), (50.0, 0.0));
        assert_eq!((found.wins, found.losses), (6, 0));
        assert_eq!(found.p_value, 2.0 / 64.0);
        let tied = compared(&[&[1.0, 2.0]], &[&[1.0, 2.0]], &[2; 2]);
        assert_eq!((tied.p_value, tied.wins, tied.losses), (1.0, 0, 0));
        assert_eq!(tied.interval, Some(Interval { low: 0.0, high: 0.0 }));
    }

    #[test]
    fn many_subjects_have_the_p_value_of_the_normal_distribution() {
        // 60 subjects win by one probe, 40 lose by one: z = 20 / sqrt(100) = 2, and with the
        // correction for whole numbers (19 / 10) two-sided 0.0574.
        let side = |wins: bool| -> Vec<f64> {
            (0..100).map(|s| f64::from(u8::from((s < 60) == wins))).collect()
        };
        let found = compared(&[&side(true)], &[&side(false)], &[1; 100]);
        assert_eq!((found.wins, found.losses), (60, 40));
        assert!((found.p_value - 0.0574).abs() < 0.008, "{found:?}");
        // The spread of the difference: sqrt(4 * 0.6 * 0.4 / 100) = 9.8%.
        let interval = found.interval.unwrap();
        assert!((interval.low - (20.0 - 19.2)).abs() < 2.5, "{found:?}");
        assert!((interval.high - (20.0 + 19.2)).abs() < 2.5, "{found:?}");
    }

    #[test]
    fn seeds_are_averaged_by_subject_first() {
        let seeds: [&[f64]; 2] = [&[2.0, 0.0, 1.0, 0.0], &[0.0, 2.0, 2.0, 1.0]];
        let found = compared(&seeds, &[&[1.0, 1.0, 1.0, 1.0]], &[2; 4]);
        assert_eq!((found.wins, found.losses), (1, 1));
        assert_eq!((found.first, found.p_value), (50.0, 1.0));
    }

    #[test]
    fn results_of_different_tests_are_refused() {
        let first = one_group(&[2, 3], &[1.0, 1.0]);
        let refused = |change: &dyn Fn(&mut Outcomes)| {
            let mut other = first.clone();
            change(&mut other);
            let confidence = Confidence { percent: 95.0, seed: 1 };
            let sides = [std::slice::from_ref(&first), &[other]];
            compare(sides[0], sides[1], confidence, &Watch::silent()).unwrap_err().to_string()
        };
        assert!(refused(&|o| o.protocol = "other".into()).contains("mine and other"));
        assert!(refused(&|o| o.rules = "1".into()).contains("versions of the protocol mine"));
        assert!(refused(&|o| o.subjects[0] = "anna".into()).contains("different subjects"));
        let other_counts = refused(&|o| o.groups[0].ratios[0][0].counts = vec![3, 3]);
        assert!(other_counts.contains("different sequences"));
    }

    #[test]
    fn a_comparison_prints_one_line_for_each_group() {
        let side = [one_group(&[2, 2], &[2.0, 1.0]), one_group(&[2, 2], &[1.0, 1.0])];
        let confidence = Confidence { percent: 90.0, seed: 1 };
        let found = compare(&side[..1], &side[1..], confidence, &Watch::silent()).unwrap();
        let expected = "\
mine: rank-1 (%) of 2 subjects, paired
     first  second  difference   90% interval       p  wins  losses  ties
ALL   75.0    50.0       +25.0  [+0.0, +50.0]  1.0000     1       0     1
";
        assert_eq!(found.to_string(), expected, "\n{found}");
        assert_eq!(found.to_json()["rank1"]["ALL"]["wins"], 1);
    }
}
