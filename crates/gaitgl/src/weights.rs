//! Named tensors outside of Burn: what checkpoints, imports and exports exchange with a network.

use std::collections::BTreeMap;

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

/// Values as files hold them.
pub(crate) fn little_endian(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
