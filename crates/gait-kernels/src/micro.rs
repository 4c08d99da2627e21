//! Micro-kernels: small products whose accumulators stay in registers.
//!
//! Activations are channel-last, so a row of the left matrix is one pixel's channels, and vectors
//! run over output channels.

#[cfg(target_arch = "aarch64")]
use crate::simd::Neon;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512};
use crate::simd::{Isa, Portable, Simd};

/// Rows of the left matrix in one call. Six rows times four vectors leave room in 32 registers
/// for the vectors of the right matrix; six times two in 16 registers.
pub(crate) const ROWS: usize = 6;

/// The product of [`ROWS`] rows with one panel of the right matrix.
#[derive(Clone, Copy)]
pub(crate) struct RowsCall {
    /// Length of the sum.
    pub depth: usize,
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
    /// [`ROWS`] values are read at each left offset.
    pub a: *const f32,
    /// `vectors * lanes` values are read at each right offset.
    pub b: *const f32,
    /// Where each row's `vectors * lanes` sums are added.
    pub c: [*mut f32; ROWS],
}

/// Adds `a @ b` to `c`, for a panel of `vectors` vectors.
///
/// # Safety
/// The machine has `isa`; the pointers are valid for the sizes that [`RowsCall`] states, and no
/// other thread touches `c`.
pub(crate) unsafe fn rows(isa: Isa, vectors: usize, call: &RowsCall) {
    // SAFETY: passed on.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => rows_avx512(vectors, call),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => rows_avx2(vectors, call),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => rows_any::<Neon>(vectors, call),
            _ => rows_any::<Portable>(vectors, call),
        }
    }
}

/// Adds the outer products of `call` to `c`, for a panel of `vectors` vectors.
///
/// # Safety
/// As for [`rows`], with the sizes that [`OuterCall`] states.
pub(crate) unsafe fn outer(isa: Isa, vectors: usize, call: &OuterCall) {
    // SAFETY: passed on.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => outer_avx512(vectors, call),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => outer_avx2(vectors, call),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => outer_any::<Neon>(vectors, call),
            _ => outer_any::<Portable>(vectors, call),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn rows_avx512(vectors: usize, call: &RowsCall) {
    // SAFETY: passed on.
    unsafe { rows_any::<Avx512>(vectors, call) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn rows_avx2(vectors: usize, call: &RowsCall) {
    // SAFETY: passed on.
    unsafe { rows_any::<Avx2>(vectors, call) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn outer_avx512(vectors: usize, call: &OuterCall) {
    // SAFETY: passed on.
    unsafe { outer_any::<Avx512>(vectors, call) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn outer_avx2(vectors: usize, call: &OuterCall) {
    // SAFETY: passed on.
    unsafe { outer_any::<Avx2>(vectors, call) }
}

#[inline(always)]
unsafe fn rows_any<S: Simd>(vectors: usize, call: &RowsCall) {
    // SAFETY: passed on.
    unsafe {
        match vectors {
            1 => rows_block::<S, 1>(call),
            2 => rows_block::<S, 2>(call),
            3 => rows_block::<S, 3>(call),
            _ => rows_block::<S, 4>(call),
        }
    }
}

#[inline(always)]
unsafe fn outer_any<S: Simd>(vectors: usize, call: &OuterCall) {
    // SAFETY: passed on.
    unsafe {
        match vectors {
            1 => outer_block::<S, 1>(call),
            2 => outer_block::<S, 2>(call),
            3 => outer_block::<S, 3>(call),
            _ => outer_block::<S, 4>(call),
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
        add_to::<S, V>(&call.c, &sums);
    }
}

#[inline(always)]
unsafe fn outer_block<S: Simd, const V: usize>(call: &OuterCall) {
    // SAFETY: every pointer stays within the sizes that `OuterCall` states.
    unsafe {
        let mut sums = [[S::zero(); V]; ROWS];
        for &[left, right] in call.pairs {
            let a = call.a.add(left as usize);
            accumulate::<S, V>(&mut sums, call.b.add(right as usize), |i| *a.add(i));
        }
        add_to::<S, V>(&call.c, &sums);
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

#[inline(always)]
unsafe fn add_to<S: Simd, const V: usize>(c: &[*mut f32; ROWS], sums: &[[S::V; V]; ROWS]) {
    // SAFETY: each row of `c` holds V vectors.
    unsafe {
        for (row, &c) in sums.iter().zip(c) {
            for (j, &sum) in row.iter().enumerate() {
                let to = c.add(j * S::LANES);
                S::store(to, S::add(S::load(to), sum));
            }
        }
    }
}
