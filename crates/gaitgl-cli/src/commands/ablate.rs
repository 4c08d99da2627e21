//! `gaitgl ablate`: networks that differ by some settings, trained, tested and set side by side.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use burn::tensor::Device;
use clap::Args;
use gait_data::PreparedSet;
use gait_eval::{Distance, Protocol};
use gait_support::files::{LOCK_FILE, try_lock};
use gaitgl::ablation::{ResultTable, Run, Score, Sweep, Training, test_name};
use gaitgl::checkpoint::Checkpoint;
use gaitgl::run::RunFolder;
use gaitgl::settings::Settings;
use gaitgl::train::{Ending, names_of};
use indicatif::HumanDuration;

use super::{OnDevice, Recipe, protocol_for_set, say, seed_parser, test, train};
use crate::{Outcome, files, plot, progress};

/// Train and test the networks of an ablation and print the table, ours beside the published one
///
/// The settings are the base of all rows. Networks that several rows or tables need are trained
/// once. The same command line goes on where an earlier one stopped; DIR keeps the networks, their
/// results and the table as CSV, PNG and SVG.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Ablate {
    /// Sweep: table5 (branches and masks), table6 (spatial feature mapping), table7 (pooling
    /// layers), fig4 (mask ratios), readings (of Eqn. 6), at-test (masks at test), or a file of
    /// one's own
    #[arg(value_name = "TABLE|FILE.toml")]
    sweep: String,
    #[command(flatten)]
    recipe: Recipe,
    #[command(flatten)]
    on: OnDevice,
    /// Prepared set that `gaitgl prepare` wrote
    #[arg(long, value_name = "PREPARED")]
    data: PathBuf,
    /// Folder to write; tables in one folder share their networks
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Seeds to train every row with [default: the base's]
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', value_parser = seed_parser())]
    seeds: Vec<u64>,
    /// Protocol of the tests [default: what fits the data]
    #[arg(long, value_name = "NAME|FILE.toml")]
    protocol: Option<String>,
}

impl Ablate {
    pub fn run(self) -> anyhow::Result<Outcome> {
        let began = Instant::now();
        let sweep = Sweep::load(&self.sweep)?;
        let base = self.recipe.settings()?;
        let set = Arc::new(PreparedSet::open(&self.data)?);
        let protocol = protocol_for_set(self.protocol.as_deref(), &set)?;
        protocol.check_names(&names_of(&set, &set.test()))?;
        let seeds = if self.seeds.is_empty() { vec![base.train.seed] } else { self.seeds.clone() };
        let jobs = jobs(&sweep, &base, &seeds, &set)?;
        let table = ResultTable::new(sweep, &protocol);
        let device = self.on.open()?;
        let _lock = lock(&self.out)?;
        let workshop = Workshop { set, protocol, device, runs: self.out.join("runs") };
        let mut report = Report { table, failures: Vec::new() };
        let stop = progress::watch_interrupts()?;
        workshop.work(&jobs, &mut report, stop);
        say(format!("\n{}", report.table));
        say(budget(&base, &seeds, &workshop.set, began.elapsed()));
        report.write(&self.out)?;
        report.failures.iter().for_each(|failure| say(format!("failed: {failure}")));
        if stop.load(Ordering::Relaxed) {
            bail!("interrupted; the same command line goes on where this one stopped");
        }
        Ok(if report.failures.is_empty() { Outcome::Done } else { Outcome::Skipped })
    }
}

/// Keeps other commands out of the folder while the file lives.
fn lock(out: &Path) -> anyhow::Result<File> {
    let failed = |e| anyhow!("cannot write {}: {}", out.display(), gait_support::io_reason(&e));
    std::fs::create_dir_all(out).map_err(failed)?;
    let lock = try_lock(&out.join(LOCK_FILE)).map_err(failed)?;
    lock.with_context(|| {
        let out = out.display();
        format!("another `gaitgl ablate` is at work in {out}; wait for it, or give another --out")
    })
}

/// One row with one seed.
struct Job {
    row: usize,
    name: String,
    settings: Settings,
    /// The network that it needs.
    training: Training,
}

/// All rows with the first seed, then with the next one, so that a whole table is there early. The
/// set must serve them all.
fn jobs(
    sweep: &Sweep,
    base: &Settings,
    seeds: &[u64],
    set: &Arc<PreparedSet>,
) -> anyhow::Result<Vec<Job>> {
    let mut jobs = Vec::new();
    for (at, &seed) in seeds.iter().enumerate() {
        if seeds[..at].contains(&seed) {
            bail!("--seeds names {seed} twice; give each seed once");
        }
        for (row, described) in sweep.rows.iter().enumerate() {
            let mut settings = sweep.settings(described, base)?;
            settings.train.seed = seed;
            let seed = if seeds.len() > 1 { format!(", seed {seed}") } else { String::new() };
            train::learnable(set, &settings)?;
            let training = Training::new(&settings, set)?;
            let name = format!("{}{seed}", described.name);
            jobs.push(Job { row, name, settings, training });
        }
    }
    Ok(jobs)
}

/// The data that rows are trained and tested on, and where their runs lie.
struct Workshop {
    set: Arc<PreparedSet>,
    protocol: Protocol,
    device: Device,
    runs: PathBuf,
}

impl Workshop {
    /// Works the jobs off, names those that fail and goes on, until `stop` is set.
    fn work(&self, jobs: &[Job], report: &mut Report, stop: &AtomicBool) {
        let (mut trained, mut seconds) = (HashSet::new(), 0.0);
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
                        say(format!("{place}: {figures}, known"));
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
                    say(format!(
                        "{place}: {figures}, took {}{left}",
                        HumanDuration(began.elapsed())
                    ));
                }
                Err(error) => {
                    say(format!("{place}: failed, the other rows go on: {error:#}"));
                    report.failures.push(format!("{}: {error:#}", job.name));
                }
            }
        }
    }

    /// The figures of a job, and whether they were known from an earlier command.
    fn score(&self, job: &Job, place: &str, table: &ResultTable) -> anyhow::Result<(Score, bool)> {
        let result = self.result_path(job);
        if let Some(score) = read_score(&result, table) {
            return Ok((score, true));
        }
        let mut checkpoint = self.trained(&job.training, place)?;
        checkpoint.settings.model.local = job.settings.model.local.clone();
        say(format!("{place}: testing"));
        let began = Instant::now();
        let embeddings = test::embed_set(&checkpoint, &self.set, &self.set.test(), &self.device)?;
        let evaluation = test::evaluate(&embeddings, &self.protocol, Distance::Strips)?;
        files::write_json(&result, &evaluation.to_json(began.elapsed().as_secs_f64()))?;
        let score = read_score(&result, table);
        Ok((score.with_context(|| format!("{} holds no figures", result.display()))?, false))
    }

    /// The names of the trainings that jobs without figures need.
    fn trainings_left<'a>(&self, jobs: &'a [Job]) -> HashSet<&'a String> {
        let left = jobs.iter().filter(|job| !self.result_path(job).exists());
        left.map(|job| &job.training.name).collect()
    }

    fn result_path(&self, job: &Job) -> PathBuf {
        let test = test_name(&job.settings, &self.protocol, Distance::Strips);
        self.runs.join(&job.training.name).join(test + ".json")
    }

    /// The network of a training: one that is there, one that goes on, or a new one.
    fn trained(&self, training: &Training, place: &str) -> anyhow::Result<Checkpoint> {
        let folder = RunFolder::new(self.runs.join(&training.name));
        if let Some(path) = folder.latest()? {
            let checkpoint = folder.load(&path)?;
            if !training.agrees(&checkpoint.settings)? {
                let path = folder.path().display();
                bail!("{path} holds a run with other settings than its name says; remove it");
            }
            if checkpoint.iteration >= training.settings.train.iterations {
                return for_use(&path);
            }
        }
        let device = &self.device;
        let session = if folder.has_begun() {
            train::resume(folder, &self.set, &[], device)?
        } else {
            train::begin(folder, &self.set, training.settings.clone(), device)?
        };
        say(format!("{place}: training"));
        match train::run_session(session)? {
            Ending::Finished(path) => for_use(&path),
            Ending::Interrupted(path) => bail!("interrupted; {} is written", path.display()),
        }
    }
}

/// A finished checkpoint. Its optimiser's state, two thirds of the file, is dropped for good.
fn for_use(path: &Path) -> anyhow::Result<Checkpoint> {
    let mut checkpoint = Checkpoint::load(path)?;
    if checkpoint.optimizer.take().is_some() {
        checkpoint.save(path)?;
    }
    Ok(checkpoint)
}

/// The figures that an earlier test left, if it left any.
fn read_score(path: &Path, table: &ResultTable) -> Option<Score> {
    let text = std::fs::read_to_string(path).ok()?;
    table.score(&serde_json::from_str(&text).ok()?)
}

/// What the command has to show.
struct Report {
    table: ResultTable,
    failures: Vec<String>,
}

impl Report {
    /// Writes the table as CSV and as pictures, and says where.
    fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let file = |ending| folder.join(format!("{}.{ending}", self.table.sweep().name));
        files::write(&file("csv"), self.table.to_csv().as_bytes())?;
        let pictures = plot::draw(&self.table)?;
        files::write(&file("svg"), pictures.svg.as_bytes())?;
        files::write(&file("png"), &pictures.png)?;
        say(format!("{}, .svg and .png: written", file("csv").display()));
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

/// What every row had alike.
fn budget(base: &Settings, seeds: &[u64], set: &PreparedSet, took: Duration) -> String {
    let train = &base.train;
    let batch = train.batch;
    let optimizer = format!("{:?}", train.optimizer).to_lowercase();
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
