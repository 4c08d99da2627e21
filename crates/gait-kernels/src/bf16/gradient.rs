//! The gradient with respect to the weight: products over positions.

use super::block::{Block, COLUMNS, DEPTH, Half, Multiplier, ROWS, Run, STEP};
use super::frames::{Frames, Order};
use super::layout::Layout;
use super::steps::{CombineAll, Plan, StepFrames, combine_all};
use super::unit::Bf16Unit;
use crate::buffer::Buffer;
use crate::channel_last::{Transpose, transpose};
use crate::geometry::{Geometry, source_pixels};
use crate::simd::{Simd, dispatch};
use crate::temporal::{Combine, Temporal};
use crate::{Isa, RegionConv3d};
use rayon::prelude::*;
use std::cell::RefCell;

/// Products over positions between two visits to their sums: one side of them stays in the first
/// cache.
const CHUNK: usize = 16;
/// Tasks of a step.
const STEP_TASKS: usize = 2;
/// Output channels of a tile.
const TILE_COLUMNS: usize = COLUMNS / 2;

thread_local! {
    /// What the taps of one task read, kept for the next one.
    static GATHERED: RefCell<Buffer<Half>> = RefCell::default();
}

/// The gradient with respect to the weight, accumulated sequence by sequence.
///
/// One task sums each tap over all positions in order, so the result does not depend on the number
/// of threads.
pub(crate) struct WeightSums {
    unit: Bf16Unit,
    isa: Isa,
    layout: Layout,
    kernel: [usize; 2],
    /// Input and output channels.
    channels: [usize; 2],
    pub plan: Plan,
    /// The gradients of a sequence as the products read them: `[gradients, panels, blocks of
    /// positions, STEP]`, two bf16 values in each f32.
    packed: Buffer,
    /// `[taps, positions]`: all ones where the tap may be read.
    masks: Vec<Half>,
    /// `[steps, rows, stride]`; a row is an input channel of a tap.
    sums: Buffer,
}

impl WeightSums {
    pub fn new(unit: Bf16Unit, temporal: Temporal, p: &RegionConv3d) -> Self {
        let [_, kh, kw] = p.kernel;
        let layout = Layout::of(p);
        let plan = Plan::new(temporal, &Geometry::forward(p));
        let sources = source_pixels(p);
        let mask = |i: usize| {
            let Some([r, c]) = layout.pixel(i % layout.positions) else { return 0 };
            let source = sources[i / layout.positions][r * layout.width + c];
            if source as usize == p.pixels() { 0 } else { Half::MAX }
        };
        let masks = (0..kh * kw * layout.positions).map(mask).collect();
        let rows = (kh * kw * p.in_channels).next_multiple_of(ROWS);
        let stride = p.out_channels.next_multiple_of(COLUMNS);
        let sums = Buffer::zeros(plan.steps.len() * rows * stride);
        Self {
            unit,
            isa: Isa::best(),
            kernel: [kh, kw],
            channels: [p.in_channels, p.out_channels],
            layout,
            plan,
            packed: Buffer::default(),
            masks,
            sums,
        }
    }

    /// Room for what the products read of the input.
    pub fn input(&self, frames: usize) -> StepFrames {
        StepFrames::new(&self.plan, self.planes(0, frames))
    }

    /// Room for the gradient with respect to the output.
    pub fn output(&self, frames: usize) -> Frames {
        self.planes(1, frames)
    }

    fn planes(&self, side: usize, count: usize) -> Frames {
        Frames::bordered(self.layout.clone(), Order::Planes, self.channels[side], count)
    }

    /// Adds one sequence: its input and the gradient with respect to its output.
    pub fn add(&mut self, input: &StepFrames, grad: &Frames) {
        for (side, channels) in [(&input.frames, self.channels[0]), (grad, self.channels[1])] {
            assert!(side.layout == self.layout && side.order == Order::Planes, "frame layout");
            assert_eq!(side.channels, channels, "channels of the frames");
        }
        self.pack_all(grad);
        let sums_len = self.rows() * self.stride();
        let part = (self.rows() / ROWS).div_ceil(STEP_TASKS) * ROWS * self.stride();
        let mut all = std::mem::take(&mut self.sums);
        all.par_chunks_exact_mut(sums_len).enumerate().for_each(|(step, sums)| {
            sums.par_chunks_mut(part).enumerate().for_each(|(i, sums)| {
                let multiplier = Multiplier::new(self.unit);
                let first = i * part / self.stride();
                for group in 0..self.plan.groups.len() {
                    let Some(source) = input.read(&self.plan, group, step) else { continue };
                    let grad = &self.packed[self.grad_of(group, step) * self.packed_len()..];
                    self.add_frame(&multiplier, source, grad, first, sums);
                }
            });
        });
        self.sums = all;
    }

    /// Adds a frame to the rows from `first` on.
    fn add_frame(
        &self,
        multiplier: &Multiplier,
        x: &[Half],
        grad: &[f32],
        first: usize,
        sums: &mut [f32],
    ) {
        let stride = self.stride();
        let blocks = self.layout.positions / DEPTH;
        GATHERED.with_borrow_mut(|gathered| {
            for start in (0..blocks).step_by(CHUNK) {
                let steps = CHUNK.min(blocks - start);
                let len = steps * DEPTH;
                gathered.grow(ROWS * len);
                for (block, sums) in sums.chunks_exact_mut(ROWS * stride).enumerate() {
                    let rows = first + block * ROWS;
                    for (row, to) in gathered.chunks_exact_mut(len).take(ROWS).enumerate() {
                        self.gather(x, rows + row, start * DEPTH, to);
                    }
                    for (panel, column) in (0..stride).step_by(COLUMNS).enumerate() {
                        let b = &grad[(panel * blocks + start) * STEP / 2..][..steps * STEP / 2];
                        let runs = [Run {
                            a: gathered.as_ptr(),
                            a_step: len * size_of::<Half>(),
                            b: b.as_ptr().cast(),
                            steps,
                        }];
                        let c = &mut sums[column..][..(ROWS - 1) * stride + COLUMNS];
                        let call =
                            Block { runs: &runs, c: c.as_mut_ptr(), c_step: stride, add: true };
                        // SAFETY: `gathered` has ROWS rows of `len` values, `b` was sliced to
                        // `steps` products, and `c` has ROWS rows `stride` apart.
                        unsafe { multiplier.multiply(&call) }
                    }
                }
            }
        });
    }

    /// What a row reads from a position on: an input channel at a tap.
    fn gather(&self, x: &[Half], row: usize, position: usize, to: &mut [Half]) {
        let [kh, kw] = self.kernel;
        let [ci, _] = self.channels;
        let tap = row / ci;
        if tap >= kh * kw {
            to.fill(0);
            return;
        }
        let shift = self.layout.shift(self.kernel, tap / kw, tap % kw);
        let from = &x[row % ci * self.layout.pixels() + shift + position..][..to.len()];
        let mask = &self.masks[tap * self.layout.positions + position..][..to.len()];
        mask_all(self.isa, MaskAll { from, mask, to });
    }

    /// Which of the packed gradients a step of a group reads.
    fn grad_of(&self, group: usize, step: usize) -> usize {
        match self.plan.temporal {
            Temporal::Pair => group * self.plan.steps.len() + step,
            Temporal::Sum { .. } => group,
        }
    }

    /// Pairs of values of one packed gradient.
    fn packed_len(&self) -> usize {
        self.stride() * self.layout.positions / 2
    }

    /// Packs the gradients of a sequence.
    fn pack_all(&mut self, grad: &Frames) {
        let steps = if self.plan.temporal == Temporal::Pair { self.plan.steps.len() } else { 1 };
        let len = self.packed_len();
        let mut packed = std::mem::take(&mut self.packed);
        packed.grow(self.plan.groups.len() * steps * len);
        packed.par_chunks_exact_mut(len).enumerate().for_each(|(i, to)| {
            let (sources, combine) = self.plan.gradients(i / steps, i % steps, grad.count);
            self.pack(sources.map(|source| grad.frame(source)), combine, to);
        });
        self.packed = packed;
    }

    /// Packs what a step reads of two frames.
    fn pack(&self, frames: [&[Half]; 2], combine: Combine, to: &mut [f32]) {
        let positions = self.layout.positions;
        let mut planes = Buffer::<Half>::zeros(TILE_COLUMNS * positions);
        for channel in (0..self.channels[1]).step_by(TILE_COLUMNS) {
            let rows = TILE_COLUMNS.min(self.channels[1] - channel);
            for (row, to) in planes.chunks_exact_mut(positions).take(rows).enumerate() {
                let start = (channel + row) * self.layout.pixels() + self.layout.margin;
                let [first, second] = frames.map(|frame| &frame[start..][..positions]);
                combine_all(self.isa, CombineAll { first, second, combine, to });
            }
            let tile = channel % COLUMNS / TILE_COLUMNS * STEP / 4;
            let panel = channel / COLUMNS * positions * COLUMNS / 2;
            for block in 0..positions / DEPTH {
                let mut call = Transpose {
                    from: &planes.pairs()[block * DEPTH / 2..],
                    from_step: positions / 2,
                    to: &mut to[panel + block * STEP / 2 + tile..][..STEP / 4],
                    to_step: TILE_COLUMNS,
                    rows,
                    columns: DEPTH / 2,
                };
                transpose(self.isa, &mut call);
            }
        }
    }

    /// The gradient `[co, ci, kt, kh, kw]`.
    pub fn gradient(self) -> Vec<f32> {
        let [kh, kw] = self.kernel;
        let [ci, co] = self.channels;
        let taps = kh * kw;
        let factors = self.plan.temporal.factors();
        let frames = factors.iter().flatten().map(|&(t, _)| t + 1).max().unwrap_or(0);
        let mut gradient = vec![0.0; co * ci * frames * taps];
        let step_len = self.rows() * self.stride();
        gradient.par_chunks_exact_mut((ci * frames * taps).max(1)).enumerate().for_each(
            |(o, gradient)| {
                for (factors, sums) in factors.iter().zip(self.sums.chunks_exact(step_len)) {
                    for &(t, factor) in factors {
                        for row in 0..taps * ci {
                            let to = (row % ci * frames + t) * taps + row / ci;
                            gradient[to] += factor * sums[row * self.stride() + o];
                        }
                    }
                }
            },
        );
        gradient
    }

    /// Rows of the products: input channels of all taps, in whole blocks.
    fn rows(&self) -> usize {
        let [kh, kw] = self.kernel;
        (kh * kw * self.channels[0]).next_multiple_of(ROWS)
    }

    /// Columns of the products: output channels, in whole blocks.
    fn stride(&self) -> usize {
        self.channels[1].next_multiple_of(COLUMNS)
    }
}

/// Values to copy where a mask is all ones, and zero elsewhere; all have the same length.
pub(crate) struct MaskAll<'a> {
    from: &'a [Half],
    mask: &'a [Half],
    to: &'a mut [Half],
}

dispatch!(
    /// Copies values under a mask.
    fn mask_all(MaskAll<'_>) => mask_all_on
);

#[inline(always)]
fn mask_all_on<S: Simd>(_: S, call: MaskAll) {
    let MaskAll { from, mask, to } = call;
    assert!(from.len() == to.len() && mask.len() == to.len(), "values of one length");
    to.iter_mut().zip(from.iter().zip(mask)).for_each(|(to, (&from, &mask))| *to = from & mask);
}
