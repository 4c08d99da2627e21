//! Training. [`begin`] starts a run, [`begin_from`] starts one from the weights of a network, and
//! [`resume`] continues one; each gives a [`Session`], which trains to the last iteration and writes log, checkpoints and tests to the run folder. A
//! [`Trainer`] alone does single steps, without data or files.

mod fine_tune;
mod loss_scale;
mod optimizer;
mod periodic_test;
mod session;
mod start;

use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use gait_data::{Batch, DataError, bytes_to_unit};
use gait_eval::EvalError;
use serde::{Deserialize, Serialize};

use fine_tune::freeze;
pub use optimizer::OptimizerStateError;
pub use session::{Ending, Observer, Pace, Session, TestPart, TestReport};
pub use start::{StartError, StartNote, Started, begin, begin_from, resume, training_subjects};

use crate::checkpoint::Checkpoint;
use crate::device;
use crate::embed::{EmbedError, Embedder};
use crate::loss::{self, LossError};
use crate::mask::Regions;
use crate::net::{Evaluator, GaitGl, ModelError, Output};
use crate::run::RunError;
use crate::settings::{LossSettings, Precision, Requirement, Settings, SettingsError};
use crate::weights::Weights;

/// A training that cannot continue.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The network cannot be built, or refuses a batch.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The labels do not fit the network.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// The test subjects cannot be embedded.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// A batch cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The run folder cannot be used.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The test during training failed.
    #[error(transparent)]
    Evaluation(#[from] EvalError),
    /// The loss became NaN or infinite. The step was not applied.
    #[error(
        "the loss became {loss} at iteration {iteration} with the learning rate {learning_rate}; \
         the step was not applied"
    )]
    NonFinite {
        /// The iteration.
        iteration: u64,
        /// NaN or infinity.
        loss: f64,
        /// The learning rate of that iteration.
        learning_rate: f64,
    },
    /// The loss is finite, but its gradients overflow under every loss scale. The step was not
    /// applied.
    #[error(
        "the gradients overflowed in f16 at iteration {iteration} with the learning rate \
         {learning_rate}; the step was not applied"
    )]
    Overflow {
        /// The iteration.
        iteration: u64,
        /// The learning rate of that iteration.
        learning_rate: f64,
    },
    /// The state of the optimiser cannot be saved or restored.
    #[error(transparent)]
    Optimizer(#[from] OptimizerStateError),
}

impl TrainError {
    /// Whether nothing is wrong, but the caller asked to stop.
    fn is_stop(&self) -> bool {
        matches!(
            self,
            Self::Embed(EmbedError::Data(DataError::Stopped(_)))
                | Self::Evaluation(EvalError::Stopped(_))
        )
    }
}

/// What one iteration did.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Iterations done, this one included.
    pub iteration: u64,
    /// The combined loss (Eqn. 12).
    pub loss: f64,
    /// Its triplet part (Eqn. 13).
    pub triplet: f64,
    /// Its cross-entropy part.
    pub cross_entropy: f64,
    /// Share of triplets whose loss is above zero, in percent.
    pub active: f64,
    /// Share of clips and strips that the classifier gets right, in percent.
    pub accuracy: f64,
    /// Learning rate of the iteration.
    pub learning_rate: f64,
}

/// A network in training.
pub struct Trainer {
    settings: Settings,
    subjects: Vec<String>,
    network: GaitGl,
    optimizer: ModuleOptimizer,
    device: Device,
    iteration: u64,
}

impl Trainer {
    /// A new network for the given training subjects, initialised from `train.seed`.
    ///
    /// # Errors
    /// Settings that make no network, a precision that the device does not support.
    pub fn new(
        settings: Settings,
        subjects: Vec<String>,
        device: &Device,
    ) -> Result<Self, TrainError> {
        check_precision(&settings, device)?;
        let device = device.clone().autodiff();
        let classes = subjects.len();
        let mut network = GaitGl::new(&settings.model, classes, settings.train.seed, &device)?;
        freeze(&mut network, &settings);
        let optimizer = optimizer::build(&settings.train);
        Ok(Self { settings, subjects, network, optimizer, device, iteration: 0 })
    }

    /// The network of a checkpoint with its optimiser state. Training continues bit for bit as if it
    /// had not stopped.
    ///
    /// # Errors
    /// Tensors that do not fit the settings, a checkpoint without optimiser state or with that of
    /// another optimiser.
    pub fn resume(
        checkpoint: Checkpoint,
        settings: Settings,
        device: &Device,
    ) -> Result<Self, TrainError> {
        check_precision(&settings, device)?;
        let Checkpoint { subjects, iteration, weights, settings: saved, .. } = checkpoint;
        let state = checkpoint.optimizer.ok_or(OptimizerStateError::Missing)?;
        optimizer::check_same_kind(&saved.train, &settings.train)?;
        let device = device.clone().autodiff();
        let classes = subjects.len();
        let mut network = GaitGl::from_tensors(&settings.model, classes, &device, &weights)?;
        freeze(&mut network, &settings);
        let optimizer = optimizer::restore(&settings.train, &state, &network)?;
        Ok(Self { settings, subjects, network, optimizer, device, iteration })
    }

    /// The same training, but starting from these weights, batch-norm statistics included.
    ///
    /// # Errors
    /// Lists every tensor that is missing, unused, or of another shape.
    pub fn with_weights(mut self, weights: &Weights) -> Result<Self, TrainError> {
        self.network = self.network.with_tensors(weights)?;
        Ok(self)
    }

    /// Iterations done.
    pub fn iteration(&self) -> u64 {
        self.iteration
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The network as it is now, ready to embed sequences in f32.
    pub fn embedder(&self) -> Embedder {
        let device = self.device.clone().without_autodiff();
        Embedder::from_network(self.evaluator(Precision::F32), &self.settings.model, device)
    }

    /// The network as it is now, for inference; its convolutions compute in `precision`.
    pub fn evaluator(&self, precision: Precision) -> Evaluator {
        self.network.evaluator(precision)
    }

    /// One iteration: masks, forward, loss, backward, optimiser.
    ///
    /// # Errors
    /// A batch of the wrong size, or a loss or gradients that are not finite. The network then stays
    /// as it was.
    pub fn step(&mut self, batch: &Batch) -> Result<StepReport, TrainError> {
        let masks = self.network.draw_masks(self.settings.train.seed, self.iteration);
        self.step_with_masks(batch, &masks)
    }

    /// [`Trainer::step`] with given masks, the regions of each global-local layer in the form of
    /// [`GaitGl::draw_masks`]. Used to reproduce a training of another program.
    ///
    /// # Errors
    /// As [`Trainer::step`], and masks that do not fit the maps.
    pub fn step_with_masks(
        &mut self,
        batch: &Batch,
        masks: &[Option<Regions>],
    ) -> Result<StepReport, TrainError> {
        let precision = self.settings.train.precision;
        for &scale in loss_scale::scales(precision) {
            let mut network = self.network.clone();
            let output = network.forward_train(self.clips(batch), masks, precision)?;
            let (loss, report) = self.losses(output, &batch.subjects)?;
            if !report.loss.is_finite() {
                return Err(TrainError::NonFinite {
                    iteration: report.iteration,
                    loss: report.loss,
                    learning_rate: report.learning_rate,
                });
            }
            let gradients = GradientsParams::from_grads((loss * scale).backward(), &network);
            // Only the range of f16 is so small that gradients leave it while the loss does not.
            let gradients = match precision {
                Precision::F16 => loss_scale::unscale(gradients, &network, scale),
                Precision::F32 | Precision::Bf16 => Some(gradients),
            };
            if let Some(gradients) = gradients {
                self.network = self.optimizer.step(report.learning_rate, network, gradients);
                self.iteration += 1;
                return Ok(report);
            }
        }
        Err(TrainError::Overflow {
            iteration: self.iteration + 1,
            learning_rate: self.settings.train.learning_rate_at(self.iteration),
        })
    }

    /// The combined loss (Eqn. 12), and a report of its parts.
    fn losses(
        &self,
        output: Output,
        labels: &[usize],
    ) -> Result<(Tensor<1>, StepReport), TrainError> {
        let recipe = &self.settings.train;
        let LossSettings { margin, logit_scale, label_smoothing } = recipe.loss;
        let triplet = loss::triplet_batch_all(output.embedding, labels, margin)?;
        let mut report = StepReport {
            iteration: self.iteration + 1,
            loss: 0.0,
            triplet: scalar(&triplet.loss),
            cross_entropy: 0.0,
            active: 100.0 * triplet.active_share(),
            accuracy: 0.0,
            learning_rate: recipe.learning_rate_at(self.iteration),
        };
        let mut total = triplet.loss;
        if let Some(logits) = output.logits {
            report.accuracy = 100.0 * loss::accuracy(logits.clone(), labels)?;
            let classes = loss::cross_entropy(logits, labels, logit_scale, label_smoothing)?;
            report.cross_entropy = scalar(&classes);
            total = total + classes;
        }
        report.loss = report.triplet + report.cross_entropy;
        Ok((total, report))
    }

    /// A batch as the network takes it: `[n, 1, t, h, w]`, 0 to 1.
    fn clips(&self, batch: &Batch) -> Tensor<5> {
        let shape = [batch.subjects.len(), 1, batch.frames, batch.height, batch.width];
        let values = bytes_to_unit(&batch.pixels);
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }

    /// The current state as a checkpoint from which training can resume. Equal states give equal
    /// checkpoints.
    ///
    /// # Errors
    /// The optimiser's state cannot be encoded.
    pub fn checkpoint(&self, score: Option<f64>) -> Result<Checkpoint, TrainError> {
        let optimizer = optimizer::to_bytes(&self.optimizer)?;
        Ok(Checkpoint {
            settings: self.settings.clone(),
            subjects: self.subjects.clone(),
            iteration: self.iteration,
            score,
            weights: self.network.tensors(),
            optimizer: Some(optimizer),
        })
    }
}

fn check_precision(settings: &Settings, device: &Device) -> Result<(), ModelError> {
    let precision = settings.train.precision;
    if precision.runs_on(device) {
        return Ok(());
    }
    let requirement = Requirement::SupportedBy { device: device::describe(device) };
    Err(SettingsError::invalid("train.precision", precision, requirement).into())
}

fn scalar(value: &Tensor<1>) -> f64 {
    f64::from(value.clone().into_scalar::<f32>())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::device::testing::test_device;
    use crate::net::tests::small;
    use crate::settings::Optimizer;
    use crate::weights::Weights;
    use gait_data::synth::{SynthOptions, write_tree};
    use gait_data::{Layout, PrepareOptions, PreparedSet, Watch, prepare};

    /// A prepared set of six walkers below `folder`.
    pub fn walkers(folder: &Path) -> Arc<PreparedSet> {
        let options = SynthOptions {
            subjects: 6,
            frames: 12,
            views: vec![54.0, 90.0],
            ..SynthOptions::default()
        };
        let raw = folder.join("raw");
        let prepared = folder.join("prepared");
        write_tree(&raw, &options, &Watch::silent()).unwrap();
        prepare(&raw, &prepared, &PrepareOptions::new(Layout::CasiaB), &Watch::silent()).unwrap();
        Arc::new(PreparedSet::open(&prepared).unwrap())
    }

    /// A tiny training of four iterations with a checkpoint and a test after every second.
    pub fn tiny() -> Settings {
        let set = "model.channels=[1,2,2] train.batch.subjects=2 train.batch.sequences=2 \
                   train.batch.frames=4 train.iterations=4 train.checkpoint_every=2 \
                   train.test_every=2 train.keep=9 train.log_every=1";
        let set: Vec<String> = set.split_whitespace().map(String::from).collect();
        Settings::assemble(Some("paper-small"), None, &set).unwrap()
    }

    fn trainer(preset: &str, precision: Precision) -> Trainer {
        let mut settings = Settings::preset(preset).unwrap();
        settings.model = small(preset);
        let train = &mut settings.train;
        train.precision = precision;
        train.optimizer = Optimizer::Sgd;
        // The step is the gradient.
        train.learning_rate = 1.0;
        train.momentum = 0.0;
        train.weight_decay = 0.0;
        let subjects = ["a", "b", "c"].map(String::from).to_vec();
        Trainer::new(settings, subjects, &test_device()).unwrap()
    }

    fn batch() -> Batch {
        let frames = 6;
        let height = 16;
        let width = 20;
        let noise = |i: usize| (i.wrapping_mul(2_654_435_761) >> 9) as u8;
        let pixels = (0..6 * frames * height * width).map(noise).collect();
        Batch { subjects: vec![0, 0, 1, 1, 2, 2], frames, height, width, pixels }
    }

    /// What one step takes from the tensors, and its loss.
    fn step(preset: &str, precision: Precision, logit_scale: f64) -> (Weights, f64) {
        let mut trainer = trainer(preset, precision);
        trainer.settings.train.loss.logit_scale = logit_scale;
        let mut taken = trainer.network.tensors();
        let loss = trainer.step(&batch()).unwrap().loss;
        for (name, after) in trainer.network.tensors() {
            let Some(before) = taken.get_mut(&name) else { continue };
            before.values.iter_mut().zip(after.values).for_each(|(b, a)| *b -= a);
        }
        (taken, loss)
    }

    /// A steep loss: its gradients by feature maps leave f16 under the first loss scale, but not
    /// under a later one.
    #[test]
    fn gradients_that_overflow_in_f16_are_taken_again_under_a_smaller_scale() {
        if !Precision::F16.runs_on(&test_device()) {
            return;
        }
        let (wanted, _) = step("parts-small", Precision::F32, 1e4);
        let (taken, _) = step("parts-small", Precision::F16, 1e4);
        for (name, want) in &wanted {
            check_near(&want.values, &taken[name].values, 0.25, name);
        }
    }

    #[test]
    fn gradients_that_overflow_under_every_scale_are_not_applied() {
        if !Precision::F16.runs_on(&test_device()) {
            return;
        }
        let mut trainer = trainer("parts-small", Precision::F16);
        trainer.settings.train.loss.logit_scale = 1e7;
        let before = trainer.network.tensors();
        let error = trainer.step(&batch()).unwrap_err();
        assert!(matches!(error, TrainError::Overflow { iteration: 1, .. }), "{error}");
        assert!(error.to_string().contains("iteration 1"), "{error}");
        assert_eq!((trainer.network.tensors(), trainer.iteration()), (before, 0));
    }

    fn length(values: impl Iterator<Item = f32>) -> f64 {
        values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt()
    }

    fn check_near(want: &[f32], got: &[f32], tolerance: f64, which: &str) {
        let apart = length(want.iter().zip(got).map(|(w, g)| w - g));
        let whole = length(want.iter().copied());
        assert!(apart <= tolerance * whole, "{which}: {apart} of {whole}");
    }

    /// Rounding makes other frames and pixels the largest, whose gradients then lie elsewhere: found
    /// were at most 0.14 of a tensor's gradient in f16 and 0.40 in bf16. Gradients of another scale
    /// or sign are 1 and more away.
    #[test]
    fn half_precision_steps_are_near_those_of_f32() {
        for preset in ["parts-small", "paper-small"] {
            let (wanted, wanted_loss) = step(preset, Precision::F32, 1.0);
            for (precision, tolerance) in [(Precision::F16, 0.25), (Precision::Bf16, 0.75)] {
                if !precision.runs_on(&test_device()) {
                    continue;
                }
                let (taken, loss) = step(preset, precision, 1.0);
                assert!((loss - wanted_loss).abs() < 0.02 * wanted_loss, "{loss} {wanted_loss}");
                assert_ne!(loss, wanted_loss, "nothing was cast");
                for (name, want) in &wanted {
                    let which = format!("{preset} {precision} {name}");
                    check_near(&want.values, &taken[name].values, tolerance, &which);
                }
            }
        }
    }
}
