//! Results as files.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use gait_support::FileError;
pub use gait_support::files::write_json;
use gait_support::files::{check_writable, write_atomic};

use crate::output;

/// Writes bytes, all of them or none.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_atomic(path, bytes).map_err(|error| FileError::io("write", path, error))
}

/// Where a result goes as JSON: a file, or standard output for `-`.
#[derive(Clone)]
pub enum JsonTarget {
    /// `-`
    Stdout,
    /// Any other name; `./-` is a file.
    File(PathBuf),
}

impl From<OsString> for JsonTarget {
    fn from(name: OsString) -> Self {
        if name == "-" { Self::Stdout } else { Self::File(name.into()) }
    }
}

impl JsonTarget {
    /// Checks before the work starts that the result can be written. If it goes to standard output,
    /// all other text goes to standard error from now on.
    pub fn prepare(&self) -> Result<(), FileError> {
        match self {
            Self::Stdout => output::reserve_stdout_for_json(),
            Self::File(path) => check_writable(path)?,
        }
        Ok(())
    }

    /// Writes the result.
    pub fn write(&self, value: &serde_json::Value) -> Result<(), FileError> {
        match self {
            Self::Stdout => output::print_json(value),
            Self::File(path) => write_json(path, value)?,
        }
        Ok(())
    }
}
