//! Finds the gallery and the probes of a protocol in the data.

use crate::misfit::{Misfit, Part};
use crate::note::Note;
use crate::pattern::Selector;
use crate::protocol::ProbeGroup;
use crate::{EvalError, Name, Protocol, Watch};

/// The probes and the gallery of one group, as indices of sequences in ascending order.
pub(crate) struct Chosen {
    pub probes: Vec<usize>,
    pub gallery: Vec<usize>,
}

impl Protocol {
    /// Checks that the protocol finds a gallery and probes among sequences of these names, before a
    /// network is trained or run on them.
    ///
    /// ```
    /// use gait_eval::{Name, Protocol};
    ///
    /// let names = ["walk", "run"].map(|condition| Name { subject: "anna", condition, view: "90" });
    /// assert!(Protocol::builtin("leave-one-out")?.check_names(&names).is_ok());
    /// let error = Protocol::builtin("casia-b")?.check_names(&names).unwrap_err();
    /// let problem = gait_support::full_message(&error);
    /// assert!(problem.contains("the 2 sequences have conditions run, walk"));
    /// # Ok::<(), gait_eval::EvalError>(())
    /// ```
    ///
    /// # Errors
    /// [`EvalError::Misfit`], as [`evaluate`](crate::evaluate()) would give it for embeddings of
    /// these names.
    pub fn check_names(&self, names: &[Name]) -> Result<(), EvalError> {
        select(names, self, &mut Vec::new()).map(drop)
    }
}

/// The probes and the gallery of each group of the protocol.
pub(crate) fn select(
    names: &[Name],
    protocol: &Protocol,
    notes: &mut Vec<Note>,
) -> Result<Vec<Chosen>, EvalError> {
    chosen(names, protocol, notes)
        .map_err(|reason| EvalError::Misfit { protocol: protocol.name.clone(), reason })
}

/// Works on one group of the protocol after the other; their progress is that of all their probes.
pub(crate) fn each_group<T>(
    protocol: &Protocol,
    chosen: &[Chosen],
    watch: &Watch,
    mut work: impl FnMut(&ProbeGroup, &Chosen, &Watch) -> Result<T, EvalError>,
) -> Result<Vec<T>, EvalError> {
    let total: usize = chosen.iter().map(|c| c.probes.len()).sum();
    let mut done = 0;
    let mut results = Vec::with_capacity(chosen.len());
    for (group, chosen) in protocol.groups.iter().zip(chosen) {
        let progress = |part: u64, _: u64| (watch.progress)(done + part, total as u64);
        results.push(work(group, chosen, &Watch { progress: &progress, stop: watch.stop })?);
        done += chosen.probes.len() as u64;
    }
    Ok(results)
}

fn chosen(
    names: &[Name],
    protocol: &Protocol,
    notes: &mut Vec<Note>,
) -> Result<Vec<Chosen>, Misfit> {
    let first = protocol.groups.first().ok_or(Misfit::NoPublicProbes)?;
    if names.is_empty() {
        return Err(Misfit::NoSequences);
    }
    note_gaps(names, protocol, notes);
    let mut chosen = Vec::new();
    for group in &protocol.groups {
        chosen.push(Chosen {
            probes: find(names, protocol, &group.probes)?,
            gallery: find(names, protocol, &group.gallery)?,
        });
    }
    if chosen.iter().all(|c| c.gallery.is_empty()) {
        return Err(Misfit::not_found(names, Part::Gallery, &first.gallery));
    }
    if chosen.iter().all(|c| c.probes.is_empty()) {
        return Err(Misfit::not_found(names, Part::Probes, &first.probes));
    }
    Ok(chosen)
}

/// The sequences of a selection, without those of the views that the protocol skips.
pub(crate) fn find(
    names: &[Name],
    protocol: &Protocol,
    selector: &Selector,
) -> Result<Vec<usize>, Misfit> {
    let listed = protocol.listed.as_ref();
    if selector.needs_list() && listed.is_none() {
        return Err(Misfit::NoList);
    }
    let in_list = |name: &Name| listed.is_some_and(|listed| listed.contains(&listed_name(name)));
    let selected = |name: &Name| !skipped(name, protocol) && selector.selects(name, in_list);
    Ok((0..names.len()).filter(|&i| selected(&names[i])).collect())
}

fn skipped(name: &Name, protocol: &Protocol) -> bool {
    protocol.skip_views.iter().any(|view| view == protocol.view(name.view))
}

/// The name of a sequence in the lists of OpenGait's partition files.
fn listed_name(name: &Name) -> String {
    format!("{}-{}-{}", name.subject, name.condition, name.view)
}

fn note_gaps(names: &[Name], protocol: &Protocol, notes: &mut Vec<Note>) {
    let skipped = names.iter().filter(|name| skipped(name, protocol)).count();
    if skipped > 0 {
        notes.push(Note::SkippedViews { sequences: skipped, views: protocol.skip_views.clone() });
    }
    if let Some(listed) = protocol.listed.as_ref().filter(|_| protocol.needs_listed()) {
        let present = names.iter().filter(|name| listed.contains(&listed_name(name))).count();
        if present < listed.len() {
            let missing = listed.len() - present;
            notes.push(Note::MissingProbes { missing, listed: listed.len() });
        }
    }
}

#[cfg(test)]
mod tests {
    use gait_support::full_message;

    use super::*;
    use crate::Embeddings;

    fn data(conditions: &[&str]) -> Embeddings {
        let names = conditions.iter().map(|c| ("7".to_owned(), (*c).to_owned(), "0".to_owned()));
        Embeddings::new(1, 1, vec![0.0; conditions.len()], names).unwrap()
    }

    fn listing_protocol() -> Protocol {
        let text = r#"
            name = "listed"
            about = "probes by list"
            metrics = ["rank-1"]
            average = "probes"
            identical_views = "keep"
            gallery = { listed = false }
            probe = [{ name = "ALL", listed = true }]
        "#;
        Protocol::from_toml("listed.toml", text).unwrap()
    }

    #[test]
    fn a_list_divides_probes_from_gallery() {
        let list = ["7-b-0".to_owned(), "7-z-0".to_owned()];
        let mut notes = Vec::new();
        let protocol = listing_protocol().with_listed(list);
        let chosen = select(&data(&["a", "b", "c"]).names(), &protocol, &mut notes).unwrap();
        assert_eq!(chosen[0].probes, [1]);
        assert_eq!(chosen[0].gallery, [0, 2]);
        assert_eq!(notes, [Note::MissingProbes { missing: 1, listed: 2 }]);
        assert_eq!(notes[0].to_string(), "1 of 2 listed probes are not in the data");
    }

    #[test]
    fn names_alone_are_checked() {
        let casia = Protocol::builtin("casia-b").unwrap();
        assert_eq!(casia.check_names(&data(&["nm-01", "nm-05"]).names()), Ok(()));
        let problem = |names: &[Name]| full_message(&casia.check_names(names).unwrap_err());
        assert!(problem(&data(&["nm-05"]).names()).contains("looks for a gallery with conditions"));
        assert!(problem(&[]).contains("no sequence"));
    }

    #[test]
    fn a_missing_list_is_asked_for() {
        let error = select(&data(&["a"]).names(), &listing_protocol(), &mut Vec::new());
        let expected = Misfit::NoList;
        assert!(matches!(error, Err(EvalError::Misfit { reason, .. }) if reason == expected));
    }

    #[test]
    fn long_lists_of_names_are_cut() {
        let names: Vec<String> = (0..12).map(|i| format!("walk-{i:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let protocol = Protocol::builtin("casia-b").unwrap();
        let error = protocol.check_names(&data(&names).names()).unwrap_err();
        let message = full_message(&error);
        assert!(message.contains("walk-07 and 4 more"), "{message}");
    }
}
