//! What the tests share.
#![allow(dead_code, reason = "each test file uses its part")]

use gait_kernels::Precision;

/// Largest difference allowed, relative to the largest value: what Winograd tiles of 4x4 may lose
/// in f32. Direct sums are a hundred times closer.
const TOLERANCE: f32 = 1e-4;

/// Values in -1..1 that depend on the seed and the position only.
pub fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

pub fn assert_close(name: &str, got: &[f32], want: &[f32]) {
    assert_within(TOLERANCE, name, got, want);
}

/// At most `tolerance` of the largest value apart.
pub fn assert_within(tolerance: f32, name: &str, got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len(), "{name}: length");
    let largest = want.iter().fold(0f32, |m, v| m.max(v.abs()));
    let worst = got.iter().zip(want).map(|(g, w)| (g - w).abs()).fold(0f32, f32::max);
    assert!(
        worst <= tolerance * largest && got.iter().all(|v| v.is_finite()),
        "{name}: differs by {worst:e} of {largest:e}"
    );
}

/// Integers from -2 to 2. With a slope of a half bf16 holds them, their sums over a few frames and
/// their products exactly, so that a computation in bf16 has the result of f32.
pub fn integers(len: usize, seed: u64) -> Vec<f32> {
    noise(len, seed).into_iter().map(|value| (value * 5.0).round().clamp(-2.0, 2.0)).collect()
}

/// What a test computes with: a precision, values that it holds, and the slope of the leaky ReLU.
pub type Arithmetic = (Precision, fn(usize, u64) -> Vec<f32>, f32);

/// Both precisions.
pub const ARITHMETICS: [Arithmetic; 2] =
    [(Precision::F32, noise, 0.01), (Precision::Bf16, integers, 0.5)];
