//! What can be wrong with a prepared set.

use super::about::{FORM, OLDEST_FORM};
use super::arrow_file::ClipsFault;
use crate::SequenceKey;

/// Why a prepared set cannot be used. Its `Display` follows the name of the folder or file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetFault {
    /// The folder is missing.
    #[error("there is no such folder")]
    NoFolder,
    /// The folder has no description of a set.
    #[error("not a prepared set (prepared.json is missing)")]
    NoSet,
    /// The folder holds the work of a preparation that was stopped.
    #[error("its preparation was not finished")]
    Unfinished,
    /// The set was written by a newer version.
    #[error("it is of form {form}, this program reads form {OLDEST_FORM} to {FORM}")]
    Form {
        /// The form of the set.
        form: u64,
    },
    /// The file of sequences has another length than the description says.
    #[error("it has {found} bytes where {expected} were written")]
    Length {
        /// Its bytes.
        found: u64,
        /// The bytes that were written.
        expected: u64,
    },
    /// The file of sequences cannot be read.
    #[error("{0}")]
    Clips(ClipsFault),
    /// There are more or fewer sequences than the description says.
    #[error("it holds {found} sequences, not {expected}")]
    Count {
        /// Sequences in the file.
        found: usize,
        /// Sequences that were written.
        expected: u64,
    },
    /// A sequence has an impossible number of frames, rows or columns.
    #[error("sequence {0} has an impossible size")]
    Size(Box<SequenceKey>),
    /// The bytes of a sequence are not those that were written.
    #[error("sequence {0} is damaged")]
    Damaged(Box<SequenceKey>),
    /// A sequence was asked for that the set does not have.
    #[error("there is no sequence {index}, only {length}")]
    NoSequence {
        /// The index asked for.
        index: usize,
        /// How many sequences there are.
        length: usize,
    },
}
