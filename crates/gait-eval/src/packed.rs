//! A gallery that is packed once and compared with many probes.

use rayon::prelude::*;

use crate::columns::{COLUMNS, Columns, Shape};
use crate::pairwise::Probes;
use crate::range::Scale;
use crate::rows::{distance_matrix, extend_from_stripes};
use crate::{Distance, Embeddings, EvalError};

/// A gallery in memory, in the order in which its vectors are compared: a probe reads it once, from
/// front to back. It holds each value once, in single precision.
///
/// The distances are those of [`distance_matrix`], to the bit.
///
/// ```
/// use gait_eval::{Distance, Embeddings, PackedGallery};
///
/// let set = |values: Vec<f32>| {
///     let names = (0..values.len() / 2).map(|i| (i.to_string(), String::new(), String::new()));
///     Embeddings::new(2, 1, values, names)
/// };
/// let mut gallery = PackedGallery::new(&set(vec![0.0, 0.0])?, Distance::Strips);
/// gallery.push(&set(vec![3.0, 4.0, 6.0, 8.0])?)?;
/// assert_eq!(gallery.distances(&set(vec![0.0, 0.0])?)?, [0.0, 5.0, 10.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PackedGallery {
    shape: Shape,
    /// Whole blocks of [`COLUMNS`] entries, not scaled.
    blocks: Vec<Columns>,
    /// The entries after them, `[n, c, p]`.
    rest: Vec<f32>,
    /// The largest magnitude among all values.
    largest: f32,
}

impl PackedGallery {
    /// A gallery of these embeddings.
    pub fn new(e: &Embeddings, distance: Distance) -> Self {
        let shape = Shape::new(e, distance);
        let mut packed = Self { shape, blocks: Vec::new(), rest: Vec::new(), largest: 0.0 };
        packed.append(e);
        packed
    }

    /// Adds embeddings behind those that are there.
    ///
    /// # Errors
    /// [`EvalError::Shape`] if they have other channels or strips.
    pub fn push(&mut self, e: &Embeddings) -> Result<(), EvalError> {
        self.check(e)?;
        self.append(e);
        Ok(())
    }

    fn append(&mut self, e: &Embeddings) {
        self.largest = self.largest.max(e.largest());
        self.rest.extend_from_slice(e.values());
        let block = COLUMNS * e.width();
        let whole = self.rest.len() - self.rest.len() % block;
        let packed = self.rest[..whole].par_chunks(block).map(|rows| self.columns(rows));
        let packed: Vec<Columns> = packed.collect();
        self.blocks.extend(packed);
        self.rest.drain(..whole);
    }

    /// Packs embeddings `[n, c, p]` of at most one block.
    fn columns(&self, rows: &[f32]) -> Columns {
        let rows: Vec<&[f32]> = rows.chunks_exact(self.width()).collect();
        Columns::new(&self.shape, 1.0, &rows)
    }

    /// Number of embeddings, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a packed gallery is never empty")]
    pub fn len(&self) -> usize {
        self.blocks.len() * COLUMNS + self.rest.len() / self.width()
    }

    /// Channels and strips of an embedding.
    pub fn sizes(&self) -> [usize; 2] {
        self.shape.sizes()
    }

    fn width(&self) -> usize {
        self.sizes().into_iter().product()
    }

    fn check(&self, e: &Embeddings) -> Result<(), EvalError> {
        if self.shape.fits(e) {
            return Ok(());
        }
        Err(EvalError::Shape { given: [e.channels(), e.strips()], gallery: self.sizes() })
    }

    /// Distances `[probes, gallery]`, computed on all threads.
    ///
    /// # Errors
    /// [`EvalError::Shape`] if the probes have other channels or strips, [`EvalError::Range`] if a
    /// distance exceeds single precision.
    pub fn distances(&self, probes: &Embeddings) -> Result<Vec<f32>, EvalError> {
        self.check(probes)?;
        let distance = self.shape.distance;
        let scale = Scale::beside(probes, distance, self.largest);
        if scale.factor() != 1.0 {
            return self.scaled_distances(probes);
        }
        let n = probes.len();
        let indices: Vec<usize> = (0..n).collect();
        let packed = Probes::scaled(probes, distance, &indices, scale);
        let mut stripes = vec![0.0; n * self.len()];
        let (whole, rest) = stripes.split_at_mut(self.blocks.len() * COLUMNS * n);
        whole
            .par_chunks_exact_mut(n * COLUMNS)
            .zip(&self.blocks)
            .try_for_each(|(stripe, block)| packed.compare_packed(block, stripe))?;
        if !rest.is_empty() {
            packed.compare_packed(&self.columns(&self.rest), rest)?;
        }
        if n == 1 {
            return Ok(stripes);
        }
        let mut rows = Vec::with_capacity(stripes.len());
        (0..n).for_each(|i| extend_from_stripes(&mut rows, &stripes, n, i));
        Ok(rows)
    }

    /// [`Self::distances`] where values are so large or small that they must be scaled before they
    /// are compared. No network gives such, so this may be slow.
    fn scaled_distances(&self, probes: &Embeddings) -> Result<Vec<f32>, EvalError> {
        let mut values = Vec::with_capacity(self.len() * self.width());
        for block in &self.blocks {
            (0..COLUMNS).for_each(|entry| values.extend(block.row(&self.shape, entry)));
        }
        values.extend_from_slice(&self.rest);
        let all = probes.with_values("gallery", values);
        let indices: Vec<usize> = (0..all.len()).collect();
        let (probes, gallery) = indices.split_at(probes.len());
        distance_matrix(&all, self.shape.distance, probes, gallery)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unnamed(channels: usize, strips: usize, values: Vec<f32>) -> Embeddings {
        let n = values.len() / channels / strips;
        let names = (0..n).map(|i| (i.to_string(), String::new(), String::new()));
        Embeddings::new(channels, strips, values, names).unwrap()
    }

    fn noise(count: usize, factor: f32) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 % 2003) as f32 / 500.0 - 2.0) * factor).collect()
    }

    /// The same bits as the matrix, however the gallery was pushed and whatever the scales.
    fn check(channels: usize, strips: usize, scales: [f32; 2], near: f32) {
        let width = channels * strips;
        let n = 3 + 150;
        let mut values = noise(3 * width, scales[0]);
        values.extend(noise(150 * width, scales[1]));
        // A copy of a probe, and one that is nearly a copy.
        values.copy_within(..width, 70 * width);
        values.copy_within(..width, 152 * width);
        values[152 * width] += near;
        let gallery = |from: usize, to: usize| {
            unnamed(channels, strips, values[from * width..to * width].to_vec())
        };
        let probes = gallery(0, 3);
        let all = unnamed(channels, strips, values.clone());
        let indices: Vec<usize> = (0..n).collect();
        for distance in Distance::ALL {
            let expected = distance_matrix(&all, distance, &indices[..3], &indices[3..]).unwrap();
            let mut packed = PackedGallery::new(&gallery(3, 40), distance);
            packed.push(&gallery(40, 41)).unwrap();
            packed.push(&gallery(41, n)).unwrap();
            assert_eq!((packed.len(), packed.sizes()), (150, [channels, strips]));
            assert_eq!(packed.distances(&probes).unwrap(), expected, "{distance}");
            let first = packed.distances(&gallery(0, 1)).unwrap();
            if scales[0] == scales[1] {
                assert_eq!(first, expected[..150], "{distance}");
            }
        }
    }

    #[test]
    fn packed_distances_have_the_bits_of_the_matrix() {
        check(131, 3, [1.0, 1.0], 1e-9);
        check(64, 16, [1.0, 1.0], 2e-6);
        check(1, 1, [1.0, 1.0], 1e-7);
    }

    #[test]
    fn values_far_from_one_are_compared_too() {
        check(5, 2, [1e20, 1e20], 1e15);
        check(5, 2, [1e-20, 1e-20], 1e-25);
        check(5, 2, [1e12, 1.0], 0.0);
        check(5, 2, [1.0, 1e12], 0.0);
    }

    #[test]
    fn other_shapes_are_refused() {
        let mut packed = PackedGallery::new(&unnamed(2, 3, noise(12, 1.0)), Distance::Flat);
        let other = unnamed(3, 2, noise(12, 1.0));
        let expected = EvalError::Shape { given: [3, 2], gallery: [2, 3] };
        assert_eq!(packed.distances(&other).unwrap_err(), expected);
        assert_eq!(packed.push(&other).unwrap_err(), expected);
        assert_eq!(packed.len(), 2);
    }
}
