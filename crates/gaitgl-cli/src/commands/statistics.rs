//! Arguments about figures: which published ones are shown, and how sure intervals are.

use anyhow::bail;
use gait_eval::Confidence;
use gaitgl::protocols::PublishedChoice;
use gaitgl::settings::presets;

/// Seed of all resamples, so that a command prints the same again.
const SEED: u64 = 1;

/// Reads the percentage of confidence intervals.
pub fn confidence(text: &str) -> anyhow::Result<Confidence> {
    match text.parse() {
        Ok(percent) if (1.0..=99.9).contains(&percent) => Ok(Confidence { percent, seed: SEED }),
        _ => bail!("give a percentage from 1 to 99.9, usually 95"),
    }
}

/// Reads which published figures are shown.
pub fn published(text: &str) -> anyhow::Result<PublishedChoice> {
    Ok(match text {
        "all" => PublishedChoice::All,
        "none" => PublishedChoice::None,
        preset => {
            presets::model(preset)?;
            PublishedChoice::Preset(preset.to_owned())
        }
    })
}
