//! Recipes: the built-in files of `configs/`, and those of users.

use std::path::Path;

use gait_support::{FileError, nearest};
use toml::Table;

use super::error::{SettingsError, SyntaxError};
use super::table::parse_table;

macro_rules! builtins {
    ($($name:literal),* $(,)?) => {
        const BUILTINS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../configs/", $name, ".toml")))),*];
    };
}

builtins![
    "casia-b",
    "casia-b-scheduled",
    "casia-b-published",
    "ou-mvlp",
    "ou-mvlp-scheduled",
    "ou-mvlp-published",
    "grew",
    "grew-scheduled",
    "grew-published",
    "gait3d",
    "gait3d-scheduled",
    "gait3d-published",
    "hid-2020",
    "hid-2020-casia-e",
    "quickstart",
    "pretrained",
    "fine-tune",
    "ablation-small",
];

/// A built-in configuration by its name, or a file by its path; and its name for errors.
pub(super) fn read(path: &Path) -> Result<(String, Table), SettingsError> {
    let place = path.display().to_string();
    if let Some((_, text)) = BUILTINS.iter().find(|(name, _)| *name == place) {
        let table = parse_table(text, &place)?;
        return Ok((place, table));
    }
    if path.extension().is_none() && !path.exists() {
        let known: Vec<String> = BUILTINS.iter().map(|(name, _)| name.to_string()).collect();
        let nearest = nearest(&place, &known);
        return Err(SettingsError::UnknownRecipe { name: place, nearest, known });
    }
    let bytes = std::fs::read(path).map_err(|source| FileError::io("read", path, source))?;
    let text = decode(&bytes).map_err(|source| SettingsError::syntax(&place, source))?;
    let table = parse_table(text, &place)?;
    Ok((place, table))
}

/// The bytes of a file as UTF-8 text, without a byte order mark.
fn decode(bytes: &[u8]) -> Result<&str, SyntaxError> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(SyntaxError::Utf16);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| SyntaxError::NotUtf8)?;
    Ok(text.trim_start_matches('\u{feff}'))
}

/// The training table of the recipe that a preset was published with.
pub(super) fn for_preset(preset: &str) -> Result<Table, SettingsError> {
    let name = match preset {
        "paper-large" => "ou-mvlp",
        "parts-small" => "casia-b-published",
        "parts-large" => "ou-mvlp-published",
        "parts-large-bnneck" => "grew-published",
        "hid-2020" => "hid-2020",
        _ => "casia-b",
    };
    let (_, table) = read(Path::new(name))?;
    Ok(table.into_iter().filter(|(key, _)| key == "train").collect())
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn every_configuration_file_is_built_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
        let mut files = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let by_path = Settings::assemble(None, Some(&path), &[]).unwrap();
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert_eq!(Settings::recipe(name).unwrap(), by_path);
            files += 1;
        }
        assert_eq!(files, BUILTINS.len());
    }

    #[test]
    fn an_unknown_recipe_names_the_nearest() {
        let message = Settings::recipe("casia_b").unwrap_err().to_string();
        assert!(
            message.contains("did you mean `casia-b`") && message.contains(".toml"),
            "{message}"
        );
    }

    #[test]
    fn a_preset_brings_the_recipe_of_its_publication() {
        let large = Settings::preset("paper-large").unwrap().train;
        assert_eq!(
            (large.iterations, large.batch.subjects, large.learning_rate),
            (200_000, 32, 0.1)
        );
        let published = Settings::preset("parts-small").unwrap().train;
        assert_eq!((published.milestones, published.weight_decay), (vec![70_000], 5e-4));
    }
}
