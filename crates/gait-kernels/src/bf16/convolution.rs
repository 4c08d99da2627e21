//! The output of a convolution, and the gradient with respect to its input, which is the same
//! computation with flipped weights.

use super::block::{Block, COLUMNS, DEPTH, Half, Multiplier, ROWS, Run};
use super::frames::{Frames, Order};
use super::layout::Layout;
use super::restriction::{Gather, Reach, Restriction, gather};
use super::steps::{Plan, StepFrames};
use super::unit::Bf16Unit;
use super::weights::PackedWeights;
use crate::buffer::Buffer;
use crate::geometry::Geometry;
use crate::simd::{Simd, dispatch};
use crate::temporal::Temporal;
use crate::{Isa, RegionConv3d};
use rayon::prelude::*;
use std::cell::RefCell;
use std::ops::Range;

/// Blocks of positions of one task.
const TASK_BLOCKS: usize = 4;
/// Steps of a pair of frames.
const PAIR_STEPS: usize = 4;

thread_local! {
    /// Memory of one task, kept for the next one.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Memory of one task.
#[derive(Default)]
struct Scratch {
    /// `[maps, frames of a group, positions, stride]`.
    sums: Buffer,
    /// The products of the steps of a pair, `[steps, ROWS, COLUMNS]`.
    products: Buffer,
    /// What restricted taps read.
    gathered: Buffer<Half>,
    runs: Vec<Run>,
}

/// One convolution of sequences with a number of frames.
pub(crate) struct Convolution<'a> {
    pub unit: Bf16Unit,
    pub isa: Isa,
    pub layout: Layout,
    pub plan: Plan,
    weights: &'a PackedWeights,
    restriction: Option<Restriction>,
}

/// One of the convolutions of a computation.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub convolution: &'a Convolution<'a>,
    pub input: &'a StepFrames,
    /// Which map its sums enter; a map's first part overwrites it.
    pub map: usize,
    pub add: bool,
}

/// What a task has computed.
pub(crate) struct Sums<'a> {
    values: &'a [f32],
    pub positions: Range<usize>,
    /// The output frames.
    pub frames: [Option<usize>; 2],
    /// Values of one position: the output channels, filled up to whole blocks.
    pub stride: usize,
}

impl Sums<'_> {
    /// `[positions, stride]` of a map of the first or the second frame.
    pub fn of(&self, map: usize, frame: usize) -> &[f32] {
        let len = self.positions.len() * self.stride;
        &self.values[(map * 2 + frame) * len..][..len]
    }
}

impl<'a> Convolution<'a> {
    /// The taps of `geometry`, restricted to the regions of `p`.
    ///
    /// # Panics
    /// If the kernel reads beyond the zeros of the layout.
    pub fn new(
        unit: Bf16Unit,
        geometry: &Geometry,
        weights: &'a PackedWeights,
        p: &RegionConv3d,
        layout: Layout,
    ) -> Self {
        assert!(layout.holds(weights.kernel), "{:?} zeros around a frame", layout.zeros);
        let restriction = p.labels.map(|_| Restriction::new(&layout, geometry, p));
        Self {
            unit,
            isa: Isa::best(),
            layout,
            plan: Plan::new(weights.temporal, geometry),
            weights,
            restriction,
        }
    }

    /// Room for what the convolution reads of frames.
    pub fn input(&self, frames: Frames) -> StepFrames {
        assert!(frames.layout == self.layout && frames.order == Order::ChannelLast, "frame layout");
        assert_eq!(frames.channels, self.weights.inputs, "channels of the frames");
        StepFrames::new(&self.plan, frames)
    }

    /// The same for `count` frames yet to be filled.
    pub fn room(&self, count: usize) -> StepFrames {
        let channels = self.weights.inputs;
        let layout = self.layout.clone();
        self.input(Frames::bordered(layout, Order::ChannelLast, channels, count))
    }

    /// Adds the rows of the kernel of one step to the runs of a block of positions.
    fn push_runs(&self, frame: &[Half], step: usize, block: usize, scratch: &mut Scratch) {
        let weights = self.weights;
        let [kh, kw] = weights.kernel;
        let channels = weights.inputs;
        let steps = weights.products();
        let first = block * ROWS;
        for row in 0..kh {
            let b = weights.row(step, row).as_ptr();
            let start = &frame[(first + self.layout.shift(weights.kernel, row, 0)) * channels..];
            let restriction = self.restriction.as_ref();
            match restriction.map_or(Reach::All, |restriction| restriction.reach(block, row)) {
                Reach::Nothing => {}
                Reach::All => {
                    let needed = (ROWS - 1) * channels + steps * DEPTH;
                    assert!(needed <= start.len(), "{needed} values of {}", start.len());
                    let a = start.as_ptr();
                    scratch.runs.push(Run { a, a_step: channels * size_of::<Half>(), b, steps });
                }
                Reach::Some => {
                    let Some(restriction) = restriction else { continue };
                    let len = steps * DEPTH;
                    let place = (step * kh + row) * ROWS * len;
                    let to = &mut scratch.gathered[place..][..ROWS * len];
                    let a = to.as_ptr();
                    let pass = restriction.pass(block, row);
                    gather(self.isa, Gather { from: start, channels, taps: kw, pass, to });
                    scratch.runs.push(Run { a, a_step: len * size_of::<Half>(), b, steps });
                }
            }
        }
    }

    /// The sums of a block of positions for every output channel, from the place `to` on; those of the
    /// group's second frame lie `frame_step` behind.
    fn block(
        &self,
        multiplier: &Multiplier,
        part: &Part,
        [group, block]: [usize; 2],
        scratch: &mut Scratch,
        [to, frame_step]: [usize; 2],
    ) {
        scratch.runs.clear();
        let mut ends = [0; PAIR_STEPS];
        for step in 0..self.plan.steps.len() {
            if let Some(frame) = part.input.read(&self.plan, group, step) {
                self.push_runs(frame, step, block, scratch);
            }
            if let Some(end) = ends.get_mut(step) {
                *end = scratch.runs.len();
            }
        }
        let stride = self.weights.panels() * COLUMNS;
        for panel in 0..self.weights.panels() {
            let Scratch { sums, products, runs, .. } = &mut *scratch;
            let sums = &mut sums[to + panel * COLUMNS..];
            match self.plan.temporal {
                Temporal::Pair => {
                    let mut start = 0;
                    for (end, c) in ends.into_iter().zip(products.chunks_exact_mut(ROWS * COLUMNS))
                    {
                        multiply(multiplier, &runs[start..end], c, COLUMNS, false);
                        start = end;
                    }
                    let len = (ROWS - 1) * stride + COLUMNS;
                    let (first, second) = sums.split_at_mut(frame_step);
                    let outputs = [&mut first[..len], &mut second[..len]];
                    join_pair(self.isa, PairCall { products, outputs, stride, add: part.add });
                }
                Temporal::Sum { .. } => multiply(multiplier, runs, sums, stride, part.add),
            }
            for run in runs {
                run.b = run.b.wrapping_add(self.weights.panel_len());
            }
        }
    }

    /// Values that a task gathers at most.
    fn gathered_len(&self) -> usize {
        let [kh, _] = self.weights.kernel;
        let len = self.plan.steps.len() * kh * ROWS * self.weights.products() * DEPTH;
        if self.restriction.is_some() { len } else { 0 }
    }
}

/// The product of the runs of one panel, [`ROWS`] rows of `c` that are `stride` apart; no runs are
/// zero.
fn multiply(multiplier: &Multiplier, runs: &[Run], c: &mut [f32], stride: usize, add: bool) {
    let c = &mut c[..(ROWS - 1) * stride + COLUMNS];
    if runs.is_empty() {
        if !add {
            c.chunks_mut(stride).for_each(|row| row[..COLUMNS].fill(0.0));
        }
        return;
    }
    let call = Block { runs, c: c.as_mut_ptr(), c_step: stride, add };
    // SAFETY: the left sides were checked when the runs were made, and the right sides are the
    // products of a panel of the weights; `c` was cut to ROWS rows.
    unsafe { multiplier.multiply(&call) }
}

/// Computes the maps of one sequence, some positions at a time, and hands their sums over.
///
/// All parts have the same positions, frames and output channels.
pub(crate) fn compute(parts: &[Part], maps: usize, finish: impl Fn(&Sums) + Sync) {
    let Some(first) = parts.first() else { return };
    let one = first.convolution;
    let stride = one.weights.panels() * COLUMNS;
    let blocks = one.layout.positions / ROWS;
    // An even number of tasks of each group, so that neither of two threads waits long.
    let tasks = blocks.div_ceil(TASK_BLOCKS).next_multiple_of(2);
    let chunk = blocks.div_ceil(tasks);
    let chunks = blocks.div_ceil(chunk);
    (0..one.plan.groups.len() * chunks).into_par_iter().for_each(|task| {
        let group = task / chunks;
        let first = task % chunks * chunk;
        let blocks = first..blocks.min(first + chunk);
        let frame_step = blocks.len() * ROWS * stride;
        SCRATCH.with_borrow_mut(|scratch| {
            let multiplier = Multiplier::new(one.unit);
            scratch.sums.grow(maps * 2 * frame_step);
            scratch.products.grow(PAIR_STEPS * ROWS * COLUMNS);
            for part in parts {
                scratch.gathered.grow(part.convolution.gathered_len());
                for block in blocks.clone() {
                    let row = (block - first) * ROWS * stride;
                    let to = [part.map * 2 * frame_step + row, frame_step];
                    part.convolution.block(&multiplier, part, [group, block], scratch, to);
                }
            }
            finish(&Sums {
                values: &scratch.sums,
                positions: blocks.start * ROWS..blocks.end * ROWS,
                frames: one.plan.groups[group].outputs,
                stride,
            });
        });
    });
}

/// The products of the four steps of a pair of frames, to be joined.
pub(crate) struct PairCall<'a> {
    /// `[4, ROWS, COLUMNS]`.
    products: &'a [f32],
    /// [`ROWS`] rows of [`COLUMNS`] values, `stride` apart.
    outputs: [&'a mut [f32]; 2],
    stride: usize,
    add: bool,
}

dispatch!(
    /// Joins the products as [`Temporal::steps`] says: the first three enter the first frame, the
    /// last three the second, with the signs 1, -1, -1.
    fn join_pair(PairCall<'_>) => join_pair_on
);

#[inline(always)]
fn join_pair_on<S: Simd>(_: S, call: PairCall) {
    let PairCall { products, outputs: [first, second], stride, add } = call;
    let mut steps = products.chunks_exact(ROWS * COLUMNS).map(|step| step.chunks_exact(COLUMNS));
    let (Some(m0), Some(m1), Some(m2), Some(m3)) =
        (steps.next(), steps.next(), steps.next(), steps.next())
    else {
        return;
    };
    let rows = first.chunks_mut(stride).zip(second.chunks_mut(stride));
    for (((first, second), (m0, m1)), (m2, m3)) in rows.zip(m0.zip(m1)).zip(m2.zip(m3)) {
        let first = &mut first[..COLUMNS];
        let second = &mut second[..COLUMNS];
        for i in 0..COLUMNS {
            let y0 = m0[i] + m1[i] + m2[i];
            let y1 = m1[i] - m2[i] - m3[i];
            first[i] = if add { first[i] + y0 } else { y0 };
            second[i] = if add { second[i] + y1 } else { y1 };
        }
    }
}
