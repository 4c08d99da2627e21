//! The vector instructions the kernels are written in, and which of them this machine has.

use std::sync::OnceLock;

/// An instruction set that the kernels are compiled for. Results agree within rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// x86-64 with AVX-512 F: 16 lanes.
    Avx512,
    /// x86-64 with AVX2 and FMA: 8 lanes.
    Avx2,
    /// 64-bit Arm: 4 lanes.
    Neon,
    /// Any processor: plain arrays of 8 lanes.
    Portable,
}

impl Isa {
    /// The fastest instruction set of this machine, asked once.
    pub fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| Self::available()[0])
    }

    /// Every instruction set of this machine, the fastest first.
    pub fn available() -> Vec<Self> {
        let mut sets = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
            {
                sets.push(Self::Avx512);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                sets.push(Self::Avx2);
            }
        }
        #[cfg(target_arch = "aarch64")]
        sets.push(Self::Neon);
        sets.push(Self::Portable);
        sets
    }

    /// f32 lanes of one vector.
    pub(crate) fn lanes(self) -> usize {
        match self {
            Self::Avx512 => 16,
            Self::Avx2 | Self::Portable => 8,
            Self::Neon => 4,
        }
    }

    /// Vectors of output channels that one micro-kernel call produces: as many as the register
    /// file holds beside the accumulators of six rows.
    pub(crate) fn panel_vectors(self) -> usize {
        match self {
            Self::Avx512 | Self::Neon => 4,
            Self::Avx2 | Self::Portable => 2,
        }
    }
}

/// Edge of the square that [`Simd::turn`] transposes.
pub(crate) const SQUARE: usize = 8;

/// The operations of one instruction set. Every method is inlined into a function that enables
/// the set's target features; calling one elsewhere is what the `unsafe` warns of.
pub(crate) trait Simd: Copy {
    const LANES: usize;
    type V: Copy;
    unsafe fn zero() -> Self::V;
    unsafe fn splat(value: f32) -> Self::V;
    /// Reads `LANES` values at any alignment.
    unsafe fn load(from: *const f32) -> Self::V;
    /// Writes `LANES` values at any alignment.
    unsafe fn store(to: *mut f32, value: Self::V);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, fused where the instruction set can.
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Asks for the cache line of `line` to be brought into the second cache.
    #[inline(always)]
    unsafe fn prefetch(_line: *const f32) {}
    /// Transposes a square of [`SQUARE`] rows: `to[j * to_step + i] = from[i * from_step + j]`.
    unsafe fn turn(from: *const f32, from_step: usize, to: *mut f32, to_step: usize);
}

macro_rules! simd {
    ($name:ident, $lanes:literal, $v:ty, $zero:expr, $splat:ident, $load:ident, $store:ident,
     $add:ident, $sub:ident, $mul:ident, $max:ident, $turn:ident, $prefetch:expr, |$a:ident, $b:ident, $c:ident| $fma:expr) => {
        #[derive(Clone, Copy)]
        pub(crate) struct $name;

        // SAFETY of every block: the caller has the target features and valid pointers, as the
        // trait demands.
        impl Simd for $name {
            const LANES: usize = $lanes;
            type V = $v;
            #[inline(always)]
            unsafe fn zero() -> $v {
                // SAFETY: see above.
                unsafe { $zero }
            }
            #[inline(always)]
            unsafe fn splat(value: f32) -> $v {
                // SAFETY: see above.
                unsafe { $splat(value) }
            }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> $v {
                // SAFETY: see above.
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn store(to: *mut f32, value: $v) {
                // SAFETY: see above.
                unsafe { $store(to, value) }
            }
            #[inline(always)]
            unsafe fn add(a: $v, b: $v) -> $v {
                // SAFETY: see above.
                unsafe { $add(a, b) }
            }
            #[inline(always)]
            unsafe fn sub(a: $v, b: $v) -> $v {
                // SAFETY: see above.
                unsafe { $sub(a, b) }
            }
            #[inline(always)]
            unsafe fn mul(a: $v, b: $v) -> $v {
                // SAFETY: see above.
                unsafe { $mul(a, b) }
            }
            #[inline(always)]
            unsafe fn max(a: $v, b: $v) -> $v {
                // SAFETY: see above.
                unsafe { $max(a, b) }
            }
            #[inline(always)]
            unsafe fn prefetch(line: *const f32) {
                // SAFETY: see above.
                unsafe { $prefetch(line.cast()) }
            }
            #[inline(always)]
            unsafe fn turn(from: *const f32, from_step: usize, to: *mut f32, to_step: usize) {
                // SAFETY: see above.
                unsafe { $turn(from, from_step, to, to_step) }
            }
            #[inline(always)]
            unsafe fn mul_add($a: $v, $b: $v, $c: $v) -> $v {
                // SAFETY: see above.
                unsafe { $fma }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Simd;
    use std::arch::x86_64::*;

    simd!(
        Avx512,
        16,
        __m512,
        _mm512_setzero_ps(),
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_max_ps,
        turn_avx2,
        _mm_prefetch::<_MM_HINT_T1>,
        |a, b, c| _mm512_fmadd_ps(a, b, c)
    );
    simd!(
        Avx2,
        8,
        __m256,
        _mm256_setzero_ps(),
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_max_ps,
        turn_avx2,
        _mm_prefetch::<_MM_HINT_T1>,
        |a, b, c| _mm256_fmadd_ps(a, b, c)
    );

    /// Pairs, then fours, then halves change places. Without closures: the intrinsics are inlined
    /// only where the target features are enabled, and a closure would not have them.
    #[inline(always)]
    unsafe fn turn_avx2(from: *const f32, from_step: usize, to: *mut f32, to_step: usize) {
        // SAFETY: as `Simd::turn`.
        unsafe {
            let mut pairs = [_mm256_setzero_ps(); 8];
            for i in 0..4 {
                let a = _mm256_loadu_ps(from.add(2 * i * from_step));
                let b = _mm256_loadu_ps(from.add((2 * i + 1) * from_step));
                pairs[2 * i] = _mm256_unpacklo_ps(a, b);
                pairs[2 * i + 1] = _mm256_unpackhi_ps(a, b);
            }
            let mut fours = [_mm256_setzero_ps(); 8];
            for half in 0..2 {
                for i in 0..2 {
                    let (a, b) = (pairs[4 * half + i], pairs[4 * half + 2 + i]);
                    fours[4 * half + 2 * i] = _mm256_shuffle_ps::<0x44>(a, b);
                    fours[4 * half + 2 * i + 1] = _mm256_shuffle_ps::<0xEE>(a, b);
                }
            }
            for i in 0..4 {
                let (a, b) = (fours[i], fours[4 + i]);
                _mm256_storeu_ps(to.add(i * to_step), _mm256_permute2f128_ps::<0x20>(a, b));
                _mm256_storeu_ps(to.add((i + 4) * to_step), _mm256_permute2f128_ps::<0x31>(a, b));
            }
        }
    }
}
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::{Simd, turn_plain};
    use std::arch::aarch64::*;

    /// The compiler offers no prefetch instruction here.
    unsafe fn ignore(_line: *const f32) {}

    simd!(
        Neon,
        4,
        float32x4_t,
        vdupq_n_f32(0.0),
        vdupq_n_f32,
        vld1q_f32,
        vst1q_f32,
        vaddq_f32,
        vsubq_f32,
        vmulq_f32,
        vmaxq_f32,
        turn_plain,
        ignore,
        |a, b, c| vfmaq_f32(c, a, b)
    );
}
#[cfg(target_arch = "aarch64")]
pub(crate) use arm::Neon;

/// A transposed square of eight, left to the compiler.
#[inline(always)]
unsafe fn turn_plain(from: *const f32, from_step: usize, to: *mut f32, to_step: usize) {
    for i in 0..8 {
        for j in 0..8 {
            // SAFETY: as `Simd::turn`.
            unsafe { *to.add(j * to_step + i) = *from.add(i * from_step + j) }
        }
    }
}

/// Lanes as an array, left to the compiler to vectorise.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Simd for Portable {
    const LANES: usize = 8;
    type V = [f32; 8];
    #[inline(always)]
    unsafe fn zero() -> [f32; 8] {
        [0.0; 8]
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> [f32; 8] {
        [value; 8]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> [f32; 8] {
        // SAFETY: the caller guarantees eight readable values.
        unsafe { from.cast::<[f32; 8]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: [f32; 8]) {
        // SAFETY: the caller guarantees eight writable values.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(value) }
    }
    #[inline(always)]
    unsafe fn add(a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    unsafe fn sub(a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    unsafe fn mul(a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    unsafe fn turn(from: *const f32, from_step: usize, to: *mut f32, to_step: usize) {
        // SAFETY: passed on.
        unsafe { turn_plain(from, from_step, to, to_step) }
    }
    #[inline(always)]
    unsafe fn max(a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    unsafe fn mul_add(a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        // `f32::mul_add` without the instruction is a library call: far too slow here.
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
}

/// Compiles a generic kernel `body::<S: Simd>(&call)` for every instruction set and names the
/// function that chooses among them.
macro_rules! dispatch {
    ($(#[$doc:meta])* $name:ident, $body:ident, $call:ty, $avx512:ident, $avx2:ident) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// The machine has `isa`, and every pointer of `call` is valid for what it states.
        pub(crate) unsafe fn $name(isa: $crate::simd::Isa, call: $call) {
            // SAFETY: passed on.
            unsafe {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    $crate::simd::Isa::Avx512 => $avx512(call),
                    #[cfg(target_arch = "x86_64")]
                    $crate::simd::Isa::Avx2 => $avx2(call),
                    #[cfg(target_arch = "aarch64")]
                    $crate::simd::Isa::Neon => $body::<$crate::simd::Neon>(call),
                    _ => $body::<$crate::simd::Portable>(call),
                }
            }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx2,fma")]
        unsafe fn $avx512(call: $call) {
            // SAFETY: passed on.
            unsafe { $body::<$crate::simd::Avx512>(call) }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn $avx2(call: $call) {
            // SAFETY: passed on.
            unsafe { $body::<$crate::simd::Avx2>(call) }
        }
    };
}
pub(crate) use dispatch;
