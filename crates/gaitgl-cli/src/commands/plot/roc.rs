//! `gaitgl plot roc`: ROC curves of one or several tests.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use gait_eval::RocCurve;
use gait_support::FileError;

use super::{Labels, Target};
use crate::ExitStatus;
use crate::plot::roc::Rocs;

/// Draw the ROC curves that `gaitgl test --roc` wrote
///
/// One file gives one panel with a curve for each group of probes. Several files give a panel for
/// each group with a curve for each file.
#[derive(Args)]
pub struct Roc {
    #[command(flatten)]
    target: Target,
    /// Files that `gaitgl test --roc` wrote
    #[arg(value_name = "FILE.csv", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    labels: Labels,
}

impl Roc {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        self.target.prepare()?;
        let names = self.labels.of(&self.files)?;
        let tests = names.into_iter().zip(&self.files).map(|(name, path)| Ok((name, read(path)?)));
        self.target.write(&Rocs { tests: tests.collect::<anyhow::Result<_>>()? })
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<RocCurve>> {
    let bytes = std::fs::read(path).map_err(|e| FileError::io("read", path, e))?;
    RocCurve::from_csv(&String::from_utf8_lossy(&bytes))
        .with_context(|| format!("{} cannot be drawn", path.display()))
}
