//! What the network refuses.

use std::fmt;

use crate::settings::{Precision, SettingsError};
use crate::weights::{TensorProblem, axes, listed};

/// An input that the network cannot take, or tensors that do not fit it.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The settings describe no network.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A tensor of the wrong shape.
    #[error("{layer}: expected {expected}, got {}", axes(.found))]
    Shape {
        /// The layer, named as its tensors are, or the input.
        layer: String,
        /// The shape that it takes.
        expected: ExpectedShape,
        /// The shape that it was given.
        found: Vec<usize>,
    },
    /// Fewer frames than the kernel of a convolution without padding spans.
    #[error("{layer}: expected {least} frames or more, got {found}")]
    TooFewFrames {
        /// The layer, named as its tensors are.
        layer: String,
        /// The fewest frames that it takes.
        least: usize,
        /// The frames that it was given.
        found: usize,
    },
    /// Another number of masks than of global-local layers.
    #[error("expected {layers} masks, one for each global-local layer, got {masks}")]
    MaskCount {
        /// Global-local layers of the network.
        layers: usize,
        /// Masks that it was given.
        masks: usize,
    },
    /// Another number of layers than the settings describe.
    #[error("the settings describe {planned} layers, the network has {found}")]
    LayerCount {
        /// Layers that the settings describe.
        planned: usize,
        /// Layers of the network.
        found: usize,
    },
    /// A training batch whose batch norm would divide by zero.
    #[error("{layer}: training needs at least two values per feature, got one")]
    SingleValue {
        /// The layer, named as its tensors are.
        layer: String,
    },
    /// A device without this number format.
    #[error("{device} does not compute in {precision}")]
    Precision {
        /// The format.
        precision: Precision,
        /// The device.
        device: String,
    },
    /// Tensors of another network.
    #[error("the tensors are those of another network: {}", listed(.0))]
    Tensors(Vec<TensorProblem>),
}

/// A shape of which some sizes are fixed, each axis with its letter: `[n, c=1, t, h=64, w=44]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedShape(Vec<(&'static str, Option<usize>)>);

impl fmt::Display for ExpectedShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let axes: Vec<String> = self
            .0
            .iter()
            .map(|(letter, size)| match size {
                Some(size) => format!("{letter}={size}"),
                None => (*letter).to_owned(),
            })
            .collect();
        write!(f, "[{}]", axes.join(", "))
    }
}

/// Checks the axes that have an expected size; the others must not be empty. `letters` names the
/// first `D` axes.
pub(super) fn check_shape<const D: usize>(
    layer: &str,
    letters: &'static str,
    expected: [Option<usize>; D],
    found: [usize; D],
) -> Result<(), ModelError> {
    let fits = |axis: usize| match expected[axis] {
        Some(size) => found[axis] == size,
        None => found[axis] > 0,
    };
    if (0..D).all(fits) {
        return Ok(());
    }
    let mut letters = letters.split(' ');
    let expected = ExpectedShape(expected.map(|size| (letters.next().unwrap_or("_"), size)).into());
    Err(ModelError::Shape { layer: layer.into(), expected, found: found.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_shape_names_the_layer_and_both_shapes() {
        let expected = [None, Some(1), None, Some(64), Some(44)];
        assert!(check_shape("clips", "n c t h w", expected, [2, 1, 9, 64, 44]).is_ok());
        let error = check_shape("clips", "n c t h w", expected, [2, 1, 9, 64, 64]).unwrap_err();
        assert_eq!(error.to_string(), "clips: expected [n, c=1, t, h=64, w=44], got 2x1x9x64x64");
        assert!(check_shape("clips", "n c t h w", expected, [2, 1, 0, 64, 44]).is_err());
    }
}
