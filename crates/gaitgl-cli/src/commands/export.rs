//! `gaitgl export`: weights and networks for other programs.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use gaitgl::checkpoint::Checkpoint;
use gaitgl::exchange::{self, Exported, Format};
use gaitgl::run::RunFolder;

use super::say;
use crate::Outcome;

/// Write a checkpoint for other programs
///
/// The ending says the form: .safetensors and .pt hold the tensors by the names of the published
/// code, .onnx the whole network, from silhouettes [n, 1, t, h, w] of 0 to 1 to embeddings
/// [n, c, p], for any n and t.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Export {
    /// Checkpoint file, or run folder, whose last checkpoint is used
    #[arg(value_name = "CHECKPOINT|RUN")]
    checkpoint: PathBuf,
    /// File to write
    #[arg(value_name = "OUT.safetensors|OUT.pt|OUT.onnx")]
    out: PathBuf,
}

impl Export {
    pub fn run(self) -> anyhow::Result<Outcome> {
        let format = Format::of(&self.out)?;
        let checkpoint = match self.checkpoint.is_dir() {
            true => Checkpoint::load(&RunFolder::new(&self.checkpoint).require_latest()?)?,
            false => Checkpoint::load(&self.checkpoint)?,
        };
        // A file for other programs cannot be resumed from: in the place of a checkpoint it destroys a run.
        if Checkpoint::load(&self.out).is_ok() {
            bail!("{} is a checkpoint of gaitgl; name another file to write", self.out.display());
        }
        let Exported { published, unlike } = exchange::export(&checkpoint, &self.out)?;
        let (preset, tensors) = (&checkpoint.settings.preset, checkpoint.weights.len());
        say(format!("{}: {preset}, {tensors} tensors", self.out.display()));
        if format == Format::Onnx {
            return Ok(Outcome::Done);
        }
        match published {
            Some(preset) => say(format!("by the names of published code for {preset}")),
            None => say("by our own names: no published code has this network"),
        }
        if !unlike.is_empty() {
            let unlike = unlike.join(", ");
            say(format!("no tensor shows that this network has {unlike}: who loads it must know"));
        }
        Ok(Outcome::Done)
    }
}
