//! Advice for the command line: what to type or change when a library reports an error.
//!
//! The libraries say what is wrong and where; this file alone knows the flags and commands that fix
//! it. One function per error type maps its variants to a hint.

use std::error::Error;
use std::io;

use gait_data::DataError;
use gait_support::{FileError, Stopped};

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
    match error {
        DataError::File(error) => file(error),
        DataError::Stopped(_) => Some("run the same command again".to_owned()),
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
}
