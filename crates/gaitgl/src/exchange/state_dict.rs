//! A checkpoint of PyTorch as training code writes it: a state dict, alone or beside the state of
//! the optimiser, the scheduler and the number of iterations.

use gait_data::pickle::Value;

use super::torch::{TensorRef, holds_tensors};

/// What a file holds.
pub struct StateDict<'p, 'a> {
    /// The tensors by name, in the order of the file; `module.` is cut off.
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
/// What `DataParallel` puts before every name.
const PARALLEL: &str = "module.";

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
                _ if holds_tensors(*value)? => {
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
    let parallel = entries.iter().all(|(name, _)| name.starts_with(PARALLEL));
    let mut tensors: Vec<(String, TensorRef)> = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    for (name, value) in entries {
        let tensor = TensorRef::of(*value).map_err(|problem| format!("{name} {problem}"))?;
        let tensor =
            tensor.ok_or_else(|| format!("{name} is {}, not a tensor", value.describe()))?;
        if !names.insert(name) {
            return Err(format!("{name} occurs twice"));
        }
        let name = if parallel { &name[PARALLEL.len()..] } else { name };
        tensors.push((name.to_string(), tensor));
    }
    Ok(tensors)
}
