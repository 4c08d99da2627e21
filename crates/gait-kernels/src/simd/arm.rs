//! NEON.

use super::portable::transpose_square;
use super::simd;
use std::arch::aarch64::*;

/// Proves that the machine has NEON: 4 lanes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Neon(());

impl Neon {
    pub fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

/// Stable Rust offers no prefetch instruction here. Unsafe like the intrinsics, for the macro.
unsafe fn no_prefetch(_line: *const f32) {}

simd!(Neon {
    lanes: 4,
    vector: float32x4_t,
    zero: vdupq_n_f32(0.0),
    splat: vdupq_n_f32,
    load: vld1q_f32,
    store: vst1q_f32,
    add: vaddq_f32,
    sub: vsubq_f32,
    mul: vmulq_f32,
    max: vmaxq_f32,
    mul_add: |a, b, c| vfmaq_f32(c, a, b),
    lower_half: |v| vreinterpretq_f32_u32(vshlq_n_u32::<16>(vreinterpretq_u32_f32(v))),
    upper_half: |v| vreinterpretq_f32_u32(vandq_u32(
        vreinterpretq_u32_f32(v),
        vdupq_n_u32(0xFFFF_0000)
    )),
    prefetch: no_prefetch,
    transpose_square: transpose_square,
});
