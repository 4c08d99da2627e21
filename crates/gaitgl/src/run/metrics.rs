//! `metrics.jsonl`: one JSON object per logged iteration or test.

use std::fs;
use std::io;
use std::path::PathBuf;

use gait_support::FileError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RunError, RunFolder, append, if_present, write};
use crate::train::{Pace, StepReport, TestReport};

/// What a run has logged so far, in the order of its iterations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// The training, every `train.log_every` iterations.
    pub log: Vec<LogLine>,
    /// The tests during training.
    pub tests: Vec<TestReport>,
}

/// The means over the iterations since the last line, and the speed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// Losses, shares and the learning rate.
    #[serde(flatten)]
    pub step: StepReport,
    /// The speed.
    #[serde(flatten)]
    pub pace: Pace,
}

impl RunFolder {
    /// What the run has logged so far. A line that a killed process left unfinished is left out.
    ///
    /// # Errors
    /// There is no run, or its metrics cannot be read or understood.
    pub fn metrics(&self) -> Result<Metrics, RunError> {
        if !self.has_begun() {
            return Err(RunError::NoRun(self.path().into()));
        }
        let text = self.metrics_text()?.unwrap_or_default();
        let mut metrics = Metrics::default();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        for (at, line) in whole.enumerate() {
            metrics.add(line).map_err(|source| {
                let path = self.metrics_path();
                RunError::Metrics { path, line: at + 1, source }
            })?;
        }
        Ok(metrics)
    }

    /// Appends one line to `metrics.jsonl`.
    ///
    /// # Errors
    /// A full disk or a folder that cannot be written to.
    pub(crate) fn record(&self, line: &impl Serialize) -> Result<(), RunError> {
        let path = self.metrics_path();
        let text = serde_json::to_string(line).map_err(io::Error::from);
        let text = text.map_err(|e| FileError::io("write", &path, e))?;
        append(&path, format!("{text}\n").as_bytes())
    }

    /// Drops the metrics after an iteration: a resumed run writes them again.
    ///
    /// # Errors
    /// A folder that cannot be written to.
    pub(crate) fn rewind_metrics(&self, iteration: u64) -> Result<(), RunError> {
        let Some(text) = self.metrics_text()? else { return Ok(()) };
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
    pub(crate) fn was_tested(&self, iteration: u64) -> Result<bool, RunError> {
        let text = self.metrics_text()?.unwrap_or_default();
        let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Ok(lines.any(|line| line["iteration"] == iteration && line.get("metric").is_some()))
    }

    /// The text of the file, if there is any.
    fn metrics_text(&self) -> Result<Option<String>, RunError> {
        let path = self.metrics_path();
        if_present(fs::read_to_string(&path), &path)
    }

    fn metrics_path(&self) -> PathBuf {
        self.path().join("metrics.jsonl")
    }
}

impl Metrics {
    /// Adds a line of the file: a test has a metric.
    fn add(&mut self, line: &str) -> serde_json::Result<()> {
        let value: Value = serde_json::from_str(line)?;
        if value.get("metric").is_some() {
            self.tests.push(serde_json::from_value(value)?);
        } else {
            self.log.push(serde_json::from_value(value)?);
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A line of the log with a different number for every value.
    pub fn line(iteration: u64) -> LogLine {
        let step = StepReport {
            iteration,
            loss: 3.5,
            triplet: 0.25,
            cross_entropy: 3.25,
            active: 60.0,
            accuracy: 12.5,
            learning_rate: 1e-4,
        };
        let pace = Pace {
            frames_per_second: 280.0,
            seconds_per_iteration: 2.0,
            waiting: 0.5,
            seconds_left: 40.0,
        };
        LogLine { step, pace }
    }

    /// A test with a score.
    pub fn test(iteration: u64) -> TestReport {
        TestReport { iteration, metric: "rank-1".into(), score: Some(87.5), best: true }
    }

    fn begun(folder: &std::path::Path) -> RunFolder {
        fs::write(folder.join("config.toml"), "").unwrap();
        RunFolder::new(folder)
    }

    #[test]
    fn metrics_are_read_as_they_were_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let run = begun(folder.path());
        assert_eq!(run.metrics().unwrap(), Metrics::default());
        let untested = TestReport { score: None, ..test(20) };
        run.record(&line(10)).unwrap();
        run.record(&test(10)).unwrap();
        run.record(&line(20)).unwrap();
        run.record(&untested).unwrap();
        let expected = Metrics { log: vec![line(10), line(20)], tests: vec![test(10), untested] };
        assert_eq!(run.metrics().unwrap(), expected);
    }

    #[test]
    fn an_unfinished_line_is_left_out_and_a_damaged_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let run = begun(folder.path());
        run.record(&line(10)).unwrap();
        let whole = fs::read_to_string(run.metrics_path()).unwrap();
        fs::write(run.metrics_path(), format!("{whole}{}", &whole[..30])).unwrap();
        assert_eq!(run.metrics().unwrap().log, [line(10)]);
        for damaged in ["{}\n", "{\"iteration\":1,\"metric\":2}\n", "x\n", "\n"] {
            fs::write(run.metrics_path(), format!("{whole}{damaged}")).unwrap();
            let error = run.metrics().unwrap_err();
            assert!(matches!(error, RunError::Metrics { line: 2, .. }), "{damaged}: {error}");
        }
    }

    #[test]
    fn metrics_of_no_run_are_not_empty_metrics() {
        let folder = tempfile::tempdir().unwrap();
        let error = RunFolder::new(folder.path()).metrics().unwrap_err();
        assert!(matches!(error, RunError::NoRun(_)), "{error}");
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
