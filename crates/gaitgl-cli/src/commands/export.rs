//! `gaitgl export`: weights and networks for other programs.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use gaitgl::checkpoint::Checkpoint;
use gaitgl::exchange::{self, ExportFormat, Exported};
use gaitgl::run::RunFolder;

use super::print_line;
use crate::ExitStatus;

/// Write a checkpoint for other programs
///
/// The extension selects the format. .safetensors and .pt hold the tensors under the names of the
/// published code. .onnx holds the whole network, from silhouettes [n, 1, t, h, w] with values from
/// 0 to 1 to embeddings [n, c, p], for any n and t.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Export {
    /// Checkpoint file, or run folder, whose last checkpoint is used
    #[arg(value_name = "CHECKPOINT|RUN")]
    checkpoint: PathBuf,
    /// File to write
    #[arg(value_name = "OUT.safetensors|OUT.pt|OUT.onnx")]
    out: PathBuf,
    /// Write a small checkpoint of this program instead: 16-bit weights, no classifier, no state of the
    /// optimiser
    #[arg(long)]
    compact: bool,
}

impl Export {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        let format = ExportFormat::from_path(&self.out)?;
        let checkpoint = match self.checkpoint.is_dir() {
            true => Checkpoint::load(&RunFolder::new(&self.checkpoint).require_latest()?)?,
            false => Checkpoint::load(&self.checkpoint)?,
        };
        // No training can resume from an exported file, so overwriting a checkpoint destroys a run.
        if Checkpoint::load(&self.out).is_ok() {
            bail!("{} is a checkpoint of gaitgl; write to another file", self.out.display());
        }
        if self.compact {
            return save_compact(&checkpoint, &self.out, format);
        }
        let Exported { published, unlike } = exchange::export(&checkpoint, &self.out)?;
        let preset = &checkpoint.settings.preset;
        let tensors = checkpoint.weights.len();
        print_line(format!("{}: {preset}, {tensors} tensors", self.out.display()));
        if format == ExportFormat::Onnx {
            return Ok(ExitStatus::Done);
        }
        match published {
            Some(preset) => print_line(format!("with the names of published code for {preset}")),
            None => print_line("with our own names: no published code has this network"),
        }
        if !unlike.is_empty() {
            print_line(format!(
                "the tensors do not show that this network has {}; whoever loads it must know",
                unlike.join(", ")
            ));
        }
        Ok(ExitStatus::Done)
    }
}

fn save_compact(
    checkpoint: &Checkpoint,
    out: &Path,
    format: ExportFormat,
) -> anyhow::Result<ExitStatus> {
    if format != ExportFormat::Safetensors {
        bail!("{}: a compact checkpoint is a .safetensors file", out.display());
    }
    checkpoint.save_compact(out)?;
    let bytes = std::fs::metadata(out)?.len();
    print_line(format!("{}: a checkpoint of {:.2} MB", out.display(), bytes as f64 / 1e6));
    Ok(ExitStatus::Done)
}
