//! Runs a training from its current iteration to its end: batches, log, checkpoints, tests.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gait_data::{ClipSampler, Prefetcher, PreparedSet};
use serde::{Deserialize, Serialize};

use super::periodic_test::PeriodicTest;
use super::{StepReport, TrainError, Trainer};
use crate::run::{EventFile, LogLine, RunError, RunFolder};

/// Batches that are prepared ahead of the network.
const AHEAD: usize = 4;

/// Receives what happens while a session runs. `()` ignores everything.
pub trait Observer: Sync {
    /// An iteration is done.
    fn step(&mut self, _report: &StepReport, _pace: &Pace) {}
    /// A log line is due (every `train.log_every` iterations): the means since the last one.
    fn log(&mut self, _mean: &StepReport, _pace: &Pace) {}
    /// A test has done `done` of `total` in its current part. Called from several threads.
    fn testing(&self, _part: TestPart, _done: u64, _total: u64) {}
    /// A test during training is done.
    fn test(&mut self, _report: &TestReport) {}
}

impl Observer for () {}

/// The part of a test that is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestPart {
    /// Sequences are embedded.
    Embedding,
    /// Probes are compared with the gallery.
    Comparing,
}

/// The speed of a session over its last log interval, without tests and checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// Silhouettes per second.
    pub frames_per_second: f64,
    /// Seconds per iteration.
    pub seconds_per_iteration: f64,
    /// Share of the time in which the network waited for data, in percent.
    pub waiting: f64,
    /// Seconds until the last iteration at this speed.
    pub seconds_left: f64,
}

/// A test during training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestReport {
    /// Iterations done.
    pub iteration: u64,
    /// Name of the metric: the protocol's first one.
    pub metric: String,
    /// Its mean over the groups of probes in percent; `None` if there was nothing to compare.
    pub score: Option<f64>,
    /// Whether it is the best so far.
    pub best: bool,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All iterations are done. The path is that of the last checkpoint.
    Finished(PathBuf),
    /// It was stopped. The path is that of the checkpoint to resume from.
    Interrupted(PathBuf),
}

/// A network in training with its data and its run folder.
pub struct Session {
    trainer: Trainer,
    set: Arc<PreparedSet>,
    folder: RunFolder,
    test: Option<PeriodicTest>,
    best: Option<f64>,
    /// Where the log goes for TensorBoard, once the session runs.
    events: Option<EventFile>,
}

impl Session {
    /// A session on the training subjects of a prepared set, with the test that runs every
    /// `train.test_every` iterations, if there is one. `best` is the best score so far, for a
    /// resumed run.
    pub(super) fn new(
        trainer: Trainer,
        set: Arc<PreparedSet>,
        folder: RunFolder,
        test: Option<PeriodicTest>,
        best: Option<f64>,
    ) -> Self {
        Self { trainer, set, folder, test, best, events: None }
    }

    /// Iterations of the whole run.
    pub fn iterations(&self) -> u64 {
        self.trainer.settings().train.iterations
    }

    /// Whether the network has a classifier; one without learns from the triplet loss alone.
    pub fn classifies(&self) -> bool {
        self.trainer.settings().model.neck.classifies()
    }

    /// The network in training.
    pub fn trainer(&self) -> &Trainer {
        &self.trainer
    }

    /// Trains to the last iteration, or until `stop` is set; it then writes a checkpoint.
    ///
    /// # Errors
    /// Data that cannot be read, a full disk, a loss that is NaN or infinite.
    pub fn run(
        &mut self,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Ending, TrainError> {
        let recipe = self.trainer.settings().train.clone();
        let sampler = Arc::new(ClipSampler::new(self.set.clone(), recipe.batch, recipe.seed)?);
        let first = self.trainer.iteration();
        if recipe.tensorboard {
            self.events = Some(self.folder.begin_events(first)?);
        }
        let mut batches = Prefetcher::new(&sampler, first, recipe.iterations, 1, AHEAD);
        let mut interval = Interval::default();
        loop {
            // A test runs after the checkpoint of its iteration is written, so that a process killed
            // during a test loses no training. A resumed run starts with that test.
            let tested = self.test_if_due(observer, stop)?;
            let open = self.trainer.iteration() < recipe.iterations;
            if !tested || (open && stop.load(Ordering::Relaxed)) {
                return self.save().map(Ending::Interrupted);
            }
            let began = Instant::now();
            let Some(batch) = batches.next().transpose()? else {
                return Ok(Ending::Finished(self.folder.require_latest()?));
            };
            let waited = began.elapsed();
            let report = self.trainer.step(&batch)?;
            let silhouettes = batch.subjects.len() * batch.frames;
            interval.add(&report, waited, began.elapsed(), silhouettes);
            let done = report.iteration;
            let pace = interval.pace(recipe.iterations - done);
            observer.step(&report, &pace);
            if done.is_multiple_of(recipe.log_every) || done == recipe.iterations {
                let mean = interval.mean(&report);
                let line = LogLine { step: mean, pace };
                self.folder.record(&line)?;
                self.events.as_ref().map_or(Ok(()), |events| events.log(&line))?;
                observer.log(&mean, &pace);
                interval = Interval::default();
            }
            if done.is_multiple_of(recipe.checkpoint_every) || done == recipe.iterations {
                self.save()?;
            }
        }
    }

    fn save(&self) -> Result<PathBuf, TrainError> {
        let keep = self.trainer.settings().train.keep;
        Ok(self.folder.save(&self.trainer.checkpoint(self.best)?, keep)?)
    }

    /// Runs the test if it is due and not done yet, and keeps the checkpoint if it is the best one.
    /// False if the test was stopped.
    fn test_if_due(
        &mut self,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<bool, TrainError> {
        let iteration = self.trainer.iteration();
        let every = self.trainer.settings().train.test_every;
        let Some(test) = &self.test else { return Ok(true) };
        let due = iteration > 0 && every > 0 && iteration.is_multiple_of(every);
        if !due || self.folder.was_tested(iteration)? {
            return Ok(true);
        }
        let metric = test.metric();
        let score = match test.score(&self.trainer, &self.set, observer, stop) {
            Err(error) if error.is_stop() => return Ok(false),
            score => score?,
        };
        let best = score.is_some_and(|score| self.best.is_none_or(|so_far| score > so_far));
        if best {
            self.best = score;
            let checkpoint = self.trainer.checkpoint(self.best)?;
            checkpoint.save(&self.folder.best()).map_err(RunError::from)?;
            if self.folder.has_saved(iteration) {
                // It was written before its own score was known.
                self.save()?;
            }
        }
        let report = TestReport { iteration, metric, score, best };
        self.folder.record(&report)?;
        self.events.as_ref().map_or(Ok(()), |events| events.test(&report))?;
        observer.test(&report);
        Ok(true)
    }
}

/// Sums since the last line of the log.
#[derive(Default)]
struct Interval {
    waited: Duration,
    took: Duration,
    silhouettes: usize,
    steps: u64,
    sums: [f64; 5],
}

impl Interval {
    /// Adds an iteration that took the time `took`, of which `waited` was spent on its batch.
    fn add(&mut self, report: &StepReport, waited: Duration, took: Duration, silhouettes: usize) {
        self.waited += waited;
        self.took += took;
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
        let seconds = self.took.as_secs_f64().max(1e-9);
        let seconds_per_iteration = seconds / self.steps.max(1) as f64;
        Pace {
            frames_per_second: self.silhouettes as f64 / seconds,
            seconds_per_iteration,
            waiting: 100.0 * self.waited.as_secs_f64() / seconds,
            seconds_left: seconds_per_iteration * left as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Checkpoint;
    use crate::train::tests::{tiny, walkers};
    use crate::train::{begin, resume};
    use gait_eval::Protocol;
    use std::path::Path;

    /// The session in a run folder, at its last checkpoint if it has one.
    fn session(set: &Arc<PreparedSet>, run: &Path) -> Session {
        let folder = RunFolder::new(run);
        let device = crate::cpu();
        let started = if folder.has_begun() {
            resume(folder, set, &device, Ok)
        } else {
            begin(folder, set, tiny(), &device)
        };
        started.unwrap().session
    }

    /// Stops at a part of the first test, and keeps the reports.
    #[derive(Default)]
    struct Stopper {
        at: Option<TestPart>,
        stop: Arc<AtomicBool>,
        tests: Vec<TestReport>,
    }

    impl Observer for Stopper {
        fn testing(&self, part: TestPart, _: u64, _: u64) {
            if self.at == Some(part) {
                self.stop.store(true, Ordering::Relaxed);
            }
        }
        fn test(&mut self, report: &TestReport) {
            self.tests.push(report.clone());
        }
    }

    fn run(set: &Arc<PreparedSet>, run: &Path, at: Option<TestPart>) -> (Ending, Vec<TestReport>) {
        let mut stopper = Stopper { at, ..Stopper::default() };
        let stop = stopper.stop.clone();
        let ending = session(set, run).run(&mut stopper, &stop).unwrap();
        (ending, stopper.tests)
    }

    #[test]
    fn a_stop_during_a_test_loses_neither_training_nor_the_test() {
        let folder = tempfile::tempdir().unwrap();
        let set = walkers(folder.path());
        let straight = folder.path().join("straight");
        let stopped = folder.path().join("stopped");
        let (ending, wanted) = run(&set, &straight, None);
        assert!(matches!(ending, Ending::Finished(_)));
        assert_eq!(wanted.iter().map(|test| test.iteration).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(wanted[0].metric, "rank-1");

        for part in [TestPart::Embedding, TestPart::Comparing] {
            let (ending, tests) = run(&set, &stopped, Some(part));
            let Ending::Interrupted(path) = ending else { panic!("it went on") };
            assert_eq!(Checkpoint::load(&path).unwrap().iteration, 2);
            assert_eq!(tests, []);
        }
        let (ending, tests) = run(&set, &stopped, None);
        let Ending::Finished(path) = ending else { panic!("it stopped") };
        assert_eq!(tests, wanted);
        let best = wanted.iter().filter_map(|test| test.score).fold(0.0, f64::max);
        assert_eq!(Checkpoint::load(&path).unwrap().score, Some(best));
    }

    #[test]
    fn a_test_is_of_as_many_subjects_as_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let set = walkers(folder.path());
        let protocol = Protocol::builtin("casia-b").unwrap();
        let all = set.test().len();
        for (subjects, sequences) in [(0, all), (1, 20), (2, 40), (99, all)] {
            let test = PeriodicTest::new(protocol.clone(), &set, subjects).unwrap();
            assert_eq!(test.sequences(), sequences, "{subjects}");
        }
        let misfit = PeriodicTest::new(Protocol::builtin("ou-mvlp").unwrap(), &set, 0);
        assert!(misfit.unwrap_err().to_string().contains("ou-mvlp"));
    }

    #[test]
    fn pace_is_that_of_the_iterations() {
        let report = StepReport {
            iteration: 1,
            loss: 1.0,
            triplet: 1.0,
            cross_entropy: 0.0,
            active: 0.0,
            accuracy: 0.0,
            learning_rate: 0.1,
        };
        let mut interval = Interval::default();
        let seconds = Duration::from_secs;
        interval.add(&report, seconds(1), seconds(4), 60);
        interval.add(&report, seconds(0), seconds(4), 60);
        let pace = interval.pace(10);
        assert_eq!((pace.frames_per_second, pace.seconds_left), (15.0, 40.0));
        assert_eq!((pace.waiting, pace.seconds_per_iteration), (12.5, 4.0));
    }
}
