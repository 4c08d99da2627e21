//! The output, and the gradient of the input, which is the same with turned weights.

use super::temporal::{Group, Step};
use super::tiles::{POINTS, TILE, Tile, tiles};
use super::transform::{self, Forward, Inverse, NOWHERE};
use super::weights::TransformedWeights;
use crate::buffer::{Buffer, Shared};
use crate::geometry::{Geometry, index};
use crate::layout::{ChannelLast, channel_first};
use crate::micro::{self, Effect, Product, ROWS};
use crate::{Isa, RegionConv3d};
use rayon::prelude::*;
use std::cell::RefCell;

/// Values of one task in the transform domain: the second cache holds them.
const CHUNK_VALUES: usize = 500_000;
/// Tiles of one task, whatever their size: fewer would read the weights too often, more would
/// leave too few tasks.
const CHUNK_TILES: [usize; 2] = [36, 96];
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
    let (pixels, frames_out) = (p.pixels(), geometry.frames_out);
    let mut y = vec![0.0; p.sequences * weights.outputs * frames_out * pixels];
    let in_len = weights.inputs * geometry.frames_in * pixels;
    let out_len = weights.outputs * frames_out * pixels;
    if in_len == 0 || out_len == 0 {
        return y;
    }
    let layer = Layer::new(isa, geometry, weights, p);
    let mut input = ChannelLast::empty(weights.inputs, geometry.frames_in, pixels, isa.lanes());
    let mut output = Buffer::zeros(frames_out * pixels * weights.stride);
    for (x, y) in x.chunks_exact(in_len).zip(y.chunks_exact_mut(out_len)) {
        input.fill(x);
        layer.sequence(&input, &mut output);
        channel_first(&output, weights.stride, y);
    }
    y
}

/// One layer, ready for any number of sequences.
struct Layer<'a> {
    isa: Isa,
    weights: &'a TransformedWeights,
    steps: Vec<Step>,
    groups: Vec<Group>,
    tiles: Vec<Tile>,
    pixels: usize,
    frames_in: usize,
}

impl<'a> Layer<'a> {
    fn new(
        isa: Isa,
        geometry: &Geometry,
        weights: &'a TransformedWeights,
        p: &RegionConv3d,
    ) -> Self {
        let temporal = weights.temporal;
        let in_stride = weights.inputs.next_multiple_of(isa.lanes());
        let pixels = p.pixels();
        let tiles =
            tiles(p).into_iter().map(|t| t.in_values(in_stride, weights.stride, pixels)).collect();
        let frames_in = geometry.frames_in;
        Self {
            isa,
            weights,
            steps: temporal.steps(),
            groups: temporal.groups(geometry),
            tiles,
            pixels,
            frames_in,
        }
    }

    /// One sequence, `[frames_out, h * w, stride]`.
    fn sequence(&self, input: &ChannelLast, output: &mut Buffer) {
        let count = self.groups.len() * self.tiles.len();
        let per_tile = POINTS * (input.stride + 2 * self.weights.stride);
        let chunk =
            (CHUNK_VALUES / per_tile).clamp(CHUNK_TILES[0], CHUNK_TILES[1]).next_multiple_of(ROWS);
        let output = Shared::new(output);
        (0..count.div_ceil(chunk)).into_par_iter().for_each(|i| {
            SCRATCH.with_borrow_mut(|scratch| {
                self.chunk(input, output, i * chunk..count.min((i + 1) * chunk), scratch);
            });
        });
    }

    /// Some tiles of some groups: all steps, then the inverse transform.
    fn chunk(
        &self,
        input: &ChannelLast,
        output: Shared,
        range: std::ops::Range<usize>,
        [transformed, first, second]: &mut [Buffer; 3],
    ) {
        let rows = range.len().next_multiple_of(ROWS);
        let stride = self.weights.stride;
        // One more line keeps the points off each other's cache sets.
        let (v_step, m_step) = (rows * input.stride + 16, rows * stride + 16);
        transformed.grow(POINTS * v_step);
        first.grow(POINTS * m_step);
        second.grow(POINTS * m_step);
        let mut started = false;
        for (index, step) in self.steps.iter().enumerate() {
            if !self.reads(step, &range) {
                continue;
            }
            self.transform(input, step, range.clone(), transformed, v_step);
            let mut effects = step.effects;
            if effects[0] == Effect::Add && !started {
                effects[0] = Effect::Set;
            }
            started = true;
            self.products(index, rows, (transformed, v_step), [first, second], m_step, effects);
        }
        if !started {
            first.fill(0.0);
        }
        for (row, tile) in range.enumerate() {
            let group = &self.groups[tile / self.tiles.len()];
            let tile = &self.tiles[tile % self.tiles.len()];
            for (sums, frame) in [&*first, &*second].into_iter().zip(group.outputs) {
                let Some(frame) = frame else { continue };
                let len = self.pixels * stride;
                // SAFETY: the tile alone writes its pixels of the frame, which hold `stride`
                // values each; `sums` holds POINTS rows of `stride` values `m_step` apart.
                unsafe {
                    let frame = output.at(frame * len, len);
                    let from = sums[row * stride..].as_ptr();
                    let offsets = &tile.output;
                    let call = Inverse { from, step: m_step, channels: stride, frame, offsets };
                    transform::output(self.isa, &call);
                }
            }
        }
    }

    /// Whether a step reads anything but zeros for the tiles of `range`.
    fn reads(&self, step: &Step, range: &std::ops::Range<usize>) -> bool {
        let groups = range.start / self.tiles.len()..=(range.end - 1) / self.tiles.len();
        self.groups[groups]
            .iter()
            .any(|g| step.sources.iter().any(|&s| g.sources[s] != self.frames_in))
    }

    fn transform(
        &self,
        input: &ChannelLast,
        step: &Step,
        range: std::ops::Range<usize>,
        to: &mut [f32],
        v_step: usize,
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
                step: v_step,
            };
            // SAFETY: both frames hold every pixel of the tile, the zero pixel included; `to`
            // holds POINTS rows of `stride` values `v_step` apart.
            unsafe { transform::input(self.isa, &call) }
        }
    }

    /// The matrix products of one step, point by point.
    fn products(
        &self,
        step: usize,
        rows: usize,
        (a, a_step): (&[f32], usize),
        [first, second]: [&mut Buffer; 2],
        c_step: usize,
        effects: [Effect; 2],
    ) {
        let weights = self.weights;
        let in_stride = (a_step - 16) / rows;
        for point in 0..POINTS {
            for panel in &weights.panels {
                let b = &weights.values[weights.panel(step, point, panel)..]
                    [..weights.inputs * panel.width];
                let c = point * c_step + panel.start;
                for k in (0..weights.inputs).step_by(DEPTH) {
                    let again =
                        |effect| if k > 0 && effect == Effect::Set { Effect::Add } else { effect };
                    let call = Product {
                        rows,
                        depth: DEPTH.min(weights.inputs - k),
                        a: a[point * a_step + k..].as_ptr(),
                        a_step: in_stride,
                        b: b[k * panel.width..].as_ptr(),
                        vectors: panel.vectors,
                        c: [
                            (first[c..].as_mut_ptr(), again(effects[0])),
                            (second[c..].as_mut_ptr(), again(effects[1])),
                        ],
                        c_step: weights.stride,
                    };
                    // SAFETY: `a` holds `rows` rows of the input's channels at each point, `b`
                    // one panel, and both targets `rows` rows of `stride` values at each point.
                    unsafe { micro::product(self.isa, &call) }
                }
            }
        }
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
