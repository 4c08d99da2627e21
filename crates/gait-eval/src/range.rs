//! Keeps distances within the range of single precision.
//!
//! A squared difference overflows above 2^64, and loses bits or vanishes below 2^-63. Embeddings
//! whose largest value is far from 1 are therefore multiplied by a power of two before they are
//! compared. That is exact, so it changes no bit of a distance that could be computed without.
//! Pairs that are much closer than the largest value are compared in double precision, which holds
//! every squared difference of two floats.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::{Distance, Embeddings, EvalError};

/// Largest values at which nothing is scaled: 2^-16 to 2^32. The squares of 2^61 differences can be
/// added, and the smallest distance that is left to single precision, 2^-30 of the largest value, is
/// 2^-46: its square has all bits even if it is the sum of 2^14 squares.
const SAFE: RangeInclusive<f32> = 1.0 / 65_536.0..=4_294_967_296.0;
/// Distances below this part of the largest value are computed in double precision. Only copies and
/// near copies are that close, so it takes no time.
const CLOSE: f32 = 1.0 / (1 << 30) as f32;
/// Squared lengths with which a vector can be normalised as it is.
const SAFE_SQUARES: RangeInclusive<f32> = 1e-24..=1e30;

/// The unit in which a set of embeddings is compared.
#[derive(Clone, Copy)]
pub(crate) struct Scale<'a> {
    e: &'a Embeddings,
    distance: Distance,
    /// The largest magnitude among all values that are compared.
    largest: f32,
    /// A power of two that brings values to the unit.
    factor: f32,
    /// Smaller distances, in the unit, need double precision.
    close: f32,
}

impl<'a> Scale<'a> {
    pub fn new(e: &'a Embeddings, distance: Distance) -> Self {
        Self::beside(e, distance, 0.0)
    }

    /// The unit of `e` and of embeddings with another largest magnitude.
    pub fn beside(e: &'a Embeddings, distance: Distance, other: f32) -> Self {
        let largest = e.largest().max(other);
        // Cosines do not depend on the scale; see `normalize`.
        let factor = match distance {
            Distance::Cosine => 1.0,
            _ if SAFE.contains(&largest) => 1.0,
            _ => inverse_power(largest),
        };
        let close = match distance {
            Distance::Cosine => f32::NEG_INFINITY,
            _ => CLOSE / inverse_power(largest * factor),
        };
        Self { e, distance, largest, factor, close }
    }

    pub fn factor(&self) -> f32 {
        self.factor
    }

    /// Distances below this, in the unit, are computed in double precision.
    pub fn close(&self) -> f32 {
        self.close
    }

    /// Replaces the small ones of the computed distances, in the unit, between a probe and the rows
    /// of a gallery.
    pub fn refine<'g>(
        &self,
        distances: &mut [f32],
        probe: &[f32],
        gallery: impl Fn(usize) -> Cow<'g, [f32]>,
    ) -> Result<(), EvalError> {
        // Nearly always none. Counting them, unlike a search, takes many at a time.
        if distances.iter().filter(|distance| **distance < self.close).count() == 0 {
            return Ok(());
        }
        let pairs = distances.iter_mut().enumerate();
        for (at, distance) in pairs.filter(|(_, distance)| **distance < self.close) {
            let entry = gallery(at);
            // Copies have distance 0 already.
            if probe != &*entry {
                *distance = self.rounded(self.exact(probe, &entry))?;
            }
        }
        Ok(())
    }

    /// A distance that is not zero, in the unit.
    fn rounded(&self, exact: f64) -> Result<f32, EvalError> {
        let exact = exact * f64::from(self.factor);
        let rounded = exact as f32;
        if rounded < f32::MIN_POSITIVE { Err(self.error(exact)) } else { Ok(rounded) }
    }

    /// A distance in the unit as a distance of the embeddings as they are.
    pub fn restored(&self, distance: f32) -> Result<f32, EvalError> {
        let exact = f64::from(distance) / f64::from(self.factor);
        let restored = exact as f32;
        if f64::from(restored) == exact {
            Ok(restored)
        } else {
            Err(self.error(f64::from(distance)))
        }
    }

    /// The Euclidean distance of two embeddings, not in the unit.
    fn exact(&self, a: &[f32], b: &[f32]) -> f64 {
        let strips = self.e.strips();
        let squares = a.iter().zip(b).map(|(x, y)| {
            let difference = f64::from(*x) - f64::from(*y);
            difference * difference
        });
        if self.distance == Distance::Flat {
            return squares.sum::<f64>().sqrt();
        }
        let mut sums = vec![0.0; strips];
        squares.enumerate().for_each(|(at, square)| sums[at % strips] += square);
        sums.into_iter().map(f64::sqrt).sum::<f64>() / strips as f64
    }

    /// A distance in the unit is too large or too small.
    fn error(&self, distance: f64) -> EvalError {
        let at = self.e.values().iter().position(|value| value.abs() == self.largest);
        let name = |at: usize| self.e.name(at / self.e.width()).to_string();
        EvalError::Range {
            distance: distance / f64::from(self.factor),
            largest: self.largest,
            sequence: at.map_or_else(|| "the packed gallery".to_owned(), name),
        }
    }
}

/// Divides the vector at every `step`-th place by its length; a zero vector stays zero.
pub(crate) fn normalize(vector: &mut [f32], step: usize) {
    let squared = |vector: &[f32]| vector.iter().step_by(step).map(|v| v * v).sum::<f32>();
    let mut sum = squared(vector);
    if !SAFE_SQUARES.contains(&sum) {
        let largest = vector.iter().step_by(step).fold(0.0, |a: f32, b| a.max(b.abs()));
        let factor = inverse_power(largest);
        vector.iter_mut().step_by(step).for_each(|value| *value *= factor);
        sum = squared(vector);
    }
    let length = sum.sqrt().max(f32::MIN_POSITIVE);
    vector.iter_mut().step_by(step).for_each(|value| *value /= length);
}

/// The power of two that brings a magnitude to 1 or more, below 2; denormal numbers it brings to
/// 2^-23 or more, and 0 and 1 have 1.
fn inverse_power(magnitude: f32) -> f32 {
    if magnitude == 0.0 {
        return 1.0;
    }
    // Exact: the exponent of a float is part of its bits, and double precision has no denormal ones
    // in the range of floats.
    let power = f64::from_bits(f64::from(magnitude).to_bits() & !((1 << 52) - 1));
    // 2^126 is the largest power of two whose inverse is not denormal.
    power.recip().min(2f64.powi(126)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_bring_any_magnitude_near_one() {
        for magnitude in [f32::MAX, 3e38, 65_536.0, 1.5, 1.0, 1e-20, f32::MIN_POSITIVE] {
            let factor = inverse_power(magnitude);
            assert_eq!(f64::from(factor).to_bits().trailing_zeros().min(52), 52, "a power of two");
            let scaled = f64::from(magnitude) * f64::from(factor);
            assert!((1.0..2.0).contains(&scaled), "{magnitude:e}: {scaled}");
        }
        let denormal = f32::from_bits(1);
        assert_eq!(denormal * inverse_power(denormal), 2f32.powi(-23));
        assert_eq!(inverse_power(0.0), 1.0);
    }

    #[test]
    fn vectors_of_any_length_are_normalised() {
        for scale in [1.0, 1e20, 3e37, 1e-25, 1e-40] {
            let mut vector = [3.0 * scale, 9.0, 4.0 * scale];
            normalize(&mut vector, 2);
            // A denormal number has fewer bits.
            let precision = if scale == 1e-40 { 1e-4 } else { 1e-6 };
            assert!((vector[0] - 0.6).abs() < precision, "{scale:e}: {vector:?}");
            assert!((vector[2] - 0.8).abs() < precision, "{scale:e}: {vector:?}");
            assert_eq!(vector[1], 9.0);
        }
        let mut zero = [0.0, -0.0];
        normalize(&mut zero, 1);
        assert_eq!(zero, [0.0, 0.0]);
    }
}
