//! Settings of a run: a preset, then a configuration file, then `--set`, each over the one before.

mod error;
mod model;
pub mod presets;
mod recipes;
mod train;

use std::path::Path;

use gait_support::nearest;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

pub use error::SettingsError;
pub(crate) use error::invalid;
use error::syntax;
pub use model::*;
pub use train::*;

/// The largest seed: TOML has no larger integers.
pub const LARGEST_SEED: u64 = i64::MAX as u64;

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

/// What a configuration starts from that names no preset.
const DEFAULT_PRESET: &str = "paper-small";

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

    /// A recipe that comes with the program: a file of `configs/` by its name without the ending.
    ///
    /// # Errors
    /// An unknown name; the message gives the nearest one.
    pub fn recipe(name: &str) -> Result<Self, SettingsError> {
        Self::assemble(None, Some(Path::new(name)), &[])
    }

    /// A preset, then a configuration, then assignments `key=value`.
    ///
    /// The configuration is a file or the name of a [`Settings::recipe`]. It may name its preset
    /// itself (`preset = "..."`); without any, `paper-small`.
    ///
    /// # Errors
    /// An unknown preset or key, a value of the wrong type or out of range, an unreadable file.
    pub fn assemble(
        preset: Option<&str>,
        file: Option<&Path>,
        assignments: &[String],
    ) -> Result<Self, SettingsError> {
        let (place, table) = match file {
            Some(path) => recipes::read(path)?,
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
        let named = match table.remove("preset") {
            Some(Value::String(name)) => Some(name),
            Some(other) => {
                let mend = format!("write the name of a preset, as \"{DEFAULT_PRESET}\"");
                return Err(syntax(place, &format!("preset = {other} is no name; {mend}")));
            }
            None => None,
        };
        let name = preset.or(named.as_deref()).unwrap_or(DEFAULT_PRESET);
        Self::preset(name)?.overlay(&table, place)
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
    ///
    /// # Errors
    /// A seed beyond [`LARGEST_SEED`].
    pub fn to_toml(&self) -> Result<String, SettingsError> {
        self.check_seeds()?;
        toml::to_string(self).map_err(|e| syntax("settings", &e.to_string()))
    }

    /// Checks every value.
    ///
    /// # Errors
    /// Names the first key whose value cannot be used.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.model.check()?;
        self.train.check()?;
        self.check_seeds()
    }

    fn check_seeds(&self) -> Result<(), SettingsError> {
        let seeds = [("train.seed", self.train.seed), ("model.local.seed", self.model.local.seed)];
        match seeds.into_iter().find(|(_, seed)| *seed > LARGEST_SEED) {
            Some((key, seed)) => Err(invalid(key, seed, &format!("give 0 to {LARGEST_SEED}"))),
            None => Ok(()),
        }
    }

    /// All settings as a table.
    ///
    /// # Errors
    /// A seed beyond [`LARGEST_SEED`].
    pub(crate) fn to_table(&self) -> Result<Table, SettingsError> {
        self.check_seeds()?;
        Table::try_from(self).map_err(|e| syntax("settings", &e.to_string()))
    }

    /// These settings with those of a table over them, unchecked; `place` names it in messages.
    pub(crate) fn overlay(&self, table: &Table, place: &str) -> Result<Self, SettingsError> {
        if let Some(preset) = table.get("preset") {
            let mend = "a network is not renamed; give --preset, or the key in a file of --config";
            return Err(invalid("preset", preset, mend));
        }
        let mut whole = self.to_table()?;
        let known = dotted_keys(&whole, "");
        merge(&mut whole, table, "", &known)?;
        Value::Table(whole).try_into().map_err(|e: toml::de::Error| syntax(place, &e.to_string()))
    }
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
    fn a_preset_is_named_where_settings_start_and_nowhere_else() {
        let message = set(&["preset=parts-small"]).unwrap_err().to_string();
        assert!(message.contains("--preset"), "{message}");
        let message = Settings::from_partial("preset = 5", "a.toml").unwrap_err().to_string();
        assert!(message.contains("a.toml") && message.contains("preset = 5"), "{message}");
    }

    #[test]
    fn seeds_that_files_cannot_hold_are_refused() {
        let mut settings = Settings::preset("paper-small").unwrap();
        settings.train.seed = LARGEST_SEED;
        let text = settings.to_toml().unwrap();
        assert_eq!(Settings::from_toml(&text, "test").unwrap(), settings);
        settings.train.seed += 1;
        assert!(settings.check().unwrap_err().to_string().contains("train.seed"));
        assert!(settings.to_toml().is_err() && settings.to_table().is_err());
        let typed = set(&["train.seed=9223372036854775808"]).unwrap_err().to_string();
        assert!(typed.contains("train.seed"), "{typed}");
    }

    #[test]
    fn settings_survive_their_own_toml() {
        let settings = set(&["model.local.ratio=0.25"]).unwrap();
        let text = settings.to_toml().unwrap();
        assert_eq!(Settings::from_toml(&text, "test").unwrap(), settings);
    }

    #[test]
    fn settings_from_before_there_was_a_precision_are_f32() {
        let text = set(&[]).unwrap().to_toml().unwrap();
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
