//! The output of a convolution, and the gradient with respect to its input, which is the same
//! computation with flipped weights.

use super::block::{AREA, Block, COLUMNS, DEPTH, Half, Multiplier, ROWS, Run};
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

/// Steps of a pair of frames.
const PAIR_STEPS: usize = 4;
/// Blocks of positions of one task.
const TASK_BLOCKS: usize = 4;
/// Values of weights that stay in the second cache while all positions pass.
const KEPT_WEIGHTS: usize = 600 << 10;
/// Depths that a pass over the blocks of a task takes: of fewer, reading and writing the sums once a
/// pass would cost too much; the weights of more would not stay in the first cache.
const PASS_DEPTHS: usize = 9;

thread_local! {
    /// Memory of one task, kept for the next one.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Memory of one task.
#[derive(Default)]
struct Scratch {
    /// `[panels, blocks, maps, slots, ROWS, COLUMNS]`.
    sums: Buffer,
    /// Which sums hold something, `[blocks, maps, slots]`.
    begun: Vec<bool>,
    /// What restricted taps read.
    gathered: Buffer<Half>,
    /// What a pass multiplies, and which of it enters which sums.
    runs: Vec<Run>,
    entries: Vec<Entry>,
}

/// Products that enter the sums of one block.
struct Entry {
    /// Where the sums lie in a panel.
    place: usize,
    /// At least one.
    runs: Range<usize>,
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
    /// Which map its sums enter. Parts of one map are added up.
    pub map: usize,
}

/// The sums of a block of positions for a panel of output channels.
pub(crate) struct Sums<'a> {
    /// `[maps, slots, ROWS, COLUMNS]`.
    values: &'a [f32],
    slots: usize,
    pub positions: Range<usize>,
    pub channels: Range<usize>,
    /// The output frames.
    pub frames: [Option<usize>; 2],
}

impl Sums<'_> {
    /// `[ROWS, COLUMNS]` of a map of the first or the second frame.
    pub fn of(&self, map: usize, frame: usize) -> &[f32] {
        &self.values[(map * self.slots + frame) * AREA..][..AREA]
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
        let restriction = p.labels.map(|labels| Restriction::new(&layout, weights.kernel, labels));
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

    /// What a row of the kernel reads of a frame at a block of positions, and its weights for the first
    /// panel; `None` if it reads nothing there. Restricted taps are copied to `gathered`.
    fn run(
        &self,
        frame: &[Half],
        [step, row, block]: [usize; 3],
        gathered: &mut [Half],
    ) -> Option<Run> {
        let weights = self.weights;
        let channels = weights.inputs;
        let steps = weights.products();
        let shift = self.layout.shift(weights.kernel, row, 0);
        let start = &frame[(block * ROWS + shift) * channels..];
        let b = weights.row(step, row).as_ptr();
        let all = || {
            let needed = (ROWS - 1) * channels + steps * DEPTH;
            assert!(needed <= start.len(), "{needed} values of {}", start.len());
            Run { a: start.as_ptr(), a_step: channels * size_of::<Half>(), b, steps }
        };
        let Some(restriction) = &self.restriction else { return Some(all()) };
        match restriction.reach(block, row) {
            Reach::Nothing => None,
            Reach::All => Some(all()),
            Reach::Some => {
                let a = gathered.as_ptr();
                let taps = weights.kernel[1];
                let pass = restriction.pass(block, row);
                gather(self.isa, Gather { from: start, channels, taps, pass, to: gathered });
                Some(Run { a, a_step: steps * DEPTH * size_of::<Half>(), b, steps })
            }
        }
    }

    /// Values that a row of the kernel gathers at a block of positions.
    fn gathered_len(&self) -> usize {
        if self.restriction.is_some() { ROWS * self.weights.products() * DEPTH } else { 0 }
    }
}

/// Computes the maps of one sequence, and hands over the sums of some positions and channels at a
/// time.
///
/// All parts have the same kernel, positions, frames and output channels.
pub(crate) fn compute(parts: &[Part], maps: usize, finish: impl Fn(&Sums) + Sync) {
    let Some(first) = parts.first() else { return };
    let one = first.convolution;
    let blocks = one.layout.positions / ROWS;
    // An even number of tasks of each group, so that neither of two threads waits long.
    let tasks = blocks.div_ceil(TASK_BLOCKS).next_multiple_of(2);
    let chunk = blocks.div_ceil(tasks);
    let chunks = blocks.div_ceil(chunk);
    let groups = one.plan.groups.len();
    let weights: usize = parts.iter().map(|part| part.convolution.weights.panel_len()).sum();
    let kept = (KEPT_WEIGHTS / weights).max(1);
    let panels = one.weights.panels();
    // Neighbouring tasks, which a thread takes one after the other, have the same weights.
    (0..panels.div_ceil(kept) * groups * chunks).into_par_iter().for_each(|task| {
        let first = task % chunks * chunk;
        let blocks = first..blocks.min(first + chunk);
        let group = task / chunks % groups;
        let first = task / chunks / groups * kept;
        let panels = first..panels.min(first + kept);
        let task = Task { parts, maps, one, group, blocks, panels };
        SCRATCH.with_borrow_mut(|scratch| {
            task.multiply(scratch);
            task.finish(scratch, &finish);
        });
    });
}

/// Some blocks of positions of a group of frames.
struct Task<'a> {
    parts: &'a [Part<'a>],
    maps: usize,
    /// What all parts have in common.
    one: &'a Convolution<'a>,
    group: usize,
    blocks: Range<usize>,
    panels: Range<usize>,
}

impl Task<'_> {
    /// Sums that are kept apart: those of the steps of a pair of frames, to be joined.
    fn slots(&self) -> usize {
        match self.one.plan.temporal {
            Temporal::Pair => PAIR_STEPS,
            Temporal::Sum { .. } => 1,
        }
    }

    /// All products.
    fn multiply(&self, scratch: &mut Scratch) {
        let multiplier = Multiplier::new(self.one.unit);
        let places = self.blocks.len() * self.maps * self.slots();
        scratch.begun.clear();
        scratch.begun.resize(places, false);
        scratch.sums.grow(self.panels.len() * places * AREA);
        let [rows, _] = self.one.weights.kernel;
        let pass = PASS_DEPTHS.div_ceil(self.one.weights.products()).min(rows);
        for step in 0..self.one.plan.steps.len() {
            for first in (0..rows).step_by(pass) {
                for part in self.parts {
                    self.pass(&multiplier, part, step, first..rows.min(first + pass), scratch);
                }
            }
        }
    }

    /// The products of some rows of the kernel of a step. The weights of a panel stay in the first
    /// cache for all blocks.
    fn pass(
        &self,
        multiplier: &Multiplier,
        part: &Part,
        step: usize,
        rows: Range<usize>,
        scratch: &mut Scratch,
    ) {
        let Some(frame) = part.input.read(&self.one.plan, self.group, step) else { return };
        let Scratch { sums, begun, gathered, runs, entries } = scratch;
        let len = part.convolution.gathered_len();
        gathered.grow(self.blocks.len() * rows.len() * len);
        runs.clear();
        entries.clear();
        for (i, block) in self.blocks.clone().enumerate() {
            let first = runs.len();
            for (j, row) in rows.clone().enumerate() {
                let room = &mut gathered[(i * rows.len() + j) * len..][..len];
                runs.extend(part.convolution.run(frame, [step, row, block], room));
            }
            if first < runs.len() {
                let place = self.place(i, part.map, step);
                entries.push(Entry { place, runs: first..runs.len() });
            }
        }
        let panel_len = part.convolution.weights.panel_len();
        let forward = |runs: &mut [Run], panels: usize| {
            runs.iter_mut().for_each(|run| run.b = run.b.wrapping_add(panels * panel_len));
        };
        forward(runs, self.panels.start);
        for sums in sums.chunks_exact_mut(begun.len() * AREA) {
            for Entry { place, runs: entry } in &*entries {
                let c = &mut sums[place * AREA..][..AREA];
                multiply(multiplier, &runs[entry.clone()], c, begun[*place]);
            }
            forward(runs, 1);
        }
        entries.iter().for_each(|entry| begun[entry.place] = true);
    }

    /// Where the sums of a step lie in a panel.
    fn place(&self, block: usize, map: usize, step: usize) -> usize {
        let slots = self.slots();
        (block * self.maps + map) * slots + step.min(slots - 1)
    }

    /// Hands over what has been summed.
    fn finish(&self, scratch: &mut Scratch, finish: impl Fn(&Sums)) {
        let Scratch { sums, begun, .. } = scratch;
        let one = self.one;
        let outputs = one.weights.outputs;
        let slots = self.slots();
        let of_panels = sums.chunks_exact_mut(begun.len() * AREA);
        for (panel, sums) in self.panels.clone().zip(of_panels) {
            let first = panel * COLUMNS;
            let of_blocks = sums.chunks_exact_mut(self.maps * slots * AREA);
            let begun = begun.chunks_exact(self.maps * slots);
            for ((block, values), begun) in self.blocks.clone().zip(of_blocks).zip(begun) {
                for (sums, begun) in values.chunks_exact_mut(AREA).zip(begun) {
                    if !begun {
                        sums.fill(0.0);
                    }
                }
                if one.plan.temporal == Temporal::Pair {
                    let maps = values.chunks_exact_mut(PAIR_STEPS * AREA);
                    maps.for_each(|steps| join_pair(one.isa, Steps(steps)));
                }
                finish(&Sums {
                    values,
                    slots,
                    positions: block * ROWS..(block + 1) * ROWS,
                    channels: first..outputs.min(first + COLUMNS),
                    frames: one.plan.groups[self.group].outputs,
                });
            }
        }
    }
}

/// `c = sum of the runs`, or `c += ..`.
fn multiply(multiplier: &Multiplier, runs: &[Run], c: &mut [f32], add: bool) {
    assert_eq!(c.len(), AREA, "a block of sums");
    let call = Block { runs, c: c.as_mut_ptr(), c_step: COLUMNS, add };
    // SAFETY: the left sides were checked when the runs were made, and the right sides are the
    // products of a panel of the weights; `c` has ROWS rows of COLUMNS values.
    unsafe { multiplier.multiply(&call) }
}

/// The sums of the four steps of a pair of frames, `[4, AREA]`.
pub(crate) struct Steps<'a>(&'a mut [f32]);

dispatch!(
    /// Joins the steps as [`Temporal::steps`] says: the first three make the first frame, the last three
    /// the second, with the signs 1, -1, -1. The frames take the places of the first two steps.
    fn join_pair(Steps<'_>) => join_pair_on
);

#[inline(always)]
fn join_pair_on<S: Simd>(_: S, Steps(steps): Steps) {
    let (first, rest) = steps.split_at_mut(AREA);
    let (second, rest) = rest.split_at_mut(AREA);
    let (third, fourth) = rest.split_at(AREA);
    let frames = first.iter_mut().zip(second);
    for ((m0, m1), (m2, m3)) in frames.zip(third.iter().zip(fourth)) {
        let y0 = *m0 + *m1 + m2;
        let y1 = *m1 - m2 - m3;
        *m0 = y0;
        *m1 = y1;
    }
}
