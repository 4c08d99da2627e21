//! A checkpoint of PyTorch as training code writes it: a state dict, alone or beside the state of
//! the optimiser, the scheduler and the number of iterations.

use gait_data::pickle::Value;

use super::torch::{Budget, TensorRef, holds_tensors};

/// What a file holds.
pub struct StateDict<'p, 'a> {
    /// The tensors by name, in the order of the file; what wrappers put before is cut off.
    pub tensors: Vec<(String, TensorRef<'a>)>,
    /// State of the optimiser.
    pub optimizer: Option<Value<'p, 'a>>,
    /// State of the learning-rate scheduler.
    pub scheduler: Option<Value<'p, 'a>>,
    /// Iterations done.
    pub iteration: Option<u64>,
}

/// Keys under which the state dict stands.
const MODEL: [&str; 2] = ["model", "state_dict"];
/// What `DataParallel` and `torch.compile` put before every name.
const WRAPPERS: [&str; 2] = ["module.", "_orig_mod."];

impl<'p, 'a> StateDict<'p, 'a> {
    /// What `root` holds.
    ///
    /// # Errors
    /// What is wrong: a value that is no tensor where one should be, an unknown entry.
    pub fn of(root: Value<'p, 'a>) -> Result<Self, String> {
        let mut found =
            Self { tensors: Vec::new(), optimizer: None, scheduler: None, iteration: None };
        let entries = named(root)?;
        let Some((_, model)) = entries.iter().find(|(name, _)| MODEL.contains(name)) else {
            found.tensors = tensors(&entries)?;
            return Ok(found);
        };
        found.tensors = tensors(&named(*model)?)?;
        let mut budget = Budget::default();
        for (name, value) in &entries {
            match *name {
                _ if MODEL.contains(name) => {}
                "optimizer" => found.optimizer = Some(*value).filter(|value| !value.is_none()),
                "scheduler" => found.scheduler = Some(*value).filter(|value| !value.is_none()),
                "iteration" => {
                    let count = value.integer().and_then(|count| u64::try_from(count).ok());
                    let count = count.ok_or_else(|| {
                        format!("its entry iteration is {}, not a count", value.describe())
                    })?;
                    found.iteration = Some(count);
                }
                _ if holds_tensors(*value, &mut budget)? => {
                    return Err(format!("its entry {name} holds tensors that nothing here uses"));
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// The pairs of a dictionary whose keys are text.
fn named<'p, 'a>(value: Value<'p, 'a>) -> Result<Vec<(&'a str, Value<'p, 'a>)>, String> {
    let pairs = value.pairs().ok_or_else(|| {
        format!("it holds {}, not a state dict; save model.state_dict()", value.describe())
    })?;
    pairs
        .map(|[key, value]| match key.text() {
            Some(name) => Ok((name, value)),
            None => Err(format!("its state dict has {} as a name", key.describe())),
        })
        .collect()
}

fn tensors<'a>(
    entries: &[(&'a str, Value<'_, 'a>)],
) -> Result<Vec<(String, TensorRef<'a>)>, String> {
    if entries.is_empty() {
        return Err("its state dict is empty".into());
    }
    let wrapped = wrapped(entries);
    let mut tensors: Vec<(String, TensorRef)> = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    for (name, value) in entries {
        let tensor = TensorRef::of(*value).map_err(|problem| format!("{name} {problem}"))?;
        let tensor =
            tensor.ok_or_else(|| format!("{name} is {}, not a tensor", value.describe()))?;
        if !names.insert(name) {
            return Err(format!("{name} occurs twice"));
        }
        tensors.push((name[wrapped..].to_string(), tensor));
    }
    Ok(tensors)
}

/// How much of every name the wrappers of the network have put before it.
fn wrapped(entries: &[(&str, Value)]) -> usize {
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
    use super::super::torch::{Entry, TorchFile, Values, read_pickle, write};
    use super::*;

    /// A file whose state dict has one tensor of one value with this name.
    fn named(name: &str) -> TorchFile {
        let (name, shape, values) = (name.to_string(), &[1][..], Values::Floats(&[0.5]));
        TorchFile::open(write(&[Entry { name, shape, values }], 3).unwrap()).unwrap()
    }

    #[test]
    fn what_wrappers_put_before_the_names_is_cut_off() {
        for name in
            ["a.b", "module.a.b", "_orig_mod.a.b", "module._orig_mod.a.b", "_orig_mod.module.a.b"]
        {
            let file = named(name);
            let pickle = file.pickle().unwrap();
            assert_eq!(StateDict::of(pickle.root()).unwrap().tensors[0].0, "a.b");
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
            StateDict::of(pickle.root()).map(|found| found.tensors.len())
        };
        assert_eq!(read(5), Ok(1));
        assert_eq!(read(20), Err("it nests more values than any checkpoint".into()));
    }
}
