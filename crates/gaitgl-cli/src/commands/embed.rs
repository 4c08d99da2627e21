//! `gaitgl embed`: embeddings to a file that other programs read.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, ValueEnum};
use gait_data::PreparedSet;

use super::{OnDevice, Trained, say, test};
use crate::Outcome;

/// Write the embeddings of a prepared set to a file
///
/// The file holds `embeddings` [n, c, p] (sequences, channels, strips), `subject`, `condition` and
/// `view`: as NumPy arrays in .npz, as columns in .parquet.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Embed {
    #[command(flatten)]
    trained: Trained,
    /// Prepared set that `gaitgl prepare` wrote
    #[arg(long, value_name = "PREPARED")]
    data: PathBuf,
    /// File to write; its ending says the format
    #[arg(long, value_name = "FILE.npz|FILE.parquet")]
    out: PathBuf,
    /// Whose sequences
    #[arg(long, value_enum, default_value_t = Subjects::All)]
    subjects: Subjects,
    #[command(flatten)]
    on: OnDevice,
}

/// Whose sequences are embedded.
#[derive(Clone, Copy, ValueEnum)]
enum Subjects {
    /// Everybody's
    All,
    /// The training subjects'
    Train,
    /// The test subjects'
    Test,
}

impl Embed {
    pub fn run(self) -> anyhow::Result<Outcome> {
        gait_embeddings::Format::from_path(&self.out)?;
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
        let embeddings = test::embed_set(&checkpoint, &set, &indices, &self.on.open()?)?;
        gait_embeddings::write(&self.out, &embeddings)?;
        say(format!(
            "{}: {} embeddings of {} channels x {} strips",
            self.out.display(),
            embeddings.len(),
            embeddings.channels(),
            embeddings.strips()
        ));
        Ok(Outcome::Done)
    }
}
