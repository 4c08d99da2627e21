//! Batches of identities and sequences, and making them in advance.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use common::Place;
use gait_data::{Batch, BatchSettings, Clip, ClipSampler, Prefetcher, PreparedSet};
use image::{GrayImage, Luma};
use proptest::prelude::*;

/// A block whose width encodes the condition, even after trimming, with a gap whose row encodes the
/// frame.
fn marked_frame(condition: usize, number: usize) -> GrayImage {
    GrayImage::from_fn(40, 30, |x, y| {
        let inside = (15..18 + condition as u32).contains(&x) && (4..26).contains(&y);
        Luma([if inside && y != 6 + 2 * number as u32 { 255 } else { 0 }])
    })
}

/// Six training subjects (of ten): 001 with one sequence, 002 with two, and so on, with 1 to 9
/// frames.
fn uneven_set() -> (Place, Arc<PreparedSet>) {
    let place = Place::new();
    for subject in 1..=10_usize {
        for condition in 1..=subject {
            let folder = place.raw().join(format!("{subject:03}/nm-{condition:02}/090"));
            fs::create_dir_all(&folder).unwrap();
            for number in 0..1 + (subject + condition) % 9 {
                marked_frame(condition, number).save(folder.join(format!("{number}.png"))).unwrap();
            }
        }
    }
    place.prepare();
    let set = Arc::new(place.set());
    (place, set)
}

fn sampler(set: &Arc<PreparedSet>, sizes: [usize; 3], seed: u64) -> ClipSampler {
    let [subjects, sequences, frames] = sizes;
    let settings = BatchSettings { subjects, sequences, frames, with_replacement: false };
    ClipSampler::new(Arc::clone(set), settings, seed).unwrap()
}

/// Whether `window` is a run of consecutive frames of the repeated `clip`.
fn is_window(window: &[u8], clip: &Clip) -> bool {
    let size = clip.height * clip.width;
    let frames: Vec<&[u8]> = clip.pixels.chunks(size).collect();
    (0..frames.len()).any(|start| {
        window.chunks(size).enumerate().all(|(t, f)| f == frames[(start + t) % frames.len()])
    })
}

/// Indices of the sequences from which each clip of the batch may come.
fn origins(set: &PreparedSet, sampler: &ClipSampler, batch: &Batch) -> Vec<Vec<usize>> {
    let size = batch.frames * batch.height * batch.width;
    let candidates = |(class, window): (&usize, &[u8])| {
        let subject = &sampler.classes()[*class];
        let members = (0..set.len()).filter(|i| &set.entry(*i).key.subject == subject);
        members.filter(|i| is_window(window, &set.clip(*i).unwrap().trimmed())).collect()
    };
    batch.subjects.iter().zip(batch.pixels.chunks(size)).map(candidates).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn batches_keep_the_rules(
        subjects in 1_usize..=6, sequences in 1_usize..8, frames in 1_usize..14, seed: u64,
        iteration: u64,
    ) {
        use std::sync::OnceLock;
        static SET: OnceLock<(Place, Arc<PreparedSet>)> = OnceLock::new();
        let set = &SET.get_or_init(uneven_set).1;
        let sampler = sampler(set, [subjects, sequences, frames], seed);
        let batch = sampler.batch(iteration).unwrap();
        prop_assert_eq!((batch.frames, batch.height, batch.width), (frames, 64, 44));
        prop_assert_eq!(batch.pixels.len(), subjects * sequences * frames * 64 * 44);
        prop_assert_eq!(&batch, &sampler.batch(iteration).unwrap());
        // P different identities, and the K sequences of each follow one another.
        let groups: Vec<&[usize]> = batch.subjects.chunks(sequences).collect();
        prop_assert!(groups.iter().all(|group| group.iter().all(|class| *class == group[0])));
        let different: BTreeSet<usize> = groups.iter().map(|group| group[0]).collect();
        prop_assert_eq!(different.len(), subjects);
        // Every clip is a window of a training sequence of its subject.
        let origins = origins(set, &sampler, &batch);
        prop_assert!(origins.iter().all(|found| !found.is_empty()));
    }
}

#[test]
fn with_replacement_identities_and_sequences_repeat() {
    let (_place, set) = uneven_set();
    let settings = BatchSettings { subjects: 6, sequences: 4, frames: 12, with_replacement: true };
    let sampler = ClipSampler::new(Arc::clone(&set), settings, 5).unwrap();
    let mut identities = 0;
    let mut sequences = 0;
    for iteration in 0..20 {
        let batch = sampler.batch(iteration).unwrap();
        assert_eq!(batch.subjects.len(), 24);
        let groups: Vec<usize> = batch.subjects.chunks(4).map(|group| group[0]).collect();
        let distinct: BTreeSet<&usize> = groups.iter().collect();
        identities += usize::from(distinct.len() < 6);
        let origins = origins(&set, &sampler, &batch);
        for (class, found) in groups.iter().zip(origins.chunks(4)) {
            let distinct: BTreeSet<usize> = found.iter().map(|origins| origins[0]).collect();
            // Class 3 is the first subject with four sequences.
            sequences += usize::from(*class >= 3 && distinct.len() < 4);
        }
    }
    assert!(identities > 10 && sequences > 10, "{identities} {sequences}");
}

#[test]
fn sequences_repeat_only_where_there_are_too_few() {
    let (_place, set) = uneven_set();
    let sampler = sampler(&set, [6, 3, 12], 5);
    let mut enough = 0;
    for iteration in 0..20 {
        let batch = sampler.batch(iteration).unwrap();
        let origins = origins(&set, &sampler, &batch);
        for (classes, found) in batch.subjects.chunks(3).zip(origins.chunks(3)) {
            assert!(found.iter().all(|origins| origins.len() == 1), "{found:?}");
            let different: BTreeSet<usize> = found.iter().map(|origins| origins[0]).collect();
            // Class 2 is the first subject with three sequences.
            if classes[0] >= 2 {
                assert_eq!(different.len(), 3, "class {}", classes[0]);
                enough += 1;
            }
        }
    }
    // All six classes are in every batch, and four of them have enough sequences.
    assert_eq!(enough, 20 * 4);
}

#[test]
fn iterations_and_seeds_differ_and_windows_reach_both_ends() {
    let place = Place::with_tree(2, 1, 9);
    place.prepare();
    let set = Arc::new(place.set());
    let one = sampler(&set, [1, 1, 3], 1);
    let batches: Vec<Batch> = (0..60).map(|i| one.batch(i).unwrap()).collect();
    assert!(batches.iter().any(|b| b != &batches[0]));
    let other = sampler(&set, [1, 1, 3], 2);
    assert!((0..60).any(|i| other.batch(i).unwrap() != batches[i as usize]));
    let clip = set.clip(0).unwrap().trimmed();
    let size = clip.height * clip.width;
    for (start, name) in [(0, "first"), (6, "last")] {
        let window = &clip.pixels[start * size..(start + 3) * size];
        assert!(batches.iter().any(|b| b.pixels == window), "{name} window never drawn");
    }
}

#[test]
fn impossible_batches_are_refused_with_their_reason() {
    let (_place, set) = uneven_set();
    for (sizes, part) in [
        ([7, 2, 3], "a batch of 7 subjects cannot be drawn from 6 training subjects"),
        ([0, 2, 3], "a batch cannot have 0 subjects"),
        ([2, 0, 3], "a batch cannot have 0 sequences"),
        ([2, 2, 0], "a batch cannot have 0 frames"),
        ([2, 2, usize::MAX], "2 x 2 clips of"),
    ] {
        let [subjects, sequences, frames] = sizes;
        let settings = BatchSettings { subjects, sequences, frames, with_replacement: false };
        let error = ClipSampler::new(Arc::clone(&set), settings, 0).unwrap_err().to_string();
        assert!(error.starts_with(part), "{error}");
    }
}

#[test]
fn prefetching_gives_the_same_batches_in_order() {
    let (_place, set) = uneven_set();
    let sampler = Arc::new(sampler(&set, [3, 2, 5], 9));
    let mut prefetcher = Prefetcher::new(&sampler, 7, 27, 3, 4);
    for iteration in 7..27 {
        assert_eq!(prefetcher.next().unwrap().unwrap(), sampler.batch(iteration).unwrap());
    }
    assert!(prefetcher.next().is_none());
    drop(prefetcher);
    // Dropped before the end, it ends its threads.
    let mut prefetcher = Prefetcher::new(&sampler, 0, u64::MAX, 2, 2);
    assert!(prefetcher.next().is_some());
    drop(prefetcher);
    assert_eq!(Arc::strong_count(&sampler), 1);
}

#[test]
fn a_damaged_sequence_reaches_the_consumer_as_an_error() {
    let place = Place::with_tree(2, 1, 4);
    place.prepare();
    let path = place.out().join("clips.arrow");
    let mut clips = fs::read(&path).unwrap();
    // Damages the bytes after the first zstd frame's magic number.
    let magic = [0x28, 0xB5, 0x2F, 0xFD];
    let at = clips.windows(4).position(|w| w == magic).unwrap();
    clips[at + 12..at + 20].fill(0xA5);
    fs::write(&path, clips).unwrap();
    let sampler = Arc::new(sampler(&Arc::new(place.set()), [1, 1, 3], 0));
    let mut prefetcher = Prefetcher::new(&sampler, 0, 5, 2, 2);
    let error = prefetcher.next().unwrap().unwrap_err().to_string();
    assert!(error.contains("sequence 001/nm-01/090 is damaged"), "{error}");
}
