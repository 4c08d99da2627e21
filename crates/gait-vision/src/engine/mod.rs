//! The engine that runs ONNX networks. No other module knows which one it is.

mod depthwise;
mod split;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gait_support::caught;
use rten::{Dimension, Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::prelude::*;
use rten_tensor::{Tensor, TensorView};

use crate::ModelError;
use depthwise::Depthwise;
use split::Split;

/// The threads that run networks. Networks that never run at the same time can share one engine.
#[derive(Debug, Clone)]
pub struct Engine {
    pool: Arc<ThreadPool>,
}

impl Engine {
    /// An engine with this many threads.
    pub fn new(threads: NonZero<usize>) -> Self {
        Self { pool: Arc::new(ThreadPool::with_num_threads(threads.get())) }
    }
}

/// The bytes of an ONNX file: part of the program, or read.
pub(crate) enum Onnx {
    Shipped(&'static [u8]),
    Read(Vec<u8>),
}

impl Onnx {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Shipped(bytes) => bytes,
            Self::Read(bytes) => bytes,
        }
    }
}

/// A network with one input, ready to run.
pub(crate) struct Network {
    model: Model,
    engine: Engine,
    path: PathBuf,
    input: NodeId,
    /// Its shape for one image.
    shape: [usize; 4],
    outputs: Vec<NodeId>,
    steps: Vec<Step>,
}

/// One run of the engine, and the depthwise convolutions that follow it.
struct Step {
    /// Values that the run reads, each with whether it is the last one to do so.
    inputs: Vec<(NodeId, bool)>,
    outputs: Vec<NodeId>,
    convolutions: Vec<Convolution>,
}

/// A depthwise convolution of one value, which gives another.
struct Convolution {
    input: NodeId,
    output: NodeId,
    depthwise: Depthwise,
}

/// Why a network cannot be run.
type Reason = Option<Box<dyn std::error::Error + Send + Sync>>;

/// One output: f32 in row-major order.
#[derive(Debug, PartialEq)]
pub(crate) struct Output {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

impl Network {
    /// Loads a network that takes images of `shape` and has the outputs `names`.
    pub(crate) fn load(
        engine: &Engine,
        path: &Path,
        onnx: Onnx,
        shape: [usize; 4],
        names: &[&str],
    ) -> Result<Self, ModelError> {
        let split = caught(|| split::split(onnx.bytes())).flatten();
        let (rest, known, steps) = match split {
            Some(Split { onnx, outputs, steps }) => (Onnx::Read(onnx), Some(outputs), steps),
            None => (onnx, None, vec![]),
        };
        let model = loaded(path, rest)?;
        let given = steps.iter().map(|step| step.convolutions.len()).sum();
        let fitting = fitting_input(&model, given, shape);
        let input =
            fitting.ok_or_else(|| ModelError::Input { path: path.into(), expected: shape })?;
        let known = &model.output_ids()[..known.unwrap_or(model.output_ids().len())];
        let outputs = names.iter().map(|name| named_output(&model, known, path, name));
        let outputs = outputs.collect::<Result<Vec<NodeId>, ModelError>>()?;
        let steps = match steps.is_empty() {
            true => vec![Step::whole(input, &outputs)],
            false => planned(&model, steps)
                .ok_or_else(|| ModelError::Load { path: path.into(), source: None })?,
        };
        Ok(Self { model, engine: engine.clone(), path: path.into(), input, shape, outputs, steps })
    }

    /// Runs the network on one image. The outputs are in the order of the names that it was loaded
    /// with.
    ///
    /// BlazePose takes longer for several images at once: 40, 43, 47 and 52 ms per image for 1, 2, 4 and
    /// 8 images, on two cores that were in use.
    pub(crate) fn run(&self, image: &[f32]) -> Result<Vec<Output>, ModelError> {
        let ran = caught(|| self.values(image)).unwrap_or(Err(None));
        let mut values = ran.map_err(|reason| self.failed(reason))?;
        let output = |id| values.remove(id).ok_or_else(|| self.failed(None));
        let found = self.outputs.iter().map(output).collect::<Result<Vec<Value>, _>>()?;
        found.into_iter().map(|value| self.output(value)).collect()
    }

    /// Runs all steps; gives the values that are left.
    fn values(&self, image: &[f32]) -> Result<BTreeMap<NodeId, Value>, Reason> {
        let image = Tensor::from_data(&self.shape, image.to_vec());
        let mut values = BTreeMap::from([(self.input, Value::from(image))]);
        for step in &self.steps {
            let ran = self.ran(step, &mut values)?;
            values.extend(step.outputs.iter().copied().zip(ran));
            for Convolution { input, output, depthwise } in &step.convolutions {
                let result = convolved(depthwise, values.get(input).ok_or(None)?)?;
                values.insert(*output, result);
            }
        }
        Ok(values)
    }

    fn ran(&self, step: &Step, values: &mut BTreeMap<NodeId, Value>) -> Result<Vec<Value>, Reason> {
        let mut inputs: Vec<(NodeId, ValueOrView)> = vec![];
        // What nobody needs later is handed over, so that the engine can work in place.
        for &(id, _) in step.inputs.iter().filter(|(_, is_last)| *is_last) {
            inputs.push((id, values.remove(&id).ok_or(None)?.into()));
        }
        for &(id, _) in step.inputs.iter().filter(|(_, is_last)| !is_last) {
            inputs.push((id, values.get(&id).ok_or(None)?.into()));
        }
        let options = RunOptions::default().with_thread_pool(Some(self.engine.pool.clone()));
        let ran = self.model.run(inputs, &step.outputs, Some(options));
        ran.map_err(|reason| Some(reason.into()))
    }

    fn output(&self, value: Value) -> Result<Output, ModelError> {
        let tensor = Tensor::<f32>::try_from(value).map_err(|e| self.failed(Some(e.into())))?;
        Ok(Output { shape: tensor.shape().to_vec(), values: tensor.into_data() })
    }

    fn failed(&self, source: Reason) -> ModelError {
        ModelError::Run { path: self.path.clone(), source }
    }

    /// Checks the shape of an output; 0 in `expected` stands for any size.
    pub(crate) fn check_shape(
        &self,
        output: &Output,
        name: &str,
        expected: &[usize],
    ) -> Result<(), ModelError> {
        let fits = |(&found, &expected): (&usize, &usize)| expected == 0 || found == expected;
        if output.shape.len() == expected.len() && output.shape.iter().zip(expected).all(fits) {
            return Ok(());
        }
        Err(self.wrong_shape(output, name, expected))
    }

    /// The error of an output whose shape is not `expected`.
    pub(crate) fn wrong_shape(
        &self,
        output: &Output,
        name: &str,
        expected: &[usize],
    ) -> ModelError {
        ModelError::OutputShape {
            path: self.path.clone(),
            output: name.to_owned(),
            found: output.shape.clone(),
            expected: expected.to_vec(),
        }
    }
}

impl Step {
    /// A network that the engine runs at once.
    fn whole(input: NodeId, outputs: &[NodeId]) -> Self {
        Self { inputs: vec![(input, true)], outputs: outputs.to_vec(), convolutions: vec![] }
    }
}

/// The steps with the engine's numbers for the values; none if the engine does not know one.
fn planned(model: &Model, steps: Vec<split::Step>) -> Option<Vec<Step>> {
    let plan = |step: split::Step| {
        let id = |name: &str| model.find_node(name);
        let inputs = step.inputs.iter().map(|(name, is_last)| Some((id(name)?, *is_last)));
        let outputs = step.outputs.iter().map(|name| id(name));
        let convolution = |found: split::Convolution| {
            let split::Convolution { input, output, depthwise } = found;
            Some(Convolution { input: id(&input)?, output: id(&output)?, depthwise })
        };
        Some(Step {
            inputs: inputs.collect::<Option<_>>()?,
            outputs: outputs.collect::<Option<_>>()?,
            convolutions: step.convolutions.into_iter().map(convolution).collect::<Option<_>>()?,
        })
    };
    steps.into_iter().map(plan).collect()
}

/// A depthwise convolution of a value.
fn convolved(depthwise: &Depthwise, value: &Value) -> Result<Value, Reason> {
    let view =
        TensorView::<f32>::try_from(value.as_view()).map_err(|reason| Some(reason.into()))?;
    let &[images, channels, height, width] = view.shape() else { return Err(None) };
    let size = [height, width];
    let [rows, columns] = depthwise.output_size(size).ok_or(None)?;
    let contiguous = view.to_contiguous();
    let found = depthwise.run(contiguous.data(), size).ok_or(None)?;
    Ok(Tensor::from_data(&[images, channels, rows, columns], found).into())
}

fn loaded(path: &Path, onnx: Onnx) -> Result<Model, ModelError> {
    // Once instead of in every run, which saves a few percent.
    let mut options = ModelOptions::with_all_ops();
    options.prepack_weights(true);
    let loaded = caught(|| match onnx {
        Onnx::Shipped(bytes) => options.load_static_slice(bytes),
        Onnx::Read(bytes) => options.load(bytes),
    });
    let failed = |source| ModelError::Load { path: path.into(), source };
    loaded.ok_or_else(|| failed(None))?.map_err(|reason| failed(Some(reason.into())))
}

/// The only input, if it may have this shape. Behind it are those that were made for the results of
/// `given` convolutions.
fn fitting_input(model: &Model, given: usize, shape: [usize; 4]) -> Option<NodeId> {
    let (&input, others) = model.input_ids().split_first()?;
    let known = model.node_info(input)?.shape()?;
    let fits = |(known, size): (&Dimension, usize)| match known {
        Dimension::Fixed(known) => *known == size,
        Dimension::Symbolic(_) => true,
    };
    let all_fit = known.len() == shape.len() && known.iter().zip(shape).all(fits);
    (others.len() == given && all_fit).then_some(input)
}

/// The output of this name among those that are `known`.
fn named_output(
    model: &Model,
    known: &[NodeId],
    path: &Path,
    name: &str,
) -> Result<NodeId, ModelError> {
    let name_of = |id: NodeId| model.node_info(id).and_then(|node| node.name().map(str::to_owned));
    let found = known.iter().find(|&&id| name_of(id).as_deref() == Some(name));
    found.copied().ok_or_else(|| ModelError::NoOutput {
        path: path.into(),
        output: name.to_owned(),
        known: known.iter().filter_map(|&id| name_of(id)).collect(),
    })
}
