//! The product of two bf16 blocks, from which every bf16 computation is made.

use super::unit::{Bf16Unit, Kind};
#[cfg(target_arch = "x86_64")]
use super::unit::{DotProducts, Tiles};
use crate::simd::{Simd, dispatch};

/// Rows of a block of the left matrix and of the product.
pub(crate) const ROWS: usize = 32;
/// Columns of a block of the right matrix and of the product.
pub(crate) const COLUMNS: usize = 32;
/// Values of a block of the product.
pub(crate) const AREA: usize = ROWS * COLUMNS;
/// Length of the sum of one step.
pub(crate) const DEPTH: usize = 32;
/// Values of one step of the right matrix: two tiles of `[16 pairs, 16 columns, 2]`.
pub(crate) const STEP: usize = DEPTH * COLUMNS;
/// Edge of a tile in rows and in f32 columns.
const EDGE: usize = 16;
/// Values of one tile of bf16.
const TILE: usize = STEP / 2;

/// A bf16 number: the upper half of an f32.
pub(crate) type Half = u16;

/// Part of a sum: consecutive steps of both sides.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Run {
    /// The first of the [`ROWS`] rows; `steps * DEPTH` values are read from each.
    pub a: *const Half,
    /// Bytes from one row to the next.
    pub a_step: usize,
    /// `steps` times [`STEP`] values.
    pub b: *const Half,
    /// At least 1.
    pub steps: usize,
}

/// A product of blocks: `c = sum of a b`, or `c += ..`.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    /// At least one.
    pub runs: &'a [Run],
    /// The first of [`ROWS`] rows of [`COLUMNS`] values each.
    pub c: *mut f32,
    /// Values from one row to the next.
    pub c_step: usize,
    /// Whether to add to what `c` holds.
    pub add: bool,
}

/// A unit, ready on this thread. Make one for a series of products.
pub(crate) enum Multiplier {
    #[cfg(target_arch = "x86_64")]
    Amx(Tiles),
    #[cfg(target_arch = "x86_64")]
    DotProducts(DotProducts),
    Widened(crate::Isa),
}

impl Multiplier {
    pub fn new(unit: Bf16Unit) -> Self {
        match unit.kind() {
            #[cfg(target_arch = "x86_64")]
            Kind::Amx(amx) => Self::Amx(amx.tiles()),
            #[cfg(target_arch = "x86_64")]
            Kind::DotProducts(token) => Self::DotProducts(token),
            Kind::Widened(isa) => Self::Widened(isa),
        }
    }

    /// Multiplies.
    ///
    /// # Safety
    /// The pointers of `block` are valid for what their types state.
    pub unsafe fn multiply(&self, block: &Block) {
        debug_assert!(!block.runs.is_empty() && block.runs.iter().all(|run| run.steps > 0));
        // SAFETY: the tokens prove that the machine has the instructions, and `Tiles` that this
        // thread has configured them; the caller guarantees the pointers.
        unsafe {
            match self {
                #[cfg(target_arch = "x86_64")]
                Self::Amx(_) => amx(block),
                #[cfg(target_arch = "x86_64")]
                Self::DotProducts(_) => dot_products(block),
                Self::Widened(isa) => widened(*isa, block),
            }
        }
    }
}

/// Two by two tiles.
///
/// # Safety
/// This thread's tiles are configured, and the pointers of `block` are valid.
#[cfg(target_arch = "x86_64")]
unsafe fn amx(block: &Block) {
    let c_step = block.c_step * size_of::<f32>();
    // SAFETY: reads `steps` times 64 bytes of each of 32 rows of each run's left side, `steps`
    // times 2 KiB of its right side, and reads and writes 32 rows of 128 bytes of `c`. The compiler
    // itself never uses tiles, and they are declared as overwritten.
    unsafe {
        std::arch::asm!(
            "test {add}, {add}",
            "jz 2f",
            "tileloadd tmm0, [{c} + {c_step}]",
            "tileloadd tmm1, [{c} + {c_step} + 64]",
            "tileloadd tmm2, [{low} + {c_step}]",
            "tileloadd tmm3, [{low} + {c_step} + 64]",
            "jmp 3f",
            "2:",
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "3:",
            "mov {a}, [{run}]",
            "mov {a_step}, [{run} + 8]",
            "mov {b}, [{run} + 16]",
            "mov {steps}, [{run} + 24]",
            "mov {a_low}, {a_step}",
            "shl {a_low}, 4",
            "add {a_low}, {a}",
            "4:",
            "tileloadd tmm4, [{a} + {a_step}]",
            "tileloadd tmm6, [{b} + {line}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{b} + {line} + 1024]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{a_low} + {a_step}]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {a}, 64",
            "add {a_low}, 64",
            "add {b}, 2048",
            "dec {steps}",
            "jnz 4b",
            "add {run}, 32",
            "dec {runs}",
            "jnz 3b",
            "tilestored [{c} + {c_step}], tmm0",
            "tilestored [{c} + {c_step} + 64], tmm1",
            "tilestored [{low} + {c_step}], tmm2",
            "tilestored [{low} + {c_step} + 64], tmm3",
            add = in(reg) u64::from(block.add),
            c = in(reg) block.c,
            low = in(reg) block.c.byte_add(EDGE * c_step),
            c_step = in(reg) c_step,
            line = in(reg) 64_usize,
            run = inout(reg) block.runs.as_ptr() => _,
            runs = inout(reg) block.runs.len() => _,
            a = out(reg) _,
            a_low = out(reg) _,
            a_step = out(reg) _,
            b = out(reg) _,
            steps = out(reg) _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}

/// Rows of the product that stay in registers together.
const ROWS_AT_A_TIME: usize = 8;

/// Eight rows of two vectors at a time.
///
/// # Safety
/// The machine has AVX-512 BF16, and the pointers of `block` are valid.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512bf16,avx512f")]
unsafe fn dot_products(block: &Block) {
    use std::arch::x86_64::*;
    for row in (0..ROWS).step_by(ROWS_AT_A_TIME) {
        // SAFETY: `row` and the seven rows below it are rows of `c` and of every run's left side;
        // the caller guarantees DEPTH values of each for each step, STEP values of `b` for each
        // step, and COLUMNS values of each row of `c`.
        unsafe {
            let mut sums = [[_mm512_setzero_ps(); 2]; ROWS_AT_A_TIME];
            if block.add {
                for (i, sum) in sums.iter_mut().enumerate() {
                    let c = block.c.add((row + i) * block.c_step);
                    *sum = [_mm512_loadu_ps(c), _mm512_loadu_ps(c.add(EDGE))];
                }
            }
            for run in block.runs {
                let a = run.a.byte_add(row * run.a_step);
                for step in 0..run.steps {
                    let b = run.b.add(step * STEP);
                    for pair in 0..DEPTH / 2 {
                        let right = [0, TILE].map(|tile| {
                            let at = b.add(tile + pair * 2 * EDGE);
                            std::mem::transmute::<__m512, __m512bh>(_mm512_loadu_ps(at.cast()))
                        });
                        for (i, sum) in sums.iter_mut().enumerate() {
                            let at = a.byte_add(i * run.a_step).add(step * DEPTH + 2 * pair);
                            let both = _mm512_set1_epi32(at.cast::<i32>().read_unaligned());
                            let left = std::mem::transmute::<__m512i, __m512bh>(both);
                            sum[0] = _mm512_dpbf16_ps(sum[0], left, right[0]);
                            sum[1] = _mm512_dpbf16_ps(sum[1], left, right[1]);
                        }
                    }
                }
            }
            for (i, sum) in sums.iter().enumerate() {
                let c = block.c.add((row + i) * block.c_step);
                _mm512_storeu_ps(c, sum[0]);
                _mm512_storeu_ps(c.add(EDGE), sum[1]);
            }
        }
    }
}

dispatch!(
    /// With f32 vectors: a bf16 value is the upper half of an f32.
    unsafe fn widened(&Block<'_>) => widened_on
);

/// Rows whose sums stay in registers together where values are widened.
const WIDENED_ROWS: usize = 4;

/// See [`widened`].
#[inline(always)]
unsafe fn widened_on<S: Simd>(simd: S, block: &Block) {
    for column in (0..COLUMNS).step_by(S::LANES) {
        // Columns of a tile lie together, the two tiles one after the other.
        let place = column / EDGE * TILE + column % EDGE * 2;
        for row in (0..ROWS).step_by(WIDENED_ROWS) {
            // SAFETY: `row` and the three rows below it are rows of `c` and of every run's left
            // side, and the vector of columns lies within a tile; the caller guarantees DEPTH
            // values of each row for each step, STEP values of `b` for each step, and COLUMNS values
            // of each row of `c`.
            unsafe {
                let c = |i: usize| block.c.add((row + i) * block.c_step + column);
                let mut sums = [simd.zero(); WIDENED_ROWS];
                if block.add {
                    for (i, sum) in sums.iter_mut().enumerate() {
                        *sum = simd.load(c(i));
                    }
                }
                for run in block.runs {
                    let a = run.a.byte_add(row * run.a_step);
                    for at in 0..run.steps * DEPTH / 2 {
                        let step = at / (DEPTH / 2);
                        let b = run.b.add(step * STEP + place + at % (DEPTH / 2) * 2 * EDGE);
                        let pairs = simd.load(b.cast());
                        let even = simd.lower_half(pairs);
                        let odd = simd.upper_half(pairs);
                        for (i, sum) in sums.iter_mut().enumerate() {
                            let left = a.byte_add(i * run.a_step).add(2 * at);
                            let first = simd.splat(widen(*left));
                            let second = simd.splat(widen(*left.add(1)));
                            *sum = simd.mul_add(first, even, *sum);
                            *sum = simd.mul_add(second, odd, *sum);
                        }
                    }
                }
                for (i, sum) in sums.iter().enumerate() {
                    simd.store(c(i), *sum);
                }
            }
        }
    }
}

/// The value of a bf16 number.
#[inline(always)]
pub(crate) fn widen(half: Half) -> f32 {
    f32::from_bits(u32::from(half) << 16)
}

/// The nearest bf16 number; of two that are equally near, the even one. NaN stays NaN.
#[inline(always)]
pub(crate) fn round(value: f32) -> Half {
    let bits = value.to_bits();
    // Half of the lower bits, less one where the upper half is even.
    let rounded = bits.wrapping_add(0x7FFF + (bits >> 16 & 1)) >> 16;
    // Rounding could turn a NaN into infinity.
    let quiet = bits >> 16 | 0x40;
    #[expect(clippy::cast_possible_truncation, reason = "the upper half of 32 bits")]
    {
        (if value.is_nan() { quiet } else { rounded }) as Half
    }
}

/// A value that [`widen`] has returned, as it was.
#[inline(always)]
pub(crate) fn narrow(value: f32) -> Half {
    (value.to_bits() >> 16) as Half
}

/// Where column `column` of row `depth` of the right matrix lies in a step.
#[inline(always)]
pub(crate) fn place_in_step(depth: usize, column: usize) -> usize {
    column / EDGE * TILE + depth / 2 * 2 * EDGE + column % EDGE * 2 + depth % 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Small integers: bf16 holds them exactly, and so does every sum.
    fn values(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 + seed * 104_729) % 13) as f32 - 6.0).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// The products are exact, so all units and the plain sum agree to the bit.
        #[test]
        fn every_unit_multiplies_blocks(
            steps in proptest::collection::vec(1_usize..4, 1..4),
            gap in 0_usize..5,
            seed in 0_usize..100,
            add: bool,
        ) {
            let depth: usize = steps.iter().sum::<usize>() * DEPTH;
            let left = values(ROWS * depth, seed);
            let right = values(depth * COLUMNS, seed + 1);
            let before = values(ROWS * COLUMNS, seed + 2);
            let a_step = depth + gap;
            let mut a = vec![0; ROWS * a_step];
            for (i, &value) in left.iter().enumerate() {
                a[i / depth * a_step + i % depth] = round(value);
            }
            let mut b = vec![0; depth * COLUMNS];
            for (i, &value) in right.iter().enumerate() {
                let row = i / COLUMNS;
                let place = place_in_step(row % DEPTH, i % COLUMNS);
                b[row / DEPTH * STEP + place] = round(value);
            }
            let mut first = 0;
            let runs: Vec<Run> = steps.iter().map(|&steps| {
                let run = Run {
                    a: a[first * DEPTH..].as_ptr(),
                    a_step: a_step * size_of::<Half>(),
                    b: b[first * STEP..].as_ptr(),
                    steps,
                };
                first += steps;
                run
            }).collect();
            let c_step = COLUMNS + gap;
            for unit in Bf16Unit::available() {
                let mut c = vec![0.0; ROWS * c_step];
                for (i, &value) in before.iter().enumerate() {
                    c[i / COLUMNS * c_step + i % COLUMNS] = value;
                }
                let block = Block { runs: &runs, c: c.as_mut_ptr(), c_step, add };
                // SAFETY: the runs cover `a` and `b`, which have the layouts above; `c` has ROWS
                // rows of `c_step` values.
                unsafe { Multiplier::new(unit).multiply(&block) }
                for i in 0..ROWS {
                    for j in 0..COLUMNS {
                        let start = if add { before[i * COLUMNS + j] } else { 0.0 };
                        let sum: f32 = (0..depth)
                            .map(|k| left[i * depth + k] * right[k * COLUMNS + j])
                            .sum();
                        prop_assert_eq!(c[i * c_step + j], start + sum, "{:?} {} {}", unit, i, j);
                    }
                }
            }
        }

        #[test]
        fn rounding_takes_the_nearest_and_of_two_the_even(bits: u32) {
            let value = f32::from_bits(bits);
            let rounded = widen(round(value));
            if value.is_nan() {
                prop_assert!(rounded.is_nan());
            } else {
                let lower = bits & 0xFFFF;
                let up = lower > 0x8000 || lower == 0x8000 && bits >> 16 & 1 == 1;
                let want = f32::from_bits(((bits >> 16) + u32::from(up)) << 16);
                prop_assert_eq!(rounded.to_bits(), want.to_bits());
            }
        }
    }
}
