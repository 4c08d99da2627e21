//! The gradient with respect to the weight: the adjoint of the forward pass, term by term.

use super::tiles::{POINTS, TILE, Tile, tiles};
use super::transform::{self, Forward};
use super::weights::weight_gradient;
use crate::buffer::{Buffer, Shared};
use crate::channel_last::{ChannelLast, padded};
use crate::geometry::{Geometry, index};
use crate::micro::LINE;
use crate::outer::outer_products;
use crate::panels::panels;
use crate::temporal::{Group, Step, Temporal};
use crate::{Isa, RegionConv3d};
use rayon::prelude::*;

/// Values of both sides in the transform domain at a time: what a small third cache holds.
const BLOCK_VALUES: usize = 6_000_000;
/// Tiles that one task transforms.
const TASK_TILES: usize = 16;

/// The gradient with respect to the weight, `[co, ci, kt, 3, 3]`.
pub(crate) fn backward_weight(
    isa: Isa,
    temporal: Temporal,
    p: &RegionConv3d,
    x: &[f32],
    grad: &[f32],
) -> Vec<f32> {
    let in_len = p.in_channels * p.frames * p.pixels();
    let out_len = p.out_channels * p.frames_out() * p.pixels();
    if in_len == 0 || out_len == 0 {
        return vec![0.0; p.weight_len()];
    }
    let mut sums = WeightSums::new(isa, temporal, p);
    let mut input = ChannelLast::empty(p.in_channels, p.frames, p.pixels(), isa.lanes());
    let mut output = ChannelLast::empty(p.out_channels, p.frames_out(), p.pixels(), isa.lanes());
    for (x, grad) in x.chunks_exact(in_len).zip(grad.chunks_exact(out_len)) {
        input.fill(isa, x);
        output.fill(isa, grad);
        sums.add(&input, &output);
    }
    sums.gradient()
}

/// The gradient with respect to the weight, accumulated sequence by sequence.
///
/// One task sums each point of the transform domain over all tiles in order, so the result does
/// not depend on the number of threads.
pub(crate) struct WeightSums {
    isa: Isa,
    temporal: Temporal,
    /// Frames, pixels and channels of the input and of the gradient.
    shapes: [(usize, usize, usize); 2],
    sides: Sides,
    memory: [Buffer; 2],
    sums: Buffer,
}

impl WeightSums {
    pub fn new(isa: Isa, temporal: Temporal, p: &RegionConv3d) -> Self {
        let [in_stride, stride] = [p.in_channels, p.out_channels].map(|c| padded(c, isa.lanes()));
        let tiles = tiles(p);
        let inputs = tiles.iter().map(|t| t.input.map(|i| index(i as usize * in_stride))).collect();
        let sides = Sides {
            isa,
            groups: temporal.groups(&Geometry::forward(p)),
            inputs,
            grads: tiles.iter().map(|t| grad_offsets(t, stride)).collect(),
        };
        let sums = Buffer::zeros(temporal.steps().len() * POINTS * p.in_channels * stride);
        let shapes =
            [(p.frames, p.pixels(), p.in_channels), (p.frames_out(), p.pixels(), p.out_channels)];
        Self { isa, temporal, shapes, sides, memory: Default::default(), sums }
    }

    /// Adds one sequence: its input and the gradient of its output.
    pub fn add(&mut self, input: &ChannelLast, grad: &ChannelLast) {
        // The offsets of the tiles were made for these; the transforms do not check them.
        let shape = |side: &ChannelLast| (side.frames, side.pixels, side.channels);
        assert_eq!([shape(input), shape(grad)], self.shapes, "frames, pixels and channels");
        let step_sums = self.sums.chunks_exact_mut(POINTS * input.channels * grad.stride);
        for (step, sums) in self.temporal.steps().iter().zip(step_sums) {
            self.sides.step(step, input, grad, &mut self.memory, sums);
        }
    }

    /// The gradient `[co, ci, kt, 3, 3]`.
    pub fn gradient(mut self) -> Vec<f32> {
        let channels = self.shapes.map(|(.., channels)| channels);
        weight_gradient(self.isa, self.temporal, channels, &mut self.sums)
    }
}

/// Where a tile reads the gradient; what it does not own is the zero pixel.
fn grad_offsets(tile: &Tile, stride: usize) -> [u32; TILE * TILE] {
    tile.output.map(|o| index(o as usize * stride))
}

/// Both sides of the products: the tiles of the input and those of the gradient.
struct Sides {
    isa: Isa,
    groups: Vec<Group>,
    inputs: Vec<[u32; POINTS]>,
    grads: Vec<[u32; TILE * TILE]>,
}

impl Sides {
    /// Adds the products of one step over a sequence to `sums`, `[POINTS, ci, stride]`.
    fn step(
        &self,
        step: &Step,
        input: &ChannelLast,
        output: &ChannelLast,
        [left, right]: &mut [Buffer; 2],
        sums: &mut [f32],
    ) {
        let count = self.groups.len() * self.inputs.len();
        let block = (BLOCK_VALUES / (POINTS * (input.stride + output.stride))).max(TASK_TILES);
        let panels = panels(self.isa, output.channels);
        for first in (0..count).step_by(block) {
            let rows = block.min(count - first);
            // One more line keeps the points off each other's cache sets.
            let steps = [rows * input.stride + LINE, rows * output.stride + LINE];
            left.grow(POINTS * steps[0]);
            right.grow(POINTS * steps[1]);
            let to = [Shared::new(left), Shared::new(right)];
            (0..rows.div_ceil(TASK_TILES)).into_par_iter().for_each(|task| {
                for row in task * TASK_TILES..rows.min((task + 1) * TASK_TILES) {
                    self.transform(step, (input, output), first + row, row, to, steps);
                }
            });
            let pairs: Vec<_> = (0..rows)
                .map(|row| [index(row * input.stride), index(row * output.stride)])
                .collect();
            sums.par_chunks_exact_mut(input.channels * output.stride).enumerate().for_each(
                |(point, sums)| {
                    let a = &left[point * steps[0]..];
                    let b = &right[point * steps[1]..];
                    outer_products(self.isa, &panels, &pairs, a, b, sums);
                },
            );
        }
    }

    /// Brings tile `index` of the sequence into row `row` of both sides.
    fn transform(
        &self,
        step: &Step,
        (input, output): (&ChannelLast, &ChannelLast),
        index: usize,
        row: usize,
        to: [Shared; 2],
        steps: [usize; 2],
    ) {
        let group = &self.groups[index / self.inputs.len()];
        let tile = index % self.inputs.len();
        let inputs = step.sources.map(|s| group.sources[s]);
        let grads =
            step.grads.map(|g| group.outputs.get(g).copied().flatten().unwrap_or(output.frames));
        let place = |side: usize, stride: usize| {
            // SAFETY: the row belongs to this task alone, and both sides outlive the tasks.
            unsafe { to[side].at(row * stride, (POINTS - 1) * steps[side] + stride) }
        };
        let call = Forward {
            frames: inputs.map(|t| input.values[input.frame(t)..].as_ptr()),
            combine: step.combine,
            offsets: &self.inputs[tile],
            channels: input.stride,
            to: place(0, input.stride),
            step: steps[0],
        };
        // SAFETY: the offsets are pixels of a frame with the input's stride (`add` checks the
        // shape), and the frame has the zero pixel behind them; `place` was checked for a row at
        // each point.
        unsafe { transform::input(self.isa, &call) }
        let call = Forward {
            frames: grads.map(|t| output.values[output.frame(t)..].as_ptr()),
            combine: step.combine_grads,
            offsets: &self.grads[tile],
            channels: output.stride,
            to: place(1, output.stride),
            step: steps[1],
        };
        // SAFETY: as for the input, with the gradient's frames, stride and offsets, whose shape
        // `add` checks too; `place` was checked for a row at each point.
        unsafe { transform::grad(self.isa, &call) }
    }
}
