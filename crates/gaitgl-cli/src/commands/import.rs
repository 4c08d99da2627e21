//! `gaitgl import`: weights of PyTorch.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use gait_data::PreparedSet;
use gaitgl::exchange::{self, ImportOptions};
use gaitgl::settings::Neck;

use super::say;
use crate::Outcome;

/// Turn a file of PyTorch into a checkpoint
///
/// Reads what torch.save writes: a state dict, alone or under `model` beside `optimizer`,
/// `scheduler` and `iteration`. The network is recognised by the names and shapes of its tensors;
/// one that is missing, unused or of another shape is an error. Nothing in the file is executed.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Import {
    /// File of PyTorch, .pt or .ptm
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Checkpoint to write
    #[arg(value_name = "OUT.safetensors")]
    out: PathBuf,
    /// Network that it must be: parts-small, parts-large, parts-large-bnneck or hid-2020
    /// [default: what the tensors say]
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Rows of a silhouette, which no tensor shows; the columns are 11 for 16 rows
    /// [default: one row of the final map for each strip, which is 64 for published networks]
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u16).range(1..=4096))]
    height: Option<u16>,
    /// Say another setting that no tensor shows, by its dotted name; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Prepared set that it was trained on, whose training subjects then name the classes;
    /// without it they are numbers. Needed to go on with the training
    #[arg(long, value_name = "PREPARED")]
    data: Option<PathBuf>,
}

impl Import {
    pub fn run(self) -> anyhow::Result<Outcome> {
        if self.out.extension().is_none_or(|ending| ending != "safetensors") {
            bail!("{}: a checkpoint is a file named .safetensors", self.out.display());
        }
        let options = ImportOptions {
            preset: self.preset,
            height: self.height.map(usize::from),
            set: self.set,
            subjects: self.data.as_deref().map(training_subjects).transpose()?,
        };
        let imported = exchange::import(&self.file, &options)?;
        let checkpoint = &imported.checkpoint;
        checkpoint.save(&self.out)?;
        let classes = match checkpoint.settings.model.neck {
            Neck::None => "no classes".into(),
            _ => format!("{} classes", checkpoint.subjects.len()),
        };
        say(format!(
            "{}: {} with channels {:?}, {} tensors, {classes}, iteration {}",
            self.out.display(),
            checkpoint.settings.preset,
            checkpoint.settings.model.channels,
            checkpoint.weights.len(),
            checkpoint.iteration
        ));
        say(format!(
            "no tensor shows {}: --height and --set say otherwise",
            imported.assumed.join(", ")
        ));
        let nobodys = checkpoint.subjects.iter().filter(|name| name.is_empty()).count();
        if nobodys > 0 {
            say(format!(
                "{nobodys} of the classes belong to nobody: the set has {} training subjects",
                checkpoint.subjects.len() - nobodys
            ));
        }
        if !imported.dropped.is_empty() {
            say(format!("not needed: {}", imported.dropped.join(", ")));
        }
        match (&imported.without_optimizer, &checkpoint.optimizer) {
            (Some(problem), _) => say(format!("without the optimiser's state: {problem}")),
            (None, Some(_)) => say("with the optimiser's state: training can go on from it"),
            (None, None) => {}
        }
        if let Some(why) = &imported.constant_rate {
            let rate = checkpoint.settings.train.learning_rate;
            say(format!(
                "the learning rate stays {rate}: {why}; train --resume --set train.milestones=... \
                 lowers it"
            ));
        }
        Ok(Outcome::Done)
    }
}

/// The names of the classes of a network trained on the set in `folder`.
fn training_subjects(folder: &std::path::Path) -> anyhow::Result<Vec<String>> {
    let set = PreparedSet::open(folder)?;
    Ok(set.classes().into_keys().map(String::from).collect())
}
