//! Trains a small network for ten steps on synthetic walkers and prints the losses:
//!
//! ```text
//! cargo run --release --example train_ten_steps [FOLDER]
//! ```
//!
//! FOLDER then holds the walkers, the prepared set and the run; by default it is a temporary one.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gait_data::synth::{SynthOptions, write_tree};
use gait_data::{BatchSettings, Layout, PrepareOptions, PreparedSet, Watch, prepare};
use gaitgl::run::RunFolder;
use gaitgl::settings::Settings;
use gaitgl::train::{Observer, Pace, StepReport, begin};

#[expect(clippy::print_stdout, reason = "an example shows its result")]
fn main() -> Result<(), Box<dyn Error>> {
    let temporary = tempfile::tempdir()?;
    let folder = std::env::args_os().nth(1);
    let folder = folder.as_ref().map_or(temporary.path(), Path::new);
    for (step, loss) in train(folder)?.iter().enumerate() {
        println!("step {:>2}: loss {loss:.4}", step + 1);
    }
    Ok(())
}

/// Collects the loss of every step.
struct Losses(Vec<f64>);

impl Observer for Losses {
    fn step(&mut self, report: &StepReport, _: &Pace) {
        self.0.push(report.loss);
    }
}

/// Makes walkers, prepares them and trains ten steps, all below `folder`.
pub fn train(folder: &Path) -> Result<Vec<f64>, Box<dyn Error>> {
    let raw = folder.join("walkers");
    let prepared = folder.join("prepared");
    let walkers =
        SynthOptions { subjects: 6, frames: 16, views: vec![90.0], ..SynthOptions::default() };
    write_tree(&raw, &walkers, &Watch::silent())?;
    prepare(&raw, &prepared, &PrepareOptions::new(Layout::CasiaB), &Watch::silent())?;
    let set = Arc::new(PreparedSet::open(&prepared)?);

    let mut settings = Settings::preset("paper-small")?;
    settings.model.channels = vec![4, 8, 16];
    settings.train.iterations = 10;
    settings.train.batch =
        BatchSettings { subjects: 3, sequences: 2, frames: 8, with_replacement: false };
    let run = RunFolder::new(folder.join("run"));
    let mut started = begin(run, &set, settings, &gaitgl::cpu())?;
    let mut losses = Losses(Vec::new());
    // Another thread may set the flag, for example on Ctrl-C.
    started.session.run(&mut losses, &AtomicBool::new(false))?;
    Ok(losses.0)
}
