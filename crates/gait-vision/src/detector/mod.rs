//! People in a frame, as boxes.

mod selection;
mod ssd;
mod yolox;

use std::path::Path;

use serde::Deserialize;

use crate::description::Described;
use crate::engine::{Network, Output};
use crate::input::Input;
use crate::{Bounds, Engine, Frame, ModelError};
use selection::Selection;

/// A person whom a detector has found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// The box, in pixels of the frame.
    pub bounds: Bounds,
    /// How certain the detector is, 0 to 1.
    pub score: f32,
}

/// A network that finds people, and how its outputs become boxes.
pub struct Detector {
    network: Network,
    input: Input,
    output: DetectorOutput,
}

/// The table `[output]` of a detector's description.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DetectorOutput {
    decoding: Decoding,
    selection: Selection,
}

/// How outputs become boxes in the pixels of the network's input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Decoding {
    Ssd(ssd::Ssd),
    Yolox(yolox::Yolox),
}

impl Decoding {
    fn check(&self, path: &Path) -> Result<(), ModelError> {
        match self {
            Decoding::Ssd(ssd) => ssd.check(path),
            Decoding::Yolox(yolox) => yolox.check(path),
        }
    }

    /// The outputs that are decoded.
    fn outputs(&self) -> Vec<&str> {
        match self {
            Decoding::Ssd(ssd) => ssd.outputs().to_vec(),
            Decoding::Yolox(yolox) => yolox.outputs().to_vec(),
        }
    }

    fn decode(
        &self,
        network: &Network,
        outputs: &[Output],
        input: &Input,
    ) -> Result<Vec<Detection>, ModelError> {
        match self {
            Decoding::Ssd(ssd) => ssd.decode(network, outputs, input),
            Decoding::Yolox(yolox) => yolox.decode(network, outputs, input),
        }
    }
}

impl Detector {
    /// The detector that ships: SSD MobileNetV2, trained on Open Images.
    ///
    /// # Errors
    /// The engine refuses the network. No machine is known on which it does.
    pub fn shipped(engine: &Engine) -> Result<Self, ModelError> {
        let text = include_str!("../../models/ssd-mobilenet-v2.toml");
        let onnx = include_bytes!("../../models/ssd-mobilenet-v2.onnx");
        Self::load(engine, Described::shipped("ssd-mobilenet-v2.toml", text, onnx)?)
    }

    /// A detector that a TOML file describes; `models/README.md` says how.
    ///
    /// # Errors
    /// A description or network that is missing or damaged, or that do not fit each other.
    pub fn read(engine: &Engine, description: &Path) -> Result<Self, ModelError> {
        Self::load(engine, Described::read(description)?)
    }

    fn load(engine: &Engine, described: Described<DetectorOutput>) -> Result<Self, ModelError> {
        let Described { description, path, onnx_path, onnx } = described;
        let output = description.output;
        output.decoding.check(&path)?;
        output.selection.check(&path)?;
        let shape = description.input.shape();
        let names = output.decoding.outputs();
        let network = Network::load(engine, &onnx_path, onnx, shape, &names)?;
        Ok(Self { network, input: description.input, output })
    }

    /// The people in a frame, the most certain first.
    ///
    /// # Errors
    /// An engine that fails, outputs of a shape that their decoding does not know.
    pub fn detect(&self, frame: &Frame) -> Result<Vec<Detection>, ModelError> {
        let fitted = self.input.fitted(frame);
        let mut values = Vec::new();
        self.input.append(&fitted.frame, &mut values);
        let outputs = self.network.run(&values)?;
        let found = self.output.decoding.decode(&self.network, &outputs, &self.input)?;
        let selected = self.output.selection.select(found);
        let [x, y] = fitted.ratio;
        Ok(selected.into_iter().map(|found| found.scaled(1.0 / x, 1.0 / y)).collect())
    }
}

impl Detection {
    fn scaled(self, x: f32, y: f32) -> Self {
        let bounds = Bounds {
            left: self.bounds.left * x,
            top: self.bounds.top * y,
            right: self.bounds.right * x,
            bottom: self.bounds.bottom * y,
        };
        Self { bounds, ..self }
    }
}
