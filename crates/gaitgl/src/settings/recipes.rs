//! The recipe that a preset was published with: the file of `configs/` made for it.

use toml::Table;

use super::{SettingsError, parse_table};

/// The training table of the recipe of a preset.
pub(super) fn of_preset(name: &str) -> Result<Table, SettingsError> {
    let (file, text) = match name {
        "paper-large" => ("ou-mvlp.toml", include_str!("../../../../configs/ou-mvlp.toml")),
        "parts-small" => {
            ("casia-b-published.toml", include_str!("../../../../configs/casia-b-published.toml"))
        }
        "parts-large" => {
            ("ou-mvlp-published.toml", include_str!("../../../../configs/ou-mvlp-published.toml"))
        }
        "parts-large-bnneck" => {
            ("grew-published.toml", include_str!("../../../../configs/grew-published.toml"))
        }
        "hid-2020" => ("hid-2020.toml", include_str!("../../../../configs/hid-2020.toml")),
        _ => ("casia-b.toml", include_str!("../../../../configs/casia-b.toml")),
    };
    let table = parse_table(text, file)?;
    let train = table.into_iter().filter(|(key, _)| key == "train");
    Ok(train.collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Settings;

    #[test]
    fn every_configuration_file_can_be_used() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
        let mut files = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            Settings::assemble(None, Some(&path), &[]).unwrap_or_else(|e| panic!("{e}"));
            files += 1;
        }
        assert!(files >= 8, "{files} files");
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
