//! Hints for settings, networks and devices.

use gait_data::{can_prepare, trimmed_width};
use gaitgl::device::{Api, DeviceError};
use gaitgl::embed::EmbedError;
use gaitgl::loss::LossError;
use gaitgl::net::ModelError;
use gaitgl::settings::{Requirement, SettingsError, SyntaxError};

use super::{checkpoint, data, embeddings, eval, file};

pub(super) fn settings(error: &SettingsError) -> Option<String> {
    match error {
        SettingsError::File(error) => file(error),
        SettingsError::FixedPreset { .. } => {
            Some("choose it with --preset, or in the file of --config".to_owned())
        }
        SettingsError::UnknownKey { nearest: None, .. } => {
            Some("`gaitgl info --preset paper-small` lists all settings".to_owned())
        }
        SettingsError::Invalid { requirement, .. } => requirement_hint(requirement),
        _ => None,
    }
}

pub(super) fn requirement_hint(requirement: &Requirement) -> Option<String> {
    let hint = match requirement {
        Requirement::SupportedBy { .. } => "use --set train.precision=f32",
        Requirement::FewerParameters { .. } => "use fewer channels",
        Requirement::FewerFrames { .. } => "use a smaller stride",
        _ => return None,
    };
    Some(hint.to_owned())
}

pub(super) fn syntax(error: &SyntaxError) -> Option<String> {
    let hint = match error {
        SyntaxError::NotAnAssignment | SyntaxError::EmptyKey => "write --set KEY=VALUE",
        SyntaxError::Utf16 | SyntaxError::NotUtf8 => "save the file as UTF-8",
        SyntaxError::Toml(_) | SyntaxError::PresetIsNotAName(_) => return None,
    };
    Some(hint.to_owned())
}

pub(super) fn model(error: &ModelError) -> Option<String> {
    match error {
        ModelError::Settings(error) => settings(error),
        ModelError::Precision { .. } => Some("use --precision f32".to_owned()),
        ModelError::SingleValue { .. } => {
            Some("raise train.batch.subjects or train.batch.sequences".to_owned())
        }
        _ => None,
    }
}

pub(super) fn loss(error: &LossError) -> Option<String> {
    match error {
        LossError::Count { .. } => None,
        LossError::Distances => Some("try another --device".to_owned()),
        LossError::Class { .. } => {
            Some("train with the set that the network was made for".to_owned())
        }
    }
}

pub(super) fn device(error: &DeviceError) -> Option<String> {
    match error {
        DeviceError::NotBuilt(api) => {
            Some(format!("build gaitgl with --features {api}, or use --device cpu"))
        }
        DeviceError::Absent(Api::Cuda) => {
            Some("install NVIDIA's driver, or use --device cpu".to_owned())
        }
        DeviceError::Absent(Api::Vulkan) => Some(
            "install its driver and the Vulkan loader (libvulkan1), or use --device cpu".to_owned(),
        ),
        DeviceError::Broken { .. } => Some("update its driver, or use --device cpu".to_owned()),
        DeviceError::Unknown(_) | DeviceError::Beyond { .. } => None,
    }
}

pub(super) fn embed(error: &EmbedError) -> Option<String> {
    match error {
        EmbedError::Checkpoint(error) => checkpoint(error),
        EmbedError::Data(error) => data(error),
        EmbedError::Model(error) => model(error),
        EmbedError::Embeddings(error) => embeddings(error),
        EmbedError::Distance(error) => eval(error),
        EmbedError::Size { height, width, model_height, model_width } => {
            Some(size([*height, *width], [*model_height, *model_width]))
        }
        EmbedError::Clip { .. } | EmbedError::Shapes(..) => None,
    }
}

/// How to make silhouettes and a network, `[rows, columns]` each, fit each other.
pub(super) fn size([height, width]: [usize; 2], model: [usize; 2]) -> String {
    // Silhouettes are prepared as squares.
    let data = if can_prepare(model[0]) && [model[0], trimmed_width(model[0])] == model {
        format!("prepare the data with --height {}, or ", model[0])
    } else {
        String::new()
    };
    let rows =
        if height == model[0] { String::new() } else { format!("--set model.height={height} ") };
    format!(
        "{data}make a network for {height} x {width}: import with --height {height}, train with \
         {rows}--set model.width={width}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_heights_that_give_the_network_its_size_are_proposed() {
        let hint = size([128, 88], [64, 44]);
        assert!(hint.starts_with("prepare the data with --height 64, or make"), "{hint}");
        assert!(hint.ends_with("--set model.height=128 --set model.width=88"), "{hint}");
        for model in [[10, 10], [10, 44], [64, 88]] {
            let hint = size([64, 44], model);
            assert!(hint.starts_with("make a network for 64 x 44"), "{hint}");
        }
        let hint = size([128, 88], [128, 44]);
        assert!(hint.ends_with("train with --set model.width=88"), "{hint}");
    }
}
