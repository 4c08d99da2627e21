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

/// Values of a cache line, the step of prefetching.
pub(crate) const LINE: usize = 16;

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
    unsafe fn rows(&RowsCall) => rows_on
);
dispatch!(
    /// Adds the outer products to `c`.
    unsafe fn outer(&OuterCall<'_>) => outer_on
);
dispatch!(
    /// Applies `a @ b` to both targets.
    unsafe fn product(&Product) => product_on
);

/// See [`rows`].
#[inline(always)]
unsafe fn rows_on<S: Simd>(simd: S, call: &RowsCall) {
    // SAFETY: the caller guarantees the pointers of `call`; each arm accesses `call.vectors`
    // vectors, at most the four of the widest panel.
    unsafe {
        match call.vectors {
            1 => rows_block::<S, 1>(simd, call),
            2 => rows_block::<S, 2>(simd, call),
            3 => rows_block::<S, 3>(simd, call),
            _ => rows_block::<S, 4>(simd, call),
        }
    }
}

/// See [`outer`].
#[inline(always)]
unsafe fn outer_on<S: Simd>(simd: S, call: &OuterCall) {
    // SAFETY: the caller guarantees the pointers of `call`; each arm accesses `call.vectors`
    // vectors, at most the four of the widest panel.
    unsafe {
        match call.vectors {
            1 => outer_block::<S, 1>(simd, call),
            2 => outer_block::<S, 2>(simd, call),
            3 => outer_block::<S, 3>(simd, call),
            _ => outer_block::<S, 4>(simd, call),
        }
    }
}

/// See [`product`].
#[inline(always)]
unsafe fn product_on<S: Simd>(simd: S, call: &Product) {
    // SAFETY: the caller guarantees the pointers of `call`; each arm accesses `call.vectors`
    // vectors, at most the four of the widest panel.
    unsafe {
        match call.vectors {
            1 => product_block::<S, 1>(simd, call),
            2 => product_block::<S, 2>(simd, call),
            3 => product_block::<S, 3>(simd, call),
            _ => product_block::<S, 4>(simd, call),
        }
    }
}

/// A product whose panel has `V` vectors; `call` as [`product`] demands.
#[inline(always)]
unsafe fn product_block<S: Simd, const V: usize>(simd: S, call: &Product) {
    // Rows past the last one compute the last one again and store to `unused`, so that every block
    // has ROWS rows.
    let mut unused = [0.0; PANEL];
    for row in (0..call.rows).step_by(ROWS) {
        let mut sums = [[simd.zero(); V]; ROWS];
        let last = call.rows - 1;
        // SAFETY: `last.min(..)` is one of the `rows` rows, `a_step` apart.
        let a: [*const f32; ROWS] =
            std::array::from_fn(|i| unsafe { call.a.add(last.min(row + i) * call.a_step) });
        let mut b = call.b;
        // The first V blocks fetch the V lines of each of the next panel's rows.
        let ahead = if row < V * ROWS { LINE } else { 0 };
        let mut next = call.next.wrapping_add(row / ROWS * call.depth * ahead);
        for k in 0..call.depth {
            // SAFETY: each row of `a` has `depth` values, and `b` has `depth` rows of V vectors, of
            // which this is the k-th.
            unsafe {
                accumulate::<S, V>(simd, &mut sums, b, |i| *a[i].add(k));
                b = b.add(V * S::LANES);
            }
            simd.prefetch(next);
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
            // SAFETY: the target has V vectors in each of its `rows` rows unless the effect is
            // `Nothing`, and `unused` has the PANEL values of the widest panel.
            unsafe {
                match effect {
                    Effect::Nothing => {}
                    Effect::Set => apply::<S, V>(simd, &c, &sums, |_, sum| sum),
                    Effect::Add => {
                        apply::<S, V>(simd, &c, &sums, |c, sum| simd.add(simd.load(c), sum));
                    }
                    Effect::Subtract => {
                        apply::<S, V>(simd, &c, &sums, |c, sum| simd.sub(simd.load(c), sum));
                    }
                }
            }
        }
    }
}

/// [`ROWS`] rows and a panel of `V` vectors; `call` as [`rows`] demands.
#[inline(always)]
unsafe fn rows_block<S: Simd, const V: usize>(simd: S, call: &RowsCall) {
    let mut sums = [[simd.zero(); V]; ROWS];
    let a = call.a;
    let mut b = call.b;
    // SAFETY: each row of `a` has `depth` values, `b` has `depth` rows of V vectors, and each row
    // of `c` has V vectors.
    unsafe {
        for k in 0..call.depth {
            accumulate::<S, V>(simd, &mut sums, b, |i| *a[i].add(k));
            b = b.add(V * S::LANES);
        }
        apply::<S, V>(simd, &call.c, &sums, |c, sum| simd.add(simd.load(c), sum));
    }
}

/// Outer products with `V` vectors on the right; `call` as [`outer`] demands.
#[inline(always)]
unsafe fn outer_block<S: Simd, const V: usize>(simd: S, call: &OuterCall) {
    let mut sums = [[simd.zero(); V]; ROWS];
    let mut ahead = call.ahead;
    for &[left, right] in call.pairs {
        // SAFETY: ROWS values are readable at each left offset and V vectors at each right one.
        unsafe {
            let a = call.a.add(left as usize);
            accumulate::<S, V>(simd, &mut sums, call.b.add(right as usize), |i| *a.add(i));
        }
        simd.prefetch(ahead);
        ahead = ahead.wrapping_add(LINE);
    }
    // SAFETY: each row of `c` has V vectors.
    unsafe { apply::<S, V>(simd, &call.c, &sums, |c, sum| simd.add(simd.load(c), sum)) }
}

/// `sums[i][j] += a(i) * b[j]`.
///
/// # Safety
/// V vectors are readable at `b`.
#[inline(always)]
unsafe fn accumulate<S: Simd, const V: usize>(
    simd: S,
    sums: &mut [[S::V; V]; ROWS],
    b: *const f32,
    a: impl Fn(usize) -> f32,
) {
    let mut right = [simd.zero(); V];
    for (j, vector) in right.iter_mut().enumerate() {
        // SAFETY: `j` is below V, and the caller guarantees V vectors at `b`.
        *vector = unsafe { simd.load(b.add(j * S::LANES)) };
    }
    for (i, row) in sums.iter_mut().enumerate() {
        let left = simd.splat(a(i));
        for (sum, &vector) in row.iter_mut().zip(&right) {
            *sum = simd.mul_add(left, vector, *sum);
        }
    }
}

/// `c[i][j] = change(c[i][j], sums[i][j])`.
///
/// # Safety
/// V vectors are writable, and readable if `change` reads, at each row of `c`.
#[inline(always)]
unsafe fn apply<S: Simd, const V: usize>(
    simd: S,
    c: &[*mut f32; ROWS],
    sums: &[[S::V; V]; ROWS],
    change: impl Fn(*const f32, S::V) -> S::V,
) {
    for (row, &c) in sums.iter().zip(c) {
        for (j, &sum) in row.iter().enumerate() {
            // SAFETY: `j` is below V, and the caller guarantees V vectors at each row.
            unsafe {
                let to = c.add(j * S::LANES);
                simd.store(to, change(to, sum));
            }
        }
    }
}
