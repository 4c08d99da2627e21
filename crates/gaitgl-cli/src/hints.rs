//! Advice for the command line: what to type or change when a library reports an error.
//!
//! The libraries say what is wrong and where; this file alone knows the flags and commands that fix
//! it. One function per error type maps its variants to a hint.

use std::error::Error;
use std::io;

use gait_data::{DataError, can_prepare, trimmed_width};
use gait_support::{FileError, Stopped};
use gaitgl::ablation::{AblationError, RowFault};
use gaitgl::checkpoint::{CheckpointError, CheckpointFault};
use gaitgl::embed::EmbedError;
use gaitgl::exchange::ForeignFormat;
use gaitgl::protocols::ProtocolError;
use gaitgl::run::RunError;
use gaitgl::train::{OptimizerStateError, StartError, TrainError};

/// How to fix an error, if this program knows: the hint of the first cause that has one.
pub fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(hint_of_cause)
}

fn hint_of_cause(cause: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = cause.downcast_ref::<DataError>() {
        return data(error);
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
    if let Some(error) = cause.downcast_ref::<ProtocolError>() {
        return protocol(error);
    }
    if let Some(error) = cause.downcast_ref::<AblationError>() {
        return ablation(error);
    }
    if let Some(error) = cause.downcast_ref::<RowFault>() {
        return sweep_row(error);
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

fn start(error: &StartError) -> Option<String> {
    match error {
        StartError::Settings(error) => hint_of_cause(error),
        StartError::Embed(error) => embed(error),
        StartError::Data(error) => data(error),
        StartError::Protocol(error) => protocol(error),
        StartError::Train(error) => train(error),
        StartError::Run(error) => run(error),
        StartError::Test { .. } => Some(
            "choose another protocol with --protocol, or run no tests with --set \
             train.test_every=0"
                .to_owned(),
        ),
        StartError::OtherNetwork => Some("start a new run for another network".to_owned()),
        StartError::OtherSubjects { .. } => Some("give the run's own set with --data".to_owned()),
        StartError::OtherData { .. } => Some(
            "give the run's own set with --data, or start a new run in another --run folder"
                .to_owned(),
        ),
        StartError::PastTheEnd { done, .. } => {
            Some(format!("give --set train.iterations={done} or more"))
        }
    }
}

fn train(error: &TrainError) -> Option<String> {
    let go_on = "and continue from the last checkpoint with --resume";
    match error {
        TrainError::Model(error) => hint_of_cause(error),
        TrainError::Loss(error) => hint_of_cause(error),
        TrainError::Embed(error) => embed(error),
        TrainError::Data(error) => data(error),
        TrainError::Run(error) => run(error),
        TrainError::Evaluation(error) => hint_of_cause(error),
        TrainError::Optimizer(error) => optimizer_state(error),
        TrainError::Precision { .. } => Some("give --set train.precision=f32".to_owned()),
        TrainError::NonFinite { .. } => {
            Some(format!("lower it with --set train.learning_rate=VALUE {go_on}"))
        }
        TrainError::Overflow { .. } => Some(format!(
            "lower it with --set train.learning_rate=VALUE, or set train.precision=f32, {go_on}"
        )),
    }
}

fn optimizer_state(error: &OptimizerStateError) -> Option<String> {
    match error {
        OptimizerStateError::OtherKind { setting, saved, .. } => {
            Some(format!("resume with {setting} = {saved}, or start a new run"))
        }
        OptimizerStateError::Encode(_) => None,
        _ => Some("resume from another checkpoint, or start a new run".to_owned()),
    }
}

fn run(error: &RunError) -> Option<String> {
    let hint = match error {
        RunError::File(error) => return file(error),
        RunError::Settings(error) => return hint_of_cause(error),
        RunError::Checkpoint(error) => return checkpoint(error),
        RunError::Exists(_) => "add --resume to continue it, or choose another folder".to_owned(),
        RunError::NoRun(_) => "give the folder that `gaitgl train --run` wrote".to_owned(),
        RunError::NoCheckpoint(_) => {
            "continue the run with `gaitgl train --resume`, or give the folder of another one"
                .to_owned()
        }
        RunError::Busy(_) => "wait for it to finish, or choose another folder".to_owned(),
        RunError::Damaged { before, .. } => {
            format!("remove it and the run continues from {}", before.display())
        }
        RunError::Misnumbered { iteration, .. } => {
            format!("rename it to iteration-{iteration:08}.safetensors")
        }
    };
    Some(hint)
}

fn checkpoint(error: &CheckpointError) -> Option<String> {
    match error {
        CheckpointError::File(error) => file(error),
        CheckpointError::Settings(error) => hint_of_cause(error),
        // The fault is the next cause.
        CheckpointError::Malformed { .. } => None,
    }
}

fn checkpoint_fault(fault: &CheckpointFault) -> Option<String> {
    let hint = match fault {
        CheckpointFault::Foreign(ForeignFormat::Onnx) => {
            "give the checkpoint from which it was exported"
        }
        CheckpointFault::Foreign(ForeignFormat::LfsPointer) => "fetch it with `git lfs pull`",
        CheckpointFault::Foreign(_) => "make a checkpoint from it with `gaitgl import`",
        CheckpointFault::Format { .. } => "use the version of gaitgl that wrote it",
        _ => return None,
    };
    Some(hint.to_owned())
}

fn embed(error: &EmbedError) -> Option<String> {
    match error {
        EmbedError::Checkpoint(error) => checkpoint(error),
        EmbedError::Data(error) => data(error),
        EmbedError::Model(error) => hint_of_cause(error),
        EmbedError::Embeddings(error) => hint_of_cause(error),
        EmbedError::Size { height, width, model_height, model_width } => {
            Some(size([*height, *width], [*model_height, *model_width]))
        }
        EmbedError::Clip { .. } | EmbedError::Shapes(..) => None,
    }
}

/// How to make silhouettes and a network, `[rows, columns]` each, fit each other.
fn size([height, width]: [usize; 2], model: [usize; 2]) -> String {
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

fn protocol(error: &ProtocolError) -> Option<String> {
    match error {
        ProtocolError::File(error) => file(error),
        ProtocolError::Eval(error) => hint_of_cause(error),
    }
}

fn ablation(error: &AblationError) -> Option<String> {
    match error {
        AblationError::File(error) => file(error),
        AblationError::Settings(error) => hint_of_cause(error),
        AblationError::Run(error) => run(error),
        AblationError::Checkpoint(error) => checkpoint(error),
        AblationError::Start(error) => start(error),
        AblationError::RepeatedSeed(_) => Some("give each seed once with --seeds".to_owned()),
        AblationError::OtherSettings(_) => Some("remove it".to_owned()),
        _ => None,
    }
}

fn sweep_row(fault: &RowFault) -> Option<String> {
    match fault {
        RowFault::Preset => Some("choose it with --preset or --config".to_owned()),
        RowFault::Seed => Some("choose the seeds with --seeds".to_owned()),
        _ => None,
    }
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

    #[test]
    fn the_first_cause_with_a_hint_gives_it() {
        let missing = FileError::io("read", "a.png", io::ErrorKind::NotFound.into());
        assert_eq!(hint(&DataError::from(missing).into()).as_deref(), Some("check the path"));
        assert_eq!(hint(&anyhow::anyhow!("a cause of no known type")), None);
    }
}
