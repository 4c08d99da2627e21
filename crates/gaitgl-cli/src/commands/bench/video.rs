//! The time that each stage of the work on a video takes.

use std::time::Instant;

use anyhow::bail;
use gait_vision::{Event, FrameSource, Statistics, Step};
use gaitgl::Embedder;
use serde_json::json;

use super::report::{mega, peak_bytes};
use super::{Bench, print_line};
use crate::source::video::Viewing;
use crate::source::walk::Walk;

/// Reads a video as `identify` does, without comparing anybody, and prints the time of each stage.
pub fn run(bench: &Bench, video: &str) -> anyhow::Result<()> {
    let (_, checkpoint) = bench.trained.load_or_builtin()?;
    let embedder = Embedder::in_precision(&checkpoint, &bench.on.open()?, bench.precision)?;
    let height = checkpoint.settings.model.height;
    let viewing = Viewing::open(&FrameSource::of(video), &bench.vision)?;
    let [width, rows] = viewing.size();
    let mut windows = 0;
    let mut bodies = 0;
    let began = Instant::now();
    let summary = viewing.watch(|step| {
        match step {
            Step::Frame { people, .. } => bodies += people.len(),
            Step::Event(Event::Sequence(sequence)) => {
                for clip in Walk::of_sequence(&sequence, height).windows() {
                    embedder.embed(&clip)?;
                    windows += 1;
                }
            }
            Step::Event(_) => {}
        }
        Ok(())
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let Statistics { frames, late, busy } = summary.statistics;
    if frames == 0 {
        bail!("{video} has no frames to time");
    }
    let stages = [
        ("decode", busy.decode),
        ("detect", busy.detect),
        ("track", busy.track),
        ("mask", busy.mask),
        ("embed", busy.caller),
        ("end to end", seconds),
    ];
    print_line(format!(
        "{video}: {frames} frames of {width} x {rows} with {:.1} people each, {windows} clips embedded",
        bodies as f64 / frames as f64
    ));
    print_line(format!("{:12} {:>9} {:>9}", "stage", "seconds", "frames/s"));
    for (stage, seconds) in stages {
        print_line(format!("{stage:12} {seconds:>9.3} {:>9.1}", frames as f64 / seconds));
    }
    let threads = rayon::current_num_threads();
    let memory = peak_bytes().map_or(String::new(), |b| format!("peak memory {}; ", mega(b)));
    print_line(format!("{memory}{threads} threads"));
    if let Some(target) = &bench.json {
        let stages: serde_json::Map<_, _> =
            stages.iter().map(|(stage, seconds)| ((*stage).to_owned(), json!(seconds))).collect();
        target.write(&json!({
            "video": video,
            "frames": frames,
            "late_frames": late,
            "people": bodies,
            "clips": windows,
            "seconds": stages,
            "peak_bytes": peak_bytes(),
            "threads": threads,
        }))?;
    }
    Ok(())
}
