//! `gaitgl prepare`: a tree of silhouettes becomes a prepared set.

use std::path::PathBuf;

use clap::Args;
use gait_data::{Layout, PrepareOptions, Watch, prepare};

use super::say;
use crate::{Outcome, progress};

/// Align a tree of silhouettes and pack it into a prepared set
///
/// Silhouettes are cropped, resized to 64 rows and centred as published code does. Single images
/// and sequences that cannot be used are skipped, named and counted, and the exit code is 1. Killed
/// or interrupted, the same command goes on where it stopped.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Prepare {
    /// Folder of the raw silhouettes
    #[arg(value_name = "RAW")]
    raw: PathBuf,
    /// Folder to write
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// How the tree names its sequences: casia-b (subject/condition/view), flat (see --pattern),
    /// opengait (prepared .pkl trees), ou-mvlp, grew, gait3d, casia-e, sustech1k, ccpg or hid
    #[arg(long, default_value = "casia-b")]
    layout: String,
    /// Path pattern of the layout flat, for instance {subject}/{condition}-{view}
    #[arg(long, value_name = "PATTERN")]
    pattern: Option<String>,
    /// Training and test subjects, in OpenGait's JSON [default: CASIA-B's split, or its proportion]
    #[arg(long, value_name = "FILE.json")]
    partition: Option<PathBuf>,
    /// Leave out subjects that the partition does not name
    #[arg(long, requires = "partition")]
    leave_out_unlisted: bool,
    /// Rows of an aligned silhouette: 64, 128 for Gait3D at 128 x 88, or any even number from 16
    /// to 512
    #[arg(long, default_value_t = 64)]
    height: usize,
    /// The silhouettes are aligned already: they are taken as they are, or halved
    #[arg(long)]
    aligned: bool,
    /// Replace a set of another tree or other settings
    #[arg(long)]
    overwrite: bool,
}

impl Prepare {
    pub fn run(self) -> anyhow::Result<Outcome> {
        let layout = Layout::from_name(&self.layout, self.pattern.as_deref())?;
        let options = PrepareOptions {
            height: self.height,
            aligned_source: self.aligned,
            partition: self.partition,
            leave_out_unlisted: self.leave_out_unlisted,
            overwrite: self.overwrite,
            ..PrepareOptions::new(layout)
        };
        let report = progress::watched("Preparing", "sequences", |progress, stop| {
            prepare(&self.raw, &self.out, &options, &Watch { progress, stop })
        })?;
        say(report.to_string().trim_end());
        Ok(if report.skipped_inputs() > 0 { Outcome::Skipped } else { Outcome::Done })
    }
}
