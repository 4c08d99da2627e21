//! `gaitgl prepare`: packs a tree of silhouettes into a prepared set.

use std::path::PathBuf;

use clap::Args;
use gait_data::{Layout, PrepareOptions, Watch, prepare};

use super::print_line;
use crate::input::expect_folder;
use crate::{ExitStatus, progress};

/// Align a tree of silhouettes and pack it into a prepared set
///
/// Each silhouette is cropped, resized to --height rows and centred, as published code does. Images
/// and sequences that cannot be used are skipped and named, and the exit code is then 1. After an
/// interruption the same command continues where it stopped.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Prepare {
    /// Folder of raw silhouettes: a tree of .png, .jpg or .bmp images, or of .pkl files
    #[arg(value_name = "RAW")]
    raw: PathBuf,
    /// Prepared set to write, a folder
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// Layout of the tree: casia-b (subject/condition/view), flat (see --pattern), opengait (trees
    /// of .pkl files), ou-mvlp, grew, gait3d, casia-e, sustech1k, ccpg or hid
    #[arg(long, default_value = "casia-b")]
    layout: String,
    /// Pattern of the paths in the flat layout, for example {subject}/{condition}-{view}
    #[arg(long, value_name = "PATTERN")]
    pattern: Option<String>,
    /// Training and test subjects, in OpenGait's JSON format [default: the folders of GREW and HID,
    /// CASIA-B's split, or the same proportion of other subjects]
    #[arg(long, value_name = "FILE.json")]
    partition: Option<PathBuf>,
    /// Leave out the subjects that the partition does not name
    #[arg(long, requires = "partition")]
    leave_out_unlisted: bool,
    /// Rows of an aligned silhouette in pixels: 64, 128 for Gait3D at 128 x 88, or another even
    /// number from 16 to 512
    #[arg(long, default_value_t = 64)]
    height: usize,
    /// Take silhouettes that are already aligned: keep their size, or halve it
    #[arg(long)]
    aligned: bool,
    /// Replace an existing set that was made from another tree or with other settings
    #[arg(long)]
    overwrite: bool,
}

impl Prepare {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        expect_folder(&self.raw)?;
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
        print_line(report.to_string().trim_end());
        Ok(if report.skipped_inputs() > 0 { ExitStatus::Skipped } else { ExitStatus::Done })
    }
}
