//! A block of probes against a block of the gallery.

use pulp::{Arch, Simd, WithSimd};

use super::format::{Format, TILE};
use super::pack::{Packed, TWO, Terms};

/// Probes and gallery entries of a block. One strip of both, in bf16, and all sums of a block stay
/// in the L2 cache.
pub(super) const PROBES: usize = 128;
pub(super) const ENTRIES: usize = 256;
/// Sums of a block.
pub(super) const SUMS: usize = PROBES * ENTRIES;

/// Adds up the lengths of the differences of strips, `[PROBES, ENTRIES]`, and how far each length may
/// be from that of the rounded strips. `error` is that of [`product_error`].
pub(super) fn add_up<F: Format>(
    left: &Packed<F>,
    right: &Packed<F>,
    strips: usize,
    error: f32,
    sums: &mut [f32],
    errors: &mut [f32],
) {
    let mut products = vec![0.0; left.n * TILE];
    for strip in 0..strips {
        let a = left.strip(strip);
        let depth = a.len() / left.n;
        let tiles = right.strip(strip).chunks_exact(depth * TILE);
        let squares = right.squares(strip).chunks_exact(TILE);
        for (at, (b, columns)) in tiles.zip(squares).enumerate() {
            F::multiply(depth, a, b, &mut products);
            Arch::new().dispatch(Lengths {
                rows: left.squares(strip),
                columns,
                products: &products,
                error,
                sums: &mut sums[at * TILE..],
                errors: &mut errors[at * TILE..],
            });
        }
    }
}

/// How far squared lengths are from those of the rounded strips at most, relative to the sum of the
/// squared lengths of both.
///
/// Adding `n` terms in f32 one after the other loses at most `n * 2^-24` of their magnitudes, in any
/// order. Products of bf16 are exact, and those of rounding errors, which are added first, have a
/// 128th of the magnitude. The squared lengths of both strips are added in 16 lanes. The
/// product of two rounding errors is at most `2^-16` of that of the values.
pub(super) fn product_error(terms: Terms, width: usize) -> f32 {
    let left_out = if terms.len() == TWO.len() { 1.02 * 2f32.powi(-16) } else { 0.0 };
    (1.125 * width as f32 + 32.0) * 2f32.powi(-24) + left_out
}

/// The smallest error of a squared length: products that are too small for f32 count as 0.
const LEAST_ERROR: f32 = 1.0 / (1u128 << 100) as f32;

/// From products of one tile to lengths.
struct Lengths<'a> {
    /// Squared lengths of the strips of the probes and of the entries.
    rows: &'a [f32],
    columns: &'a [f32],
    /// `[n, TILE]`
    products: &'a [f32],
    error: f32,
    /// The first of the rows of `ENTRIES` values.
    sums: &'a mut [f32],
    errors: &'a mut [f32],
}

impl WithSimd for Lengths<'_> {
    type Output = ();

    // No closures: see `pairwise`.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let error = simd.splat_f32s(self.error);
        let least = simd.splat_f32s(LEAST_ERROR);
        let minus_two = simd.splat_f32s(-2.0);
        let (columns, _) = S::as_simd_f32s(self.columns);
        let (products, _) = S::as_simd_f32s(self.products);
        let vectors = TILE / S::F32_LANES;
        for (r, products) in products.chunks_exact(vectors).enumerate() {
            let x = simd.splat_f32s(self.rows[r]);
            let (sums, _) = S::as_mut_simd_f32s(&mut self.sums[r * ENTRIES..][..TILE]);
            let (errors, _) = S::as_mut_simd_f32s(&mut self.errors[r * ENTRIES..][..TILE]);
            for j in 0..vectors {
                let both = simd.add_f32s(x, columns[j]);
                let squared = simd.mul_add_e_f32s(minus_two, products[j], both);
                // The true value is within `error` of it. If it is smaller, the error takes its
                // place: the root of that is right within itself.
                let error = simd.max_f32s(simd.mul_f32s(error, both), least);
                let squared = simd.max_f32s(squared, error);
                let inverse = inverse_root(simd, squared);
                sums[j] = simd.mul_add_e_f32s(squared, inverse, sums[j]);
                // |sqrt(s) - sqrt(t)| <= |s - t| / sqrt(s).
                errors[j] = simd.mul_add_e_f32s(error, inverse, errors[j]);
            }
        }
    }
}

/// Relative error of [`inverse_root`], at most.
pub(super) const ROOT_ERROR: f32 = 1.0 / 131_072.0;

/// `1 / sqrt(x)` of a normal number by two steps of Newton's method, which takes a third of the time
/// of the instructions for roots.
#[inline(always)]
fn inverse_root<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let half = simd.mul_f32s(simd.splat_f32s(-0.5), x);
    let three_halves = simd.splat_f32s(1.5);
    let bits = simd.transmute_u32s_f32s(x);
    let shifted = simd.wrapping_dyn_shr_u32s(bits, simd.splat_u32s(1));
    // Half the exponent, negated: within 3.5% of the result.
    let guess = simd.sub_u32s(simd.splat_u32s(0x5F37_5A86), shifted);
    let mut root = simd.transmute_f32s_u32s(guess);
    for _ in 0..2 {
        let square = simd.mul_f32s(root, root);
        root = simd.mul_f32s(root, simd.mul_add_e_f32s(half, square, three_halves));
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Roots<'a>(&'a [f32], &'a mut [f32]);

    impl WithSimd for Roots<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let (x, _) = S::as_simd_f32s(self.0);
            let (y, _) = S::as_mut_simd_f32s(self.1);
            for (x, y) in x.iter().zip(y) {
                *y = inverse_root(simd, *x);
            }
        }
    }

    #[test]
    fn inverse_roots_are_as_exact_as_they_claim() {
        // Every 97th number of two binades, and powers of two over the whole range.
        let dense = (1.0f32.to_bits()..4.0f32.to_bits()).step_by(97).map(f32::from_bits);
        let wide = (-100..=126).map(|power| 1.7 * 2f32.powi(power));
        let mut x: Vec<f32> = dense.chain(wide).collect();
        x.resize(x.len().next_multiple_of(TILE), 1.0);
        let mut y = vec![0.0; x.len()];
        Arch::new().dispatch(Roots(&x, &mut y));
        for (x, y) in x.iter().zip(&y) {
            let error = f64::from(*y) * f64::from(*x).sqrt() - 1.0;
            assert!(error.abs() < 0.75 * f64::from(ROOT_ERROR), "{x:e}: {error:e}");
        }
    }
}
