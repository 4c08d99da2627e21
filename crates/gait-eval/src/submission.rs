//! Files for competitions whose probes are scored elsewhere.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;

use crate::distance::map_rows;
use crate::pattern::Selector;
use gait_support::csv_line;

use crate::{Distance, Embeddings, EvalError, Name, Protocol, Watch, selection};

/// What a submission consists of: the `[submission]` table of a protocol.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmissionForm {
    /// The gallery.
    pub gallery: Selector,
    /// The probes, one row each.
    pub probes: Selector,
    /// What names a probe: the first of these that is different for all probes.
    pub id: Vec<IdColumn>,
    /// Heading of the probe's name.
    pub id_column: String,
    /// Heading of the subjects, nearest first; `*` stands for the rank.
    pub rank_column: String,
    /// How many of the nearest gallery sequences are given, as their subjects.
    pub ranks: usize,
    /// Whether subjects are written as numbers, `00017` as 17.
    pub numbers: bool,
}

/// Which name of a sequence identifies it in a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdColumn {
    /// Its view.
    View,
    /// Its condition.
    Condition,
}

/// A submission; its `Display` is the CSV file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The headings.
    pub header: Vec<String>,
    /// One row per probe, in the order of the embeddings.
    pub rows: Vec<Vec<String>>,
}

impl IdColumn {
    fn name(&self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Condition => "condition",
        }
    }
}

impl SubmissionForm {
    /// What is wrong with it, if anything.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        if self.id.is_empty() || self.ranks == 0 {
            return Some("needs an id column and at least one rank");
        }
        self.gallery.problem().or_else(|| self.probes.problem())
    }
}

/// Ranks the gallery for each probe of the protocol's `[submission]`, re-ranked if the protocol has
/// a `[rerank]` table. As in published code a subject may stand in several ranks.
///
/// # Errors
/// [`EvalError::Embeddings`] if `e` contradicts itself, [`EvalError::Misfit`] if the protocol has no
/// submission, or the data no probes, too small a gallery, probes of equal names or a subject that
/// is no number; [`EvalError::Stopped`] when the watch says so.
pub fn submission(
    e: &Embeddings,
    protocol: &Protocol,
    distance: Distance,
    watch: &Watch,
) -> Result<Submission, EvalError> {
    e.check()?;
    let Entries { form, probes, gallery, ids, labels } = Entries::new(&e.names(), protocol)?;
    let nearest = |at: usize, row: &[f32]| {
        let nearer = |a: &usize, b: &usize| row[*a].total_cmp(&row[*b]).then(a.cmp(b));
        let mut order: Vec<usize> = (0..row.len()).collect();
        if form.ranks < order.len() {
            order.select_nth_unstable_by(form.ranks, nearer);
            order.truncate(form.ranks);
        }
        order.sort_by(nearer);
        let subjects = order.into_iter().map(|position| labels[position].clone());
        std::iter::once(ids[at].clone()).chain(subjects).collect()
    };
    let rows = match &protocol.rerank {
        Some(rerank) => rerank.map_rows(e, distance, &probes, &gallery, watch, nearest)?,
        None => map_rows(e, distance, &probes, &gallery, watch, nearest)?,
    };
    let ranks = (1..=form.ranks).map(|rank| form.rank_column.replace('*', &rank.to_string()));
    Ok(Submission { header: std::iter::once(form.id_column.clone()).chain(ranks).collect(), rows })
}

impl Protocol {
    /// Whether the protocol finds what its submission needs among sequences of these names, as
    /// [`Protocol::check_names`] does for its table.
    ///
    /// # Errors
    /// [`EvalError::Misfit`], as [`submission`] would give it for embeddings of these names.
    pub fn check_submission(&self, names: &[Name]) -> Result<(), EvalError> {
        Entries::new(names, self).map(drop)
    }
}

/// What a submission is made of, but for the distances.
struct Entries<'a> {
    form: &'a SubmissionForm,
    /// Sequences that are ranked for, and how the submission names them.
    probes: Vec<usize>,
    ids: Vec<String>,
    /// Sequences that are ranked, and their subjects as the submission writes them.
    gallery: Vec<usize>,
    labels: Vec<String>,
}

impl<'a> Entries<'a> {
    fn new(names: &[Name], protocol: &'a Protocol) -> Result<Self, EvalError> {
        let misfit = |problem| EvalError::Misfit { protocol: protocol.name.clone(), problem };
        let Some(form) = &protocol.submission else {
            return Err(misfit(
                "it has no [submission] table; --protocol grew and hid have one, and a file of your \
                 own may"
                    .to_owned(),
            ));
        };
        let probes = selection::find(names, protocol, &form.probes)?;
        let gallery = selection::find(names, protocol, &form.gallery)?;
        if probes.is_empty() {
            return Err(selection::misfit(names, protocol, "probes", &form.probes));
        }
        if gallery.len() < form.ranks {
            return Err(misfit(format!(
                "a submission names the nearest {} gallery sequences ({}), and the data has {}",
                form.ranks,
                form.gallery,
                gallery.len()
            )));
        }
        let probe_names: Vec<Name> = probes.iter().map(|&i| names[i]).collect();
        let ids = ids(&probe_names, form).map_err(misfit)?;
        let labels = gallery.iter().map(|&i| label(names[i].subject, form.numbers));
        let labels = labels.collect::<Result<_, _>>().map_err(misfit)?;
        Ok(Self { form, probes, ids, gallery, labels })
    }
}

fn ids(probes: &[Name], form: &SubmissionForm) -> Result<Vec<String>, String> {
    let id = |column: &IdColumn, name: &Name| match column {
        IdColumn::View => name.view.to_owned(),
        IdColumn::Condition => name.condition.to_owned(),
    };
    let mut twice = String::new();
    for column in &form.id {
        let mut seen = BTreeSet::new();
        match probes.iter().find(|name| !seen.insert(id(column, name))) {
            None => return Ok(probes.iter().map(|name| id(column, name)).collect()),
            Some(name) => twice = id(column, name),
        }
    }
    let columns: Vec<&str> = form.id.iter().map(IdColumn::name).collect();
    let columns = columns.join(" or ");
    Err(format!(
        "several probes are named `{twice}`, and a submission could not tell them apart; give each \
         a {columns} of its own (a folder's name in a tree, a column in a file of embeddings)"
    ))
}

fn label(subject: &str, number: bool) -> Result<String, String> {
    if !number {
        return Ok(subject.to_owned());
    }
    subject.parse().map(|number: u64| number.to_string()).map_err(|_| {
        format!("a submission names subjects by number, and gallery subject `{subject}` is none")
    })
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
            .map_err(|error| error.to_string())
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
        assert!(twice.contains("a view of its own"), "{twice}");
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
        assert!(error.to_string().contains("no [submission] table"));
    }
}
