//! The number formats in which strips are multiplied.

use gait_kernels::bf16::{self, Bf16Unit};
use pulp::{Arch, Simd, WithSimd};

/// Gallery entries of a tile; probes and channels are filled up to multiples of it.
pub(super) const TILE: usize = bf16::BLOCK;

/// A format of the values that are multiplied. Their products and sums are f32.
pub(super) trait Format: Copy + Default + Send + Sync {
    /// The nearest value.
    fn nearest(value: f32) -> Self;

    /// The value as f32, which is exact.
    fn value(self) -> f32;

    /// Where a value of column `column` at `depth` lies in a tile `[depth, TILE]`.
    fn place(depth: usize, column: usize) -> usize;

    /// The products `c` `[n, TILE]` of rows `a` `[n, depth]` and a tile `b`; `n` and `depth` are
    /// multiples of [`TILE`].
    fn multiply(depth: usize, a: &[Self], b: &[Self], c: &mut [f32]);
}

/// bf16.
impl Format for u16 {
    fn nearest(value: f32) -> Self {
        let half = bf16::round(value);
        // Some units take denormal numbers for 0.
        let is_normal = half & 0x7F80 != 0;
        half * u16::from(is_normal)
    }

    fn value(self) -> f32 {
        bf16::widen(self)
    }

    fn place(depth: usize, column: usize) -> usize {
        bf16::place(depth, column)
    }

    fn multiply(depth: usize, a: &[Self], b: &[Self], c: &mut [f32]) {
        bf16::product(Bf16Unit::best(), depth, a, b, c);
    }
}

impl Format for f32 {
    fn nearest(value: f32) -> Self {
        value
    }

    fn value(self) -> f32 {
        self
    }

    fn place(depth: usize, column: usize) -> usize {
        depth * TILE + column
    }

    fn multiply(depth: usize, a: &[Self], b: &[Self], c: &mut [f32]) {
        Arch::new().dispatch(Product { depth, a, b, c });
    }
}

/// A product of f32.
struct Product<'a> {
    depth: usize,
    a: &'a [f32],
    b: &'a [f32],
    c: &'a mut [f32],
}

/// Rows, and vectors of columns, that are held in registers together.
const ROWS: usize = 4;
const VECTORS: usize = 2;

impl WithSimd for Product<'_> {
    type Output = ();

    // No closures: see `pairwise`.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let depth = self.depth;
        let (b, _) = S::as_simd_f32s(self.b);
        let (c, _) = S::as_mut_simd_f32s(self.c);
        let vectors = TILE / S::F32_LANES;
        let b = &b[..depth * vectors];
        for (rows, c) in self.a.chunks_exact(ROWS * depth).zip(c.chunks_exact_mut(ROWS * vectors)) {
            let mut first = 0;
            while first < vectors {
                let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
                for k in 0..depth {
                    let line = &b[k * vectors + first..][..VECTORS];
                    for r in 0..ROWS {
                        let x = simd.splat_f32s(rows[r * depth + k]);
                        for j in 0..VECTORS {
                            sums[r][j] = simd.mul_add_e_f32s(x, line[j], sums[r][j]);
                        }
                    }
                }
                for r in 0..ROWS {
                    for j in 0..VECTORS {
                        c[r * vectors + first + j] = sums[r][j];
                    }
                }
                first += VECTORS;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<F: Format>() {
        let n = 64;
        let depth = 96;
        // Small integers: every product and every sum is exact.
        let value = |i: usize| ((i * 7919) % 13) as f32 - 6.0;
        let a: Vec<F> = (0..n * depth).map(|i| F::nearest(value(i))).collect();
        let mut b = vec![F::default(); depth * TILE];
        for (k, column) in (0..depth * TILE).map(|i| (i / TILE, i % TILE)) {
            b[F::place(k, column)] = F::nearest(value(3 * k + column));
        }
        let mut c = vec![f32::NAN; n * TILE];
        F::multiply(depth, &a, &b, &mut c);
        for (i, &sum) in c.iter().enumerate() {
            let left = |k: usize| value(i / TILE * depth + k);
            let want: f32 = (0..depth).map(|k| left(k) * value(3 * k + i % TILE)).sum();
            assert_eq!(sum, want, "{i}");
        }
    }

    #[test]
    fn both_formats_multiply() {
        check::<f32>();
        check::<u16>();
    }

    #[test]
    fn numbers_that_units_may_lose_become_zero() {
        assert_eq!(u16::nearest(1e-40).value(), 0.0);
        assert_eq!(u16::nearest(f32::MIN_POSITIVE).value(), f32::MIN_POSITIVE);
        assert_eq!(u16::nearest(-1.0).value(), -1.0);
    }
}
