//! `gaitgl train`: a network learns the training subjects.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use burn::tensor::Device;
use clap::Args;
use gait_data::PreparedSet;
use gaitgl::checkpoint::Checkpoint;
use gaitgl::embed::check_size;
use gaitgl::run::RunFolder;
use gaitgl::settings::Settings;
use gaitgl::train::{
    Ending, Observer, Pace, PeriodicTest, Session, StepReport, TestPart, TestReport, Trainer,
    classes,
};
use indicatif::{HumanDuration, ProgressBar};

use super::{OnDevice, Recipe, lasting_protocol, protocol_for_set, say};
use crate::{Outcome, progress};

/// Train a network on the training subjects of a prepared set
///
/// Checkpoints and metrics go to the run folder.
/// Settings come from a preset, then from a configuration file, then from --set, each over the one
/// before. `gaitgl info --preset NAME` prints a preset. With --resume the run goes on from its last
/// checkpoint, or from its start if it has none yet, to the bit as if it had never stopped; --set may
/// then change the recipe, for instance train.iterations.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Train {
    #[command(flatten)]
    recipe: Recipe,
    /// Prepared set that `gaitgl prepare` wrote
    #[arg(long, value_name = "PREPARED")]
    data: PathBuf,
    /// Run folder to write
    #[arg(long, value_name = "RUN")]
    run: PathBuf,
    /// Protocol of the tests during training, kept with the run as train.protocol [default: what
    /// fits the data]
    #[arg(long, value_name = "NAME|FILE.toml")]
    protocol: Option<String>,
    /// Go on with the run from its last checkpoint
    #[arg(long, conflicts_with_all = ["preset", "config"])]
    resume: bool,
    #[command(flatten)]
    on: OnDevice,
}

impl Train {
    pub fn run(self) -> anyhow::Result<Outcome> {
        let set = Arc::new(PreparedSet::open(&self.data)?);
        let folder = RunFolder::new(&self.run);
        let mut recipe = self.recipe;
        recipe.set.extend(self.protocol.map(|name| format!("train.protocol={name}")));
        let session = if self.resume {
            resume(folder, &set, &recipe.set, &self.on.open()?)?
        } else {
            begin(folder, &set, recipe.settings()?, &self.on.open()?)?
        };
        train(session, &self.run, &self.data)
    }
}

/// The subjects that settings train on, if the set serves their network and their batches.
pub fn learnable(set: &Arc<PreparedSet>, settings: &Settings) -> anyhow::Result<Vec<String>> {
    check_size(&settings.model, set)?;
    Ok(classes(set, &settings.train)?)
}

/// Checks everything, then makes the run folder.
pub fn begin(
    mut folder: RunFolder,
    set: &Arc<PreparedSet>,
    mut settings: Settings,
    device: &Device,
) -> anyhow::Result<Session> {
    settings.train.protocol = lasting_protocol(&settings.train.protocol)?;
    let subjects = learnable(set, &settings)?;
    let test = periodic_test(set, &settings)?;
    let config = settings.to_toml()?;
    let trainer = Trainer::new(settings, subjects, device)?;
    folder.begin(&config)?;
    Ok(Session::new(trainer, set.clone(), folder, test, None))
}

/// The training of a run folder at its last checkpoint, or at its start if it has none yet.
pub fn resume(
    mut folder: RunFolder,
    set: &Arc<PreparedSet>,
    assignments: &[String],
    device: &Device,
) -> anyhow::Result<Session> {
    let run = folder.path().display().to_string();
    let checkpoint = folder.resume()?.map(|path| folder.load(&path)).transpose()?;
    let saved =
        checkpoint.as_ref().map_or_else(|| folder.settings(), |c| Ok(c.settings.clone()))?;
    let mut settings = saved.clone().assign(assignments)?;
    settings.check()?;
    settings.train.protocol = lasting_protocol(&settings.train.protocol)?;
    if settings.model != saved.model {
        bail!("--resume cannot change the network (model.*); start a new run for that");
    }
    let subjects = learnable(set, &settings)?;
    if let Some(checkpoint) = &checkpoint {
        check_same_training(&run, checkpoint, &settings, &subjects, set)?;
    }
    let test = periodic_test(set, &settings)?;
    let config = settings.to_toml()?;
    // Scores by two protocols do not compare.
    let same_test = settings.train.protocol == saved.train.protocol;
    let best = checkpoint.as_ref().and_then(|checkpoint| checkpoint.score).filter(|_| same_test);
    let trainer = match checkpoint {
        Some(checkpoint) => Trainer::resume(checkpoint, settings, device)?,
        None => Trainer::new(settings, subjects, device)?,
    };
    folder.rewind_metrics(trainer.iteration())?;
    folder.write_config(&config)?;
    say(format!("resuming {run} after iteration {}", trainer.iteration()));
    Ok(Session::new(trainer, set.clone(), folder, test, best))
}

/// Refuses to go on from a checkpoint with other people, or to a place that is behind it.
fn check_same_training(
    run: &str,
    checkpoint: &Checkpoint,
    settings: &Settings,
    subjects: &[String],
    set: &PreparedSet,
) -> anyhow::Result<()> {
    if !checkpoint.trained_on(subjects) {
        bail!(
            "{run} was not trained on the training subjects of {}; give the set of the run",
            set.folder().display()
        );
    }
    let (done, wanted) = (checkpoint.iteration, settings.train.iterations);
    if wanted < done {
        bail!(
            "{run} has done {done} iterations and train.iterations = {wanted} is less; give --set \
             train.iterations={done} or more"
        );
    }
    Ok(())
}

/// The test during training, if the recipe comes to one and the protocol has something to score.
fn periodic_test(set: &PreparedSet, settings: &Settings) -> anyhow::Result<Option<PeriodicTest>> {
    let recipe = &settings.train;
    let name = Some(recipe.protocol.as_str()).filter(|name| !name.is_empty());
    let protocol = protocol_for_set(name, set)?;
    if recipe.test_every == 0 || recipe.test_every > recipe.iterations {
        return Ok(None);
    }
    let name = protocol.name().to_owned();
    if protocol.group_names().len() == 0 {
        say(format!("no tests during training: {name} only writes a submission"));
        return Ok(None);
    }
    let test = PeriodicTest::new(protocol, set, recipe.test_subjects).with_context(|| {
        format!(
            "the tests during training cannot be made; name another --protocol than {name}, or \
             leave them out with --set train.test_every=0"
        )
    })?;
    let (some, all) = (test.sequences(), set.test().len());
    if some < all {
        say(format!("tests during training: {some} of {all} sequences (train.test_subjects)"));
    }
    Ok(Some(test))
}

/// Runs a session to its end and says how it ended.
pub fn train(session: Session, run: &Path, data: &Path) -> anyhow::Result<Outcome> {
    match run_session(session)? {
        Ending::Finished(path) => {
            say(format!("trained: {}", path.display()));
            Ok(Outcome::Done)
        }
        Ending::Interrupted(path) => bail!(
            "interrupted; {} is written, go on with: gaitgl train --resume --run {} --data {}",
            path.display(),
            run.display(),
            data.display()
        ),
    }
}

/// Runs a session to its end, or to Ctrl-C, and shows its progress.
pub fn run_session(mut session: Session) -> anyhow::Result<Ending> {
    let stop = progress::watch_interrupts()?;
    let mut console = Console::new(session.iterations(), session.classifies());
    let ending = session.run(&mut console, stop)?;
    console.bar.finish_and_clear();
    Ok(ending)
}

/// Progress on the terminal, or plain lines where there is none.
struct Console {
    bar: ProgressBar,
    plain: bool,
    last_line: Option<Instant>,
    iterations: u64,
    /// Whether the network has a classifier to tell of.
    classifies: bool,
}

impl Console {
    fn new(iterations: u64, classifies: bool) -> Self {
        let plain = !std::io::stderr().is_terminal();
        let bar = progress::bar("Training", "iterations");
        Self { bar, plain, last_line: None, iterations, classifies }
    }

    fn line(&self, text: &str) {
        if self.plain {
            say(text);
        } else {
            self.bar.println(text);
        }
    }
}

impl Observer for Console {
    fn step(&mut self, report: &StepReport, pace: &Pace) {
        self.bar.set_length(self.iterations);
        self.bar.set_position(report.iteration);
        let classes = if self.classifies {
            format!("; classes {:.3}, {:.0}% right", report.cross_entropy, report.accuracy)
        } else {
            String::new()
        };
        self.bar.set_message(format!(
            "loss {:.3} (triplet {:.3}, {:.0}% active{classes}) rate {:.0e} {:.0} frames/s",
            report.loss,
            report.triplet,
            report.active,
            report.learning_rate,
            pace.frames_per_second
        ));
    }

    /// On a terminal the bar shows every iteration, so the log is only for files and pipes, and
    /// not more than a line in two seconds.
    fn log(&mut self, mean: &StepReport, pace: &Pace) {
        let pause = Duration::from_secs(2);
        let recent = self.last_line.is_some_and(|at| at.elapsed() < pause);
        if !self.plain || (recent && mean.iteration != self.iterations) {
            return;
        }
        self.last_line = Some(Instant::now());
        let left = HumanDuration(Duration::from_secs_f64(pace.seconds_left.min(1e9)));
        let classes = if self.classifies {
            format!("  classes {:.4} ({:.1}% right)", mean.cross_entropy, mean.accuracy)
        } else {
            String::new()
        };
        self.line(&format!(
            "iteration {:>6}  loss {:.4}  triplet {:.4} ({:.1}% active){classes}  rate {:.1e}  \
             {:.0} frames/s  {:.1}% waiting  {left} left",
            mean.iteration,
            mean.loss,
            mean.triplet,
            mean.active,
            mean.learning_rate,
            pace.frames_per_second,
            pace.waiting
        ));
    }

    fn testing(&self, part: TestPart, done: u64, total: u64) {
        self.bar.set_message(match part {
            TestPart::Embedding => format!("test: {done} of {total} sequences embedded"),
            TestPart::Comparing => format!("test: {done} of {total} probes compared"),
        });
    }

    fn test(&mut self, report: &TestReport) {
        let TestReport { iteration, metric, .. } = report;
        let found = match report.score {
            Some(score) => format!("mean {metric} {score:.2}%"),
            None => "nothing to compare".into(),
        };
        let best = if report.best { ", the best so far" } else { "" };
        self.line(&format!("iteration {iteration:>6}  test: {found}{best}"));
    }
}
