//! Descriptions of networks: TOML files, those that ship and users' own.

use std::path::{Path, PathBuf};

use gait_support::FileError;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::ModelError;
use crate::engine::Onnx;
use crate::input::Input;

/// The description of a network whose outputs are decoded as `D` says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Description<D> {
    /// The ONNX file, beside the description.
    onnx: PathBuf,
    pub(crate) input: Input,
    pub(crate) output: D,
}

/// A description with the network that it names.
pub(crate) struct Described<D> {
    pub(crate) description: Description<D>,
    /// Name of the description for messages.
    pub(crate) path: PathBuf,
    /// Name of the ONNX file for messages.
    pub(crate) onnx_path: PathBuf,
    pub(crate) onnx: Onnx,
}

impl<D: DeserializeOwned> Described<D> {
    /// A network that is part of the program.
    pub(crate) fn shipped(path: &str, text: &str, onnx: &'static [u8]) -> Result<Self, ModelError> {
        Self::parse(Path::new(path), text, |_| Ok(Onnx::Shipped(onnx)))
    }

    /// Reads a description and its network.
    pub(crate) fn read(path: &Path) -> Result<Self, ModelError> {
        let text = std::fs::read_to_string(path).map_err(|e| FileError::io("read", path, e))?;
        Self::parse(path, &text, |onnx| {
            let bytes = std::fs::read(onnx).map_err(|e| FileError::io("read", onnx, e))?;
            Ok(Onnx::Read(bytes))
        })
    }

    fn parse(
        path: &Path,
        text: &str,
        read: impl FnOnce(&Path) -> Result<Onnx, ModelError>,
    ) -> Result<Self, ModelError> {
        let description: Description<D> = toml::from_str(text).map_err(|source| {
            ModelError::Description { path: path.into(), source: Box::new(source) }
        })?;
        description.input.check(path)?;
        let onnx_path = path.parent().unwrap_or(Path::new("")).join(&description.onnx);
        let onnx = read(&onnx_path)?;
        Ok(Self { description, path: path.into(), onnx_path, onnx })
    }
}

/// Checks that `value` lies between `low` and `high`; NaN does not.
pub(crate) fn check_range(
    path: &Path,
    key: &'static str,
    value: f64,
    low: f64,
    high: f64,
) -> Result<(), ModelError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(ModelError::Range { path: path.into(), key, low, high })
}
