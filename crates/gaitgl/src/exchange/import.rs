//! From a file of PyTorch to a checkpoint.

use std::path::Path;

use super::optimizer::{self, Training};
use super::recognise::{Candidate, recognise};
use super::state_dict::StateDict;
use super::torch::TorchFile;
use super::{ExchangeError, torch::TensorRef};
use crate::checkpoint::Checkpoint;
use crate::net::layout::Shapes;
use crate::weights::{Weight, Weights};

/// The most values for each byte of a file. PyTorch packs nothing and stores half a value in each
/// at most; the rest is for files that were packed afterwards.
const MOST_VALUES: usize = 16;

/// What an import gave.
#[derive(Debug)]
pub struct Imported {
    /// The network with its settings.
    pub checkpoint: Checkpoint,
    /// Tensors of the file that are known and not needed.
    pub dropped: Vec<String>,
    /// Why the state of the optimiser was left out, if there was one that could not be used.
    pub without_optimizer: Option<String>,
}

/// Reads a file of `torch.save`: a state dict, alone or under `model` beside `optimizer`,
/// `scheduler` and `iteration`. The network is recognised by the names and shapes, or is the one
/// of `preset`. Its classes get the names in `subjects`, or their numbers. Classes in excess of
/// the subjects belong to nobody: OpenGait declares 74 for its 73 training subjects of CASIA-B.
///
/// # Errors
/// A file that is damaged, or names what is not a number or tensor; tensors that are missing,
/// unused or of another shape, each of them listed; more subjects than classes.
pub fn import(
    path: &Path,
    preset: Option<&str>,
    subjects: Option<Vec<String>>,
) -> Result<Imported, ExchangeError> {
    let bytes =
        std::fs::read(path).map_err(|source| ExchangeError::Read { path: path.into(), source })?;
    import_bytes(path, bytes, preset, subjects)
}

/// [`import`] of a file's bytes; `path` names it in messages.
///
/// # Errors
/// As [`import`].
pub fn import_bytes(
    path: &Path,
    bytes: Vec<u8>,
    preset: Option<&str>,
    subjects: Option<Vec<String>>,
) -> Result<Imported, ExchangeError> {
    let malformed = |problem: String| {
        let (path, problem) = (path.into(), printable(&problem));
        ExchangeError::Malformed { path, problem }
    };
    let length = bytes.len();
    let file = TorchFile::open(bytes).map_err(malformed)?;
    let pickle = file.pickle().map_err(malformed)?;
    let state = StateDict::of(pickle.root()).map_err(malformed)?;
    let candidate = accounted(path, &state.tensors, preset)?;
    let Candidate { settings, classes, names, dropped, .. } = candidate;
    let subjects = match subjects {
        None => (0..classes).map(|class| class.to_string()).collect(),
        Some(subjects) if subjects.len() > classes => {
            let count = subjects.len();
            let problem = format!("it has {classes} classes for the data set's {count} subjects");
            return Err(malformed(problem));
        }
        Some(mut subjects) => {
            subjects.resize(classes, String::new());
            subjects
        }
    };
    // A storage may serve many tensors, and be packed: what they come to is known before it is read.
    let used = state.tensors.iter().filter(|(name, _)| names.contains_key(name));
    let values = used.map(|(_, tensor)| tensor.len()).fold(0, usize::saturating_add);
    if values > length.saturating_mul(MOST_VALUES) {
        return Err(malformed("its tensors have more values than a file of its size holds".into()));
    }
    let mut weights = Weights::new();
    for (name, tensor) in &state.tensors {
        let Some(ours) = names.get(name) else { continue };
        let values =
            file.values(tensor).map_err(|problem| malformed(format!("{name} {problem}")))?;
        weights.insert(ours.clone(), Weight { shape: tensor.shape.clone(), values });
    }
    let iteration = state.iteration.unwrap_or_default();
    let mut checkpoint =
        Checkpoint { settings, subjects, iteration, score: None, weights, optimizer: None };
    let mut without_optimizer = None;
    if let Some(optimizer) = state.optimizer {
        let order = state.tensors.iter().filter_map(|(name, _)| names.get(name));
        let order: Vec<&str> =
            order.map(String::as_str).filter(|n| !n.contains("running")).collect();
        let training = optimizer::read(&file, optimizer, state.scheduler, &order, &checkpoint);
        match training {
            Ok(Training { state, recipe }) => {
                checkpoint.settings.train = recipe;
                checkpoint.optimizer = Some(state);
            }
            Err(problem) => without_optimizer = Some(problem),
        }
    }
    Ok(Imported { checkpoint, dropped, without_optimizer })
}

/// The network that the tensors are.
fn accounted(
    path: &Path,
    tensors: &[(String, TensorRef)],
    preset: Option<&str>,
) -> Result<Candidate, ExchangeError> {
    let shapes: Shapes =
        tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape.clone())).collect();
    let Some(candidate) = recognise(&shapes, preset)? else {
        let some: Vec<&str> = shapes.keys().take(4).map(String::as_str).collect();
        let problem = format!(
            "its tensors are of no network that is known here ({} tensors: {}, ...)",
            shapes.len(),
            some.join(", ")
        );
        let (path, problem) = (path.into(), printable(&problem));
        return Err(ExchangeError::Malformed { path, problem });
    };
    if candidate.problems.is_empty() {
        return Ok(candidate);
    }
    Err(ExchangeError::Tensors {
        path: path.into(),
        preset: candidate.settings.preset,
        problems: candidate.problems.iter().map(|problem| printable(problem)).collect(),
    })
}

/// Names out of the file in a message that stays one line.
fn printable(problem: &str) -> String {
    problem.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
