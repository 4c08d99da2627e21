//! `gaitgl quickstart`: from synthetic walkers to a table of accuracies and a gallery, in minutes.

mod naming;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::bail;
use burn::tensor::Device;
use clap::Args;
use gait_data::synth::{SynthOptions, write_tree};
use gait_data::{Layout, PrepareOptions, PreparedSet, Watch, prepare};
use gait_eval::{Distance, Protocol};
use gaitgl::checkpoint::Checkpoint;
use gaitgl::run::RunFolder;
use gaitgl::settings::{Precision, Settings};
use gaitgl::train::begin;

use super::{OnDevice, print_line, quoted, seed_parser, test, train};
use crate::{ExitStatus, files, progress};
use naming::name_people;

/// People; 74 of 124 of them are trained on, as on CASIA-B.
const SUBJECTS: usize = 50;
/// Views in degrees.
const VIEWS: [f64; 4] = [54.0, 90.0, 126.0, 144.0];
/// Frames of a sequence.
const FRAMES: usize = 40;

/// Generate walkers, prepare them, train, test and name people, all in a few minutes
///
/// The run folder keeps the walkers, the prepared set, the network, the table and a gallery.
#[derive(Args)]
pub struct Quickstart {
    /// Run folder to write
    #[arg(long, value_name = "RUN", default_value = "runs/quickstart")]
    run: PathBuf,
    /// Seed of the people and of the training
    #[arg(long, default_value_t = 1, value_parser = seed_parser())]
    seed: u64,
    #[command(flatten)]
    on: OnDevice,
}

impl Quickstart {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        let began = Instant::now();
        let run = &self.run;
        check_free(run)?;
        let device = self.on.open()?;
        let set = Arc::new(make_set(run, self.seed)?);
        let partition = &set.about().partition;
        let train = partition.train.len();
        let test = partition.test.len();
        print_line(format!("3 of 5: a small network learns {train} of them"));
        let protocol = Protocol::builtin("casia-b")?;
        let checkpoint = learn(run, self.seed, &device, &set)?;
        print_line(format!("4 of 5: it is tested on the other {test}, whom it has never seen"));
        let started = Instant::now();
        let embeddings = test::embed_set(&checkpoint, &set, &set.test(), &device, Precision::F32)?;
        let evaluation = test::evaluate(&embeddings, &protocol, Distance::Strips)?;
        let table = evaluation.to_string();
        print_line(format!("\n{table}"));
        files::write(&run.join("table.txt"), table.as_bytes())?;
        let json = evaluation.to_json(started.elapsed().as_secs_f64());
        files::write_json(&run.join("table.json"), &json)?;
        print_line(format!("\nA guess would be right {:.1}% of the time.", 100.0 / test as f64));
        print_line(
            "\n5 of 5: half of them are enrolled in a gallery, and walks of all of them are identified",
        );
        let gallery = run.join("people.db");
        print_line(name_people(&gallery, &checkpoint, &embeddings)?);
        print_line(format!(
            "\nAll of it took {:.0} s and is in {}.",
            began.elapsed().as_secs_f64(),
            run.display()
        ));
        let prepared = quoted(&run.join("prepared"));
        print_line(format!(
            "To print the table again: gaitgl test --run {} --data {prepared}",
            quoted(run)
        ));
        print_line(format!(
            "To name the people in more walks: gaitgl identify --gallery {} --run {} WALKS",
            quoted(&gallery),
            quoted(run)
        ));
        Ok(ExitStatus::Done)
    }
}

/// Refuses a folder that is not empty; an unfinished quickstart can continue with its training.
fn check_free(run: &Path) -> anyhow::Result<()> {
    if !run.exists() || is_empty_folder(run) {
        return Ok(());
    }
    let prepared = run.join("prepared");
    let place = run.display();
    let unfinished = RunFolder::new(run).has_begun() && !run.join("table.txt").exists();
    if unfinished && prepared.join(gait_data::ABOUT_FILE).exists() {
        bail!(
            "{place} holds an unfinished quickstart; continue its training with: gaitgl train \
             --resume --run {} --data {}, or remove it, or choose another folder with --run",
            quoted(run),
            quoted(&prepared)
        );
    }
    bail!("{place} exists already; remove it or choose another folder with --run")
}

fn is_empty_folder(path: &Path) -> bool {
    std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

/// Steps 1 and 2. They take little time, so what an interrupt leaves of them is removed.
fn make_set(run: &Path, seed: u64) -> anyhow::Result<PreparedSet> {
    let walkers = run.join("walkers");
    let prepared = run.join("prepared");
    let make = || {
        print_line(format!("1 of 5: {SUBJECTS} people walk past {} cameras", VIEWS.len()));
        make_walkers(&walkers, seed)?;
        print_line("2 of 5: their silhouettes are aligned and packed");
        prepare_walkers(&walkers, &prepared)
    };
    make().inspect_err(|_| {
        for made in [&walkers, &prepared] {
            // Best effort: the error to report is the first one.
            let _ = std::fs::remove_dir_all(made);
        }
    })
}

fn make_walkers(folder: &Path, seed: u64) -> anyhow::Result<()> {
    let options = SynthOptions {
        subjects: SUBJECTS,
        views: VIEWS.to_vec(),
        frames: FRAMES,
        seed,
        ..SynthOptions::default()
    };
    progress::watched("Making walkers", "sequences", |progress, stop| {
        write_tree(folder, &options, &Watch { progress, stop })
    })?;
    Ok(())
}

fn prepare_walkers(raw: &Path, folder: &Path) -> anyhow::Result<PreparedSet> {
    progress::watched("Preparing", "sequences", |progress, stop| {
        let options = PrepareOptions::new(Layout::CasiaB);
        prepare(raw, folder, &options, &Watch { progress, stop })
    })?;
    Ok(PreparedSet::open(folder)?)
}

fn learn(
    run: &Path,
    seed: u64,
    device: &Device,
    set: &Arc<PreparedSet>,
) -> anyhow::Result<Checkpoint> {
    let mut settings = Settings::recipe("quickstart")?;
    settings.train.seed = seed;
    let started = begin(RunFolder::new(run), set, settings, device)?;
    train::run_to_the_end(started, run, set.folder())?;
    Ok(Checkpoint::load(&RunFolder::new(run).require_latest()?)?)
}
