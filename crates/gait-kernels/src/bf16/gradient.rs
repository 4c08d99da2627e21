//! The gradient with respect to the weight: products over positions.

use super::block::{Block, COLUMNS, DEPTH, Half, Multiplier, ROWS, Run, STEP};
use super::frames::{Frames, Layout, Order};
use super::unit::Bf16Unit;
use crate::buffer::Buffer;
use crate::channel_last::{Transpose, transpose};
use crate::geometry::Geometry;
use crate::simd::{Simd, dispatch};
use crate::temporal::{Group, Step, Temporal};
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
    temporal: Temporal,
    layout: Layout,
    kernel: [usize; 2],
    /// Input and output channels.
    channels: [usize; 2],
    steps: Vec<Step>,
    groups: Vec<Group>,
    /// `[taps, positions]`: all ones where the tap may be read.
    masks: Vec<Half>,
    /// `[steps, rows, stride]`; a row is an input channel of a tap.
    sums: Buffer,
}

/// The input of one sequence.
pub(crate) struct Input<'a> {
    frames: &'a Frames,
    /// What each step of each group reads, where that is not a frame as it is.
    combined: Option<Frames>,
}

impl WeightSums {
    pub fn new(unit: Bf16Unit, temporal: Temporal, p: &RegionConv3d) -> Self {
        let [_, kh, kw] = p.kernel;
        let geometry = Geometry::forward(p);
        let layout = Layout::of(p);
        let steps = temporal.steps();
        let mask = |i: usize| {
            let Some([r, c]) = layout.pixel(i % layout.positions) else { return 0 };
            let source = geometry.source_pixels[i / layout.positions][r * layout.width + c];
            if source as usize == p.pixels() { 0 } else { Half::MAX }
        };
        let masks = (0..kh * kw * layout.positions).map(mask).collect();
        let rows = (kh * kw * p.in_channels).next_multiple_of(ROWS);
        let stride = p.out_channels.next_multiple_of(COLUMNS);
        let sums = Buffer::zeros(steps.len() * rows * stride);
        Self {
            unit,
            isa: Isa::best(),
            temporal,
            kernel: [kh, kw],
            channels: [p.in_channels, p.out_channels],
            groups: temporal.groups(&geometry),
            layout,
            steps,
            masks,
            sums,
        }
    }

    /// Makes the input of a sequence ready.
    pub fn input<'f>(&self, frames: &'f Frames) -> Input<'f> {
        self.check(frames, self.channels[0]);
        let combined = (self.temporal == Temporal::Pair).then(|| {
            let sources = |group: &Group, step: &Step| step.sources.map(|s| group.sources[s]);
            frames.combined(self.isa, &self.groups, &self.steps, sources, |step| step.combine)
        });
        Input { frames, combined }
    }

    fn check(&self, frames: &Frames, channels: usize) {
        assert!(frames.layout == self.layout && frames.order == Order::Planes, "frame layout");
        assert_eq!(frames.channels, channels, "channels of the frames");
    }

    /// Adds one sequence: its input and the gradient with respect to its output, in planes.
    pub fn add(&mut self, input: &Input, grad: &Frames) {
        self.check(grad, self.channels[1]);
        let grads = self.packed(grad);
        let sums_len = self.rows() * self.stride();
        let part = (self.rows() / ROWS).div_ceil(STEP_TASKS) * ROWS * self.stride();
        let mut all = std::mem::take(&mut self.sums);
        all.par_chunks_exact_mut(sums_len).enumerate().for_each(|(step, sums)| {
            sums.par_chunks_mut(part).enumerate().for_each(|(i, sums)| {
                let multiplier = Multiplier::new(self.unit);
                let first = i * part / self.stride();
                for group in 0..self.groups.len() {
                    let source = match &input.combined {
                        Some(combined) => combined.frame(group * self.steps.len() + step),
                        None => {
                            let source = self.groups[group].sources[self.steps[step].sources[0]];
                            if source == input.frames.count {
                                continue;
                            }
                            input.frames.frame(source)
                        }
                    };
                    let grad = &grads[self.grad_of(group, step) * self.packed_len()..];
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
        match self.temporal {
            Temporal::Pair => group * self.steps.len() + step,
            Temporal::Sum { .. } => group,
        }
    }

    /// Pairs of values of one packed gradient.
    fn packed_len(&self) -> usize {
        self.stride() * self.layout.positions / 2
    }

    /// The gradients as the products read them: `[gradients, panels, blocks of positions, STEP]`,
    /// two bf16 values in each f32.
    fn packed(&self, grad: &Frames) -> Buffer {
        let frame = |output: Option<usize>| output.unwrap_or(grad.count);
        let combined = (self.temporal == Temporal::Pair).then(|| {
            let sources = |group: &Group, step: &Step| {
                step.grads.map(|g| frame(group.outputs.get(g).copied().flatten()))
            };
            grad.combined(self.isa, &self.groups, &self.steps, sources, |step| step.combine_grads)
        });
        let count = combined.as_ref().map_or(self.groups.len(), |combined| combined.count);
        let mut packed = Buffer::zeros(count * self.packed_len());
        packed.par_chunks_exact_mut(self.packed_len()).enumerate().for_each(|(i, to)| {
            let frame = match &combined {
                Some(combined) => combined.frame(i),
                None => grad.frame(frame(self.groups[i].outputs[0])),
            };
            self.pack(frame, to);
        });
        packed
    }

    /// Packs one frame of planes.
    fn pack(&self, frame: &[Half], to: &mut [f32]) {
        let pairs = self.layout.positions / 2;
        let mut planes = Buffer::<f32>::zeros(TILE_COLUMNS * pairs);
        for first in (0..self.channels[1]).step_by(TILE_COLUMNS) {
            let rows = TILE_COLUMNS.min(self.channels[1] - first);
            for (row, plane) in planes.chunks_exact_mut(pairs).take(rows).enumerate() {
                let start = (first + row) * self.layout.pixels() + self.layout.margin;
                let values = frame[start..][..self.layout.positions].chunks_exact(2);
                for (to, pair) in plane.iter_mut().zip(values) {
                    *to = f32::from_bits(u32::from(pair[0]) | u32::from(pair[1]) << 16);
                }
            }
            let panel = first / COLUMNS * pairs * COLUMNS;
            let tile = first % COLUMNS / TILE_COLUMNS * STEP / 4;
            for (block, pair) in (0..pairs).step_by(DEPTH / 2).enumerate() {
                let mut call = Transpose {
                    from: &planes[pair..],
                    from_step: pairs,
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
        let factors = self.temporal.factors();
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
