//! The folder of a training run: settings, metrics and checkpoints.
//!
//! ```text
//! RUN/config.toml                                  all settings of the run
//! RUN/data.json                                    which prepared set it trains on
//! RUN/metrics.jsonl                                one JSON object per logged iteration or test
//! RUN/events.out.tfevents.0000000001               the same for TensorBoard (train.tensorboard)
//! RUN/checkpoints/iteration-00000500.safetensors   the last ones
//! RUN/checkpoints/best.safetensors                 the best one by the tests during training
//! RUN/.lock                                        held by the process that trains
//! ```

mod error;
mod events;
mod metrics;
mod numbered;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gait_support::FileError;
use gait_support::files::{
    LOCK_FILE, remove_stale_temporaries, try_lock, write_atomic, write_json,
};
use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::settings::Settings;
pub use error::RunError;
pub(crate) use events::EventFile;
pub use metrics::{LogLine, Metrics};
use numbered::Numbered;

/// A run folder.
#[derive(Clone, Debug)]
pub struct RunFolder {
    root: PathBuf,
    /// Held while this process trains there; released with the last clone.
    lock: Option<Arc<File>>,
}

/// Which prepared set a run trains on, as `data.json` records it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DataRecord {
    /// Fingerprint of the set's contents.
    pub fingerprint: String,
    /// The set's folder at the time, for messages.
    pub folder: String,
}

impl RunFolder {
    /// A run folder by its path; nothing is touched yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), lock: None }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Keeps other processes from training in the folder while this value lives, and removes the
    /// temporary files of a process that was killed there.
    fn lock(&mut self) -> Result<(), RunError> {
        if self.lock.is_some() {
            return Ok(());
        }
        let path = self.root.join(LOCK_FILE);
        let lock = try_lock(&path).map_err(|e| FileError::io("write", &path, e))?;
        self.lock = Some(Arc::new(lock.ok_or_else(|| RunError::Busy(self.root.clone()))?));
        remove_stale_temporaries(&self.root)?;
        Ok(remove_stale_temporaries(&self.checkpoints())?)
    }

    /// Starts a new run: creates the folder, locks it, and writes `data.json` and `config.toml`.
    ///
    /// # Errors
    /// A folder that already holds a run or cannot be written to.
    pub(crate) fn begin(&mut self, config: &str, data: &DataRecord) -> Result<(), RunError> {
        let checkpoints = self.checkpoints();
        fs::create_dir_all(&checkpoints).map_err(|e| FileError::io("write", &checkpoints, e))?;
        self.lock()?;
        if self.has_begun() || self.latest()?.is_some() {
            return Err(RunError::Exists(self.root.clone()));
        }
        self.write_data(data)?;
        self.write_config(config)
    }

    /// Locks a run to continue it and reads its newest checkpoint. There is none if the run was
    /// stopped before it wrote one; it then starts again from its [`RunFolder::settings`].
    ///
    /// # Errors
    /// There is no run, another process trains there, a folder that cannot be written to, a
    /// checkpoint that cannot be used.
    pub(crate) fn resume(&mut self) -> Result<Option<Checkpoint>, RunError> {
        if !self.has_begun() && self.latest()?.is_none() {
            return Err(RunError::NoRun(self.root.clone()));
        }
        self.lock()?;
        let Some(Numbered { iteration, path }) = numbered::list(&self.checkpoints())?.pop() else {
            return Ok(None);
        };
        let checkpoint = self.load(&path)?;
        if checkpoint.iteration != iteration {
            // Checkpoints with smaller numbers would follow it, and never become the newest.
            return Err(RunError::Misnumbered { path, iteration: checkpoint.iteration });
        }
        Ok(Some(checkpoint))
    }

    /// Whether there is a run, though perhaps without a checkpoint yet.
    pub fn has_begun(&self) -> bool {
        self.config_path().exists()
    }

    /// The settings that the run was started or last resumed with.
    ///
    /// # Errors
    /// There is no run, or its settings cannot be used.
    pub fn settings(&self) -> Result<Settings, RunError> {
        let path = self.config_path();
        let text = fs::read_to_string(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => RunError::NoRun(self.root.clone()),
            _ => FileError::io("read", &path, source).into(),
        })?;
        Ok(Settings::from_toml(&text, &path.display().to_string())?)
    }

    /// Replaces `config.toml`.
    pub(crate) fn write_config(&self, config: &str) -> Result<(), RunError> {
        write(&self.config_path(), config.as_bytes())
    }

    /// Which set the run trains on; `None` if a version that did not record it started the run.
    pub(crate) fn data(&self) -> Result<Option<DataRecord>, RunError> {
        let path = self.data_path();
        let Some(text) = if_present(fs::read(&path), &path)? else { return Ok(None) };
        let record = serde_json::from_slice(&text).map_err(io::Error::from);
        Ok(Some(record.map_err(|e| FileError::io("read", &path, e))?))
    }

    /// Replaces `data.json`.
    pub(crate) fn write_data(&self, data: &DataRecord) -> Result<(), RunError> {
        Ok(write_json(&self.data_path(), data)?)
    }

    /// The newest checkpoint, if there is any: the one with the largest number in its name.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn latest(&self) -> Result<Option<PathBuf>, RunError> {
        Ok(numbered::list(&self.checkpoints())?.pop().map(|newest| newest.path))
    }

    /// The newest checkpoint, as [`RunFolder::latest`].
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
    /// As [`Checkpoint::load`]; for a damaged one also names the checkpoint before it.
    pub fn load(&self, path: &Path) -> Result<Checkpoint, RunError> {
        Checkpoint::load(path).map_err(|source| {
            let numbered = numbered::list(&self.checkpoints()).unwrap_or_default();
            let older = numbered.into_iter().map(|n| n.path).take_while(|other| other != path);
            match (source, older.last()) {
                (source @ CheckpointError::Malformed { .. }, Some(before)) => {
                    RunError::Damaged { source, before }
                }
                (source, _) => source.into(),
            }
        })
    }

    /// Where the best checkpoint is, or would be.
    pub(crate) fn best(&self) -> PathBuf {
        self.checkpoints().join("best.safetensors")
    }

    fn config_path(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    fn data_path(&self) -> PathBuf {
        self.root.join("data.json")
    }

    /// Writes a checkpoint under its iteration, then removes those of all but the `keep` highest
    /// iterations.
    ///
    /// # Errors
    /// A full disk or a folder that cannot be written to; older checkpoints stay.
    pub(crate) fn save(&self, checkpoint: &Checkpoint, keep: usize) -> Result<PathBuf, RunError> {
        let path = self.numbered_path(checkpoint.iteration);
        checkpoint.save(&path)?;
        numbered::prune(&self.checkpoints(), keep, &path)?;
        Ok(path)
    }

    /// Whether this run has written a checkpoint at an iteration.
    pub(crate) fn has_saved(&self, iteration: u64) -> bool {
        self.numbered_path(iteration).exists()
    }

    fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    fn numbered_path(&self, iteration: u64) -> PathBuf {
        numbered::path_of(&self.checkpoints(), iteration)
    }
}

/// What was read, or `None` where there is nothing to read.
fn if_present<T>(read: io::Result<T>, path: &Path) -> Result<Option<T>, RunError> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError::io("read", path, source).into()),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    Ok(write_atomic(path, bytes).map_err(|e| FileError::io("write", path, e))?)
}

/// Appends to a file that grows by whole records, and creates it.
fn append(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    let written = file.and_then(|mut file| file.write_all(bytes));
    Ok(written.map_err(|e| FileError::io("write", path, e))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use crate::weights::Weights;
    use gait_support::full_message;

    fn data() -> DataRecord {
        DataRecord { fingerprint: "0123".into(), folder: "prepared".into() }
    }

    /// The names of the checkpoints, sorted.
    fn names(run: &RunFolder) -> Vec<String> {
        let entries = fs::read_dir(run.checkpoints()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A new run with a checkpoint under each of these numbers, as they are padded.
    fn with_checkpoints(folder: &Path, numbers: &[&str]) -> RunFolder {
        let mut run = RunFolder::new(folder.join("run"));
        run.begin("", &data()).unwrap();
        for number in numbers {
            let name = format!("iteration-{number}.safetensors");
            at(number.parse().unwrap()).save(&run.checkpoints().join(name)).unwrap();
        }
        run
    }

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
        run.begin("", &data()).unwrap();
        for iteration in [5, 10, 100, 1000] {
            run.save(&at(iteration), 2).unwrap();
        }
        assert_eq!(numbered::list(&run.checkpoints()).unwrap().len(), 2);
        let latest = run.require_latest().unwrap();
        assert_eq!(Checkpoint::load(&latest).unwrap().iteration, 1000);
    }

    #[test]
    fn a_number_beyond_all_iterations_is_a_stray_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut run = with_checkpoints(folder.path(), &["5"]);
        let long = run.checkpoints().join(format!("iteration-{}.safetensors", "9".repeat(30)));
        at(7).save(&long).unwrap();
        assert_eq!(run.resume().unwrap().unwrap().iteration, 5);
        run.save(&at(6), 1).unwrap();
        assert!(long.exists() && run.has_saved(6));
    }

    #[test]
    fn a_checkpoint_under_another_number_is_not_resumed_from() {
        let folder = tempfile::tempdir().unwrap();
        let mut run = with_checkpoints(folder.path(), &["4"]);
        let wrong = run.checkpoints().join("iteration-40000.safetensors");
        at(12).save(&wrong).unwrap();
        let error = run.resume().unwrap_err();
        assert!(
            matches!(&error, RunError::Misnumbered { path, iteration: 12 } if *path == wrong),
            "{error}"
        );
    }

    #[test]
    fn what_a_killed_process_left_is_removed_under_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let run = with_checkpoints(folder.path(), &["4"]);
        let path = run.path().to_path_buf();
        drop(run);
        for name in
            [".unfinished-abcdef", "checkpoints/.unfinished-abcdef", "checkpoints/.gaitgl-012345"]
        {
            fs::write(path.join(name), "").unwrap();
        }
        let mut run = RunFolder::new(&path);
        run.resume().unwrap();
        assert_eq!(names(&run), ["iteration-4.safetensors"]);
        assert!(!path.join(".unfinished-abcdef").exists());
    }

    #[test]
    fn a_run_knows_its_data() {
        let folder = tempfile::tempdir().unwrap();
        let run = with_checkpoints(folder.path(), &[]);
        assert_eq!(run.data().unwrap(), Some(data()));
        fs::remove_file(run.data_path()).unwrap();
        assert_eq!(run.data().unwrap(), None);
    }

    #[test]
    fn a_stray_file_is_no_checkpoint_and_a_damaged_one_names_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let mut run = RunFolder::new(folder.path().join("run"));
        run.begin("", &data()).unwrap();
        let first = run.save(&at(5), 9).unwrap();
        for stray in ["iteration-abc", "iteration-", "iteration-00000009-copy"] {
            fs::write(run.checkpoints().join(format!("{stray}.safetensors")), "").unwrap();
        }
        assert_eq!(run.require_latest().unwrap(), first);
        let newest = run.save(&at(10), 9).unwrap();
        assert_eq!(run.load(&newest).unwrap().iteration, 10);
        fs::write(&newest, "cut").unwrap();
        let error = run.load(&newest).unwrap_err();
        assert!(matches!(&error, RunError::Damaged { before, .. } if *before == first), "{error}");
        fs::remove_file(&first).unwrap();
        let error = run.load(&newest).unwrap_err();
        assert!(matches!(error, RunError::Checkpoint(_)), "{error}");
        assert!(full_message(&error).contains("damaged"), "{error}");
    }

    #[test]
    fn a_second_run_in_the_same_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut run = RunFolder::new(folder.path().join("run"));
        run.begin("", &data()).unwrap();
        drop(run);
        let mut run = RunFolder::new(folder.path().join("run"));
        let error = run.begin("", &data()).unwrap_err();
        assert!(matches!(&error, RunError::Exists(path) if path == run.path()), "{error}");
    }

    #[test]
    fn the_settings_of_a_run_are_there_before_its_first_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let mut run = RunFolder::new(folder.path().join("run"));
        assert!(run.settings().unwrap_err().to_string().contains("holds no run"));
        let settings = at(0).settings;
        run.begin(&settings.to_toml().unwrap(), &data()).unwrap();
        assert_eq!(run.settings().unwrap(), settings);
        assert!(run.require_latest().unwrap_err().to_string().contains("no checkpoint"));
    }

    #[test]
    fn a_folder_serves_one_training_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = RunFolder::new(folder.path().join("run"));
        first.begin("", &data()).unwrap();
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
}
