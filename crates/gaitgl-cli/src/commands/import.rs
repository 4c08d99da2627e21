//! `gaitgl import`: weights from PyTorch and safetensors files.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use gait_data::PreparedSet;
use gait_support::full_message;
use gaitgl::checkpoint::Checkpoint;
use gaitgl::exchange::{self, ImportOptions, Imported};

use super::print_line;
use crate::ExitStatus;

/// Turn a PyTorch or safetensors file into a checkpoint
///
/// A PyTorch file holds a state dict, alone or under `model` beside `optimizer`, `scheduler` and
/// `iteration`. A safetensors file holds named tensors, as `gaitgl export` writes them. The network
/// is recognised by the names and shapes of its tensors; a tensor that is missing, unused or of
/// another shape is an error. Nothing in the file is executed.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Import {
    /// PyTorch file (.pt, .ptm) or exported tensors (.safetensors)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Checkpoint to write
    #[arg(value_name = "OUT.safetensors")]
    out: PathBuf,
    /// Expected network, such as parts-small, parts-large, parts-large-bnneck or hid-2020
    /// [default: the one that fits the tensors]
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Rows of a silhouette, which the tensors do not show; there are 11 columns for 16 rows
    /// [default: one row of the final map for each strip, which is 64 for published networks]
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u16).range(1..=4096))]
    height: Option<u16>,
    /// Set another setting that the tensors do not show, by its dotted name; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Prepared set that it was trained on, whose training subjects name the classes; without it
    /// the classes are numbers. Needed to continue the training
    #[arg(long, value_name = "PREPARED")]
    data: Option<PathBuf>,
}

impl Import {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        if self.out.extension().is_none_or(|extension| extension != "safetensors") {
            bail!("{}: a checkpoint is a file named .safetensors", self.out.display());
        }
        let options = ImportOptions {
            preset: self.preset,
            height: self.height.map(usize::from),
            set: self.set,
            subjects: self.data.as_deref().map(training_subjects).transpose()?,
        };
        let imported = exchange::import(&self.file, &options)?;
        imported.checkpoint.save(&self.out)?;
        print_line(format!("{}: {}", self.out.display(), summary(&imported.checkpoint)));
        print_line(format!(
            "the tensors do not show {}; --height and --set change them",
            imported.assumed.join(", ")
        ));
        print_classes(&imported.checkpoint);
        if !imported.dropped.is_empty() {
            print_line(format!("not needed: {}", imported.dropped.join(", ")));
        }
        print_training(&imported);
        Ok(ExitStatus::Done)
    }
}

fn summary(checkpoint: &Checkpoint) -> String {
    let Checkpoint { settings, weights, iteration, .. } = checkpoint;
    let classes = if settings.model.neck.classifies() {
        format!("{} classes", checkpoint.subjects.len())
    } else {
        "no classes".into()
    };
    let channels = &settings.model.channels;
    format!(
        "{} with channels {channels:?}, {} tensors, {classes}, iteration {iteration}",
        settings.preset,
        weights.len()
    )
}

/// Reports the classes that no subject has.
fn print_classes(checkpoint: &Checkpoint) {
    let unnamed = checkpoint.subjects.iter().filter(|name| name.is_empty()).count();
    if unnamed > 0 {
        let named = checkpoint.subjects.len() - unnamed;
        print_line(format!(
            "{unnamed} of the classes belong to no subject: the set has {named} training subjects"
        ));
    }
}

/// Reports what the training can resume from.
fn print_training(imported: &Imported) {
    if let Some(fault) = &imported.without_optimizer {
        let why = full_message(fault);
        print_line(format!("the optimiser's state is left out: {why}"));
    } else if imported.checkpoint.optimizer.is_some() {
        print_line("the optimiser's state is included: training can resume from it");
    }
    if let Some(why) = &imported.constant_rate {
        let rate = imported.checkpoint.settings.train.learning_rate;
        print_line(format!(
            "the learning rate stays {rate}: {why}; train --resume --set train.milestones=... \
             lowers it"
        ));
    }
}

/// The names of the classes of a network trained on the set in `folder`.
fn training_subjects(folder: &std::path::Path) -> anyhow::Result<Vec<String>> {
    let set = PreparedSet::open(folder)?;
    Ok(set.classes().into_keys().map(String::from).collect())
}
