//! The state of `torch.optim.Adam` and `torch.optim.SGD` as Burn keeps it.

use burn::tensor::{Bytes, DType};
use burn_pack::{Scalar, Writer};
use gait_data::pickle::Value;

use super::torch::{TensorRef, TorchFile};
use crate::checkpoint::Checkpoint;
use crate::net::GaitGl;
use crate::settings::{Optimizer, TrainSettings};
use crate::weights::little_endian;

/// What training goes on from.
pub struct Training {
    /// The optimiser's state, as a checkpoint holds it.
    pub state: Vec<u8>,
    /// The recipe with what the state says of it.
    pub recipe: TrainSettings,
    /// Why the learning rate stays what it is, where its schedule is not known.
    pub constant_rate: Option<String>,
}

/// Reads the state of an optimiser. `parameters` are our names of the learnt tensors in the order
/// of the file, which is the order in which PyTorch numbers them.
///
/// # Errors
/// Why training cannot go on from it.
pub fn read(
    file: &TorchFile,
    optimizer: Value,
    scheduler: Option<Value>,
    parameters: &[&str],
    checkpoint: &Checkpoint,
) -> Result<Training, String> {
    let groups: Vec<Value> =
        entry(optimizer, "param_groups").and_then(Value::list).into_iter().flatten().collect();
    let [group] = groups.as_slice() else {
        return Err(format!("it has {} groups of parameters; 1 is read", groups.len()));
    };
    let mut recipe = recipe(&checkpoint.settings.train, *group)?;
    let constant_rate = schedule(&mut recipe, *group, scheduler)?;
    recipe.check().map_err(|e| e.to_string())?;
    let numbers: Vec<Option<i128>> = entry(*group, "params")
        .and_then(Value::list)
        .into_iter()
        .flatten()
        .map(Value::integer)
        .collect();
    if numbers.len() != parameters.len() {
        let (found, wanted) = (numbers.len(), parameters.len());
        return Err(format!("it has {found} parameters, the network {wanted}"));
    }
    let states: Vec<[Value; 2]> =
        entry(optimizer, "state").and_then(Value::pairs).into_iter().flatten().collect();
    let model = &checkpoint.settings.model;
    let network = GaitGl::new(model, checkpoint.subjects.len(), 0, &crate::cpu());
    let ids = network.map_err(|e| e.to_string())?.parameter_ids();
    let mut record = Record { file, tensors: Vec::new(), scalars: Vec::new() };
    for (number, name) in numbers.iter().zip(parameters) {
        let state = states.iter().find(|[key, _]| key.integer() == *number && number.is_some());
        let (Some([_, state]), Some(id)) = (state, ids.get(*name)) else {
            return Err(format!("{name} has no state"));
        };
        let shape = &checkpoint.weights.get(*name).ok_or("its parameters are others")?.shape;
        record
            .add(id.val(), *state, recipe.optimizer, shape)
            .map_err(|problem| format!("the state of {name} {problem}"))?;
    }
    Ok(Training { state: record.into_bytes()?, recipe, constant_rate })
}

/// The entry of a dictionary.
fn entry<'p, 'a>(dictionary: Value<'p, 'a>, name: &str) -> Option<Value<'p, 'a>> {
    dictionary.pairs()?.find(|[key, _]| key.text() == Some(name)).map(|[_, value]| value)
}

fn number(dictionary: Value, name: &str) -> Option<f64> {
    let value = entry(dictionary, name)?;
    value.float().or_else(|| value.integer().map(|whole| whole as f64))
}

/// The recipe of a group of parameters but for the learning rate; the batches and the loss are those
/// of the preset.
fn recipe(preset: &TrainSettings, group: Value) -> Result<TrainSettings, String> {
    let mut recipe = preset.clone();
    let said = |name: &str| number(group, name).ok_or_else(|| format!("it says no {name}"));
    let set = |name: &str| entry(group, name).and_then(Value::truth) == Some(true);
    if set("maximize") {
        return Err("it maximises the loss".into());
    }
    if entry(group, "betas").is_some() {
        if entry(group, "amsgrad").is_none() {
            return Err("it is like Adam, but another optimiser".into());
        }
        recipe.optimizer = Optimizer::Adam;
        let betas = entry(group, "betas").and_then(Value::tuple_of::<2>);
        let usual = betas.map(|betas| betas.map(Value::float)) == Some([Some(0.9), Some(0.999)]);
        if !usual || number(group, "eps") != Some(1e-8) || set("amsgrad") {
            return Err("it is Adam with other betas than 0.9, 0.999, other eps than 1e-8, or \
                        amsgrad"
                .into());
        }
        if set("decoupled_weight_decay") {
            return Err("it is AdamW, whose weight decay is another".into());
        }
    } else {
        recipe.optimizer = Optimizer::Sgd;
        recipe.momentum = said("momentum")?;
        if recipe.momentum == 0.0 || number(group, "dampening") != Some(0.0) || set("nesterov") {
            return Err("it is SGD without momentum, with dampening, or by Nesterov".into());
        }
    }
    recipe.weight_decay = said("weight_decay")?;
    Ok(recipe)
}

/// Takes the learning rate and the milestones of a `MultiStepLR` into the recipe. Where there is
/// none the rate stays what it is now, and the result says why.
fn schedule(
    recipe: &mut TrainSettings,
    group: Value,
    scheduler: Option<Value>,
) -> Result<Option<String>, String> {
    recipe.milestones.clear();
    let Some(milestones) = scheduler.and_then(|scheduler| entry(scheduler, "milestones")) else {
        recipe.learning_rate = number(group, "lr").ok_or("it says no lr")?;
        return Ok(Some(match scheduler {
            None => "the file has no scheduler".into(),
            Some(other) => format!("its scheduler is no MultiStepLR (it has {})", keys(other)),
        }));
    };
    // A counter is rebuilt from a dictionary: each milestone with how often it counts.
    let call = milestones.call();
    let dictionary = call.and_then(|call| call.arguments.tuple_of::<1>());
    let pairs = dictionary.and_then(|[dictionary]| dictionary.pairs());
    for [at, times] in pairs.into_iter().flatten() {
        let (at, times) = (at.size(), times.size().filter(|times| *times <= 16));
        let (at, times) = at.zip(times).ok_or("its milestones are damaged")?;
        recipe.milestones.extend(std::iter::repeat_n(at as u64, times));
    }
    recipe.milestones.sort_unstable();
    recipe.decay = scheduler.and_then(|s| number(s, "gamma")).unwrap_or(recipe.decay);
    let rate = number(group, "initial_lr").or_else(|| number(group, "lr"));
    recipe.learning_rate = rate.ok_or("it says no lr")?;
    Ok(None)
}

/// The first keys of a dictionary, which tell one scheduler from another.
fn keys(dictionary: Value) -> String {
    let pairs = dictionary.pairs().into_iter().flatten();
    let names: Vec<&str> = pairs.filter_map(|[key, _]| key.text()).take(4).collect();
    names.join(", ")
}

/// Burn's record of an optimiser in the making: tensors and scalars named `NUMBER.FIELD`.
struct Record<'f> {
    file: &'f TorchFile,
    tensors: Vec<burn_pack::Tensor>,
    scalars: Vec<(String, Scalar)>,
}

impl Record<'_> {
    fn add(
        &mut self,
        id: u64,
        state: Value,
        kind: Optimizer,
        shape: &[usize],
    ) -> Result<(), String> {
        let fields: &[(&str, &str)] = match kind {
            Optimizer::Adam => &[("exp_avg", "moment_1"), ("exp_avg_sq", "moment_2")],
            Optimizer::Sgd => &[("momentum_buffer", "velocity")],
        };
        for (theirs, ours) in fields {
            let tensor = entry(state, theirs).map(TensorRef::of).transpose()?.flatten();
            let tensor = tensor.ok_or_else(|| format!("lacks {theirs}"))?;
            if tensor.shape != shape {
                return Err(format!("has {theirs} of another shape"));
            }
            let bytes = little_endian(&self.file.values(&tensor)?);
            self.tensors.push(burn_pack::Tensor::new(
                format!("{id}.momentum.{ours}"),
                DType::F32,
                shape.to_vec(),
                Some(id),
                Bytes::from_bytes_vec(bytes),
            ));
        }
        if kind == Optimizer::Adam {
            let step = self.step(state)?;
            self.scalars.push((format!("{id}.momentum.time"), Scalar::from(step)));
        }
        self.scalars.push((format!("{id}.__rank"), Scalar::from(shape.len())));
        Ok(())
    }

    /// Steps that Adam has done: a number, since PyTorch 1.12 a tensor of one.
    fn step(&self, state: Value) -> Result<usize, String> {
        let value = entry(state, "step").ok_or("lacks step")?;
        if let Some(step) = value.size() {
            return Ok(step);
        }
        let tensor = TensorRef::of(value)?.filter(|tensor| tensor.len() == 1);
        let values = self.file.values(&tensor.ok_or("has a step that is no number")?)?;
        let step = values.first().copied().filter(|step| *step >= 1.0 && *step < 1e9);
        step.map(|step| step as usize).ok_or_else(|| "has no sound step".into())
    }

    fn into_bytes(self) -> Result<Vec<u8>, String> {
        let mut writer = Writer::new(self.tensors);
        for (name, value) in self.scalars {
            writer = writer.with_scalar(&name, value);
        }
        Ok(writer.into_bytes().map_err(|e| e.to_string())?.to_vec())
    }
}
