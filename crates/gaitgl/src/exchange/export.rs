//! From a checkpoint to files of other programs.

use std::collections::HashMap;
use std::path::Path;

use safetensors::serialize;
use safetensors::tensor::{Dtype, TensorView};

use super::ExchangeError;
use super::onnx;
use super::recognise::{BATCHES, names};
use super::torch::{self, Entry, Values};
use crate::checkpoint::Checkpoint;
use crate::files::write_beside;
use crate::net::layout::shapes;
use crate::net::{GaitGl, ModelError};
use crate::presets;
use crate::settings::ModelSettings;

/// What a checkpoint becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Named tensors, with the names that PyTorch code gives them.
    Safetensors,
    /// `{"model": state dict, "iteration": n}` of `torch.save`.
    Torch,
    /// The whole network, from silhouettes to embeddings.
    Onnx,
}

impl Format {
    /// The format that the ending of a file asks for.
    ///
    /// # Errors
    /// Another ending.
    pub fn of(path: &Path) -> Result<Self, ExchangeError> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("safetensors") => Ok(Self::Safetensors),
            Some("pt" | "ptm" | "pth") => Ok(Self::Torch),
            Some("onnx") => Ok(Self::Onnx),
            _ => Err(ExchangeError::Export {
                path: path.into(),
                problem: "name the file .safetensors, .pt or .onnx".into(),
            }),
        }
    }
}

/// Writes the network of a checkpoint for other programs, whole or not at all.
///
/// # Errors
/// Another ending than those of [`Format`], tensors that are not those of the settings, a network
/// that has no such form, a folder that cannot be written to, a full disk.
pub fn export(checkpoint: &Checkpoint, path: &Path) -> Result<(), ExchangeError> {
    let format = Format::of(path)?;
    let problem = |problem: String| ExchangeError::Export { path: path.into(), problem };
    check(checkpoint)?;
    let bytes = match format {
        Format::Safetensors => safetensors(&entries(checkpoint)),
        Format::Torch => torch::write(&entries(checkpoint), checkpoint.iteration),
        Format::Onnx => onnx::write(checkpoint),
    };
    write_beside(path, &bytes.map_err(problem)?)
        .map_err(|source| ExchangeError::Write { path: path.into(), source })
}

/// The tensors are those of the settings.
fn check(checkpoint: &Checkpoint) -> Result<(), ModelError> {
    let (model, classes) = (&checkpoint.settings.model, checkpoint.subjects.len());
    GaitGl::of_tensors(model, classes, &crate::cpu(), &checkpoint.weights).map(drop)
}

/// The tensors by the names of published code, which also counts the batches of a batch norm; by
/// ours where the network is none of the published ones.
fn entries(checkpoint: &Checkpoint) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    for (name, ours) in names_of(checkpoint) {
        let Some(weight) = checkpoint.weights.get(&ours) else { continue };
        let values = Values::Floats(&weight.values);
        let counter = name.strip_suffix("running_var").map(|norm| format!("{norm}{BATCHES}"));
        entries.push(Entry { name, shape: &weight.shape, values });
        if let Some(name) = counter {
            let count = i64::try_from(checkpoint.iteration).unwrap_or(i64::MAX);
            entries.push(Entry { name, shape: &[], values: Values::Count(count) });
        }
    }
    entries
}

fn names_of(checkpoint: &Checkpoint) -> Vec<(String, String)> {
    let model = &checkpoint.settings.model;
    let of_preset = presets::model(&checkpoint.settings.preset).is_ok_and(|preset| {
        let ModelSettings { height, width, channels, gem_start, .. } = model.clone();
        *model == ModelSettings { height, width, channels, gem_start, ..preset }
    });
    if of_preset {
        return names(&checkpoint.settings, checkpoint.subjects.len());
    }
    let ours = shapes(model, checkpoint.subjects.len());
    ours.into_keys().map(|name| (name.clone(), name)).collect()
}

fn safetensors(entries: &[Entry]) -> Result<Vec<u8>, String> {
    let bytes: Vec<Vec<u8>> = entries.iter().map(|entry| entry.values.bytes()).collect();
    let views = entries.iter().zip(&bytes).map(|(entry, bytes)| {
        let dtype = match entry.values {
            Values::Floats(_) => Dtype::F32,
            Values::Count(_) => Dtype::I64,
        };
        let view = TensorView::new(dtype, entry.shape.to_vec(), bytes);
        view.map(|view| (entry.name.clone(), view)).map_err(|e| e.to_string())
    });
    let views: Vec<_> = views.collect::<Result<_, _>>()?;
    // Readers of safetensors for PyTorch look for this entry.
    let about = HashMap::from([("format".to_string(), "pt".to_string())]);
    serialize(views, Some(about)).map_err(|e| e.to_string())
}
