//! Arrays that the compiler vectorises as it can.

use super::{SQUARE, Simd};

/// Needs no instructions beyond those that the program was compiled for: 8 lanes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Portable;

impl Simd for Portable {
    const LANES: usize = 8;
    type V = [f32; 8];
    #[inline(always)]
    fn zero(self) -> [f32; 8] {
        [0.0; 8]
    }
    #[inline(always)]
    fn splat(self, value: f32) -> [f32; 8] {
        [value; 8]
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> [f32; 8] {
        // SAFETY: the caller guarantees eight readable values; no alignment is assumed.
        unsafe { from.cast::<[f32; 8]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: [f32; 8]) {
        // SAFETY: the caller guarantees eight writable values; no alignment is assumed.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(value) }
    }
    #[inline(always)]
    fn add(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn max(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn mul_add(self, a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        // `f32::mul_add` without the instruction is a library call: far too slow here.
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn lower_half(self, pairs: [f32; 8]) -> [f32; 8] {
        pairs.map(|pair| f32::from_bits(pair.to_bits() << 16))
    }
    #[inline(always)]
    fn upper_half(self, pairs: [f32; 8]) -> [f32; 8] {
        pairs.map(|pair| f32::from_bits(pair.to_bits() & 0xFFFF_0000))
    }
    #[inline(always)]
    unsafe fn transpose_square(
        self,
        from: *const f32,
        from_step: usize,
        to: *mut f32,
        to_step: usize,
    ) {
        // SAFETY: the caller guarantees the rows on both sides.
        unsafe { transpose_square(from, from_step, to, to_step) }
    }
}

/// Value by value.
///
/// # Safety
/// As [`Simd::transpose_square`].
#[inline(always)]
pub(super) unsafe fn transpose_square(
    from: *const f32,
    from_step: usize,
    to: *mut f32,
    to_step: usize,
) {
    for i in 0..SQUARE {
        for j in 0..SQUARE {
            // SAFETY: the caller guarantees SQUARE values at each of SQUARE rows on both sides;
            // `i` and `j` are below SQUARE.
            unsafe { *to.add(j * to_step + i) = *from.add(i * from_step + j) }
        }
    }
}
