//! `gaitgl embed`: writes embeddings to a file that other programs read.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, ValueEnum};
use gait_data::PreparedSet;
use gait_support::files::check_writable;
use gaitgl::settings::Precision;

use super::{OnDevice, Trained, precision_parser, print_line, test};
use crate::ExitStatus;
use crate::input::expect_folder;

/// Write the embeddings of a prepared set to a file
///
/// The file holds `embeddings` as float32 [n, c, p] (sequences, channels, strips) and the names
/// `subject`, `condition` and `view` of each sequence. These are NumPy arrays in .npz and columns in
/// .parquet.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Embed {
    #[command(flatten)]
    trained: Trained,
    /// Prepared set, as `gaitgl prepare` writes it
    #[arg(long, value_name = "PREPARED")]
    data: PathBuf,
    /// File to write; the extension selects the format
    #[arg(long, value_name = "FILE.npz|FILE.parquet")]
    out: PathBuf,
    /// Subjects whose sequences are embedded
    #[arg(long, value_enum, default_value_t = Subjects::All)]
    subjects: Subjects,
    #[command(flatten)]
    on: OnDevice,
    /// Number format of the convolutions: f32, or bf16, which is faster on some processors (see
    /// `gaitgl info --machine`)
    #[arg(long, value_name = "f32|bf16", default_value = "f32", value_parser = precision_parser(["f32", "bf16"]))]
    precision: Precision,
}

/// Subjects whose sequences are embedded.
#[derive(Clone, Copy, ValueEnum)]
enum Subjects {
    /// All subjects of the set
    All,
    /// Its training subjects
    Train,
    /// Its test subjects
    Test,
}

impl Embed {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        gait_embeddings::Format::from_path(&self.out)?;
        check_writable(&self.out)?;
        expect_folder(&self.data)?;
        let (_, checkpoint) = self.trained.load()?;
        let set = PreparedSet::open(&self.data)?;
        let indices = match self.subjects {
            Subjects::All => (0..set.len()).collect(),
            Subjects::Train => set.train(),
            Subjects::Test => set.test(),
        };
        if indices.is_empty() {
            bail!("{} holds no such sequences; try --subjects all", self.data.display());
        }
        let device = self.on.open()?;
        let embeddings = test::embed_set(&checkpoint, &set, &indices, &device, self.precision)?;
        gait_embeddings::write(&self.out, &embeddings)?;
        print_line(format!(
            "{}: {} embeddings of {} channels x {} strips, computed in {}",
            self.out.display(),
            embeddings.len(),
            embeddings.channels(),
            embeddings.strips(),
            self.precision
        ));
        Ok(ExitStatus::Done)
    }
}
