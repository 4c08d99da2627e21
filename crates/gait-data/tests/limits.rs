//! The whole path from walkers to batches in a process that cannot start a thread.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::env;
use std::process::Command;
use std::sync::Arc;

use common::Place;
use gait_data::synth::{SynthOptions, write_tree};
use gait_data::{BatchSettings, ClipSampler, Prefetcher, Watch, convert};

const NAME: &str = "without_threads_the_caller_does_the_work";

/// Each thread would need a stack that no address space can hold.
const STACK: u64 = 1 << 60;

#[test]
fn without_threads_the_caller_does_the_work() {
    if env::var_os("RUST_MIN_STACK").is_some() {
        return make_batches();
    }
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", NAME, "--test-threads=1"])
        .env("RUST_MIN_STACK", STACK.to_string())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{output:?}");
}

fn make_batches() {
    assert!(std::thread::Builder::new().spawn(|| ()).is_err(), "threads can be started");
    let place = Place::new();
    let options =
        SynthOptions { subjects: 2, views: vec![90.0], frames: 12, ..SynthOptions::default() };
    let report = write_tree(&place.raw(), &options, &Watch::silent()).unwrap();
    assert_eq!(report.sequences, 20);
    assert_eq!(place.prepare().about.counts.sequences, 20);
    let set = Arc::new(place.set());
    let settings = BatchSettings { subjects: 1, sequences: 2, frames: 4, with_replacement: false };
    let sampler = Arc::new(ClipSampler::new(Arc::clone(&set), settings, 3).unwrap());
    let mut prefetcher = Prefetcher::new(&sampler, 5, 8, 2, 2);
    for iteration in 5..8 {
        assert_eq!(prefetcher.next().unwrap().unwrap(), sampler.batch(iteration).unwrap());
    }
    assert!(prefetcher.next().is_none());
    let converted = place.out().with_file_name("converted");
    assert_eq!(convert(&set, &converted, &Watch::silent()).unwrap().sequences, 20);
}
