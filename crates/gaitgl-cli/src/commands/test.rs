//! `gaitgl test`: the accuracy table of a network.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use gait_data::PreparedSet;
use gait_eval::{Distance, Embeddings, Evaluation, Protocol};
use gaitgl::checkpoint::Checkpoint;

use super::{Trained, protocol_for, say};
use crate::{Outcome, files, progress};

/// Test a network on the test subjects of a prepared set and print the table
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Test {
    #[command(flatten)]
    trained: Trained,
    /// Prepared set that `gaitgl prepare` wrote
    #[arg(long, value_name = "PREPARED")]
    data: PathBuf,
    /// Built-in protocol or protocol file [default: what fits the data]
    #[arg(long, value_name = "NAME|FILE.toml")]
    protocol: Option<String>,
    /// Distance between two sequences: strips (mean over strips of the Euclidean distance), flat
    /// (Euclidean distance of the whole) or cosine (mean over strips)
    #[arg(long, default_value_t = Distance::Strips)]
    distance: Distance,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Test {
    pub fn run(self) -> anyhow::Result<Outcome> {
        let (_, checkpoint) = self.trained.load()?;
        let set = PreparedSet::open(&self.data)?;
        let protocol = protocol_for(self.protocol.as_deref(), &set)?;
        let started = Instant::now();
        let evaluation = test(&checkpoint, &set, &protocol, self.distance)?;
        let seconds = started.elapsed().as_secs_f64();
        say(&evaluation);
        say(format!("{} sequences in {seconds:.1} s", evaluation.sequences));
        if let Some(path) = &self.json {
            files::write_json(path, &evaluation.to_json(seconds))?;
        }
        Ok(Outcome::Done)
    }
}

/// Embeds the test subjects and runs the protocol on them.
pub fn test(
    checkpoint: &Checkpoint,
    set: &PreparedSet,
    protocol: &Protocol,
    distance: Distance,
) -> anyhow::Result<Evaluation> {
    let embeddings = embeddings(checkpoint, set, &set.test())?;
    let bar = progress::bar("Comparing", "probes");
    let stop = progress::watch_interrupts()?;
    let watch = gait_eval::Watch { progress: &progress::shown(&bar), stop };
    let evaluation = gait_eval::evaluate(&embeddings, protocol, distance, &watch)?;
    bar.finish_and_clear();
    Ok(evaluation)
}

/// The embeddings of some sequences by the network of a checkpoint.
pub fn embeddings(
    checkpoint: &Checkpoint,
    set: &PreparedSet,
    indices: &[usize],
) -> anyhow::Result<Embeddings> {
    let device = gaitgl::cpu();
    let network = checkpoint.evaluator(&device)?;
    let bar = progress::bar("Embedding", "sequences");
    let stop = progress::watch_interrupts()?;
    let watch = gait_data::Watch { progress: &progress::shown(&bar), stop };
    let model = &checkpoint.settings.model;
    let made = gaitgl::embed::embed(&network, model, set, indices, &device, &watch)?;
    bar.finish_and_clear();
    Ok(made)
}
