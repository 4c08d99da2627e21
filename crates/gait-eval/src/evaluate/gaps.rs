//! What a result says of the data that a protocol looked for and did not find.

use std::collections::BTreeSet;

use super::{Cell, Cells, Data};
use crate::selection::Chosen;
use crate::{Average, IdenticalViews, ProbeGroup, Unmatched};

impl Data<'_> {
    /// Notes what a group lacks in the data, and what became of it.
    pub(super) fn note_gaps(
        &self,
        group: &ProbeGroup,
        chosen: &Chosen,
        cells: &Cells,
        whole: &Cell,
        notes: &mut Vec<String>,
    ) {
        let (name, probes) = (&group.name, chosen.probes.len());
        if probes == 0 || chosen.gallery.is_empty() {
            let missing = if probes == 0 { "probes" } else { "gallery" };
            notes.push(format!("{name} has no {missing} in this data and is left out of the mean"));
            return;
        }
        let compared = whole.matched + whole.unmatched;
        let unit = match self.protocol.average {
            Average::ViewPairs => {
                self.note_missing_pairs(group, chosen, cells, notes);
                "comparisons of a probe with a view"
            }
            _ => "probes",
        };
        if self.protocol.average != Average::ViewPairs && compared < probes {
            let left = probes - compared;
            notes.push(format!(
                "{name}: {left} of {probes} probes have no gallery and are left out"
            ));
        }
        if whole.unmatched > 0 {
            let fate = match self.protocol.unmatched_probes {
                Unmatched::Wrong => "count as wrong",
                Unmatched::Skip => "are left out",
            };
            notes.push(format!(
                "{name}: {} of {compared} {unit} have no gallery sequence of their subject and {fate}",
                whole.unmatched
            ));
        }
    }

    fn note_missing_pairs(
        &self,
        group: &ProbeGroup,
        chosen: &Chosen,
        cells: &Cells,
        notes: &mut Vec<String>,
    ) {
        let of = |indices: &[usize]| -> BTreeSet<usize> {
            indices.iter().map(|&i| self.pairs.view(i)).collect()
        };
        let (probes, gallery) = (of(&chosen.probes), of(&chosen.gallery));
        let views = probes.union(&gallery).count();
        let diagonal = if self.pairs.identical_views == IdenticalViews::Keep { views } else { 0 };
        let wanted = views * (views - 1) + diagonal;
        if cells.len() < wanted {
            notes.push(format!(
                "{}: {} of {wanted} pairs of views have no probe or no gallery and are left out of \
                 the means",
                group.name,
                wanted - cells.len(),
            ));
        }
    }
}
