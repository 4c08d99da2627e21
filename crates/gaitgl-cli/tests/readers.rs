//! Every reader on the saved inputs of its fuzz target, and on seeded changes of them: no panic, no
//! hang, and no more memory than it may take. The functions are those of the fuzz targets, so this is
//! a short run of them on a stable compiler; `fuzz/README.md` tells of the long ones.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../fuzz/src/bounded.rs"]
mod bounded;
#[path = "../../../fuzz/src/data.rs"]
mod data;
#[path = "../../../fuzz/src/network.rs"]
mod network;
#[path = "readers/seeds.rs"]
mod seeds;

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, Once, PoisonError};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Changed inputs for each reader.
const ROUNDS: usize = 20_000;

fn folder(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../fuzz/seeds", target].iter().collect()
}

/// The seeds of a target, sorted by name.
fn saved(target: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{target} has no seeds");
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// A change as fuzzers make them: bytes, numbers at the ends of their range, pieces left out,
/// doubled, or taken from elsewhere.
fn change(bytes: &mut Vec<u8>, other: &[u8], generator: &mut ChaCha8Rng) {
    if bytes.is_empty() {
        bytes.push(generator.random());
    }
    let at = generator.random_range(0..bytes.len());
    let end = generator.random_range(at..=bytes.len().min(at + 40));
    let numbers = [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, u64::MAX];
    match generator.random_range(0..7) {
        0 => bytes[at] = generator.random(),
        1 => bytes[at] ^= 1 << generator.random_range(0..8),
        2 => {
            let number = numbers[generator.random_range(0..numbers.len())].to_le_bytes();
            let size = 1 << generator.random_range(0..4);
            bytes.iter_mut().skip(at).zip(&number[..size]).for_each(|(byte, new)| *byte = *new);
        }
        3 => drop(bytes.drain(at..end)),
        4 => {
            let piece = bytes[at..end].to_vec();
            drop(bytes.splice(at..at, piece));
        }
        5 => bytes.truncate(at),
        _ => {
            let from = generator.random_range(0..=other.len());
            let piece = &other[from..other.len().min(from + 40)];
            drop(bytes.splice(at..end, piece.to_vec()));
        }
    }
}

/// The memory of all threads is counted, so that one reader runs at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Panics of libraries that are caught are not printed thousands of times.
static QUIET: Once = Once::new();

fn check(target: &str, reader: fn(&[u8])) {
    QUIET.call_once(gait_support::keep_caught_panics_quiet);
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let saved = saved(target);
    saved.iter().for_each(|bytes| reader(bytes));
    reader(&[]);
    let mut generator = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..ROUNDS {
        let other = &saved[generator.random_range(0..saved.len())];
        let mut bytes = saved[generator.random_range(0..saved.len())].clone();
        for _ in 0..generator.random_range(1..5) {
            change(&mut bytes, other, &mut generator);
        }
        reader(&bytes);
    }
}

macro_rules! readers {
    ($($room:ident: $($target:ident)*;)*) => {$($(
        #[test]
        fn $target() {
            check(stringify!($target), $room::$target);
        }
    )*)*};
}

readers! {
    data: pickle image clips about partition protocol gallery;
    network: settings sweep checkpoint torch npz parquet;
}
