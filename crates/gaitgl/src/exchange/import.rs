//! From a PyTorch or safetensors file to a checkpoint.

use std::path::Path;

use gait_support::FileError;
use safetensors::SafeTensors;

use super::network::{self, ImportedNetwork, Tensors};
use super::state_dict::StateDict;
use super::torch::TorchFile;
use super::{
    ConstantRate, ExchangeError, ForeignFormat, ImportFault, ImportOptions, OptimizerFault,
    optimizer, safetensors_file,
};
use crate::checkpoint::Checkpoint;
use crate::settings::{Branches, LocalPartition, ModelSettings, Neck};

/// The result of an import.
#[derive(Debug)]
pub struct Imported {
    /// The network with its settings.
    pub checkpoint: Checkpoint,
    /// Tensors of the file that are known but not needed.
    pub dropped: Vec<String>,
    /// Settings that the tensors do not show, as `key = value`: those of the preset, unless the
    /// options override them.
    pub assumed: Vec<String>,
    /// Why the state of the optimiser was left out, if the file has one that cannot be used.
    pub without_optimizer: Option<OptimizerFault>,
    /// Why the learning rate stays constant, if the optimiser's schedule is not known.
    pub constant_rate: Option<ConstantRate>,
}

/// Reads a file of `torch.save` or of safetensors. The former holds a state dict, alone or under
/// `model` beside `optimizer`, `scheduler` and `iteration`. The network is recognised by the names
/// and shapes of its tensors.
///
/// # Errors
/// A file that is damaged, or whose pickle names anything but numbers and tensors; tensors that are
/// missing, unused or of another shape, each of them listed; values that are NaN, infinite or
/// beyond float32; settings that describe no network; more subjects than classes.
pub fn import(path: &Path, options: &ImportOptions) -> Result<Imported, ExchangeError> {
    let bytes = std::fs::read(path).map_err(|source| FileError::io("read", path, source))?;
    import_bytes(path, bytes, options)
}

/// [`import`] of a file's bytes; `path` names it in errors.
///
/// # Errors
/// As [`import`].
pub fn import_bytes(
    path: &Path,
    bytes: Vec<u8>,
    options: &ImportOptions,
) -> Result<Imported, ExchangeError> {
    match ForeignFormat::from_bytes(&bytes) {
        Some(ForeignFormat::Safetensors) => {
            let file =
                SafeTensors::deserialize(&bytes).map_err(|e| ExchangeError::import(path, e))?;
            let tensors = safetensors_file::Contents::new(&file);
            let network = network::read(path, &tensors, bytes.len(), options)?;
            Ok(without_training(network, tensors.iteration()))
        }
        Some(foreign) if !foreign.is_importable() => {
            Err(ExchangeError::import(path, ImportFault::Foreign(foreign)))
        }
        None if SafeTensors::read_metadata(&bytes).is_ok() => {
            Err(ExchangeError::import(path, ImportFault::Checkpoint))
        }
        _ => import_torch(path, bytes, options),
    }
}

fn import_torch(
    path: &Path,
    bytes: Vec<u8>,
    options: &ImportOptions,
) -> Result<Imported, ExchangeError> {
    let length = bytes.len();
    let file = TorchFile::open(bytes).map_err(|e| ExchangeError::import(path, e))?;
    let pickle = file.pickle().map_err(|e| ExchangeError::import(path, e))?;
    let state = StateDict::from_root(pickle.root()).map_err(|e| ExchangeError::import(path, e))?;
    let tensors = TorchTensors { file: &file, state: &state };
    let network = network::read(path, &tensors, length, options)?;
    // PyTorch numbers the parameters in the order of the file; running statistics are none.
    let names = state.tensors.iter().filter_map(|(name, _)| network.names.get(name)).cloned();
    let parameters: Vec<String> = names.filter(|name| !name.contains("running")).collect();
    let parameters: Vec<&str> = parameters.iter().map(String::as_str).collect();
    let mut imported = without_training(network, state.iteration.unwrap_or_default());
    let Some(optimizer) = state.optimizer else { return Ok(imported) };
    let checkpoint = &mut imported.checkpoint;
    match optimizer::read(&file, optimizer, state.scheduler, &parameters, checkpoint) {
        Ok(training) => {
            checkpoint.settings.train = training.recipe;
            checkpoint.optimizer = Some(training.state);
            imported.constant_rate = training.constant_rate;
        }
        Err(fault) => imported.without_optimizer = Some(fault),
    }
    Ok(imported)
}

/// The tensors of a state dict.
struct TorchTensors<'f, 'p, 'a> {
    file: &'f TorchFile,
    state: &'f StateDict<'p, 'a>,
}

impl Tensors for TorchTensors<'_, '_, '_> {
    fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.state.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice()))
    }

    fn values(&self, index: usize) -> Result<Vec<f32>, super::TensorFault> {
        self.file.values(&self.state.tensors[index].1)
    }
}

fn without_training(network: ImportedNetwork, iteration: u64) -> Imported {
    let ImportedNetwork { settings, subjects, weights, dropped, .. } = network;
    let assumed = assumed(&settings.model);
    let checkpoint =
        Checkpoint { settings, subjects, iteration, score: None, weights, optimizer: None };
    Imported { checkpoint, dropped, assumed, without_optimizer: None, constant_rate: None }
}

/// The most important settings that the tensors do not show.
fn assumed(model: &ModelSettings) -> Vec<String> {
    let local: &[&str] = match model.local.partition {
        _ if model.branches == Branches::Global => &[],
        LocalPartition::Bands => &["local.partition", "local.bands"],
        _ => &["local.partition", "local.ratio", "local.reading", "local.at_test", "last_join"],
    };
    let neck: &[&str] = match model.neck {
        Neck::Bnneck | Neck::BnneckPlain => &["neck"],
        _ => &[],
    };
    let Ok(table) = toml::Value::try_from(model) else { return Vec::new() };
    let assignment = |key: &&str| {
        let value = key.split('.').try_fold(&table, |table, part| table.get(part))?;
        Some(format!("model.{key} = {value}"))
    };
    ["height", "width"].iter().chain(local).chain(neck).filter_map(assignment).collect()
}
