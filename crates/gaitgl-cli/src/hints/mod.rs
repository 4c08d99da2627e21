//! Advice for the command line: what to type or change when a library reports an error.
//!
//! The libraries say what is wrong and where; this module alone knows the flags and commands that fix
//! it. One function per error type maps its variants to a hint.

mod data;
mod eval;
mod exchange;
mod gallery;
mod network;
mod training;
mod vision;

use std::error::Error;
use std::io;

use gait_data::DataError;
use gait_data::synth::SynthError;
use gait_embeddings::{ColumnError, DecodeError};
use gait_eval::{
    ComparisonError, EmbeddingsError, EvalError, Misfit, OutcomesError, RateError, RocCsvError,
};
use gait_gallery::{ConsentError, GalleryError, KeyError, PortableProblem, StoreProblem};
use gait_support::{FileError, Stopped};
use gait_vision::VideoError;
use gaitgl::ablation::{AblationError, RowFault};
use gaitgl::checkpoint::{CheckpointError, CheckpointFault};
use gaitgl::device::DeviceError;
use gaitgl::embed::EmbedError;
use gaitgl::exchange::{ExchangeError, ExportFault, ImportFault};
use gaitgl::loss::LossError;
use gaitgl::net::ModelError;
use gaitgl::protocols::ProtocolChoiceError;
use gaitgl::run::RunError;
use gaitgl::settings::{SettingsError, SyntaxError};
use gaitgl::train::{OptimizerStateError, StartError, TrainError};

use data::{data, synth};
use eval::{
    column, comparison, decoded_embeddings, embeddings, eval, misfit, outcomes, protocol, roc_csv,
};
use exchange::{exchange, export_fault, import_fault};
use gallery::{consent, gallery, key, portable, rate, store};
use network::{device, embed, loss, model, settings, syntax};
use training::{
    ablation, checkpoint, checkpoint_fault, optimizer_state, run, start, sweep_row, train,
};
use vision::{video, vision_model};

/// What to do when memory runs out.
pub const OUT_OF_MEMORY: &str = "close other programs, raise the memory limit, or use less at once \
                                 (a training: lower train.batch.subjects, .sequences or .frames)";

/// What to do when the system refuses threads.
pub const TOO_FEW_THREADS: &str = "raise the limit on processes (ulimit -u) or on memory";

/// How to fix an error, if this program knows: the hint of the first cause that has one.
pub fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(hint_of_cause)
}

fn hint_of_cause(cause: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = cause.downcast_ref::<DataError>() {
        return data(error);
    }
    if let Some(error) = cause.downcast_ref::<EvalError>() {
        return eval(error);
    }
    if let Some(error) = cause.downcast_ref::<Misfit>() {
        return misfit(error);
    }
    if let Some(error) = cause.downcast_ref::<RocCsvError>() {
        return roc_csv(error);
    }
    if let Some(error) = cause.downcast_ref::<EmbeddingsError>() {
        return embeddings(error);
    }
    if let Some(error) = cause.downcast_ref::<OutcomesError>() {
        return outcomes(error);
    }
    if let Some(error) = cause.downcast_ref::<ComparisonError>() {
        return comparison(error);
    }
    if let Some(error) = cause.downcast_ref::<DecodeError>() {
        return decoded_embeddings(error);
    }
    if let Some(error) = cause.downcast_ref::<ColumnError>() {
        return column(error);
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
    if let Some(error) = cause.downcast_ref::<SynthError>() {
        return synth(error);
    }
    if let Some(error) = cause.downcast_ref::<StartError>() {
        return start(error);
    }
    if let Some(error) = cause.downcast_ref::<TrainError>() {
        return train(error);
    }
    if let Some(error) = cause.downcast_ref::<OptimizerStateError>() {
        return optimizer_state(error);
    }
    if let Some(error) = cause.downcast_ref::<RunError>() {
        return run(error);
    }
    if let Some(error) = cause.downcast_ref::<CheckpointError>() {
        return checkpoint(error);
    }
    if let Some(error) = cause.downcast_ref::<CheckpointFault>() {
        return checkpoint_fault(error);
    }
    if let Some(error) = cause.downcast_ref::<EmbedError>() {
        return embed(error);
    }
    if let Some(error) = cause.downcast_ref::<ProtocolChoiceError>() {
        return protocol(error);
    }
    if let Some(error) = cause.downcast_ref::<AblationError>() {
        return ablation(error);
    }
    if let Some(error) = cause.downcast_ref::<RowFault>() {
        return sweep_row(error);
    }
    if let Some(error) = cause.downcast_ref::<VideoError>() {
        return video(error);
    }
    if let Some(error) = cause.downcast_ref::<gait_vision::ModelError>() {
        return vision_model(error);
    }
    if let Some(error) = cause.downcast_ref::<GalleryError>() {
        return gallery(error);
    }
    if let Some(problem) = cause.downcast_ref::<StoreProblem>() {
        return store(problem);
    }
    if let Some(error) = cause.downcast_ref::<KeyError>() {
        return key(error);
    }
    if let Some(error) = cause.downcast_ref::<ConsentError>() {
        return consent(error);
    }
    if let Some(problem) = cause.downcast_ref::<PortableProblem>() {
        return portable(problem);
    }
    if let Some(error) = cause.downcast_ref::<RateError>() {
        return rate(error);
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
        io::ErrorKind::OutOfMemory => OUT_OF_MEMORY,
        // No file is opened without blocking, so this is a thread that could not be started.
        io::ErrorKind::WouldBlock => TOO_FEW_THREADS,
        _ => return None,
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use gait_data::SamplerError;
    use gait_data::pickle::PickleError;
    use gaitgl::exchange::TorchFault;
    use gaitgl::settings::Requirement;

    use super::*;

    #[test]
    fn the_first_cause_with_a_hint_gives_it() {
        let missing = FileError::io("read", "a.png", io::ErrorKind::NotFound.into());
        assert_eq!(hint(&DataError::from(missing).into()).as_deref(), Some("check the path"));
        assert_eq!(hint(&anyhow::anyhow!("a cause of no known type")), None);
    }

    #[test]
    fn a_misfit_is_advised_through_a_transparent_error() {
        let protocol = gait_eval::Protocol::builtin("casia-b").unwrap();
        let error = TrainError::from(protocol.check_names(&[]).unwrap_err());
        assert!(hint(&error.into()).unwrap().contains("TEST_SET"));
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

    #[test]
    fn the_hint_for_a_batch_depends_on_the_set() {
        let too_few =
            |available| DataError::from(SamplerError::TooFewSubjects { wanted: 8, available });
        assert_eq!(
            hint(&too_few(6).into()).as_deref(),
            Some("set train.batch.subjects to 6 or less")
        );
        assert!(hint(&too_few(1).into()).is_some_and(|hint| hint.contains("--partition")));
    }

    #[test]
    fn wrong_walkers_name_their_flag() {
        let nobody = gait_data::synth::SynthOptions { subjects: 0, ..Default::default() };
        let error = nobody.check().unwrap_err();
        assert_eq!(hint(&error.into()).as_deref(), Some("change --subjects"));
    }
}
