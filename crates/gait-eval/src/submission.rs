//! Files for competitions whose probes are scored elsewhere.

use std::collections::BTreeSet;
use std::fmt;

use gait_support::csv_line;

use crate::bounds::{FirstPass, Row, Wanted, bounded_rows};
use crate::misfit::{Misfit, Part};
use crate::selection;
use crate::submission_form::SubmissionForm;
use crate::{Distance, Embeddings, EvalError, Name, Protocol, Watch};

/// A submission; its `Display` is the CSV file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The headings.
    pub header: Vec<String>,
    /// One row per probe, in the order of the embeddings.
    pub rows: Vec<Vec<String>>,
}

/// Ranks the gallery for each probe of the protocol's `[submission]`, re-ranked if the protocol has
/// a `[rerank]` table. As in published code, a subject may occupy several ranks.
///
/// # Errors
/// [`EvalError::Misfit`] if the protocol has no submission, or if the data has no probes, too small
/// a gallery, probes of equal names or a subject that is not a number; [`EvalError::Range`] if
/// distances exceed single precision; [`EvalError::Stopped`] if the watch asks to stop.
pub fn submission(
    e: &Embeddings,
    protocol: &Protocol,
    distance: Distance,
    watch: &Watch,
) -> Result<Submission, EvalError> {
    let Entries { form, probes, gallery, ids, labels } = Entries::new(&e.names(), protocol)?;
    let nearest = |at: usize, row: &mut Row| {
        let nearest = row.nearest(form.ranks)?;
        let subjects = nearest.into_iter().map(|(_, position)| labels[position].clone());
        Ok(std::iter::once(ids[at].clone()).chain(subjects).collect())
    };
    let rows = match &protocol.rerank {
        Some(rerank) => {
            let known = |at: usize, row: &[f32]| Row::known(row, |row| nearest(at, row));
            let rows = rerank.map_rows(e, distance, &probes, &gallery, watch, known)?;
            rows.into_iter().collect::<Result<_, EvalError>>()?
        }
        None => {
            let pairs = [probes.len(), gallery.len()];
            let pass = FirstPass::choose(e, distance, pairs, Wanted::Nearest);
            bounded_rows(e, distance, pass, [&probes, &gallery], watch, nearest)?
        }
    };
    Ok(Submission { header: form.header(), rows })
}

impl Protocol {
    /// Checks that the protocol finds what its submission needs among sequences of these names, as
    /// [`Protocol::check_names`] does for its table.
    ///
    /// # Errors
    /// [`EvalError::Misfit`], as [`submission`] would give it for embeddings of these names.
    pub fn check_submission(&self, names: &[Name]) -> Result<(), EvalError> {
        Entries::new(names, self).map(drop)
    }
}

/// What a submission is made of, except for the distances.
struct Entries<'a> {
    form: &'a SubmissionForm,
    /// The probes, and their names in the submission.
    probes: Vec<usize>,
    ids: Vec<String>,
    /// The gallery, and its subjects as the submission writes them.
    gallery: Vec<usize>,
    labels: Vec<String>,
}

impl<'a> Entries<'a> {
    fn new(names: &[Name], protocol: &'a Protocol) -> Result<Self, EvalError> {
        let misfit = |reason| EvalError::Misfit { protocol: protocol.name.clone(), reason };
        let form = protocol.submission.as_ref().ok_or_else(|| misfit(Misfit::NoSubmission))?;
        let probes = selection::find(names, protocol, &form.probes).map_err(misfit)?;
        let gallery = selection::find(names, protocol, &form.gallery).map_err(misfit)?;
        if probes.is_empty() {
            return Err(misfit(Misfit::not_found(names, Part::Probes, &form.probes)));
        }
        if gallery.len() < form.ranks {
            return Err(misfit(Misfit::SmallGallery {
                ranks: form.ranks,
                wanted: Box::new(form.gallery.clone()),
                found: gallery.len(),
            }));
        }
        let probe_names: Vec<Name> = probes.iter().map(|&i| names[i]).collect();
        let ids = ids(&probe_names, form).map_err(misfit)?;
        let labels = gallery.iter().map(|&i| label(names[i].subject, form.numbers));
        let labels = labels.collect::<Result<_, _>>().map_err(misfit)?;
        Ok(Self { form, probes, ids, gallery, labels })
    }
}

fn ids(probes: &[Name], form: &SubmissionForm) -> Result<Vec<String>, Misfit> {
    let mut repeated = "";
    for column in &form.id {
        let mut seen = BTreeSet::new();
        match probes.iter().map(|name| column.name_in(name)).find(|id| !seen.insert(*id)) {
            None => return Ok(probes.iter().map(|name| column.name_in(name).to_owned()).collect()),
            Some(id) => repeated = id,
        }
    }
    Err(Misfit::RepeatedProbe { name: repeated.to_owned(), columns: form.id.clone() })
}

fn label(subject: &str, number: bool) -> Result<String, Misfit> {
    if !number {
        return Ok(subject.to_owned());
    }
    let label = subject.parse().map(|number: u64| number.to_string());
    label.map_err(|_| Misfit::SubjectNotANumber(subject.to_owned()))
}

impl fmt::Display for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in std::iter::once(&self.header).chain(&self.rows) {
            f.write_str(&csv_line(row))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gait_support::full_message;

    use super::*;

    fn grew(probes: &[(&str, f32)], subjects: &[&str]) -> Result<String, String> {
        let mut values = Vec::new();
        let mut names = Vec::new();
        for (i, subject) in subjects.iter().enumerate() {
            for condition in ["01", "02"] {
                values.push(i as f32);
                names.push(((*subject).to_owned(), condition.to_owned(), format!("g{i}")));
            }
        }
        for (view, value) in probes {
            values.push(*value);
            names.push(("probe".to_owned(), "03".to_owned(), (*view).to_owned()));
        }
        let e = Embeddings::new(1, 1, values, names).unwrap();
        let protocol = Protocol::builtin("grew").unwrap();
        submission(&e, &protocol, Distance::Strips, &Watch::silent())
            .map(|s| s.to_string())
            .map_err(|error| full_message(&error))
    }

    const TEN: [&str; 10] =
        ["00001", "00002", "00003", "00004", "00005", "00006", "00007", "00008", "00009", "00010"];

    #[test]
    fn grew_names_twenty_subjects_per_probe_as_numbers() {
        let csv = grew(&[("Xy,1", 1.2), ("Ab", 9.0)], &TEN).unwrap();
        let lines: Vec<&str> = csv.lines().collect();
        assert!(lines[0].starts_with("videoId,rank1,rank2,rank3,"), "{csv}");
        assert!(lines[0].ends_with(",rank20"), "{csv}");
        assert!(lines[1].starts_with("\"Xy,1\",2,2,3,3,1,1,4,4,"), "{csv}");
        assert!(lines[2].starts_with("Ab,10,10,9,9,8,8,"), "{csv}");
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn what_cannot_be_submitted_is_named() {
        let small = grew(&[("a", 0.0)], &TEN[..9]).unwrap_err();
        assert!(small.contains("nearest 20") && small.contains("has 18"), "{small}");
        let twice = grew(&[("a", 0.0), ("a", 1.0)], &TEN).unwrap_err();
        assert!(twice.contains("several probes are named `a`"), "{twice}");
        assert!(twice.contains("a different view for each"), "{twice}");
        let none = grew(&[], &TEN).unwrap_err();
        assert!(none.contains("conditions 03"), "{none}");
        let mut named = TEN;
        named[3] = "anna";
        assert!(grew(&[("a", 0.0)], &named).unwrap_err().contains("`anna`"));
    }

    #[test]
    fn a_protocol_without_a_submission_says_so() {
        let name = ("1".to_owned(), "nm-01".to_owned(), "0".to_owned());
        let e = Embeddings::new(1, 1, vec![0.0], [name]).unwrap();
        let protocol = Protocol::builtin("casia-b").unwrap();
        let error = submission(&e, &protocol, Distance::Strips, &Watch::silent()).unwrap_err();
        assert!(full_message(&error).contains("no [submission] table"));
    }
}
