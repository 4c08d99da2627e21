//! `gaitgl bench`: how long the networks take on this machine.

mod distances;
mod growth;
mod networks;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use burn::tensor::Device;
use clap::Args;
use gaitgl::device;
use gaitgl::settings::Settings;
use serde::{Deserialize, Serialize};

use super::{OnDevice, say};
use crate::{Outcome, files};
use networks::{Kind, Network};

/// The networks that are timed: preset, test or training step, clips x frames, classes. The last two
/// are the batches of published code, 8 subjects x 8 clips.
const NETWORKS: [(&str, Kind, usize, usize, usize); 10] = [
    ("parts-small", Kind::Test, 1, 30, 74),
    ("parts-small", Kind::Test, 1, 90, 74),
    ("paper-small", Kind::Test, 1, 30, 74),
    ("paper-small", Kind::Test, 1, 90, 74),
    ("parts-large", Kind::Test, 1, 30, 5153),
    ("paper-large", Kind::Test, 1, 30, 5153),
    ("parts-small", Kind::Train, 8, 30, 74),
    ("paper-small", Kind::Train, 8, 30, 74),
    ("parts-small", Kind::Train, 64, 30, 74),
    ("paper-small", Kind::Train, 64, 30, 74),
];
/// The rankings that are timed, always on the CPU: probes and gallery.
const RANKINGS: [(usize, usize); 1] = [(5_000, 5_000)];
/// Clips that are many for a CPU.
const MANY: usize = 64;

/// Time the networks on this machine, beside another program's figures
///
/// Each case is run once to warm up, on a GPU three times, then --repeats times; the median counts.
/// Silhouettes are random, at full width, 64 x 44. A training step is forward, both losses, backward
/// and Adam. On the CPU the steps of 64 clips are timed only if --case gives their whole name. The
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
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=1024))]
    threads: u16,
    #[command(flatten)]
    on: OnDevice,
    /// What the convolutions of a training step compute in
    #[arg(long, default_value = "f32", value_parser = ["f32", "f16", "bf16"])]
    precision: String,
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

/// What this command writes and reads. Of another program's file only the cases are needed.
#[derive(Serialize, Deserialize)]
struct Report {
    cases: Vec<Case>,
    /// The most memory that the process held at any time, where the system tells.
    peak_bytes: Option<u64>,
    /// The memory of a GPU that the process held at the end, freed pages included.
    #[serde(default)]
    device_bytes: Option<u64>,
    /// Threads on the processor, where the program that wrote this tells.
    threads: Option<usize>,
    #[serde(default = "on_cpu")]
    device: String,
    #[serde(default = "in_f32")]
    precision: String,
}

fn on_cpu() -> String {
    "cpu".into()
}

fn in_f32() -> String {
    "f32".into()
}

#[derive(Serialize, Deserialize)]
struct Case {
    name: String,
    seconds: f64,
}

impl Bench {
    pub fn run(self) -> anyhow::Result<Outcome> {
        let theirs = self.against.as_deref().map(read_report).transpose()?;
        rayon::ThreadPoolBuilder::new().num_threads(usize::from(self.threads)).build_global()?;
        let threads = rayon::current_num_threads();
        let device = self.on.open()?;
        let on_cpu = device == gaitgl::cpu();
        if let Some(theirs) = theirs.as_ref().filter(|_| on_cpu) {
            check_threads(theirs, threads)?;
        }
        if let Some(preset) = &self.growth {
            growth::run(&self, preset, &device)?;
            return Ok(Outcome::Done);
        }
        let planned = self.planned(&device)?;
        say(format!("{:26} {:>9} {:>9} {:>7}", "case", "seconds", "theirs", "theirs/ours"));
        let mut cases = Vec::new();
        for (name, prepare) in planned {
            let seconds = self.median(&mut *prepare()?, &device)?;
            let other = theirs.as_ref().and_then(|t| t.cases.iter().find(|c| c.name == name));
            let compared = other.map_or(String::new(), |other| {
                format!("{:>9.3} {:>7.2}", other.seconds, other.seconds / seconds)
            });
            say(format!("{name:26} {seconds:>9.3} {compared}"));
            cases.push(Case { name, seconds });
        }
        let report = Report {
            cases,
            peak_bytes: peak_bytes(),
            device_bytes: device.memory_pool_usage().map(|usage| usage.bytes_reserved),
            threads: Some(threads),
            device: device::describe(&device),
            precision: self.precision.clone(),
        };
        if let Some(bytes) = report.peak_bytes {
            let other = theirs.and_then(|t| t.peak_bytes);
            let compared = other.map_or(String::new(), |other| format!(", theirs {}", mega(other)));
            say(format!("peak memory {}{compared}; {threads} threads", mega(bytes)));
        }
        if let Some(bytes) = report.device_bytes {
            say(format!("memory of {} {}", report.device, mega(bytes)));
        }
        if let Some(path) = &self.json {
            files::write_json(path, &serde_json::to_value(&report)?)?;
        }
        Ok(Outcome::Done)
    }

    /// The cases that are asked for.
    fn planned<'a>(&'a self, device: &'a Device) -> anyhow::Result<Vec<Planned<'a>>> {
        let on_cpu = *device == gaitgl::cpu();
        let mut planned: Vec<Planned> = Vec::new();
        let mut known = Vec::new();
        for (preset, kind, clips, frames, classes) in NETWORKS {
            let name = format!("{preset}/{kind}/{clips}x{frames}");
            let prepare = move || {
                let settings = self.settings(preset)?;
                Network { settings, kind, clips, frames, classes }.work(device)
            };
            known.push(name.clone());
            if self.wants(&name, on_cpu && clips >= MANY) {
                planned.push((name, Box::new(prepare)));
            }
        }
        for (probes, gallery) in RANKINGS {
            let name = format!("distances/{probes}x{gallery}");
            known.push(name.clone());
            if self.wants(&name, false) {
                planned.push((name, Box::new(move || distances::case(probes, gallery))));
            }
        }
        if planned.is_empty() {
            let (asked, known) = (self.case.join(", "), known.join(", "));
            bail!(
                "no case is named {asked}; there are {known} (those of 64 clips by the whole name)"
            );
        }
        Ok(planned)
    }

    /// A preset in the precision that is asked for.
    fn settings(&self, preset: &str) -> anyhow::Result<Settings> {
        let precision = format!("train.precision={}", self.precision);
        Ok(Settings::preset(preset)?.assign(&[precision])?)
    }

    /// Whether a case is asked for; one of `many` clips only by its whole name.
    fn wants(&self, name: &str, many: bool) -> bool {
        match many {
            true => self.case.iter().any(|case| case == name),
            false => self.case.is_empty() || self.case.iter().any(|part| name.contains(part)),
        }
    }

    fn median(&self, work: &mut Work, device: &Device) -> anyhow::Result<f64> {
        let warm_up = if *device == gaitgl::cpu() { 1 } else { 3 };
        for _ in 0..warm_up {
            work()?;
        }
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
type Planned<'a> = (String, Box<dyn Fn() -> anyhow::Result<Box<Work>> + 'a>);

fn read_report(path: &Path) -> anyhow::Result<Report> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the figures {}", path.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} holds no figures of a benchmark", path.display()))
}

/// Refuses figures of another number of threads; those that do not tell it are compared as they are.
fn check_threads(theirs: &Report, threads: usize) -> anyhow::Result<()> {
    match theirs.threads {
        None => say(format!("the other figures do not tell their threads; ours are of {threads}")),
        Some(told) if told != threads => bail!(
            "the other figures are of {told} threads, ours of {threads}; give --threads {told}"
        ),
        Some(_) => {}
    }
    Ok(())
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
