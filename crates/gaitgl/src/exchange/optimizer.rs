//! The state of `torch.optim.Adam` and `torch.optim.SGD` as Burn keeps it.

use std::iter::repeat_n;

use burn::tensor::{Bytes, DType};
use burn_pack::{Scalar, Writer};
use gait_data::pickle::Value;

use super::error::printable;
use super::torch::{TensorRef, TorchFile};
use super::{ConstantRate, OptimizerFault};
use crate::checkpoint::Checkpoint;
use crate::net::GaitGl;
use crate::settings::{Optimizer, TrainSettings};
use crate::weights::little_endian;

/// What training resumes from.
pub struct TrainingState {
    /// The optimiser's state, as a checkpoint holds it.
    pub state: Vec<u8>,
    /// The recipe with the options of the optimiser and its schedule.
    pub recipe: TrainSettings,
    /// Why the learning rate stays constant, if its schedule is not known.
    pub constant_rate: Option<ConstantRate>,
}

/// Reads the state of an optimiser. `parameters` are our names of the learnt tensors in the order
/// of the file, which is the order in which PyTorch numbers them.
///
/// # Errors
/// Why training cannot resume from it.
pub fn read(
    file: &TorchFile,
    optimizer: Value,
    scheduler: Option<Value>,
    parameters: &[&str],
    checkpoint: &Checkpoint,
) -> Result<TrainingState, OptimizerFault> {
    let groups: Vec<Value> =
        entry(optimizer, "param_groups").and_then(Value::list).into_iter().flatten().collect();
    let [group] = groups.as_slice() else {
        return Err(OptimizerFault::Groups(groups.len()));
    };
    let mut recipe = recipe(&checkpoint.settings.train, *group)?;
    let constant_rate = schedule(&mut recipe, *group, scheduler)?;
    recipe.check()?;
    let numbers = parameter_numbers(*group);
    if numbers.len() != parameters.len() {
        let expected = parameters.len();
        return Err(OptimizerFault::Parameters { found: numbers.len(), expected });
    }
    let states: Vec<[Value; 2]> =
        entry(optimizer, "state").and_then(Value::pairs).into_iter().flatten().collect();
    let model = &checkpoint.settings.model;
    let network = GaitGl::new(model, checkpoint.subjects.len(), 0, &crate::cpu())?;
    let ids = network.parameter_ids();
    let mut record = Record { file, tensors: Vec::new(), scalars: Vec::new() };
    for (number, &name) in numbers.iter().zip(parameters) {
        let no_state = || OptimizerFault::NoState { name: name.into() };
        let state = states.iter().find(|[key, _]| key.integer() == *number && number.is_some());
        let [_, state] = state.ok_or_else(no_state)?;
        let id = ids.get(name).ok_or_else(no_state)?;
        let weight = checkpoint.weights.get(name).ok_or_else(no_state)?;
        let parameter = Parameter { name, id: id.val(), shape: &weight.shape };
        record.add(&parameter, *state, recipe.optimizer)?;
    }
    Ok(TrainingState { state: record.into_bytes()?, recipe, constant_rate })
}

/// The numbers by which the state names the parameters of a group; `None` for what is no number.
fn parameter_numbers(group: Value) -> Vec<Option<i128>> {
    let numbers = entry(group, "params").and_then(Value::list).into_iter().flatten();
    numbers.map(Value::integer).collect()
}

/// The entry of a dictionary.
fn entry<'p, 'a>(dictionary: Value<'p, 'a>, name: &str) -> Option<Value<'p, 'a>> {
    dictionary.pairs()?.find(|[key, _]| key.text() == Some(name)).map(|[_, value]| value)
}

fn number(dictionary: Value, name: &str) -> Option<f64> {
    let value = entry(dictionary, name)?;
    value.float().or_else(|| value.integer().map(|whole| whole as f64))
}

fn required(dictionary: Value, name: &'static str) -> Result<f64, OptimizerFault> {
    number(dictionary, name).ok_or(OptimizerFault::Option(name))
}

fn is_set(dictionary: Value, name: &str) -> bool {
    entry(dictionary, name).and_then(Value::truth) == Some(true)
}

/// The recipe with the options of a group of parameters except for the learning rate; the batches
/// and the loss are those of the preset.
fn recipe(preset: &TrainSettings, group: Value) -> Result<TrainSettings, OptimizerFault> {
    let mut recipe = preset.clone();
    if is_set(group, "maximize") {
        return Err(OptimizerFault::Maximizes);
    }
    if entry(group, "betas").is_some() {
        check_adam(group)?;
        recipe.optimizer = Optimizer::Adam;
    } else {
        recipe.optimizer = Optimizer::Sgd;
        recipe.momentum = required(group, "momentum")?;
        let damped = number(group, "dampening") != Some(0.0);
        if recipe.momentum == 0.0 || damped || is_set(group, "nesterov") {
            return Err(OptimizerFault::SgdOptions);
        }
    }
    recipe.weight_decay = required(group, "weight_decay")?;
    Ok(recipe)
}

/// Checks that a group with betas belongs to Adam as training here has it.
fn check_adam(group: Value) -> Result<(), OptimizerFault> {
    if entry(group, "amsgrad").is_none() {
        return Err(OptimizerFault::OtherAdam);
    }
    let betas = entry(group, "betas").and_then(Value::tuple_of::<2>);
    let usual = betas.map(|betas| betas.map(Value::float)) == Some([Some(0.9), Some(0.999)]);
    if !usual || number(group, "eps") != Some(1e-8) || is_set(group, "amsgrad") {
        return Err(OptimizerFault::AdamOptions);
    }
    if is_set(group, "decoupled_weight_decay") {
        return Err(OptimizerFault::AdamW);
    }
    Ok(())
}

/// Takes the learning rate and the milestones of a `MultiStepLR` into the recipe. With another
/// schedule or none the rate stays what it is now, and the result is the reason.
fn schedule(
    recipe: &mut TrainSettings,
    group: Value,
    scheduler: Option<Value>,
) -> Result<Option<ConstantRate>, OptimizerFault> {
    recipe.milestones.clear();
    let Some(scheduler) = scheduler else {
        recipe.learning_rate = required(group, "lr")?;
        return Ok(Some(ConstantRate::NoScheduler));
    };
    let Some(milestones) = entry(scheduler, "milestones") else {
        recipe.learning_rate = required(group, "lr")?;
        return Ok(Some(ConstantRate::OtherScheduler { keys: keys(scheduler) }));
    };
    // A counter is rebuilt from a dictionary: each milestone with how often it counts.
    let call = milestones.call();
    let dictionary = call.and_then(|call| call.arguments.tuple_of::<1>());
    let pairs = dictionary.and_then(|[dictionary]| dictionary.pairs());
    for [iteration, times] in pairs.into_iter().flatten() {
        let iteration = iteration.size().ok_or(OptimizerFault::Milestones)?;
        let times = times.size().filter(|times| *times <= 16);
        let times = times.ok_or(OptimizerFault::Milestones)?;
        recipe.milestones.extend(repeat_n(iteration as u64, times));
    }
    recipe.milestones.sort_unstable();
    recipe.decay = number(scheduler, "gamma").unwrap_or(recipe.decay);
    let rate = number(group, "initial_lr").or_else(|| number(group, "lr"));
    recipe.learning_rate = rate.ok_or(OptimizerFault::Option("lr"))?;
    Ok(None)
}

/// The first keys of a dictionary, which tell one scheduler from another.
fn keys(dictionary: Value) -> Vec<String> {
    let pairs = dictionary.pairs().into_iter().flatten();
    pairs.filter_map(|[key, _]| key.text()).take(4).map(printable).collect()
}

/// A parameter of the network.
struct Parameter<'n> {
    name: &'n str,
    /// Burn's id.
    id: u64,
    shape: &'n [usize],
}

/// Burn's record of an optimiser: tensors and scalars named `ID.FIELD`.
struct Record<'f> {
    file: &'f TorchFile,
    tensors: Vec<burn_pack::Tensor>,
    scalars: Vec<(String, Scalar)>,
}

impl Record<'_> {
    fn add(
        &mut self,
        parameter: &Parameter,
        state: Value,
        kind: Optimizer,
    ) -> Result<(), OptimizerFault> {
        let fields: &[(&'static str, &str)] = match kind {
            Optimizer::Adam => &[("exp_avg", "moment_1"), ("exp_avg_sq", "moment_2")],
            Optimizer::Sgd => &[("momentum_buffer", "velocity")],
        };
        let id = parameter.id;
        for &(theirs, ours) in fields {
            let values = self.values(parameter, state, theirs)?;
            self.tensors.push(burn_pack::Tensor::new(
                format!("{id}.momentum.{ours}"),
                DType::F32,
                parameter.shape.to_vec(),
                Some(id),
                Bytes::from_bytes_vec(little_endian(&values)),
            ));
        }
        if kind == Optimizer::Adam {
            let step = self.step(parameter, state)?;
            self.scalars.push((format!("{id}.momentum.time"), Scalar::from(step)));
        }
        self.scalars.push((format!("{id}.__rank"), Scalar::from(parameter.shape.len())));
        Ok(())
    }

    /// The values of an entry of a parameter's state that has the parameter's shape.
    fn values(
        &self,
        parameter: &Parameter,
        state: Value,
        field: &'static str,
    ) -> Result<Vec<f32>, OptimizerFault> {
        let name = || parameter.name.to_owned();
        let unreadable = |source| OptimizerFault::StateTensor { name: name(), source };
        let tensor = entry(state, field).map(TensorRef::from_value).transpose();
        let tensor = tensor.map_err(unreadable)?.flatten();
        let missing = || OptimizerFault::StateEntry { name: name(), entry: field };
        let tensor = tensor.ok_or_else(missing)?;
        if tensor.shape != parameter.shape {
            return Err(OptimizerFault::StateShape { name: name(), entry: field });
        }
        self.file.values(&tensor).map_err(unreadable)
    }

    /// Steps that Adam has done: a number, since PyTorch 1.12 a tensor of one value.
    fn step(&self, parameter: &Parameter, state: Value) -> Result<usize, OptimizerFault> {
        let name = || parameter.name.to_owned();
        let unreadable = |source| OptimizerFault::StateTensor { name: name(), source };
        let missing = || OptimizerFault::StateEntry { name: name(), entry: "step" };
        let damaged = || OptimizerFault::Step { name: name() };
        let value = entry(state, "step").ok_or_else(missing)?;
        if let Some(step) = value.size() {
            return Ok(step);
        }
        let tensor = TensorRef::from_value(value).map_err(unreadable)?;
        let tensor = tensor.filter(|tensor| tensor.len() == 1).ok_or_else(damaged)?;
        let values = self.file.values(&tensor).map_err(unreadable)?;
        let step = values.first().copied().filter(|step| *step >= 1.0 && *step < 1e9);
        step.map(|step| step as usize).ok_or_else(damaged)
    }

    fn into_bytes(self) -> Result<Vec<u8>, OptimizerFault> {
        let mut writer = Writer::new(self.tensors);
        for (name, value) in self.scalars {
            writer = writer.with_scalar(&name, value);
        }
        let bytes =
            writer.into_bytes().map_err(|error| OptimizerFault::Write(error.to_string().into()))?;
        Ok(bytes.to_vec())
    }
}
