//! Micro-kernels: small products whose accumulators stay in registers.
//!
//! Activations are channel-last, so a row of the left matrix is one pixel's channels, and vectors
//! run over output channels.

use crate::simd::{Simd, dispatch};

/// Rows of the left matrix in one call. Six rows times four vectors leave room in 32 registers
/// for the vectors of the right matrix; six times two in 16 registers.
pub(crate) const ROWS: usize = 6;

/// The widest panel in values: four vectors of sixteen lanes.
pub(crate) const PANEL: usize = 64;

/// The product of [`ROWS`] rows with one panel of the right matrix.
#[derive(Clone, Copy)]
pub(crate) struct RowsCall {
    /// Length of the sum.
    pub depth: usize,
    /// Vectors of the panel.
    pub vectors: usize,
    /// Start of each row; `depth` values are read from each.
    pub a: [*const f32; ROWS],
    /// The panel `[depth, vectors * lanes]`.
    pub b: *const f32,
    /// Where each row's `vectors * lanes` sums are added.
    pub c: [*mut f32; ROWS],
}

/// A sum of outer products: `c[i, :] += a[pair, i] * b[pair, :]` over pairs of positions.
#[derive(Clone, Copy)]
pub(crate) struct OuterCall<'a> {
    /// Offsets of the left and right vectors of each product from `a` and `b`.
    pub pairs: &'a [[u32; 2]],
    /// Vectors of the right side.
    pub vectors: usize,
    /// [`ROWS`] values are read at each left offset.
    pub a: *const f32,
    /// `vectors * lanes` values are read at each right offset.
    pub b: *const f32,
    /// Where each row's `vectors * lanes` sums are added.
    pub c: [*mut f32; ROWS],
    /// Memory that later calls will read, one line for each pair; it may be any address.
    pub ahead: *const f32,
}

/// What a product does to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Leaves it alone.
    Nothing,
    /// Overwrites it.
    Set,
    /// Is added to it.
    Add,
    /// Is subtracted from it.
    Subtract,
}

/// The product of a matrix `[rows, depth]` with one panel, applied to two targets.
#[derive(Clone, Copy)]
pub(crate) struct Product {
    pub rows: usize,
    pub depth: usize,
    /// The first row, and how far the others are apart.
    pub a: *const f32,
    pub a_step: usize,
    /// The panel `[depth, vectors * lanes]`.
    pub b: *const f32,
    pub vectors: usize,
    /// The panel that the next product will read, fetched ahead; it may be any address.
    pub next: *const f32,
    /// The first row of each target and what happens to it; rows are `c_step` apart.
    pub c: [(*mut f32, Effect); 2],
    pub c_step: usize,
}

dispatch!(
    /// Adds `a @ b` to `c`.
    rows, rows_any, &RowsCall, rows_avx512, rows_avx2
);
dispatch!(
    /// Adds the outer products to `c`.
    outer, outer_any, &OuterCall<'_>, outer_avx512, outer_avx2
);
dispatch!(
    /// Applies `a @ b` to both targets.
    product, product_any, &Product, product_avx512, product_avx2
);

#[inline(always)]
unsafe fn rows_any<S: Simd>(call: &RowsCall) {
    // SAFETY: passed on.
    unsafe {
        match call.vectors {
            1 => rows_block::<S, 1>(call),
            2 => rows_block::<S, 2>(call),
            3 => rows_block::<S, 3>(call),
            _ => rows_block::<S, 4>(call),
        }
    }
}

#[inline(always)]
unsafe fn outer_any<S: Simd>(call: &OuterCall) {
    // SAFETY: passed on.
    unsafe {
        match call.vectors {
            1 => outer_block::<S, 1>(call),
            2 => outer_block::<S, 2>(call),
            3 => outer_block::<S, 3>(call),
            _ => outer_block::<S, 4>(call),
        }
    }
}

#[inline(always)]
unsafe fn product_any<S: Simd>(call: &Product) {
    // SAFETY: passed on.
    unsafe {
        match call.vectors {
            1 => product_block::<S, 1>(call),
            2 => product_block::<S, 2>(call),
            3 => product_block::<S, 3>(call),
            _ => product_block::<S, 4>(call),
        }
    }
}

#[inline(always)]
unsafe fn product_block<S: Simd, const V: usize>(call: &Product) {
    // SAFETY: every pointer stays within the sizes that `Product` states.
    unsafe {
        let mut unused = [0.0; PANEL];
        for row in (0..call.rows).step_by(ROWS) {
            let mut sums = [[S::zero(); V]; ROWS];
            let last = call.rows - 1;
            let a: [*const f32; ROWS] =
                std::array::from_fn(|i| call.a.add(last.min(row + i) * call.a_step));
            let mut b = call.b;
            // The first V blocks fetch the V lines of each of the next panel's rows.
            let ahead = if row < V * ROWS { 16 } else { 0 };
            let mut next = call.next.wrapping_add(row / ROWS * call.depth * ahead);
            for k in 0..call.depth {
                accumulate::<S, V>(&mut sums, b, |i| *a[i].add(k));
                b = b.add(V * S::LANES);
                S::prefetch(next);
                next = next.wrapping_add(ahead);
            }
            for (c, effect) in call.c {
                let c: [*mut f32; ROWS] = std::array::from_fn(|i| {
                    if row + i > last {
                        unused.as_mut_ptr()
                    } else {
                        c.wrapping_add((row + i) * call.c_step)
                    }
                });
                match effect {
                    Effect::Nothing => {}
                    Effect::Set => apply::<S, V>(&c, &sums, |_, sum| sum),
                    Effect::Add => apply::<S, V>(&c, &sums, |c, sum| S::add(S::load(c), sum)),
                    Effect::Subtract => apply::<S, V>(&c, &sums, |c, sum| S::sub(S::load(c), sum)),
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn rows_block<S: Simd, const V: usize>(call: &RowsCall) {
    // SAFETY: every pointer stays within the sizes that `RowsCall` states.
    unsafe {
        let mut sums = [[S::zero(); V]; ROWS];
        let a = call.a;
        let mut b = call.b;
        for k in 0..call.depth {
            accumulate::<S, V>(&mut sums, b, |i| *a[i].add(k));
            b = b.add(V * S::LANES);
        }
        apply::<S, V>(&call.c, &sums, |c, sum| S::add(S::load(c), sum));
    }
}

#[inline(always)]
unsafe fn outer_block<S: Simd, const V: usize>(call: &OuterCall) {
    // SAFETY: every pointer stays within the sizes that `OuterCall` states.
    unsafe {
        let mut sums = [[S::zero(); V]; ROWS];
        let mut ahead = call.ahead;
        for &[left, right] in call.pairs {
            let a = call.a.add(left as usize);
            accumulate::<S, V>(&mut sums, call.b.add(right as usize), |i| *a.add(i));
            S::prefetch(ahead);
            ahead = ahead.wrapping_add(16);
        }
        apply::<S, V>(&call.c, &sums, |c, sum| S::add(S::load(c), sum));
    }
}

/// `sums[i][j] += a(i) * b[j]`.
#[inline(always)]
unsafe fn accumulate<S: Simd, const V: usize>(
    sums: &mut [[S::V; V]; ROWS],
    b: *const f32,
    a: impl Fn(usize) -> f32,
) {
    // SAFETY: `b` holds V vectors.
    unsafe {
        let mut right = [S::zero(); V];
        for (j, vector) in right.iter_mut().enumerate() {
            *vector = S::load(b.add(j * S::LANES));
        }
        for (i, row) in sums.iter_mut().enumerate() {
            let left = S::splat(a(i));
            for (sum, &vector) in row.iter_mut().zip(&right) {
                *sum = S::mul_add(left, vector, *sum);
            }
        }
    }
}

/// `c[i][j] = change(c[i][j], sums[i][j])`.
#[inline(always)]
unsafe fn apply<S: Simd, const V: usize>(
    c: &[*mut f32; ROWS],
    sums: &[[S::V; V]; ROWS],
    change: impl Fn(*const f32, S::V) -> S::V,
) {
    // SAFETY: each row of `c` holds V vectors.
    unsafe {
        for (row, &c) in sums.iter().zip(c) {
            for (j, &sum) in row.iter().enumerate() {
                let to = c.add(j * S::LANES);
                S::store(to, change(to, sum));
            }
        }
    }
}
