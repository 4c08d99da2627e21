//! A training run from its current iteration to its end: batches, log, checkpoints, tests.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gait_data::{ClipSampler, Prefetcher, PreparedSet};
use gait_eval::{Distance, Evaluation, Protocol};
use serde::Serialize;

use super::{StepReport, TrainError, Trainer};
use crate::embed;
use crate::run::RunFolder;
use crate::settings::TrainSettings;

/// Batches made ahead of the network.
const AHEAD: usize = 4;

/// What a session tells while it runs.
pub trait Observer {
    /// An iteration is done. Called for each one.
    fn step(&mut self, report: &StepReport, pace: &Pace);
    /// A line of the log is due: means since the last one.
    fn log(&mut self, report: &StepReport, pace: &Pace);
    /// A test during training is done.
    fn test(&mut self, report: &TestReport);
    /// A checkpoint is written.
    fn saved(&mut self, path: &Path);
}

/// How fast a session is, over its last log interval.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Pace {
    /// Silhouettes per second.
    pub frames_per_second: f64,
    /// Seconds for an iteration.
    pub seconds_per_iteration: f64,
    /// Share of the time that the network waited for its data, in percent.
    pub waiting: f64,
    /// Seconds until the last iteration at this speed.
    pub seconds_left: f64,
}

/// A test during training.
#[derive(Clone, Debug, Serialize)]
pub struct TestReport {
    /// Iterations done.
    pub iteration: u64,
    /// Mean rank-1 accuracy in percent.
    pub rank1: f64,
    /// Whether it is the best so far.
    pub best: bool,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All iterations are done; the last checkpoint.
    Finished(PathBuf),
    /// It was stopped; the checkpoint to resume from.
    Interrupted(PathBuf),
}

/// The subjects that a recipe trains on, in the order of the classifier's classes: the training
/// subjects of the set that have a sequence.
///
/// # Errors
/// A set that cannot serve the batches of the recipe.
pub fn classes(set: &Arc<PreparedSet>, recipe: &TrainSettings) -> Result<Vec<String>, TrainError> {
    Ok(ClipSampler::new(set.clone(), recipe.batch, recipe.seed)?.classes().to_vec())
}

/// A network in training with its data and its run folder.
pub struct Session {
    trainer: Trainer,
    set: Arc<PreparedSet>,
    folder: RunFolder,
    protocol: Protocol,
    best: Option<f64>,
}

impl Session {
    /// A session on the training subjects of a prepared set.
    ///
    /// `best` is the best score so far, for a resumed run.
    pub fn new(
        trainer: Trainer,
        set: Arc<PreparedSet>,
        folder: RunFolder,
        protocol: Protocol,
        best: Option<f64>,
    ) -> Self {
        Self { trainer, set, folder, protocol, best }
    }

    /// Optimiser steps of the whole run.
    pub fn iterations(&self) -> u64 {
        self.trainer.settings().train.iterations
    }

    /// Trains to the last iteration, or until `stop` is set: then a checkpoint is written.
    ///
    /// # Errors
    /// Data that cannot be read, a full disk, a loss that is no number.
    pub fn run(
        &mut self,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Ending, TrainError> {
        let recipe = self.trainer.settings().train.clone();
        let sampler = Arc::new(ClipSampler::new(self.set.clone(), recipe.batch, recipe.seed)?);
        let first = self.trainer.iteration();
        let mut batches = Prefetcher::new(&sampler, first, recipe.iterations, 1, AHEAD)?;
        let mut interval = Interval::new();
        let mut saved = None;
        while self.trainer.iteration() < recipe.iterations {
            if stop.load(Ordering::Relaxed) {
                return self.save(observer).map(Ending::Interrupted);
            }
            let waiting = Instant::now();
            let Some(batch) = batches.next().transpose()? else { break };
            let waited = waiting.elapsed();
            let report = self.trainer.step(&batch)?;
            let silhouettes = batch.subjects.len() * batch.frames;
            interval.add(&report, waited, silhouettes);
            let done = report.iteration;
            let pace = interval.pace(recipe.iterations - done);
            observer.step(&report, &pace);
            if done.is_multiple_of(recipe.log_every) || done == recipe.iterations {
                let mean = interval.mean(&report);
                self.folder.record(&Line { step: mean, pace })?;
                observer.log(&mean, &pace);
                interval = Interval::new();
            }
            if recipe.test_every > 0 && done.is_multiple_of(recipe.test_every) {
                self.test(observer, stop)?;
            }
            if done.is_multiple_of(recipe.checkpoint_every) || done == recipe.iterations {
                saved = Some(self.save(observer)?);
            }
        }
        let last = saved.map_or_else(|| self.folder.require_latest(), Ok)?;
        Ok(Ending::Finished(last))
    }

    fn save(&self, observer: &mut dyn Observer) -> Result<PathBuf, TrainError> {
        let keep = self.trainer.settings().train.keep;
        let path = self.folder.save(&self.trainer.checkpoint(self.best)?, keep)?;
        observer.saved(&path);
        Ok(path)
    }

    /// Tests on the test subjects and keeps the checkpoint if it is the best one.
    fn test(&mut self, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<(), TrainError> {
        let evaluation = self.evaluate(stop)?;
        let rank1 = evaluation.mean.first().copied().flatten().unwrap_or_default();
        let best = self.best.is_none_or(|so_far| rank1 > so_far);
        if best {
            self.best = Some(rank1);
            let checkpoint = self.trainer.checkpoint(self.best)?;
            checkpoint.save(&self.folder.best()).map_err(crate::run::RunError::from)?;
        }
        let report = TestReport { iteration: self.trainer.iteration(), rank1, best };
        self.folder.record(&report)?;
        observer.test(&report);
        Ok(())
    }

    fn evaluate(&self, stop: &AtomicBool) -> Result<Evaluation, TrainError> {
        let watch = gait_data::Watch { progress: &|_, _| {}, stop };
        let network = self.trainer.evaluator();
        let model = &self.trainer.settings().model;
        let device = self.trainer.device();
        let indices = self.set.test();
        let embeddings = embed::embed(&network, model, &self.set, &indices, &device, &watch)?;
        let watch = gait_eval::Watch { progress: &|_, _| {}, stop };
        Ok(gait_eval::evaluate(&embeddings, &self.protocol, Distance::Strips, &watch)?)
    }
}

#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    step: StepReport,
    #[serde(flatten)]
    pace: Pace,
}

/// Sums since the last line of the log.
struct Interval {
    started: Instant,
    waited: Duration,
    silhouettes: usize,
    steps: u64,
    sums: [f64; 5],
}

impl Interval {
    fn new() -> Self {
        let waited = Duration::ZERO;
        Self { started: Instant::now(), waited, silhouettes: 0, steps: 0, sums: [0.0; 5] }
    }

    fn add(&mut self, report: &StepReport, waited: Duration, silhouettes: usize) {
        self.waited += waited;
        self.silhouettes += silhouettes;
        self.steps += 1;
        let StepReport { loss, triplet, cross_entropy, active, accuracy, .. } = *report;
        let values = [loss, triplet, cross_entropy, active, accuracy];
        self.sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }

    fn mean(&self, last: &StepReport) -> StepReport {
        let [loss, triplet, cross_entropy, active, accuracy] =
            self.sums.map(|sum| sum / self.steps as f64);
        StepReport { loss, triplet, cross_entropy, active, accuracy, ..*last }
    }

    fn pace(&self, left: u64) -> Pace {
        let seconds = self.started.elapsed().as_secs_f64().max(1e-9);
        let seconds_per_iteration = seconds / self.steps.max(1) as f64;
        Pace {
            frames_per_second: self.silhouettes as f64 / seconds,
            seconds_per_iteration,
            waiting: 100.0 * self.waited.as_secs_f64() / seconds,
            seconds_left: seconds_per_iteration * left as f64,
        }
    }
}
