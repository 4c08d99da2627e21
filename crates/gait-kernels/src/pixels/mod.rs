//! The algorithm for few channels: vectors run over pixels, so nothing is transposed.
//!
//! The first layer has one input channel, and local temporal aggregation by 3x1x1 reads each frame
//! once: neither has enough products per value to pay for another memory layout. A panel holds every
//! tap's value for some neighbouring pixels; the product with the weights is written straight to
//! `[co, t, h, w]`.

mod patches;

use crate::activation::{self, LeakyGradient};
use crate::buffer::{Buffer, Shared, zeros};
use crate::channel_last::padded;
use crate::geometry::{Geometry, index};
use crate::join::{Branch, Join};
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
/// Tasks of a gradient with respect to the weight; each has its own sums, which are added in order.
const GRADIENT_TASKS: usize = 16;

thread_local! {
    /// Memory of one task, kept for the next one.
    static SCRATCH: RefCell<[Buffer; 3]> = RefCell::default();
}

/// The output `[n, co, t_out, h, w]`.
pub(crate) fn forward(isa: Isa, p: &RegionConv3d, x: &[f32], weight: &[f32]) -> Vec<f32> {
    gather(p.sequences, &[Convolution::forward(isa, p, weight)], Join::Sum, None, x, None)
}

/// The gradient with respect to the input, `[n, ci, t, h, w]`.
pub(crate) fn backward_data(isa: Isa, p: &RegionConv3d, weight: &[f32], grad: &[f32]) -> Vec<f32> {
    let ci = p.in_channels;
    let taps = p.kernel.iter().product::<usize>();
    let patches = Patches::new(isa, Geometry::backward(p), p, p.out_channels, true);
    let weights = patches.weights(ci, |i, o, tap| weight[(o * ci + i) * taps + tap]);
    let convolution = Convolution { patches, weights, outputs: ci };
    gather(p.sequences, &[convolution], Join::Sum, None, grad, None)
}

/// A layer: convolutions of one input, each followed by a leaky ReLU, then joined.
pub(crate) struct Layer<'a> {
    /// The labels hold for the restricted branches.
    pub problem: RegionConv3d<'a>,
    pub branches: Vec<Branch<&'a [f32]>>,
    pub join: Join,
    pub slope: f32,
}

impl Layer<'_> {
    /// The output `[n, co, t_out, h, w]`, with twice the rows where two branches are stacked.
    /// `signs`, `[n, co, t_out, h, w]`, receives which of two branches were positive.
    pub fn forward(&self, isa: Isa, x: &[f32], signs: Option<&mut [u8]>) -> Vec<f32> {
        let global = self.problem.without_labels();
        let convolution = |branch: &Branch<&[f32]>| {
            let problem = if branch.restricted { &self.problem } else { &global };
            Convolution::forward(isa, problem, branch.weight)
        };
        let convolutions: Vec<_> = self.branches.iter().map(convolution).collect();
        gather(self.problem.sequences, &convolutions, self.join, Some(self.slope), x, signs)
    }
}

/// The gradient with respect to the weight, `[co, ci, kt, kh, kw]`.
///
/// The positions are cut into a fixed number of parts whose sums are added in order, so the result
/// does not depend on the number of threads.
pub(crate) fn backward_weight(
    isa: Isa,
    p: &RegionConv3d,
    x: &[f32],
    grad: OutputGradient,
) -> Vec<f32> {
    let patches = Patches::new(isa, Geometry::forward(p), p, p.in_channels, false);
    let stride = padded(p.out_channels, isa.lanes());
    let depth = patches.depth();
    let units = p.sequences * patches.geometry.frames_out;
    let mut sums = Buffer::zeros(GRADIENT_TASKS * depth * stride);
    sums.par_chunks_exact_mut((depth * stride).max(1)).enumerate().for_each(|(task, sums)| {
        for unit in units * task / GRADIENT_TASKS..units * (task + 1) / GRADIENT_TASKS {
            patches.gradient(unit, p.out_channels, x, &grad, sums);
        }
    });
    let ci = p.in_channels;
    let taps = p.kernel.iter().product::<usize>();
    let mut dw = vec![0.0; p.weight_len()];
    for (place, value) in dw.iter_mut().enumerate() {
        let co = place / (ci * taps);
        let row = patches.row(place / taps % ci, place % taps);
        *value = (0..GRADIENT_TASKS).map(|task| sums[(task * depth + row) * stride + co]).sum();
    }
    dw
}

/// One convolution, ready to compute.
struct Convolution {
    patches: Patches,
    /// `[outputs, depth]`.
    weights: Vec<f32>,
    outputs: usize,
}

/// Every sequence of `x`, `[n, inputs, frames_in, h, w]`, through the convolutions, which differ
/// only in their weights and labels.
fn gather(
    sequences: usize,
    convolutions: &[Convolution],
    join: Join,
    slope: Option<f32>,
    x: &[f32],
    signs: Option<&mut [u8]>,
) -> Vec<f32> {
    let Convolution { patches, outputs, .. } = &convolutions[0];
    let frames = patches.geometry.frames_out;
    let pixels = patches.pixels;
    let width = patches.width;
    // How far two outputs are apart, in the signs and in the joined map.
    let sign_step = frames * pixels;
    let step = sign_step * join.maps();
    let mut y = zeros(sequences * outputs * step);
    if y.is_empty() || patches.inputs == 0 {
        return y;
    }
    let target = Shared::new(&mut y);
    let signs = signs.map(Shared::new);
    let task = TASK_PANELS * width;
    let per_frame = pixels.div_ceil(task);
    (0..sequences * frames * per_frame).into_par_iter().for_each(|i| {
        let unit = i / per_frame;
        let task_start = i % per_frame * task;
        let n = unit / frames;
        let t = unit % frames;
        SCRATCH.with_borrow_mut(|[panel, sums, _]| {
            for first in (task_start..pixels.min(task_start + task)).step_by(width) {
                let count = width.min(pixels - first);
                sums.grow(convolutions.len() * outputs * width);
                let parts = sums.chunks_exact_mut(outputs * width);
                for (convolution, sums) in convolutions.iter().zip(parts) {
                    convolution.sums(x, (n, t), first, panel, sums);
                }
                let place = n * outputs * step + t * pixels * join.maps() + first;
                let extent = (outputs - 1) * step + (join.maps() - 1) * pixels + count;
                // SAFETY: these pixels of this frame belong to this task alone, and `y` outlives
                // the tasks.
                let to = unsafe { target.at(place, extent) };
                let place = n * outputs * sign_step + t * pixels + first;
                let extent = (outputs - 1) * sign_step + count;
                // SAFETY: the signs of these pixels belong to this task alone, and the caller's
                // slice outlives the tasks.
                let signs = signs.map(|signs| unsafe { signs.at(place, extent) });
                let call = JoinCall {
                    sums,
                    branches: convolutions.len(),
                    width,
                    count,
                    slope,
                    to,
                    step,
                    below: join.place(1) * pixels,
                    signs,
                    sign_step,
                };
                // SAFETY: `to` and `signs` were checked for `count` values at each output, and `to`
                // at each stacked branch too.
                unsafe { join_branches(patches.isa, &call) }
            }
        });
    });
    y
}

impl Convolution {
    /// The forward pass of `p`.
    fn forward(isa: Isa, p: &RegionConv3d, weight: &[f32]) -> Self {
        let ci = p.in_channels;
        let taps = p.kernel.iter().product::<usize>();
        let patches = Patches::new(isa, Geometry::forward(p), p, ci, false);
        let weights =
            patches.weights(p.out_channels, |o, i, tap| weight[(o * ci + i) * taps + tap]);
        Self { patches, weights, outputs: p.out_channels }
    }

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
            // SAFETY: from the run's start on, `weights` holds `rows` values for each output,
            // `depth` apart; `fill` wrote `rows` rows of `width` pixels; the caller cut `sums` to a
            // row of `width` pixels for each output, and `Nothing` leaves the other target alone.
            unsafe { micro::product(patches.isa, &call) }
            effect = Effect::Add;
        }
        if effect == Effect::Set {
            sums.fill(0.0);
        }
    }
}

/// The gradient with respect to a convolution's output.
#[derive(Clone, Copy)]
pub(crate) enum OutputGradient<'a> {
    /// `[n, co, t_out, h, w]` as it is.
    Plain(&'a [f32]),
    /// The gradient with respect to a layer's output, of which this convolution is one branch.
    Branch {
        /// `[n, co, t_out, h, w]`, with twice the rows where the branches are stacked.
        grad: &'a [f32],
        join: Join,
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
            Self::Branch { grad, join, signs, branch, slope } => {
                let place = (map * join.maps() + join.place(branch)) * pixels + pixel;
                let grad = &grad[place..][..to.len()];
                let signs = &signs[map * pixels + pixel..][..to.len()];
                activation::leaky_gradient(isa, LeakyGradient { grad, signs, branch, slope, to });
            }
        }
    }
}

impl Patches {
    /// Adds the gradient with respect to the weight of one frame, `unit` counting sequences and
    /// frames, to `sums`, `[depth, stride]`.
    fn gradient(
        &self,
        unit: usize,
        outputs: usize,
        x: &[f32],
        grad: &OutputGradient,
        sums: &mut [f32],
    ) {
        let frames = self.geometry.frames_out;
        let n = unit / frames;
        let t = unit % frames;
        let stride = padded(outputs, self.isa.lanes());
        let panels = panels(self.isa, outputs);
        SCRATCH.with_borrow_mut(|[panel, patches, transposed]| {
            panel.grow(self.width * self.depth().max(outputs));
            // Outer products read whole blocks of rows and may run past the last patch.
            patches.grow(self.width * self.depth() + PANEL);
            transposed.grow(self.width * stride);
            transposed.fill(0.0);
            for first in (0..self.pixels).step_by(self.width) {
                let count = self.width.min(self.pixels - first);
                for (o, row) in panel.chunks_exact_mut(self.width).enumerate().take(outputs) {
                    let map = (n * outputs + o) * frames + t;
                    grad.read(self.isa, map, self.pixels, first, &mut row[..count]);
                }
                self.transpose(panel, [outputs, count], transposed, stride);
                for run in self.runs(t) {
                    let rows = self.fill(x, n, t, run.clone(), first, panel);
                    self.transpose(panel, [rows, count], patches, rows);
                    let pairs: [[u32; 2]; PANEL] =
                        std::array::from_fn(|k| [index(k * rows), index(k * stride)]);
                    let start = run.start * self.inputs * self.taps[1] * stride;
                    let sums = &mut sums[start..][..rows * stride];
                    outer_products(self.isa, &panels, &pairs[..count], patches, transposed, sums);
                }
            }
        });
    }
}

/// The sums `[branches, outputs, width]` of neighbouring pixels, to be activated and joined.
pub(crate) struct JoinCall<'a> {
    sums: &'a [f32],
    branches: usize,
    width: usize,
    /// Pixels to write, at most `width`.
    count: usize,
    slope: Option<f32>,
    /// The first output, how far the outputs are apart, and how far below the first branch the
    /// second is stacked; 0 where they are added. `count` values are written at each.
    to: *mut f32,
    step: usize,
    below: usize,
    /// Which of two branches were positive; `count` values for each output, `sign_step` apart.
    signs: Option<*mut u8>,
    sign_step: usize,
}

dispatch!(
    /// Activates and joins the branches.
    unsafe fn join_branches(&JoinCall<'_>) => join_branches_on
);

/// See [`join_branches`].
#[inline(always)]
unsafe fn join_branches_on<S: Simd>(_: S, call: &JoinCall) {
    let outputs = call.sums.len() / call.branches / call.width;
    for (row, sums) in call.sums.chunks_exact(call.width).enumerate() {
        let branch = row / outputs;
        let o = row % outputs;
        // SAFETY: the caller guarantees `count` values at each output of each branch, which no
        // other slice refers to.
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
        // SAFETY: the caller guarantees `count` signs for each output, which no other slice refers
        // to.
        let signs =
            unsafe { std::slice::from_raw_parts_mut(signs.add(o * call.sign_step), call.count) };
        for ((sign, &g), &l) in signs.iter_mut().zip(global).zip(local) {
            *sign = u8::from(g > 0.0) | u8::from(l > 0.0) << 1;
        }
    }
}
