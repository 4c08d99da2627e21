//! Burn's optimisers with the constants of `torch.optim`, and their state as bytes.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, ModuleOptimizer, OptimizerRecord, SgdConfig};
use burn::tensor::Bytes;

use crate::settings::{Optimizer, TrainSettings};

/// The optimiser of a recipe, without state. Weight decay is the coupled L2 of `torch.optim`.
pub fn build(recipe: &TrainSettings) -> ModuleOptimizer {
    let decay =
        (recipe.weight_decay > 0.0).then(|| WeightDecayConfig::new(recipe.weight_decay as f32));
    match recipe.optimizer {
        // Burn's epsilon is 1e-5, PyTorch's 1e-8.
        Optimizer::Adam => AdamConfig::new().with_epsilon(1e-8).with_weight_decay(decay).init(),
        Optimizer::Sgd => {
            // Burn dampens by 0.1 unless told otherwise, PyTorch does not.
            let momentum = (recipe.momentum > 0.0)
                .then(|| MomentumConfig::new().with_momentum(recipe.momentum).with_dampening(0.0));
            SgdConfig::new().with_momentum(momentum).with_weight_decay(decay).init()
        }
    }
}

/// The state of an optimiser.
///
/// # Errors
/// The state cannot be written as bytes.
pub fn to_bytes(optimizer: &ModuleOptimizer) -> Result<Vec<u8>, String> {
    let bytes = optimizer.into_bytes().map_err(|e| e.to_string())?;
    Ok(bytes.to_vec())
}

/// An optimiser with a state that [`to_bytes`] gave.
///
/// # Errors
/// The bytes are damaged, or the state is not of this kind of optimiser: Burn leaves out what it
/// cannot use without a word, so the tensors are counted.
pub fn restore(recipe: &TrainSettings, bytes: &[u8]) -> Result<ModuleOptimizer, String> {
    let bytes = Bytes::from_bytes_vec(bytes.to_vec());
    let record = OptimizerRecord::from_bytes(bytes).map_err(|e| e.to_string())?;
    let saved = record.len();
    let optimizer = build(recipe).load_record(record);
    let used = optimizer.to_record().len();
    if used != saved {
        return Err(format!("{} of its {saved} optimiser tensors do not fit", saved - used));
    }
    Ok(optimizer)
}
