//! The path for few channels: vectors run over pixels, so nothing is transposed.
//!
//! The first layer has one input channel and local temporal aggregation by 3x1x1 reads each frame
//! once: neither has enough products per value to pay for another layout. A panel holds every
//! tap's value for some neighbouring pixels; the product with the weights is written straight to
//! `[co, t, h, w]`.

mod patches;

use crate::activation::{self, Gradient};
use crate::buffer::{Buffer, Shared, zeros};
use crate::geometry::{Geometry, index};
use crate::layout::padded;
use crate::micro::{self, Effect, PANEL, Product};
use crate::outer::outer_products;
use crate::panels::panels;
use crate::simd::{Simd, dispatch};
use crate::{Isa, RegionConv3d};
use patches::Patches;
use rayon::prelude::*;
use std::cell::RefCell;

/// Panels of one task: a quarter of a 64x44 frame.
const TASK_PANELS: usize = 11;
/// Tasks of a gradient by weight; each keeps sums of its own, which are added in order.
const GRADIENT_TASKS: usize = 16;

thread_local! {
    /// Memory of one task, kept for the next one.
    static SCRATCH: RefCell<[Buffer; 3]> = RefCell::default();
}

/// The output `[n, co, t_out, h, w]`.
pub(crate) fn forward(isa: Isa, p: &RegionConv3d, x: &[f32], weight: &[f32]) -> Vec<f32> {
    let (ci, taps) = (p.in_channels, p.kernel.iter().product::<usize>());
    let patches = Patches::new(isa, Geometry::forward(p), p, ci, false);
    let weights = patches.weights(p.out_channels, |o, i, tap| weight[(o * ci + i) * taps + tap]);
    gather(p.sequences, &[Branch { patches, weights, outputs: p.out_channels }], 1, None, x, None)
}

/// The gradient `[n, ci, t, h, w]` of the input.
pub(crate) fn backward_data(isa: Isa, p: &RegionConv3d, weight: &[f32], grad: &[f32]) -> Vec<f32> {
    let (ci, taps) = (p.in_channels, p.kernel.iter().product::<usize>());
    let patches = Patches::new(isa, Geometry::backward(p), p, p.out_channels, true);
    let weights = patches.weights(ci, |i, o, tap| weight[(o * ci + i) * taps + tap]);
    gather(p.sequences, &[Branch { patches, weights, outputs: ci }], 1, None, grad, None)
}

/// The output of a layer, `[n, co, t_out, h, w]`: each branch's convolution and a leaky ReLU, the
/// branches added, or stacked along rows where `stacked` is 2. A branch is a weight and whether
/// the regions of `p` restrict it. `signs`, `[n, co, t_out, h, w]`, receives which of two branches
/// were positive.
pub(crate) fn layer(
    isa: Isa,
    p: &RegionConv3d,
    branches: &[(&[f32], bool)],
    stacked: usize,
    slope: f32,
    x: &[f32],
    signs: Option<&mut [u8]>,
) -> Vec<f32> {
    let (ci, taps) = (p.in_channels, p.kernel.iter().product::<usize>());
    let global = RegionConv3d { labels: None, ..*p };
    let branch = |&(weight, restricted): &(&[f32], bool)| {
        let p = if restricted { p } else { &global };
        let patches = Patches::new(isa, Geometry::forward(p), p, ci, false);
        let weights =
            patches.weights(p.out_channels, |o, i, tap| weight[(o * ci + i) * taps + tap]);
        Branch { patches, weights, outputs: p.out_channels }
    };
    let branches: Vec<_> = branches.iter().map(branch).collect();
    gather(p.sequences, &branches, stacked, Some(slope), x, signs)
}

/// The gradient `[co, ci, kt, kh, kw]` of the weight.
///
/// The positions are cut into a fixed number of parts whose sums are added in order, so the
/// result does not depend on the number of threads.
pub(crate) fn backward_weight(
    isa: Isa,
    p: &RegionConv3d,
    x: &[f32],
    grad: OutputGradient,
) -> Vec<f32> {
    let patches = Patches::new(isa, Geometry::forward(p), p, p.in_channels, false);
    let (stride, depth) = (padded(p.out_channels, isa.lanes()), patches.depth());
    let units = p.sequences * patches.geometry.frames_out;
    let mut sums = Buffer::zeros(GRADIENT_TASKS * depth * stride);
    sums.par_chunks_exact_mut((depth * stride).max(1)).enumerate().for_each(|(task, sums)| {
        for unit in units * task / GRADIENT_TASKS..units * (task + 1) / GRADIENT_TASKS {
            patches.gradient(unit, p.out_channels, x, &grad, sums);
        }
    });
    let (ci, taps) = (p.in_channels, p.kernel.iter().product::<usize>());
    let mut dw = vec![0.0; p.weight_len()];
    for (place, value) in dw.iter_mut().enumerate() {
        let (co, i, tap) = (place / (ci * taps), place / taps % ci, place % taps);
        let row = patches.row(i, tap);
        *value = (0..GRADIENT_TASKS).map(|task| sums[(task * depth + row) * stride + co]).sum();
    }
    dw
}

/// One convolution of a layer.
struct Branch {
    patches: Patches,
    /// `[outputs, depth]`.
    weights: Vec<f32>,
    outputs: usize,
}

/// Every sequence of `x`, `[n, inputs, frames_in, h, w]`, through the branches, which differ only
/// in their weights and labels.
fn gather(
    sequences: usize,
    branches: &[Branch],
    stacked: usize,
    slope: Option<f32>,
    x: &[f32],
    signs: Option<&mut [u8]>,
) -> Vec<f32> {
    let Branch { patches, outputs, .. } = &branches[0];
    let (frames, pixels, width) = (patches.geometry.frames_out, patches.pixels, patches.width);
    let mut y = zeros(sequences * outputs * frames * pixels * stacked);
    if y.is_empty() || patches.inputs == 0 {
        return y;
    }
    let target = Shared::new(&mut y);
    let signs = signs.map(Shared::new);
    let task = TASK_PANELS * width;
    let per_frame = pixels.div_ceil(task);
    let step = frames * pixels * stacked;
    (0..sequences * frames * per_frame).into_par_iter().for_each(|i| {
        let (unit, first) = (i / per_frame, i % per_frame * task);
        let (n, t) = (unit / frames, unit % frames);
        SCRATCH.with_borrow_mut(|[panel, sums, _]| {
            for first in (first..pixels.min(first + task)).step_by(width) {
                let count = width.min(pixels - first);
                sums.grow(branches.len() * outputs * width);
                let parts = sums.chunks_exact_mut(outputs * width);
                for (branch, sums) in branches.iter().zip(parts) {
                    branch.sums(x, (n, t), first, panel, sums);
                }
                let place = n * outputs * step + t * pixels * stacked + first;
                // SAFETY: these pixels of this frame belong to this task alone.
                let to = unsafe {
                    target.at(place, (outputs - 1) * step + (stacked - 1) * pixels + count)
                };
                let place = n * outputs * frames * pixels + t * pixels + first;
                let signs = signs.map(|signs| {
                    // SAFETY: as above.
                    unsafe { signs.at(place, (outputs - 1) * frames * pixels + count) }
                });
                let call = Join {
                    sums,
                    signs,
                    sign_step: frames * pixels,
                    branches: branches.len(),
                    width,
                    count,
                    slope,
                    to,
                    step,
                    below: if stacked == 2 { pixels } else { 0 },
                };
                // SAFETY: `to` holds `count` values for each output and each stacked branch.
                unsafe { join(patches.isa, &call) }
            }
        });
    });
    y
}

impl Branch {
    /// The sums `[outputs, width]` of the pixels from `first` on, in frame `t` of sequence `n`.
    fn sums(
        &self,
        x: &[f32],
        (n, t): (usize, usize),
        first: usize,
        panel: &mut Buffer,
        sums: &mut [f32],
    ) {
        let patches = &self.patches;
        panel.grow(patches.depth() * patches.width);
        let mut effect = Effect::Set;
        for run in patches.runs(t) {
            let rows = patches.fill(x, n, t, run.clone(), first, panel);
            let call = Product {
                rows: self.outputs,
                depth: rows,
                a: self.weights[run.start * patches.inputs * patches.taps[1]..].as_ptr(),
                a_step: patches.depth(),
                b: panel.as_ptr(),
                vectors: patches.isa.panel_vectors(),
                next: panel.as_ptr(),
                c: [(sums.as_mut_ptr(), effect), (sums.as_mut_ptr(), Effect::Nothing)],
                c_step: patches.width,
            };
            // SAFETY: `a` holds a row of weights for each output, `b` a row of pixels for each
            // weight, and `sums` a row of pixels for each output.
            unsafe { micro::product(patches.isa, &call) }
            effect = Effect::Add;
        }
        if effect == Effect::Set {
            sums.fill(0.0);
        }
    }
}

/// The gradient of a convolution's output.
#[derive(Clone, Copy)]
pub(crate) enum OutputGradient<'a> {
    /// `[n, co, t_out, h, w]` as it is.
    Plain(&'a [f32]),
    /// The gradient of a layer's output, of which this convolution is one branch.
    Branch {
        /// `[n, co, t_out, rows * h, w]`, rows being 2 where the branches are stacked.
        grad: &'a [f32],
        stacked: bool,
        /// `[n, co, t_out, h, w]`: which branches were positive.
        signs: &'a [u8],
        branch: usize,
        slope: f32,
    },
}

impl OutputGradient<'_> {
    /// `to.len()` values from `pixel` on of a map `[h, w]`, counted over `[n, co, t_out]`.
    fn read(&self, isa: Isa, map: usize, pixels: usize, pixel: usize, to: &mut [f32]) {
        match *self {
            Self::Plain(grad) => to.copy_from_slice(&grad[map * pixels + pixel..][..to.len()]),
            Self::Branch { grad, stacked, signs, branch, slope } => {
                let place = if stacked { 2 * map + branch } else { map } * pixels + pixel;
                let grad = &grad[place..][..to.len()];
                let signs = &signs[map * pixels + pixel..][..to.len()];
                activation::gradient(isa, Gradient { grad, signs, branch, slope, to });
            }
        }
    }
}

impl Patches {
    /// Adds the gradient by weight of one frame, `unit` counting sequences and frames, to `sums`,
    /// `[depth, stride]`.
    fn gradient(
        &self,
        unit: usize,
        outputs: usize,
        x: &[f32],
        grad: &OutputGradient,
        sums: &mut [f32],
    ) {
        let frames = self.geometry.frames_out;
        let (n, t) = (unit / frames, unit % frames);
        let (stride, panels) = (padded(outputs, self.isa.lanes()), panels(self.isa, outputs));
        SCRATCH.with_borrow_mut(|[panel, patches, turned]| {
            panel.grow(self.width * self.depth().max(outputs));
            // Outer products read whole blocks of rows and may run past the last patch.
            patches.grow(self.width * self.depth() + PANEL);
            turned.grow(self.width * stride);
            turned.fill(0.0);
            for first in (0..self.pixels).step_by(self.width) {
                let count = self.width.min(self.pixels - first);
                for (o, row) in panel.chunks_exact_mut(self.width).enumerate().take(outputs) {
                    let map = (n * outputs + o) * frames + t;
                    grad.read(self.isa, map, self.pixels, first, &mut row[..count]);
                }
                self.turn(panel, [outputs, count], turned, stride);
                for run in self.runs(t) {
                    let rows = self.fill(x, n, t, run.clone(), first, panel);
                    self.turn(panel, [rows, count], patches, rows);
                    let pairs: [[u32; 2]; PANEL] =
                        std::array::from_fn(|k| [index(k * rows), index(k * stride)]);
                    let start = run.start * self.inputs * self.taps[1] * stride;
                    let sums = &mut sums[start..][..rows * stride];
                    outer_products(self.isa, &panels, &pairs[..count], patches, turned, sums);
                }
            }
        });
    }
}

/// The sums `[branches, outputs, width]` of neighbouring pixels, to be activated and joined.
pub(crate) struct Join<'a> {
    sums: &'a [f32],
    branches: usize,
    width: usize,
    /// Pixels that are wanted.
    count: usize,
    slope: Option<f32>,
    /// The first output, how far the outputs are apart, and how far below the first branch the
    /// second is stacked; 0 where they are added.
    to: *mut f32,
    step: usize,
    below: usize,
    /// Which of two branches were positive, for each output `sign_step` apart.
    signs: Option<*mut u8>,
    sign_step: usize,
}

dispatch!(
    /// Activates and joins the branches.
    join, join_any, &Join<'_>, join_avx512, join_avx2
);

#[inline(always)]
unsafe fn join_any<S: Simd>(call: &Join) {
    let outputs = call.sums.len() / call.branches / call.width;
    for (row, sums) in call.sums.chunks_exact(call.width).enumerate() {
        let (branch, o) = (row / outputs, row % outputs);
        // SAFETY: the caller guarantees `count` values at each output of each branch.
        let to = unsafe {
            let to = call.to.add(o * call.step + branch * call.below);
            std::slice::from_raw_parts_mut(to, call.count)
        };
        let added = branch > 0 && call.below == 0;
        let pairs = to.iter_mut().zip(sums);
        match call.slope {
            Some(slope) if added => pairs.for_each(|(to, &v)| *to += v.max(slope * v)),
            Some(slope) => pairs.for_each(|(to, &v)| *to = v.max(slope * v)),
            None => pairs.for_each(|(to, &v)| *to = v),
        }
    }
    let (Some(signs), 2) = (call.signs, call.branches) else { return };
    let (global, local) = call.sums.split_at(outputs * call.width);
    let rows = global.chunks_exact(call.width).zip(local.chunks_exact(call.width));
    for (o, (global, local)) in rows.enumerate() {
        // SAFETY: the caller guarantees `count` signs for each output.
        let signs =
            unsafe { std::slice::from_raw_parts_mut(signs.add(o * call.sign_step), call.count) };
        for ((sign, &g), &l) in signs.iter_mut().zip(global).zip(local) {
            *sign = u8::from(g > 0.0) | u8::from(l > 0.0) << 1;
        }
    }
}
