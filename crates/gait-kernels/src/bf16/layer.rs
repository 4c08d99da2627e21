//! Global-local layers in bf16: both branches activated and joined, and their gradients.

use super::convolution::{Convolution, Part, Sums, compute};
use super::frames::{Frames, Layout};
use super::gradient::WeightSums;
use super::plain::{Planes, rows, temporal, turn};
use super::unit::Bf16Unit;
use super::weights::PackedWeights;
use crate::activation::{self, LeakyGradient, LeakyInPlace, LeakySum};
use crate::buffer::{Buffer, Shared, zeros};
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
    let mut y = zeros(layer.join.maps() * p.output_len());
    let mut signs = zeros(signs_len(p));
    if x.is_empty() || y.is_empty() {
        return (y, signs);
    }
    let weights = weights.map(|weight| PackedWeights::forward(temporal(p), p, weight));
    let geometry = Geometry::forward(p);
    let problems = [p.without_labels(), *p];
    let convolutions: [Convolution; 2] = std::array::from_fn(|b| {
        Convolution::new(unit, &geometry, &weights[b], &problems[b], Layout::of(p))
    });
    let outputs = y.chunks_exact_mut(layer.join.maps() * p.output_len() / p.sequences);
    let inputs = x.chunks_exact(x.len() / p.sequences);
    let all_signs = signs.chunks_exact_mut(sequence_signs(p));
    let mut input = convolutions[0].room(p.frames);
    for ((x, y), signs) in inputs.zip(outputs).zip(all_signs) {
        convolutions[0].fill(&mut input, rows(x, p.frames, p.pixels()));
        let part =
            |b: usize| Part { convolution: &convolutions[b], input: &input, map: b, add: false };
        let output = Output {
            layer,
            layout: &convolutions[0].layout,
            planes: Planes {
                frames: p.frames_out(),
                pixels: layer.join.maps() * p.pixels(),
                y: Shared::new(y),
            },
            signs: Shared::new(signs),
        };
        compute(&[part(0), part(1)], 2, |sums| output.store(convolutions[0].isa, sums));
    }
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
        let channels = problem.out_channels;
        let len = channels * sums.positions.len();
        TURNED.with_borrow_mut(|[global, local, sum]| {
            SIGNS.with_borrow_mut(|signs| {
                signs.resize(len, 0);
                [&mut *global, local, sum].into_iter().for_each(|buffer| buffer.grow(len));
                for (i, frame) in sums.frames.into_iter().enumerate() {
                    let Some(frame) = frame else { continue };
                    turn(isa, sums.of(0, i), sums.stride, global);
                    turn(isa, sums.of(1, i), sums.stride, local);
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
    let isa = Isa::best();
    let pixels = p.pixels();
    let frames_out = p.frames_out();
    let geometry = Geometry::backward(p);
    let problems = [p.without_labels(), *p];
    let flipped = from.weights.map(|weight| PackedWeights::backward(temporal(p), p, weight));
    let convolutions: [Convolution; 2] = std::array::from_fn(|b| {
        Convolution::new(unit, &geometry, &flipped[b], &problems[b], Layout::of(p))
    });
    let mut sums = problems.map(|p| WeightSums::new(unit, temporal(&p), &p));
    let mut dx = from.wants_x.then(|| zeros(p.input_len()));
    let in_len = p.in_channels * p.frames * pixels;
    let out_len = layer.join.maps() * p.out_channels * frames_out * pixels;
    let layout = Layout::of(p);
    let mut x = sums[0].input(p.frames);
    let mut grads = sums[0].output(frames_out);
    let count = if from.wants_x { frames_out } else { 0 };
    let mut inputs = [0, 1].map(|b| convolutions[b].room(count));
    for n in 0..if in_len * out_len > 0 { p.sequences } else { 0 } {
        sums[0].fill(&mut x, rows(&from.x[n * in_len..][..in_len], p.frames, pixels));
        let gradients = [0, 1].map(|branch| BranchGradient {
            layer,
            branch,
            layout: &layout,
            isa,
            grad: &from.grad[n * out_len..][..out_len],
            signs: &from.signs[n * sequence_signs(p)..][..sequence_signs(p)],
        });
        for (b, sums) in sums.iter_mut().enumerate() {
            let read = |c: usize, t: usize, pixel: usize, to: &mut [f32]| {
                gradients[b].read(c, t, pixel, to);
            };
            if from.wants_x {
                let last = &mut inputs[b];
                Frames::fill_both(isa, &mut grads, &mut last.frames, read);
                last.combine(isa, &convolutions[b].plan);
            } else {
                grads.fill(isa, read);
            }
            sums.add(&x, &grads);
        }
        let Some(dx) = &mut dx else { continue };
        let parts: [Part; 2] = std::array::from_fn(|b| Part {
            convolution: &convolutions[b],
            input: &inputs[b],
            map: 0,
            add: b > 0,
        });
        let y = Shared::new(&mut dx[n * in_len..][..in_len]);
        let planes = Planes { frames: p.frames, pixels, y };
        compute(&parts, 1, |sums| planes.store(isa, sums, &layout, p.in_channels));
    }
    let [global, local] = sums.map(WeightSums::gradient);
    GlobalLocalGradients { x: dx, global, local }
}

/// The gradient of one branch of one sequence before its activation.
struct BranchGradient<'a> {
    layer: &'a GlobalLocal<'a>,
    branch: usize,
    layout: &'a Layout,
    isa: Isa,
    grad: &'a [f32],
    signs: &'a [u8],
}

impl BranchGradient<'_> {
    /// Part of a row, from `pixel` on.
    fn read(&self, channel: usize, frame: usize, pixel: usize, to: &mut [f32]) {
        let GlobalLocal { problem, join, slope } = *self.layer;
        let map = channel * problem.frames_out() + frame;
        let place = map * join.maps() + join.place(self.branch);
        let grad = &self.grad[place * problem.pixels() + pixel..][..to.len()];
        let plane = (frame * problem.out_channels + channel) * self.layout.positions;
        let row = pixel / problem.width;
        let position = row * self.layout.pitch + pixel % problem.width;
        let signs = &self.signs[plane + position..][..to.len()];
        let call = LeakyGradient { grad, signs, branch: self.branch, slope, to };
        activation::leaky_gradient(self.isa, call);
    }
}
