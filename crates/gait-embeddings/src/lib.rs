//! Embeddings as files for other programs: numpy's `.npz`, and `.parquet`.

mod claims;
mod npz;
mod parquet;
mod rows;
mod thrift;

use std::io::Cursor;
use std::path::Path;

use ::parquet::file::reader::ChunkReader;
use anyhow::{Context, bail};
use bytes::Bytes;
use gait_eval::Embeddings;
use gait_support::files::write_atomic_with;

/// The names of the columns beside `embeddings`.
const NAMES: [&str; 3] = ["subject", "condition", "view"];

/// How embeddings are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// numpy arrays, uncompressed: `embeddings` float32 `[n, c, p]`, and `subject`, `condition`,
    /// `view` as fixed-width unicode `[n]`.
    Npz,
    /// Columns `subject`, `condition`, `view` and `embeddings`, a fixed-size list of `c * p`
    /// float32 in the order `[c, p]`; `channels` and `strips` in the key-value metadata.
    Parquet,
}

/// The format that a file's name asks for.
///
/// # Errors
/// If the name ends in neither `.npz` nor `.parquet`.
pub fn check_format(path: &Path) -> anyhow::Result<Format> {
    match path.extension().and_then(|end| end.to_str()) {
        Some("npz") => Ok(Format::Npz),
        Some("parquet") => Ok(Format::Parquet),
        _ => bail!("{}: embeddings are files named .npz or .parquet", path.display()),
    }
}

/// Writes embeddings, whole or not at all; missing folders are made.
///
/// # Errors
/// A name that asks for no format, embeddings that contradict themselves, a folder that cannot be
/// written to, a full disk.
pub fn write(path: &Path, embeddings: &Embeddings) -> anyhow::Result<()> {
    let format = check_format(path)?;
    let write = |file: &mut std::fs::File| match format {
        Format::Npz => npz::write(file, embeddings),
        Format::Parquet => parquet::write(file, embeddings),
    };
    write_atomic_with(path, write).with_context(|| format!("cannot write {}", path.display()))
}

/// Reads embeddings that [`write()`] or another program wrote.
///
/// # Errors
/// A file that is missing, damaged, of another form (the message says which), or holds embeddings
/// that contradict themselves.
pub fn read(path: &Path) -> anyhow::Result<Embeddings> {
    let format = check_format(path)?;
    let read = || {
        let file = std::fs::File::open(path)?;
        match format {
            Format::Npz => npz::read(file),
            Format::Parquet => read_parquet(file),
        }
    };
    read().with_context(|| format!("cannot read {}", path.display()))
}

/// [`read`] of a file's bytes.
///
/// # Errors
/// As [`read`], without the file's name.
pub fn decode(format: Format, bytes: Vec<u8>) -> anyhow::Result<Embeddings> {
    match format {
        Format::Npz => npz::read(Cursor::new(bytes)),
        Format::Parquet => read_parquet(Bytes::from(bytes)),
    }
}

/// [`parquet::read`], whose library panics at some damaged files.
fn read_parquet(file: impl ChunkReader + 'static) -> anyhow::Result<Embeddings> {
    let read = gait_support::caught(|| parquet::read(file));
    read.unwrap_or_else(|| bail!("it is damaged: its decoder cannot make sense of it"))
}

/// The three names of each sequence, in the order of [`NAMES`].
fn columns(embeddings: &Embeddings) -> [&[String]; 3] {
    [embeddings.subjects(), embeddings.conditions(), embeddings.views()]
}

#[cfg(test)]
mod tests {
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
        format!("{:#}", read(&path).unwrap_err())
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
            let message = check_format(Path::new(name)).unwrap_err().to_string();
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
            let error = decode(Format::Parquet, bytes).err().map(|error| error.to_string());
            caught += usize::from(error.is_some_and(|error| error.contains("its decoder")));
        }
        assert!(caught > 0, "the library panics no more: read without catching");
    }

    #[test]
    fn a_missing_file_is_named() {
        let message = format!("{:#}", read(Path::new("nowhere/a.npz")).unwrap_err());
        assert!(message.starts_with("cannot read nowhere/a.npz: "), "{message}");
    }
}
