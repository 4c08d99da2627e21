//! Distances of sequences, in blocks: ranking a large gallery never holds the full matrix.
//!
//! Every pair is computed by the same instructions in the same order wherever it falls in a block,
//! so results do not depend on the blocking or on the number of threads, equal embeddings are at
//! distance exactly 0 (Euclidean) and two equal gallery entries tie exactly. That is why the
//! Euclidean distances sum squared differences and not `|x|^2 + |y|^2 - 2xy`.

use std::fmt;
use std::str::FromStr;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::pairwise::{COLUMNS, Probes};
use crate::{Embeddings, EvalError, Watch};

/// How far two embeddings `[c, p]` are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distance {
    /// Mean over strips of the Euclidean distance between strip vectors: the published code's.
    #[default]
    Strips,
    /// Euclidean distance of the whole embedding as one vector, which older code ranks with.
    Flat,
    /// One minus the mean over strips of the cosine between strip vectors, as published code has
    /// it; a zero vector has cosine 0 with everything.
    Cosine,
}

impl Distance {
    /// All distances.
    pub const ALL: [Self; 3] = [Self::Strips, Self::Flat, Self::Cosine];
}

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Strips => "strips",
            Self::Flat => "flat",
            Self::Cosine => "cosine",
        })
    }
}

impl FromStr for Distance {
    type Err = EvalError;

    fn from_str(name: &str) -> Result<Self, EvalError> {
        Self::ALL.into_iter().find(|d| d.to_string() == name).ok_or_else(|| {
            let known = Self::ALL.iter().map(ToString::to_string).collect();
            EvalError::unknown("distance", name, known)
        })
    }
}

/// Probes whose distances to the whole gallery are held at once. The gallery is packed anew for each
/// block: at 256 that was a quarter of the time (2,500 against 2,500 2.3 s, now 1.8 s, AVX-512).
const PROBE_BLOCK: usize = 1024;
/// Most distances held at once (256 MiB), whatever the size of the gallery.
const HELD_DISTANCES: usize = 64 << 20;

/// Distances `[probes, gallery]` between the sequences at these indices of `e`, the full matrix.
///
/// Only for sets whose matrix fits in memory; ranking goes through [`map_rows`].
pub fn distance_matrix(
    e: &Embeddings,
    distance: Distance,
    probes: &[usize],
    gallery: &[usize],
) -> Vec<f32> {
    let rows = map_rows(e, distance, probes, gallery, &Watch::silent(), |_, row| row.to_vec());
    rows.map(|rows| rows.concat()).unwrap_or_default()
}

/// Calls `f` with each probe's position in `probes` and its distances to the whole gallery
/// (`[gallery]`), a block of probes at a time on all threads, and returns the answers in order.
///
/// # Errors
/// [`EvalError::Stopped`] when the watch says so.
pub fn map_rows<T: Send>(
    e: &Embeddings,
    distance: Distance,
    probes: &[usize],
    gallery: &[usize],
    watch: &Watch,
    f: impl Fn(usize, &[f32]) -> T + Sync,
) -> Result<Vec<T>, EvalError> {
    let block = (HELD_DISTANCES / gallery.len().max(1)).clamp(1, PROBE_BLOCK);
    let mut answers = Vec::with_capacity(probes.len());
    let mut distances = vec![0.0; block.min(probes.len()) * gallery.len()];
    for (at, some) in probes.chunks(block).enumerate() {
        watch.check()?;
        let packed = Probes::new(e, distance, some);
        let distances = &mut distances[..some.len() * gallery.len()];
        // Each gallery block owns one stripe [some, entries] of the distances.
        distances
            .par_chunks_mut(some.len() * COLUMNS)
            .zip(gallery.par_chunks(COLUMNS))
            .for_each(|(stripe, entries)| packed.compare(e, entries, stripe));
        let stripes = &*distances;
        let part: Vec<T> = (0..some.len())
            .into_par_iter()
            .map_init(Vec::new, |row: &mut Vec<f32>, i| {
                row.clear();
                for stripe in stripes.chunks(some.len() * COLUMNS) {
                    let entries = stripe.len() / some.len();
                    row.extend_from_slice(&stripe[i * entries..(i + 1) * entries]);
                }
                f(at * block + i, row)
            })
            .collect();
        answers.extend(part);
        (watch.progress)(answers.len() as u64, probes.len() as u64);
    }
    Ok(answers)
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
        let d = distance_matrix(&e, distance, &[0], &[1]);
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
        assert_eq!(distance_matrix(&e, Distance::Strips, &[0], &[0, 1]), [0.0, 0.0]);
        let far = two(1, 1, &[3e38, -3e38]);
        assert_eq!(distance_matrix(&far, Distance::Flat, &[0], &[1]), [f32::INFINITY]);
    }

    #[test]
    fn names_are_parsed_and_unknown_ones_refused() {
        for distance in Distance::ALL {
            assert_eq!(distance.to_string().parse::<Distance>().unwrap(), distance);
        }
        let message = "cosin".parse::<Distance>().unwrap_err().to_string();
        assert!(message.contains("did you mean `cosine`"), "{message}");
    }

    #[test]
    fn a_stop_ends_the_work() {
        let e = two(1, 1, &[0.0, 1.0]);
        let stop = std::sync::atomic::AtomicBool::new(true);
        let watch = Watch { stop: &stop, ..Watch::silent() };
        let answer = map_rows(&e, Distance::Flat, &[0], &[1], &watch, |_, _| ());
        assert_eq!(answer, Err(EvalError::Stopped(crate::Stopped)));
    }
}
