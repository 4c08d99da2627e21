//! Named tensors outside of Burn: what checkpoints, imports and exports exchange with a network.

use std::collections::BTreeMap;

/// The metadata key of the description that makes a file of named tensors a checkpoint.
pub(crate) const ABOUT: &str = "gaitgl";

/// One tensor, row-major f32.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// Size of each axis.
    pub shape: Vec<usize>,
    /// As many values as the product of `shape`.
    pub values: Vec<f32>,
}

/// The tensors of a network, batch-norm statistics included, by name.
pub type Weights = BTreeMap<String, Weight>;

/// A tensor that a network lacks, does not have, or has with another shape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TensorProblem {
    /// The network needs it.
    #[error("{name} ({}) is missing", axes(.shape))]
    Missing {
        /// Its name.
        name: String,
        /// The shape that the network has.
        shape: Vec<usize>,
    },
    /// The network has it with another shape.
    #[error("{name} is {}, the network has {}", axes(.found), axes(.expected))]
    Shape {
        /// Its name.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that the network has.
        expected: Vec<usize>,
    },
    /// It does not have as many values as its shape says.
    #[error("{name} ({}) holds {values} values", axes(.shape))]
    Length {
        /// Its name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// How many values it holds.
        values: usize,
    },
    /// The network has no tensor of this name.
    #[error("{name} ({}) is unused", axes(.shape))]
    Unused {
        /// Its name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
}

/// A shape as `2x3x4`.
pub(crate) fn axes(shape: &[usize]) -> String {
    if shape.is_empty() {
        return "one number".into();
    }
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}

/// Problems in one line.
pub(crate) fn listed(problems: &[TensorProblem]) -> String {
    problems.iter().map(TensorProblem::to_string).collect::<Vec<_>>().join("; ")
}

/// Values as little-endian bytes, as files hold them.
pub(crate) fn little_endian(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
