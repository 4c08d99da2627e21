//! The folder of a training run: settings, metrics and checkpoints.
//!
//! ```text
//! RUN/config.toml                                  all settings of the run
//! RUN/metrics.jsonl                                one JSON object per logged iteration or test
//! RUN/checkpoints/iteration-00000500.safetensors   the last ones
//! RUN/checkpoints/best.safetensors                 the best one by the tests during training
//! ```

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use gait_data::io_reason;
use serde::Serialize;
use serde_json::Value;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::files::write_beside;

/// A run folder.
#[derive(Clone, Debug)]
pub struct RunFolder {
    root: PathBuf,
}

/// A run folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is a run already.
    #[error("{} holds a run already: add --resume to go on with it, or name another folder", .0.display())]
    Exists(PathBuf),
    /// There is no checkpoint.
    #[error("{} holds no checkpoint: give the folder that `gaitgl train --run` wrote", .0.display())]
    NoCheckpoint(PathBuf),
    /// A file cannot be read or written.
    #[error("cannot write {}: {}", .path.display(), io_reason(.source))]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A checkpoint cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl RunFolder {
    /// A folder by its path; nothing is touched yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Starts a new run: makes the folder and writes `config.toml`.
    ///
    /// # Errors
    /// A folder that holds a run already or cannot be written to.
    pub fn begin(&self, config: &str) -> Result<(), RunError> {
        if self.config_path().exists() || self.latest()?.is_some() {
            return Err(RunError::Exists(self.root.clone()));
        }
        let checkpoints = self.checkpoints();
        fs::create_dir_all(&checkpoints).map_err(failed(&checkpoints))?;
        self.write_config(config)
    }

    /// Forgets a run that was stopped before its first checkpoint, so that it can begin again. A run
    /// with a checkpoint is left as it is.
    ///
    /// # Errors
    /// A folder that cannot be written to.
    pub fn forget_start(&self) -> Result<(), RunError> {
        if self.latest()?.is_some() {
            return Ok(());
        }
        for path in [self.config_path(), self.metrics_path()] {
            if path.exists() {
                fs::remove_file(&path).map_err(failed(&path))?;
            }
        }
        Ok(())
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
        self.latest()?.ok_or_else(|| RunError::NoCheckpoint(self.root.clone()))
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
        let name = format!("iteration-{:08}.safetensors", checkpoint.iteration);
        let path = self.checkpoints().join(name);
        checkpoint.save(&path)?;
        let numbered = self.numbered()?;
        for old in &numbered[..numbered.len().saturating_sub(keep)] {
            fs::remove_file(old).map_err(failed(old))?;
        }
        Ok(path)
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
        let path = self.metrics_path();
        let Ok(text) = fs::read_to_string(&path) else { return Ok(()) };
        let kept = text.lines().filter(|line| {
            let value = serde_json::from_str::<Value>(line).ok();
            value.and_then(|v| v["iteration"].as_u64()).is_some_and(|i| i <= iteration)
        });
        let kept: String = kept.flat_map(|line| [line, "\n"]).collect();
        write(&path, kept.as_bytes())
    }

    /// Where the metrics are.
    pub fn metrics_path(&self) -> PathBuf {
        self.root.join("metrics.jsonl")
    }

    fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// Numbered checkpoints, oldest first. Iterations have a fixed number of digits, so names sort.
    fn numbered(&self) -> Result<Vec<PathBuf>, RunError> {
        let Ok(entries) = fs::read_dir(self.checkpoints()) else { return Ok(Vec::new()) };
        let mut paths: Vec<PathBuf> = entries
            .filter_map(|entry| entry.ok().map(|e| e.path()))
            .filter(|path| {
                let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
                name.starts_with("iteration-") && name.ends_with(".safetensors")
            })
            .collect();
        paths.sort();
        Ok(paths)
    }
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> RunError {
    let path = path.to_path_buf();
    move |source| RunError::Write { path, source }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    write_beside(path, bytes).map_err(failed(path))
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
        let run = RunFolder::new(folder.path().join("run"));
        run.begin("").unwrap();
        for iteration in [5, 10, 100, 1000] {
            run.save(&at(iteration), 2).unwrap();
        }
        assert_eq!(run.numbered().unwrap().len(), 2);
        let latest = run.require_latest().unwrap();
        assert_eq!(Checkpoint::load(&latest).unwrap().iteration, 1000);
    }

    #[test]
    fn a_second_run_in_the_same_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::new(folder.path().join("run"));
        run.begin("").unwrap();
        assert!(run.begin("").unwrap_err().to_string().contains("--resume"));
    }

    #[test]
    fn a_start_without_checkpoint_is_forgotten_and_a_run_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::new(folder.path().join("run"));
        run.begin("").unwrap();
        run.forget_start().unwrap();
        run.begin("").unwrap();
        run.save(&at(5), 1).unwrap();
        run.forget_start().unwrap();
        assert!(run.begin("").is_err());
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
    }
}
