//! Prepares a small tree of silhouettes and draws a training batch from it.
//!
//! Without arguments it makes a tree of eight synthetic walkers in a temporary folder. With one, it
//! prepares that CASIA-B tree (`subject/condition/view/*.png`):
//!
//! ```text
//! cargo run --release --example prepare_and_sample -- SILHOUETTES
//! ```

#![allow(clippy::print_stdout, reason = "an example prints its results")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gait_data::synth::{SynthOptions, write_tree};
use gait_data::{
    Batch, BatchSettings, ClipSampler, Layout, PrepareOptions, PreparedSet, Watch, bytes_to_unit,
    prepare,
};

/// Prepares the tree `raw` into `out`, opens the set and draws the first batch.
pub fn prepare_and_sample(raw: &Path, out: &Path) -> Result<Batch, Box<dyn Error>> {
    let options = PrepareOptions::new(Layout::CasiaB);
    let report = prepare(raw, out, &options, &Watch::silent())?;
    // What was skipped is part of the result, not an error.
    print!("{report}");
    let set = PreparedSet::open(out)?;
    println!("the set has {} sequences; its fingerprint is {}", set.len(), set.fingerprint());
    // Two identities times two sequences times ten frames.
    let settings = BatchSettings { subjects: 2, sequences: 2, frames: 10, with_replacement: false };
    let seed = 0;
    let sampler = ClipSampler::new(Arc::new(set), settings, seed)?;
    Ok(sampler.batch(1)?)
}

/// Writes eight synthetic walkers, seen from one side, into `raw`.
pub fn write_walkers(raw: &Path) -> Result<(), Box<dyn Error>> {
    let options =
        SynthOptions { subjects: 8, views: vec![90.0], frames: 12, ..SynthOptions::default() };
    write_tree(raw, &options, &Watch::silent())?;
    Ok(())
}

#[allow(dead_code, reason = "the test of this example calls the functions above")]
fn main() -> Result<(), Box<dyn Error>> {
    let place = tempfile::tempdir()?;
    let raw = match std::env::args_os().nth(1) {
        Some(raw) => PathBuf::from(raw),
        None => {
            let raw = place.path().join("raw");
            write_walkers(&raw)?;
            raw
        }
    };
    let batch = prepare_and_sample(&raw, &place.path().join("set"))?;
    println!(
        "a batch of {} clips of {} frames of {} x {} pixels, of the classes {:?}",
        batch.subjects.len(),
        batch.frames,
        batch.height,
        batch.width,
        batch.subjects
    );
    let values = bytes_to_unit(&batch.pixels);
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    println!("their mean brightness is {mean:.3} of 1");
    Ok(())
}
