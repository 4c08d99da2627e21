//! Decides which sequences of the gallery a probe is compared with.

use std::collections::{BTreeMap, BTreeSet};

use crate::note::Note;
use crate::selection::Chosen;
use crate::{Average, Embeddings, IdenticalViews, Protocol};

/// Subjects and views as numbers, and the rule that excludes gallery sequences.
pub(crate) struct Pairs<'a> {
    subjects: Vec<usize>,
    /// Names of the subjects by number.
    subject_names: Vec<&'a str>,
    views: Vec<usize>,
    /// Names of the views, as the protocol compares them, by number.
    view_names: Vec<&'a str>,
    pub identical_views: IdenticalViews,
}

impl<'a> Pairs<'a> {
    /// If there is one view only, identical views cannot be excluded: they are kept, and a note is
    /// added.
    pub fn new(
        e: &'a Embeddings,
        protocol: &Protocol,
        chosen: &[Chosen],
        notes: &mut Vec<Note>,
    ) -> Self {
        let views = e.views().iter().map(|view| protocol.view(view));
        let (view_names, views) = numbered(views);
        let (subject_names, subjects) = numbered(e.subjects().iter().map(String::as_str));
        let identical_views = protocol.identical_views;
        let mut pairs = Self { subjects, subject_names, views, view_names, identical_views };
        let tested = chosen.iter().filter(|c| !c.probes.is_empty());
        let seen: BTreeSet<usize> = tested
            .flat_map(|c| c.probes.iter().chain(&c.gallery))
            .map(|&i| pairs.views[i])
            .collect();
        if pairs.identical_views != IdenticalViews::Keep && seen.len() == 1 {
            pairs.identical_views = IdenticalViews::Keep;
            let view: String = seen.into_iter().map(|view| pairs.view_names[view]).collect();
            notes.push(Note::OneView { view, protocol: protocol.name.clone() });
        }
        pairs
    }

    /// The number of the subject of sequence `i`; numbers follow the order of the names.
    pub fn subject(&self, i: usize) -> usize {
        self.subjects[i]
    }

    /// The name of a subject by its number.
    pub fn subject_name(&self, subject: usize) -> &'a str {
        self.subject_names[subject]
    }

    /// The number of the view of sequence `i`; numbers follow the order of the names.
    pub fn view(&self, i: usize) -> usize {
        self.views[i]
    }

    /// The name of a view by its number.
    pub fn view_name(&self, view: usize) -> &'a str {
        self.view_names[view]
    }

    /// The parts of a gallery that a probe is compared with one by one, as positions in `gallery` by
    /// view; one part, under 0, unless pairs of views are averaged.
    pub fn parts(&self, gallery: &[usize], average: Average) -> BTreeMap<usize, Vec<usize>> {
        let mut parts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (position, &i) in gallery.iter().enumerate() {
            let part = if average == Average::ViewPairs { self.view(i) } else { 0 };
            parts.entry(part).or_default().push(position);
        }
        parts
    }

    /// Whether two sequences show the same person.
    pub fn same_subject(&self, a: usize, b: usize) -> bool {
        self.subjects[a] == self.subjects[b]
    }

    /// Whether a probe is compared with this sequence of the gallery; never with itself.
    pub fn compared(&self, probe: usize, i: usize) -> bool {
        let same_view = self.views[i] == self.views[probe];
        i != probe
            && match self.identical_views {
                IdenticalViews::Keep => true,
                IdenticalViews::Exclude => !same_view,
                IdenticalViews::ExcludeSameSubject => !same_view || !self.same_subject(i, probe),
            }
    }
}

/// Distinct names in order, and of each given name its place among them.
pub(crate) fn numbered<'a>(
    names: impl Iterator<Item = &'a str> + Clone,
) -> (Vec<&'a str>, Vec<usize>) {
    let sorted: Vec<&str> = names.clone().collect::<BTreeSet<_>>().into_iter().collect();
    let numbers = names.filter_map(|name| sorted.binary_search(&name).ok()).collect();
    (sorted, numbers)
}
