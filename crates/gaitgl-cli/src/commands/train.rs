//! `gaitgl train`: a network learns the training subjects.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use gait_data::PreparedSet;
use gaitgl::run::RunFolder;
use gaitgl::settings::Settings;
use gaitgl::train::{
    self, Ending, Observer, Pace, Session, StartNote, Started, StepReport, TestPart, TestReport,
};
use indicatif::{HumanDuration, ProgressBar};

use super::{OnDevice, Recipe, Trained, print_line, quoted};
use crate::{ExitStatus, progress};

/// Train a network on the training subjects of a prepared set
///
/// Checkpoints and metrics are written to the run folder.
/// Settings come from a preset, then from a configuration file, then from --set; each overrides the
/// one before. `gaitgl info --preset NAME` prints a preset. With --from the network is that of the
/// checkpoint, only its classifier is new, and the default recipe is `fine-tune`. With --resume the run continues from its
/// last checkpoint, or from its start if it has none yet; on the CPU the result is bit for bit that
/// of a run that was never stopped. --set may then change the recipe, for instance
/// train.iterations, but not the network.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Train {
    #[command(flatten)]
    recipe: Recipe,
    /// Prepared set, as written by `gaitgl prepare`
    #[arg(long, value_name = "PREPARED")]
    data: PathBuf,
    /// Run folder to write
    #[arg(long, value_name = "RUN")]
    run: PathBuf,
    /// Protocol of the tests during training, stored with the run as train.protocol [default: the
    /// one that fits the data]
    #[arg(long, value_name = "NAME|FILE.toml")]
    protocol: Option<String>,
    /// Continue the run from its last checkpoint
    #[arg(long, conflicts_with_all = ["preset", "config", "from"])]
    resume: bool,
    /// Fine-tune: start from the weights of a checkpoint file, of a run folder or of the network that
    /// ships (builtin)
    #[arg(long, value_name = "FILE|RUN|builtin", conflicts_with = "preset")]
    from: Option<PathBuf>,
    #[command(flatten)]
    on: OnDevice,
}

impl Train {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        let set = Arc::new(PreparedSet::open(&self.data)?);
        let folder = RunFolder::new(&self.run);
        let with_protocol = |mut settings: Settings| {
            if let Some(name) = self.protocol {
                settings.train.protocol = name;
            }
            settings
        };
        let started = if self.resume {
            let assignments = &self.recipe.set;
            train::resume(folder, &set, &self.on.open()?, |saved| {
                Ok(with_protocol(saved.assign(assignments)?))
            })?
        } else if let Some(from) = &self.from {
            let (path, checkpoint) = Trained::at(from).load()?;
            let settings = with_protocol(self.recipe.fine_tuning(&checkpoint.settings)?);
            let started = train::begin_from(folder, &set, settings, &checkpoint, &self.on.open()?)?;
            print_line(format!("starting from {}", path.display()));
            started
        } else {
            let settings = with_protocol(self.recipe.settings()?);
            train::begin(folder, &set, settings, &self.on.open()?)?
        };
        run_to_the_end(started, &self.run, &self.data)
    }
}

/// Runs a training to its end and says how it ended.
pub fn run_to_the_end(started: Started, run: &Path, data: &Path) -> anyhow::Result<ExitStatus> {
    print_notes(run, &started.notes);
    match run_session(started.session)? {
        Ending::Finished(path) => {
            print_line(format!("trained: {}", path.display()));
            Ok(ExitStatus::Done)
        }
        Ending::Interrupted(path) => bail!(
            "interrupted; {} is written, continue with: gaitgl train --resume --run {} --data {}",
            path.display(),
            quoted(run),
            quoted(data)
        ),
    }
}

/// Prints what the user of a training should know before it runs.
pub fn print_notes(run: &Path, notes: &[StartNote]) {
    for note in notes {
        match note {
            StartNote::Resumed { iteration } => {
                print_line(format!("resuming {} after iteration {iteration}", run.display()));
            }
            note => print_line(note),
        }
    }
}

/// Runs a session to its end, or until Ctrl-C, and shows its progress.
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
    /// Whether the network has a classifier to report on.
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
            print_line(text);
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

    /// On a terminal the bar shows every iteration, so the log is only for files and pipes, and has
    /// at most one line in two seconds.
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
