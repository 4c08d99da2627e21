//! The networks of a sweep: one for each row and seed, trained once and then reused.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use gait_data::PreparedSet;
use gait_eval::{Distance, Protocol};

use super::{AblationError, Sweep, Training, training::test_name};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::run::RunFolder;
use crate::settings::Settings;
use crate::train::{self, Started, training_subjects};

/// One row of a sweep with one seed.
#[derive(Clone, Debug)]
pub struct Job {
    /// Index of the row in the sweep.
    pub row: usize,
    /// Name of the row, with the seed if there are several.
    pub name: String,
    /// Settings of the row, by which its network is tested.
    pub settings: Settings,
    /// The training that its network comes from. Rows that differ only at test share one.
    pub training: Training,
}

/// How far a training is.
pub enum TrainingProgress {
    /// It is finished; its last checkpoint.
    Finished(Box<Checkpoint>),
    /// It has to run first, from its start or from where an earlier process stopped.
    Unfinished(Box<Started>),
}

impl Sweep {
    /// All rows with the first seed, then all rows with the next one, so that a complete table is
    /// there early.
    ///
    /// # Errors
    /// A row that makes no network, a set that cannot serve a row, a seed that occurs twice.
    pub fn jobs(
        &self,
        base: &Settings,
        seeds: &[u64],
        set: &Arc<PreparedSet>,
    ) -> Result<Vec<Job>, AblationError> {
        let mut jobs = Vec::new();
        for (at, &seed) in seeds.iter().enumerate() {
            if seeds[..at].contains(&seed) {
                return Err(AblationError::RepeatedSeed(seed));
            }
            for (row, described) in self.rows.iter().enumerate() {
                let mut settings = self.settings(described, base)?;
                settings.train.seed = seed;
                training_subjects(set, &settings)?;
                let training = Training::new(&settings, set)?;
                let seed = if seeds.len() > 1 { format!(", seed {seed}") } else { String::new() };
                jobs.push(Job {
                    row,
                    name: format!("{}{seed}", described.name),
                    settings,
                    training,
                });
            }
        }
        Ok(jobs)
    }
}

impl Job {
    /// The file that keeps the result of this job's test, in the folder of all runs.
    pub fn result_path(&self, runs: &Path, protocol: &Protocol, distance: Distance) -> PathBuf {
        let test = test_name(&self.settings, protocol, distance);
        runs.join(&self.training.name).join(test + ".json")
    }

    /// The trained network with the settings by which this row tests it.
    pub fn for_test(&self, mut trained: Checkpoint) -> Checkpoint {
        trained.settings.model.local = self.settings.model.local.clone();
        trained
    }
}

impl Training {
    /// The state of this training in the folder of all runs: finished, or ready to run.
    ///
    /// # Errors
    /// A run folder that another process uses, that holds another training, or that was trained on
    /// other data.
    pub fn open(
        &self,
        runs: &Path,
        set: &Arc<PreparedSet>,
        device: &Device,
    ) -> Result<TrainingProgress, AblationError> {
        let mut folder = RunFolder::new(runs.join(&self.name));
        if let Some(path) = folder.latest()? {
            let checkpoint = folder.load(&path)?;
            if !self.agrees(&checkpoint.settings)? {
                return Err(AblationError::OtherSettings(folder.path().into()));
            }
            if checkpoint.iteration >= self.settings.train.iterations {
                folder.resume()?;
                return Ok(TrainingProgress::Finished(Box::new(finished(&path)?)));
            }
        }
        let started = if folder.has_begun() {
            train::resume(folder, set, device, Ok)?
        } else {
            train::begin(folder, set, self.settings.clone(), device)?
        };
        Ok(TrainingProgress::Unfinished(Box::new(started)))
    }
}

/// The checkpoint of a finished training. The state of its optimiser, two thirds of the file, is
/// removed for good.
///
/// # Errors
/// A file that cannot be read or written.
pub fn finished(path: &Path) -> Result<Checkpoint, CheckpointError> {
    let mut checkpoint = Checkpoint::load(path)?;
    if checkpoint.optimizer.take().is_some() {
        checkpoint.save(path)?;
    }
    Ok(checkpoint)
}
