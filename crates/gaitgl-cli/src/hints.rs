//! Advice for the command line: what to type or change when a library reports an error.
//!
//! The libraries say what is wrong and where; this file alone knows the flags and commands that fix
//! it. One function per error type maps its variants to a hint.

use std::error::Error;
use std::io;

use gait_data::pickle::PickleError;
use gait_data::synth::SynthError;
use gait_data::{
    ABOUT_FILE, DataError, OutputFault, PartitionFault, SamplerError, SetFault, TreeFault,
    can_prepare, trimmed_width,
};
use gait_embeddings::{ColumnError, DecodeError};
use gait_eval::{EmbeddingsError, EvalError, Misfit};
use gait_support::{FileError, Stopped};
use gaitgl::ablation::{AblationError, RowFault};
use gaitgl::checkpoint::{CheckpointError, CheckpointFault};
use gaitgl::device::{Api, DeviceError};
use gaitgl::embed::EmbedError;
use gaitgl::exchange::{
    ExchangeError, ExportFault, ForeignFormat, ImportFault, TensorFault, TorchFault,
};
use gaitgl::loss::LossError;
use gaitgl::net::ModelError;
use gaitgl::protocols::ProtocolChoiceError;
use gaitgl::run::RunError;
use gaitgl::settings::{Requirement, SettingsError, SyntaxError};
use gaitgl::train::{OptimizerStateError, StartError, TrainError};

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
    if let Some(error) = cause.downcast_ref::<EmbeddingsError>() {
        return embeddings(error);
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

// A transparent variant hides its inner error from the chain, so each function asks the inner
// error's function itself.
fn data(error: &DataError) -> Option<String> {
    let hint = match error {
        DataError::File(error) => return file(error),
        DataError::Sampler(error) => return sampler(error),
        DataError::Partition { fault, .. } => return partition(fault),
        DataError::Tree { fault, .. } => return tree(fault),
        DataError::Output { fault, .. } => output(fault),
        DataError::Set { fault, .. } => return set(fault),
        DataError::Stopped(_) => "run the same command again",
        DataError::Json { path, .. } if path.ends_with(ABOUT_FILE) => PREPARE_AGAIN,
        DataError::Json { .. } => PARTITION_FORM,
        DataError::Utf16 { .. } => "save it as UTF-8",
        DataError::UnknownLayout { .. } => {
            "choose one of them with --layout, or describe the tree with --layout flat --pattern"
        }
        DataError::FixedPattern { .. } => "use --layout flat with --pattern",
        DataError::Pattern { .. } => "write one like {subject}/{condition}/{view}",
        DataError::Height { .. } => "choose --height 64, or 128 for Gait3D",
        DataError::NotAFolderName { .. } => "prepare the set from a tree with other names",
        DataError::TooLong { .. } => "prepare it in shorter sequences",
        DataError::Thread => "please report it with the command you ran",
    };
    Some(hint.to_owned())
}

fn eval(error: &EvalError) -> Option<String> {
    let hint = match error {
        EvalError::Protocol { .. } => {
            "`gaitgl info --protocol NAME` prints a built-in protocol to start from"
        }
        EvalError::Range { .. } => {
            "leave that sequence out if it is an outlier, or multiply all embeddings by one factor"
        }
        EvalError::Stopped(_) => "run the same command again",
        // The reason of a misfit is the next cause.
        _ => return None,
    };
    Some(hint.to_owned())
}

fn misfit(error: &Misfit) -> Option<String> {
    let hint = match error {
        Misfit::NoPublicProbes => {
            "write its submission file instead, with `gaitgl test --submission FILE.csv`"
        }
        Misfit::NoSequences => {
            "prepare the data with a partition that names test subjects (TEST_SET)"
        }
        Misfit::NoList => {
            "give that file as --partition FILE.json, to `gaitgl prepare` for a prepared set or to \
             `gaitgl test` with --embeddings"
        }
        Misfit::NotFound { .. } => "use --protocol leave-one-out, which fits any data",
        Misfit::NoSubmission => {
            "use --protocol grew or --protocol hid, or a protocol file of your own with that table"
        }
        Misfit::RepeatedProbe { .. } => {
            "rename them: a folder in a tree, a column in a file of embeddings"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn embeddings(error: &EmbeddingsError) -> Option<String> {
    match error {
        EmbeddingsError::NotFinite { .. } => {
            Some("check that the training of its network did not diverge".to_owned())
        }
        _ => None,
    }
}

/// How to write Parquet so that the file is not much smaller than its contents.
const UNPACKED: &str = "write it with compression=\"none\" and use_dictionary=False, or as .npz";

fn decoded_embeddings(error: &DecodeError) -> Option<String> {
    matches!(error, DecodeError::Rows { .. }).then(|| UNPACKED.to_owned())
}

fn column(error: &ColumnError) -> Option<String> {
    let hint = match error {
        ColumnError::Compressed => "write it with numpy.savez instead of savez_compressed",
        ColumnError::FortranOrder => "write numpy.ascontiguousarray of it",
        ColumnError::Pickled => "write its .astype(str)",
        ColumnError::Codec(_) => "write it with compression=\"zstd\" or \"snappy\"",
        ColumnError::DeltaEncoding => "write it with column_encoding=\"PLAIN\", or as .npz",
        ColumnError::Excess(_) => UNPACKED,
        _ => return None,
    };
    Some(hint.to_owned())
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

fn sampler(error: &SamplerError) -> Option<String> {
    let hint = match error {
        SamplerError::Zero { field } => format!("set train.batch.{field} to 1 or more"),
        // A triplet needs two identities.
        SamplerError::TooFewSubjects { available: 0 | 1, .. } => {
            "training needs two; prepare the set with a --partition that has them".to_owned()
        }
        SamplerError::TooFewSubjects { available, .. } => {
            format!("set train.batch.subjects to {available} or less")
        }
        SamplerError::TooLarge { .. } => {
            "reduce train.batch.subjects, train.batch.sequences or train.batch.frames".to_owned()
        }
        SamplerError::MixedSizes { .. } => {
            "prepare all sequences in one run of `gaitgl prepare`".to_owned()
        }
    };
    Some(hint)
}

fn synth(error: &SynthError) -> Option<String> {
    let hint = match error {
        SynthError::Count { option, .. } => match *option {
            "subjects" | "frames" => format!("change --{option}"),
            // The command has no flags for the recordings.
            _ => return None,
        },
        SynthError::NoViews => "give angles, such as --views 0,90,180".to_owned(),
        SynthError::View { .. } => "change --views".to_owned(),
        SynthError::DuplicateView { .. } => "give each angle of --views once".to_owned(),
        SynthError::NotAFolder { .. } | SynthError::NotEmpty { .. } => {
            "choose another folder or remove it first".to_owned()
        }
        SynthError::File(error) => return file(error),
        SynthError::Stopped(_) => "run the same command again".to_owned(),
    };
    Some(hint)
}

const PARTITION_FORM: &str = "write {\"TRAIN_SET\": [\"001\", ...], \"TEST_SET\": [\"075\", ...]}";
const PREPARE_AGAIN: &str = "delete the folder and run `gaitgl prepare` again";

fn partition(fault: &PartitionFault) -> Option<String> {
    let hint = match fault {
        PartitionFault::NotAList { .. } | PartitionFault::NoSides => PARTITION_FORM,
        PartitionFault::BothSides { .. } => "leave each on one side only",
        PartitionFault::NoProbes => "add the list of probes",
        PartitionFault::Unlisted { .. } => {
            "add them to one, or leave them out with --leave-out-unlisted"
        }
        PartitionFault::OtherNames { .. } => "give the partition of this data set",
    };
    Some(hint.to_owned())
}

fn tree(fault: &TreeFault) -> Option<String> {
    let hint = match fault {
        TreeFault::NotAFolder => "give the folder of the data set",
        TreeFault::Unreadable { .. } => "change their permissions",
        TreeFault::TooHigh { .. } | TreeFault::TooDeep { .. } => {
            "give the folder whose subfolders are the subjects, or describe the tree with \
             --layout flat --pattern"
        }
        TreeFault::NoMatch { .. } => "describe the folders with --layout flat --pattern",
        TreeFault::NoSequence { .. } => "give the folder whose subfolders are the subjects",
        TreeFault::SameSequence { .. } => "rename one of them",
        TreeFault::BothSides { .. } => "say who trains with --partition",
        TreeFault::NothingUsable { .. } => "check its files",
    };
    Some(hint.to_owned())
}

fn output(fault: &OutputFault) -> &'static str {
    match fault {
        OutputFault::IsAFile => "choose another output folder",
        OutputFault::OtherSet | OutputFault::OlderSet => {
            "choose another output folder, or replace the set with --overwrite"
        }
        OutputFault::Holds { .. } | OutputFault::Exists => "choose an empty or new folder",
    }
}

fn set(fault: &SetFault) -> Option<String> {
    let hint = match fault {
        SetFault::NoFolder => "give the folder that `gaitgl prepare` wrote",
        SetFault::NoSet => "make one with `gaitgl prepare RAW OUT`",
        SetFault::Unfinished => "run the same `gaitgl prepare` again to continue",
        SetFault::Form { .. } => "run `gaitgl prepare` again",
        SetFault::Length { .. }
        | SetFault::Clips(_)
        | SetFault::Count { .. }
        | SetFault::Size(_)
        | SetFault::Damaged(_) => PREPARE_AGAIN,
        SetFault::NoSequence { .. } => return None,
    };
    Some(hint.to_owned())
}

fn start(error: &StartError) -> Option<String> {
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
        RunError::Settings(error) => return settings(error),
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
        CheckpointError::Settings(error) => settings(error),
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

fn protocol(error: &ProtocolChoiceError) -> Option<String> {
    match error {
        ProtocolChoiceError::File(error) => file(error),
        ProtocolChoiceError::Eval(error) => eval(error),
    }
}

fn ablation(error: &AblationError) -> Option<String> {
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
