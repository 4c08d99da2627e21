//! What each subject contributes to the figures of a test.
//!
//! A figure is a mean over cells (pairs of views, views, or one cell for all probes) of the mean
//! outcome of their probes. It is therefore a weighted sum of ratios, whose numerators and
//! denominators are sums over subjects. With these sums, a figure can be computed again for other
//! subjects, such as those of a bootstrap, without any distance.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::Metric;

/// The outcomes of a test, summed for each subject of its probes.
///
/// [`Evaluation::to_json`](crate::Evaluation::to_json) keeps them as `outcomes`, and
/// [`Outcomes::from_json`] reads them from there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcomes {
    /// The protocol's name.
    pub protocol: String,
    /// The [fingerprint](crate::Protocol::fingerprint) of its rules.
    pub rules: String,
    /// What was measured.
    pub metrics: Vec<Metric>,
    /// The subjects of the probes of all groups, in the order of their names.
    pub subjects: Vec<String>,
    /// The groups of probes, as the protocol orders them.
    pub groups: Vec<GroupOutcomes>,
}

/// The outcomes of one group of probes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupOutcomes {
    /// The group's name.
    pub name: String,
    /// Whether it counts in the mean over groups.
    pub in_mean: bool,
    /// For each metric, the ratios whose weighted sum is the group's figure; none if the data has
    /// nothing to compare.
    pub ratios: Vec<Vec<Ratio>>,
}

/// Cells with the same number of probes of every subject, taken together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ratio {
    /// The share of these cells in the figure; the weights of a figure add up to 1.
    pub weight: f64,
    /// Comparisons of each subject: its probes in each of these cells.
    pub counts: Vec<u32>,
    /// The sum of their outcomes, each from 0 to 1.
    #[serde(serialize_with = "briefly")]
    pub sums: Vec<f64>,
}

/// A result without the outcomes of subjects, or with such that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutcomesError {
    /// There are none.
    #[error("it has no outcomes by subject")]
    Missing,
    /// They have another form.
    #[error("its outcomes by subject cannot be read: {0}")]
    Form(String),
    /// Parts of them do not fit each other.
    #[error("its outcomes by subject contradict each other in group {0}")]
    Inconsistent(String),
}

impl Outcomes {
    /// The outcomes in a result that [`Evaluation::to_json`](crate::Evaluation::to_json) wrote.
    ///
    /// # Errors
    /// There are none, or they are damaged.
    pub fn from_json(result: &Value) -> Result<Self, OutcomesError> {
        let found = result.get("outcomes").ok_or(OutcomesError::Missing)?;
        let outcomes = Self::deserialize(found).map_err(|e| OutcomesError::Form(e.to_string()))?;
        match outcomes.groups.iter().find(|group| !outcomes.fits(group)) {
            Some(group) => Err(OutcomesError::Inconsistent(group.name.clone())),
            None => Ok(outcomes),
        }
    }

    fn fits(&self, group: &GroupOutcomes) -> bool {
        let subjects = self.subjects.len();
        let whole = |ratio: &Ratio| {
            let possible = |(&sum, &count): (&f64, &u32)| (0.0..=f64::from(count)).contains(&sum);
            ratio.weight > 0.0
                && ratio.weight.is_finite()
                && ratio.counts.len() == subjects
                && ratio.sums.len() == subjects
                && ratio.counts.iter().any(|&count| count > 0)
                && ratio.sums.iter().zip(&ratio.counts).all(possible)
        };
        group.ratios.len() == self.metrics.len() && group.ratios.iter().flatten().all(whole)
    }

    /// The figure of each group in percent and then their mean, of one metric, if subject `s` takes
    /// part `draws[s]` times.
    pub(crate) fn figures(&self, metric: usize, draws: &[f64]) -> Vec<Option<f64>> {
        let mut figures: Vec<Option<f64>> =
            self.groups.iter().map(|group| group.figure(metric, draws)).collect();
        let counted = self.groups.iter().zip(&figures).filter(|(group, _)| group.in_mean);
        let counted: Vec<f64> = counted.filter_map(|(_, figure)| *figure).collect();
        let mean = counted.iter().sum::<f64>() / counted.len() as f64;
        figures.push((!counted.is_empty()).then_some(mean));
        figures
    }

    /// What each subject adds to the figure of each group in percent, and then to their mean. The
    /// numbers of a group add up to its figure.
    pub(crate) fn contributions(&self, metric: usize) -> Vec<Vec<f64>> {
        let subjects = self.subjects.len();
        let mut rows: Vec<Vec<f64>> =
            self.groups.iter().map(|group| group.contributions(metric, subjects)).collect();
        let counts = |group: &GroupOutcomes| group.in_mean && !group.ratios[metric].is_empty();
        let counted: Vec<usize> = (0..rows.len()).filter(|&at| counts(&self.groups[at])).collect();
        let mean = |s: usize| {
            counted.iter().map(|&at| rows[at][s]).sum::<f64>() / counted.len().max(1) as f64
        };
        let mean = (0..subjects).map(mean).collect();
        rows.push(mean);
        rows
    }

    pub(crate) fn ratios(&self) -> impl Iterator<Item = &Ratio> {
        self.groups.iter().flat_map(|group| group.ratios.iter().flatten())
    }

    pub(crate) fn ratios_mut(&mut self) -> impl Iterator<Item = &mut Ratio> {
        self.groups.iter_mut().flat_map(|group| group.ratios.iter_mut().flatten())
    }
}

impl GroupOutcomes {
    /// If no drawn subject has a probe in some cells, the others share their weight.
    fn figure(&self, metric: usize, draws: &[f64]) -> Option<f64> {
        let mut weighted = 0.0;
        let mut weights = 0.0;
        for ratio in &self.ratios[metric] {
            let count = dot(draws, &ratio.counts);
            if count > 0.0 {
                weighted += ratio.weight * dot(draws, &ratio.sums) / count;
                weights += ratio.weight;
            }
        }
        (weights > 0.0).then(|| 100.0 * weighted / weights)
    }

    fn contributions(&self, metric: usize, subjects: usize) -> Vec<f64> {
        let mut contributions = vec![0.0; subjects];
        for ratio in &self.ratios[metric] {
            let count: f64 = ratio.counts.iter().map(|&count| f64::from(count)).sum();
            let scale = 100.0 * ratio.weight / count;
            contributions.iter_mut().zip(&ratio.sums).for_each(|(all, sum)| *all += scale * sum);
        }
        contributions
    }
}

/// Several running sums let the processor work on several products at once.
fn dot<T: Copy + Into<f64>>(draws: &[f64], values: &[T]) -> f64 {
    let (some_draws, last_draws) = draws.as_chunks::<8>();
    let (some_values, last_values) = values.as_chunks::<8>();
    let mut lanes = [0.0; 8];
    for (draws, values) in some_draws.iter().zip(some_values) {
        for lane in 0..8 {
            lanes[lane] += draws[lane] * values[lane].into();
        }
    }
    let last = last_draws.iter().zip(last_values).map(|(draw, value)| draw * (*value).into());
    lanes.iter().sum::<f64>() + last.sum::<f64>()
}

/// Whole numbers without a decimal point: most outcomes are 0 or 1.
fn briefly<S: Serializer>(sums: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    let brief = |&sum: &f64| {
        if sum.fract() == 0.0 { Value::from(sum as i64) } else { Value::from(sum) }
    };
    serializer.collect_seq(sums.iter().map(brief))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One group `ALL` with one ratio: counts and sums by subject.
    pub fn one_group(counts: &[u32], sums: &[f64]) -> Outcomes {
        let ratio = Ratio { weight: 1.0, counts: counts.to_vec(), sums: sums.to_vec() };
        Outcomes {
            protocol: "mine".to_owned(),
            rules: "0".to_owned(),
            metrics: vec![Metric::Rank(1)],
            subjects: (0..counts.len()).map(|subject| format!("{subject:03}")).collect(),
            groups: vec![GroupOutcomes {
                name: "ALL".to_owned(),
                in_mean: true,
                ratios: vec![vec![ratio]],
            }],
        }
    }

    #[test]
    fn figures_are_those_of_the_drawn_subjects() {
        let mut outcomes = one_group(&[2, 1, 0], &[2.0, 0.0, 0.0]);
        let other = Ratio { weight: 3.0, counts: vec![0, 0, 4], sums: vec![0.0, 0.0, 1.0] };
        outcomes.groups[0].ratios[0].push(other);
        let figure = |draws: &[f64]| outcomes.figures(0, draws)[0];
        assert_eq!(figure(&[1.0, 1.0, 1.0]), Some(100.0 * (2.0 / 3.0 + 3.0 * 0.25) / 4.0));
        assert_eq!(figure(&[1.0, 2.0, 0.0]), Some(50.0), "the second ratio has nobody");
        assert_eq!(figure(&[0.0, 0.0, 0.0]), None);
    }

    #[test]
    fn contributions_add_up_to_the_figure() {
        let outcomes = one_group(&[2, 1, 1], &[2.0, 0.5, 0.0]);
        let [group, mean] = outcomes.contributions(0).try_into().unwrap();
        assert_eq!(group, [50.0, 12.5, 0.0]);
        assert_eq!(mean, group);
    }

    #[test]
    fn json_keeps_outcomes_and_damage_is_noticed() {
        let outcomes = one_group(&[2, 3], &[2.0, 1.5]);
        let json = serde_json::json!({ "outcomes": outcomes });
        assert!(json.to_string().contains("\"sums\":[2,1.5]"), "{json}");
        assert_eq!(Outcomes::from_json(&json), Ok(outcomes.clone()));
        assert_eq!(Outcomes::from_json(&Value::Null), Err(OutcomesError::Missing));
        for (counts, sums) in [(vec![2], vec![2.0, 1.5]), (vec![1, 3], vec![2.0, 1.5])] {
            let mut damaged = outcomes.clone();
            damaged.groups[0].ratios[0][0].counts = counts;
            damaged.groups[0].ratios[0][0].sums = sums;
            let read = Outcomes::from_json(&serde_json::json!({ "outcomes": damaged }));
            assert_eq!(read, Err(OutcomesError::Inconsistent("ALL".to_owned())));
        }
    }
}
