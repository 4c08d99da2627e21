//! Why a file cannot be imported, or a checkpoint cannot be exported.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use gait_support::FileError;
use safetensors::SafeTensorError;
use zip::result::ZipError;

use super::ForeignFormat;
use super::torch::{TensorFault, TorchFault};
use crate::checkpoint::CheckpointError;
use crate::net::ModelError;
use crate::settings::SettingsError;
use crate::weights::{TensorProblem, listed};

/// A file that cannot be imported, or a checkpoint that cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file holds no network that can be imported.
    #[error("cannot import {}", .path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<ImportFault>,
    },
    /// The tensors are not those of the network.
    #[error("{} does not hold the network {preset}: {}", .path.display(), listed(.problems))]
    Tensors {
        /// The file.
        path: PathBuf,
        /// The expected network, or the most similar one.
        preset: String,
        /// Every tensor that is missing, unused or of another shape.
        problems: Vec<TensorProblem>,
    },
    /// The checkpoint cannot be written in this format.
    #[error("cannot export to {}", .path.display())]
    Export {
        /// The file to write.
        path: PathBuf,
        /// Why.
        source: ExportFault,
    },
    /// The preset does not exist, or the settings describe no network.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The tensors of the checkpoint are not those of its settings.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The checkpoint cannot be written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl ExchangeError {
    pub(super) fn import(path: &Path, source: impl Into<ImportFault>) -> Self {
        Self::Import { path: path.into(), source: Box::new(source.into()) }
    }
}

/// Why a file cannot be imported. Names out of the file contain no control characters.
#[derive(Debug, thiserror::Error)]
pub enum ImportFault {
    /// It cannot be read as a file of `torch.save`.
    #[error(transparent)]
    Torch(#[from] TorchFault),
    /// It cannot be read as a safetensors file.
    #[error("it is a damaged safetensors file")]
    Safetensors(#[from] SafeTensorError),
    /// It has a format that holds no importable tensors.
    #[error("it is {0}")]
    Foreign(ForeignFormat),
    /// It is a checkpoint of this library.
    #[error("it is already a checkpoint")]
    Checkpoint,
    /// It holds another object than a state dict.
    #[error("it holds {found}, not a state dict")]
    NotAStateDict {
        /// What it holds, as "a list of 3".
        found: String,
    },
    /// Its state dict has a name that is not text.
    #[error("its state dict has {found} as a name")]
    NameNotText {
        /// The name, as "a list of 3".
        found: String,
    },
    /// Its state dict has no entries.
    #[error("its state dict is empty")]
    Empty,
    /// An entry of its state dict is not a tensor.
    #[error("{name} is {found}, not a tensor")]
    NotATensor {
        /// Its name.
        name: String,
        /// What it is, as "a list of 3".
        found: String,
    },
    /// Two tensors have the same name.
    #[error("{name} occurs twice")]
    Twice {
        /// The name.
        name: String,
    },
    /// The number of iterations is not a count.
    #[error("its entry iteration is {found}, not a count")]
    NotACount {
        /// What it is, as "a list of 3".
        found: String,
    },
    /// An entry beside the network holds tensors that nothing here uses.
    #[error("its entry {name} holds tensors that nothing here uses")]
    UnusedEntry {
        /// The entry.
        name: String,
    },
    /// A tensor cannot be read.
    #[error("{name}")]
    Tensor {
        /// Its name.
        name: String,
        /// What is wrong with it.
        source: TensorFault,
    },
    /// The tensors would take more memory than the file can account for.
    #[error("its tensors have more values than a file of its size holds")]
    TooManyValues,
    /// None of the names occurs in a known network.
    #[error("its tensors belong to no known network ({count} tensors: {}, ...)", .names.join(", "))]
    UnknownNetwork {
        /// How many tensors it holds.
        count: usize,
        /// The first names.
        names: Vec<String>,
    },
    /// More training subjects than classes.
    #[error("it has {classes} classes for the data set's {subjects} training subjects")]
    TooManySubjects {
        /// Classes of its classifier.
        classes: usize,
        /// Training subjects.
        subjects: usize,
    },
}

/// Why a checkpoint cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportFault {
    /// The extension of the file selects no format.
    #[error("expected a file named .safetensors, .pt or .onnx")]
    Extension,
    /// ONNX has no mean over several draws of masks.
    #[error(
        "an ONNX file holds one network, and model.local.at_test = \"mean-of-k\" averages several"
    )]
    MeanOfDraws,
    /// ONNX files do not hold this reading of the paper.
    #[error("model.local.reading = \"activate\" with fixed regions is not supported in ONNX files")]
    ActivatedRegions,
    /// The checkpoint lacks a tensor.
    #[error("the checkpoint lacks {0}")]
    Missing(String),
    /// The tensors cannot be written as safetensors.
    #[error("the tensors cannot be written")]
    Safetensors(#[from] SafeTensorError),
    /// The tensors cannot be written as a zip file.
    #[error("the zip file cannot be written")]
    Zip(#[from] ZipError),
    /// The zip file cannot be extended.
    #[error("the zip file cannot be written")]
    Io(#[from] io::Error),
}

/// Why the state of an optimiser is not imported.
#[derive(Debug, thiserror::Error)]
pub enum OptimizerFault {
    /// It has several groups of parameters.
    #[error("it has {0} groups of parameters; one is supported")]
    Groups(usize),
    /// It has another number of parameters than the network.
    #[error("it has {found} parameters, the network {expected}")]
    Parameters {
        /// Parameters of the optimiser.
        found: usize,
        /// Parameters of the network.
        expected: usize,
    },
    /// A parameter has no state.
    #[error("{name} has no state")]
    NoState {
        /// Our name of the parameter.
        name: String,
    },
    /// A parameter's state lacks an entry.
    #[error("the state of {name} lacks {entry}")]
    StateEntry {
        /// Our name of the parameter.
        name: String,
        /// PyTorch's name of the entry.
        entry: &'static str,
    },
    /// An entry of a parameter's state has another shape than the parameter.
    #[error("the state of {name} has {entry} of another shape")]
    StateShape {
        /// Our name of the parameter.
        name: String,
        /// PyTorch's name of the entry.
        entry: &'static str,
    },
    /// An entry of a parameter's state cannot be read.
    #[error("the state of {name} cannot be read")]
    StateTensor {
        /// Our name of the parameter.
        name: String,
        /// What is wrong with the entry.
        source: TensorFault,
    },
    /// The number of steps is not a count.
    #[error("the state of {name} has a step that is not a count")]
    Step {
        /// Our name of the parameter.
        name: String,
    },
    /// Its options lack an entry.
    #[error("it has no {0}")]
    Option(&'static str),
    /// It ascends the loss.
    #[error("it maximises the loss")]
    Maximizes,
    /// It has the betas of Adam, but not its other options.
    #[error("it is similar to Adam, but another optimiser")]
    OtherAdam,
    /// Adam with options that training here does not have.
    #[error("it is Adam with other betas than 0.9, 0.999, other eps than 1e-8, or amsgrad")]
    AdamOptions,
    /// AdamW decays the weights in another way.
    #[error("it is AdamW, whose weight decay differs from Adam's")]
    AdamW,
    /// SGD with options that training here does not have.
    #[error("the optimiser is SGD without momentum, with dampening, or with Nesterov momentum")]
    SgdOptions,
    /// The milestones of its schedule cannot be read.
    #[error("its milestones are damaged")]
    Milestones,
    /// Its options are not allowed here.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The network cannot be built.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The state cannot be written.
    #[error("its state cannot be written")]
    Write(#[source] Box<dyn Error + Send + Sync>),
}

/// Why the learning rate of an imported training stays constant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConstantRate {
    /// The file says nothing about a schedule.
    #[error("the file has no scheduler")]
    NoScheduler,
    /// The schedule is not one of milestones.
    #[error("its scheduler is not a MultiStepLR (it has {})", .keys.join(", "))]
    OtherScheduler {
        /// The first entries of its state, which tell one scheduler from another.
        keys: Vec<String>,
    },
}

/// A name out of a file for an error that stays one line.
pub(super) fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
