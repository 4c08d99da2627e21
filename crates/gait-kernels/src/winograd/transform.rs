//! The transforms of F(4x4, 3x3), all vectorised over channels.
//!
//! output = A^T [(G weight G^T) * (B^T input B)] A. The gradient with respect to the weight is the
//! adjoint: G^T [(A grad A^T) * (B^T input B)] G.

#![expect(clippy::needless_range_loop, reason = "a tile is read by rows and written by columns")]

use super::tiles::{POINTS, REACH, TILE};
use crate::simd::{Simd, dispatch};
use crate::temporal::Combine;
use std::mem::MaybeUninit;

/// A tile to bring into the transform domain.
#[derive(Clone, Copy)]
pub(crate) struct Forward<'a, const N: usize> {
    /// The two frames, and how they are combined.
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
    unsafe fn input(&Forward<POINTS>) => input_tile
);
dispatch!(
    /// A grad A^T.
    unsafe fn grad(&Forward<{ TILE * TILE }>) => grad_tile
);
dispatch!(
    /// A^T product A.
    unsafe fn output(&Inverse) => output_tile
);
dispatch!(
    /// G weight G^T.
    unsafe fn weight(&Kernel) => weight_tile
);
dispatch!(
    /// G^T product G, written to the taps.
    unsafe fn weight_adjoint(&Kernel) => weight_adjoint_tile
);

/// See [`input`].
#[inline(always)]
unsafe fn input_tile<S: Simd>(simd: S, call: &Forward<POINTS>) {
    for c in (0..call.channels).step_by(S::LANES) {
        // Not zeroed: more vectors than registers, and zeros took a twentieth of all time.
        let mut half = MaybeUninit::<[[S::V; REACH]; REACH]>::uninit();
        let half = half.as_mut_ptr().cast::<S::V>();
        for j in 0..REACH {
            // SAFETY: the caller guarantees the tile's values of the vector at `c`.
            let d = unsafe { read::<S, REACH, POINTS>(simd, call, c, |i| i * REACH + j) };
            let t = input_line(simd, d);
            for i in 0..REACH {
                // SAFETY: `i * REACH + j` is one of the REACH * REACH places of `half`.
                unsafe { half.add(i * REACH + j).write(t[i]) }
            }
        }
        for i in 0..REACH {
            // SAFETY: the loop above wrote every place of `half`; `i` is one of its REACH lines.
            let line = unsafe { half.add(i * REACH).cast::<[S::V; REACH]>().read() };
            // SAFETY: the caller guarantees POINTS places for the vector at `c`.
            unsafe { write::<S, POINTS>(simd, call, c, i, input_line(simd, line)) }
        }
    }
}

/// See [`grad`].
#[inline(always)]
unsafe fn grad_tile<S: Simd>(simd: S, call: &Forward<{ TILE * TILE }>) {
    for c in (0..call.channels).step_by(S::LANES) {
        let mut half = [[simd.zero(); TILE]; REACH];
        for j in 0..TILE {
            // SAFETY: the caller guarantees the tile's values of the vector at `c`.
            let d = unsafe { read::<S, TILE, { TILE * TILE }>(simd, call, c, |i| i * TILE + j) };
            let t = grad_line(simd, d);
            for i in 0..REACH {
                half[i][j] = t[i];
            }
        }
        for (i, line) in half.into_iter().enumerate() {
            // SAFETY: the caller guarantees POINTS places for the vector at `c`.
            unsafe { write::<S, { TILE * TILE }>(simd, call, c, i, grad_line(simd, line)) }
        }
    }
}

/// See [`output`].
#[inline(always)]
unsafe fn output_tile<S: Simd>(simd: S, call: &Inverse) {
    for c in (0..call.channels).step_by(S::LANES) {
        let mut half = [[simd.zero(); TILE]; REACH];
        for (i, line) in half.iter_mut().enumerate() {
            // SAFETY: line `i` of the POINTS places, of which the caller guarantees the vector at
            // `c`.
            let m = unsafe { load_line(simd, call.from.add(i * REACH * call.step + c), call.step) };
            *line = output_line(simd, m);
        }
        for j in 0..TILE {
            let mut m = [simd.zero(); REACH];
            for (i, m) in m.iter_mut().enumerate() {
                *m = half[i][j];
            }
            for (i, y) in output_line(simd, m).into_iter().enumerate() {
                let offset = call.offsets[i * TILE + j];
                if offset != NOWHERE {
                    // SAFETY: the caller guarantees the channels at each offset of the frame.
                    unsafe {
                        store_output(simd, call.frame.add(offset as usize + c), y, call.finish);
                    }
                }
            }
        }
    }
}

/// Stores a vector of outputs as `finish` says.
///
/// # Safety
/// One vector is readable and writable at `to`.
#[inline(always)]
unsafe fn store_output<S: Simd>(simd: S, to: *mut f32, y: S::V, finish: Finish) {
    let leaky = |slope| simd.max(y, simd.mul(simd.splat(slope), y));
    // SAFETY: the caller guarantees the vector at `to`.
    unsafe {
        let y = match finish {
            Finish::Store => y,
            Finish::Add => simd.add(simd.load(to), y),
            Finish::Leaky(slope) => leaky(slope),
            Finish::AddLeaky(slope) => simd.add(simd.load(to), leaky(slope)),
        };
        simd.store(to, y);
    }
}

/// See [`weight`].
#[inline(always)]
unsafe fn weight_tile<S: Simd>(simd: S, call: &Kernel) {
    for c in (0..call.channels).step_by(S::LANES) {
        let mut half = [[simd.zero(); 3]; REACH];
        for j in 0..3 {
            // SAFETY: the caller guarantees nine taps for the vector at `c`; the last one here is
            // tap 6 + j.
            let tap = |tap: usize| unsafe { simd.load(call.taps.add(tap * call.tap_step + c)) };
            let u = weight_line(simd, [tap(j), tap(3 + j), tap(6 + j)]);
            for i in 0..REACH {
                half[i][j] = u[i];
            }
        }
        for (i, line) in half.into_iter().enumerate() {
            for (j, u) in weight_line(simd, line).into_iter().enumerate() {
                // SAFETY: the caller guarantees POINTS places for the vector at `c`.
                unsafe {
                    simd.store(call.points.add((i * REACH + j) * call.point_step + c), u);
                }
            }
        }
    }
}

/// See [`weight_adjoint`].
#[inline(always)]
unsafe fn weight_adjoint_tile<S: Simd>(simd: S, call: &Kernel) {
    for c in (0..call.channels).step_by(S::LANES) {
        let mut half = [[simd.zero(); 3]; REACH];
        for (i, line) in half.iter_mut().enumerate() {
            // SAFETY: line `i` of the POINTS places, of which the caller guarantees the vector at
            // `c`.
            let u = unsafe {
                let from = call.points.add(i * REACH * call.point_step + c);
                load_line(simd, from, call.point_step)
            };
            *line = weight_line_adjoint(simd, u);
        }
        for j in 0..3 {
            let mut u = [simd.zero(); REACH];
            for (i, u) in u.iter_mut().enumerate() {
                *u = half[i][j];
            }
            for (i, g) in weight_line_adjoint(simd, u).into_iter().enumerate() {
                // SAFETY: the caller guarantees nine taps for the vector at `c`.
                unsafe { simd.store(call.taps.add((i * 3 + j) * call.tap_step + c), g) }
            }
        }
    }
}

/// [`REACH`] vectors that are `step` values apart.
///
/// # Safety
/// Each of them is readable.
#[inline(always)]
unsafe fn load_line<S: Simd>(simd: S, from: *const f32, step: usize) -> [S::V; REACH] {
    let mut line = [simd.zero(); REACH];
    for (j, value) in line.iter_mut().enumerate() {
        // SAFETY: the caller guarantees the j-th vector.
        *value = unsafe { simd.load(from.add(j * step)) };
    }
    line
}

/// `L` values of a tile at channel `c`, its two frames combined.
///
/// # Safety
/// Both frames of `call` hold a vector at channel `c` of each offset.
#[inline(always)]
unsafe fn read<S: Simd, const L: usize, const N: usize>(
    simd: S,
    call: &Forward<N>,
    c: usize,
    place: impl Fn(usize) -> usize,
) -> [S::V; L] {
    let mut values = [simd.zero(); L];
    for (i, value) in values.iter_mut().enumerate() {
        let offset = call.offsets[place(i)] as usize + c;
        // SAFETY: the caller guarantees the vector at this offset in both frames.
        *value = unsafe {
            let first = simd.load(call.frames[0].add(offset));
            match call.combine {
                Combine::First => first,
                Combine::Sum => simd.add(first, simd.load(call.frames[1].add(offset))),
                Combine::Difference => simd.sub(first, simd.load(call.frames[1].add(offset))),
            }
        };
    }
    values
}

/// Stores one line of the transform domain at channel `c`.
///
/// # Safety
/// `call.to` holds a vector at channel `c` of each of the [`POINTS`] places.
#[inline(always)]
unsafe fn write<S: Simd, const N: usize>(
    simd: S,
    call: &Forward<N>,
    c: usize,
    line: usize,
    values: [S::V; REACH],
) {
    for (j, value) in values.into_iter().enumerate() {
        // SAFETY: `line` and `j` are below REACH, so this is one of the POINTS places.
        unsafe { simd.store(call.to.add((line * REACH + j) * call.step + c), value) }
    }
}

/// B^T d.
#[inline(always)]
fn input_line<S: Simd>(simd: S, d: [S::V; REACH]) -> [S::V; REACH] {
    let two = simd.splat(2.0);
    let four = simd.splat(4.0);
    let minus_two = simd.splat(-2.0);
    let minus_four = simd.splat(-4.0);
    let minus_five = simd.splat(-5.0);
    let even = simd.mul_add(minus_four, d[2], d[4]);
    let odd = simd.mul_add(minus_four, d[1], d[3]);
    let outer = simd.sub(d[4], d[2]);
    let inner = simd.sub(d[3], d[1]);
    [
        simd.mul_add(four, d[0], simd.mul_add(minus_five, d[2], d[4])),
        simd.add(even, odd),
        simd.sub(even, odd),
        simd.mul_add(two, inner, outer),
        simd.mul_add(minus_two, inner, outer),
        simd.mul_add(four, d[1], simd.mul_add(minus_five, d[3], d[5])),
    ]
}

/// A^T m.
#[inline(always)]
fn output_line<S: Simd>(simd: S, m: [S::V; REACH]) -> [S::V; TILE] {
    let two = simd.splat(2.0);
    let four = simd.splat(4.0);
    let eight = simd.splat(8.0);
    let sum = simd.add(m[1], m[2]);
    let difference = simd.sub(m[1], m[2]);
    let far_sum = simd.add(m[3], m[4]);
    let far_difference = simd.sub(m[3], m[4]);
    [
        simd.add(m[0], simd.add(sum, far_sum)),
        simd.mul_add(two, far_difference, difference),
        simd.mul_add(four, far_sum, sum),
        simd.add(simd.mul_add(eight, far_difference, difference), m[5]),
    ]
}

/// A y.
#[inline(always)]
fn grad_line<S: Simd>(simd: S, y: [S::V; TILE]) -> [S::V; REACH] {
    let two = simd.splat(2.0);
    let four = simd.splat(4.0);
    let eight = simd.splat(8.0);
    let even = simd.add(y[0], y[2]);
    let odd = simd.add(y[1], y[3]);
    let far_even = simd.mul_add(four, y[2], y[0]);
    let far_odd = simd.mul_add(eight, y[3], simd.mul(two, y[1]));
    [
        y[0],
        simd.add(even, odd),
        simd.sub(even, odd),
        simd.add(far_even, far_odd),
        simd.sub(far_even, far_odd),
        y[3],
    ]
}

/// G g: three taps of a line.
#[inline(always)]
fn weight_line<S: Simd>(simd: S, g: [S::V; 3]) -> [S::V; REACH] {
    let quarter = simd.splat(0.25);
    let sixth = simd.splat(1.0 / 6.0);
    let minus_sixth = simd.splat(-1.0 / 6.0);
    let twelfth = simd.splat(1.0 / 12.0);
    let sum = simd.add(g[0], g[2]);
    let far = simd.mul_add(simd.splat(1.0 / 24.0), g[0], simd.mul(sixth, g[2]));
    let middle = simd.mul(twelfth, g[1]);
    [
        simd.mul(quarter, g[0]),
        simd.mul(minus_sixth, simd.add(sum, g[1])),
        simd.mul(minus_sixth, simd.sub(sum, g[1])),
        simd.add(far, middle),
        simd.sub(far, middle),
        g[2],
    ]
}

/// G^T u: the adjoint of [`weight_line`].
#[inline(always)]
fn weight_line_adjoint<S: Simd>(simd: S, u: [S::V; REACH]) -> [S::V; 3] {
    let sixth = simd.splat(1.0 / 6.0);
    let minus_sixth = simd.splat(-1.0 / 6.0);
    let twelfth = simd.splat(1.0 / 12.0);
    let near = simd.add(u[1], u[2]);
    let far = simd.add(u[3], u[4]);
    let first = simd.mul_add(simd.splat(0.25), u[0], simd.mul(minus_sixth, near));
    [
        simd.mul_add(simd.splat(1.0 / 24.0), far, first),
        simd.mul_add(sixth, simd.sub(u[2], u[1]), simd.mul(twelfth, simd.sub(u[3], u[4]))),
        simd.mul_add(sixth, simd.sub(far, near), u[5]),
    ]
}
