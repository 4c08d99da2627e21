//! Which protocol tests which data (a named one, or the one that fits a prepared set), and which
//! published figures stand beside the result.

use std::fmt;
use std::path::Path;

use gait_data::{PreparedSet, SetDescription};
use gait_eval::{EvalError, Evaluation, Name, Protocol, PublishedRow};
use gait_support::FileError;

use crate::settings::Settings;

/// A protocol that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolChoiceError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no such protocol, or its file cannot be understood.
    #[error(transparent)]
    Eval(#[from] EvalError),
}

/// Which published rows are shown beside a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishedChoice {
    /// The row of the preset of the tested network, if the result has the same views.
    Own,
    /// All rows.
    All,
    /// No row.
    None,
    /// The row of this preset.
    Preset(String),
}

/// What a reader of the published rows must know. Its `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishedNote {
    /// The figures are of another task and are not shown.
    OtherTask {
        /// Where they were published.
        source: String,
        /// The task.
        task: String,
    },
    /// The published network of the preset has other settings than the one that was tested.
    OtherSettings {
        /// The preset.
        preset: String,
        /// The settings that differ, by their dotted names.
        keys: Vec<String>,
    },
}

impl fmt::Display for PublishedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherTask { source, task } => {
                write!(f, "published figures are left out: {source}; they are of {task}")
            }
            Self::OtherSettings { preset, keys } => write!(
                f,
                "the published row is of the network of {preset}, from which this one differs in {}",
                keys.join(", ")
            ),
        }
    }
}

/// Puts the published rows of a protocol beside its result. `settings` are those of the tested
/// network, if they are known.
pub fn show_published(
    result: &mut Evaluation,
    protocol: &Protocol,
    choice: &PublishedChoice,
    settings: Option<&Settings>,
) -> Vec<PublishedNote> {
    let own = settings.map(|settings| settings.preset.as_str());
    let is_own = |row: &PublishedRow| row.preset.is_some() && row.preset.as_deref() == own;
    let chosen = |row: &&PublishedRow| match choice {
        PublishedChoice::Own => is_own(row),
        PublishedChoice::All => true,
        PublishedChoice::None => false,
        PublishedChoice::Preset(name) => row.preset.as_ref() == Some(name),
    };
    let mut notes = Vec::new();
    let mut shown = Vec::new();
    for table in protocol.published() {
        let rows = table.rows.iter().filter(chosen);
        match &table.other_task {
            Some(task) if rows.clone().next().is_some() => {
                let source = table.source.clone();
                notes.push(PublishedNote::OtherTask { source, task: task.clone() });
            }
            Some(_) => {}
            None => shown.extend(rows.cloned()),
        }
    }
    if *choice == PublishedChoice::Own {
        shown.retain(|row| result.has_the_views_of(row));
    }
    let shows_own = shown.iter().any(is_own);
    if let Some(settings) = settings.filter(|_| shows_own) {
        let keys = settings.unlike_preset();
        if !keys.is_empty() {
            notes.push(PublishedNote::OtherSettings { preset: settings.preset.clone(), keys });
        }
    }
    result.published = shown;
    notes
}

/// The protocol for the test subjects of a set, as [`for_data`].
///
/// # Errors
/// As [`for_data`].
pub fn for_set(name: Option<&str>, set: &PreparedSet) -> Result<Protocol, ProtocolChoiceError> {
    let conditions = set.test().into_iter().map(|i| set.entry(i).key.condition.clone());
    let conditions: Vec<String> = conditions.collect();
    for_data(name, &conditions, Some(set.about()))
}

/// The protocol of that name (a built-in one, or a file ending in `.toml`), or without a name the
/// one that fits the data: the protocol of the benchmark whose layout the set has, CASIA-B's if the
/// sequences have its conditions, and otherwise each sequence against all others.
///
/// If the partition of the set lists the probes, the protocol uses that list.
///
/// # Errors
/// An unknown name, or a file that cannot be read or understood.
pub fn for_data(
    name: Option<&str>,
    conditions: &[String],
    about: Option<&SetDescription>,
) -> Result<Protocol, ProtocolChoiceError> {
    let layout = about.map_or("", |about| &about.settings.layout);
    let protocol = match name {
        Some(name) => named(name)?,
        None => Protocol::builtin(fitting(layout, conditions))?,
    };
    Ok(match about.and_then(|about| about.partition.probe.clone()) {
        Some(listed) if protocol.needs_listed() => protocol.with_listed(listed),
        _ => protocol,
    })
}

/// The names of sequences of a set, to check a protocol against.
pub fn names_of<'a>(set: &'a PreparedSet, indices: &[usize]) -> Vec<Name<'a>> {
    let names = indices.iter().map(|&index| {
        let key = &set.entry(index).key;
        Name { subject: &key.subject, condition: &key.condition, view: &key.view }
    });
    names.collect()
}

/// A name of a protocol as a run keeps it: the path of a file becomes absolute, so that the run
/// continues from any working folder.
///
/// # Errors
/// A relative path while the working folder is gone.
pub(crate) fn lasting_name(name: &str) -> Result<String, ProtocolChoiceError> {
    if !is_file(name) {
        return Ok(name.into());
    }
    let path = std::path::absolute(name).map_err(|e| FileError::io("find", name, e))?;
    Ok(path.display().to_string())
}

/// A benchmark's layout has the name of its protocol. Any data may come in CASIA-B's layout, so
/// that one says nothing about the protocol.
fn fitting(layout: &str, conditions: &[String]) -> &'static str {
    let benchmark = Protocol::builtin_names().find(|name| *name == layout && layout != "casia-b");
    let has = |prefix: &str| conditions.iter().any(|c| c.starts_with(prefix));
    let gallery = ["nm-01", "nm-02", "nm-03", "nm-04"].into_iter().any(has);
    let casia_b = gallery && ["nm-05", "nm-06", "bg-0", "cl-0"].into_iter().any(has);
    benchmark.unwrap_or(if casia_b { "casia-b" } else { "leave-one-out" })
}

fn is_file(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "toml")
}

fn named(name: &str) -> Result<Protocol, ProtocolChoiceError> {
    if is_file(name) {
        let text = std::fs::read_to_string(name).map_err(|e| FileError::io("read", name, e))?;
        return Ok(Protocol::from_toml(name, &text)?);
    }
    Ok(Protocol::builtin(name)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gait_data::Layout;
    use gait_eval::{Distance, Embeddings, Watch};

    #[test]
    fn every_benchmark_has_its_protocol_and_other_data_what_fits_its_conditions() {
        let names = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
        for layout in Layout::NAMES {
            let plain = fitting(layout, &names(&["00", "01"]));
            let benchmark = !["casia-b", "opengait", "flat"].contains(&layout);
            assert_eq!(plain, if benchmark { layout } else { "leave-one-out" });
        }
        let walkers = names(&["nm-01", "nm-05", "cl-01"]);
        assert_eq!(fitting("opengait", &walkers), "casia-b");
        assert_eq!(fitting("", &names(&["nm-01"])), "leave-one-out");
    }

    /// A result of the protocol on two people seen from its published views.
    fn result(protocol: &Protocol) -> Evaluation {
        let mut names = Vec::new();
        for subject in ["001", "002"] {
            for condition in ["nm-01", "nm-05", "01", "02"] {
                for view in (0..=180).step_by(18) {
                    names.push((subject.to_owned(), condition.to_owned(), format!("{view:03}")));
                }
            }
        }
        let values = (0..names.len()).map(|at| at as f32).collect();
        let embeddings = Embeddings::new(1, 1, values, names).unwrap();
        gait_eval::evaluate(&embeddings, protocol, Distance::Strips, &Watch::silent()).unwrap()
    }

    /// The labels of the rows that are shown for a network of `preset`, and the notes.
    fn shown(
        protocol: &str,
        choice: &PublishedChoice,
        settings: Option<&Settings>,
    ) -> (Vec<String>, Vec<String>) {
        let protocol = Protocol::builtin(protocol).unwrap();
        let mut result = result(&protocol);
        let notes = show_published(&mut result, &protocol, choice, settings);
        let labels = result.published.into_iter().map(|row| row.label);
        (labels.collect(), notes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_published_row_is_that_of_the_network() {
        let settings = |preset: &str| Settings::preset(preset).unwrap();
        for (preset, label) in [("paper-small", "GaitGL"), ("parts-small", "GaitGL 2021")] {
            let found = shown("casia-b", &PublishedChoice::Own, Some(&settings(preset)));
            assert_eq!(found, (vec![label.to_owned()], vec![]), "{preset}");
        }
        let none = (vec![], vec![]);
        assert_eq!(shown("casia-b", &PublishedChoice::Own, Some(&settings("hid-2020"))), none);
        assert_eq!(shown("casia-b", &PublishedChoice::Own, None), none);
        let preset = PublishedChoice::Preset("parts-small".to_owned());
        assert_eq!(shown("casia-b", &preset, None).0, ["GaitGL 2021"]);
        assert_eq!(shown("casia-b", &PublishedChoice::All, None).0.len(), 7);
        assert_eq!(shown("casia-b", &PublishedChoice::None, Some(&settings("paper-small"))), none);
    }

    #[test]
    fn other_settings_than_the_published_ones_are_named() {
        let mut settings = Settings::preset("paper-small").unwrap();
        settings.model.channels = vec![2, 3, 4];
        settings.train.iterations = 7;
        let (labels, notes) = shown("casia-b", &PublishedChoice::Own, Some(&settings));
        assert_eq!(labels, ["GaitGL"]);
        assert!(notes[0].ends_with("differs in model.channels"), "{notes:?}");
    }

    #[test]
    fn figures_of_another_task_are_only_mentioned() {
        let settings = Settings::preset("paper-large").unwrap();
        for choice in &[PublishedChoice::Own, PublishedChoice::All] {
            let (labels, notes) = shown("grew", choice, Some(&settings));
            assert!(labels.is_empty() && notes.len() == 1, "{labels:?}");
            assert!(notes[0].contains("Table 3") && notes[0].contains("official probes"));
        }
        assert_eq!(shown("grew", &PublishedChoice::Own, None), (vec![], vec![]));
    }

    #[test]
    fn a_file_is_kept_by_its_absolute_path_and_a_missing_one_is_named() {
        assert_eq!(lasting_name("casia-b").unwrap(), "casia-b");
        assert_eq!(lasting_name("").unwrap(), "");
        let kept = lasting_name("mine.toml").unwrap();
        assert!(Path::new(&kept).is_absolute() && kept.ends_with("mine.toml"), "{kept}");
        let error = for_data(Some("no-such.toml"), &[], None).unwrap_err();
        assert_eq!(error.to_string(), "cannot read no-such.toml");
        assert!(for_data(Some("no-such"), &[], None).is_err());
    }
}
