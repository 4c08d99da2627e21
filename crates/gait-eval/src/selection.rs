//! Finds the gallery and the probes of a protocol in the data, and says what does not fit.

use std::collections::BTreeSet;

use crate::pattern::Selector;
use crate::{Embeddings, EvalError, Protocol};

/// Names that a message lists before it only counts the rest.
const NAMED: usize = 8;

/// The probes and the gallery of one group, as indices of sequences in ascending order.
pub(crate) struct Chosen {
    pub probes: Vec<usize>,
    pub gallery: Vec<usize>,
}

/// The probes and the gallery of each group of the protocol.
pub(crate) fn select(
    e: &Embeddings,
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
    note_gaps(e, protocol, notes);
    let mut chosen = Vec::new();
    for group in &protocol.probes {
        chosen.push(Chosen {
            probes: find(e, protocol, &group.selector())?,
            gallery: find(e, protocol, group.gallery.as_ref().unwrap_or(&protocol.gallery))?,
        });
    }
    if chosen.iter().all(|c| c.gallery.is_empty()) {
        let wanted = protocol.probes[0].gallery.as_ref().unwrap_or(&protocol.gallery);
        return Err(misfit(e, protocol, "gallery", wanted));
    }
    if chosen.iter().all(|c| c.probes.is_empty()) {
        return Err(misfit(e, protocol, "probes", &protocol.probes[0].selector()));
    }
    Ok(chosen)
}

/// The sequences of a selection, without those of the views that the protocol skips.
pub(crate) fn find(
    e: &Embeddings,
    protocol: &Protocol,
    selector: &Selector,
) -> Result<Vec<usize>, EvalError> {
    let listed = protocol.listed.as_ref();
    if selector.listed.is_some() && listed.is_none() {
        return Err(EvalError::Misfit {
            protocol: protocol.name.clone(),
            problem: "its probes are listed in the PROBE_SET of the data set's partition file; \
                      prepare the data with that partition"
                .to_owned(),
        });
    }
    let in_list = |i| listed.is_some_and(|names| names.contains(&listed_name(e, i)));
    let selected = |i: &usize| !skipped(e, protocol, *i) && selector.selects(e, *i, in_list);
    Ok((0..e.len()).filter(selected).collect())
}

fn skipped(e: &Embeddings, protocol: &Protocol, i: usize) -> bool {
    protocol.skip_views.iter().any(|view| view == protocol.view(&e.views[i]))
}

/// The name of a sequence in the lists of OpenGait's partition files.
fn listed_name(e: &Embeddings, i: usize) -> String {
    format!("{}-{}-{}", e.subjects[i], e.conditions[i], e.views[i])
}

fn note_gaps(e: &Embeddings, protocol: &Protocol, notes: &mut Vec<String>) {
    let skipped = (0..e.len()).filter(|&i| skipped(e, protocol, i)).count();
    if skipped > 0 {
        let views = protocol.skip_views.join(", ");
        notes.push(format!("{skipped} sequences of view {views} are not part of the test"));
    }
    if let Some(listed) = protocol.listed.as_ref().filter(|_| protocol.needs_listed()) {
        let present = (0..e.len()).filter(|&i| listed.contains(&listed_name(e, i))).count();
        if present < listed.len() {
            let missing = listed.len() - present;
            notes.push(format!("{missing} of {} listed probes are not in the data", listed.len()));
        }
    }
}

pub(crate) fn misfit(
    e: &Embeddings,
    protocol: &Protocol,
    what: &str,
    wanted: &Selector,
) -> EvalError {
    let list = |kind: &str, names: &[String]| {
        let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let shown: Vec<&str> = names.iter().take(NAMED).copied().collect();
        let more = names.len() - shown.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{kind} {}{more}", shown.join(", "))
    };
    let has = if wanted.conditions.is_some() {
        list("conditions", &e.conditions)
    } else {
        list("subjects", &e.subjects)
    };
    EvalError::Misfit {
        protocol: protocol.name.clone(),
        problem: format!(
            "it looks for {what} with {wanted}, but the {} sequences have {has}; leave-one-out \
             fits any data",
            e.len()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let chosen = select(&data(&["a", "b", "c"]), &protocol, &mut notes).unwrap();
        assert_eq!(chosen[0].probes, [1]);
        assert_eq!(chosen[0].gallery, [0, 2]);
        assert_eq!(notes, ["1 of 2 listed probes are not in the data"]);
    }

    #[test]
    fn a_missing_list_is_asked_for() {
        let error = select(&data(&["a"]), &listing_protocol(), &mut Vec::new());
        assert!(error.err().unwrap().to_string().contains("PROBE_SET"));
    }

    #[test]
    fn long_lists_of_names_are_cut() {
        let names: Vec<String> = (0..12).map(|i| format!("walk-{i:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let protocol = Protocol::builtin("casia-b").unwrap();
        let message = select(&data(&names), &protocol, &mut Vec::new()).err().unwrap().to_string();
        assert!(message.contains("walk-07 and 4 more"), "{message}");
    }
}
