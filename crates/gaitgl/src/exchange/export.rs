//! From a checkpoint to files of other programs.

use std::collections::HashMap;
use std::path::Path;

use safetensors::serialize;
use safetensors::tensor::{Dtype, TensorView};

use super::ExchangeError;
use super::onnx;
use super::recognise::{self, BATCHES, names};
use super::torch::{self, Entry, Values};
use crate::checkpoint::Checkpoint;
use crate::net::{GaitGl, ModelError};
use crate::settings::{LocalSettings, ModelSettings, Partition};
use gait_support::files::write_atomic;

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

/// What an export wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The preset whose published code names the tensors; `None` for our own names.
    pub published: Option<&'static str>,
    /// Settings that no tensor shows and that the published network has otherwise, as TOML.
    pub unlike: Vec<String>,
}

/// Writes the network of a checkpoint for other programs, whole or not at all. The tensors get the
/// names of the published network that has the same tensors, ours if there is none.
///
/// # Errors
/// Another ending than those of [`Format`], tensors that are not those of the settings, a network
/// that has no such form, a folder that cannot be written to, a full disk.
pub fn export(checkpoint: &Checkpoint, path: &Path) -> Result<Exported, ExchangeError> {
    let format = Format::of(path)?;
    let problem = |problem: String| ExchangeError::Export { path: path.into(), problem };
    check(checkpoint)?;
    let model = &checkpoint.settings.model;
    let published = recognise::published(model, checkpoint.subjects.len());
    let unlike = published.as_ref().map(|(_, network)| unlike(model, network));
    let (published, unlike) = (published.map(|(name, _)| name), unlike.unwrap_or_default());
    let bytes = match format {
        Format::Safetensors => safetensors(&entries(checkpoint, published)),
        Format::Torch => torch::write(&entries(checkpoint, published), checkpoint.iteration),
        Format::Onnx => onnx::write(checkpoint),
    };
    write_atomic(path, &bytes.map_err(problem)?)
        .map_err(|source| ExchangeError::Write { path: path.into(), source })?;
    Ok(Exported { published, unlike })
}

/// The settings of a network that differ from those of a published one with the same tensors.
fn unlike(model: &ModelSettings, published: &ModelSettings) -> Vec<String> {
    let mut model = ModelSettings { strips: published.strips, ..model.clone() };
    if model.local.partition == Partition::Bands {
        // Fixed bands have no use for the settings of random masks.
        let LocalSettings { bands, reading, partition, .. } = model.local;
        model.local = LocalSettings { bands, reading, partition, ..published.local.clone() };
    }
    let [ours, theirs] = [&model, published].map(|m| toml::to_string(m).unwrap_or_default());
    let differs = |line: &&str| !theirs.lines().any(|other| other == *line);
    ours.lines().filter(differs).map(String::from).collect()
}

/// The tensors are those of the settings.
fn check(checkpoint: &Checkpoint) -> Result<(), ModelError> {
    let (model, classes) = (&checkpoint.settings.model, checkpoint.subjects.len());
    GaitGl::of_tensors(model, classes, &crate::cpu(), &checkpoint.weights).map(drop)
}

/// The tensors by their names in PyTorch, which also counts the batches of a batch norm.
fn entries<'c>(checkpoint: &'c Checkpoint, published: Option<&str>) -> Vec<Entry<'c>> {
    let (model, classes) = (&checkpoint.settings.model, checkpoint.subjects.len());
    let mut entries = Vec::new();
    for (name, ours) in names(published, model, classes) {
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
