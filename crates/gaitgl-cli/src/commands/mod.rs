//! One file per command.

mod ablate;
mod bench;
mod calibrate;
mod compare;
mod compare_results;
mod completions;
mod convert;
mod embed;
mod enrol;
mod export;
mod gallery;
mod identify;
mod import;
mod info;
mod plot;
mod prepare;
mod quickstart;
mod silhouettes;
mod statistics;
mod synth;
mod test;
mod train;

use std::path::{Path, PathBuf};

use anyhow::bail;
use burn::tensor::Device;
use clap::builder::{PossibleValuesParser, RangedU64ValueParser, TypedValueParser};
use clap::{Args, Subcommand};
use gaitgl::builtin;
use gaitgl::checkpoint::Checkpoint;
use gaitgl::device::{self, DeviceChoice};
use gaitgl::run::RunFolder;
use gaitgl::settings::{LARGEST_SEED, Precision, Settings};

use crate::ExitStatus;
pub use crate::output::print_line;

/// The commands. Their help texts are in their own files.
#[derive(Subcommand)]
pub enum Command {
    Quickstart(quickstart::Quickstart),
    Synth(synth::Synth),
    Prepare(prepare::Prepare),
    Convert(convert::Convert),
    Train(train::Train),
    Test(test::Test),
    CompareResults(compare_results::CompareResults),
    Ablate(ablate::Ablate),
    Plot(plot::Plot),
    Embed(embed::Embed),
    Silhouettes(silhouettes::Silhouettes),
    Enrol(enrol::Enrol),
    Identify(identify::Identify),
    Compare(compare::Compare),
    Gallery(gallery::Gallery),
    Calibrate(calibrate::Calibrate),
    Import(import::Import),
    Export(export::Export),
    Info(info::Info),
    Bench(bench::Bench),
    Completions(completions::Completions),
}

impl Command {
    /// Runs the command. `program` is the whole command line, for the completions.
    pub fn run(self, program: &mut clap::Command) -> anyhow::Result<ExitStatus> {
        match self {
            Self::Quickstart(command) => command.run(),
            Self::Synth(command) => command.run(),
            Self::Prepare(command) => command.run(),
            Self::Convert(command) => command.run(),
            Self::Train(command) => command.run(),
            Self::Test(command) => command.run(),
            Self::CompareResults(command) => command.run(),
            Self::Ablate(command) => command.run(),
            Self::Plot(command) => command.run(),
            Self::Embed(command) => command.run(),
            Self::Silhouettes(command) => command.run(),
            Self::Enrol(command) => command.run(),
            Self::Identify(command) => command.run(),
            Self::Compare(command) => command.run(),
            Self::Gallery(command) => command.run(),
            Self::Calibrate(command) => command.run(),
            Self::Import(command) => command.run(),
            Self::Export(command) => command.run(),
            Self::Info(command) => command.run(),
            Self::Bench(command) => command.run(),
            Self::Completions(command) => command.run(program),
        }
    }
}

/// A trained network: the last checkpoint of a run, or a checkpoint file.
#[derive(Args)]
#[group(multiple = false)]
pub struct Trained {
    /// Run folder, whose last checkpoint is used
    #[arg(long, value_name = "RUN")]
    run: Option<PathBuf>,
    /// Checkpoint file, or `builtin` for the network that ships
    #[arg(long, value_name = "FILE|builtin")]
    checkpoint: Option<PathBuf>,
}

impl Trained {
    /// The network at a path: of a run if it is a folder, of a checkpoint if it is a file.
    pub fn at(path: &Path) -> Self {
        let path = path.to_path_buf();
        if path.is_dir() {
            Self { run: Some(path), checkpoint: None }
        } else {
            Self { run: None, checkpoint: Some(path) }
        }
    }

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
            (None, Some(path)) if path == Path::new(builtin::NAME) && !path.exists() => {
                Ok((path.clone(), builtin::checkpoint()?))
            }
            (None, Some(path)) => Ok((path.clone(), Checkpoint::load(path)?)),
            (None, None) => bail!("give --run RUN or --checkpoint FILE"),
        }
    }

    /// Reads the checkpoint, or the one that ships if none was asked for.
    pub fn load_or_builtin(&self) -> anyhow::Result<(PathBuf, Checkpoint)> {
        if self.run.is_none() && self.checkpoint.is_none() {
            return Ok((builtin::NAME.into(), builtin::checkpoint()?));
        }
        self.load()
    }
}

/// Where the network runs.
#[derive(Args)]
pub struct OnDevice {
    /// Device: cpu, vulkan or cuda, with a number if there are several (vulkan:1, cuda:1), or auto:
    /// the first GPU that this build supports and the machine has, otherwise the CPU
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceChoice::Auto)]
    device: DeviceChoice,
}

impl OnDevice {
    /// Opens the device and prints which one it is, unless it is the CPU.
    pub fn open(&self) -> anyhow::Result<Device> {
        let device = self.device.open_or_pass_over(|broken| {
            print_line(format!("passed over: {}", gait_support::full_message(&broken)));
        })?;
        if device != gaitgl::cpu() {
            print_line(format!("on {}", device::describe(&device)));
        }
        Ok(device)
    }
}

/// The settings of a training; each source overrides the one before.
#[derive(Args)]
pub struct Recipe {
    /// Preset to start from: paper-small, paper-large, parts-small, parts-large,
    /// parts-large-bnneck or hid-2020 [default: the one in the file, or paper-small]
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Configuration file, or a built-in recipe: casia-b, ou-mvlp, grew or gait3d, each also with
    /// -scheduled or -published appended, hid-2020, hid-2020-casia-e, quickstart, pretrained,
    /// fine-tune or ablation-small
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

    /// The settings of a training that starts from a network with these settings, checked.
    pub fn fine_tuning(&self, network: &Settings) -> anyhow::Result<Settings> {
        Ok(network.fine_tuning(self.config.as_deref(), &self.set)?)
    }
}

/// A path as a POSIX shell reads it back: quoted if it has characters that the shell interprets.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:@%=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Reads the number format of convolutions, one of these names.
pub fn precision_parser<const N: usize>(
    names: [&'static str; N],
) -> impl TypedValueParser<Value = Precision> {
    PossibleValuesParser::new(names).map(|name| match &*name {
        "bf16" => Precision::Bf16,
        "f16" => Precision::F16,
        _ => Precision::F32,
    })
}

/// Reads a seed that files can hold.
pub fn seed_parser() -> RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(..=LARGEST_SEED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_that_a_shell_would_change_are_quoted() {
        for plain in ["runs/quick-start_1", "/a/b.c", "größe"] {
            assert_eq!(quoted(Path::new(plain)), plain);
        }
        assert_eq!(quoted(Path::new("my run")), "'my run'");
        assert_eq!(quoted(Path::new("it's")), "'it'\\''s'");
        assert_eq!(quoted(Path::new("$HOME;x")), "'$HOME;x'");
        assert_eq!(quoted(Path::new("")), "''");
    }
}
