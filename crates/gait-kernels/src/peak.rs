//! How fast this machine multiplies at most, measured.
//!
//! The kernels that are measured keep their operands in registers, or in tiles that are loaded from
//! the L1 cache. No computation with memory traffic is faster.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::Isa;
use crate::bf16::{self, BLOCK, Bf16Unit};
use crate::buffer::Buffer;
use crate::simd::{Simd, dispatch};

/// Floating-point operations in a second that f32 multiply-adds (two operations each) reach on the
/// calling thread, measured for about this time.
pub fn measure_f32(isa: Isa, time: Duration) -> f64 {
    let mut sums = [0.0; SUMS * MOST_LANES];
    let once = (2 * SUMS * isa.lanes() * ROUNDS) as f64;
    rate(once, time, || {
        // SAFETY: `sums` has room for SUMS vectors of any set.
        unsafe { multiply_add(isa, sums.as_mut_ptr()) }
        black_box(&mut sums);
    })
}

/// Floating-point operations in a second that products of bf16 values reach with this unit on the
/// calling thread, measured for about this time.
pub fn measure_bf16(unit: Bf16Unit, time: Duration) -> f64 {
    let depth = 8 * BLOCK;
    // On cache lines: a tile whose rows straddle two of them takes twice as long to load.
    let mut ones = Buffer::zeros(depth * BLOCK);
    ones.fill(bf16::round(1.0));
    let mut sums = Buffer::zeros(BLOCK * BLOCK);
    rate((2 * depth * BLOCK * BLOCK) as f64, time, || {
        bf16::product(unit, depth, &ones, &ones, &mut sums);
        black_box(&mut sums);
    })
}

/// Operations in a second of something that makes `once` of them each time.
fn rate(once: f64, time: Duration, mut run: impl FnMut()) -> f64 {
    // The first run may find a vector unit that sleeps.
    run();
    let began = Instant::now();
    let mut done = 0.0;
    loop {
        for _ in 0..16 {
            run();
            done += once;
        }
        let spent = began.elapsed();
        if spent >= time {
            return done / spent.as_secs_f64();
        }
    }
}

/// Independent sums: enough for two units of a latency of four to six cycles.
const SUMS: usize = 12;
/// No vector holds more floats.
const MOST_LANES: usize = 16;
/// Multiply-adds of each sum in one call.
const ROUNDS: usize = 1000;

dispatch!(
    /// Multiplies and adds in registers, from and to SUMS vectors at the pointer.
    unsafe fn multiply_add(*mut f32) => multiply_add_on
);

/// See [`multiply_add`].
#[inline(always)]
unsafe fn multiply_add_on<S: Simd>(simd: S, at: *mut f32) {
    let factor = simd.splat(0.5);
    let one = simd.splat(1.0);
    let mut sums = [simd.zero(); SUMS];
    for _ in 0..ROUNDS {
        for sum in &mut sums {
            *sum = simd.mul_add(*sum, factor, one);
        }
    }
    for (i, sum) in sums.into_iter().enumerate() {
        // SAFETY: the caller guarantees SUMS vectors.
        unsafe { simd.store(at.add(i * S::LANES), sum) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_has_a_peak() {
        let time = Duration::from_millis(1);
        for isa in Isa::available() {
            assert!(measure_f32(isa, time) > 1e6, "{isa:?}");
        }
        for unit in Bf16Unit::available() {
            assert!(measure_bf16(unit, time) > 1e6, "{unit:?}");
        }
    }

    #[test]
    fn sums_are_computed_and_not_assumed() {
        let mut sums = [0.0; SUMS * MOST_LANES];
        // SAFETY: there is room for SUMS vectors.
        unsafe { multiply_add(Isa::best(), sums.as_mut_ptr()) }
        // The limit of s = s / 2 + 1.
        assert_eq!(sums[..Isa::best().lanes()], [2.0; MOST_LANES][..Isa::best().lanes()]);
    }
}
