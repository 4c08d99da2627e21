//! `gaitgl bench`: how long the networks take on this machine.

mod distances;
mod growth;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use burn::tensor::{Tensor, TensorData};
use clap::Args;
use gait_data::Batch;
use gaitgl::net::GaitGl;
use gaitgl::settings::Settings;
use gaitgl::train::Trainer;
use serde::{Deserialize, Serialize};

use super::say;
use crate::{Outcome, files};

/// The networks that are timed: preset, test or training step, clips x frames, classes.
const NETWORKS: [(&str, Kind, usize, usize, usize); 8] = [
    ("parts-small", Kind::Test, 1, 30, 74),
    ("parts-small", Kind::Test, 1, 90, 74),
    ("paper-small", Kind::Test, 1, 30, 74),
    ("paper-small", Kind::Test, 1, 90, 74),
    ("parts-large", Kind::Test, 1, 30, 5153),
    ("paper-large", Kind::Test, 1, 30, 5153),
    ("parts-small", Kind::Train, 8, 30, 74),
    ("paper-small", Kind::Train, 8, 30, 74),
];
/// The rankings that are timed: probes and gallery, 64 strips of 256 channels each.
const RANKINGS: [(usize, usize); 1] = [(5_000, 5_000)];

/// Time the networks on this machine, beside another program's figures
///
/// Each case is run once to warm up, then --repeats times; the median counts. Silhouettes are
/// random, at full width, 64 x 44. A training step is forward, both losses, backward and Adam. The
/// distances are those of 5,000 sequences to 5,000 others, 64 strips of 256 channels.
#[derive(Args)]
pub struct Bench {
    /// Time only cases whose name holds this; may be given more than once
    #[arg(long, value_name = "PART")]
    case: Vec<String>,
    /// Runs that count
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
    /// Threads; 0 for one per core
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Write the figures as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Compare with figures that this command or reference/bench_torch.py wrote
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Instead: how the cost of a preset grows with frames, map, channels, clips and threads
    #[arg(long, value_name = "PRESET", conflicts_with_all = ["case", "json", "against"])]
    growth: Option<String>,
}

#[derive(Clone, Copy)]
enum Kind {
    Test,
    Train,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Test => "test",
            Self::Train => "train",
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Report {
    cases: Vec<Case>,
    /// The most memory that the process held at any time, where the system tells.
    peak_bytes: Option<u64>,
    threads: usize,
}

#[derive(Serialize, Deserialize)]
struct Case {
    name: String,
    seconds: f64,
}

impl Bench {
    pub fn run(self) -> anyhow::Result<Outcome> {
        let theirs = self.against.as_deref().map(read_report).transpose()?;
        rayon::ThreadPoolBuilder::new().num_threads(self.threads).build_global()?;
        let threads = rayon::current_num_threads();
        if let Some(theirs) = theirs.as_ref().filter(|theirs| theirs.threads != threads) {
            let told = theirs.threads;
            bail!(
                "the other figures are of {told} threads, ours of {threads}; give --threads {told}"
            );
        }
        if let Some(preset) = &self.growth {
            growth::run(&self, preset)?;
            return Ok(Outcome::Done);
        }
        say(format!("{:26} {:>9} {:>9} {:>7}", "case", "seconds", "theirs", "theirs/ours"));
        let mut cases = Vec::new();
        for (name, prepare) in planned() {
            if !self.case.is_empty() && !self.case.iter().any(|part| name.contains(part)) {
                continue;
            }
            let seconds = self.median(&mut *prepare()?)?;
            let other = theirs.as_ref().and_then(|t| t.cases.iter().find(|c| c.name == name));
            let compared = other.map_or(String::new(), |other| {
                format!("{:>9.3} {:>7.2}", other.seconds, other.seconds / seconds)
            });
            say(format!("{name:26} {seconds:>9.3} {compared}"));
            cases.push(Case { name, seconds });
        }
        let report = Report { cases, peak_bytes: peak_bytes(), threads };
        if let Some(bytes) = report.peak_bytes {
            let other = theirs.and_then(|t| t.peak_bytes);
            let compared = other.map_or(String::new(), |other| format!(", theirs {}", mega(other)));
            say(format!("peak memory {}{compared}; {threads} threads", mega(bytes)));
        }
        if let Some(path) = &self.json {
            files::write_json(path, &serde_json::to_value(&report)?)?;
        }
        Ok(Outcome::Done)
    }

    fn median(&self, work: &mut Work) -> anyhow::Result<f64> {
        work()?;
        let mut seconds = Vec::new();
        for _ in 0..self.repeats {
            let began = Instant::now();
            work()?;
            seconds.push(began.elapsed().as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        let middle = seconds.len() / 2;
        let even = seconds.len().is_multiple_of(2);
        Ok(if even { (seconds[middle - 1] + seconds[middle]) / 2.0 } else { seconds[middle] })
    }
}

type Work = dyn FnMut() -> anyhow::Result<()>;
/// A case by its name, made when its turn comes.
type Planned = (String, Box<dyn Fn() -> anyhow::Result<Box<Work>>>);

fn planned() -> Vec<Planned> {
    let network = |(preset, kind, clips, frames, classes): (&'static str, Kind, _, _, _)| {
        let prepare = move || network_case(Settings::preset(preset)?, kind, clips, frames, classes);
        (format!("{preset}/{kind}/{clips}x{frames}"), Box::new(prepare) as Box<dyn Fn() -> _>)
    };
    let ranking = |(probes, gallery)| {
        let prepare = move || distances::case(probes, gallery);
        (format!("distances/{probes}x{gallery}"), Box::new(prepare) as Box<dyn Fn() -> _>)
    };
    NETWORKS.into_iter().map(network).chain(RANKINGS.into_iter().map(ranking)).collect()
}

/// One pass of a network over random clips: an embedding, or a training step.
fn network_case(
    settings: Settings,
    kind: Kind,
    clips: usize,
    frames: usize,
    classes: usize,
) -> anyhow::Result<Box<Work>> {
    match kind {
        Kind::Test => test_case(&settings, clips, frames),
        Kind::Train => train_case(settings, clips, frames, classes),
    }
}

fn test_case(settings: &Settings, clips: usize, frames: usize) -> anyhow::Result<Box<Work>> {
    let device = gaitgl::cpu();
    // The classifier plays no part at test, so it is made small.
    let network = GaitGl::new(&settings.model, 1, 1, &device)?.evaluator();
    let shape = [clips, 1, frames, settings.model.height, settings.model.width];
    let values: Vec<f32> =
        pixels(shape.iter().product()).iter().map(|&v| f32::from(v) / 255.0).collect();
    let clips = Tensor::<5>::from_data(TensorData::new(values, shape), &device);
    Ok(Box::new(move || {
        network.embed(clips.clone())?.into_data();
        Ok(())
    }))
}

fn train_case(
    mut settings: Settings,
    clips: usize,
    frames: usize,
    classes: usize,
) -> anyhow::Result<Box<Work>> {
    settings.train.learning_rate = 1e-6;
    let (height, width) = (settings.model.height, settings.model.width);
    let subjects = (0..classes).map(|class| class.to_string()).collect();
    let mut trainer = Trainer::new(settings, subjects, &gaitgl::cpu())?;
    let batch = Batch {
        subjects: (0..clips).map(|clip| clip / 2).collect(),
        frames,
        height,
        width,
        pixels: pixels(clips * frames * height * width),
    };
    Ok(Box::new(move || {
        trainer.step(&batch)?;
        Ok(())
    }))
}

/// Bytes without a pattern, the same ones each time.
fn pixels(count: usize) -> Vec<u8> {
    let mut state = 1u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn read_report(path: &Path) -> anyhow::Result<Report> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the figures {}", path.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} holds no figures of a benchmark", path.display()))
}

fn mega(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}

/// The peak resident size, as Linux tells it.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
