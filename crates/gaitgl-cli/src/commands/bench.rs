//! `gaitgl bench`: measures how long the networks take on this machine.

mod distances;
mod growth;
mod networks;
mod report;
mod video;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::bail;
use burn::tensor::Device;
use clap::Args;
use gaitgl::device;
use gaitgl::settings::{Precision, Settings};

use super::{OnDevice, Trained, precision_parser, print_line};
use crate::ExitStatus;
use crate::files::JsonTarget;
use crate::source::video::VisionOptions;
use networks::{Kind, Network};
use report::{Case, Report, peak_bytes};

/// A network to time: its preset, what it does, and the size of its input.
struct NetworkCase {
    preset: &'static str,
    kind: Kind,
    clips: usize,
    frames: usize,
    classes: usize,
}

const fn case(
    preset: &'static str,
    kind: Kind,
    clips: usize,
    frames: usize,
    classes: usize,
) -> NetworkCase {
    NetworkCase { preset, kind, clips, frames, classes }
}

/// The networks to time. Those of 64 clips have the batches of published code: 8 subjects x 8 clips.
const NETWORKS: [NetworkCase; 12] = [
    case("parts-small", Kind::Test, 1, 30, 74),
    case("parts-small", Kind::Test, 1, 90, 74),
    case("paper-small", Kind::Test, 1, 30, 74),
    case("paper-small", Kind::Test, 1, 90, 74),
    case("parts-large", Kind::Test, 1, 30, 5153),
    case("paper-large", Kind::Test, 1, 30, 5153),
    case("parts-small", Kind::Train, 8, 30, 74),
    case("paper-small", Kind::Train, 8, 30, 74),
    case("parts-large", Kind::Train, 8, 30, 5153),
    case("paper-large", Kind::Train, 8, 30, 5153),
    case("parts-small", Kind::Train, 64, 30, 74),
    case("paper-small", Kind::Train, 64, 30, 74),
];
/// The rankings to time, always on the CPU: numbers of probes and of gallery sequences.
const RANKINGS: [(usize, usize); 1] = [(5_000, 5_000)];
/// From this number of clips on, a CPU takes so long for a training step that only the full name
/// selects the case; so it does for large networks.
const MANY_CLIPS: usize = 64;

impl NetworkCase {
    /// Whether a CPU takes long.
    fn is_slow(&self) -> bool {
        let is_large = self.preset.ends_with("-large");
        self.clips >= MANY_CLIPS || is_large && matches!(self.kind, Kind::Train)
    }
}

/// Time the networks on this machine and compare with another program
///
/// Each case runs once as a warm-up (three times on a GPU) and then --repeats times; the median is
/// reported, in seconds. Silhouettes are random and 64 x 44 pixels. A training step consists of
/// forward pass, both losses, backward pass and Adam. On the CPU, steps of large networks and of 64
/// clips are timed only if --case gives their full name. The distances are those between 5,000 sequences and 5,000 others,
/// each with 64 strips of 256 channels.
#[derive(Args)]
pub struct Bench {
    /// Time only the cases whose name contains this; may be given more than once
    #[arg(long, value_name = "PART")]
    case: Vec<String>,
    /// Number of timed runs per case
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
    /// Number of threads; 0 means one per core
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=1024))]
    threads: u16,
    #[command(flatten)]
    on: OnDevice,
    /// Number format of the convolutions
    #[arg(long, default_value = "f32", value_parser = precision_parser(["f32", "f16", "bf16"]))]
    precision: Precision,
    /// Write the report as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<JsonTarget>,
    /// Compare with a report that this command, reference/bench_torch.py or reference/bench_onnx.py
    /// wrote
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Measure instead how the time of a preset grows with frames, map, channels, clips and threads
    #[arg(long, value_name = "PRESET", conflicts_with_all = ["case", "json", "against"])]
    growth: Option<String>,
    /// Measure instead how long each stage of the work on a video takes: decoding, finding people,
    /// tracking, masks, embedding. Stages overlap, so that end to end takes less than their sum
    #[arg(long, value_name = "VIDEO", conflicts_with_all = ["case", "against", "growth"])]
    video: Option<String>,
    #[command(flatten)]
    trained: Trained,
    #[command(flatten)]
    vision: VisionOptions,
}

impl Bench {
    /// The number of threads that the user asked for; 0 means one per core.
    pub fn threads(&self) -> usize {
        self.threads.into()
    }

    pub fn run(self) -> anyhow::Result<ExitStatus> {
        if let Some(target) = &self.json {
            target.prepare()?;
        }
        if let Some(video) = &self.video {
            video::run(&self, video)?;
            return Ok(ExitStatus::Done);
        }
        let other = self.against.as_deref().map(Report::read).transpose()?;
        let threads = rayon::current_num_threads();
        let device = self.on.open()?;
        if let Some(other) = other.as_ref().filter(|_| device == gaitgl::cpu()) {
            other.check_threads(threads)?;
        }
        if let Some(preset) = &self.growth {
            growth::run(&self, preset, &device)?;
            return Ok(ExitStatus::Done);
        }
        let cases = self.time_cases(&device, other.as_ref())?;
        let report = Report {
            cases,
            peak_bytes: peak_bytes(),
            device_bytes: device.memory_pool_usage().map(|usage| usage.bytes_reserved),
            threads: Some(threads),
            device: device::describe(&device),
            precision: self.precision.to_string(),
        };
        report.print_memory(threads, other.as_ref());
        if let Some(target) = &self.json {
            target.write(&serde_json::to_value(&report)?)?;
        }
        Ok(ExitStatus::Done)
    }

    /// Times the requested cases and prints a line for each.
    fn time_cases(&self, device: &Device, other: Option<&Report>) -> anyhow::Result<Vec<Case>> {
        let planned = self.planned(device)?;
        print_line(format!("{:26} {:>9} {:>9} {:>7}", "case", "seconds", "theirs", "theirs/ours"));
        let mut cases = Vec::new();
        for (name, prepare) in planned {
            let seconds = self.median(&mut *prepare()?, device)?;
            let compared = other
                .and_then(|other| other.seconds(&name))
                .map_or(String::new(), |theirs| format!("{theirs:>9.3} {:>7.2}", theirs / seconds));
            print_line(format!("{name:26} {seconds:>9.3} {compared}"));
            cases.push(Case { name, seconds });
        }
        Ok(cases)
    }

    /// The requested cases.
    fn planned<'a>(&'a self, device: &'a Device) -> anyhow::Result<Vec<Planned<'a>>> {
        let on_cpu = *device == gaitgl::cpu();
        let mut planned: Vec<Planned> = Vec::new();
        let mut known = Vec::new();
        for case in NETWORKS {
            let is_slow = on_cpu && case.is_slow();
            let NetworkCase { preset, kind, clips, frames, classes } = case;
            let name = format!("{preset}/{kind}/{clips}x{frames}");
            let prepare = move || {
                let settings = self.settings(preset)?;
                Network { settings, kind, clips, frames, classes }.work(device)
            };
            known.push(name.clone());
            if self.wants(&name, is_slow) {
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
            bail!(
                "no case is named {}; the cases are {} (trainings of large networks or 64 clips \
                 only by their full name)",
                self.case.join(", "),
                known.join(", ")
            );
        }
        Ok(planned)
    }

    /// A preset in the requested precision.
    fn settings(&self, preset: &str) -> anyhow::Result<Settings> {
        let precision = format!("train.precision={}", self.precision);
        Ok(Settings::preset(preset)?.assign(&[precision])?)
    }

    /// Whether a case was requested. A slow one must be requested by its full name.
    fn wants(&self, name: &str, slow: bool) -> bool {
        if slow {
            self.case.iter().any(|case| case == name)
        } else {
            self.case.is_empty() || self.case.iter().any(|part| name.contains(part))
        }
    }

    /// The median time of some work in seconds.
    fn median(&self, work: &mut Work, device: &Device) -> anyhow::Result<f64> {
        // A GPU compiles and tunes its kernels in the first runs.
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

/// Work to be timed, repeatedly.
type Work = dyn FnMut() -> anyhow::Result<()>;
/// The name of a case, and a function that prepares its work when its turn comes.
type Planned<'a> = (String, Box<dyn Fn() -> anyhow::Result<Box<Work>> + 'a>);
