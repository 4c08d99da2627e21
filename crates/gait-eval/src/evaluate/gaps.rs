//! Notes what a protocol looked for in the data and did not find.

use std::collections::BTreeSet;

use super::{Cells, Data, Tally};
use crate::note::Note;
use crate::protocol::ProbeGroup;
use crate::selection::Chosen;
use crate::{Average, IdenticalViews};

impl Data<'_> {
    /// Notes what a group lacks in the data, and how the figures treat it.
    pub(super) fn note_gaps(
        &self,
        group: &ProbeGroup,
        chosen: &Chosen,
        cells: &Cells,
        whole: &Tally,
        notes: &mut Vec<Note>,
    ) {
        let name = || group.name.clone();
        let probes = chosen.probes.len();
        if probes == 0 {
            notes.push(Note::NoProbes { group: name() });
            return;
        }
        if chosen.gallery.is_empty() {
            notes.push(Note::NoGallery { group: name() });
            return;
        }
        let compared = whole.matched + whole.unmatched;
        let by_view = self.protocol.average == Average::ViewPairs;
        if by_view {
            self.note_missing_pairs(group, chosen, cells, notes);
        } else if compared < probes {
            let left_out = probes - compared;
            notes.push(Note::ProbesWithoutGallery { group: name(), left_out, probes });
        }
        if whole.unmatched > 0 {
            notes.push(Note::Unmatched {
                group: name(),
                unmatched: whole.unmatched,
                compared,
                by_view,
                counted: self.protocol.unmatched_probes,
            });
        }
    }

    fn note_missing_pairs(
        &self,
        group: &ProbeGroup,
        chosen: &Chosen,
        cells: &Cells,
        notes: &mut Vec<Note>,
    ) {
        let views_of = |indices: &[usize]| -> BTreeSet<usize> {
            indices.iter().map(|&i| self.pairs.view(i)).collect()
        };
        let views = views_of(&chosen.probes).union(&views_of(&chosen.gallery)).count();
        let diagonal = if self.pairs.identical_views == IdenticalViews::Keep { views } else { 0 };
        let pairs = views * (views - 1) + diagonal;
        if cells.len() < pairs {
            let missing = pairs - cells.len();
            notes.push(Note::MissingPairs { group: group.name.clone(), missing, pairs });
        }
    }
}
