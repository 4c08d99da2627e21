//! AVX2 with FMA, and AVX-512 F.

use super::simd;
use std::arch::x86_64::*;

/// Proves that the machine has AVX-512 F, AVX2 and FMA: 16 lanes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f") && Avx2::detect().is_some();
        found.then_some(Self(()))
    }
}

/// Proves that the machine has AVX2 and FMA: 8 lanes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        found.then_some(Self(()))
    }
}

/// The upper 16 of 32 bits.
const UPPER_HALF: i32 = 0xFFFF << 16;

simd!(Avx512 {
    lanes: 16,
    vector: __m512,
    zero: _mm512_setzero_ps(),
    splat: _mm512_set1_ps,
    load: _mm512_loadu_ps,
    store: _mm512_storeu_ps,
    add: _mm512_add_ps,
    sub: _mm512_sub_ps,
    mul: _mm512_mul_ps,
    max: _mm512_max_ps,
    mul_add: |a, b, c| _mm512_fmadd_ps(a, b, c),
    lower_half: |v| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_castps_si512(v))),
    upper_half: |v| _mm512_castsi512_ps(_mm512_and_si512(
        _mm512_castps_si512(v),
        _mm512_set1_epi32(UPPER_HALF)
    )),
    prefetch: _mm_prefetch::<_MM_HINT_T1>,
    transpose_square: transpose_square_avx2,
});

simd!(Avx2 {
    lanes: 8,
    vector: __m256,
    zero: _mm256_setzero_ps(),
    splat: _mm256_set1_ps,
    load: _mm256_loadu_ps,
    store: _mm256_storeu_ps,
    add: _mm256_add_ps,
    sub: _mm256_sub_ps,
    mul: _mm256_mul_ps,
    max: _mm256_max_ps,
    mul_add: |a, b, c| _mm256_fmadd_ps(a, b, c),
    lower_half: |v| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_castps_si256(v))),
    upper_half: |v| _mm256_and_ps(v, _mm256_castsi256_ps(_mm256_set1_epi32(UPPER_HALF))),
    prefetch: _mm_prefetch::<_MM_HINT_T1>,
    transpose_square: transpose_square_avx2,
});

/// Swaps pairs, then groups of four, then halves. Without closures: the intrinsics are inlined only
/// where the target features are enabled, and a closure would not have them.
///
/// # Safety
/// As [`Simd::transpose_square`](super::Simd::transpose_square), on a machine with AVX2.
#[inline(always)]
unsafe fn transpose_square_avx2(from: *const f32, from_step: usize, to: *mut f32, to_step: usize) {
    // SAFETY: the caller has AVX2 and guarantees eight rows of eight values on both sides; rows 0
    // to 7 are accessed, eight values each.
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
                let a = pairs[4 * half + i];
                let b = pairs[4 * half + 2 + i];
                fours[4 * half + 2 * i] = _mm256_shuffle_ps::<0x44>(a, b);
                fours[4 * half + 2 * i + 1] = _mm256_shuffle_ps::<0xEE>(a, b);
            }
        }
        for i in 0..4 {
            let a = fours[i];
            let b = fours[4 + i];
            _mm256_storeu_ps(to.add(i * to_step), _mm256_permute2f128_ps::<0x20>(a, b));
            _mm256_storeu_ps(to.add((i + 4) * to_step), _mm256_permute2f128_ps::<0x31>(a, b));
        }
    }
}
