//! What can go wrong with a file of embeddings.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use gait_eval::EmbeddingsError;
use gait_support::FileError;

use crate::format::Format;

/// An error of a library that reads or writes a format.
pub type Cause = Box<dyn Error + Send + Sync>;

/// A file of embeddings that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddingsFileError {
    /// The extension is not that of a format.
    #[error("{}: a file of embeddings must end in .npz or .parquet", path.display())]
    Extension {
        /// The path as given.
        path: PathBuf,
    },
    /// The file system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file does not contain embeddings.
    #[error("cannot read {}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        reason: DecodeError,
    },
    /// The embeddings cannot be written in the format.
    #[error("cannot write {}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        reason: EncodeError,
    },
}

/// Embeddings that cannot be written in a format.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The system's reason.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A Parquet list is limited to 2^31 - 1 values.
    #[error("an embedding has {values} values, more than a .parquet file can hold in a list")]
    TooWide {
        /// Values of an embedding.
        values: usize,
    },
    /// The library that writes the format failed.
    #[error("the file cannot be encoded")]
    Library(#[source] Cause),
}

/// Bytes that are not a file of embeddings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The system's reason.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes are of another kind of file.
    #[error("it is not {format} file, or it is truncated")]
    OtherFormat {
        /// The format that was expected.
        format: Format,
        /// The words of the library that reads the format.
        #[source]
        cause: Option<Cause>,
    },
    /// The description of the columns is damaged, or nests without end.
    #[error("the description of its columns is damaged or nests too deeply")]
    Schema,
    /// The library that reads the format cannot make sense of the file.
    #[error("it is damaged")]
    Damaged(#[source] Option<Cause>),
    /// The file claims more rows than it can hold.
    #[error("it claims to hold {rows} rows in {bytes} bytes")]
    Rows {
        /// The claimed number of rows.
        rows: u64,
        /// The size of the file.
        bytes: u64,
    },
    /// A column cannot be used.
    #[error("{} `{column}`", match format { Format::Npz => "array", Format::Parquet => "column" })]
    Column {
        /// The format, in which a column may be called an array.
        format: Format,
        /// The column.
        column: String,
        /// What is wrong with it.
        #[source]
        reason: ColumnError,
    },
    /// What was read is not embeddings.
    #[error(transparent)]
    Embeddings(#[from] EmbeddingsError),
}

impl DecodeError {
    /// A reason wrapped with the place where it applies.
    pub(crate) fn in_column(
        format: Format,
        column: &str,
    ) -> impl Fn(ColumnError) -> DecodeError + use<> {
        let column = column.to_owned();
        move |reason| DecodeError::Column { format, column: column.clone(), reason }
    }
}

/// A column of a file of embeddings that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ColumnError {
    /// The file does not have it.
    #[error("it is missing; the file has only: {}", found.join(", "))]
    Missing {
        /// What the file has.
        found: Vec<String>,
    },
    /// The file has several of this name.
    #[error("it exists more than once")]
    Repeated,
    /// The library that reads the format failed.
    #[error("it is damaged")]
    Damaged(#[source] Option<Cause>),
    /// Bytes are missing.
    #[error("it is truncated")]
    Truncated,
    /// Values are missing (null).
    #[error("it has missing values")]
    Nulls,
    /// The values are of another type.
    #[error("it is of type {found}; it must be {expected}")]
    Type {
        /// The type in the words of the format.
        found: String,
        /// The types that can be read.
        expected: Expected,
    },
    /// An array is compressed.
    #[error("it is compressed, which is not supported")]
    Compressed,
    /// A Parquet column is compressed with another method than Snappy or Zstandard.
    #[error("it is compressed with {0}, which is not supported")]
    Codec(String),
    /// A Parquet page has a delta encoding.
    #[error("it has a delta encoding, which is not supported")]
    DeltaEncoding,
    /// The bytes are not an array of NumPy.
    #[error("it is not a .npy array")]
    NotNpy,
    /// The array is of a version of the `.npy` format that is not known.
    #[error("it has version {0} of the .npy format; 1 to 3 are known")]
    Version(u8),
    /// The header of an array lacks something or is truncated.
    #[error("it has a header that cannot be read")]
    Header,
    /// The values are in Fortran order.
    #[error("it is in Fortran order, which is not supported")]
    FortranOrder,
    /// An array holds Python objects.
    #[error("it contains pickled Python objects, which are not read")]
    Pickled,
    /// The data of an array does not have the size that its header states.
    #[error("it has {bytes} bytes, which are not {shape:?} values of {dtype}")]
    Length {
        /// Bytes of data.
        bytes: u64,
        /// The stated shape.
        shape: Vec<usize>,
        /// The stated type.
        dtype: String,
    },
    /// An array has another number of axes.
    #[error("it has shape {shape:?}; it must be {expected}")]
    Axes {
        /// The shape of the array.
        shape: Vec<usize>,
        /// The shape that is expected, with a letter for each size.
        expected: &'static str,
    },
    /// A text has code points that do not exist.
    #[error("it contains text that is not Unicode")]
    NotUnicode,
    /// One list per row does not say its sizes, and the metadata lacks one.
    #[error(
        "it has one list per row, and the metadata lacks `{0}`; needed are `channels` and `strips` in \
         the metadata, or a list of c lists of p values per row"
    )]
    NoSize(&'static str),
    /// A size in the metadata is not a number.
    #[error("it has `{key}` {value} in the metadata, which is not a number")]
    Size {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
    },
    /// An embedding without values.
    #[error("it has {channels} channels x {strips} strips")]
    NoValues {
        /// Channels of an embedding.
        channels: usize,
        /// Strips of an embedding.
        strips: usize,
    },
    /// An embedding has another size than the first one or the metadata state.
    #[error("it has {found} values in row {row}; channels x strips are {channels} x {strips}")]
    RowSize {
        /// The row, from 0.
        row: usize,
        /// The number of its values, or `c x p`.
        found: String,
        /// Channels of an embedding.
        channels: usize,
        /// Strips of an embedding.
        strips: usize,
    },
    /// The lists of one row differ in length.
    #[error("it has lists of different lengths in one row")]
    UnevenLists,
    /// There are more rows than the file states.
    #[error("it has more rows than the file states")]
    MoreRows,
    /// Two row groups share bytes.
    #[error("it has row groups that overlap")]
    Overlap,
    /// The column would be far larger in memory than the file is. This protects from forged files,
    /// but also refuses real ones that are nearly all zeros.
    #[error("it claims to hold more {0} than a file of this size should")]
    Excess(Excess),
}

/// The types of values that a column may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Numbers: the values of embeddings.
    Floats,
    /// Lists of numbers: the embeddings of Parquet.
    Lists,
    /// Texts or integers: names.
    Names,
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Floats => "float16, float32 or float64",
            Self::Lists => "a list of floats, or of lists of floats",
            Self::Names => "text or integers",
        })
    }
}

/// What a forged file may claim to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// Unpacked bytes.
    Bytes,
    /// Values.
    Values,
    /// Characters of text.
    Text,
    /// Rows.
    Rows,
}

impl std::fmt::Display for Excess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bytes => "bytes",
            Self::Values => "values",
            Self::Text => "text",
            Self::Rows => "rows",
        })
    }
}
