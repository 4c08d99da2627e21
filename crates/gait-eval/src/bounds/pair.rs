//! The distance of one pair, with the bits that it has in a block.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};

use pulp::{Arch, Simd, WithSimd};

use crate::range::Scale;
use crate::{Distance, Embeddings, EvalError};

/// Distances by strips, pair by pair.
pub(super) struct Exact<'a> {
    pub e: &'a Embeddings,
    pub scale: Scale<'a>,
    computed: AtomicUsize,
}

impl<'a> Exact<'a> {
    pub fn new(e: &'a Embeddings) -> Self {
        Self { e, scale: Scale::new(e, Distance::Strips), computed: AtomicUsize::new(0) }
    }

    /// How many distances were computed.
    pub fn computed(&self) -> usize {
        self.computed.load(Ordering::Relaxed)
    }

    /// The distance of two sequences, in the unit of [`Scale`].
    ///
    /// # Errors
    /// [`EvalError::Range`] if it is too small for the unit.
    pub fn distance(&self, probe: usize, entry: usize) -> Result<f32, EvalError> {
        self.computed.fetch_add(1, Ordering::Relaxed);
        let x = self.e.row(probe);
        let y = self.e.row(entry);
        let strips = self.e.strips();
        let sum = Arch::new().dispatch(Sum { x, y, strips, factor: self.scale.factor() });
        let mut distance = [sum / strips as f32];
        self.scale.refine(&mut distance, x, |_| Cow::Borrowed(y))?;
        let [distance] = distance;
        Ok(distance)
    }
}

/// The sum over strips of the lengths of the differences of two embeddings `[c, p]`.
///
/// The operations and their order are those of [`pairwise`](crate::pairwise): channels are added one
/// after the other, and then strips. Here, a vector holds strips.
struct Sum<'a> {
    x: &'a [f32],
    y: &'a [f32],
    strips: usize,
    factor: f32,
}

/// Vectors of strips that are held in registers together.
const VECTORS: usize = 4;

impl WithSimd for Sum<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let factor = simd.splat_f32s(self.factor);
        let mut sum = 0.0;
        let mut first = 0;
        while first < self.strips {
            let count = (VECTORS * S::F32_LANES).min(self.strips - first);
            let mut totals = [simd.splat_f32s(0.0); VECTORS];
            let rows = self.x.chunks_exact(self.strips).zip(self.y.chunks_exact(self.strips));
            for (x, y) in rows {
                let x = &x[first..first + count];
                let y = &y[first..first + count];
                for (v, total) in totals.iter_mut().enumerate() {
                    let from = (v * S::F32_LANES).min(count);
                    let to = (from + S::F32_LANES).min(count);
                    let x = simd.mul_f32s(simd.partial_load_f32s(&x[from..to]), factor);
                    let y = simd.mul_f32s(simd.partial_load_f32s(&y[from..to]), factor);
                    let difference = simd.sub_f32s(x, y);
                    *total = simd.mul_add_e_f32s(difference, difference, *total);
                }
            }
            for (v, total) in totals.into_iter().enumerate() {
                let from = (v * S::F32_LANES).min(count);
                let to = (from + S::F32_LANES).min(count);
                let mut lengths = [0.0; MOST_LANES];
                let lengths = &mut lengths[..to - from];
                simd.partial_store_f32s(lengths, simd.sqrt_f32s(total));
                for length in lengths {
                    sum += *length;
                }
            }
            first += count;
        }
        sum
    }
}

/// No vector holds more floats.
const MOST_LANES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distance_matrix;
    use crate::rows::relative_matrix;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_pair_has_the_bits_of_the_matrix(
            channels in 1..40usize,
            strips in 1..140usize,
            power in prop::sample::select(vec![-90, -20, 0, 30, 60]),
            seed in any::<u32>(),
        ) {
            let width = channels * strips;
            let noise = |i: usize| (i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 9;
            let values = (0..3 * width).map(|i| (noise(i) as f32 / 4e6 - 1.0) * 2f32.powi(power));
            let mut values: Vec<f32> = values.collect();
            // The third is nearly a copy of the first.
            values.copy_within(..width, 2 * width);
            values[2 * width] *= 1.0 + f32::EPSILON;
            let names = (0..3).map(|i| (i.to_string(), String::new(), String::new()));
            let e = Embeddings::new(channels, strips, values, names).unwrap();
            let exact = Exact::new(&e);
            let matrix = relative_matrix(&e, Distance::Strips, &[0, 1, 2], &[0, 1, 2]);
            let Ok(matrix) = matrix else { return Ok(()) };
            for (at, &expected) in matrix.iter().enumerate() {
                let found = exact.distance(at / 3, at % 3).unwrap();
                prop_assert_eq!(found.to_bits(), expected.to_bits(), "{}", at);
            }
        }
    }

    #[test]
    fn a_distance_that_vanishes_is_an_error_here_too() {
        let names = (0..2).map(|i| (i.to_string(), String::new(), String::new()));
        let e = Embeddings::new(2, 1, vec![1e30, 1e-20, 1e30, 0.0], names).unwrap();
        let expected = distance_matrix(&e, Distance::Strips, &[0], &[1]).unwrap_err();
        assert_eq!(Exact::new(&e).distance(0, 1).unwrap_err(), expected);
    }
}
