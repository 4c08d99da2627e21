//! Files of gait embeddings, to exchange them with other programs.
//!
//! [`write()`] and [`read`] convert between [`Embeddings`] and two formats, which the extension
//! selects ([`Format`]):
//!
//! - `.npz` for NumPy: four arrays, read with `numpy.load`;
//! - `.parquet` for pandas, polars and databases: one row per sequence with its names, so that a
//!   table can be filtered, joined and plotted without any code for this project.
//!
//! ```
//! use gait_eval::Embeddings;
//!
//! let names = [("anna", "nm-01", "090"), ("ben", "nm-01", "090")];
//! let names = names.map(|(who, how, view)| (who.to_owned(), how.to_owned(), view.to_owned()));
//! // Two channels, one strip.
//! let embeddings = Embeddings::new(2, 1, vec![0.1, 0.2, 5.0, 5.3], names)?;
//!
//! let folder = tempfile::tempdir()?;
//! for file in ["embeddings.npz", "embeddings.parquet"] {
//!     let path = folder.path().join(file);
//!     gait_embeddings::write(&path, &embeddings)?;
//!     assert_eq!(gait_embeddings::read(&path)?, embeddings);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Files of other programs may have other types: floats of 16, 32 or 64 bits, and names as text or
//! integers. A file is never trusted: the memory that it takes is limited by its size, and a damaged
//! file gives an [`EmbeddingsFileError`] that says what is wrong, not a panic. This is why `.npy`
//! headers and Parquet's page headers are parsed here, and only then given to a library.

mod claims;
mod columns;
mod error;
mod format;
mod npy;
mod npz;
mod parquet;
mod rows;
mod thrift;

use std::fs::File;
use std::io::Cursor;
use std::path::Path;

use ::parquet::file::reader::ChunkReader;
use bytes::Bytes;
use gait_eval::Embeddings;
use gait_support::FileError;
use gait_support::files::write_atomic_with;

pub use error::{
    Cause, ColumnError, DecodeError, EmbeddingsFileError, EncodeError, Excess, Expected,
};
pub use format::Format;

impl Format {
    /// The format that the extension of a path selects.
    ///
    /// # Errors
    /// The path ends in neither `.npz` nor `.parquet`.
    pub fn from_path(path: &Path) -> Result<Self, EmbeddingsFileError> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("npz") => Ok(Self::Npz),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(EmbeddingsFileError::Extension { path: path.to_owned() }),
        }
    }
}

/// Writes embeddings, whole or not at all; missing folders are created.
///
/// # Errors
/// An extension that selects no format, a folder that cannot be written to, a full disk.
pub fn write(path: &Path, embeddings: &Embeddings) -> Result<(), EmbeddingsFileError> {
    let format = Format::from_path(path)?;
    let encoded = write_atomic_with(path, |file| match format {
        Format::Npz => npz::write(file, embeddings),
        Format::Parquet => parquet::write(file, embeddings),
    });
    encoded.map_err(|reason| match reason {
        EncodeError::Io(source) => FileError::io("write", path, source).into(),
        reason => EmbeddingsFileError::Encode { path: path.to_owned(), reason },
    })
}

/// Reads embeddings that [`write()`] or another program wrote.
///
/// # Errors
/// A file that is missing, damaged, of another form, or without valid embeddings.
pub fn read(path: &Path) -> Result<Embeddings, EmbeddingsFileError> {
    let format = Format::from_path(path)?;
    let file = File::open(path).map_err(|source| FileError::io("read", path, source))?;
    let decoded = match format {
        Format::Npz => npz::read(file),
        Format::Parquet => read_parquet(file),
    };
    decoded.map_err(|reason| match reason {
        DecodeError::Io(source) => FileError::io("read", path, source).into(),
        reason => EmbeddingsFileError::Decode { path: path.to_owned(), reason },
    })
}

/// Reads embeddings from the bytes of a file.
///
/// # Errors
/// As [`read`], without the file's name.
pub fn decode(format: Format, bytes: Vec<u8>) -> Result<Embeddings, DecodeError> {
    match format {
        Format::Npz => npz::read(Cursor::new(bytes)),
        Format::Parquet => read_parquet(Bytes::from(bytes)),
    }
}

/// [`parquet::read`], whose library panics at some damaged files.
fn read_parquet(file: impl ChunkReader + 'static) -> Result<Embeddings, DecodeError> {
    gait_support::caught(|| parquet::read(file)).unwrap_or(Err(DecodeError::Damaged(None)))
}

#[cfg(test)]
mod tests {
    use gait_support::full_message;

    use super::*;

    /// Another size on every axis, and names of other lengths and alphabets.
    pub fn sample() -> Embeddings {
        let values = (0..3 * 2 * 5).map(|i| i as f32 * 0.25 - 3.0).collect();
        let names = [("007", "nm-01", "018"), ("8", "Mantel lang", "90"), ("李", "", "left é")];
        let names = names.map(|(s, c, v)| (s.to_owned(), c.to_owned(), v.to_owned()));
        Embeddings::new(2, 5, values, names).unwrap()
    }

    fn problem(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        write(&path, &sample()).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        change(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        full_message(&read(&path).unwrap_err())
    }

    #[test]
    fn what_is_written_is_read_and_nothing_stays_beside_it() {
        for name in ["a.npz", "new/folder/a.parquet"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            write(&path, &sample()).unwrap();
            assert_eq!(read(&path).unwrap(), sample(), "{name}");
            assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        }
    }

    #[test]
    fn other_endings_are_refused_before_any_work() {
        for name in ["a", "a.csv", "npz"] {
            let message = Format::from_path(Path::new(name)).unwrap_err().to_string();
            assert!(message.contains(".npz or .parquet"), "{message}");
        }
    }

    #[test]
    fn damaged_files_are_errors_with_their_name() {
        for name in ["a.npz", "a.parquet"] {
            for keep in [0, 1, 40] {
                let message = problem(name, |bytes| bytes.truncate(keep));
                assert!(message.contains(name), "{message}");
            }
            problem(name, |bytes| bytes.truncate(bytes.len() - 7));
        }
    }

    #[test]
    fn a_flipped_bit_in_another_programs_file_is_no_panic() {
        gait_support::keep_caught_panics_quiet();
        let file = include_bytes!("../../../fuzz/seeds/parquet/polars");
        let mut caught = 0;
        for bit in 0..8 * file.len() {
            let mut bytes = file.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let decoded = decode(Format::Parquet, bytes);
            caught += usize::from(matches!(decoded, Err(DecodeError::Damaged(None))));
        }
        assert!(caught > 0, "the library no longer panics: remove the guard");
    }

    #[test]
    fn a_missing_file_is_named() {
        let message = full_message(&read(Path::new("nowhere/a.npz")).unwrap_err());
        assert!(message.starts_with("cannot read nowhere/a.npz: "), "{message}");
    }
}
