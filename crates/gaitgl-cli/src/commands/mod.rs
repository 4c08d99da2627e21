//! One file per command.

mod bench;
mod completions;
mod convert;
mod embed;
mod export;
mod import;
mod info;
mod prepare;
mod quickstart;
mod synth;
mod test;
mod train;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use gait_data::PreparedSet;
use gait_eval::Protocol;
use gaitgl::checkpoint::Checkpoint;
use gaitgl::run::RunFolder;

use crate::Outcome;

/// The commands; each says of itself what it does.
#[derive(Subcommand)]
pub enum Command {
    Quickstart(quickstart::Quickstart),
    Synth(synth::Synth),
    Prepare(prepare::Prepare),
    Convert(convert::Convert),
    Train(train::Train),
    Test(test::Test),
    Embed(embed::Embed),
    Import(import::Import),
    Export(export::Export),
    Info(info::Info),
    Bench(bench::Bench),
    Completions(completions::Completions),
}

impl Command {
    /// Runs the command. `program` is the whole command line, for the completions.
    pub fn run(self, program: &mut clap::Command) -> anyhow::Result<Outcome> {
        match self {
            Self::Quickstart(command) => command.run(),
            Self::Synth(command) => command.run(),
            Self::Prepare(command) => command.run(),
            Self::Convert(command) => command.run(),
            Self::Train(command) => command.run(),
            Self::Test(command) => command.run(),
            Self::Embed(command) => command.run(),
            Self::Import(command) => command.run(),
            Self::Export(command) => command.run(),
            Self::Info(command) => command.run(),
            Self::Bench(command) => command.run(),
            Self::Completions(command) => command.run(program),
        }
    }
}

/// A trained network: the last checkpoint of a run, or any checkpoint.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Trained {
    /// Run folder, whose last checkpoint is used
    #[arg(long, value_name = "RUN")]
    run: Option<PathBuf>,
    /// Checkpoint file
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
}

impl Trained {
    /// Reads the checkpoint.
    pub fn load(&self) -> anyhow::Result<(PathBuf, Checkpoint)> {
        let path = match (&self.run, &self.checkpoint) {
            (Some(run), _) => RunFolder::new(run).require_latest()?,
            (None, Some(path)) => path.clone(),
            (None, None) => anyhow::bail!("give --run RUN or --checkpoint FILE"),
        };
        let checkpoint = Checkpoint::load(&path)?;
        Ok((path, checkpoint))
    }
}

/// The named protocol (built in, or a file), else the one that fits the data: CASIA-B's where the
/// test subjects have its conditions, and otherwise each sequence against all others.
pub fn protocol_for(name: Option<&str>, set: &PreparedSet) -> anyhow::Result<Protocol> {
    let Some(name) = name else {
        let entries: Vec<_> = set.test().into_iter().map(|i| set.entry(i)).collect();
        let has = |prefix: &str| entries.iter().any(|e| e.key.condition.starts_with(prefix));
        let fits = has("nm-0") && ["nm-05", "nm-06", "bg-0", "cl-0"].iter().any(|p| has(p));
        return Ok(Protocol::builtin(if fits { "casia-b" } else { "leave-one-out" })?);
    };
    let path = Path::new(name);
    if path.extension().is_some_and(|ending| ending == "toml") {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the protocol {name}"))?;
        return Ok(Protocol::from_toml(name, &text)?);
    }
    Ok(Protocol::builtin(name)?)
}

/// Prints a line of a command's result.
#[expect(clippy::print_stdout, reason = "the one place where results reach the user")]
pub fn say(line: impl std::fmt::Display) {
    println!("{line}");
}
