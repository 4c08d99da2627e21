//! One file per command.

mod ablate;
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

use anyhow::{Context, anyhow, bail};
use burn::tensor::Device;
use clap::builder::RangedU64ValueParser;
use clap::{Args, Subcommand};
use gait_data::{PreparedSet, SetDescription};
use gait_eval::Protocol;
use gaitgl::checkpoint::Checkpoint;
use gaitgl::device::{self, DeviceChoice};
use gaitgl::run::RunFolder;
use gaitgl::settings::{LARGEST_SEED, Settings};

use crate::Outcome;
pub use crate::output::print_line as say;

/// The commands; each says of itself what it does.
#[derive(Subcommand)]
pub enum Command {
    Quickstart(quickstart::Quickstart),
    Synth(synth::Synth),
    Prepare(prepare::Prepare),
    Convert(convert::Convert),
    Train(train::Train),
    Test(test::Test),
    Ablate(ablate::Ablate),
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
            Self::Ablate(command) => command.run(),
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
#[group(multiple = false)]
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
        match (&self.run, &self.checkpoint) {
            (Some(run), _) if run.is_file() => {
                bail!("{} is a file, not a run folder; give it with --checkpoint", run.display())
            }
            (Some(run), _) => {
                let run = RunFolder::new(run);
                let path = run.require_latest()?;
                let checkpoint = run.load(&path)?;
                Ok((path, checkpoint))
            }
            (None, Some(path)) if path.is_dir() => {
                bail!("{} is a folder, not a checkpoint; give it with --run", path.display())
            }
            (None, Some(path)) => Ok((path.clone(), Checkpoint::load(path)?)),
            (None, None) => bail!("give --run RUN or --checkpoint FILE"),
        }
    }
}

/// Where the network runs.
#[derive(Args)]
pub struct OnDevice {
    /// Device: cpu, vulkan, cuda, one of several by its number (vulkan:1, cuda:1), or auto, the
    /// first GPU that this build and the machine have, else the CPU
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceChoice::Auto)]
    device: DeviceChoice,
}

impl OnDevice {
    /// Opens the device and says which one it is, if it is not the CPU.
    pub fn open(&self) -> anyhow::Result<Device> {
        let device = self.device.open_or_pass_over(|broken| {
            say(format!("passed over: {}", gait_support::full_message(&broken)));
        })?;
        if device != gaitgl::cpu() {
            say(format!("on {}", device::describe(&device)));
        }
        Ok(device)
    }
}

/// The settings of a training, each source over the one before.
#[derive(Args)]
pub struct Recipe {
    /// Preset to start from: paper-small, paper-large, parts-small, parts-large,
    /// parts-large-bnneck or hid-2020 [default: what the file says, else paper-small]
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Configuration file, or a recipe that comes with the program: casia-b, ou-mvlp, grew, gait3d,
    /// each also with -scheduled or -published, hid-2020, hid-2020-casia-e, quickstart or
    /// ablation-small
    #[arg(long, value_name = "NAME|FILE.toml")]
    config: Option<PathBuf>,
    /// Change a setting by its dotted name; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Recipe {
    /// The settings, checked.
    pub fn settings(&self) -> anyhow::Result<Settings> {
        Ok(Settings::assemble(self.preset.as_deref(), self.config.as_deref(), &self.set)?)
    }
}

/// The protocol for the test subjects of a set, as [`protocol_for`].
pub fn protocol_for_set(name: Option<&str>, set: &PreparedSet) -> anyhow::Result<Protocol> {
    let conditions = set.test().into_iter().map(|i| set.entry(i).key.condition.clone());
    let conditions: Vec<String> = conditions.collect();
    protocol_for(name, &conditions, Some(set.about()))
}

/// The named protocol (built in, or a file), else the one that fits the data: that of the benchmark
/// whose layout the set has, CASIA-B's where its conditions are there, and otherwise each sequence
/// against all others. The probes that the set's own partition names come with it.
pub fn protocol_for(
    name: Option<&str>,
    conditions: &[String],
    about: Option<&SetDescription>,
) -> anyhow::Result<Protocol> {
    let layout = about.map_or("", |about| &about.settings.layout);
    let protocol = match name {
        Some(name) => named_protocol(name)?,
        None => Protocol::builtin(fitting_protocol(layout, conditions))?,
    };
    Ok(match about.and_then(|about| about.partition.probe.clone()) {
        Some(listed) if protocol.needs_listed() => protocol.with_listed(listed),
        _ => protocol,
    })
}

/// Layouts of benchmarks bear the names of their protocols. Any tree may have CASIA-B's layout, so
/// that it says nothing of the protocol.
fn fitting_protocol(layout: &str, conditions: &[String]) -> &'static str {
    let benchmark = Protocol::builtin_names().find(|name| *name == layout && layout != "casia-b");
    let has = |prefix: &str| conditions.iter().any(|c| c.starts_with(prefix));
    let gallery = ["nm-01", "nm-02", "nm-03", "nm-04"].into_iter().any(has);
    let casia_b = gallery && ["nm-05", "nm-06", "bg-0", "cl-0"].into_iter().any(has);
    benchmark.unwrap_or(if casia_b { "casia-b" } else { "leave-one-out" })
}

/// A protocol as a run keeps it: the path of a file is made absolute, so that the run goes on from
/// any folder.
pub fn lasting_protocol(name: &str) -> anyhow::Result<String> {
    if !is_protocol_file(name) {
        return Ok(name.into());
    }
    let path = std::path::absolute(name).with_context(|| format!("no path leads to {name}"))?;
    Ok(path.display().to_string())
}

fn is_protocol_file(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending == "toml")
}

fn named_protocol(name: &str) -> anyhow::Result<Protocol> {
    if is_protocol_file(name) {
        let text = std::fs::read_to_string(name).map_err(|e| {
            anyhow!("cannot read the protocol {name}: {}", gait_support::io_reason(&e))
        })?;
        return Ok(Protocol::from_toml(name, &text)?);
    }
    Ok(Protocol::builtin(name)?)
}

/// Reads a seed that files can hold.
pub fn seed_parser() -> RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(..=LARGEST_SEED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gait_data::Layout;

    #[test]
    fn every_benchmark_has_its_protocol_and_other_data_what_fits_its_conditions() {
        let names = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
        for layout in Layout::NAMES {
            let plain = fitting_protocol(layout, &names(&["00", "01"]));
            let benchmark = !["casia-b", "opengait", "flat"].contains(&layout);
            assert_eq!(plain, if benchmark { layout } else { "leave-one-out" });
        }
        let walkers = names(&["nm-01", "nm-05", "cl-01"]);
        assert_eq!(fitting_protocol("opengait", &walkers), "casia-b");
        assert_eq!(fitting_protocol("", &names(&["nm-01"])), "leave-one-out");
    }
}
