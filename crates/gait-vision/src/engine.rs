//! The engine that runs ONNX networks. No other module knows which one it is.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gait_support::caught;
use rten::{Dimension, Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value};
use rten_tensor::prelude::*;
use rten_tensor::{Tensor, TensorView};

use crate::ModelError;

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

/// A network with one input, ready to run.
pub(crate) struct Network {
    model: Model,
    engine: Engine,
    path: PathBuf,
    input: NodeId,
    /// Its shape for one image.
    shape: [usize; 4],
    outputs: Vec<NodeId>,
}

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
        let model = loaded(path, onnx)?;
        let fitting = fitting_input(&model, shape);
        let input =
            fitting.ok_or_else(|| ModelError::Input { path: path.into(), expected: shape })?;
        let outputs = names.iter().map(|name| named_output(&model, path, name));
        let outputs = outputs.collect::<Result<_, _>>()?;
        Ok(Self { model, engine: engine.clone(), path: path.into(), input, shape, outputs })
    }

    /// Runs the network on one image. The outputs are in the order of the names that it was loaded
    /// with.
    ///
    /// BlazePose takes longer for several images at once: 40, 43, 47 and 52 ms per image for 1, 2, 4 and
    /// 8 images, on two cores that were in use.
    pub(crate) fn run(&self, image: &[f32]) -> Result<Vec<Output>, ModelError> {
        let image = TensorView::from_data(&self.shape, image);
        let options = RunOptions::default().with_thread_pool(Some(self.engine.pool.clone()));
        let inputs = vec![(self.input, image.into())];
        let ran = caught(|| self.model.run(inputs, &self.outputs, Some(options)));
        match ran {
            Some(Ok(values)) => values.into_iter().map(|value| self.output(value)).collect(),
            Some(Err(reason)) => Err(self.failed(Some(reason.into()))),
            None => Err(self.failed(None)),
        }
    }

    fn output(&self, value: Value) -> Result<Output, ModelError> {
        let tensor = Tensor::<f32>::try_from(value).map_err(|e| self.failed(Some(e.into())))?;
        Ok(Output { shape: tensor.shape().to_vec(), values: tensor.into_data() })
    }

    fn failed(&self, source: Option<Box<dyn std::error::Error + Send + Sync>>) -> ModelError {
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

/// The only input, if it may have this shape.
fn fitting_input(model: &Model, shape: [usize; 4]) -> Option<NodeId> {
    let &[input] = model.input_ids() else { return None };
    let known = model.node_info(input)?.shape()?;
    let fits = |(known, size): (&Dimension, usize)| match known {
        Dimension::Fixed(known) => *known == size,
        Dimension::Symbolic(_) => true,
    };
    let all_fit = known.len() == shape.len() && known.iter().zip(shape).all(fits);
    all_fit.then_some(input)
}

fn named_output(model: &Model, path: &Path, name: &str) -> Result<NodeId, ModelError> {
    let name_of = |id: NodeId| model.node_info(id).and_then(|node| node.name().map(str::to_owned));
    let found = model.output_ids().iter().find(|&&id| name_of(id).as_deref() == Some(name));
    found.copied().ok_or_else(|| ModelError::NoOutput {
        path: path.into(),
        output: name.to_owned(),
        known: model.output_ids().iter().filter_map(|&id| name_of(id)).collect(),
    })
}
