//! A checkpoint: one safetensors file that holds a network, its settings, its classes and the state
//! of the optimiser, from which training resumes. Sampler and masks are functions of the seed and
//! the iteration, so the iteration restores them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use gait_support::files::write_atomic;
use gait_support::{FileError, Fingerprint};
use half::f16;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors, serialize};
use serde::{Deserialize, Serialize};

use crate::exchange::ForeignFormat;
use crate::net::{Evaluator, GaitGl, ModelError};
use crate::settings::{Precision, Settings, SettingsError};
use crate::weights::{ABOUT, Weight, Weights, little_endian};

/// The tensor that holds the optimiser's state as bytes.
const OPTIMIZER: &str = "optimizer";
/// Version of the description; raised when an older program could misread it.
const FORMAT: u32 = 1;

/// A network with everything that is needed to use it and to continue its training.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The settings that it was trained with.
    pub settings: Settings,
    /// The training subjects, in the order of the classifier's classes. A class with an empty name
    /// belongs to no subject: imported networks can have more classes than subjects.
    pub subjects: Vec<String>,
    /// Optimiser steps done.
    pub iteration: u64,
    /// The best score of the tests during training so far, if there was one: the protocol's first
    /// metric, in percent.
    pub score: Option<f64>,
    /// The network's tensors.
    pub weights: Weights,
    /// State of the optimiser; absent in a checkpoint from which training does not resume.
    pub optimizer: Option<Vec<u8>>,
}

/// A checkpoint that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is not a complete checkpoint that this version can read.
    #[error("{} is not a usable checkpoint", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: CheckpointFault,
    },
    /// The settings inside cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

/// What is wrong with a checkpoint file.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointFault {
    /// It has the format of another program.
    #[error("it is {0}")]
    Foreign(ForeignFormat),
    /// It is not a complete safetensors file.
    #[error("it is truncated, damaged or of another format")]
    Safetensors(#[from] SafeTensorError),
    /// Its description cannot be read or written.
    #[error("its description is damaged")]
    Description(#[from] serde_json::Error),
    /// Another version wrote it.
    #[error("it has format {found}, this version reads format {known}")]
    Format {
        /// The format of the file.
        found: u32,
        /// The format that this version reads.
        known: u32,
    },
    /// A tensor is neither f32 nor f16.
    #[error("tensor {name} has the type {dtype}, neither F32 nor F16")]
    TensorType {
        /// The tensor.
        name: String,
        /// Its type.
        dtype: Dtype,
    },
}

/// The description beside the tensors. It is one string, because safetensors keeps its metadata in
/// a map without order and a checkpoint's bytes should depend on its contents alone.
#[derive(Serialize, Deserialize)]
struct About {
    format: u32,
    iteration: u64,
    score: Option<f64>,
    subjects: Vec<String>,
    settings: String,
}

impl Checkpoint {
    /// Whether its classes are these training subjects, in order; classes that belong to no subject
    /// may follow. A network without a classifier has no classes and fits any subjects.
    pub fn trained_on(&self, subjects: &[String]) -> bool {
        if !self.settings.model.neck.classifies() {
            return true;
        }
        let rest = self.subjects.strip_prefix(subjects);
        rest.is_some_and(|rest| rest.iter().all(String::is_empty))
    }

    /// Writes the checkpoint to a temporary file beside `path`, then renames it into place. Equal
    /// checkpoints give equal bytes.
    ///
    /// # Errors
    /// A folder that cannot be written to, a full disk.
    pub fn save(&self, path: &Path) -> Result<(), CheckpointError> {
        self.save_as(path, |_| Dtype::F32)
    }

    /// [`Checkpoint::save`], each tensor as the type that `storage` gives it: `F32` or `F16`.
    pub(crate) fn save_as(
        &self,
        path: &Path,
        storage: impl Fn(&Weight) -> Dtype,
    ) -> Result<(), CheckpointError> {
        let settings = self.settings.to_toml()?;
        let bytes = self
            .to_bytes(settings, storage)
            .map_err(|source| CheckpointError::Malformed { path: path.into(), source })?;
        Ok(write_atomic(path, &bytes).map_err(|e| FileError::io("write", path, e))?)
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// A missing, truncated or foreign file, settings that cannot be used.
    pub fn load(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = std::fs::read(path).map_err(|e| FileError::io("read", path, e))?;
        Self::decode(path, &bytes)
    }

    /// [`Checkpoint::load`] of a file's bytes; `path` names it in messages.
    ///
    /// # Errors
    /// As [`Checkpoint::load`].
    pub fn decode(path: &Path, bytes: &[u8]) -> Result<Self, CheckpointError> {
        let malformed = |source| CheckpointError::Malformed { path: path.into(), source };
        if let Some(format) = ForeignFormat::from_bytes(bytes) {
            return Err(malformed(CheckpointFault::Foreign(format)));
        }
        let file = SafeTensors::deserialize(bytes).map_err(|e| malformed(e.into()))?;
        let about = read_about(bytes).map_err(malformed)?;
        let settings = Settings::from_toml(&about.settings, &path.display().to_string())?;
        let mut weights = Weights::new();
        let mut optimizer = None;
        for (name, view) in file.tensors() {
            if name == OPTIMIZER {
                optimizer = Some(view.data().to_vec());
            } else {
                let weight = to_weight(&name, &view).map_err(malformed)?;
                weights.insert(name, weight);
            }
        }
        let About { iteration, score, subjects, .. } = about;
        Ok(Self { settings, subjects, iteration, score, weights, optimizer })
    }

    /// Tells this network from others by its weights, so that embeddings of two networks are never
    /// compared. It depends on nothing else: not on the file's name, nor on the optimiser.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut fingerprint = Fingerprint::default();
        for (name, weight) in &self.weights {
            fingerprint.feed(name.as_bytes());
            fingerprint.feed(&little_endian(&weight.values));
        }
        fingerprint
    }

    /// The network, for use on a device; its convolutions compute in `precision`.
    ///
    /// # Errors
    /// Tensors that do not fit the settings, each of them named.
    pub fn evaluator(
        &self,
        device: &Device,
        precision: Precision,
    ) -> Result<Evaluator, ModelError> {
        let classes = self.subjects.len();
        let network = GaitGl::from_tensors(&self.settings.model, classes, device, &self.weights)?;
        Ok(network.evaluator(precision))
    }

    fn to_bytes(
        &self,
        settings: String,
        storage: impl Fn(&Weight) -> Dtype,
    ) -> Result<Vec<u8>, CheckpointFault> {
        let about = About {
            format: FORMAT,
            iteration: self.iteration,
            score: self.score,
            subjects: self.subjects.clone(),
            settings,
        };
        let about = serde_json::to_string(&about)?;
        let mut blobs: Vec<(&str, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
        for (name, weight) in &self.weights {
            let dtype = storage(weight);
            let bytes = match dtype {
                Dtype::F16 => halves(&weight.values),
                _ => little_endian(&weight.values),
            };
            blobs.push((name, dtype, weight.shape.clone(), bytes));
        }
        if let Some(state) = &self.optimizer {
            blobs.push((OPTIMIZER, Dtype::U8, vec![state.len()], state.clone()));
        }
        let mut views = Vec::new();
        for (name, dtype, shape, bytes) in &blobs {
            views.push((*name, TensorView::new(*dtype, shape.clone(), bytes)?));
        }
        Ok(serialize(views, Some(HashMap::from([(ABOUT.to_string(), about)])))?)
    }
}

fn read_about(bytes: &[u8]) -> Result<About, CheckpointFault> {
    let (_, metadata) = SafeTensors::read_metadata(bytes)?;
    let text = metadata.metadata().as_ref().and_then(|m| m.get(ABOUT));
    let about: About = serde_json::from_str(text.map_or("", String::as_str))?;
    if about.format != FORMAT {
        return Err(CheckpointFault::Format { found: about.format, known: FORMAT });
    }
    Ok(about)
}

fn to_weight(name: &str, view: &TensorView) -> Result<Weight, CheckpointFault> {
    let bytes = view.data();
    let values = match view.dtype() {
        Dtype::F32 => {
            let floats = bytes.chunks_exact(4);
            floats.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
        }
        Dtype::F16 => {
            bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect()
        }
        dtype => return Err(CheckpointFault::TensorType { name: name.into(), dtype }),
    };
    Ok(Weight { shape: view.shape().to_vec(), values })
}

/// Values as little-endian f16.
fn halves(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gait_support::full_message;

    fn example() -> Checkpoint {
        let weight = Weight { shape: vec![2, 3], values: vec![0.5, -1.0, 2.0, 3.0, 4.0, f32::MIN] };
        Checkpoint {
            settings: Settings::preset("paper-small").unwrap(),
            subjects: vec!["001".into(), "007".into()],
            iteration: 12,
            score: Some(31.25),
            weights: Weights::from([("fc".to_string(), weight)]),
            optimizer: Some(vec![1, 2, 3]),
        }
    }

    #[test]
    fn what_is_saved_is_loaded_and_the_bytes_repeat() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/a.safetensors");
        example().save(&path).unwrap();
        assert_eq!(Checkpoint::load(&path).unwrap(), example());
        let first = std::fs::read(&path).unwrap();
        example().save(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first);
    }

    #[test]
    fn the_fingerprint_is_that_of_the_weights() {
        let fingerprint = example().fingerprint();
        let renamed = Checkpoint { iteration: 99, optimizer: None, ..example() };
        assert_eq!(renamed.fingerprint(), fingerprint);
        let mut trained = example();
        trained.weights.values_mut().for_each(|weight| weight.values[3] += 1e-6);
        assert_ne!(trained.fingerprint(), fingerprint);
    }

    #[test]
    fn files_from_before_the_last_join_could_be_set_are_loaded() {
        let text = example().settings.to_toml().unwrap();
        let older = text.replace("last_join = \"stack\"\n", "");
        assert_ne!(older, text);
        let bytes = example().to_bytes(older, |_| Dtype::F32).unwrap();
        assert_eq!(Checkpoint::decode(Path::new("a.safetensors"), &bytes).unwrap(), example());
    }

    #[test]
    fn every_truncation_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        example().save(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
            std::fs::write(&path, &whole[..length]).unwrap();
            let message = full_message(&Checkpoint::load(&path).unwrap_err());
            assert!(message.contains("a.safetensors") && !message.contains('\n'), "{message}");
        }
    }

    #[test]
    fn a_network_that_the_tensors_are_not_is_refused_before_it_is_made() {
        let mut claims = example();
        // Gigabytes, and still no more than a network may have.
        claims.settings.model.channels = vec![1500, 1500, 1500];
        let message =
            claims.evaluator(&crate::cpu(), Precision::F32).map(drop).unwrap_err().to_string();
        assert!(
            message.contains("stages.0.layers.0.global (1500x1x3x3x3) is missing"),
            "{message}"
        );
    }

    #[test]
    fn foreign_tensors_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let data = 1.0f32.to_le_bytes();
        let view = TensorView::new(Dtype::F32, vec![1], &data).unwrap();
        std::fs::write(&path, serialize([("x", view)], None).unwrap()).unwrap();
        let error = Checkpoint::load(&path).unwrap_err();
        assert!(
            matches!(
                error,
                CheckpointError::Malformed {
                    source: CheckpointFault::Foreign(ForeignFormat::Safetensors),
                    ..
                }
            ),
            "{error}"
        );
    }
}
