//! From a file of PyTorch to a checkpoint.

use std::path::Path;

use super::optimizer;
use super::recognise::{Candidate, recognise};
use super::state_dict::StateDict;
use super::torch::TorchFile;
use super::{ExchangeError, torch::TensorRef};
use crate::checkpoint::Checkpoint;
use crate::net::plan::Shapes;
use crate::settings::{Branches, ModelSettings, Neck, Partition};
use crate::weights::{Weight, Weights};

/// The most values for each byte of a file. PyTorch packs nothing and stores half a value in each
/// at most; the rest is for files that were packed afterwards.
const MOST_VALUES: usize = 16;

/// What an import knows beside the file.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The network that it must be; without it, what the tensors say.
    pub preset: Option<String>,
    /// Rows of a silhouette, which no tensor shows; without it, one row of the final map for each
    /// strip.
    pub height: Option<usize>,
    /// Assignments `key=value` to other settings that no tensor shows.
    pub set: Vec<String>,
    /// The subjects that name the classes; without them, numbers. Classes in excess of the
    /// subjects belong to nobody: OpenGait declares 74 for its 73 training subjects of CASIA-B.
    pub subjects: Option<Vec<String>>,
}

/// What an import gave.
#[derive(Debug)]
pub struct Imported {
    /// The network with its settings.
    pub checkpoint: Checkpoint,
    /// Tensors of the file that are known and not needed.
    pub dropped: Vec<String>,
    /// Settings that no tensor shows, as `key = value`: the preset's, unless the options gave them.
    pub assumed: Vec<String>,
    /// Why the state of the optimiser was left out, if there was one that could not be used.
    pub without_optimizer: Option<String>,
    /// Why the learning rate stays what it is, if the optimiser's schedule is not known.
    pub constant_rate: Option<String>,
}

/// Reads a file of `torch.save`: a state dict, alone or under `model` beside `optimizer`,
/// `scheduler` and `iteration`. The network is recognised by the names and shapes.
///
/// # Errors
/// A file that is damaged, or names what is not a number or tensor; tensors that are missing,
/// unused or of another shape, each of them listed; settings that make no network; more subjects
/// than classes.
pub fn import(path: &Path, options: &ImportOptions) -> Result<Imported, ExchangeError> {
    let bytes =
        std::fs::read(path).map_err(|source| ExchangeError::Read { path: path.into(), source })?;
    import_bytes(path, bytes, options)
}

/// [`import`] of a file's bytes; `path` names it in messages.
///
/// # Errors
/// As [`import`].
pub fn import_bytes(
    path: &Path,
    bytes: Vec<u8>,
    options: &ImportOptions,
) -> Result<Imported, ExchangeError> {
    let malformed = |problem: String| {
        let (path, problem) = (path.into(), printable(&problem));
        ExchangeError::Malformed { path, problem }
    };
    let length = bytes.len();
    let file = TorchFile::open(bytes).map_err(malformed)?;
    let pickle = file.pickle().map_err(malformed)?;
    let state = StateDict::of(pickle.root()).map_err(malformed)?;
    let candidate = accounted(path, &state.tensors, options)?;
    let Candidate { settings, classes, names, dropped, .. } = candidate;
    let classless = settings.model.neck == Neck::None;
    let subjects = named_classes(options.subjects.as_deref(), classes, classless);
    let subjects = subjects.map_err(malformed)?;
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
    let (mut without_optimizer, mut constant_rate) = (None, None);
    if let Some(optimizer) = state.optimizer {
        let order = state.tensors.iter().filter_map(|(name, _)| names.get(name));
        let order: Vec<&str> =
            order.map(String::as_str).filter(|n| !n.contains("running")).collect();
        let training = optimizer::read(&file, optimizer, state.scheduler, &order, &checkpoint);
        match training {
            Ok(training) => {
                checkpoint.settings.train = training.recipe;
                checkpoint.optimizer = Some(training.state);
                constant_rate = training.constant_rate.map(|why| printable(&why));
            }
            Err(problem) => without_optimizer = Some(printable(&problem)),
        }
    }
    let assumed = assumed(&checkpoint.settings.model);
    Ok(Imported { checkpoint, dropped, assumed, without_optimizer, constant_rate })
}

/// The settings that no tensor shows and that matter most.
fn assumed(model: &ModelSettings) -> Vec<String> {
    let keys: &[&str] = match model.local.partition {
        _ if model.branches == Branches::Global => &["height", "width"],
        Partition::Bands => &["height", "width", "local.partition", "local.bands"],
        _ => {
            &["height", "width", "local.partition", "local.ratio", "local.reading", "local.at_test"]
        }
    };
    let Ok(whole) = toml::Value::try_from(model) else { return Vec::new() };
    let told = |key: &&str| {
        let value = key.split('.').try_fold(&whole, |table, part| table.get(part))?;
        Some(format!("model.{key} = {value}"))
    };
    keys.iter().filter_map(told).collect()
}

/// The names of the classes. Without a classifier there are none to name, and the subjects are
/// only those that training goes on with.
fn named_classes(
    subjects: Option<&[String]>,
    classes: usize,
    classless: bool,
) -> Result<Vec<String>, String> {
    let Some(subjects) = subjects else {
        return Ok((0..classes).map(|class| class.to_string()).collect());
    };
    let (mut subjects, count) = (subjects.to_vec(), subjects.len());
    if count > classes && !classless {
        return Err(format!(
            "it has {classes} classes for the data set's {count} training subjects; give the set \
             that it was trained on, with its partition, or leave out --data"
        ));
    }
    subjects.resize(count.max(classes), String::new());
    Ok(subjects)
}

/// The network that the tensors are.
fn accounted(
    path: &Path,
    tensors: &[(String, TensorRef)],
    options: &ImportOptions,
) -> Result<Candidate, ExchangeError> {
    let shapes: Shapes =
        tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape.clone())).collect();
    let Some(candidate) = recognise(&shapes, options)? else {
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
