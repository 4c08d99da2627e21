//! Distances of sequences, in blocks: ranking a large gallery never holds the full matrix.
//!
//! Every pair is computed with the same instructions in the same order, wherever it is in a block.
//! So results do not depend on the blocks or on the number of threads, equal embeddings have a
//! Euclidean distance of exactly 0, and two equal gallery entries tie exactly. This is why the
//! Euclidean distances sum squared differences and do not use `|x|^2 + |y|^2 - 2xy`.

use rayon::prelude::*;

use crate::columns::COLUMNS;
use crate::pairwise::Probes;
use crate::range::Scale;
use crate::{Distance, Embeddings, EvalError, Watch};

/// Probes whose distances to the whole gallery are held at once. The gallery is packed again for each
/// block: with blocks of 256 this took a quarter of the time (2,500 against 2,500 sequences in 2.3 s
/// instead of 1.8 s, AVX-512).
const PROBE_BLOCK: usize = 1024;
/// The most distances held at once (256 MiB), whatever the size of the gallery.
const HELD_DISTANCES: usize = 64 << 20;

/// Distances `[probes, gallery]` between the sequences at these indices of `e`, the full matrix.
///
/// Only for sets whose matrix fits in memory; [`map_rows`] ranks larger ones.
///
/// # Errors
/// [`EvalError::Range`] if a distance exceeds single precision.
pub fn distance_matrix(
    e: &Embeddings,
    distance: Distance,
    probes: &[usize],
    gallery: &[usize],
) -> Result<Vec<f32>, EvalError> {
    let row = |_: usize, row: &[f32]| row.to_vec();
    Ok(map_rows(e, distance, probes, gallery, &Watch::silent(), row)?.concat())
}

/// Calls `f` with each probe's position in `probes` and its distances to the whole gallery
/// (`[gallery]`), a block of probes at a time on all threads, and returns the results in order.
///
/// # Errors
/// [`EvalError::Range`] if a distance exceeds single precision, [`EvalError::Stopped`] if the watch
/// asks to stop.
pub fn map_rows<T: Send>(
    e: &Embeddings,
    distance: Distance,
    probes: &[usize],
    gallery: &[usize],
    watch: &Watch,
    f: impl Fn(usize, &[f32]) -> T + Sync,
) -> Result<Vec<T>, EvalError> {
    let scale = Scale::new(e, distance);
    if scale.factor() == 1.0 {
        return relative_rows(e, distance, probes, gallery, watch, f);
    }
    let restored = |at: usize, row: &[f32]| {
        let row: Result<Vec<f32>, _> = row.iter().map(|d| scale.restored(*d)).collect();
        row.map(|row| f(at, &row))
    };
    relative_rows(e, distance, probes, gallery, watch, restored)?.into_iter().collect()
}

/// [`distance_matrix`] in the unit of [`Scale`], which is enough to rank.
pub(crate) fn relative_matrix(
    e: &Embeddings,
    distance: Distance,
    probes: &[usize],
    gallery: &[usize],
) -> Result<Vec<f32>, EvalError> {
    let row = |_: usize, row: &[f32]| row.to_vec();
    Ok(relative_rows(e, distance, probes, gallery, &Watch::silent(), row)?.concat())
}

/// [`map_rows`] in the unit of [`Scale`], which is enough to rank.
pub(crate) fn relative_rows<T: Send>(
    e: &Embeddings,
    distance: Distance,
    probes: &[usize],
    gallery: &[usize],
    watch: &Watch,
    f: impl Fn(usize, &[f32]) -> T + Sync,
) -> Result<Vec<T>, EvalError> {
    let block = (HELD_DISTANCES / gallery.len().max(1)).clamp(1, PROBE_BLOCK);
    let mut results = Vec::with_capacity(probes.len());
    let mut distances = vec![0.0; block.min(probes.len()) * gallery.len()];
    for (at, some) in probes.chunks(block).enumerate() {
        watch.check()?;
        let packed = Probes::new(e, distance, some);
        let distances = &mut distances[..some.len() * gallery.len()];
        // Each gallery block owns one stripe [some, entries] of the distances.
        distances
            .par_chunks_mut(some.len() * COLUMNS)
            .zip(gallery.par_chunks(COLUMNS))
            .try_for_each(|(stripe, entries)| packed.compare(entries, stripe))?;
        let stripes = &*distances;
        let part: Vec<T> = (0..some.len())
            .into_par_iter()
            .map_init(Vec::new, |row: &mut Vec<f32>, i| {
                row.clear();
                extend_from_stripes(row, stripes, some.len(), i);
                f(at * block + i, row)
            })
            .collect();
        results.extend(part);
        watch.report(results.len() as u64, probes.len() as u64);
    }
    Ok(results)
}

/// Appends the distances of probe `i` of `n`, which are in stripes `[n, entries]` of one gallery
/// block each.
pub(crate) fn extend_from_stripes(row: &mut Vec<f32>, stripes: &[f32], n: usize, i: usize) {
    for stripe in stripes.chunks(n * COLUMNS) {
        let entries = stripe.len() / n;
        row.extend_from_slice(&stripe[i * entries..(i + 1) * entries]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two(channels: usize, strips: usize, values: &[f32]) -> Embeddings {
        let name = || (String::new(), String::new(), String::new());
        Embeddings::new(channels, strips, values.to_vec(), [name(), name()]).unwrap()
    }

    fn check(distance: Distance, expected: f32) {
        // [c, p] = [2, 2]: strip 0 is (3, 4) against (0, 0), strip 1 is (1, 0) against (1, 12).
        let e = two(2, 2, &[3.0, 1.0, 4.0, 0.0, 0.0, 1.0, 0.0, 12.0]);
        let d = distance_matrix(&e, distance, &[0], &[1]).unwrap();
        assert!((d[0] - expected).abs() < 1e-6, "{distance}: {} against {expected}", d[0]);
    }

    #[test]
    fn strips_average_the_lengths_of_strip_differences() {
        check(Distance::Strips, (5.0 + 12.0) / 2.0);
    }

    #[test]
    fn flat_takes_the_embedding_as_one_vector() {
        check(Distance::Flat, 13.0);
    }

    #[test]
    fn cosine_counts_a_zero_strip_as_orthogonal() {
        check(Distance::Cosine, 1.0 - (0.0 + 1.0 / 145.0_f32.sqrt()) / 2.0);
    }

    #[test]
    fn equal_embeddings_are_at_distance_zero_and_huge_ones_stay_ordered() {
        let e = two(1, 2, &[1e30, -1e30, 1e30, -1e30]);
        assert_eq!(distance_matrix(&e, Distance::Strips, &[0], &[0, 1]).unwrap(), [0.0, 0.0]);
        let far = two(1, 1, &[3e38, -3e38]);
        let error = distance_matrix(&far, Distance::Flat, &[0], &[1]).unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with("a distance of 6"), "{message}");
        assert!(!message.contains('\n'), "{message}");
        assert!(relative_matrix(&far, Distance::Flat, &[0], &[1]).unwrap()[0] > 1.0);
    }

    #[test]
    fn a_stop_ends_the_work() {
        let e = two(1, 1, &[0.0, 1.0]);
        let stop = std::sync::atomic::AtomicBool::new(true);
        let watch = Watch { stop: &stop, ..Watch::silent() };
        let result = map_rows(&e, Distance::Flat, &[0], &[1], &watch, |_, _| ());
        assert_eq!(result, Err(EvalError::Stopped(crate::Stopped)));
    }
}
