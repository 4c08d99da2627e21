//! Hints for silhouettes, trees, prepared sets and walkers.

use gait_data::synth::SynthError;
use gait_data::{
    ABOUT_FILE, DataError, OutputFault, PartitionFault, SamplerError, SetFault, TreeFault,
};

use super::file;

// A transparent variant hides its inner error from the chain, so each function asks the inner
// error's function itself.
pub(super) fn data(error: &DataError) -> Option<String> {
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

pub(super) fn sampler(error: &SamplerError) -> Option<String> {
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

pub(super) fn synth(error: &SynthError) -> Option<String> {
    let hint = match error {
        SynthError::Count { option, .. } => match *option {
            "subjects" | "frames" => format!("change --{option}"),
            // The command has no flags for the recordings.
            _ => return None,
        },
        SynthError::NoViews => "give angles, such as --views 0,90,180".to_owned(),
        SynthError::View { .. } => "change --views".to_owned(),
        SynthError::DuplicateView { .. } => "give each angle of --views once".to_owned(),
        SynthError::UnknownWorld { .. } => "change --world".to_owned(),
        SynthError::WorldSyntax { .. } => {
            "`gaitgl synth --world street --print-world` prints a world".to_owned()
        }
        SynthError::Range { .. } | SynthError::NoRates => "change the file of --world".to_owned(),
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

pub(super) fn partition(fault: &PartitionFault) -> Option<String> {
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

pub(super) fn tree(fault: &TreeFault) -> Option<String> {
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

pub(super) fn output(fault: &OutputFault) -> &'static str {
    match fault {
        OutputFault::IsAFile => "choose another output folder",
        OutputFault::OtherSet | OutputFault::OlderSet => {
            "choose another output folder, or replace the set with --overwrite"
        }
        OutputFault::Holds { .. } | OutputFault::Exists => "choose an empty or new folder",
    }
}

pub(super) fn set(fault: &SetFault) -> Option<String> {
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
