//! Settings of a run: a preset, then a configuration file, then assignments; each one overrides the
//! ones before it.

mod error;
mod model;
pub mod presets;
mod recipes;
mod requirement;
mod table;
mod train;

use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

pub use error::{SettingsError, SyntaxError};
pub use model::*;
pub use requirement::{MaskUnit, Requirement};
use table::{dotted_keys, merge, parse_assignment, parse_table, value_at};
pub use train::*;

/// The largest seed: TOML has no larger integers.
pub const LARGEST_SEED: u64 = i64::MAX as u64;

/// Everything that defines a run.
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

/// The preset of a configuration that names none.
const DEFAULT_PRESET: &str = "paper-small";

impl Settings {
    /// The settings of a preset: its network and the recipe that it was published with.
    ///
    /// # Errors
    /// An unknown name; the message gives the nearest one.
    pub fn preset(name: &str) -> Result<Self, SettingsError> {
        let model = presets::model(name)?;
        let base = Self { preset: name.into(), model, train: TrainSettings::default() };
        base.overlay(&recipes::for_preset(name)?, name)
    }

    /// A built-in recipe: a file of `configs/`, by its name without the extension.
    ///
    /// # Errors
    /// An unknown name; the message gives the nearest one.
    pub fn recipe(name: &str) -> Result<Self, SettingsError> {
        Self::assemble(None, Some(Path::new(name)), &[])
    }

    /// A preset, then a configuration, then assignments `key=value`.
    ///
    /// The configuration is a file or the name of a [`Settings::recipe`]. It may name its preset
    /// itself (`preset = "..."`). The default preset is `paper-small`.
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

    /// The settings of a training that starts from a network with these settings: its network, and
    /// the recipe of a configuration, by default of the recipe `fine-tune`; then assignments.
    ///
    /// # Errors
    /// As [`Settings::assemble`].
    pub fn fine_tuning(
        &self,
        file: Option<&Path>,
        assignments: &[String],
    ) -> Result<Self, SettingsError> {
        let recipe = Self::assemble(None, file.or(Some(Path::new("fine-tune"))), &[])?;
        let settings = Self { train: recipe.train, ..self.clone() }.assign(assignments)?;
        settings.check()?;
        Ok(settings)
    }

    /// The text of a configuration file over its preset; `place` names it in errors.
    ///
    /// # Errors
    /// As [`Settings::assemble`].
    pub fn from_partial(text: &str, place: &str) -> Result<Self, SettingsError> {
        let settings = Self::over_preset(None, parse_table(text, place)?, place)?;
        settings.check()?;
        Ok(settings)
    }

    /// A table over `preset`, or else over the preset that the table names.
    fn over_preset(
        preset: Option<&str>,
        mut table: Table,
        place: &str,
    ) -> Result<Self, SettingsError> {
        let named = match table.remove("preset") {
            Some(Value::String(name)) => Some(name),
            Some(other) => {
                let source = SyntaxError::PresetIsNotAName(other.to_string());
                return Err(SettingsError::syntax(place, source));
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
            settings.overlay(&parse_assignment(assignment)?, assignment)
        })
    }

    /// Reads settings that [`Settings::to_toml`] wrote; `place` names the text in errors.
    ///
    /// # Errors
    /// Text that is not TOML, an unknown key, a value that cannot be used.
    pub fn from_toml(text: &str, place: &str) -> Result<Self, SettingsError> {
        let settings: Self =
            toml::from_str(text).map_err(|error| SettingsError::toml(place, error))?;
        settings.check()?;
        Ok(settings)
    }

    /// All settings as TOML.
    ///
    /// # Errors
    /// A seed beyond [`LARGEST_SEED`].
    pub fn to_toml(&self) -> Result<String, SettingsError> {
        self.check_seeds()?;
        toml::to_string(self).map_err(SettingsError::unwritable)
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
            Some((key, seed)) => {
                let allowed = Requirement::Between { least: 0, most: LARGEST_SEED };
                Err(SettingsError::invalid(key, seed, allowed))
            }
            None => Ok(()),
        }
    }

    /// All settings as a table.
    ///
    /// # Errors
    /// A seed beyond [`LARGEST_SEED`].
    pub(crate) fn to_table(&self) -> Result<Table, SettingsError> {
        self.check_seeds()?;
        Table::try_from(self).map_err(SettingsError::unwritable)
    }

    /// The dotted names of the settings of the network that differ from those of the preset.
    pub fn unlike_preset(&self) -> Vec<String> {
        let table = |settings: &Self| settings.to_table().unwrap_or_default();
        let ours = table(self);
        let preset = Self::preset(&self.preset).map(|preset| table(&preset)).unwrap_or_default();
        let keys = dotted_keys(&ours, "");
        let differs = |key: &String| value_at(&ours, key) != value_at(&preset, key);
        keys.into_iter().filter(|key| key.starts_with("model.") && differs(key)).collect()
    }

    /// These settings overridden by those of a table, unchecked; `place` names it in errors.
    pub(crate) fn overlay(&self, table: &Table, place: &str) -> Result<Self, SettingsError> {
        if let Some(preset) = table.get("preset") {
            return Err(SettingsError::FixedPreset { preset: preset.to_string() });
        }
        let mut whole = self.to_table()?;
        let known = dotted_keys(&whole, "");
        merge(&mut whole, table, "", &known)?;
        Value::Table(whole).try_into().map_err(|error| SettingsError::toml(place, error))
    }
}

#[cfg(test)]
mod tests {
    use gait_support::full_message;

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
        assert_eq!(settings.model.local.partition, LocalPartition::StripH);
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
            let message = full_message(&set(&[typed]).unwrap_err());
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
        let error = set(&["preset=parts-small"]).unwrap_err();
        assert!(matches!(error, SettingsError::FixedPreset { .. }), "{error}");
        assert!(error.to_string().contains("parts-small"), "{error}");
        let message = full_message(&Settings::from_partial("preset = 5", "a.toml").unwrap_err());
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
        let typed = full_message(&set(&["train.seed=9223372036854775808"]).unwrap_err());
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
    fn settings_from_before_the_last_join_could_be_set_stack() {
        let text = set(&["model.last_join=sum"]).unwrap().to_toml().unwrap();
        let older = text.replace("last_join = \"sum\"\n", "");
        assert_ne!(older, text);
        let whole = Settings::from_toml(&older, "test").unwrap();
        let partial = Settings::from_partial(&older, "test").unwrap();
        assert_eq!((whole.model.last_join, &partial), (LastJoin::Stack, &whole));
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

    #[test]
    fn a_file_may_start_with_a_byte_order_mark_but_not_be_utf_16() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        let text = "preset = \"parts-small\"\n[train]\niterations = 7\n";
        std::fs::write(&path, format!("\u{feff}{text}")).unwrap();
        let settings = Settings::assemble(None, Some(&path), &[]).unwrap();
        assert_eq!(settings.train.iterations, 7);
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (bytes, named) in [
            ([&b"\xff\xfe"[..], &little].concat(), "UTF-16"),
            ([&b"\xfe\xff"[..], &big].concat(), "UTF-16"),
            (b"seed = \"\xe9\"".to_vec(), "not UTF-8"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let message = full_message(&Settings::assemble(None, Some(&path), &[]).unwrap_err());
            assert!(message.contains("run.toml") && message.contains(named), "{message}");
        }
    }
}
