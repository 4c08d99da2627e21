//! A training recipe as configuration (section 4.2 of the paper).

use std::fmt;

pub use gait_data::BatchSettings;
use serde::{Deserialize, Serialize};

use super::error::SettingsError;
use super::requirement::Requirement;

/// How a network is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainSettings {
    /// Optimiser steps.
    pub iterations: u64,
    /// Seed of everything random: the start, the batches, the masks.
    pub seed: u64,
    /// The number type in which the convolutions compute.
    #[serde(default)]
    pub precision: Precision,
    /// The optimiser.
    pub optimizer: Optimizer,
    /// Learning rate of the first iteration.
    pub learning_rate: f64,
    /// Iterations at which the learning rate is multiplied by `decay`.
    pub milestones: Vec<u64>,
    /// Factor of the learning rate at each milestone.
    pub decay: f64,
    /// Coupled L2 penalty, added to the gradient as `torch.optim` does.
    pub weight_decay: f64,
    /// Momentum of `optimizer = "sgd"`.
    pub momentum: f64,
    /// Whether the batch norm keeps its running statistics and normalises with them, as at test. For
    /// trainings that start from a network.
    #[serde(default)]
    pub frozen_statistics: bool,
    /// Iterations between two checkpoints.
    pub checkpoint_every: u64,
    /// Checkpoints kept: the last ones; the best one is kept beside them.
    pub keep: usize,
    /// Iterations between two tests on the test subjects; 0 for none.
    pub test_every: u64,
    /// Test subjects of such a test, evenly spread; 0 for all.
    #[serde(default = "some_subjects")]
    pub test_subjects: usize,
    /// Protocol of such a test: a built-in one or a file; empty for the one that fits the data.
    #[serde(default)]
    pub protocol: String,
    /// Iterations between two lines of the log.
    pub log_every: u64,
    /// Whether the run also writes its log as event files for TensorBoard.
    #[serde(default)]
    pub tensorboard: bool,
    /// A batch: P x K clips.
    pub batch: BatchSettings,
    /// The loss.
    pub loss: LossSettings,
}

/// More than the 50 test subjects of CASIA-B, and few enough of the thousands in OU-MVLP and GREW
/// that a test takes minutes, not hours.
fn some_subjects() -> usize {
    100
}

/// The number type in which the convolutions of a training step compute; all else is f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits, of which 5 for the exponent.
    F16,
    /// 16 bits, of which 8 for the exponent, as many as f32 has.
    Bf16,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        })
    }
}

/// The optimiser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    /// Adam with betas 0.9 and 0.999 and epsilon 1e-8.
    Adam,
    /// Stochastic gradient descent with momentum and no dampening.
    Sgd,
}

/// The combined loss (Eqn. 12).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossSettings {
    /// Margin of the triplet loss (`m` of Eqn. 13).
    pub margin: f64,
    /// Factor of the logits before the softmax.
    pub logit_scale: f64,
    /// Label smoothing of the cross-entropy.
    pub label_smoothing: f64,
}

impl Default for TrainSettings {
    /// The paper's recipe for CASIA-B.
    fn default() -> Self {
        Self {
            iterations: 80_000,
            seed: 1,
            precision: Precision::F32,
            optimizer: Optimizer::Adam,
            learning_rate: 1e-4,
            milestones: Vec::new(),
            decay: 0.1,
            weight_decay: 0.0,
            momentum: 0.9,
            frozen_statistics: false,
            checkpoint_every: 1_000,
            keep: 3,
            test_every: 10_000,
            test_subjects: some_subjects(),
            protocol: String::new(),
            log_every: 100,
            tensorboard: false,
            batch: BatchSettings {
                subjects: 8,
                sequences: 16,
                frames: 30,
                with_replacement: false,
            },
            loss: LossSettings { margin: 0.2, logit_scale: 1.0, label_smoothing: 0.0 },
        }
    }
}

impl TrainSettings {
    /// Learning rate of an iteration, counted from 0.
    pub fn learning_rate_at(&self, iteration: u64) -> f64 {
        let passed = self.milestones.iter().filter(|&&milestone| milestone <= iteration);
        passed.fold(self.learning_rate, |rate, _| rate * self.decay)
    }

    /// Checks every value by itself.
    ///
    /// # Errors
    /// Names the first key whose value cannot be used.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.check_counts()?;
        let momentum_and_smoothing = [
            ("train.momentum", self.momentum),
            ("train.loss.label_smoothing", self.loss.label_smoothing),
        ];
        for (key, value) in momentum_and_smoothing {
            if !(0.0..1.0).contains(&value) {
                return Err(SettingsError::invalid(key, value, Requirement::BelowOne));
            }
        }
        let not_negative =
            [("train.weight_decay", self.weight_decay), ("train.loss.margin", self.loss.margin)];
        for (key, value) in not_negative {
            if !(value.is_finite() && value >= 0.0) {
                return Err(SettingsError::invalid(key, value, Requirement::NotNegative));
            }
        }
        let above_zero = [
            ("train.learning_rate", self.learning_rate),
            ("train.decay", self.decay),
            ("train.loss.logit_scale", self.loss.logit_scale),
        ];
        for (key, value) in above_zero {
            if !(value.is_finite() && value > 0.0) {
                return Err(SettingsError::invalid(key, value, Requirement::Positive));
            }
        }
        Ok(())
    }

    fn check_counts(&self) -> Result<(), SettingsError> {
        let positive = [
            ("train.iterations", self.iterations),
            ("train.checkpoint_every", self.checkpoint_every),
            ("train.keep", self.keep as u64),
            ("train.log_every", self.log_every),
            ("train.batch.sequences", self.batch.sequences as u64),
            ("train.batch.frames", self.batch.frames as u64),
        ];
        for (key, value) in positive {
            if value == 0 {
                return Err(SettingsError::invalid(key, value, Requirement::AtLeast(1)));
            }
        }
        let subjects = self.batch.subjects;
        if subjects < 2 {
            let requirement = Requirement::TwoSubjects;
            return Err(SettingsError::invalid("train.batch.subjects", subjects, requirement));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learning_rate_drops_at_each_milestone() {
        let recipe = TrainSettings { milestones: vec![10, 20], ..TrainSettings::default() };
        let rates: Vec<f64> = [0, 9, 10, 19, 20].map(|i| recipe.learning_rate_at(i)).to_vec();
        for (rate, want) in rates.iter().zip([1e-4, 1e-4, 1e-5, 1e-5, 1e-6]) {
            assert!((rate - want).abs() < 1e-12, "{rates:?}");
        }
    }

    #[test]
    fn a_single_identity_is_refused_by_name() {
        let mut recipe = TrainSettings::default();
        recipe.batch.subjects = 1;
        let message = recipe.check().unwrap_err().to_string();
        assert!(message.contains("train.batch.subjects"), "{message}");
    }
}
