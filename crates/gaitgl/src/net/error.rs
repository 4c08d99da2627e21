//! What the network refuses.

use crate::settings::SettingsError;

/// An input that the network cannot take, or tensors that do not fit it.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The settings make no network.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A tensor of the wrong shape.
    #[error("{layer}: expected {expected}, got {}", axes(.found))]
    Shape {
        /// The layer, named as its tensors are.
        layer: String,
        /// What it takes.
        expected: String,
        /// What came.
        found: Vec<usize>,
    },
    /// A training batch whose batch norm would divide by zero.
    #[error(
        "{layer}: training needs at least two values per feature, got one; raise train.batch.subjects or train.batch.sequences"
    )]
    SingleValue {
        /// The layer.
        layer: String,
    },
    /// Tensors of another network.
    #[error("the tensors are of another network: {}", .0.join("; "))]
    Tensors(Vec<String>),
}

/// `found` unless it is as long as `expected` and equal wherever `expected` names a size.
pub(crate) fn check_shape<const D: usize>(
    layer: &str,
    names: &str,
    expected: [Option<usize>; D],
    found: [usize; D],
) -> Result<(), ModelError> {
    let fits = |(size, &found): (&Option<usize>, &usize)| size.map_or(found > 0, |s| s == found);
    if expected.iter().zip(&found).all(fits) {
        return Ok(());
    }
    let sizes = names.split(' ').zip(expected).map(|(name, size)| match size {
        Some(size) => format!("{name}={size}"),
        None => name.to_string(),
    });
    let expected = format!("[{}]", sizes.collect::<Vec<_>>().join(", "));
    Err(ModelError::Shape { layer: layer.into(), expected, found: found.to_vec() })
}

/// A shape as `2x3x4`.
pub(crate) fn axes(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
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
