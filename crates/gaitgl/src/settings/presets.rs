//! The published networks by name: the paper's own (section 4.2), those of the published checkpoints
//! in OpenGait, and the authors' network for the HID 2020 competition.

use gait_support::nearest;

use super::error::SettingsError;
use super::model::{
    AtTest, Branches, LastJoin, LocalPartition, LocalSettings, ModelSettings, Neck, Pool, Reading,
    ShortSequences, SpatialPooling, Stem,
};

/// The names of all presets.
pub const NAMES: [&str; 6] =
    ["paper-small", "paper-large", "parts-small", "parts-large", "parts-large-bnneck", "hid-2020"];

/// The network of a preset, for silhouettes of 64 x 44.
///
/// # Errors
/// An unknown name; the message lists the names and gives the nearest one.
pub fn model(name: &str) -> Result<ModelSettings, SettingsError> {
    let parts = |bands: usize, channels: &[usize], layers: &[usize]| ModelSettings {
        stem: Stem::Conv,
        channels: channels.to_vec(),
        layers: layers.to_vec(),
        pools: [Pool::Lta, Pool::Sp]
            .into_iter()
            .chain(channels[2..].iter().map(|_| Pool::None))
            .collect(),
        lta_kernel: [3, 1, 1],
        local: LocalSettings { partition: LocalPartition::Bands, bands, ..paper_local() },
        neck: Neck::BatchNorm,
        ..paper(&channels[..1], &layers[..1], &[Pool::None])
    };
    Ok(match name {
        "paper-small" => paper(&[64, 128, 128], &[1, 1, 2], &[Pool::Lta, Pool::Sp, Pool::None]),
        "paper-large" => {
            paper(&[64, 128, 256, 512], &[2, 2, 2, 4], &[Pool::Sp, Pool::Lta, Pool::Sp, Pool::None])
        }
        "parts-small" => parts(8, &[32, 64, 128], &[1, 1, 2]),
        "parts-large" => parts(2, &[32, 64, 128, 256], &[2, 2, 2, 2]),
        "parts-large-bnneck" => {
            ModelSettings { neck: Neck::Bnneck, ..parts(2, &[32, 64, 128, 256], &[2, 2, 2, 2]) }
        }
        "hid-2020" => ModelSettings {
            neck: Neck::None,
            short_sequences: ShortSequences::ToFour,
            ..parts(2, &[32, 64, 128, 256], &[1, 1, 2, 2])
        },
        _ => {
            let known: Vec<String> = NAMES.map(String::from).to_vec();
            let nearest = nearest(name, &known);
            return Err(SettingsError::UnknownPreset { name: name.into(), nearest, known });
        }
    })
}

fn paper(channels: &[usize], layers: &[usize], pools: &[Pool]) -> ModelSettings {
    ModelSettings {
        height: 64,
        width: 44,
        stem: Stem::Glcl,
        channels: channels.to_vec(),
        layers: layers.to_vec(),
        last_join: LastJoin::Stack,
        pools: pools.to_vec(),
        lta_kernel: [3, 3, 3],
        lta_stride: 3,
        branches: Branches::Both,
        local: paper_local(),
        strips: 0,
        spatial_pooling: SpatialPooling::Gem,
        gem_start: 6.5,
        neck: Neck::BnneckPlain,
        mirrored: false,
        short_sequences: ShortSequences::ToThree,
    }
}

fn paper_local() -> LocalSettings {
    LocalSettings {
        partition: LocalPartition::StripV,
        bands: 8,
        ratio: 0.3,
        reading: Reading::Restrict,
        at_test: AtTest::Expected,
        draws: 8,
        seed: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_passes_its_own_check() {
        for name in NAMES {
            model(name).unwrap().check().unwrap();
        }
    }

    #[test]
    fn an_unknown_preset_lists_the_names() {
        let message = model("part-small").unwrap_err().to_string();
        assert!(message.contains("did you mean `parts-small`"), "{message}");
        assert!(NAMES.iter().all(|name| message.contains(name)), "{message}");
    }
}
