//! Advice for the command line: what to type or change when a library reports an error.
//!
//! The libraries say what is wrong and where; this file alone knows the flags and commands that fix
//! it. One function per error type maps its variants to a hint.

use std::error::Error;
use std::io;

use gait_data::synth::SynthError;
use gait_data::{DataError, SamplerError};
use gait_support::{FileError, Stopped};

/// How to fix an error, if this program knows: the hint of the first cause that has one.
pub fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(hint_of_cause)
}

fn hint_of_cause(cause: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = cause.downcast_ref::<DataError>() {
        return data(error);
    }
    if let Some(error) = cause.downcast_ref::<SynthError>() {
        return synth(error);
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
        DataError::Sampler(error) => sampler(error),
        DataError::Stopped(_) => Some("run the same command again".to_owned()),
        _ => None,
    }
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
