//! Advice for the command line: what to type or change when a library reports an error.
//!
//! The libraries say what is wrong and where; this file alone knows the flags and commands that fix
//! it. One function per error type maps its variants to a hint.

use std::error::Error;
use std::io;

use gait_data::DataError;
use gait_data::pickle::PickleError;
use gait_support::{FileError, Stopped};
use gaitgl::device::{Api, DeviceError};
use gaitgl::exchange::{
    ExchangeError, ExportFault, ForeignFormat, ImportFault, TensorFault, TorchFault,
};
use gaitgl::loss::LossError;
use gaitgl::net::ModelError;
use gaitgl::settings::{Requirement, SettingsError, SyntaxError};

/// How to fix an error, if this program knows: the hint of the first cause that has one.
pub fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(hint_of_cause)
}

fn hint_of_cause(cause: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = cause.downcast_ref::<DataError>() {
        return data(error);
    }
    if let Some(error) = cause.downcast_ref::<SettingsError>() {
        return settings(error);
    }
    if let Some(error) = cause.downcast_ref::<SyntaxError>() {
        return syntax(error);
    }
    if let Some(error) = cause.downcast_ref::<ModelError>() {
        return model(error);
    }
    if let Some(error) = cause.downcast_ref::<LossError>() {
        return loss(error);
    }
    if let Some(error) = cause.downcast_ref::<DeviceError>() {
        return device(error);
    }
    if let Some(error) = cause.downcast_ref::<ExchangeError>() {
        return exchange(error);
    }
    if let Some(error) = cause.downcast_ref::<ImportFault>() {
        return import_fault(error);
    }
    if let Some(error) = cause.downcast_ref::<ExportFault>() {
        return export_fault(error);
    }
    if let Some(error) = cause.downcast_ref::<FileError>() {
        return file(error);
    }
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        return system(error);
    }
    cause.is::<Stopped>().then(|| "run the same command again".to_owned())
}

fn file(error: &FileError) -> Option<String> {
    match error {
        // The system's reason is the next cause.
        FileError::Io { .. } => None,
        FileError::Busy { .. } => {
            Some("wait for it to finish, or choose another output folder".to_owned())
        }
        FileError::NotAFolderName { .. } => Some("choose another folder".to_owned()),
    }
}

fn system(error: &io::Error) -> Option<String> {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "change its permissions or choose another place",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space, then run the command again (a training with --resume)"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

// A transparent variant hides its inner error from the chain, so each function asks the inner
// error's function itself.
fn data(error: &DataError) -> Option<String> {
    match error {
        DataError::File(error) => file(error),
        DataError::Stopped(_) => Some("run the same command again".to_owned()),
        _ => None,
    }
}

fn settings(error: &SettingsError) -> Option<String> {
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

fn requirement_hint(requirement: &Requirement) -> Option<String> {
    let hint = match requirement {
        Requirement::SupportedBy { .. } => "use --set train.precision=f32",
        Requirement::FewerParameters { .. } => "use fewer channels",
        Requirement::FewerFrames { .. } => "use a smaller stride",
        _ => return None,
    };
    Some(hint.to_owned())
}

fn syntax(error: &SyntaxError) -> Option<String> {
    let hint = match error {
        SyntaxError::NotAnAssignment | SyntaxError::EmptyKey => "write --set KEY=VALUE",
        SyntaxError::Utf16 | SyntaxError::NotUtf8 => "save the file as UTF-8",
        SyntaxError::Toml(_) | SyntaxError::PresetIsNotAName(_) => return None,
    };
    Some(hint.to_owned())
}

fn model(error: &ModelError) -> Option<String> {
    match error {
        ModelError::Settings(error) => settings(error),
        ModelError::SingleValue { .. } => {
            Some("raise train.batch.subjects or train.batch.sequences".to_owned())
        }
        _ => None,
    }
}

fn loss(error: &LossError) -> Option<String> {
    match error {
        LossError::Count { .. } => None,
        LossError::Distances => Some("try another --device".to_owned()),
        LossError::Class { .. } => {
            Some("train with the set that the network was made for".to_owned())
        }
    }
}

fn device(error: &DeviceError) -> Option<String> {
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

fn exchange(error: &ExchangeError) -> Option<String> {
    match error {
        ExchangeError::Settings(error) => settings(error),
        ExchangeError::Model(error) => model(error),
        ExchangeError::Checkpoint(error) => hint_of_cause(error),
        ExchangeError::File(error) => file(error),
        ExchangeError::Tensors { .. } => None,
        ExchangeError::Import { source, .. } => import_fault(source),
        ExchangeError::Export { source, .. } => export_fault(source),
    }
}

fn import_fault(error: &ImportFault) -> Option<String> {
    let hint = match error {
        ImportFault::Torch(
            TorchFault::Pickle(PickleError::Refused { .. }) | TorchFault::TorchScript,
        ) => "save the state dict alone: torch.save(model.state_dict(), \"FILE.pt\")",
        ImportFault::NotAStateDict { .. } => "save model.state_dict()",
        ImportFault::Foreign(ForeignFormat::Onnx) => {
            "import the file of PyTorch that it was made from"
        }
        ImportFault::Foreign(ForeignFormat::LfsPointer) => "fetch the file with `git lfs pull`",
        ImportFault::Checkpoint => "use it as it is",
        ImportFault::Tensor { source: TensorFault::NotFinite { .. }, .. } => {
            "import a checkpoint from before the training diverged"
        }
        ImportFault::TooManySubjects { .. } => {
            "give the set that it was trained on, with its partition, or leave out --data"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn export_fault(error: &ExportFault) -> Option<String> {
    let hint = match error {
        ExportFault::MeanOfDraws => {
            "ONNX files can hold networks with model.local.at_test = \"expected\" or \"seeded\""
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cause_with_a_hint_gives_it() {
        let missing = FileError::io("read", "a.png", io::ErrorKind::NotFound.into());
        assert_eq!(hint(&DataError::from(missing).into()).as_deref(), Some("check the path"));
        assert_eq!(hint(&anyhow::anyhow!("a cause of no known type")), None);
    }

    #[test]
    fn nested_and_transparent_errors_give_their_hint() {
        let refused = PickleError::Refused { module: "os".into(), name: "system".into() };
        let source = ImportFault::Torch(TorchFault::Pickle(refused));
        let error = ExchangeError::Import { path: "a.pt".into(), source: Box::new(source) };
        assert!(hint(&error.into()).is_some_and(|hint| hint.contains("model.state_dict()")));
        let value = "bf16".to_owned();
        let requirement = Requirement::SupportedBy { device: "cpu".into() };
        let error = SettingsError::Invalid { key: "train.precision", value, requirement };
        let hint = hint(&ModelError::from(error).into());
        assert_eq!(hint.as_deref(), Some("use --set train.precision=f32"));
    }
}
