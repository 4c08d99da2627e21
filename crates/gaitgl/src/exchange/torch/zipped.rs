//! Zip files: `NAME/data.pkl`, `NAME/byteorder` and one file per storage, `NAME/data/KEY`.

use std::io::{Cursor, Read};
use std::sync::Arc;

use zip::ZipArchive;

use super::{LONGEST_PICKLE, MemberFault, TensorFault, TorchFault};
use crate::exchange::error::printable;

/// The most bytes that one deflated byte becomes.
const MOST_INFLATED: u64 = 1032;

/// A file of PyTorch 1.6 or newer.
pub struct Zipped {
    archive: ZipArchive<Cursor<Arc<[u8]>>>,
    /// `NAME/`.
    folder: String,
    pickle: Vec<u8>,
    big_endian: bool,
}

impl Zipped {
    pub fn open(bytes: Vec<u8>) -> Result<Self, TorchFault> {
        let mut archive = ZipArchive::new(Cursor::new(bytes.into())).map_err(TorchFault::Zip)?;
        let names: Vec<String> =
            archive.file_names().flatten().map(std::borrow::Cow::into_owned).collect();
        let folder = |name: &str| name.strip_suffix("data.pkl").map(String::from);
        let folder = names.iter().find_map(|name| folder(name));
        let folder = folder.ok_or(TorchFault::NoPickle)?;
        if names.iter().any(|name| *name == format!("{folder}constants.pkl")) {
            return Err(TorchFault::TorchScript);
        }
        let pickle = read(&mut archive, &format!("{folder}data.pkl"), LONGEST_PICKLE)?;
        let order = format!("{folder}byteorder");
        let big_endian = names.contains(&order) && read(&mut archive, &order, 16)? == b"big";
        Ok(Self { archive, folder, pickle, big_endian })
    }

    pub fn pickle(&self) -> &[u8] {
        &self.pickle
    }

    pub fn big_endian(&self) -> bool {
        self.big_endian
    }

    /// A storage of `length` bytes.
    pub fn storage(&self, key: &str, length: usize) -> Result<Vec<u8>, TensorFault> {
        // A clone shares the directory and the bytes.
        let name = format!("{}data/{key}", self.folder);
        let bytes = read(&mut self.archive.clone(), &name, length as u64)?;
        if bytes.len() == length {
            return Ok(bytes);
        }
        let storage = printable(&name);
        Err(TensorFault::StorageBytes { storage, expected: length, found: bytes.len() })
    }
}

/// A file of the archive, of at most `longest` bytes.
fn read<R: Read + std::io::Seek>(
    archive: &mut ZipArchive<R>,
    name: &str,
    longest: u64,
) -> Result<Vec<u8>, MemberFault> {
    let file = archive
        .by_name(name)
        .map_err(|source| MemberFault::Unreadable { name: printable(name), source })?;
    let length = file.size();
    if length > longest || length > file.compressed_size().saturating_mul(MOST_INFLATED) + 64 {
        return Err(MemberFault::Length { name: printable(name), length });
    }
    let mut bytes = Vec::new();
    // One byte more than the claim shows that there is more.
    let read = file.take(length + 1).read_to_end(&mut bytes);
    read.map_err(|source| MemberFault::Damaged { name: printable(name), source })?;
    Ok(bytes)
}
