//! Burn's optimisers with the constants of `torch.optim`, and their state as bytes.

use std::error::Error;

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, ModuleOptimizer, OptimizerRecord, SgdConfig};
use burn::tensor::{Bytes, DType};
use burn_pack::{Reader, Scalar, Writer};

use crate::net::GaitGl;
use crate::settings::{Optimizer, TrainSettings};

/// The optimiser of a recipe, without state. Weight decay is the coupled L2 penalty of
/// `torch.optim`.
pub(super) fn build(recipe: &TrainSettings) -> ModuleOptimizer {
    let decay =
        (recipe.weight_decay > 0.0).then(|| WeightDecayConfig::new(recipe.weight_decay as f32));
    match recipe.optimizer {
        // Burn's epsilon is 1e-5, PyTorch's 1e-8.
        Optimizer::Adam => AdamConfig::new().with_epsilon(1e-8).with_weight_decay(decay).init(),
        Optimizer::Sgd => {
            // Burn's default dampening is 0.1, PyTorch's 0.
            let momentum = (recipe.momentum > 0.0)
                .then(|| MomentumConfig::new().with_momentum(recipe.momentum).with_dampening(0.0));
            SgdConfig::new().with_momentum(momentum).with_weight_decay(decay).init()
        }
    }
}

/// The state of an optimiser that cannot be saved, or from which training cannot continue.
#[derive(Debug, thiserror::Error)]
pub enum OptimizerStateError {
    /// The checkpoint has none.
    #[error("the checkpoint was saved without the state of its optimiser")]
    Missing,
    /// It was saved by another kind of optimiser.
    #[error(
        "the state of the optimiser was saved with {setting} = {saved} and does not fit {setting} = \
         {wanted}"
    )]
    OtherKind {
        /// Dotted name of the setting that differs.
        setting: &'static str,
        /// The value that it was saved with.
        saved: String,
        /// The value now.
        wanted: String,
    },
    /// It cannot be read.
    #[error("the state of the optimiser is damaged")]
    Damaged(#[source] Box<dyn Error + Send + Sync>),
    /// Its tensors are not those of the network.
    #[error("the state of the optimiser is damaged or belongs to another network")]
    OtherNetwork,
    /// Some of its tensors are not used by the optimiser.
    #[error("{unused} of the {saved} tensors of the optimiser's state do not fit the optimiser")]
    Unused {
        /// Tensors that were not used.
        unused: usize,
        /// Tensors that were saved.
        saved: usize,
    },
    /// It cannot be encoded.
    #[error("the state of the optimiser cannot be encoded")]
    Encode(#[source] Box<dyn Error + Send + Sync>),
}

/// The state of an optimiser. Equal states give equal bytes: Burn lists the tensors in the order of
/// a hash map, so they are written again in the order of their names.
pub(super) fn to_bytes(optimizer: &ModuleOptimizer) -> Result<Vec<u8>, OptimizerStateError> {
    let encode = || -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        let reader = Reader::from_bytes(optimizer.into_bytes()?)?;
        let scalars = reader.scalars().clone();
        let paths = reader.metadata().clone();
        let mut writer = Writer::new(reader.into_tensors()?);
        for (name, value) in scalars {
            writer = writer.with_scalar(&name, value);
        }
        for (name, path) in &paths {
            writer = writer.with_metadata(name, path);
        }
        Ok(writer.into_bytes()?.to_vec())
    };
    encode().map_err(OptimizerStateError::Encode)
}

/// Checks that the state of the optimiser of one recipe serves another.
pub(super) fn check_same_kind(
    saved: &TrainSettings,
    wanted: &TrainSettings,
) -> Result<(), OptimizerStateError> {
    let name = |optimizer| match optimizer {
        Optimizer::Adam => "adam",
        Optimizer::Sgd => "sgd",
    };
    if saved.optimizer != wanted.optimizer {
        return Err(OptimizerStateError::OtherKind {
            setting: "train.optimizer",
            saved: name(saved.optimizer).into(),
            wanted: name(wanted.optimizer).into(),
        });
    }
    // SGD with momentum leaves a velocity that SGD without cannot use.
    if saved.optimizer == Optimizer::Sgd && saved.momentum > 0.0 && wanted.momentum == 0.0 {
        return Err(OptimizerStateError::OtherKind {
            setting: "train.momentum",
            saved: saved.momentum.to_string(),
            wanted: wanted.momentum.to_string(),
        });
    }
    Ok(())
}

/// An optimiser with a state that [`to_bytes`] gave for a network.
///
/// # Errors
/// Bytes that are damaged, or the state of another network or kind of optimiser. Burn silently
/// leaves out tensors that it cannot use, so they are counted.
pub(super) fn restore(
    recipe: &TrainSettings,
    bytes: &[u8],
    network: &GaitGl,
) -> Result<ModuleOptimizer, OptimizerStateError> {
    let bytes = Bytes::from_bytes_vec(bytes.to_vec());
    let reader =
        Reader::from_bytes(bytes.clone()).map_err(|e| OptimizerStateError::Damaged(e.into()))?;
    check(reader, network).ok_or(OptimizerStateError::OtherNetwork)?;
    let record =
        OptimizerRecord::from_bytes(bytes).map_err(|e| OptimizerStateError::Damaged(e.into()))?;
    let saved = record.len();
    let optimizer = build(recipe).load_record(record);
    let used = optimizer.to_record().len();
    if used != saved {
        return Err(OptimizerStateError::Unused { unused: saved - used, saved });
    }
    Ok(optimizer)
}

/// Whether everything that was saved belongs to a parameter of the network and has its shape. Burn
/// panics where it does not.
fn check(reader: Reader, network: &GaitGl) -> Option<()> {
    let shapes = network.parameter_shapes();
    for (name, value) in reader.scalars() {
        if let Some(id) = name.strip_suffix(".__rank") {
            let shape = shapes.get(&id.parse().ok()?)?;
            let known = match value {
                Scalar::UInt(rank) => usize::try_from(*rank) == Ok(shape.len()),
                Scalar::Int(rank) => usize::try_from(*rank) == Ok(shape.len()),
                _ => false,
            };
            known.then_some(())?;
        }
    }
    for tensor in reader.into_tensors().ok()? {
        let id = tensor.param_id?;
        let shape = shapes.get(&id)?;
        let fits = tensor.dtype == DType::F32
            && tensor.shape.as_slice() == shape.as_slice()
            && tensor.byte_len() == 4 * shape.iter().product::<usize>()
            && tensor.name.split('.').next() == Some(&id.to_string());
        fits.then_some(())?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use burn_pack::Tensor;

    /// Whether the record of one tensor is accepted.
    fn accepted(tensor: Tensor, rank: usize) -> Option<()> {
        let mut model = Settings::preset("paper-small").unwrap().model;
        model.channels = vec![1, 1, 1];
        model.height = 16;
        model.width = 11;
        let network = GaitGl::new(&model, 2, 1, &crate::cpu()).unwrap();
        let writer = Writer::new(vec![tensor]).with_scalar("1.__rank", Scalar::from(rank));
        check(Reader::from_bytes(writer.into_bytes().unwrap()).unwrap(), &network)
    }

    fn tensor(name: &str, shape: &[usize], id: Option<u64>) -> Tensor {
        let bytes = Bytes::from_bytes_vec(vec![0; 4 * shape.iter().product::<usize>()]);
        Tensor::new(name.into(), DType::F32, shape.to_vec(), id, bytes)
    }

    #[test]
    fn a_state_that_burn_would_panic_on_is_refused() {
        let shape = [1, 1, 3, 3, 3];
        let name = "1.momentum.moment_1";
        assert!(accepted(tensor(name, &shape, Some(1)), 5).is_some());
        assert!(accepted(tensor(name, &shape, None), 5).is_none(), "without a number");
        assert!(accepted(tensor(name, &shape, Some(99)), 5).is_none(), "of another network");
        assert!(accepted(tensor(name, &shape, Some(1)), 4).is_none(), "of another rank");
        assert!(accepted(tensor(name, &[27], Some(1)), 5).is_none(), "of another shape");
        assert!(accepted(tensor("2.momentum", &shape, Some(1)), 5).is_none(), "of another name");
    }
}
