//! Why a file of `torch.save`, or a tensor in it, cannot be read.

use std::io;

use gait_data::pickle::PickleError;
use safetensors::Dtype;
use zip::result::ZipError;

/// Why a file of `torch.save` cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TorchFault {
    /// It does not start as such a file does.
    #[error("it is not a file of torch.save, or its start is damaged")]
    NotTorch,
    /// It is not a whole zip file.
    #[error("it is a damaged or truncated zip file")]
    Zip(#[source] ZipError),
    /// It is another program's zip file.
    #[error("it is a zip file without data.pkl, so not from torch.save")]
    NoPickle,
    /// It is a program, not tensors alone.
    #[error("it is a TorchScript program, not a state dict")]
    TorchScript,
    /// Its pickle is damaged, or names what is not allowed.
    #[error("its pickle cannot be read")]
    Pickle(#[from] PickleError),
    /// Its values refer to each other more often than those of any checkpoint.
    #[error("it nests more values than any checkpoint")]
    TooNested,
    /// A file within the zip file cannot be read.
    #[error(transparent)]
    Member(#[from] MemberFault),
    /// The list of storages is damaged.
    #[error("the list of its storages is damaged")]
    StorageList,
    /// No tensor refers to a storage.
    #[error("no tensor uses storage {key}")]
    UnusedStorage {
        /// The storage.
        key: String,
    },
    /// The file ends before a storage does.
    #[error("it is truncated: storage {key} needs {count} elements")]
    Truncated {
        /// The storage.
        key: String,
        /// How many elements it should have.
        count: usize,
    },
    /// A storage has another length than its tensors say.
    #[error("storage {key} has {found} elements, its tensors need {expected}")]
    StorageLength {
        /// The storage.
        key: String,
        /// How many elements it has.
        found: u64,
        /// How many elements its tensors need.
        expected: usize,
    },
    /// A tensor is damaged.
    #[error("one of its tensors is damaged")]
    Tensor(#[source] TensorFault),
}

/// Why a file within a zip file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MemberFault {
    /// It is missing, or packed in an unknown way.
    #[error("{name} cannot be read")]
    Unreadable {
        /// Its name.
        name: String,
        /// Why.
        source: ZipError,
    },
    /// It claims more bytes than it can have.
    #[error("{name} claims {length} bytes, more than it can have")]
    Length {
        /// Its name.
        name: String,
        /// What it claims.
        length: u64,
    },
    /// It does not unpack.
    #[error("{name} is damaged")]
    Damaged {
        /// Its name.
        name: String,
        /// Why.
        source: io::Error,
    },
}

/// Why a tensor cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TensorFault {
    /// It is a parameter of nothing.
    #[error("it is a parameter without a tensor")]
    NoTensor,
    /// The call that rebuilds it lacks arguments.
    #[error("it lacks arguments")]
    Arguments,
    /// Its offset is not a count.
    #[error("it has a damaged offset")]
    Offset,
    /// Its shape is not a list of counts.
    #[error("it has a damaged shape")]
    Shape,
    /// Its strides are not as many counts as its shape has.
    #[error("it has damaged strides")]
    Strides,
    /// It does not lie within its storage.
    #[error("it reaches beyond its storage")]
    BeyondStorage,
    /// It refers to no storage.
    #[error("it is in no storage")]
    NoStorage,
    /// Its storage is a part of another one.
    #[error("it is in a part of another storage, as PyTorch before 0.4 wrote")]
    StorageView,
    /// What describes its storage cannot be read.
    #[error("it is in a damaged storage")]
    DamagedStorage,
    /// Its storage is not in the file.
    #[error("it is in a storage that the file does not hold")]
    MissingStorage,
    /// Its storage has another length than it says.
    #[error("it needs a storage of {expected} bytes; {storage} has {found}")]
    StorageBytes {
        /// The storage.
        storage: String,
        /// Bytes that it needs.
        expected: usize,
        /// Bytes of the storage.
        found: usize,
    },
    /// The file of its storage cannot be read.
    #[error("its storage cannot be read")]
    Member(#[from] MemberFault),
    /// Its size is beyond all memory.
    #[error("it has an impossible size")]
    Size,
    /// It holds whole numbers or truth values.
    #[error("it holds {0}, not floating-point numbers")]
    NotFloats(&'static str),
    /// Its elements have a type that no network here is stored in.
    #[error("it has the type {0:?}, which is not supported")]
    UnknownType(Dtype),
    /// It holds values that no network can use.
    #[error("it holds {count} values that are NaN, infinite or beyond float32")]
    NotFinite {
        /// How many.
        count: usize,
    },
}
