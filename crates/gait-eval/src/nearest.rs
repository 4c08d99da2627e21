//! The nearest sequences of a gallery.

use crate::bounds::{FirstPass, Row, Wanted, bounded_rows};
use crate::range::Scale;
use crate::{Distance, Embeddings, EvalError, Neighbour, Watch};

/// The `most` nearest sequences of the gallery to each probe, nearest first; of equal distances, the
/// one that comes first in `gallery`.
///
/// Distances are those of [`map_rows`](crate::map_rows), to the bit, but only few of them are computed
/// in full: on processors with tiles for bf16, this takes a fifth of the time.
///
/// # Errors
/// [`EvalError::Range`] if a distance exceeds single precision, [`EvalError::Stopped`] if the watch
/// asks to stop.
pub fn nearest(
    e: &Embeddings,
    distance: Distance,
    probes: &[usize],
    gallery: &[usize],
    most: usize,
    watch: &Watch,
) -> Result<Vec<Vec<Neighbour>>, EvalError> {
    let pass = FirstPass::choose(e, distance, [probes.len(), gallery.len()], Wanted::Nearest);
    let scale = Scale::new(e, distance);
    let neighbours = |_: usize, row: &mut Row| {
        let nearest = row.nearest(most)?.into_iter();
        let neighbour = |(distance, at): (f32, usize)| {
            let distance = scale.restored(distance)?;
            Ok(Neighbour { sequence: gallery[at], distance })
        };
        nearest.map(neighbour).collect()
    };
    bounded_rows(e, distance, pass, [probes, gallery], watch, neighbours)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map_rows;

    /// Of noise in an odd shape, enough of it for a first pass, with a tie and a copy of a probe.
    #[test]
    fn the_nearest_are_those_of_all_distances() {
        let n = 560;
        let channels = 33;
        let strips = 3;
        let width = channels * strips;
        let mut values: Vec<f32> =
            (0..n * width).map(|i| (i * i % 7919 * 31 % 2003) as f32 / 500.0 - 2.0).collect();
        values.copy_within(..width, 400 * width);
        values.copy_within(450 * width..451 * width, 451 * width);
        let names = (0..n).map(|i| (i.to_string(), String::new(), String::new()));
        let e = Embeddings::new(channels, strips, values, names).unwrap();
        let probes: Vec<usize> = (0..280).collect();
        let gallery: Vec<usize> = (280..n).rev().collect();
        let watch = Watch::silent();
        for distance in Distance::ALL {
            let sorted = |_: usize, row: &[f32]| {
                let mut row: Vec<(f32, usize)> = row.iter().copied().zip(0..).collect();
                row.sort_by(|a, b| a.0.total_cmp(&b.0));
                row.truncate(7);
                let neighbour =
                    |(distance, at): (f32, usize)| Neighbour { sequence: gallery[at], distance };
                row.into_iter().map(neighbour).collect::<Vec<_>>()
            };
            let expected = map_rows(&e, distance, &probes, &gallery, &watch, sorted).unwrap();
            let found = nearest(&e, distance, &probes, &gallery, 7, &watch).unwrap();
            assert_eq!(found, expected, "{distance}");
            assert!(nearest(&e, distance, &probes, &gallery, 0, &watch).unwrap()[0].is_empty());
        }
    }
}
