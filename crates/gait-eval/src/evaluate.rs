//! Runs a protocol: compares probes with galleries and averages what the metrics give.

mod gaps;

use std::collections::BTreeMap;

use crate::copies::Copies;
use crate::evaluation::{mean, rounded, sum};
use crate::metric::ProbeOutcome;
use crate::note::Note;
use crate::pairs::Pairs;
use crate::protocol::{ProbeGroup, UnmatchedProbes};
use crate::rows::relative_rows;
use crate::selection::{self, Chosen};
use crate::{
    Average, Distance, Embeddings, EvalError, Evaluation, GroupResult, Metric, PairResult,
    Protocol, ViewResult, Watch,
};

/// Tests embeddings with a protocol.
///
/// Of gallery sequences at equal distance, the one that comes first in `e` ranks first. A sequence
/// is never compared with itself. View pairs and groups that the data does not have are left out of
/// the means and named in the notes. If the whole test has only one view, identical views cannot be
/// excluded: they are compared, and a note says so.
///
/// # Errors
/// [`EvalError::Misfit`] if the data has no gallery or no probes for the protocol,
/// [`EvalError::Range`] if distances exceed single precision, [`EvalError::Stopped`] if the watch
/// asks to stop.
pub fn evaluate(
    e: &Embeddings,
    protocol: &Protocol,
    distance: Distance,
    watch: &Watch,
) -> Result<Evaluation, EvalError> {
    let mut notes = Vec::new();
    let chosen = selection::select(&e.names(), protocol, &mut notes)?;
    let pairs = Pairs::new(e, protocol, &chosen, &mut notes);
    let copies = Copies::find(e);
    let data = Data { e, protocol, distance, pairs, copies };
    let total: usize = chosen.iter().map(|c| c.probes.len()).sum();
    let mut done = 0;
    let mut groups = Vec::new();
    for (group, chosen) in protocol.groups.iter().zip(&chosen) {
        let progress = |part: u64, _: u64| (watch.progress)(done + part, total as u64);
        let watch = Watch { progress: &progress, stop: watch.stop };
        let cells = data.compare(chosen, &watch)?;
        done += chosen.probes.len() as u64;
        groups.push(data.result(group, chosen, &cells, &mut notes));
    }
    let counted = || protocol.groups.iter().zip(&groups).filter(|(group, _)| group.in_mean);
    let mean_of = |at: usize| mean(counted().map(|(_, result)| result.values[at]));
    Ok(Evaluation {
        protocol: protocol.name.clone(),
        distance,
        metrics: protocol.metrics.clone(),
        average: protocol.average,
        identical_views: data.pairs.identical_views,
        mean: (0..protocol.metrics.len()).map(mean_of).collect(),
        groups,
        sequences: e.len(),
        notes,
        published: protocol.published.clone(),
        view_unit: protocol.view_unit.clone(),
    })
}

/// The probes of one view against one part of the gallery.
#[derive(Debug, Clone, Default)]
struct Cell {
    matched: usize,
    unmatched: usize,
    /// Sum over the matched probes, per metric.
    sums: Vec<f64>,
}

impl Cell {
    fn add(&mut self, outcome: Option<&ProbeOutcome>, metrics: &[Metric]) {
        self.sums.resize(metrics.len(), 0.0);
        let Some(outcome) = outcome else {
            self.unmatched += 1;
            return;
        };
        self.matched += 1;
        for (sum, metric) in self.sums.iter_mut().zip(metrics) {
            *sum += outcome.score(*metric);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.sums.resize(other.sums.len(), 0.0);
        self.matched += other.matched;
        self.unmatched += other.unmatched;
        self.sums.iter_mut().zip(&other.sums).for_each(|(a, b)| *a += b);
    }

    /// The means in percent, per metric.
    fn values(&self, protocol: &Protocol) -> Vec<Option<f64>> {
        let value = |(metric, sum): (&Metric, &f64)| {
            let wrong = protocol.unmatched_probes == UnmatchedProbes::Wrong;
            let counts = matches!(metric, Metric::Rank(_)) && wrong;
            let n = self.matched + if counts { self.unmatched } else { 0 };
            (n > 0).then(|| rounded(100.0 * sum / n as f64, protocol.decimals))
        };
        protocol.metrics.iter().zip(&self.sums).map(value).collect()
    }
}

/// Cells by (probe view, gallery view); one gallery view stands for all unless pairs are averaged.
type Cells = BTreeMap<(usize, usize), Cell>;

struct Data<'a> {
    e: &'a Embeddings,
    protocol: &'a Protocol,
    distance: Distance,
    pairs: Pairs<'a>,
    copies: Copies,
}

impl Data<'_> {
    fn compare(&self, chosen: &Chosen, watch: &Watch) -> Result<Cells, EvalError> {
        let parts = self.pairs.parts(&chosen.gallery, self.protocol.average);
        let rank = |at: usize, row: &[f32]| {
            let ranked = |(&view, positions): (&usize, &Vec<usize>)| {
                Some((view, self.rank(chosen, at, positions, row)?))
            };
            parts.iter().filter_map(ranked).collect::<Vec<_>>()
        };
        let Chosen { probes, gallery } = chosen;
        let outcomes = match &self.protocol.rerank {
            Some(rerank) => rerank.map_rows(self.e, self.distance, probes, gallery, watch, rank)?,
            None => relative_rows(self.e, self.distance, probes, gallery, watch, rank)?,
        };
        let mut cells = Cells::new();
        for (&probe, outcomes) in probes.iter().zip(&outcomes) {
            for (gallery_view, outcome) in outcomes {
                let cell = cells.entry((self.pairs.view(probe), *gallery_view)).or_default();
                cell.add(outcome.as_ref(), &self.protocol.metrics);
            }
        }
        Ok(cells)
    }

    /// How one probe ranks the given positions of the gallery. The outer `None` means that there is
    /// nothing to compare it with, the inner one that none of it is of the probe's subject.
    fn rank(
        &self,
        chosen: &Chosen,
        at: usize,
        positions: &[usize],
        row: &[f32],
    ) -> Option<Option<ProbeOutcome>> {
        let probe = chosen.probes[at];
        let entries = positions.iter().filter_map(|&position| {
            let i = chosen.gallery[position];
            let entry = || (row[position], self.pairs.same_subject(i, probe));
            self.pairs.compared(probe, i).then(entry)
        });
        entries.clone().next()?;
        Some(ProbeOutcome::from_gallery(&entries))
    }

    fn result(
        &self,
        group: &ProbeGroup,
        chosen: &Chosen,
        cells: &Cells,
        notes: &mut Vec<Note>,
    ) -> GroupResult {
        let metrics = &self.protocol.metrics;
        let values = |cell: &Cell| cell.values(self.protocol);
        let name = |view: usize| self.pairs.view_name(view).to_owned();
        let pairs: Vec<PairResult> = cells
            .iter()
            .map(|((probe_view, gallery_view), cell)| PairResult {
                probe_view: name(*probe_view),
                gallery_view: name(*gallery_view),
                probes: cell.matched + cell.unmatched,
                values: values(cell),
            })
            .collect();
        let mut whole = Cell::default();
        cells.values().for_each(|cell| whole.merge(cell));
        self.note_gaps(group, chosen, cells, &whole, notes);
        let duplicates = self.duplicates(chosen);
        if duplicates > 0 {
            let probes = chosen.probes.len();
            notes.push(Note::Duplicates { group: group.name.clone(), duplicates, probes });
        }
        let mut made = GroupResult {
            name: group.name.clone(),
            probes: chosen.probes.len(),
            gallery: chosen.gallery.len(),
            duplicates,
            values: vec![None; metrics.len()],
            views: Vec::new(),
            pairs: Vec::new(),
            published: group.published.clone(),
            published_views: Vec::new(),
        };
        if self.protocol.average == Average::Probes {
            if !cells.is_empty() {
                made.values = values(&whole);
            }
            return made;
        }
        made.views = view_means(&pairs, metrics.len());
        made.values =
            (0..metrics.len()).map(|m| mean(made.views.iter().map(|v| v.values[m]))).collect();
        made.published_views = published_views(group, &made.views);
        if self.protocol.average == Average::ViewPairs {
            made.pairs = pairs;
        }
        made
    }

    /// Probes that are compared with an exact copy of their own embedding.
    fn duplicates(&self, chosen: &Chosen) -> usize {
        let compared = |probe: usize, i: usize| {
            self.pairs.compared(probe, i) && chosen.gallery.binary_search(&i).is_ok()
        };
        let has_copy =
            |&&probe: &&usize| self.copies.same_as(probe).iter().any(|&i| compared(probe, i));
        chosen.probes.iter().filter(has_copy).count()
    }
}

/// The mean over gallery views of each probe view, in the order in which views are shown.
fn view_means(pairs: &[PairResult], metrics: usize) -> Vec<ViewResult> {
    let mut by_view: BTreeMap<&str, Vec<&PairResult>> = BTreeMap::new();
    for pair in pairs {
        by_view.entry(&pair.probe_view).or_default().push(pair);
    }
    let mut views: Vec<ViewResult> = by_view
        .into_iter()
        .map(|(view, pairs)| ViewResult {
            view: view.to_owned(),
            values: (0..metrics).map(|m| row_mean(view, &pairs, m)).collect(),
        })
        .collect();
    // Angles in the order of their size, other views of their names.
    let angle = |view: &ViewResult| angle(&view.view);
    if views.iter().all(|v| angle(v).is_some()) {
        views.sort_by(|a, b| angle(a).unwrap_or(0.0).total_cmp(&angle(b).unwrap_or(0.0)));
    }
    views
}

/// The mean of one probe view over the gallery views that it was compared with.
///
/// In the row that is summed, an excluded identical view is a zero, as in published code: this
/// changes the places of the others in [`sum`], and with them its rounding.
fn row_mean(view: &str, pairs: &[&PairResult], metric: usize) -> Option<f64> {
    let values = pairs.iter().filter_map(|p| Some((p.gallery_view.as_str(), p.values[metric]?)));
    let mut row: Vec<(&str, f64)> = values.collect();
    let n = row.len();
    if let Err(place) = row.binary_search_by(|(gallery_view, _)| gallery_view.cmp(&view)) {
        row.insert(place, (view, 0.0));
    }
    let row: Vec<f64> = row.into_iter().map(|(_, value)| value).collect();
    (n > 0).then(|| sum(&row) / n as f64)
}

/// A view's name as a number, if it is a plain decimal one.
pub(crate) fn angle(view: &str) -> Option<f64> {
    let plain = view.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-'));
    view.parse().ok().filter(|_| plain)
}

fn published_views(group: &ProbeGroup, views: &[ViewResult]) -> Vec<f64> {
    let same = |a: &str, b: &str| a == b || angle(a).is_some_and(|x| angle(b) == Some(x));
    let find = |view: &ViewResult| {
        group.published_views.iter().find(|(name, _)| same(name, &view.view)).map(|(_, p)| *p)
    };
    let found: Option<Vec<f64>> = views.iter().map(find).collect();
    found.filter(|found| found.len() == group.published_views.len()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IdenticalViews, Name};

    const CASIA: [&str; 3] = ["nm-01", "nm-05", "cl-01"];

    /// One-dimensional embeddings: subject 0 at 0, subject 1 at 10; a coat moves both by `coat`.
    fn walkers(views: &[&str], conditions: &[&str], coat: f32) -> Embeddings {
        let mut values = Vec::new();
        let mut names = Vec::new();
        for subject in 0..2u8 {
            for condition in conditions {
                for view in views {
                    let moved = if condition.starts_with("cl") { coat } else { 0.0 };
                    values.push(f32::from(subject) * 10.0 + moved);
                    names.push((subject.to_string(), (*condition).to_owned(), (*view).to_owned()));
                }
            }
        }
        Embeddings::new(1, 1, values, names).unwrap()
    }

    fn renamed(e: &Embeddings, rename: impl Fn(Name<'_>) -> Name<'_>) -> Embeddings {
        let owned = |name: Name| (name.subject.into(), name.condition.into(), name.view.into());
        let names = e.names().into_iter().map(|name| owned(rename(name)));
        Embeddings::new(e.channels(), e.strips(), e.values().to_vec(), names).unwrap()
    }

    fn test(e: &Embeddings, protocol: &str) -> Result<Evaluation, EvalError> {
        evaluate(e, &Protocol::builtin(protocol).unwrap(), Distance::Strips, &Watch::silent())
    }

    #[test]
    fn groups_and_views_follow_the_protocol() {
        // A coat moves subject 0 to 7, nearer to subject 1; subject 1 stays the nearest to 17.
        let result = test(&walkers(&["000", "090"], &CASIA, 7.0), "casia-b").unwrap();
        let values: Vec<_> = result.groups.iter().map(|g| g.values[0]).collect();
        assert_eq!(values, [Some(100.0), None, Some(50.0)]);
        assert_eq!(result.mean, [Some(75.0)]);
        assert_eq!(result.groups[0].views.len(), 2);
        assert_eq!(result.groups[0].pairs.len(), 2, "identical views are excluded");
        let expected = Note::NoProbes { group: "BG".to_owned() };
        assert!(result.notes.contains(&expected), "{:?}", result.notes);
        let line = "BG has no probes in this data and is left out of the mean";
        assert_eq!(expected.to_string(), line);
    }

    #[test]
    fn one_view_is_compared_with_itself_and_noted() {
        let result = test(&walkers(&["090"], &CASIA, 0.0), "casia-b").unwrap();
        assert_eq!(result.groups[0].values, [Some(100.0)]);
        assert_eq!(result.identical_views, IdenticalViews::Keep);
        assert!(result.notes[0].to_string().contains("one view (090)"), "{:?}", result.notes);
    }

    #[test]
    fn gaps_are_left_out_of_means_and_counted() {
        let e = walkers(&["000", "090"], &["nm-01", "nm-05"], 0.0);
        // The gallery loses view 000: probes of view 090 have nothing to be compared with.
        let e = renamed(&e, |name| {
            let lost = name.condition == "nm-01" && name.view == "000";
            Name { condition: if lost { "other" } else { name.condition }, ..name }
        });
        let result = test(&e, "casia-b").unwrap();
        assert_eq!(result.groups[0].views.len(), 1);
        assert_eq!(result.groups[0].values, [Some(100.0)]);
        assert!(
            result.notes[0].to_string().starts_with("NM: 1 of 2 pairs of views"),
            "{:?}",
            result.notes
        );
    }

    #[test]
    fn a_probe_without_gallery_identity_is_wrong() {
        let e = walkers(&["000", "090"], &["nm-01", "nm-05"], 0.0);
        let e = renamed(&e, |name| {
            let lost = name.condition == "nm-01" && name.subject == "1";
            Name { subject: if lost { "2" } else { name.subject }, ..name }
        });
        let result = test(&e, "casia-b").unwrap();
        assert_eq!(result.groups[0].values, [Some(50.0)]);
        assert!(result.notes[0].to_string().contains("2 of 4 comparisons"), "{:?}", result.notes);
    }

    #[test]
    fn leave_one_out_fits_any_data_and_skips_the_sequence_itself() {
        let result = test(&walkers(&["x"], &["walk", "run"], 0.0), "leave-one-out").unwrap();
        assert_eq!(result.groups[0].values, [Some(100.0), Some(100.0), Some(100.0)]);
        let alone = test(&walkers(&["x"], &["walk"], 0.0), "leave-one-out").unwrap();
        assert_eq!(alone.groups[0].values, [None, None, None]);
        assert!(alone.notes[0].to_string().contains("2 of 2 probes"), "{:?}", alone.notes);
    }

    #[test]
    fn probes_with_a_copy_of_themselves_are_counted_and_noted() {
        // Both people have one sequence, and the file holds everything twice.
        let twice = walkers(&["x"], &["walk", "walk"], 0.0);
        let result = test(&twice, "leave-one-out").unwrap();
        assert_eq!(result.groups[0].duplicates, 4);
        assert_eq!(result.to_json(0.0)["duplicates"]["ALL"], 4);
        assert!(result.to_string().contains("note: ALL: 4 of 4 probes have an exact copy"));
        // A sequence is no copy of itself, and excluded views do not count.
        let once = test(&walkers(&["x"], &["walk"], 0.0), "leave-one-out").unwrap();
        assert_eq!(once.groups[0].duplicates, 0);
        let views = test(&walkers(&["0", "90"], &["nm-01", "nm-05"], 0.0), "casia-b").unwrap();
        assert_eq!(views.groups[0].duplicates, 4, "from the other view");
    }

    #[test]
    fn a_misfit_names_what_the_data_has() {
        let error = test(&walkers(&["x"], &["walk", "run"], 0.0), "casia-b").unwrap_err();
        let message = gait_support::full_message(&error);
        assert!(message.contains("nm-01, nm-02") && message.contains("run, walk"), "{message}");
    }

    #[test]
    fn angles_are_shown_by_size_and_matched_by_value() {
        let result = test(&walkers(&["90", "8", "100"], &CASIA, 0.0), "casia-b").unwrap();
        let views: Vec<_> = result.groups[0].views.iter().map(|v| v.view.as_str()).collect();
        assert_eq!(views, ["8", "90", "100"]);
        let angles = ["0", "18", "36", "54", "72", "90", "108", "126", "144", "162", "180"];
        let full = test(&walkers(&angles, &CASIA, 0.0), "casia-b").unwrap();
        assert_eq!(full.groups[0].published_views[1], 98.8);
        assert!(result.groups[0].published_views.is_empty());
    }
}
