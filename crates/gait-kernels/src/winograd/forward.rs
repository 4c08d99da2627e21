//! The output, and the gradient with respect to the input, which is the same computation with
//! flipped weights.

use super::tiles::{POINTS, TILE, Tile, tiles};
use super::transform::{self, Finish, Forward, Inverse, NOWHERE};
use super::weights::TransformedWeights;
use crate::buffer::{Buffer, Shared, zeros};
use crate::channel_last::{ChannelLast, channel_first, padded};
use crate::geometry::{Geometry, index};
use crate::micro::{self, Effect, LINE, Product, ROWS};
use crate::temporal::{Group, Step};
use crate::{Isa, RegionConv3d};
use rayon::prelude::*;
use std::cell::RefCell;
use std::ops::Range;

/// Tiles of one task: fewer would read the weights too often (at 128 channels 24 tiles cost 15%
/// more time than 72), more would leave the caches.
const CHUNK: usize = 72;
/// Length of a sum between two visits to its target: a panel of the weights stays in the first
/// cache.
const DEPTH: usize = 128;

thread_local! {
    /// Memory of one task, kept for the next one.
    static SCRATCH: RefCell<[Buffer; 3]> = RefCell::default();
}

/// Every sequence of `x`, `[n, inputs, frames_in, h, w]`, through the taps of `geometry`.
pub(crate) fn gather(
    isa: Isa,
    geometry: &Geometry,
    weights: &TransformedWeights,
    p: &RegionConv3d,
    x: &[f32],
) -> Vec<f32> {
    let pixels = p.pixels();
    let frames_out = geometry.frames_out;
    let mut y = zeros(p.sequences * weights.outputs * frames_out * pixels);
    let in_len = weights.inputs * geometry.frames_in * pixels;
    let out_len = weights.outputs * frames_out * pixels;
    if in_len == 0 || out_len == 0 {
        return y;
    }
    let targets = [Target::whole(weights, Finish::Store)];
    let layer = Layer::new(isa, geometry, weights, p, &targets);
    let mut input = ChannelLast::empty(weights.inputs, geometry.frames_in, pixels, isa.lanes());
    let mut output = Buffer::zeros(frames_out * pixels * weights.stride);
    for (x, y) in x.chunks_exact(in_len).zip(y.chunks_exact_mut(out_len)) {
        input.fill(isa, x);
        layer.sequence(&input, &mut output);
        channel_first(isa, &output, weights.stride, y);
    }
    y
}

/// Where some of the output channels go.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    /// The first of them.
    pub start: usize,
    /// How many, a multiple of the lanes.
    pub channels: usize,
    /// Pixels above them in an output frame: 0, or a whole frame where they are stacked below.
    pub above: usize,
    pub finish: Finish,
}

impl Target {
    /// All output channels into frames of their own.
    pub fn whole(weights: &TransformedWeights, finish: Finish) -> Self {
        Self { start: 0, channels: weights.stride, above: 0, finish }
    }
}

/// One layer, ready for any number of sequences.
pub(crate) struct Layer<'a> {
    isa: Isa,
    weights: &'a TransformedWeights,
    steps: Vec<Step>,
    groups: Vec<Group>,
    tiles: Vec<Tile>,
    targets: &'a [Target],
    /// Frames, pixels and stride of the input.
    input: (usize, usize, usize),
    frames_out: usize,
}

impl<'a> Layer<'a> {
    /// The tiles of `p`'s labels; all `targets` have the same number of channels.
    pub fn new(
        isa: Isa,
        geometry: &Geometry,
        weights: &'a TransformedWeights,
        p: &RegionConv3d,
        targets: &'a [Target],
    ) -> Self {
        let temporal = weights.temporal;
        let in_stride = padded(weights.inputs, isa.lanes());
        let out_stride = targets.first().map_or(0, |t| t.channels);
        let tiles =
            tiles(p).into_iter().map(|t| t.in_values(in_stride, out_stride, p.pixels())).collect();
        Self {
            isa,
            weights,
            steps: temporal.steps(),
            groups: temporal.groups(geometry),
            tiles,
            targets,
            input: (geometry.frames_in, p.pixels(), in_stride),
            frames_out: geometry.frames_out,
        }
    }

    /// One sequence; `output` is `[frames_out, pixels, channels]`, pixels as the targets need.
    pub fn sequence(&self, input: &ChannelLast, output: &mut Buffer) {
        // The offsets of the tiles were made for this input; the transforms do not check them.
        let shape = (input.frames, input.pixels, input.stride);
        assert_eq!(shape, self.input, "frames, pixels and stride of the input");
        let count = self.groups.len() * self.tiles.len();
        // The inverse transforms write at the tiles' offsets unchecked.
        for target in self.targets {
            let (_, pixels, _) = self.input;
            let needed = self.frames_out * (target.above + pixels) * target.channels;
            assert!(needed <= output.len(), "{needed} values in an output of {}", output.len());
        }
        // An even number of equal tasks, so that neither of two threads waits long.
        let tasks = count.div_ceil(CHUNK).next_multiple_of(2);
        let chunk = count.div_ceil(tasks).next_multiple_of(ROWS);
        let output = Shared::new(output);
        (0..count.div_ceil(chunk)).into_par_iter().for_each(|i| {
            SCRATCH.with_borrow_mut(|scratch| {
                self.chunk(input, output, i * chunk..count.min((i + 1) * chunk), scratch);
            });
        });
    }

    /// Some tiles of some groups: into the transform domain, through the products, and back.
    fn chunk(
        &self,
        input: &ChannelLast,
        output: Shared,
        range: Range<usize>,
        [transformed, first, second]: &mut [Buffer; 3],
    ) {
        let steps: Vec<usize> =
            (0..self.steps.len()).filter(|&s| self.reads(&self.steps[s], &range)).collect();
        let rows = range.len().next_multiple_of(ROWS);
        let strides = Strides::new(rows, steps.len(), input.stride, self.weights.stride);
        transformed.grow(POINTS * strides.left_point);
        first.grow(POINTS * strides.sum_point);
        second.grow(POINTS * strides.sum_point);
        for (place, &step) in steps.iter().enumerate() {
            let to = &mut transformed[place * strides.left_step..];
            self.transform(input, &self.steps[step], range.clone(), to, strides.left_point);
        }
        if steps.is_empty() {
            first.fill(0.0);
        }
        for point in 0..POINTS {
            let at = point * strides.sum_point;
            let sums = [first[at..].as_mut_ptr(), second[at..].as_mut_ptr()];
            for (place, &step) in steps.iter().enumerate() {
                let a = &transformed[point * strides.left_point + place * strides.left_step..];
                self.product((step, place == 0), point, &strides, a, sums);
            }
        }
        self.inverse(range, [first, second], strides.sum_point, output);
    }

    /// Whether a step reads anything but zeros for the tiles of `range`.
    fn reads(&self, step: &Step, range: &Range<usize>) -> bool {
        let groups = range.start / self.tiles.len()..=(range.end - 1) / self.tiles.len();
        self.groups[groups]
            .iter()
            .any(|g| step.sources.iter().any(|&s| g.sources[s] != self.input.0))
    }

    fn transform(
        &self,
        input: &ChannelLast,
        step: &Step,
        range: Range<usize>,
        to: &mut [f32],
        point_step: usize,
    ) {
        for (row, tile) in range.enumerate() {
            let group = &self.groups[tile / self.tiles.len()];
            let frames =
                step.sources.map(|s| input.values[input.frame(group.sources[s])..].as_ptr());
            let call = Forward {
                frames,
                combine: step.combine,
                offsets: &self.tiles[tile % self.tiles.len()].input,
                channels: input.stride,
                to: to[row * input.stride..].as_mut_ptr(),
                step: point_step,
            };
            // SAFETY: the offsets are pixels of a frame with the input's stride (`sequence`
            // checks the shape), and the frame has the zero pixel behind them; `to` was grown to
            // POINTS times `point_step` values, of which each point takes one row here.
            unsafe { transform::input(self.isa, &call) }
        }
    }

    /// The matrix product of one point and one step, the `opening` one of the point or not.
    fn product(
        &self,
        (step, opening): (usize, bool),
        point: usize,
        strides: &Strides,
        a: &[f32],
        sums: [*mut f32; 2],
    ) {
        let weights = self.weights;
        let effects = self.steps[step]
            .effects
            .map(|e| if opening && e == Effect::Add { Effect::Set } else { e });
        for panel in &weights.panels {
            let start = weights.panel(step, point, panel);
            let b = &weights.values[start..][..weights.inputs * panel.width];
            for k in (0..weights.inputs).step_by(DEPTH) {
                let depth = DEPTH.min(weights.inputs - k);
                let b = &b[k * panel.width..];
                let effects =
                    effects.map(|e| if k > 0 && e == Effect::Set { Effect::Add } else { e });
                let call = Product {
                    rows: strides.rows,
                    depth,
                    a: a[k..].as_ptr(),
                    a_step: strides.left_row,
                    b: b.as_ptr(),
                    vectors: panel.vectors,
                    next: b.as_ptr().wrapping_add(depth * panel.width),
                    c: [0, 1].map(|i| (sums[i].wrapping_add(panel.start), effects[i])),
                    c_step: weights.stride,
                };
                // SAFETY: from `a` on, `chunk` reserved `rows` rows of the input's stride, of which
                // `depth` values from `k` on are read; `b` is a panel of `depth` rows or more; both
                // targets have `rows` rows of the weights' stride.
                unsafe { micro::product(self.isa, &call) }
            }
        }
    }

    /// The inverse transform of both output frames.
    fn inverse(&self, range: Range<usize>, sums: [&[f32]; 2], step: usize, output: Shared) {
        let frame_len = output.len() / self.frames_out;
        for (row, tile) in range.enumerate() {
            let group = &self.groups[tile / self.tiles.len()];
            let tile = &self.tiles[tile % self.tiles.len()];
            for (sums, frame) in sums.into_iter().zip(group.outputs) {
                let Some(frame) = frame else { continue };
                for target in self.targets {
                    let above = target.above * target.channels;
                    // SAFETY: of this frame the call writes the tile's own pixels alone, and no
                    // other tile of any task has them; `output` outlives the tasks.
                    let to = unsafe { output.at(frame * frame_len + above, frame_len - above) };
                    let call = Inverse {
                        from: sums[row * self.weights.stride + target.start..].as_ptr(),
                        step,
                        channels: target.channels,
                        frame: to,
                        offsets: &tile.output,
                        finish: target.finish,
                    };
                    // SAFETY: `sums` was grown to POINTS times `step` values, of which each point
                    // takes `channels` of this row; the offsets are pixels of a frame of
                    // `channels` values each, which `sequence` checked for room.
                    unsafe { transform::output(self.isa, &call) }
                }
            }
        }
    }
}

/// Where a task keeps its values in the transform domain: `[POINTS, steps, rows, channels]` of
/// the input, `[POINTS, rows, channels]` of the sums.
struct Strides {
    rows: usize,
    left_row: usize,
    left_step: usize,
    left_point: usize,
    sum_point: usize,
}

impl Strides {
    fn new(rows: usize, steps: usize, inputs: usize, outputs: usize) -> Self {
        let left_step = rows * inputs;
        // One more line keeps the points off each other's cache sets.
        let left_point = steps * left_step + LINE;
        let sum_point = rows * outputs + LINE;
        Self { rows, left_row: inputs, left_step, left_point, sum_point }
    }
}

impl Tile {
    /// Positions as offsets into frames of `in_stride` and `out_stride` values a pixel.
    pub fn in_values(self, in_stride: usize, out_stride: usize, pixels: usize) -> Self {
        let offset =
            |o: u32| if o as usize == pixels { NOWHERE } else { index(o as usize * out_stride) };
        let output: [u32; TILE * TILE] = self.output.map(offset);
        Self { input: self.input.map(|i| index(i as usize * in_stride)), output }
    }
}
