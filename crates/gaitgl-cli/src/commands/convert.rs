//! `gaitgl convert`: writes a prepared set as a tree that OpenGait reads.

use std::path::PathBuf;

use clap::Args;
use gait_data::{PreparedSet, Watch, convert};

use super::print_line;
use crate::input::expect_folder;
use crate::{ExitStatus, progress};

/// Write a prepared set as the tree of .pkl files that OpenGait reads
///
/// Writes OUT/subject/condition/view/view.pkl, each a NumPy array of uint8 [frames, rows, columns],
/// and the partition as OUT.json. These two are dataset_root and dataset_partition in OpenGait's
/// configuration. `gaitgl prepare OUT SET --layout opengait` reads the tree back.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Convert {
    /// Prepared set, as `gaitgl prepare` writes it
    #[arg(value_name = "PREPARED")]
    prepared: PathBuf,
    /// Folder to write; it must be empty or not exist yet
    #[arg(value_name = "OUT")]
    out: PathBuf,
}

impl Convert {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        expect_folder(&self.prepared)?;
        let set = PreparedSet::open(&self.prepared)?;
        let report = progress::watched("Converting", "sequences", |progress, stop| {
            convert(&set, &self.out, &Watch { progress, stop })
        })?;
        print_line(format!(
            "{}: {} sequences, {} silhouettes; partition in {}",
            self.out.display(),
            report.sequences,
            report.frames,
            report.partition.display()
        ));
        Ok(ExitStatus::Done)
    }
}
