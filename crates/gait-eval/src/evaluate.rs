//! Runs a protocol: compares probes with galleries and averages what the metrics give.

mod cells;
mod gaps;
mod views;

use std::collections::BTreeSet;

use crate::bounds::{FirstPass, Row, Wanted, bounded_rows};
use crate::copies::Copies;
use crate::evaluation::mean;
use crate::metric::ProbeOutcome;
use crate::note::Note;
use crate::outcomes::{GroupOutcomes, Outcomes};
use crate::pairs::Pairs;
use crate::protocol::ProbeGroup;
use crate::selection::{self, Chosen};
use crate::{
    Average, Distance, Embeddings, EvalError, Evaluation, GroupResult, PairResult, Protocol, Watch,
};

use cells::{Cells, Tally, ratios};
use views::view_means;
pub(crate) use views::{angle, same_view};

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
    let first_pass = |pairs| FirstPass::choose(e, distance, pairs, Wanted::Places);
    evaluate_by(e, protocol, distance, &first_pass, watch)
}

/// Chooses the first pass over so many probes and gallery entries.
type ChooseFirstPass<'a> = &'a (dyn Fn([usize; 2]) -> Option<FirstPass> + Sync);

/// [`evaluate`] with a first pass of one's choice.
pub(crate) fn evaluate_by(
    e: &Embeddings,
    protocol: &Protocol,
    distance: Distance,
    first_pass: ChooseFirstPass,
    watch: &Watch,
) -> Result<Evaluation, EvalError> {
    let mut notes = Vec::new();
    let chosen = selection::select(&e.names(), protocol, &mut notes)?;
    let pairs = Pairs::new(e, protocol, &chosen, &mut notes);
    let copies = Copies::find(e);
    let probes = chosen.iter().flat_map(|c| &c.probes);
    let subjects: BTreeSet<usize> = probes.map(|&probe| pairs.subject(probe)).collect();
    let subjects = subjects.into_iter().collect();
    let data = Data { e, protocol, distance, first_pass, pairs, copies, subjects };
    let results = selection::each_group(protocol, &chosen, watch, |group, chosen, watch| {
        let cells = data.compare(chosen, watch)?;
        Ok((data.result(group, chosen, &cells, &mut notes), data.outcomes(group, &cells)))
    })?;
    let (groups, outcomes): (Vec<GroupResult>, Vec<GroupOutcomes>) = results.into_iter().unzip();
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
        outcomes: data.all_outcomes(outcomes),
        published: Vec::new(),
        view_unit: protocol.view_unit.clone(),
    })
}

struct Data<'a> {
    e: &'a Embeddings,
    protocol: &'a Protocol,
    distance: Distance,
    first_pass: ChooseFirstPass<'a>,
    pairs: Pairs<'a>,
    copies: Copies,
    /// The subjects of all probes, as numbers in ascending order.
    subjects: Vec<usize>,
}

impl Data<'_> {
    fn compare(&self, chosen: &Chosen, watch: &Watch) -> Result<Cells, EvalError> {
        let parts = self.pairs.parts(&chosen.gallery, self.protocol.average);
        let rank = |at: usize, row: &mut Row| {
            let ranked = |(&view, positions): (&usize, &Vec<usize>)| {
                let ranked = self.rank(chosen, at, positions, row).transpose()?;
                Some(ranked.map(|outcome| (view, outcome)))
            };
            parts.iter().filter_map(ranked).collect::<Result<Vec<_>, EvalError>>()
        };
        let Chosen { probes, gallery } = chosen;
        let outcomes = match &self.protocol.rerank {
            Some(rerank) => {
                let known = |at: usize, row: &[f32]| Row::known(row, |row| rank(at, row));
                let rows = rerank.map_rows(self.e, self.distance, probes, gallery, watch, known)?;
                rows.into_iter().collect::<Result<Vec<_>, EvalError>>()?
            }
            None => {
                let pass = (self.first_pass)([probes.len(), gallery.len()]);
                bounded_rows(self.e, self.distance, pass, [probes, gallery], watch, rank)?
            }
        };
        let mut cells = Cells::new();
        for (&probe, outcomes) in probes.iter().zip(outcomes) {
            let subject = self.pairs.subject(probe);
            let place = self.subjects.partition_point(|earlier| *earlier < subject);
            for (gallery_view, outcome) in outcomes {
                let cell = cells.entry((self.pairs.view(probe), gallery_view)).or_default();
                cell.push((place, outcome));
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
        row: &mut Row,
    ) -> Result<Option<Option<ProbeOutcome>>, EvalError> {
        let probe = chosen.probes[at];
        let entries = positions.iter().filter_map(|&position| {
            let i = chosen.gallery[position];
            let entry = || (position, self.pairs.same_subject(i, probe));
            self.pairs.compared(probe, i).then(entry)
        });
        if entries.clone().next().is_none() {
            return Ok(None);
        }
        ProbeOutcome::from_row(row, &entries).map(Some)
    }

    fn result(
        &self,
        group: &ProbeGroup,
        chosen: &Chosen,
        cells: &Cells,
        notes: &mut Vec<Note>,
    ) -> GroupResult {
        let metrics = &self.protocol.metrics;
        let name = |view: usize| self.pairs.view_name(view).to_owned();
        let mut whole = Tally::default();
        let mut pairs = Vec::new();
        for ((probe_view, gallery_view), cell) in cells {
            let tally = Tally::of(cell, metrics);
            whole.merge(&tally);
            pairs.push(PairResult {
                probe_view: name(*probe_view),
                gallery_view: name(*gallery_view),
                probes: cell.len(),
                values: tally.values(self.protocol),
            });
        }
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
        };
        if self.protocol.average == Average::Probes {
            if !cells.is_empty() {
                made.values = whole.values(self.protocol);
            }
            return made;
        }
        made.views = view_means(&pairs, metrics.len());
        made.values =
            (0..metrics.len()).map(|m| mean(made.views.iter().map(|v| v.values[m]))).collect();
        if self.protocol.average == Average::ViewPairs {
            made.pairs = pairs;
        }
        made
    }

    /// The outcomes of the subjects of a group.
    fn outcomes(&self, group: &ProbeGroup, cells: &Cells) -> GroupOutcomes {
        let subjects = self.subjects.len();
        let ratios = |&metric| ratios(cells, metric, subjects, self.protocol);
        GroupOutcomes {
            name: group.name.clone(),
            in_mean: group.in_mean,
            ratios: self.protocol.metrics.iter().map(ratios).collect(),
        }
    }

    fn all_outcomes(&self, groups: Vec<GroupOutcomes>) -> Outcomes {
        let name = |&subject: &usize| self.pairs.subject_name(subject).to_owned();
        Outcomes {
            protocol: self.protocol.name.clone(),
            rules: self.protocol.fingerprint(),
            metrics: self.protocol.metrics.clone(),
            subjects: self.subjects.iter().map(name).collect(),
            groups,
        }
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
    fn angles_are_shown_by_size() {
        let result = test(&walkers(&["90", "8", "100"], &CASIA, 0.0), "casia-b").unwrap();
        let views: Vec<_> = result.groups[0].views.iter().map(|v| v.view.as_str()).collect();
        assert_eq!(views, ["8", "90", "100"]);
    }
}
