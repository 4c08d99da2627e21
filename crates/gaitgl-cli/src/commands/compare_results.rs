//! `gaitgl compare-results`: whether one result is better than another.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use gait_eval::{Confidence, Outcomes, Watch, compare};
use gait_support::FileError;

use super::print_line;
use super::statistics::confidence;
use crate::files::JsonTarget;
use crate::{ExitStatus, progress};

/// Compare two results of the same test subject by subject: is the difference more than chance?
///
/// Results are files of `gaitgl test --json`; `gaitgl ablate` keeps them in its run folders. For each
/// group of probes the command prints the difference, its confidence interval (a bootstrap that draws
/// the same subjects for both), the p-value of a permutation test over subjects, and how many subjects
/// are recognised more often in the first or in the second result. If a side has several files, such
/// as those of several seeds, they are averaged for each subject first.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct CompareResults {
    /// Results of the first network
    #[arg(value_name = "FILE.json", required = true)]
    first: Vec<PathBuf>,
    /// Results of the second network
    #[arg(long, value_name = "FILE.json", required = true, num_args = 1..)]
    against: Vec<PathBuf>,
    /// Percentage of the confidence intervals
    #[arg(long, value_name = "PERCENT", default_value = "95", value_parser = confidence)]
    confidence: Confidence,
    /// Write the comparison as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<JsonTarget>,
}

impl CompareResults {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        self.json.as_ref().map_or(Ok(()), JsonTarget::prepare)?;
        let first = read_all(&self.first)?;
        let second = read_all(&self.against)?;
        let comparison = progress::watched("Resampling", "resamples", |progress, stop| {
            compare(&first, &second, self.confidence, &Watch { progress, stop })
        })?;
        print_line(format!("first:  {}", names(&self.first)));
        print_line(format!("second: {}", names(&self.against)));
        print_line(&comparison);
        if let Some(target) = &self.json {
            target.write(&comparison.to_json())?;
        }
        Ok(ExitStatus::Done)
    }
}

fn read_all(paths: &[PathBuf]) -> anyhow::Result<Vec<Outcomes>> {
    paths.iter().map(|path| read(path)).collect()
}

/// The outcomes by subject in the JSON file of a result.
fn read(path: &Path) -> anyhow::Result<Outcomes> {
    let text = std::fs::read(path).map_err(|error| FileError::io("read", path, error))?;
    let unusable = || format!("{} is not a result of a test", path.display());
    let json = serde_json::from_slice(&text).with_context(unusable)?;
    Outcomes::from_json(&json).with_context(unusable)
}

fn names(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    names.join(", ")
}
