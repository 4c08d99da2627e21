//! The cells that figures are means of: the probes of one view against one part of the gallery.

use std::collections::BTreeMap;

use crate::evaluation::rounded;
use crate::metric::ProbeOutcome;
use crate::outcomes::Ratio;
use crate::protocol::UnmatchedProbes;
use crate::{Average, Metric, Protocol};

/// Cells by (probe view, gallery view); one gallery view stands for all unless pairs are averaged.
pub(super) type Cells = BTreeMap<(usize, usize), Cell>;

/// The probes of a cell: the place of each one's subject among those of all probes, and how it was
/// ranked; `None` if the gallery has no sequence of the subject.
pub(super) type Cell = Vec<(usize, Option<ProbeOutcome>)>;

/// The sums over probes that a figure is computed from.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub matched: usize,
    pub unmatched: usize,
    /// Sum over the matched probes, per metric.
    sums: Vec<f64>,
}

impl Tally {
    pub fn of(cell: &Cell, metrics: &[Metric]) -> Self {
        let matched = cell.iter().filter_map(|(_, outcome)| outcome.as_ref());
        let sum = |metric: &Metric| {
            matched.clone().fold(0.0, |sum, outcome| sum + outcome.score(*metric))
        };
        let sums = metrics.iter().map(sum).collect();
        let matched = matched.count();
        Self { matched, unmatched: cell.len() - matched, sums }
    }

    pub fn merge(&mut self, other: &Self) {
        self.sums.resize(other.sums.len(), 0.0);
        self.matched += other.matched;
        self.unmatched += other.unmatched;
        self.sums.iter_mut().zip(&other.sums).for_each(|(a, b)| *a += b);
    }

    /// The means in percent, per metric.
    pub fn values(&self, protocol: &Protocol) -> Vec<Option<f64>> {
        let value = |(metric, sum): (&Metric, &f64)| {
            let unmatched = if unmatched_count(protocol, *metric) { self.unmatched } else { 0 };
            let n = self.matched + unmatched;
            (n > 0).then(|| rounded(100.0 * sum / n as f64, protocol.decimals))
        };
        protocol.metrics.iter().zip(&self.sums).map(value).collect()
    }
}

/// Whether probes without a gallery sequence of their subject count in a metric.
fn unmatched_count(protocol: &Protocol, metric: Metric) -> bool {
    matches!(metric, Metric::Rank(_)) && protocol.unmatched_probes == UnmatchedProbes::Wrong
}

/// The ratios whose weighted sum is the figure of one metric, for so many subjects.
pub(super) fn ratios(
    cells: &Cells,
    metric: Metric,
    subjects: usize,
    protocol: &Protocol,
) -> Vec<Ratio> {
    let unmatched = unmatched_count(protocol, metric);
    let all = [(0, cells.values().flatten().collect())];
    let each = cells.iter().map(|((probe_view, _), cell)| (*probe_view, cell.iter().collect()));
    let cells: Vec<(usize, Vec<_>)> = match protocol.average {
        Average::Probes => all.into(),
        Average::Views | Average::ViewPairs => each.collect(),
    };
    let mut by_view: BTreeMap<usize, Vec<Ratio>> = BTreeMap::new();
    for (probe_view, cell) in cells {
        let mut ratio = Ratio { weight: 1.0, counts: vec![0; subjects], sums: vec![0.0; subjects] };
        for &&(subject, outcome) in &cell {
            let counts = outcome.is_some() || unmatched;
            ratio.counts[subject] += u32::from(counts);
            ratio.sums[subject] += outcome.map_or(0.0, |outcome| outcome.score(metric));
        }
        if ratio.counts.iter().any(|count| *count > 0) {
            by_view.entry(probe_view).or_default().push(ratio);
        }
    }
    let views = by_view.len();
    let weighted = by_view.into_values().flat_map(|of_view| {
        let weight = 1.0 / (views * of_view.len()) as f64;
        of_view.into_iter().map(move |ratio| Ratio { weight, ..ratio })
    });
    joined(weighted)
}

/// Joins ratios of equal weight whose counts are equal, which changes no figure.
fn joined(ratios: impl Iterator<Item = Ratio>) -> Vec<Ratio> {
    let mut alike: BTreeMap<(u64, Vec<u32>), (u32, Vec<f64>)> = BTreeMap::new();
    for Ratio { weight, counts, sums } in ratios {
        let key = (weight.to_bits(), counts);
        let (cells, all) = alike.entry(key).or_insert_with(|| (0, vec![0.0; sums.len()]));
        *cells += 1;
        all.iter_mut().zip(&sums).for_each(|(all, sum)| *all += sum);
    }
    let whole = |((weight, counts), (cells, sums)): ((u64, Vec<u32>), (u32, Vec<f64>))| Ratio {
        weight: f64::from_bits(weight) * f64::from(cells),
        counts: counts.into_iter().map(|count| count * cells).collect(),
        sums,
    };
    alike.into_iter().map(whole).collect()
}
