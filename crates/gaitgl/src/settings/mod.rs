//! Settings of a run: a preset, then a configuration file, then `--set`, each over the one before.

mod model;
mod recipes;
mod train;

use std::path::{Path, PathBuf};

use gait_data::io_reason;
use gait_eval::{did_you_mean, nearest};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

pub use model::*;
pub use train::*;

use crate::presets;

/// Everything that a run is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The preset that the other keys start from.
    pub preset: String,
    /// The network.
    pub model: ModelSettings,
    /// The recipe.
    pub train: TrainSettings,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A key that does not exist.
    #[error("unknown setting `{key}`{}", did_you_mean(.nearest.as_ref()))]
    UnknownKey {
        /// The key, dotted.
        key: String,
        /// The most similar key that exists.
        nearest: Option<String>,
    },
    /// A preset that does not exist.
    #[error("unknown preset `{name}`{}; known: {}", did_you_mean(.nearest.as_ref()), .known.join(", "))]
    UnknownPreset {
        /// The name.
        name: String,
        /// The most similar name that exists.
        nearest: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// A value that cannot be used.
    #[error("{key} = {value} cannot be used: {mend}")]
    Invalid {
        /// The key, dotted.
        key: String,
        /// The value.
        value: String,
        /// What to write instead.
        mend: String,
    },
    /// A file or an argument that is not TOML, or holds a value of the wrong type.
    #[error("{place}: {problem}")]
    Syntax {
        /// The file or the argument.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// A file that cannot be read.
    #[error("cannot read the configuration {}: {}", .path.display(), io_reason(.source))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A value that cannot be used, with its mend.
#[expect(clippy::needless_pass_by_value, reason = "numbers and names alike, as they are at hand")]
pub(crate) fn invalid(key: &str, value: impl ToString, mend: &str) -> SettingsError {
    SettingsError::Invalid { key: key.into(), value: value.to_string(), mend: mend.into() }
}

impl Settings {
    /// The settings of a preset: its network and the recipe that it was published with.
    ///
    /// # Errors
    /// An unknown name; the message gives the nearest one.
    pub fn preset(name: &str) -> Result<Self, SettingsError> {
        let model = presets::model(name)?;
        let base = Self { preset: name.into(), model, train: TrainSettings::default() };
        base.overlay(&recipes::of_preset(name)?, name)
    }

    /// A preset, then a configuration file, then assignments `key=value`.
    ///
    /// The file may name its preset itself (`preset = "..."`); without any, `paper-small`.
    ///
    /// # Errors
    /// An unknown preset or key, a value of the wrong type or out of range, an unreadable file.
    pub fn assemble(
        preset: Option<&str>,
        file: Option<&Path>,
        assignments: &[String],
    ) -> Result<Self, SettingsError> {
        let (place, table) = match file {
            Some(path) => read_table(path)?,
            None => (String::new(), Table::new()),
        };
        let settings = Self::over_preset(preset, table, &place)?.assign(assignments)?;
        settings.check()?;
        Ok(settings)
    }

    /// What the text of a configuration file says, over its preset.
    ///
    /// # Errors
    /// As [`Settings::assemble`].
    pub fn from_partial(text: &str, place: &str) -> Result<Self, SettingsError> {
        let settings = Self::over_preset(None, parse_table(text, place)?, place)?;
        settings.check()?;
        Ok(settings)
    }

    /// A table over the named preset, else over the one that it names itself.
    fn over_preset(
        preset: Option<&str>,
        mut table: Table,
        place: &str,
    ) -> Result<Self, SettingsError> {
        let named = table.remove("preset");
        let named = named.as_ref().and_then(Value::as_str);
        Self::preset(preset.or(named).unwrap_or("paper-small"))?.overlay(&table, place)
    }

    /// These settings with assignments `key=value` applied in order, unchecked.
    ///
    /// # Errors
    /// An unknown key or a value of the wrong type.
    pub fn assign(self, assignments: &[String]) -> Result<Self, SettingsError> {
        assignments.iter().try_fold(self, |settings, assignment| {
            let place = format!("--set {assignment}");
            settings.overlay(&parse_assignment(assignment)?, &place)
        })
    }

    /// Reads settings that [`Settings::to_toml`] wrote.
    ///
    /// # Errors
    /// Text that is not TOML, an unknown key, a value that cannot be used.
    pub fn from_toml(text: &str, place: &str) -> Result<Self, SettingsError> {
        let settings: Self = toml::from_str(text).map_err(|e| syntax(place, &e.to_string()))?;
        settings.check()?;
        Ok(settings)
    }

    /// All settings as TOML.
    pub fn to_toml(&self) -> String {
        // Every field is a number, a name or an array of them, which TOML always holds.
        toml::to_string(self).unwrap_or_default()
    }

    /// Checks every value.
    ///
    /// # Errors
    /// Names the first key whose value cannot be used.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.model.check()?;
        self.train.check()
    }

    /// These settings with those of a table over them, unchecked; `place` names it in messages.
    pub(crate) fn overlay(&self, table: &Table, place: &str) -> Result<Self, SettingsError> {
        let mut whole = Table::try_from(self).map_err(|e| syntax(place, &e.to_string()))?;
        let known = dotted_keys(&whole, "");
        merge(&mut whole, table, "", &known)?;
        Value::Table(whole).try_into().map_err(|e: toml::de::Error| syntax(place, &e.to_string()))
    }
}

fn read_table(path: &Path) -> Result<(String, Table), SettingsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| SettingsError::Read { path: path.into(), source })?;
    let place = path.display().to_string();
    let table = parse_table(&text, &place)?;
    Ok((place, table))
}

fn parse_table(text: &str, place: &str) -> Result<Table, SettingsError> {
    text.parse().map_err(|e: toml::de::Error| syntax(place, &e.to_string()))
}

/// Parts of a key; ours have at most three, and what nests without end overflows the stack.
const DEEPEST_KEY: usize = 16;

/// `a.b=value` as a nested table. What is not a TOML value is taken as a string, so that names
/// need no quotes.
fn parse_assignment(assignment: &str) -> Result<Table, SettingsError> {
    let place = format!("--set {assignment}");
    let Some((key, value)) = assignment.split_once('=') else {
        return Err(syntax(&place, "write it as key=value, for instance train.iterations=500"));
    };
    let (key, value) = (key.trim(), value.trim());
    if key.matches('.').count() >= DEEPEST_KEY {
        return Err(SettingsError::UnknownKey { key: key.into(), nearest: None });
    }
    let parsed = format!("value = {value}").parse::<Table>().ok();
    let parsed = parsed.filter(|table| table.len() == 1).and_then(|mut t| t.remove("value"));
    let mut nested = parsed.unwrap_or_else(|| Value::String(value.into()));
    for part in key.rsplit('.') {
        nested = Value::Table(Table::from_iter([(part.to_string(), nested)]));
    }
    match nested {
        Value::Table(table) => Ok(table),
        _ => Err(syntax(&place, "the key is empty")),
    }
}

fn merge(
    base: &mut Table,
    over: &Table,
    prefix: &str,
    known: &[String],
) -> Result<(), SettingsError> {
    for (name, value) in over {
        let key = format!("{prefix}{name}");
        match (base.get_mut(name), value) {
            (None, _) => {
                return Err(SettingsError::UnknownKey { nearest: nearest(&key, known), key });
            }
            (Some(Value::Table(inner)), Value::Table(table)) => {
                merge(inner, table, &format!("{key}."), known)?;
            }
            (Some(Value::Float(slot)), Value::Integer(number)) => *slot = *number as f64,
            (Some(slot), value) => *slot = value.clone(),
        }
    }
    Ok(())
}

fn dotted_keys(table: &Table, prefix: &str) -> Vec<String> {
    let keys = table.iter().flat_map(|(name, value)| match value {
        Value::Table(inner) => dotted_keys(inner, &format!("{prefix}{name}.")),
        _ => vec![format!("{prefix}{name}")],
    });
    keys.collect()
}

fn syntax(place: &str, problem: &str) -> SettingsError {
    SettingsError::Syntax { place: place.into(), problem: one_line(problem) }
}

/// A message of the TOML library on one line: it draws the source below.
pub(crate) fn one_line(message: &str) -> String {
    let lines = message.lines().map(str::trim);
    let told: Vec<&str> =
        lines.filter(|l| !l.is_empty() && !l.starts_with('|') && !l.contains(" | ")).collect();
    told.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(assignments: &[&str]) -> Result<Settings, SettingsError> {
        let assignments: Vec<String> = assignments.iter().map(|a| a.to_string()).collect();
        Settings::assemble(Some("paper-small"), None, &assignments)
    }

    #[test]
    fn assignments_reach_nested_keys_of_every_type() {
        let settings = set(&[
            "model.channels=[16,32,64]",
            "train.iterations=500",
            "train.learning_rate=1",
            "train.batch.subjects = 4",
            "model.local.partition=strip-h",
            "train.optimizer=\"sgd\"",
        ])
        .unwrap();
        assert_eq!(settings.model.channels, [16, 32, 64]);
        assert_eq!(settings.train.iterations, 500);
        assert_eq!(settings.train.learning_rate, 1.0);
        assert_eq!(settings.train.batch.subjects, 4);
        assert_eq!(settings.model.local.partition, Partition::StripH);
        assert_eq!(settings.train.optimizer, Optimizer::Sgd);
    }

    #[test]
    fn unknown_key_names_the_nearest() {
        for (typed, meant) in [
            ("train.iteration=5", "train.iterations"),
            ("iterations=5", "train.iterations"),
            ("train.batch.subject=5", "train.batch.subjects"),
            ("model.local.ratoi=0.5", "model.local.ratio"),
        ] {
            let message = set(&[typed]).unwrap_err().to_string();
            assert!(message.contains(&format!("`{meant}`")), "{message}");
        }
    }

    #[test]
    fn a_key_without_end_is_an_unknown_key() {
        let message = set(&[&format!("{}b=1", "a.".repeat(1_000_000))]).unwrap_err().to_string();
        assert!(message.starts_with("unknown setting `a.a.a."), "{}", &message[..40]);
    }

    #[test]
    fn wrong_types_are_one_line_that_names_the_key() {
        for (typed, named) in [
            ("train.iterations=many", "train.iterations"),
            ("train.iterations=-5", "iterations"),
            ("model.local.partition=strips", "strip-v"),
            ("model.channels=64", "model.channels"),
            ("train=5", "train"),
        ] {
            let message = set(&[typed]).unwrap_err().to_string();
            assert!(!message.contains('\n') && message.contains(named), "{message}");
        }
    }

    #[test]
    fn unknown_preset_names_the_nearest() {
        let message = Settings::preset("paper-smal").unwrap_err().to_string();
        assert!(message.contains("did you mean `paper-small`"), "{message}");
    }

    #[test]
    fn settings_survive_their_own_toml() {
        let settings = set(&["model.local.ratio=0.25"]).unwrap();
        assert_eq!(Settings::from_toml(&settings.to_toml(), "test").unwrap(), settings);
    }

    #[test]
    fn settings_from_before_there_was_a_precision_are_f32() {
        let text = set(&[]).unwrap().to_toml();
        let older = text.replace("precision = \"f32\"\n", "");
        assert_ne!(older, text);
        let settings = Settings::from_toml(&older, "test").unwrap();
        assert_eq!(settings.train.precision, Precision::F32);
    }

    #[test]
    fn a_file_names_its_preset_and_assignments_win_over_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        std::fs::write(&path, "preset = \"parts-small\"\n[train]\niterations = 7\nseed = 9\n")
            .unwrap();
        let settings =
            Settings::assemble(None, Some(&path), &["train.seed=3".to_string()]).unwrap();
        assert_eq!(settings.model, Settings::preset("parts-small").unwrap().model);
        assert_eq!((settings.train.iterations, settings.train.seed), (7, 3));
    }
}
