//! Ranks a gallery of OU-MVLP's size or larger, to see whether it fits in memory.
//!
//! ```text
//! cargo run --release -p gait-eval --example large_gallery -- PROBES GALLERY SECONDS
//! ```
//!
//! All probes and the whole gallery are in memory, 64 strips of 256 channels each (64 KiB a
//! sequence). After SECONDS the work stops, and its progress is printed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use gait_eval::{Distance, Embeddings, EmbeddingsError, EvalError, Watch, nearest};

const CHANNELS: usize = 256;
const STRIPS: usize = 64;

#[allow(clippy::print_stdout, reason = "an example prints its result")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [probes, gallery, seconds] = arguments.as_slice() else {
        return Err("give PROBES GALLERY SECONDS, for instance 150000 130000 60".into());
    };
    let probes: usize = probes.parse()?;
    let gallery: usize = gallery.parse()?;
    let seconds: f64 = seconds.parse()?;
    let embeddings = noise(probes + gallery)?;
    let gigabytes = embeddings.values().len() as f64 * 4.0 / 1e9;
    println!("{} embeddings, {gigabytes:.2} GB", embeddings.len());
    let left: Vec<usize> = (0..probes).collect();
    let right: Vec<usize> = (probes..probes + gallery).collect();
    let began = Instant::now();
    let stop = AtomicBool::new(false);
    let reached = Mutex::new(0);
    let progress = |done: u64, _| {
        if let Ok(mut reached) = reached.lock() {
            *reached = done;
        }
        stop.store(began.elapsed().as_secs_f64() > seconds, Ordering::Relaxed);
    };
    let watch = Watch { progress: &progress, stop: &stop };
    match nearest(&embeddings, Distance::Strips, &left, &right, 1, &watch) {
        Ok(_) | Err(EvalError::Stopped(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let took = began.elapsed().as_secs_f64();
    let reached = reached.lock().map(|reached| *reached).unwrap_or_default();
    println!(
        "{reached} of {probes} probes ranked in {took:.1} s; all would take {:.0} minutes",
        took * probes as f64 / reached.max(1) as f64 / 60.0
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM:"));
    println!("{}", peak.unwrap_or("peak memory: unknown on this system"));
    Ok(())
}

/// Reproducible noise in [-1, 1). No pattern repeats within an embedding, and gigabytes are made
/// quickly.
fn noise(sequences: usize) -> Result<Embeddings, EmbeddingsError> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let values = (0..sequences * CHANNELS * STRIPS).map(|_| next()).collect();
    let names = (0..sequences).map(|i| (i.to_string(), String::new(), String::new()));
    Embeddings::new(CHANNELS, STRIPS, values, names)
}
