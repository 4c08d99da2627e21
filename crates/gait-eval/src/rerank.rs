//! The parameters of re-ranking; `reciprocal.rs` has the algorithm.

use serde::Deserialize;

/// k-reciprocal re-ranking with its parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rerank {
    pub(crate) k1: usize,
    pub(crate) k2: usize,
    pub(crate) lambda: f64,
}

/// The `[rerank]` table of a protocol.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRerank {
    pub k1: usize,
    pub k2: usize,
    pub lambda: f64,
}

/// A parameter of a [`Rerank`] that is out of range.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RerankError {
    /// Nothing is within the nearest 0 neighbours.
    #[error("k1 and k2 must be at least 1; they are {k1} and {k2}")]
    Neighbours {
        /// The first number of neighbours.
        k1: usize,
        /// The second number of neighbours.
        k2: usize,
    },
    /// The share is not between 0 and 1.
    #[error("lambda must be between 0 and 1; it is {0}")]
    Lambda(f64),
}

impl Rerank {
    /// A re-ranking with these parameters.
    ///
    /// - `k1`: number of neighbours among which reciprocal ones are sought;
    /// - `k2`: number of nearest sequences whose neighbourhoods are averaged (local query
    ///   expansion);
    /// - `lambda`: share of the original distance in the result, 0 to 1.
    ///
    /// # Errors
    /// A parameter that is out of range.
    pub fn new(k1: usize, k2: usize, lambda: f64) -> Result<Self, RerankError> {
        if k1 == 0 || k2 == 0 {
            return Err(RerankError::Neighbours { k1, k2 });
        }
        if !(0.0..=1.0).contains(&lambda) {
            return Err(RerankError::Lambda(lambda));
        }
        Ok(Self { k1, k2, lambda })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_parameters_are_named() {
        assert!(Rerank::new(0, 6, 0.3).unwrap_err().to_string().contains("at least 1"));
        assert!(Rerank::new(6, 6, f64::NAN).unwrap_err().to_string().contains("NaN"));
        assert!(Rerank::new(6, 6, 0.3).is_ok());
    }
}
