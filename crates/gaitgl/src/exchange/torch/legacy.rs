//! Files of PyTorch before 1.6: five pickles (a magic number, the version, the machine, the saved
//! object, the names of the storages), then the storages one after the other. PyTorch writes the
//! storages and their sizes little-endian on every machine.

use std::collections::BTreeMap;
use std::ops::Range;

use gait_data::pickle::Pickle;

use super::tensor::Storage;
use super::{RULES, TensorFault, TorchFault, VisitBudget, read_pickle, walk};
use crate::exchange::error::printable;

const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;

/// A file of PyTorch before 1.6.
pub struct Legacy {
    bytes: Vec<u8>,
    places: Places,
}

/// Where the parts of the file lie.
struct Places {
    pickle: Range<usize>,
    storages: BTreeMap<String, Range<usize>>,
}

impl Legacy {
    pub fn open(bytes: Vec<u8>) -> Result<Self, TorchFault> {
        let places = places(&bytes)?;
        Ok(Self { bytes, places })
    }

    pub fn pickle(&self) -> &[u8] {
        &self.bytes[self.places.pickle.clone()]
    }

    /// A storage of `length` bytes.
    pub fn storage(&self, key: &str, length: usize) -> Result<&[u8], TensorFault> {
        let range = self.places.storages.get(key).ok_or(TensorFault::MissingStorage)?;
        let bytes = &self.bytes[range.clone()];
        if bytes.len() == length {
            return Ok(bytes);
        }
        let storage = format!("storage {}", printable(key));
        Err(TensorFault::StorageBytes { storage, expected: length, found: bytes.len() })
    }
}

/// Length of the pickle of the magic number that starts such a file; `None` if there is none.
pub fn magic_length(bytes: &[u8]) -> Option<usize> {
    let pickle = Pickle::read(bytes, &RULES).ok()?;
    (pickle.root().integer() == Some(MAGIC)).then(|| pickle.length())
}

fn places(bytes: &[u8]) -> Result<Places, TorchFault> {
    let version = magic_length(bytes).ok_or(TorchFault::NotTorch)?;
    let machine = version + read_pickle(&bytes[version..])?.length();
    let start = machine + read_pickle(&bytes[machine..])?.length();
    let saved = read_pickle(&bytes[start..])?;
    let pickle = start..start + saved.length();
    let sizes = storage_sizes(&saved)?;
    let keys = read_pickle(&bytes[pickle.end..])?;
    let mut at = pickle.end + keys.length();
    let mut storages = BTreeMap::new();
    for key in keys.root().list().into_iter().flatten() {
        let key = key.text().ok_or(TorchFault::StorageList)?;
        let unused = || TorchFault::UnusedStorage { key: printable(key) };
        let &(count, size) = sizes.get(key).ok_or_else(unused)?;
        let truncated = || TorchFault::Truncated { key: printable(key), count };
        let head = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>().copied());
        let found = u64::from_le_bytes(head.ok_or_else(truncated)?);
        if found != count as u64 {
            let key = printable(key);
            return Err(TorchFault::StorageLength { key, found, expected: count });
        }
        let end = count.checked_mul(size).and_then(|length| length.checked_add(at + 8));
        let end = end.filter(|end| *end <= bytes.len()).ok_or_else(truncated)?;
        storages.insert(key.to_string(), at + 8..end);
        at = end;
    }
    Ok(Places { pickle, storages })
}

/// For each storage that a tensor uses: how many elements it has, and the bytes of one.
fn storage_sizes<'a>(saved: &Pickle<'a>) -> Result<BTreeMap<&'a str, (usize, usize)>, TorchFault> {
    let mut sizes = BTreeMap::new();
    walk(saved.root(), &mut VisitBudget::default(), |value| {
        if value.persistent().is_some() {
            let storage = Storage::from_value(value).map_err(TorchFault::Tensor)?;
            sizes.insert(storage.key, (storage.count, storage.elements.size()));
        }
        Ok(())
    })?;
    Ok(sizes)
}
