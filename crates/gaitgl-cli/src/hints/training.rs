//! Hints for trainings, runs, checkpoints and ablations.

use gaitgl::ablation::{AblationError, RowFault};
use gaitgl::checkpoint::{CheckpointError, CheckpointFault};
use gaitgl::exchange::ForeignFormat;
use gaitgl::run::RunError;
use gaitgl::train::{OptimizerStateError, StartError, TrainError};

use super::{data, embed, eval, file, loss, model, protocol, settings};

pub(super) fn start(error: &StartError) -> Option<String> {
    match error {
        StartError::Settings(error) => settings(error),
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
        StartError::FixedNetwork => {
            Some("set train.* alone, or train another network without --from".to_owned())
        }
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

pub(super) fn train(error: &TrainError) -> Option<String> {
    let go_on = "and continue from the last checkpoint with --resume";
    match error {
        TrainError::Model(error) => model(error),
        TrainError::Loss(error) => loss(error),
        TrainError::Embed(error) => embed(error),
        TrainError::Data(error) => data(error),
        TrainError::Run(error) => run(error),
        TrainError::Evaluation(error) => eval(error),
        TrainError::Optimizer(error) => optimizer_state(error),
        TrainError::NonFinite { .. } => {
            Some(format!("lower it with --set train.learning_rate=VALUE {go_on}"))
        }
        TrainError::Overflow { .. } => Some(format!(
            "lower it with --set train.learning_rate=VALUE, or set train.precision=f32, {go_on}"
        )),
    }
}

pub(super) fn optimizer_state(error: &OptimizerStateError) -> Option<String> {
    match error {
        OptimizerStateError::OtherKind { setting, saved, .. } => {
            Some(format!("resume with {setting} = {saved}, or start a new run"))
        }
        OptimizerStateError::Encode(_) => None,
        _ => Some("resume from another checkpoint, or start a new run".to_owned()),
    }
}

pub(super) fn run(error: &RunError) -> Option<String> {
    let hint = match error {
        RunError::File(error) => return file(error),
        RunError::Settings(error) => return settings(error),
        RunError::Checkpoint(error) => return checkpoint(error),
        RunError::Exists(_) => "add --resume to continue it, or choose another folder".to_owned(),
        RunError::NoRun(_) => "give the folder that `gaitgl train --run` wrote".to_owned(),
        RunError::NoCheckpoint(_) => {
            "continue the run with `gaitgl train --resume`, or give the folder of another one"
                .to_owned()
        }
        RunError::Metrics { .. } => "remove that line".to_owned(),
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

pub(super) fn checkpoint(error: &CheckpointError) -> Option<String> {
    match error {
        CheckpointError::File(error) => file(error),
        CheckpointError::Settings(error) => settings(error),
        // The fault is the next cause.
        CheckpointError::Malformed { .. } => None,
    }
}

pub(super) fn checkpoint_fault(fault: &CheckpointFault) -> Option<String> {
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

pub(super) fn ablation(error: &AblationError) -> Option<String> {
    match error {
        AblationError::File(error) => file(error),
        AblationError::Settings(error) => settings(error),
        AblationError::Run(error) => run(error),
        AblationError::Checkpoint(error) => checkpoint(error),
        AblationError::Start(error) => start(error),
        AblationError::RepeatedSeed(_) => Some("give each seed once with --seeds".to_owned()),
        AblationError::OtherSettings(_) => Some("remove it".to_owned()),
        _ => None,
    }
}

pub(super) fn sweep_row(fault: &RowFault) -> Option<String> {
    match fault {
        RowFault::Preset => Some("choose it with --preset or --config".to_owned()),
        RowFault::Seed => Some("choose the seeds with --seeds".to_owned()),
        _ => None,
    }
}
