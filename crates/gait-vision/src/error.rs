//! What can go wrong with a network and its description.

use std::error::Error;
use std::path::PathBuf;

use gait_support::FileError;

/// A network that cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The description or the network cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The description is no TOML, or has an unknown or missing key.
    #[error("{} does not describe a network", path.display())]
    Description {
        /// The description.
        path: PathBuf,
        /// The parser's reason.
        source: Box<toml::de::Error>,
    },
    /// A number in the description is out of its range.
    #[error("{}: {key} must be between {low} and {high}", path.display())]
    Range {
        /// The description.
        path: PathBuf,
        /// The key, with the table it stands in.
        key: &'static str,
        /// The smallest value.
        low: f64,
        /// The largest value.
        high: f64,
    },
    /// The engine cannot read the network: it is damaged, no ONNX, or has unknown operators.
    #[error("cannot load the network {}", path.display())]
    Load {
        /// The ONNX file.
        path: PathBuf,
        /// The engine's reason; none if it panicked.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The network has several inputs, or one of another shape than the description says.
    #[error("the network {} does not take images of the shape {expected:?}", path.display())]
    Input {
        /// The ONNX file.
        path: PathBuf,
        /// Shape of the images according to the description: one image, its channels and sides.
        expected: [usize; 4],
    },
    /// The description names an output that the network lacks.
    #[error("the network {} has no output {output:?}, only {}", path.display(), known.join(", "))]
    NoOutput {
        /// The ONNX file.
        path: PathBuf,
        /// The name in the description.
        output: String,
        /// The names that the network has.
        known: Vec<String>,
    },
    /// An output has another shape than its decoding asks for.
    #[error(
        "output {output:?} of the network {} has the shape {found:?} instead of {expected:?}",
        path.display()
    )]
    OutputShape {
        /// The ONNX file.
        path: PathBuf,
        /// The output.
        output: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that the decoding asks for; 0 stands for any size.
        expected: Vec<usize>,
    },
    /// The network cannot be run.
    #[error("cannot run the network {}", path.display())]
    Run {
        /// The ONNX file.
        path: PathBuf,
        /// The engine's reason; none if it panicked.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}
