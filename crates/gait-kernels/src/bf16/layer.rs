//! Global-local layers in bf16: both branches activated and joined, and their gradients.

use super::block::{AREA, ROWS};
use super::convolution::{Convolution, Part, Sums, compute};
use super::frames::Frames;
use super::gradient::WeightSums;
use super::layout::Layout;
use super::plain::{Planes, rows, temporal, turn};
use super::steps::StepFrames;
use super::unit::Bf16Unit;
use super::weights::PackedWeights;
use crate::activation::{self, LeakyGradient, LeakyInPlace, LeakySum};
use crate::buffer::{Buffer, Shared, written, zeros};
use crate::geometry::Geometry;
use crate::{GlobalLocal, GlobalLocalGradients, Isa, Join, RegionConv3d};
use std::cell::RefCell;

thread_local! {
    /// Both branches and their join, `[channels, positions]`, kept for the next task.
    static TURNED: RefCell<[Buffer; 3]> = RefCell::default();
    static SIGNS: RefCell<Vec<u8>> = RefCell::default();
}

/// What the gradients are computed from.
#[derive(Clone, Copy)]
pub(crate) struct Backward<'a> {
    pub x: &'a [f32],
    pub weights: [&'a [f32]; 2],
    pub signs: &'a [u8],
    pub grad: &'a [f32],
    pub wants_x: bool,
}

/// Number of sign bytes: one for each position of each output channel and frame.
pub(crate) fn signs_len(p: &RegionConv3d) -> usize {
    p.sequences * sequence_signs(p)
}

fn sequence_signs(p: &RegionConv3d) -> usize {
    p.frames_out() * p.out_channels * Layout::of(p).positions
}

/// The output and the signs of the branches.
pub(crate) fn forward(
    unit: Bf16Unit,
    layer: &GlobalLocal,
    x: &[f32],
    weights: [&[f32]; 2],
) -> (Vec<f32>, Vec<u8>) {
    let p = &layer.problem;
    let len = layer.join.maps() * p.output_len();
    let mut signs = zeros(signs_len(p));
    if x.is_empty() || len == 0 {
        return (zeros(len), signs);
    }
    let weights = weights.map(|weight| PackedWeights::forward(temporal(p), p, weight));
    let geometry = Geometry::forward(p);
    let problems = [p.without_labels(), *p];
    let convolutions: [Convolution; 2] = std::array::from_fn(|b| {
        Convolution::new(unit, &geometry, &weights[b], &problems[b], Layout::of(p))
    });
    let mut input = convolutions[0].room(p.frames);
    let inputs = x.chunks_exact(x.len() / p.sequences);
    let all_signs = signs.chunks_exact_mut(sequence_signs(p));
    let write = |y: Shared| {
        for (n, (x, signs)) in inputs.zip(all_signs).enumerate() {
            let read = rows(x, p.frames, p.pixels());
            input.fill(convolutions[0].isa, &convolutions[0].plan, read);
            let part = |b: usize| Part { convolution: &convolutions[b], input: &input, map: b };
            let output = Output {
                layer,
                layout: &convolutions[0].layout,
                planes: Planes {
                    frames: p.frames_out(),
                    pixels: layer.join.maps() * p.pixels(),
                    start: n * len / p.sequences,
                    y,
                },
                signs: Shared::new(signs),
            };
            compute(&[part(0), part(1)], 2, |sums| output.store(convolutions[0].isa, sums));
        }
    };
    // SAFETY: the tasks of a sequence cover all positions of all frames, and `store` writes the
    // pixels among them for every output channel and every map.
    let y = unsafe { written(len, write) };
    (y, signs)
}

/// Where the sums of a sequence go.
struct Output<'a> {
    layer: &'a GlobalLocal<'a>,
    layout: &'a Layout,
    planes: Planes<'a>,
    signs: Shared<'a, u8>,
}

impl Output<'_> {
    /// Activates and joins the branches of some positions.
    fn store(&self, isa: Isa, sums: &Sums) {
        let GlobalLocal { problem, join, slope } = *self.layer;
        let len = sums.channels.len() * ROWS;
        TURNED.with_borrow_mut(|[global, local, sum]| {
            SIGNS.with_borrow_mut(|signs| {
                signs.resize(len, 0);
                let [global, local, sum] = [global, local, sum].map(|buffer| {
                    buffer.grow(AREA);
                    &mut buffer[..len]
                });
                for (i, frame) in sums.frames.into_iter().enumerate() {
                    let Some(frame) = frame else { continue };
                    turn(isa, sums.of(0, i), global);
                    turn(isa, sums.of(1, i), local);
                    match join {
                        Join::Sum => {
                            let call = LeakySum { global, local, sum, signs, slope };
                            activation::leaky_sum(isa, call);
                            self.planes.write(sum, self.layout, sums, frame, 0);
                        }
                        Join::Stack => {
                            for (branch, values) in [&mut *global, local].into_iter().enumerate() {
                                let call = LeakyInPlace { values, signs, branch, slope };
                                activation::leaky_in_place(isa, call);
                                let above = branch * problem.pixels();
                                self.planes.write(values, self.layout, sums, frame, above);
                            }
                        }
                    }
                    self.keep_signs(signs, sums, frame);
                }
            });
        });
    }

    fn keep_signs(&self, signs: &[u8], sums: &Sums, frame: usize) {
        let count = sums.positions.len();
        let channels = self.layer.problem.out_channels;
        for (channel, from) in signs.chunks_exact(count).enumerate() {
            let channel = sums.channels.start + channel;
            let plane = (frame * channels + channel) * self.layout.positions;
            // SAFETY: these positions belong to this task alone, and the signs outlive the tasks.
            let to = unsafe { self.signs.at(plane + sums.positions.start, count) };
            // SAFETY: `at` has checked the room for `count` bytes, which no slice refers to.
            unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, count) }
        }
    }
}

/// The gradients of a layer.
pub(crate) fn backward(
    unit: Bf16Unit,
    layer: &GlobalLocal,
    from: Backward,
) -> GlobalLocalGradients {
    let p = &layer.problem;
    let geometry = Geometry::backward(p);
    let problems = [p.without_labels(), *p];
    let flipped = from.weights.map(|weight| PackedWeights::backward(temporal(p), p, weight));
    let convolutions = std::array::from_fn(|b| {
        Convolution::new(unit, &geometry, &flipped[b], &problems[b], Layout::of(p))
    });
    let sums = problems.map(|p| WeightSums::new(unit, temporal(&p), &p));
    let mut gradients = Gradients::new(layer, from, convolutions, sums);
    let sequences = if p.input_len() * p.output_len() > 0 { p.sequences } else { 0 };
    let dx = if from.wants_x && sequences > 0 {
        let all = |dx: Shared| (0..sequences).for_each(|n| gradients.sequence(n, Some(dx)));
        // SAFETY: the tasks of a sequence cover all positions of all frames, and `store` writes the
        // pixels among them for every input channel.
        Some(unsafe { written(p.input_len(), all) })
    } else {
        (0..sequences).for_each(|n| gradients.sequence(n, None));
        from.wants_x.then(|| zeros(p.input_len()))
    };
    let [global, local] = gradients.sums.map(WeightSums::gradient);
    GlobalLocalGradients { x: dx, global, local }
}

/// The gradients of a layer, accumulated sequence by sequence, and the memory of one sequence.
struct Gradients<'a> {
    layer: &'a GlobalLocal<'a>,
    from: Backward<'a>,
    layout: Layout,
    /// From the gradient of each branch to that of the input.
    convolutions: [Convolution<'a>; 2],
    sums: [WeightSums; 2],
    x: StepFrames,
    /// The gradient of one branch in planes, and of each branch as the convolutions read it.
    planes: Frames,
    inputs: [StepFrames; 2],
}

impl<'a> Gradients<'a> {
    fn new(
        layer: &'a GlobalLocal<'a>,
        from: Backward<'a>,
        convolutions: [Convolution<'a>; 2],
        sums: [WeightSums; 2],
    ) -> Self {
        let p = &layer.problem;
        let x = sums[0].input(p.frames);
        let planes = sums[0].output(p.frames_out());
        let inputs = [0, 1].map(|b| convolutions[b].room(p.frames_out()));
        Self { layer, from, layout: Layout::of(p), convolutions, sums, x, planes, inputs }
    }

    /// Adds the gradients of sequence `n` and writes the one with respect to the input into `dx`.
    fn sequence(&mut self, n: usize, dx: Option<Shared>) {
        let p = &self.layer.problem;
        let isa = Isa::best();
        let len = p.input_len() / p.sequences;
        let x = &self.from.x[n * len..][..len];
        self.x.fill(isa, &self.sums[0].plan, rows(x, p.frames, p.pixels()));
        for branch in 0..2 {
            let gradient = BranchGradient::new(self.layer, &self.from, branch, n, &self.layout);
            let read = |channel: usize, frame: usize, pixel: usize, to: &mut [f32]| {
                gradient.read(isa, channel, frame, pixel, to);
            };
            if dx.is_some() {
                let input = &mut self.inputs[branch];
                Frames::fill_both(isa, &mut self.planes, &mut input.frames, read);
                input.combine(isa, &self.convolutions[branch].plan);
            } else {
                self.planes.fill(isa, read);
            }
            self.sums[branch].add(&self.x, &self.planes);
        }
        let Some(y) = dx else { return };
        let part = |branch: usize| Part {
            convolution: &self.convolutions[branch],
            input: &self.inputs[branch],
            map: 0,
        };
        let planes = Planes { frames: p.frames, pixels: p.pixels(), start: n * len, y };
        compute(&[part(0), part(1)], 1, |sums| planes.store(isa, sums, &self.layout));
    }
}

/// The gradient of one branch of one sequence before its activation.
struct BranchGradient<'a> {
    layer: &'a GlobalLocal<'a>,
    branch: usize,
    layout: &'a Layout,
    grad: &'a [f32],
    signs: &'a [u8],
}

impl<'a> BranchGradient<'a> {
    fn new(
        layer: &'a GlobalLocal<'a>,
        from: &Backward<'a>,
        branch: usize,
        n: usize,
        layout: &'a Layout,
    ) -> Self {
        let p = &layer.problem;
        let grad = from.grad.len() / p.sequences;
        let signs = sequence_signs(p);
        Self {
            layer,
            branch,
            layout,
            grad: &from.grad[n * grad..][..grad],
            signs: &from.signs[n * signs..][..signs],
        }
    }

    /// Part of a row, from `pixel` on.
    fn read(&self, isa: Isa, channel: usize, frame: usize, pixel: usize, to: &mut [f32]) {
        let GlobalLocal { problem, join, slope } = *self.layer;
        let map = channel * problem.frames_out() + frame;
        let place = map * join.maps() + join.place(self.branch);
        let grad = &self.grad[place * problem.pixels() + pixel..][..to.len()];
        let plane = (frame * problem.out_channels + channel) * self.layout.positions;
        let row = pixel / problem.width;
        let position = row * self.layout.pitch + pixel % problem.width;
        let signs = &self.signs[plane + position..][..to.len()];
        let call = LeakyGradient { grad, signs, branch: self.branch, slope, to };
        activation::leaky_gradient(isa, call);
    }
}
