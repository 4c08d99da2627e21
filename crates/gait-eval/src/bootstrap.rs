//! Confidence intervals by a bootstrap over subjects.
//!
//! The sequences of one person are alike, so the subjects, not the probes, are the independent parts
//! of a test. Each resample draws as many subjects as there are, with replacement, and computes the
//! figures from the outcomes of these. An interval is the range of the figures without equal shares
//! at both ends (percentile bootstrap: Efron and Tibshirani, *An Introduction to the Bootstrap*,
//! 1993, chapter 13). The galleries stay as they are.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use gait_support::{Stopped, Watch};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::grid::{Grid, shown_rows};
use crate::{Metric, Outcomes};

/// Resamples of a bootstrap, and sign patterns of a permutation test.
pub const RESAMPLES: usize = 10_000;

/// How sure intervals are, and what they are drawn with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Confidence {
    /// Percent of the resamples inside an interval, between 0 and 100.
    pub percent: f64,
    /// Seed of the resamples.
    pub seed: u64,
}

/// The range of a figure in percent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(into = "[f64; 2]")]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The intervals of all figures of a test.
#[derive(Debug, Clone, PartialEq)]
pub struct Intervals {
    /// How sure they are.
    pub confidence: Confidence,
    /// What was measured.
    pub metrics: Vec<Metric>,
    /// Number of subjects.
    pub subjects: usize,
    /// Names of the groups of probes, and `mean`.
    pub rows: Vec<String>,
    /// The figure of each row, per metric, and its interval; `None` where the data has nothing to
    /// compare or a single subject.
    pub figures: Vec<Vec<Option<(f64, Interval)>>>,
}

impl From<Interval> for [f64; 2] {
    fn from(interval: Interval) -> Self {
        [interval.low, interval.high]
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or(1);
        if f.sign_plus() {
            return write!(f, "[{:+.decimals$}, {:+.decimals$}]", self.low, self.high);
        }
        write!(f, "[{:.decimals$}, {:.decimals$}]", self.low, self.high)
    }
}

impl Interval {
    /// The range of `values` without equal shares at both ends. Between two values, the line through
    /// them counts, as in numpy's default quantiles.
    fn of(mut values: Vec<f64>, percent: f64) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let quantile = |share: f64| {
            let place = share * (values.len().checked_sub(1)?) as f64;
            let below = *values.get(place.floor() as usize)?;
            let above = *values.get(place.ceil() as usize)?;
            Some(below + (above - below) * place.fract())
        };
        let outside = (1.0 - percent / 100.0) / 2.0;
        Some(Self { low: quantile(outside)?, high: quantile(1.0 - outside)? })
    }
}

impl Outcomes {
    /// The confidence interval of every figure. Equal outcomes and seeds give equal intervals, with
    /// any number of threads.
    ///
    /// # Errors
    /// The watch asks to stop.
    pub fn intervals(&self, confidence: Confidence, watch: &Watch) -> Result<Intervals, Stopped> {
        let resampled = self.resampled(confidence.seed, watch)?;
        let everyone = vec![1.0; self.subjects.len()];
        let rows = self.row_names();
        let mut figures = vec![Vec::new(); rows.len()];
        for metric in 0..self.metrics.len() {
            let whole = self.figures(metric, &everyone);
            for (row, figure) in whole.into_iter().enumerate() {
                let values = resampled.iter().filter_map(|all| all[metric][row]).collect();
                let interval = Interval::of(values, confidence.percent);
                let several = self.subjects.len() > 1;
                figures[row].push(figure.zip(interval).filter(|_| several));
            }
        }
        let subjects = self.subjects.len();
        Ok(Intervals { confidence, metrics: self.metrics.clone(), subjects, rows, figures })
    }

    /// The names of the groups and `mean`.
    pub(crate) fn row_names(&self) -> Vec<String> {
        let groups = self.groups.iter().map(|group| group.name.clone());
        groups.chain(["mean".to_owned()]).collect()
    }

    /// The figures of every resample, by metric and then by row.
    fn resampled(&self, seed: u64, watch: &Watch) -> Result<Vec<Vec<Vec<Option<f64>>>>, Stopped> {
        let done = AtomicU64::new(0);
        let resample = |stream: usize| {
            watch.check()?;
            let draws = draws(self.subjects.len(), seed, stream as u64);
            let figures =
                (0..self.metrics.len()).map(|metric| self.figures(metric, &draws)).collect();
            let before = done.fetch_add(1, Ordering::Relaxed);
            if before % 100 == 99 {
                watch.report(before + 1, RESAMPLES as u64);
            }
            Ok(figures)
        };
        (0..RESAMPLES).into_par_iter().map(resample).collect()
    }
}

/// How often each of some subjects is drawn.
fn draws(subjects: usize, seed: u64, stream: u64) -> Vec<f64> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(stream);
    let mut draws = vec![0.0; subjects];
    for _ in 0..subjects {
        draws[generator.random_range(0..subjects)] += 1.0;
    }
    draws
}

impl fmt::Display for Intervals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}% confidence intervals: bootstrap over {} subjects, {RESAMPLES} resamples",
            self.confidence.percent, self.subjects
        )?;
        let cell = |figure: &Option<(f64, Interval)>| match figure {
            Some((figure, interval)) => format!("{figure:.1} {interval}"),
            None => "-".to_owned(),
        };
        let row = |(name, figures): (&String, &Vec<_>)| {
            ([name.clone(), String::new()], figures.iter().map(cell).collect())
        };
        let headings = self.metrics.iter().map(ToString::to_string).collect();
        let shown = shown_rows(self.rows.len());
        let rows = self.rows.iter().zip(&self.figures).take(shown).map(row).collect();
        write!(f, "{}", Grid { headings, rows })
    }
}

impl Intervals {
    /// The intervals as JSON: `percent`, `resamples`, `seed`, `subjects`, and for each metric the
    /// lower and the upper end by group and of the `mean`.
    pub fn to_json(&self) -> Value {
        let mut root = Map::new();
        root.insert("percent".to_owned(), json!(self.confidence.percent));
        root.insert("resamples".to_owned(), json!(RESAMPLES));
        root.insert("seed".to_owned(), json!(self.confidence.seed));
        root.insert("subjects".to_owned(), json!(self.subjects));
        for (at, metric) in self.metrics.iter().enumerate() {
            let interval = |figures: &Vec<Option<(f64, Interval)>>| {
                json!(figures[at].map(|(_, interval)| interval))
            };
            let rows = self.rows.iter().zip(&self.figures);
            let rows: Map<_, _> =
                rows.map(|(name, figures)| (name.clone(), interval(figures))).collect();
            root.insert(metric.key(), rows.into());
        }
        root.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcomes::tests::one_group;

    fn interval(outcomes: &Outcomes, percent: f64, seed: u64) -> Option<(f64, Interval)> {
        let found = outcomes.intervals(Confidence { percent, seed }, &Watch::silent()).unwrap();
        found.figures[0][0]
    }

    #[test]
    fn two_opposite_subjects_have_known_quantiles() {
        // A resample has both subjects in half of all cases, and twice the same one otherwise.
        let outcomes = one_group(&[3, 3], &[3.0, 0.0]);
        let range = |percent| interval(&outcomes, percent, 1).map(|(_, i)| (i.low, i.high));
        assert_eq!(range(95.0), Some((0.0, 100.0)));
        assert_eq!(range(40.0), Some((50.0, 50.0)));
    }

    #[test]
    fn many_subjects_have_the_interval_of_the_normal_distribution() {
        // 400 people with one probe, of whom 280 are recognised: 70%, standard error 2.29.
        let sums: Vec<f64> = (0..400).map(|s| f64::from(u8::from(s < 280))).collect();
        let (figure, found) = interval(&one_group(&[1; 400], &sums), 95.0, 7).unwrap();
        let spread = 1.96 * 100.0 * (0.7f64 * 0.3 / 400.0).sqrt();
        assert_eq!(figure, 70.0);
        // The figures of resamples are multiples of 0.25, and the ends vary with the seed.
        assert!((found.low - (70.0 - spread)).abs() < 0.4, "{found}");
        assert!((found.high - (70.0 + spread)).abs() < 0.4, "{found}");
    }

    #[test]
    fn a_seed_decides_and_one_subject_has_no_interval() {
        let outcomes = one_group(&[1; 9], &[1.0, 0.0, 1.0, 0.25, 0.5, 1.0, 0.125, 0.75, 0.3]);
        assert_eq!(interval(&outcomes, 90.0, 1), interval(&outcomes, 90.0, 1));
        assert_ne!(interval(&outcomes, 90.0, 1), interval(&outcomes, 90.0, 2));
        assert_eq!(interval(&one_group(&[4], &[2.0]), 90.0, 1), None);
    }

    #[test]
    fn intervals_print_and_convert_to_json() {
        let outcomes = one_group(&[3, 3], &[3.0, 0.0]);
        let confidence = Confidence { percent: 95.0, seed: 1 };
        let found = outcomes.intervals(confidence, &Watch::silent()).unwrap();
        let printed = found.to_string();
        assert!(printed.contains("\nALL  50.0 [0.0, 100.0]\n"), "{printed}");
        assert_eq!(found.to_json()["rank1"]["ALL"], json!([0.0, 100.0]));
    }
}
