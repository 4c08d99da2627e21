//! A checkpoint of PyTorch as training code writes it: a state dict, alone or beside the state of
//! the optimiser, the scheduler and the number of iterations.

use std::collections::BTreeSet;

use gait_data::pickle::Value;

use super::ImportFault;
use super::error::printable;
use super::torch::{TensorRef, VisitBudget, holds_tensors};

/// The contents of a file.
pub struct StateDict<'p, 'a> {
    /// The tensors by name, in the order of the file, without the prefixes of wrappers.
    pub tensors: Vec<(String, TensorRef<'a>)>,
    /// State of the optimiser.
    pub optimizer: Option<Value<'p, 'a>>,
    /// State of the learning-rate scheduler.
    pub scheduler: Option<Value<'p, 'a>>,
    /// Iterations done.
    pub iteration: Option<u64>,
}

/// Keys of the state dict in a file that holds more.
const MODEL: [&str; 2] = ["model", "state_dict"];
/// Prefixes that `DataParallel` and `torch.compile` give every name.
const WRAPPERS: [&str; 2] = ["module.", "_orig_mod."];

impl<'p, 'a> StateDict<'p, 'a> {
    /// The contents of the root of a pickle.
    ///
    /// # Errors
    /// A value other than a tensor where a tensor should be, an entry with tensors that nothing uses.
    pub fn from_root(root: Value<'p, 'a>) -> Result<Self, ImportFault> {
        let mut found =
            Self { tensors: Vec::new(), optimizer: None, scheduler: None, iteration: None };
        let entries = named(root)?;
        let Some((_, model)) = entries.iter().find(|(name, _)| MODEL.contains(name)) else {
            found.tensors = tensors(&entries)?;
            return Ok(found);
        };
        found.tensors = tensors(&named(*model)?)?;
        let mut budget = VisitBudget::default();
        for (name, value) in &entries {
            match *name {
                _ if MODEL.contains(name) => {}
                "optimizer" => found.optimizer = Some(*value).filter(|value| !value.is_none()),
                "scheduler" => found.scheduler = Some(*value).filter(|value| !value.is_none()),
                "iteration" => {
                    let count = value.integer().and_then(|count| u64::try_from(count).ok());
                    let not_a_count = || ImportFault::NotACount { found: value.describe() };
                    found.iteration = Some(count.ok_or_else(not_a_count)?);
                }
                _ if holds_tensors(*value, &mut budget)? => {
                    return Err(ImportFault::UnusedEntry { name: printable(name) });
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// The pairs of a dictionary whose keys are text.
fn named<'p, 'a>(value: Value<'p, 'a>) -> Result<Vec<(&'a str, Value<'p, 'a>)>, ImportFault> {
    let not_a_dict = || ImportFault::NotAStateDict { found: printable(&value.describe()) };
    let pairs = value.pairs().ok_or_else(not_a_dict)?;
    pairs
        .map(|[key, value]| match key.text() {
            Some(name) => Ok((name, value)),
            None => Err(ImportFault::NameNotText { found: printable(&key.describe()) }),
        })
        .collect()
}

fn tensors<'a>(
    entries: &[(&'a str, Value<'_, 'a>)],
) -> Result<Vec<(String, TensorRef<'a>)>, ImportFault> {
    if entries.is_empty() {
        return Err(ImportFault::Empty);
    }
    let prefix = prefix_length(entries);
    let mut tensors: Vec<(String, TensorRef)> = Vec::new();
    let mut names = BTreeSet::new();
    for (name, value) in entries {
        let tensor = TensorRef::from_value(*value)
            .map_err(|source| ImportFault::Tensor { name: printable(name), source })?;
        let not_a_tensor = || ImportFault::NotATensor {
            name: printable(name),
            found: printable(&value.describe()),
        };
        let tensor = tensor.ok_or_else(not_a_tensor)?;
        if !names.insert(name) {
            return Err(ImportFault::Twice { name: printable(name) });
        }
        tensors.push((name[prefix..].to_string(), tensor));
    }
    Ok(tensors)
}

/// The length of the prefixes that wrappers of the network gave every name.
fn prefix_length(entries: &[(&str, Value)]) -> usize {
    let mut cut = 0;
    let all = |cut: usize, prefix: &&&str| {
        entries.iter().all(|(name, _)| name[cut..].starts_with(**prefix))
    };
    while let Some(prefix) = WRAPPERS.iter().find(|prefix| all(cut, prefix)) {
        cut += prefix.len();
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::super::torch::{NamedTensor, TorchFile, Values, read_pickle, write};
    use super::*;

    /// A file whose state dict has one tensor of one value with this name.
    fn named(name: &str) -> TorchFile {
        let values = Values::Floats(&[0.5]);
        let tensor = NamedTensor { name: name.to_string(), shape: &[1], values };
        TorchFile::open(write(&[tensor], 3).unwrap()).unwrap()
    }

    #[test]
    fn prefixes_of_wrappers_are_removed() {
        for name in
            ["a.b", "module.a.b", "_orig_mod.a.b", "module._orig_mod.a.b", "_orig_mod.module.a.b"]
        {
            let file = named(name);
            let pickle = file.pickle().unwrap();
            assert_eq!(StateDict::from_root(pickle.root()).unwrap().tensors[0].0, "a.b");
        }
    }

    /// `"model": {"w": a tensor of one value}`.
    const MODEL_ENTRY: &[u8] = b"X\x05\0\0\0model}(X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n\
        ((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0aX\x03\0\0\0cpuK\x01tQK\0(K\x01t(K\x01t\
        \x89ccollections\nOrderedDict\n)RtRu";

    #[test]
    fn one_list_under_many_entries_is_not_walked_again_and_again() {
        // A list of 1,000 times one list of 100 numbers: 100,000 places in some 2 kB.
        let inner = [&b"]q\0("[..], &b"K\x01".repeat(100), b"e"].concat();
        let list = [&b"]q\x01("[..], &inner, &b"h\0".repeat(999), b"e"].concat();
        let file = |entries: u8| {
            let mut pickle = [&b"\x80\x02}("[..], MODEL_ENTRY].concat();
            for entry in 0..entries {
                pickle.extend([b'X', 1, 0, 0, 0, b'a' + entry]);
                pickle.extend(if entry == 0 { &list[..] } else { b"h\x01" });
            }
            [&pickle[..], b"u."].concat()
        };
        let read = |entries| {
            let bytes = file(entries);
            let pickle = read_pickle(&bytes).unwrap();
            StateDict::from_root(pickle.root()).map(|found| found.tensors.len())
        };
        assert_eq!(read(5).unwrap(), 1);
        let fault = read(20).unwrap_err().to_string();
        assert_eq!(fault, "it nests more values than any checkpoint");
    }
}
