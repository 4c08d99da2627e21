//! Advice for the command line: what to type or change when a library reports an error.
//!
//! The libraries say what is wrong and where; this file alone knows the flags and commands that fix
//! it. One function per error type maps its variants to a hint.

use std::error::Error;
use std::io;

use gait_data::{ABOUT_FILE, DataError, OutputFault, PartitionFault, SetFault, TreeFault};
use gait_support::{FileError, Stopped};

/// How to fix an error, if this program knows: the hint of the first cause that has one.
pub fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(hint_of_cause)
}

fn hint_of_cause(cause: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = cause.downcast_ref::<DataError>() {
        return data(error);
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
    let hint = match error {
        DataError::File(error) => return file(error),
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
        DataError::Unusable { .. } | DataError::Setting { .. } => return None,
    };
    Some(hint.to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cause_with_a_hint_gives_it() {
        let missing = FileError::io("read", "a.png", io::ErrorKind::NotFound.into());
        assert_eq!(hint(&DataError::from(missing).into()).as_deref(), Some("check the path"));
        assert_eq!(hint(&anyhow::anyhow!("a cause of no known type")), None);
    }
}
