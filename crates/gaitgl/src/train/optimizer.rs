//! Burn's optimisers with the constants of `torch.optim`, and their state as bytes.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, ModuleOptimizer, OptimizerRecord, SgdConfig};
use burn::tensor::{Bytes, DType};
use burn_pack::{Reader, Scalar};

use crate::net::GaitGl;
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

/// An optimiser with a state that [`to_bytes`] gave for a network.
///
/// # Errors
/// The bytes are damaged, or the state is of another network or kind of optimiser: Burn leaves out
/// what it cannot use without a word, so the tensors are counted.
pub fn restore(
    recipe: &TrainSettings,
    bytes: &[u8],
    network: &GaitGl,
) -> Result<ModuleOptimizer, String> {
    let bytes = Bytes::from_bytes_vec(bytes.to_vec());
    let reader = Reader::from_bytes(bytes.clone()).map_err(|e| e.to_string())?;
    check(reader, network).ok_or("its optimiser state is damaged, or of another network")?;
    let record = OptimizerRecord::from_bytes(bytes).map_err(|e| e.to_string())?;
    let saved = record.len();
    let optimizer = build(recipe).load_record(record);
    let used = optimizer.to_record().len();
    if used != saved {
        return Err(format!("{} of its {saved} optimiser tensors do not fit", saved - used));
    }
    Ok(optimizer)
}

/// Whether everything that is kept is of a parameter of the network and has its shape: Burn panics
/// where it is not.
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
    use burn_pack::{Tensor, Writer};

    /// The verdict on a record of one tensor.
    fn verdict(tensor: Tensor, rank: usize) -> Option<()> {
        let mut model = Settings::preset("paper-small").unwrap().model;
        (model.channels, model.height, model.width) = (vec![1, 1, 1], 16, 11);
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
        assert!(verdict(tensor(name, &shape, Some(1)), 5).is_some());
        assert!(verdict(tensor(name, &shape, None), 5).is_none(), "without a number");
        assert!(verdict(tensor(name, &shape, Some(99)), 5).is_none(), "of another network");
        assert!(verdict(tensor(name, &shape, Some(1)), 4).is_none(), "of another rank");
        assert!(verdict(tensor(name, &[27], Some(1)), 5).is_none(), "of another shape");
        assert!(verdict(tensor("2.momentum", &shape, Some(1)), 5).is_none(), "of another name");
    }
}
