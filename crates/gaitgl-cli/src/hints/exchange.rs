//! Hints for files of other programs.

use gait_data::pickle::PickleError;
use gaitgl::exchange::{
    ExchangeError, ExportFault, ForeignFormat, ImportFault, TensorFault, TorchFault,
};

use super::{file, hint_of_cause, model, settings};

pub(super) fn exchange(error: &ExchangeError) -> Option<String> {
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

pub(super) fn import_fault(error: &ImportFault) -> Option<String> {
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

pub(super) fn export_fault(error: &ExportFault) -> Option<String> {
    let hint = match error {
        ExportFault::MeanOfDraws => {
            "ONNX files can hold networks with model.local.at_test = \"expected\" or \"seeded\""
        }
        _ => return None,
    };
    Some(hint.to_owned())
}
