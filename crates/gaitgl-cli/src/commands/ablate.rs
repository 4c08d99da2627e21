//! `gaitgl ablate`: networks that differ in some settings, trained, tested and compared in a table.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use burn::tensor::Device;
use clap::Args;
use gait_data::PreparedSet;
use gait_eval::{Confidence, Distance, Protocol, Watch};
use gait_support::{FileError, files};
use gaitgl::ablation::{Job, ResultTable, Run, Score, Sweep, TrainingProgress, finished};
use gaitgl::checkpoint::Checkpoint;
use gaitgl::protocols::{self, names_of};
use gaitgl::settings::{Optimizer, Precision, Settings};
use gaitgl::train::Ending;
use indicatif::HumanDuration;

use super::statistics::confidence;
use super::{OnDevice, Recipe, print_line, seed_parser, test, train};
use crate::files::{write, write_json};
use crate::input::expect_folder;
use crate::plot::Format;
use crate::{ExitStatus, progress};

/// Train and test the networks of an ablation and print their table beside the published figures
///
/// All rows start from the given settings. Networks that several rows or tables need are trained
/// only once. The same command line continues where an earlier one stopped. DIR keeps the networks,
/// their results, and the table as CSV, PNG and SVG.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Ablate {
    /// Sweep: table5 (branches and masks), table6 (spatial feature mapping), table7 (pooling
    /// layers), fig4 (mask ratios), readings (of Eqn. 6), neck (where the embedding is taken),
    /// at-test (masks at test), or a file of your own
    #[arg(value_name = "TABLE|FILE.toml")]
    sweep: String,
    #[command(flatten)]
    recipe: Recipe,
    #[command(flatten)]
    on: OnDevice,
    /// Prepared set, as written by `gaitgl prepare`
    #[arg(long, value_name = "PREPARED")]
    data: PathBuf,
    /// Folder to write; tables in one folder share their networks
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Seeds with which every row is trained [default: train.seed]
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', value_parser = seed_parser())]
    seeds: Vec<u64>,
    /// Protocol of the tests [default: the one that fits the data]
    #[arg(long, value_name = "NAME|FILE.toml")]
    protocol: Option<String>,
    /// Also print confidence intervals of this percentage, by a bootstrap over subjects
    #[arg(long, value_name = "PERCENT", value_parser = confidence)]
    confidence: Option<Confidence>,
}

impl Ablate {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        let began = Instant::now();
        let sweep = Sweep::load(&self.sweep)?;
        let base = self.recipe.settings()?;
        expect_folder(&self.data)?;
        let set = Arc::new(PreparedSet::open(&self.data)?);
        let protocol = protocols::for_set(self.protocol.as_deref(), &set)?;
        protocol.check_names(&names_of(&set, &set.test()))?;
        let seeds = if self.seeds.is_empty() { vec![base.train.seed] } else { self.seeds.clone() };
        let jobs = sweep.jobs(&base, &seeds, &set)?;
        let table = ResultTable::new(sweep, &protocol);
        let device = self.on.open()?;
        let _lock = lock(&self.out)?;
        let workshop = Workshop { set, protocol, device, runs: self.out.join("runs") };
        let mut report = SweepReport { table, failures: Vec::new() };
        let stop = progress::watch_interrupts()?;
        workshop.work(&jobs, &mut report, stop);
        if let Some(confidence) = self.confidence {
            progress::watched("Resampling", "rows", |progress, stop| {
                report.table.find_intervals(confidence, &Watch { progress, stop })
            })?;
        }
        print_line(format!("\n{}", report.table));
        print_line(budget(&base, &seeds, &workshop.set, began.elapsed()));
        report.write(&self.out)?;
        report.failures.iter().for_each(|failure| print_line(format!("failed: {failure}")));
        if stop.load(Ordering::Relaxed) {
            bail!("interrupted; the same command line continues where this one stopped");
        }
        Ok(if report.failures.is_empty() { ExitStatus::Done } else { ExitStatus::Skipped })
    }
}

/// Keeps other commands out of the folder while the file lives.
fn lock(out: &Path) -> anyhow::Result<File> {
    std::fs::create_dir_all(out).map_err(|e| FileError::io("write", out, e))?;
    let lock = match files::lock(out) {
        Err(FileError::Busy { .. }) => bail!(
            "another `gaitgl ablate` is running in {}; wait for it, or choose another --out",
            out.display()
        ),
        lock => lock?,
    };
    files::remove_stale_temporaries(out)?;
    Ok(lock)
}

/// The data that rows are trained and tested on, and the folder of their runs.
struct Workshop {
    set: Arc<PreparedSet>,
    protocol: Protocol,
    device: Device,
    runs: PathBuf,
}

impl Workshop {
    /// Runs the jobs until `stop` is set; names those that fail and continues with the others.
    fn work(&self, jobs: &[Job], report: &mut SweepReport, stop: &AtomicBool) {
        let mut trained = HashSet::new();
        let mut seconds = 0.0;
        for (at, job) in jobs.iter().enumerate() {
            let place = format!("[{}/{}] {}", at + 1, jobs.len(), job.name);
            let began = Instant::now();
            let found = self.score(job, &place, &report.table);
            if stop.load(Ordering::Relaxed) {
                return;
            }
            match found {
                Ok((score, known)) => {
                    let figures = figures(&report.table, &score);
                    report.table.add(Run { row: job.row, seed: job.settings.train.seed, score });
                    if known {
                        print_line(format!("{place}: {figures}, known"));
                        continue;
                    }
                    trained.insert(&job.training.name);
                    seconds += began.elapsed().as_secs_f64();
                    let left = self.trainings_left(&jobs[at + 1..]).difference(&trained).count();
                    let left = match left {
                        0 => String::new(),
                        _ => {
                            let left = seconds / trained.len() as f64 * left as f64;
                            format!(", {} left", HumanDuration(Duration::from_secs_f64(left)))
                        }
                    };
                    print_line(format!(
                        "{place}: {figures}, took {}{left}",
                        HumanDuration(began.elapsed())
                    ));
                }
                Err(error) => {
                    print_line(format!("{place}: failed, the other rows continue: {error:#}"));
                    report.failures.push(format!("{}: {error:#}", job.name));
                }
            }
        }
    }

    /// The figures of a job, and whether an earlier command had already found them.
    fn score(&self, job: &Job, place: &str, table: &ResultTable) -> anyhow::Result<(Score, bool)> {
        let result = self.result_path(job);
        if let Some(score) = table.read_score(&result) {
            return Ok((score, true));
        }
        let checkpoint = job.for_test(self.trained(job, place)?);
        print_line(format!("{place}: testing"));
        let began = Instant::now();
        let embeddings = test::embed_set(
            &checkpoint,
            &self.set,
            &self.set.test(),
            &self.device,
            Precision::F32,
        )?;
        let evaluation = test::evaluate(&embeddings, &self.protocol, Distance::Strips)?;
        write_json(&result, &evaluation.to_json(began.elapsed().as_secs_f64()))?;
        let score = table.read_score(&result);
        Ok((score.with_context(|| format!("{} holds no figures", result.display()))?, false))
    }

    /// The names of the trainings that jobs without figures need.
    fn trainings_left<'a>(&self, jobs: &'a [Job]) -> HashSet<&'a String> {
        let left = jobs.iter().filter(|job| !self.result_path(job).exists());
        left.map(|job| &job.training.name).collect()
    }

    fn result_path(&self, job: &Job) -> PathBuf {
        job.result_path(&self.runs, &self.protocol, Distance::Strips)
    }

    /// The network of a job: an earlier one, or one that is trained now.
    fn trained(&self, job: &Job, place: &str) -> anyhow::Result<Checkpoint> {
        let started = match job.training.open(&self.runs, &self.set, &self.device)? {
            TrainingProgress::Finished(checkpoint) => return Ok(*checkpoint),
            TrainingProgress::Unfinished(started) => started,
        };
        train::print_notes(&self.runs.join(&job.training.name), &started.notes);
        print_line(format!("{place}: training"));
        match train::run_session(started.session)? {
            Ending::Finished(path) => Ok(finished(&path)?),
            Ending::Interrupted(path) => bail!("interrupted; {} is written", path.display()),
        }
    }
}

/// The results of the command.
struct SweepReport {
    table: ResultTable,
    failures: Vec<String>,
}

impl SweepReport {
    /// Writes the table as CSV and as pictures, and prints where.
    fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let file = |extension| folder.join(format!("{}.{extension}", self.table.sweep().name));
        write(&file("csv"), self.table.to_csv().as_bytes())?;
        Format::Svg.write(&file("svg"), &self.table)?;
        Format::Png.write(&file("png"), &self.table)?;
        print_line(format!("{}, .svg and .png: written", file("csv").display()));
        Ok(())
    }
}

/// `NM 91.2  BG 80.0  CL 61.1  Mean 77.4`.
fn figures(table: &ResultTable, score: &Score) -> String {
    let cells = table.columns().iter().zip(&score.values).map(|(column, value)| {
        value.map_or_else(|| format!("{column} -"), |v| format!("{column} {v:.1}"))
    });
    cells.collect::<Vec<_>>().join("  ")
}

/// What all rows have in common.
fn budget(base: &Settings, seeds: &[u64], set: &PreparedSet, took: Duration) -> String {
    let train = &base.train;
    let batch = train.batch;
    let optimizer = match train.optimizer {
        Optimizer::Adam => "adam",
        Optimizer::Sgd => "sgd",
    };
    let partition = &set.about().partition;
    let seeds = match seeds {
        [seed] => format!("seed {seed}"),
        seeds => {
            let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
            format!("seeds {} (mean ± standard deviation)", seeds.join(", "))
        }
    };
    format!(
        "budget: {} iterations of {} x {} clips of {} frames, {optimizer} at {:e}; {seeds}; {} \
         training and {} test subjects; this command took {}",
        train.iterations,
        batch.subjects,
        batch.sequences,
        batch.frames,
        train.learning_rate,
        partition.train.len(),
        partition.test.len(),
        HumanDuration(took)
    )
}
