//! Files of PyTorch before 1.6: five pickles (a magic number, the version, the machine, what was
//! saved, the names of the storages), then the storages one after the other. Whatever the machine,
//! PyTorch writes the storages and their sizes little endian.

use std::collections::BTreeMap;
use std::ops::Range;

use gait_data::pickle::Pickle;

use super::tensor::storage_of;
use super::{Budget, RULES, read_pickle, walk};

const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;

/// See the module.
pub struct Legacy {
    bytes: Vec<u8>,
    places: Places,
}

/// What lies where in the file.
struct Places {
    pickle: Range<usize>,
    storages: BTreeMap<String, Range<usize>>,
}

impl Legacy {
    pub fn open(bytes: Vec<u8>) -> Result<Self, String> {
        let places = places(&bytes)?;
        Ok(Self { bytes, places })
    }

    pub fn pickle(&self) -> &[u8] {
        &self.bytes[self.places.pickle.clone()]
    }

    /// A storage of `length` bytes.
    pub fn storage(&self, key: &str, length: usize) -> Result<&[u8], String> {
        let range =
            self.places.storages.get(key).ok_or("is in a storage that the file does not hold")?;
        let bytes = &self.bytes[range.clone()];
        if bytes.len() == length {
            return Ok(bytes);
        }
        Err(format!("needs a storage of {length} bytes, storage {key} has {}", bytes.len()))
    }
}

/// Length of the pickle of the magic number that starts such a file; `None` if there is none.
pub fn magic_length(bytes: &[u8]) -> Option<usize> {
    let pickle = Pickle::read(bytes, &RULES).ok()?;
    (pickle.root().integer() == Some(MAGIC)).then(|| pickle.length())
}

fn places(bytes: &[u8]) -> Result<Places, String> {
    let at = magic_length(bytes).ok_or("it is no file of torch.save, or its start is damaged")?;
    let at = at + read_pickle(&bytes[at..])?.length();
    let at = at + read_pickle(&bytes[at..])?.length();
    let saved = read_pickle(&bytes[at..])?;
    let pickle = at..at + saved.length();
    let mut sizes = BTreeMap::new();
    walk(saved.root(), &mut Budget::default(), |value| {
        if value.persistent().is_some() {
            let (key, elements, count) =
                storage_of(value).map_err(|problem| format!("a tensor {problem}"))?;
            sizes.insert(key, (count, elements.size()));
        }
        Ok(())
    })?;
    let keys = read_pickle(&bytes[pickle.end..])?;
    let mut at = pickle.end + keys.length();
    let mut storages = BTreeMap::new();
    for key in keys.root().list().into_iter().flatten() {
        let key = key.text().ok_or("the list of its storages is damaged")?;
        let (count, size) =
            *sizes.get(key).ok_or_else(|| format!("no tensor uses storage {key}"))?;
        let truncated = || format!("it is truncated: storage {key} needs {count} elements");
        let head = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>().copied());
        let head = head.ok_or_else(truncated)?;
        let said = u64::from_le_bytes(head);
        if said != count as u64 {
            return Err(format!("storage {key} has {said} elements, its tensors say {count}"));
        }
        let end = count.checked_mul(size).and_then(|length| length.checked_add(at + 8));
        let end = end.filter(|end| *end <= bytes.len()).ok_or_else(truncated)?;
        storages.insert(key.to_string(), at + 8..end);
        at = end;
    }
    Ok(Places { pickle, storages })
}
