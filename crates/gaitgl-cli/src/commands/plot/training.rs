//! `gaitgl plot training`: the course of one or several trainings.

use std::path::{Path, PathBuf};

use clap::Args;
use gaitgl::run::RunFolder;

use super::{Labels, Target};
use crate::ExitStatus;
use crate::input::expect_folder;
use crate::plot::training::{Run, Trainings};

/// Draw losses, active triplets, accuracy, learning rate and test scores of one or several runs
#[derive(Args)]
pub struct Training {
    #[command(flatten)]
    target: Target,
    /// Run folders
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    #[command(flatten)]
    labels: Labels,
}

impl Training {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        self.target.prepare()?;
        let names = self.labels.of(&self.runs)?;
        let runs = self.runs.iter().zip(names).map(|(path, name)| read(path, name));
        self.target.write(&Trainings { runs: runs.collect::<anyhow::Result<_>>()? })
    }
}

fn read(path: &Path, name: String) -> anyhow::Result<Run> {
    expect_folder(path)?;
    let folder = RunFolder::new(path);
    let metrics = folder.metrics()?;
    Ok(Run { name, metrics, classifies: folder.settings()?.model.neck.classifies() })
}
