//! From a checkpoint to files of other programs.

use std::collections::HashMap;
use std::path::Path;

use safetensors::serialize;
use safetensors::tensor::{Dtype, TensorView};

use gait_support::FileError;
use gait_support::files::write_atomic;

use super::onnx;
use super::recognise::{self, BATCHES, names};
use super::torch::{self, NamedTensor, Values};
use super::{ExchangeError, ExportFault};
use crate::checkpoint::Checkpoint;
use crate::net::{GaitGl, ModelError};
use crate::settings::{LocalPartition, LocalSettings, ModelSettings};

/// The format of an exported checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// Named tensors, with the names that PyTorch code gives them.
    Safetensors,
    /// `{"model": state dict, "iteration": n}` of `torch.save`.
    Torch,
    /// The whole network, from silhouettes to embeddings.
    Onnx,
}

impl ExportFormat {
    /// The format that the extension of a file selects.
    ///
    /// # Errors
    /// An extension other than .safetensors, .pt, .ptm, .pth and .onnx.
    pub fn from_path(path: &Path) -> Result<Self, ExchangeError> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("safetensors") => Ok(Self::Safetensors),
            Some("pt" | "ptm" | "pth") => Ok(Self::Torch),
            Some("onnx") => Ok(Self::Onnx),
            _ => Err(ExchangeError::Export { path: path.into(), source: ExportFault::Extension }),
        }
    }
}

/// The result of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The preset whose published code names the tensors; `None` if they have our own names.
    pub published: Option<&'static str>,
    /// Settings that the tensors do not show and that differ from the published network, as TOML.
    pub unlike: Vec<String>,
}

/// Writes the network of a checkpoint for other programs, completely or not at all. The tensors get
/// the names of the published network that has the same tensors, or ours if there is none.
///
/// # Errors
/// An extension that selects no [`ExportFormat`], tensors that are not those of the settings, a
/// network that the format cannot hold, a folder that cannot be written to, a full disk.
pub fn export(checkpoint: &Checkpoint, path: &Path) -> Result<Exported, ExchangeError> {
    let format = ExportFormat::from_path(path)?;
    check(checkpoint)?;
    let model = &checkpoint.settings.model;
    let network = recognise::published(model, checkpoint.subjects.len());
    let unlike = network.as_ref().map(|(_, network)| differing_settings(model, network));
    let published = network.map(|(name, _)| name);
    let tensors = named_tensors(checkpoint, published);
    let bytes = match format {
        ExportFormat::Safetensors => safetensors(&tensors),
        ExportFormat::Torch => torch::write(&tensors, checkpoint.iteration),
        ExportFormat::Onnx => onnx::write(checkpoint),
    };
    let bytes = bytes.map_err(|source| ExchangeError::Export { path: path.into(), source })?;
    write_atomic(path, &bytes).map_err(|source| FileError::io("write", path, source))?;
    Ok(Exported { published, unlike: unlike.unwrap_or_default() })
}

/// The settings of a network that differ from those of a published one with the same tensors.
fn differing_settings(model: &ModelSettings, published: &ModelSettings) -> Vec<String> {
    let mut model = ModelSettings { strips: published.strips, ..model.clone() };
    if model.local.partition == LocalPartition::Bands {
        // Fixed bands do not use the settings of random masks.
        let LocalSettings { bands, reading, partition, .. } = model.local;
        model.local = LocalSettings { bands, reading, partition, ..published.local.clone() };
    }
    let [ours, theirs] = [&model, published].map(|m| toml::to_string(m).unwrap_or_default());
    let differs = |line: &&str| !theirs.lines().any(|other| other == *line);
    ours.lines().filter(differs).map(String::from).collect()
}

/// Checks that the tensors are those of the settings.
fn check(checkpoint: &Checkpoint) -> Result<(), ModelError> {
    let classes = checkpoint.subjects.len();
    let model = &checkpoint.settings.model;
    GaitGl::from_tensors(model, classes, &crate::cpu(), &checkpoint.weights).map(drop)
}

/// The tensors by their names in PyTorch, which also counts the batches of a batch norm.
fn named_tensors<'c>(checkpoint: &'c Checkpoint, published: Option<&str>) -> Vec<NamedTensor<'c>> {
    let classes = checkpoint.subjects.len();
    let mut entries = Vec::new();
    for (name, ours) in names(published, &checkpoint.settings.model, classes) {
        let Some(weight) = checkpoint.weights.get(&ours) else { continue };
        let values = Values::Floats(&weight.values);
        let counter = name.strip_suffix("running_var").map(|norm| format!("{norm}{BATCHES}"));
        entries.push(NamedTensor { name, shape: &weight.shape, values });
        if let Some(name) = counter {
            let count = i64::try_from(checkpoint.iteration).unwrap_or(i64::MAX);
            entries.push(NamedTensor { name, shape: &[], values: Values::Count(count) });
        }
    }
    entries
}

fn safetensors(entries: &[NamedTensor]) -> Result<Vec<u8>, ExportFault> {
    let bytes: Vec<Vec<u8>> = entries.iter().map(|entry| entry.values.bytes()).collect();
    let views = entries.iter().zip(&bytes).map(|(entry, bytes)| {
        let dtype = match entry.values {
            Values::Floats(_) => Dtype::F32,
            Values::Count(_) => Dtype::I64,
        };
        let view = TensorView::new(dtype, entry.shape.to_vec(), bytes);
        view.map(|view| (entry.name.clone(), view))
    });
    let views: Vec<_> = views.collect::<Result<_, _>>()?;
    // Readers of safetensors for PyTorch look for this entry.
    let about = HashMap::from([("format".to_string(), "pt".to_string())]);
    Ok(serialize(views, Some(about))?)
}
