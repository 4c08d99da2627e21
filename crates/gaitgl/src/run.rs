//! The folder of a training run: settings, metrics and checkpoints.
//!
//! ```text
//! RUN/config.toml                                  all settings of the run
//! RUN/metrics.jsonl                                one JSON object per logged iteration or test
//! RUN/checkpoints/iteration-00000500.safetensors   the last ones
//! RUN/checkpoints/best.safetensors                 the best one by the tests during training
//! RUN/.lock                                        held by the process that trains
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gait_support::io_reason;
use serde::Serialize;
use serde_json::Value;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::settings::{Settings, SettingsError};
use gait_support::files::{LOCK_FILE, try_lock, write_atomic};

/// A run folder.
#[derive(Clone, Debug)]
pub struct RunFolder {
    root: PathBuf,
    /// Once this process trains there; freed with the last clone.
    lock: Option<Arc<File>>,
}

/// A run folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is a run already.
    #[error("{} holds a run already: add --resume to go on with it, or name another folder", .0.display())]
    Exists(PathBuf),
    /// There is no run.
    #[error("{} holds no run: give the folder that `gaitgl train --run` wrote", .0.display())]
    NoRun(PathBuf),
    /// There is a run that has no checkpoint yet.
    #[error(
        "{} holds no checkpoint: give the folder of another run, or go on with this one by \
         `gaitgl train --resume`", .0.display()
    )]
    NoCheckpoint(PathBuf),
    /// Another process trains there.
    #[error("another process is training in {}: wait for it, or name another folder", .0.display())]
    Busy(PathBuf),
    /// A file cannot be read.
    #[error("cannot read {}: {}", .path.display(), io_reason(.source))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {}", .path.display(), io_reason(.source))]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The settings of the run cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The newest checkpoint is damaged, and there is one before it.
    #[error("{problem}; remove it, and the run goes on from {}", .before.display())]
    Damaged {
        /// What is wrong, with the file.
        problem: CheckpointError,
        /// The one before.
        before: PathBuf,
    },
    /// A checkpoint cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl RunFolder {
    /// A folder by its path; nothing is touched yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), lock: None }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Keeps other processes from training in the folder while this value lives.
    fn lock(&mut self) -> Result<(), RunError> {
        let lock = try_lock(&self.root.join(LOCK_FILE)).map_err(failed(&self.root))?;
        self.lock = Some(Arc::new(lock.ok_or_else(|| RunError::Busy(self.root.clone()))?));
        Ok(())
    }

    /// Starts a new run: makes the folder, locks it and writes `config.toml`.
    ///
    /// # Errors
    /// A folder that holds a run already or cannot be written to.
    pub fn begin(&mut self, config: &str) -> Result<(), RunError> {
        let checkpoints = self.checkpoints();
        fs::create_dir_all(&checkpoints).map_err(failed(&checkpoints))?;
        self.lock()?;
        if self.has_begun() || self.latest()?.is_some() {
            return Err(RunError::Exists(self.root.clone()));
        }
        self.write_config(config)
    }

    /// Locks a run to go on with it. Its newest checkpoint; there is none if it was stopped before it
    /// had one, and then it goes on from its [`RunFolder::settings`].
    ///
    /// # Errors
    /// There is no run, another process trains there, a folder that cannot be written to.
    pub fn resume(&mut self) -> Result<Option<PathBuf>, RunError> {
        if !self.has_begun() && self.latest()?.is_none() {
            return Err(RunError::NoRun(self.root.clone()));
        }
        self.lock()?;
        self.latest()
    }

    /// Whether there is a run, though perhaps without a checkpoint yet.
    pub fn has_begun(&self) -> bool {
        self.config_path().exists()
    }

    /// The settings that the run was begun with, or last resumed with.
    ///
    /// # Errors
    /// There is no run, or its settings cannot be used.
    pub fn settings(&self) -> Result<Settings, RunError> {
        let path = self.config_path();
        let text = fs::read_to_string(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => RunError::NoRun(self.root.clone()),
            _ => RunError::Read { path: path.clone(), source },
        })?;
        Ok(Settings::from_toml(&text, &path.display().to_string())?)
    }

    /// Replaces `config.toml`.
    ///
    /// # Errors
    /// A folder that cannot be written to.
    pub fn write_config(&self, config: &str) -> Result<(), RunError> {
        write(&self.config_path(), config.as_bytes())
    }

    /// The newest checkpoint, if there is any.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn latest(&self) -> Result<Option<PathBuf>, RunError> {
        Ok(self.numbered()?.pop())
    }

    /// The newest checkpoint.
    ///
    /// # Errors
    /// There is none.
    pub fn require_latest(&self) -> Result<PathBuf, RunError> {
        self.latest()?.ok_or_else(|| {
            let root = self.root.clone();
            if self.has_begun() { RunError::NoCheckpoint(root) } else { RunError::NoRun(root) }
        })
    }

    /// Reads a numbered checkpoint of the run.
    ///
    /// # Errors
    /// As [`Checkpoint::load`]; the message names the checkpoint before a damaged one.
    pub fn load(&self, path: &Path) -> Result<Checkpoint, RunError> {
        Checkpoint::load(path).map_err(|problem| {
            let numbered = self.numbered().unwrap_or_default();
            let before = numbered.into_iter().rfind(|other| other.as_path() < path);
            match (problem, before) {
                (problem @ CheckpointError::Malformed { .. }, Some(before)) => {
                    RunError::Damaged { problem, before }
                }
                (problem, _) => problem.into(),
            }
        })
    }

    /// Where the best checkpoint is, or would be.
    pub fn best(&self) -> PathBuf {
        self.checkpoints().join("best.safetensors")
    }

    /// Where the settings are.
    pub fn config_path(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    /// Writes a checkpoint under its iteration and removes all but the last `keep`.
    ///
    /// # Errors
    /// A full disk or a folder that cannot be written to; older checkpoints stay.
    pub fn save(&self, checkpoint: &Checkpoint, keep: usize) -> Result<PathBuf, RunError> {
        let path = self.numbered_path(checkpoint.iteration);
        checkpoint.save(&path)?;
        let numbered = self.numbered()?;
        for old in &numbered[..numbered.len().saturating_sub(keep)] {
            fs::remove_file(old).map_err(failed(old))?;
        }
        Ok(path)
    }

    /// Whether there is a checkpoint of this iteration.
    pub fn has_saved(&self, iteration: u64) -> bool {
        self.numbered_path(iteration).exists()
    }

    /// Appends one line to `metrics.jsonl`.
    ///
    /// # Errors
    /// A full disk or a folder that cannot be written to.
    pub fn record(&self, line: &impl Serialize) -> Result<(), RunError> {
        let path = self.metrics_path();
        let mut text = serde_json::to_string(line)
            .map_err(|e| RunError::Write { path: path.clone(), source: e.into() })?;
        text.push('\n');
        let file = OpenOptions::new().create(true).append(true).open(&path);
        file.and_then(|mut f| f.write_all(text.as_bytes())).map_err(failed(&path))
    }

    /// Drops the metrics after an iteration: a resumed run writes them again.
    ///
    /// # Errors
    /// A folder that cannot be written to.
    pub fn rewind_metrics(&self, iteration: u64) -> Result<(), RunError> {
        let Some(text) = self.metrics()? else { return Ok(()) };
        let kept = text.lines().filter(|line| {
            let value = serde_json::from_str::<Value>(line).ok();
            value.and_then(|v| v["iteration"].as_u64()).is_some_and(|i| i <= iteration)
        });
        let kept: String = kept.flat_map(|line| [line, "\n"]).collect();
        write(&self.metrics_path(), kept.as_bytes())
    }

    /// Whether the metrics hold a test after an iteration.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn was_tested(&self, iteration: u64) -> Result<bool, RunError> {
        let text = self.metrics()?.unwrap_or_default();
        let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Ok(lines.any(|line| line["iteration"] == iteration && line.get("metric").is_some()))
    }

    /// The metrics, if there are any.
    fn metrics(&self) -> Result<Option<String>, RunError> {
        let path = self.metrics_path();
        if_present(fs::read_to_string(&path), &path)
    }

    /// Where the metrics are.
    pub fn metrics_path(&self) -> PathBuf {
        self.root.join("metrics.jsonl")
    }

    fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    fn numbered_path(&self, iteration: u64) -> PathBuf {
        self.checkpoints().join(format!("iteration-{iteration:08}.safetensors"))
    }

    /// Numbered checkpoints, oldest first. Iterations have a fixed number of digits, so names sort.
    fn numbered(&self) -> Result<Vec<PathBuf>, RunError> {
        let folder = self.checkpoints();
        let Some(entries) = if_present(fs::read_dir(&folder), &folder)? else {
            return Ok(Vec::new());
        };
        let paths = entries.map(|entry| entry.map(|e| e.path())).collect::<io::Result<Vec<_>>>();
        let mut paths = paths.map_err(|source| RunError::Read { path: folder, source })?;
        paths.retain(|path| {
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            let number = name.strip_prefix("iteration-");
            let number = number.and_then(|n| n.strip_suffix(".safetensors")).unwrap_or_default();
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        paths.sort();
        Ok(paths)
    }
}

/// What was read, or nothing where there is nothing to read.
fn if_present<T>(read: io::Result<T>, path: &Path) -> Result<Option<T>, RunError> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(RunError::Read { path: path.into(), source }),
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> RunError {
    let path = path.to_path_buf();
    move |source| RunError::Write { path, source }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    write_atomic(path, bytes).map_err(failed(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use crate::weights::Weights;

    fn at(iteration: u64) -> Checkpoint {
        Checkpoint {
            settings: Settings::preset("paper-small").unwrap(),
            subjects: vec!["001".into()],
            iteration,
            score: None,
            weights: Weights::new(),
            optimizer: None,
        }
    }

    #[test]
    fn only_the_last_checkpoints_stay() {
        let folder = tempfile::tempdir().unwrap();
        let mut run = RunFolder::new(folder.path().join("run"));
        run.begin("").unwrap();
        for iteration in [5, 10, 100, 1000] {
            run.save(&at(iteration), 2).unwrap();
        }
        assert_eq!(run.numbered().unwrap().len(), 2);
        let latest = run.require_latest().unwrap();
        assert_eq!(Checkpoint::load(&latest).unwrap().iteration, 1000);
    }

    #[test]
    fn a_stray_file_is_no_checkpoint_and_a_damaged_one_names_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let mut run = RunFolder::new(folder.path().join("run"));
        run.begin("").unwrap();
        let first = run.save(&at(5), 9).unwrap();
        for stray in ["iteration-abc", "iteration-", "iteration-00000009-copy"] {
            fs::write(run.checkpoints().join(format!("{stray}.safetensors")), "").unwrap();
        }
        assert_eq!(run.require_latest().unwrap(), first);
        let newest = run.save(&at(10), 9).unwrap();
        assert_eq!(run.load(&newest).unwrap().iteration, 10);
        fs::write(&newest, "cut").unwrap();
        let message = run.load(&newest).unwrap_err().to_string();
        assert!(
            message.contains("remove it") && message.contains("iteration-00000005"),
            "{message}"
        );
        fs::remove_file(&first).unwrap();
        let message = run.load(&newest).unwrap_err().to_string();
        assert!(message.contains("damaged") && !message.contains("remove it"), "{message}");
    }

    #[test]
    fn a_second_run_in_the_same_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut run = RunFolder::new(folder.path().join("run"));
        run.begin("").unwrap();
        drop(run);
        let mut run = RunFolder::new(folder.path().join("run"));
        assert!(run.begin("").unwrap_err().to_string().contains("--resume"));
    }

    #[test]
    fn the_settings_of_a_run_are_there_before_its_first_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let mut run = RunFolder::new(folder.path().join("run"));
        assert!(run.settings().unwrap_err().to_string().contains("holds no run"));
        let settings = at(0).settings;
        run.begin(&settings.to_toml().unwrap()).unwrap();
        assert_eq!(run.settings().unwrap(), settings);
        assert!(run.require_latest().unwrap_err().to_string().contains("no checkpoint"));
    }

    #[test]
    fn a_folder_serves_one_training_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = RunFolder::new(folder.path().join("run"));
        first.begin("").unwrap();
        let clone = first.clone();
        drop(first);
        let mut second = RunFolder::new(folder.path().join("run"));
        let message = second.lock().unwrap_err().to_string();
        assert!(message.contains("another process is training"), "{message}");
        drop(clone);
        second.lock().unwrap();
    }

    #[test]
    fn what_cannot_be_read_is_no_empty_run() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("checkpoints"), "in the way").unwrap();
        fs::create_dir(folder.path().join("metrics.jsonl")).unwrap();
        let run = RunFolder::new(folder.path());
        assert!(run.latest().unwrap_err().to_string().contains("cannot read"));
        assert!(run.rewind_metrics(1).unwrap_err().to_string().contains("metrics.jsonl"));
    }

    #[test]
    fn metrics_after_the_checkpoint_are_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::new(folder.path());
        for iteration in [1u64, 2, 3] {
            run.record(&serde_json::json!({ "iteration": iteration })).unwrap();
        }
        run.rewind_metrics(2).unwrap();
        let text = fs::read_to_string(run.metrics_path()).unwrap();
        assert_eq!(text, "{\"iteration\":1}\n{\"iteration\":2}\n");
        assert!(!run.was_tested(2).unwrap());
        run.record(&serde_json::json!({ "iteration": 2, "metric": "rank-1" })).unwrap();
        assert!(run.was_tested(2).unwrap() && !run.was_tested(1).unwrap());
    }
}
