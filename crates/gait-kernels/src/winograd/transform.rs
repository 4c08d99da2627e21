//! The transforms of F(4x4, 3x3), all vectorised over channels.
//!
//! With the points 0, 1, -1, 2, -2 and infinity (Lavin and Gray, 2015):
//! output = A^T [(G weight G^T) * (B^T input B)] A. The gradient by the weight is the adjoint:
//! G^T [(A grad A^T) * (B^T input B)] G.

#![expect(clippy::needless_range_loop, reason = "a tile is read by rows and written by columns")]

use super::tiles::{POINTS, REACH, TILE};
use crate::simd::{Simd, dispatch};
use std::mem::MaybeUninit;

/// How two frames become one before the transform: the temporal part of the algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Combine {
    /// The first frame alone.
    First,
    /// The first plus the second.
    Sum,
    /// The first minus the second.
    Difference,
}

/// A tile to bring into the transform domain.
#[derive(Clone, Copy)]
pub(crate) struct Forward<'a, const N: usize> {
    /// The two frames; `combine` says what becomes of them.
    pub frames: [*const f32; 2],
    pub combine: Combine,
    /// Offset of each value of the tile within a frame.
    pub offsets: &'a [u32; N],
    /// Channels, a multiple of the lanes.
    pub channels: usize,
    /// Where the first of the [`POINTS`] goes, and how far the others are apart.
    pub to: *mut f32,
    pub step: usize,
}

/// What happens to an output before it is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Finish {
    /// Nothing.
    Store,
    /// It is added to what is stored.
    Add,
    /// A leaky ReLU of this slope, at most 1.
    Leaky(f32),
    /// A leaky ReLU of this slope, added to what is stored.
    AddLeaky(f32),
}

/// A tile to bring back from the transform domain.
#[derive(Clone, Copy)]
pub(crate) struct Inverse<'a> {
    /// Where the first of the [`POINTS`] is, and how far the others are apart.
    pub from: *const f32,
    pub step: usize,
    /// Channels, a multiple of the lanes.
    pub channels: usize,
    /// The frame written.
    pub frame: *mut f32,
    /// Offset of each output within the frame; [`NOWHERE`] is not written.
    pub offsets: &'a [u32; TILE * TILE],
    pub finish: Finish,
}

/// A kernel of 3x3 taps and its form in the transform domain, for many output channels.
#[derive(Clone, Copy)]
pub(crate) struct Kernel {
    /// The first tap, and how far the others are apart.
    pub taps: *mut f32,
    pub tap_step: usize,
    /// The first of the [`POINTS`], and how far the others are apart.
    pub points: *mut f32,
    pub point_step: usize,
    /// Output channels, a multiple of the lanes.
    pub channels: usize,
}

/// The offset of an output that is not written.
pub(crate) const NOWHERE: u32 = u32::MAX;

dispatch!(
    /// B^T input B.
    input, input_tile, &Forward<POINTS>, input_avx512, input_avx2
);
dispatch!(
    /// A grad A^T.
    grad, grad_tile, &Forward<{ TILE * TILE }>, grad_avx512, grad_avx2
);
dispatch!(
    /// A^T product A.
    output, output_tile, &Inverse, output_avx512, output_avx2
);

dispatch!(
    /// G weight G^T.
    weight, weight_tile, &Kernel, weight_avx512, weight_avx2
);
dispatch!(
    /// G^T product G, written to the taps.
    weight_adjoint, weight_adjoint_tile, &Kernel, weight_adjoint_avx512, weight_adjoint_avx2
);

#[inline(always)]
unsafe fn input_tile<S: Simd>(call: &Forward<POINTS>) {
    // SAFETY: see `input`.
    unsafe {
        for c in (0..call.channels).step_by(S::LANES) {
            // Not zeroed: more vectors than registers, and zeros took a twentieth of all time.
            let mut half = MaybeUninit::<[[S::V; REACH]; REACH]>::uninit();
            let half = half.as_mut_ptr().cast::<S::V>();
            for j in 0..REACH {
                let d = read::<S, REACH, POINTS>(call, c, |i| i * REACH + j);
                let t = input_line::<S>(d);
                for i in 0..REACH {
                    half.add(i * REACH + j).write(t[i]);
                }
            }
            for i in 0..REACH {
                let line = half.add(i * REACH).cast::<[S::V; REACH]>().read();
                write::<S, POINTS>(call, c, i, input_line::<S>(line));
            }
        }
    }
}

#[inline(always)]
unsafe fn grad_tile<S: Simd>(call: &Forward<{ TILE * TILE }>) {
    // SAFETY: see `grad`.
    unsafe {
        for c in (0..call.channels).step_by(S::LANES) {
            let mut half = [[S::zero(); TILE]; REACH];
            for j in 0..TILE {
                let d = read::<S, TILE, { TILE * TILE }>(call, c, |i| i * TILE + j);
                let t = grad_line::<S>(d);
                for i in 0..REACH {
                    half[i][j] = t[i];
                }
            }
            for (i, line) in half.into_iter().enumerate() {
                write::<S, { TILE * TILE }>(call, c, i, grad_line::<S>(line));
            }
        }
    }
}

#[inline(always)]
unsafe fn output_tile<S: Simd>(call: &Inverse) {
    // SAFETY: see `output`.
    unsafe {
        for c in (0..call.channels).step_by(S::LANES) {
            let mut half = [[S::zero(); TILE]; REACH];
            for (i, line) in half.iter_mut().enumerate() {
                let mut m = [S::zero(); REACH];
                for (j, m) in m.iter_mut().enumerate() {
                    *m = S::load(call.from.add((i * REACH + j) * call.step + c));
                }
                *line = output_line::<S>(m);
            }
            for j in 0..TILE {
                let mut m = [S::zero(); REACH];
                for (i, m) in m.iter_mut().enumerate() {
                    *m = half[i][j];
                }
                for (i, y) in output_line::<S>(m).into_iter().enumerate() {
                    let offset = call.offsets[i * TILE + j];
                    if offset != NOWHERE {
                        let to = call.frame.add(offset as usize + c);
                        let y = match call.finish {
                            Finish::Store => y,
                            Finish::Add => S::add(S::load(to), y),
                            Finish::Leaky(slope) => S::max(y, S::mul(S::splat(slope), y)),
                            Finish::AddLeaky(slope) => {
                                S::add(S::load(to), S::max(y, S::mul(S::splat(slope), y)))
                            }
                        };
                        S::store(to, y);
                    }
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn weight_tile<S: Simd>(call: &Kernel) {
    // SAFETY: see `weight`.
    unsafe {
        for c in (0..call.channels).step_by(S::LANES) {
            let mut half = [[S::zero(); 3]; REACH];
            for j in 0..3 {
                let g =
                    [j, 3 + j, 6 + j].map(|tap| S::load(call.taps.add(tap * call.tap_step + c)));
                let u = weight_line::<S>(g);
                for i in 0..REACH {
                    half[i][j] = u[i];
                }
            }
            for (i, line) in half.into_iter().enumerate() {
                for (j, u) in weight_line::<S>(line).into_iter().enumerate() {
                    S::store(call.points.add((i * REACH + j) * call.point_step + c), u);
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn weight_adjoint_tile<S: Simd>(call: &Kernel) {
    // SAFETY: see `weight_adjoint`.
    unsafe {
        for c in (0..call.channels).step_by(S::LANES) {
            let mut half = [[S::zero(); 3]; REACH];
            for (i, line) in half.iter_mut().enumerate() {
                let mut u = [S::zero(); REACH];
                for (j, u) in u.iter_mut().enumerate() {
                    *u = S::load(call.points.add((i * REACH + j) * call.point_step + c));
                }
                *line = weight_line_adjoint::<S>(u);
            }
            for j in 0..3 {
                let mut u = [S::zero(); REACH];
                for (i, u) in u.iter_mut().enumerate() {
                    *u = half[i][j];
                }
                for (i, g) in weight_line_adjoint::<S>(u).into_iter().enumerate() {
                    S::store(call.taps.add((i * 3 + j) * call.tap_step + c), g);
                }
            }
        }
    }
}

/// `L` values of a tile, its two frames combined.
#[inline(always)]
unsafe fn read<S: Simd, const L: usize, const N: usize>(
    call: &Forward<N>,
    c: usize,
    place: impl Fn(usize) -> usize,
) -> [S::V; L] {
    // SAFETY: the offsets lie within both frames.
    unsafe {
        let mut values = [S::zero(); L];
        for (i, value) in values.iter_mut().enumerate() {
            let offset = call.offsets[place(i)] as usize + c;
            let first = S::load(call.frames[0].add(offset));
            *value = match call.combine {
                Combine::First => first,
                Combine::Sum => S::add(first, S::load(call.frames[1].add(offset))),
                Combine::Difference => S::sub(first, S::load(call.frames[1].add(offset))),
            };
        }
        values
    }
}

#[inline(always)]
unsafe fn write<S: Simd, const N: usize>(
    call: &Forward<N>,
    c: usize,
    line: usize,
    values: [S::V; REACH],
) {
    // SAFETY: `to` holds POINTS places `step` apart.
    unsafe {
        for (j, value) in values.into_iter().enumerate() {
            S::store(call.to.add((line * REACH + j) * call.step + c), value);
        }
    }
}

/// B^T d.
#[inline(always)]
unsafe fn input_line<S: Simd>(d: [S::V; REACH]) -> [S::V; REACH] {
    // SAFETY: as the caller.
    unsafe {
        let (two, four, five) = (S::splat(2.0), S::splat(4.0), S::splat(-5.0));
        let (minus_four, minus_two) = (S::splat(-4.0), S::splat(-2.0));
        let even = S::mul_add(minus_four, d[2], d[4]);
        let odd = S::mul_add(minus_four, d[1], d[3]);
        let outer = S::sub(d[4], d[2]);
        let inner = S::sub(d[3], d[1]);
        [
            S::mul_add(four, d[0], S::mul_add(five, d[2], d[4])),
            S::add(even, odd),
            S::sub(even, odd),
            S::mul_add(two, inner, outer),
            S::mul_add(minus_two, inner, outer),
            S::mul_add(four, d[1], S::mul_add(five, d[3], d[5])),
        ]
    }
}

/// A^T m.
#[inline(always)]
unsafe fn output_line<S: Simd>(m: [S::V; REACH]) -> [S::V; TILE] {
    // SAFETY: as the caller.
    unsafe {
        let (two, four, eight) = (S::splat(2.0), S::splat(4.0), S::splat(8.0));
        let (sum, difference) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
        let (far_sum, far_difference) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
        [
            S::add(m[0], S::add(sum, far_sum)),
            S::mul_add(two, far_difference, difference),
            S::mul_add(four, far_sum, sum),
            S::add(S::mul_add(eight, far_difference, difference), m[5]),
        ]
    }
}

/// A y.
#[inline(always)]
unsafe fn grad_line<S: Simd>(y: [S::V; TILE]) -> [S::V; REACH] {
    // SAFETY: as the caller.
    unsafe {
        let (two, four, eight) = (S::splat(2.0), S::splat(4.0), S::splat(8.0));
        let (even, odd) = (S::add(y[0], y[2]), S::add(y[1], y[3]));
        let far_even = S::mul_add(four, y[2], y[0]);
        let far_odd = S::mul_add(eight, y[3], S::mul(two, y[1]));
        [
            y[0],
            S::add(even, odd),
            S::sub(even, odd),
            S::add(far_even, far_odd),
            S::sub(far_even, far_odd),
            y[3],
        ]
    }
}

/// G g: three taps of a line.
#[inline(always)]
unsafe fn weight_line<S: Simd>(g: [S::V; 3]) -> [S::V; REACH] {
    // SAFETY: as the caller.
    unsafe {
        let (quarter, sixth) = (S::splat(0.25), S::splat(1.0 / 6.0));
        let (minus_sixth, twelfth) = (S::splat(-1.0 / 6.0), S::splat(1.0 / 12.0));
        let sum = S::add(g[0], g[2]);
        let far = S::mul_add(S::splat(1.0 / 24.0), g[0], S::mul(sixth, g[2]));
        let middle = S::mul(twelfth, g[1]);
        [
            S::mul(quarter, g[0]),
            S::mul(minus_sixth, S::add(sum, g[1])),
            S::mul(minus_sixth, S::sub(sum, g[1])),
            S::add(far, middle),
            S::sub(far, middle),
            g[2],
        ]
    }
}

/// G^T u: the adjoint of [`weight_line`].
#[inline(always)]
unsafe fn weight_line_adjoint<S: Simd>(u: [S::V; REACH]) -> [S::V; 3] {
    // SAFETY: as the caller.
    unsafe {
        let (sixth, twelfth) = (S::splat(1.0 / 6.0), S::splat(1.0 / 12.0));
        let minus_sixth = S::splat(-1.0 / 6.0);
        let (near, far) = (S::add(u[1], u[2]), S::add(u[3], u[4]));
        let first = S::mul_add(S::splat(0.25), u[0], S::mul(minus_sixth, near));
        [
            S::mul_add(S::splat(1.0 / 24.0), far, first),
            S::mul_add(sixth, S::sub(u[2], u[1]), S::mul(twelfth, S::sub(u[3], u[4]))),
            S::mul_add(sixth, S::sub(far, near), u[5]),
        ]
    }
}
