//! Finds the gallery and the probes of a protocol in the data, and says what does not fit.

use std::collections::BTreeSet;

use crate::pattern::Selector;
use crate::{EvalError, Name, Protocol};

/// Names that a message lists before it only counts the rest.
const NAMED: usize = 8;

/// The probes and the gallery of one group, as indices of sequences in ascending order.
pub(crate) struct Chosen {
    pub probes: Vec<usize>,
    pub gallery: Vec<usize>,
}

impl Protocol {
    /// Whether the protocol finds a gallery and probes among sequences of these names, so that a
    /// misfit is told before a network is trained or run on them.
    ///
    /// ```
    /// use gait_eval::{Name, Protocol};
    ///
    /// let names = ["walk", "run"].map(|condition| Name { subject: "anna", condition, view: "90" });
    /// assert!(Protocol::builtin("leave-one-out")?.check_names(&names).is_ok());
    /// let problem = Protocol::builtin("casia-b")?.check_names(&names).unwrap_err().to_string();
    /// assert!(problem.contains("the 2 sequences have conditions run, walk"));
    /// # Ok::<(), gait_eval::EvalError>(())
    /// ```
    ///
    /// # Errors
    /// [`EvalError::Misfit`], as [`crate::evaluate`] would give it for embeddings of these names.
    pub fn check_names(&self, names: &[Name]) -> Result<(), EvalError> {
        select(names, self, &mut Vec::new()).map(drop)
    }
}

/// The probes and the gallery of each group of the protocol.
pub(crate) fn select(
    names: &[Name],
    protocol: &Protocol,
    notes: &mut Vec<String>,
) -> Result<Vec<Chosen>, EvalError> {
    if protocol.probes.is_empty() {
        return Err(EvalError::Misfit {
            protocol: protocol.name.clone(),
            problem: "who its probes are is not public, so nothing can be scored here; write its \
                      submission file instead"
                .to_owned(),
        });
    }
    if names.is_empty() {
        return Err(EvalError::Misfit {
            protocol: protocol.name.clone(),
            problem:
                "there is no sequence to test; prepare the data with a partition that names test \
                      subjects (TEST_SET)"
                    .to_owned(),
        });
    }
    note_gaps(names, protocol, notes);
    let mut chosen = Vec::new();
    for group in &protocol.probes {
        chosen.push(Chosen {
            probes: find(names, protocol, &group.selector())?,
            gallery: find(names, protocol, group.gallery.as_ref().unwrap_or(&protocol.gallery))?,
        });
    }
    if chosen.iter().all(|c| c.gallery.is_empty()) {
        let wanted = protocol.probes[0].gallery.as_ref().unwrap_or(&protocol.gallery);
        return Err(misfit(names, protocol, "gallery", wanted));
    }
    if chosen.iter().all(|c| c.probes.is_empty()) {
        return Err(misfit(names, protocol, "probes", &protocol.probes[0].selector()));
    }
    Ok(chosen)
}

/// The sequences of a selection, without those of the views that the protocol skips.
pub(crate) fn find(
    names: &[Name],
    protocol: &Protocol,
    selector: &Selector,
) -> Result<Vec<usize>, EvalError> {
    let listed = protocol.listed.as_ref();
    if selector.listed.is_some() && listed.is_none() {
        return Err(EvalError::Misfit {
            protocol: protocol.name.clone(),
            problem: "its probes are listed in the PROBE_SET of the data set's partition file; \
                      give that file as --partition FILE.json, to `gaitgl prepare` for a prepared \
                      set or to `gaitgl test` with --embeddings"
                .to_owned(),
        });
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

fn note_gaps(names: &[Name], protocol: &Protocol, notes: &mut Vec<String>) {
    let skipped = names.iter().filter(|name| skipped(name, protocol)).count();
    if skipped > 0 {
        let views = protocol.skip_views.join(", ");
        notes.push(format!("{skipped} sequences of view {views} are not part of the test"));
    }
    if let Some(listed) = protocol.listed.as_ref().filter(|_| protocol.needs_listed()) {
        let present = names.iter().filter(|name| listed.contains(&listed_name(name))).count();
        if present < listed.len() {
            let missing = listed.len() - present;
            notes.push(format!("{missing} of {} listed probes are not in the data", listed.len()));
        }
    }
}

pub(crate) fn misfit(
    names: &[Name],
    protocol: &Protocol,
    what: &str,
    wanted: &Selector,
) -> EvalError {
    let list = |kind: &str, part: for<'a> fn(&Name<'a>) -> &'a str| {
        let names: BTreeSet<&str> = names.iter().map(part).collect();
        let shown: Vec<&str> = names.iter().take(NAMED).copied().collect();
        let more = names.len() - shown.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{kind} {}{more}", shown.join(", "))
    };
    let has = if wanted.conditions.is_some() {
        list("conditions", |name| name.condition)
    } else {
        list("subjects", |name| name.subject)
    };
    EvalError::Misfit {
        protocol: protocol.name.clone(),
        problem: format!(
            "it looks for {what} with {wanted}, but the {} sequences have {has}; leave-one-out \
             fits any data",
            names.len()
        ),
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(notes, ["1 of 2 listed probes are not in the data"]);
    }

    #[test]
    fn names_alone_are_checked() {
        let casia = Protocol::builtin("casia-b").unwrap();
        assert_eq!(casia.check_names(&data(&["nm-01", "nm-05"]).names()), Ok(()));
        let problem = |names: &[Name]| casia.check_names(names).unwrap_err().to_string();
        assert!(problem(&data(&["nm-05"]).names()).contains("looks for gallery with conditions"));
        assert!(problem(&[]).contains("no sequence"));
    }

    #[test]
    fn a_missing_list_is_asked_for() {
        let error = select(&data(&["a"]).names(), &listing_protocol(), &mut Vec::new());
        assert!(error.err().unwrap().to_string().contains("--partition FILE.json"));
    }

    #[test]
    fn long_lists_of_names_are_cut() {
        let names: Vec<String> = (0..12).map(|i| format!("walk-{i:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let protocol = Protocol::builtin("casia-b").unwrap();
        let message =
            select(&data(&names).names(), &protocol, &mut Vec::new()).err().unwrap().to_string();
        assert!(message.contains("walk-07 and 4 more"), "{message}");
    }
}
