//! Products of bf16 matrices outside convolutions.

use super::block::{self, Block, Multiplier, Run};
use super::unit::Bf16Unit;

/// Rows and columns of a block; see [`product`].
pub const BLOCK: usize = block::ROWS;

/// The nearest bf16 number, as the upper half of an f32; of two that are equally near, the even one.
#[inline]
pub fn round(value: f32) -> u16 {
    block::round(value)
}

/// The value of a bf16 number.
#[inline]
pub fn widen(half: u16) -> f32 {
    block::widen(half)
}

/// Where [`product`] expects the value of a column at `depth` among the values of its `b`.
#[inline]
pub fn place(depth: usize, column: usize) -> usize {
    depth / block::DEPTH * block::STEP + block::place_in_step(depth % block::DEPTH, column)
}

/// Writes the product of bf16 matrices `a` `[n, depth]` and `b` `[depth, 32]` to `c` `[n, 32]`.
///
/// `a` and `c` are row-major, the places in `b` are those of [`place`]. Products are exact. The sums
/// are f32: 32 products are added in an order that depends on the unit, and then to those before them.
/// Numbers below the smallest normal one may count
/// as 0. Matrices that start on a cache line (64 bytes) are read faster. `n` and `depth` are multiples of [`BLOCK`], and there is at least one step of depth.
///
/// # Panics
/// If a slice has another length.
pub fn product(unit: Bf16Unit, depth: usize, a: &[u16], b: &[u16], c: &mut [f32]) {
    let rows = c.len() / block::COLUMNS;
    let is_whole = |length: usize| length > 0 && length.is_multiple_of(BLOCK);
    assert!(is_whole(depth) && b.len() == depth * block::COLUMNS, "a tile of {depth} by 32");
    assert!(is_whole(rows) && c.len() == rows * block::COLUMNS, "{rows} rows of 32 sums");
    assert_eq!(a.len(), rows * depth, "rows of the left matrix");
    // Tiles are configured for each call: a value that holds them could outlive a second one of the
    // same thread, which takes them away.
    let multiplier = Multiplier::new(unit);
    let lefts = a.chunks_exact(BLOCK * depth);
    for (a, c) in lefts.zip(c.chunks_exact_mut(BLOCK * block::COLUMNS)) {
        let a_step = depth * size_of::<u16>();
        let steps = depth / block::DEPTH;
        let run = Run { a: a.as_ptr(), a_step, b: b.as_ptr(), steps };
        let block = Block { runs: &[run], c: c.as_mut_ptr(), c_step: block::COLUMNS, add: false };
        // SAFETY: the lengths were checked: `a` has 32 rows of `depth` values, `b` has `depth` rows
        // of 32 values, and `c` has 32 rows of 32 values.
        unsafe { multiplier.multiply(&block) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_multiplies_matrices() {
        let depth = 96;
        let rows = 64;
        // Small integers: every product and every sum is exact.
        let value = |i: usize| ((i * 7919) % 13) as f32 - 6.0;
        let a: Vec<u16> = (0..rows * depth).map(|i| round(value(i))).collect();
        let mut b = vec![0; depth * BLOCK];
        for (k, column) in (0..depth * BLOCK).map(|i| (i / BLOCK, i % BLOCK)) {
            b[place(k, column)] = round(value(3 * k + column));
        }
        for unit in Bf16Unit::available() {
            let mut c = vec![f32::NAN; rows * BLOCK];
            product(unit, depth, &a, &b, &mut c);
            for (i, &sum) in c.iter().enumerate() {
                let left = |k: usize| value(i / BLOCK * depth + k);
                let want: f32 = (0..depth).map(|k| left(k) * value(3 * k + i % BLOCK)).sum();
                assert_eq!(sum, want, "{unit:?}, {i}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "rows of the left matrix")]
    fn a_slice_of_the_wrong_length_is_refused() {
        product(Bf16Unit::best(), 32, &[0; 32], &[0; 32 * BLOCK], &mut [0.0; BLOCK * BLOCK]);
    }
}
