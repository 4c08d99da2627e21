//! A global-local layer for training: both branches from one transposition of the input, activated
//! and joined in one pass, and the gradients of all three from the gradient of the output.
//!
//! Of the forward pass the gradients need only which values were positive: one byte for both
//! branches is kept, instead of two maps of f32.

use crate::activation::{self, LeakyGradient, LeakyInPlace, LeakySum};
use crate::algorithm::Implementation;
use crate::bf16::{self, Backward};
use crate::buffer::{Buffer, zeros};
use crate::channel_last::{ChannelLast, channel_first, padded};
use crate::geometry::Geometry;
use crate::join::Branch;
use crate::pixels::{self, OutputGradient};
use crate::temporal::Temporal;
use crate::winograd::{Finish, Layer, Target, TransformedWeights, WeightSums};
use crate::{Algorithm, Bf16Unit, Isa, Join, PreparedLayer, RegionConv3d};
use rayon::prelude::*;

/// GLCL: `leaky(global(x))` and `leaky(local(x))`, added (Eqn. 2) or stacked along rows, global
/// above local (Eqn. 3).
#[derive(Clone, Copy, Debug)]
pub struct GlobalLocal<'a> {
    /// Both convolutions; the labels restrict the local one.
    pub problem: RegionConv3d<'a>,
    /// How the branches become one map; a stack has twice the rows.
    pub join: Join,
    /// Slope of the leaky ReLU, 0 to 1.
    pub slope: f32,
}

/// Gradients of a global-local layer.
#[derive(Clone, Debug, PartialEq)]
pub struct GlobalLocalGradients {
    /// With respect to the input, `[n, ci, t, h, w]`, if it was asked for.
    pub x: Option<Vec<f32>>,
    /// With respect to the global weight, `[co, ci, kt, kh, kw]`.
    pub global: Vec<f32>,
    /// With respect to the local weight, `[co, ci, kt, kh, kw]`.
    pub local: Vec<f32>,
}

impl<'a> GlobalLocal<'a> {
    /// The output `[n, co, t_out, h, w]`, with twice the rows where the branches are stacked, and
    /// the signs that [`GlobalLocal::backward`] needs: which values of the branches were positive,
    /// a bit for each branch. The order of the bytes depends on the layer and the machine.
    ///
    /// # Panics
    /// If the shape is invalid, a slice has the wrong length or the slope is outside 0 to 1.
    pub fn forward(&self, x: &[f32], global: &[f32], local: &[f32]) -> (Vec<f32>, Vec<u8>) {
        let weights = [global, local];
        self.check(x, weights);
        let algorithm = Algorithm::for_problem(&self.problem);
        match algorithm.implementation(&self.problem) {
            Implementation::Winograd(temporal) => self.forward_winograd(temporal, x, weights),
            Implementation::Pixels => self.forward_pixels(x, weights),
            Implementation::Direct => self.forward_plain(algorithm, x, weights),
            Implementation::Bf16 => bf16::forward_layer(Bf16Unit::best(), self, x, weights),
        }
    }

    /// The gradients, given the gradient with respect to the output; with respect to the input only
    /// if `wants_x`.
    ///
    /// # Panics
    /// If the shape is invalid, a slice has the wrong length, the slope is outside 0 to 1, or there
    /// are more or fewer `signs` than [`GlobalLocal::forward`] makes.
    pub fn backward(
        &self,
        x: &[f32],
        weights: [&[f32]; 2],
        signs: &[u8],
        grad: &[f32],
        wants_x: bool,
    ) -> GlobalLocalGradients {
        self.check(x, weights);
        let grad_len = self.join.maps() * self.problem.output_len();
        assert_eq!(grad.len(), grad_len, "length of the gradient");
        let algorithm = Algorithm::for_problem(&self.problem);
        let implementation = algorithm.implementation(&self.problem);
        let signs_len = match implementation {
            Implementation::Winograd(_) => self.problem.sequences * self.channel_last_len(),
            Implementation::Pixels | Implementation::Direct => self.problem.output_len(),
            Implementation::Bf16 => bf16::signs_len(&self.problem),
        };
        assert_eq!(signs.len(), signs_len, "signs of another problem");
        let from = Backward { x, weights, signs, grad, wants_x };
        match implementation {
            Implementation::Winograd(temporal) => self.backward_winograd(temporal, from),
            Implementation::Pixels if !wants_x => self.backward_pixels(from),
            Implementation::Pixels | Implementation::Direct => self.backward_plain(algorithm, from),
            Implementation::Bf16 => bf16::backward_layer(Bf16Unit::best(), self, from),
        }
    }

    /// The layer for inference, with the weights `[co, ci, kt, kh, kw]` transformed once.
    ///
    /// # Panics
    /// If the shape is invalid, a weight has the wrong length or the slope is outside 0 to 1.
    pub fn prepare(&self, global: &[f32], local: &[f32]) -> PreparedLayer {
        let branches = Branch::both([global, local]);
        PreparedLayer::joined(&self.problem, &branches, self.join, self.slope)
    }

    fn check(&self, x: &[f32], weights: [&[f32]; 2]) {
        check_slope(self.slope);
        self.problem.check_x(x);
        weights.iter().for_each(|weight| self.problem.check_weight(weight));
    }

    /// The two convolutions: without and with the labels.
    fn problems(&self) -> [RegionConv3d<'a>; 2] {
        [self.problem.without_labels(), self.problem]
    }

    /// Values of one branch of one sequence, channel-last.
    fn channel_last_len(&self) -> usize {
        let stride = padded(self.problem.out_channels, Isa::best().lanes());
        self.problem.frames_out() * self.problem.pixels() * stride
    }

    fn forward_winograd(
        &self,
        temporal: Temporal,
        x: &[f32],
        weights: [&[f32]; 2],
    ) -> (Vec<f32>, Vec<u8>) {
        let p = &self.problem;
        let isa = Isa::best();
        let pixels = p.pixels();
        let stride = padded(p.out_channels, isa.lanes());
        let branch_len = self.channel_last_len();
        let mut y = zeros(self.join.maps() * p.output_len());
        let mut signs = zeros(p.sequences * branch_len);
        if x.is_empty() || y.is_empty() {
            return (y, signs);
        }
        let geometry = Geometry::forward(p);
        let problems = self.problems();
        let weights = weights.map(|w| TransformedWeights::forward(isa, temporal, p, w));
        // Both branches are computed as a stack; activation and junction follow.
        let targets = [0, pixels]
            .map(|above| [Target { start: 0, channels: stride, above, finish: Finish::Store }]);
        let layers: [Layer; 2] = std::array::from_fn(|b| {
            Layer::new(isa, &geometry, &weights[b], &problems[b], &targets[b])
        });
        let mut input = ChannelLast::empty(p.in_channels, p.frames, pixels, isa.lanes());
        let mut both = Buffer::zeros(2 * branch_len);
        let mut sum = Buffer::zeros(if self.join == Join::Sum { branch_len } else { 0 });
        let inputs = x.chunks_exact(x.len() / p.sequences);
        let outputs = y.chunks_exact_mut(self.join.maps() * p.output_len() / p.sequences);
        let frame = pixels * stride;
        for ((x, y), signs) in inputs.zip(outputs).zip(signs.chunks_exact_mut(branch_len)) {
            input.fill(isa, x);
            layers.iter().for_each(|layer| layer.sequence(&input, &mut both));
            match self.join {
                Join::Stack => {
                    activate(isa, &mut both, frame, signs, self.slope);
                    channel_first(isa, &both, stride, y);
                }
                Join::Sum => {
                    activate_and_add(isa, &both, frame, signs, self.slope, &mut sum);
                    channel_first(isa, &sum, stride, y);
                }
            }
        }
        (y, signs)
    }

    fn forward_pixels(&self, x: &[f32], weights: [&[f32]; 2]) -> (Vec<f32>, Vec<u8>) {
        let mut signs = zeros(self.problem.output_len());
        let layer = pixels::Layer {
            problem: self.problem,
            branches: Branch::both(weights).to_vec(),
            join: self.join,
            slope: self.slope,
        };
        let y = layer.forward(Isa::best(), x, Some(&mut signs));
        (y, signs)
    }

    /// The branches one after the other.
    fn forward_plain(
        &self,
        algorithm: Algorithm,
        x: &[f32],
        weights: [&[f32]; 2],
    ) -> (Vec<f32>, Vec<u8>) {
        let isa = Isa::best();
        let slope = self.slope;
        let frame = self.problem.pixels().max(1);
        let mut y = zeros(self.join.maps() * self.problem.output_len());
        let mut signs = zeros(self.problem.output_len());
        let problems = self.problems();
        let [global, local] =
            [0, 1].map(|b| problems[b].forward_with(algorithm, isa, x, weights[b]));
        let to = y.par_chunks_mut(self.join.maps() * frame).zip(signs.par_chunks_mut(frame));
        let from = global.par_chunks(frame).zip(local.par_chunks(frame));
        to.zip(from).for_each(|((y, signs), (global, local))| match self.join {
            Join::Sum => {
                activation::leaky_sum(isa, LeakySum { global, local, sum: y, signs, slope });
            }
            Join::Stack => {
                for (branch, (values, from)) in y.chunks_mut(frame).zip([global, local]).enumerate()
                {
                    values.copy_from_slice(from);
                    let call = LeakyInPlace { values, signs, branch, slope };
                    activation::leaky_in_place(isa, call);
                }
            }
        });
        (y, signs)
    }

    fn backward_winograd(&self, temporal: Temporal, from: Backward) -> GlobalLocalGradients {
        let p = &self.problem;
        let isa = Isa::best();
        let pixels = p.pixels();
        let frames = p.frames_out();
        let in_stride = padded(p.in_channels, isa.lanes());
        let problems = self.problems();
        let geometry = Geometry::backward(p);
        let flipped = from.weights.map(|w| TransformedWeights::backward(isa, temporal, p, w));
        let targets = [Finish::Store, Finish::Add]
            .map(|finish| [Target { start: 0, channels: in_stride, above: 0, finish }]);
        let layers: [Layer; 2] = std::array::from_fn(|b| {
            Layer::new(isa, &geometry, &flipped[b], &problems[b], &targets[b])
        });
        let mut sums = problems.map(|p| WeightSums::new(isa, temporal, &p));
        // Both gradients share the transposed input and gradient of one sequence at a time.
        let mut dx = from.wants_x.then(|| zeros(p.input_len()));
        let mut input = ChannelLast::empty(p.in_channels, p.frames, pixels, isa.lanes());
        let mut output = ChannelLast::empty(p.out_channels, frames, pixels, isa.lanes());
        let mut branch = ChannelLast::empty(p.out_channels, frames, pixels, isa.lanes());
        let dx_len = if from.wants_x { p.frames * pixels * in_stride } else { 0 };
        let mut dx_last = Buffer::zeros(dx_len);
        let in_len = p.in_channels * p.frames * pixels;
        let out_len = self.join.maps() * p.out_channels * frames * pixels;
        let signs_len = self.channel_last_len();
        for n in 0..if in_len * out_len > 0 { p.sequences } else { 0 } {
            let grad = &from.grad[n * out_len..][..out_len];
            let signs = &from.signs[n * signs_len..][..signs_len];
            input.fill(isa, &from.x[n * in_len..][..in_len]);
            for b in 0..2 {
                // Both branches of a sum have the gradient that is there already.
                if self.join == Join::Stack || b == 0 {
                    let first = self.join.place(b) * pixels;
                    output.fill_part(isa, grad, self.join.maps() * pixels, first);
                }
                activation_gradient(isa, &output, signs, b, self.slope, &mut branch);
                sums[b].add(&input, &branch);
                if from.wants_x {
                    layers[b].sequence(&branch, &mut dx_last);
                }
            }
            if let Some(dx) = &mut dx {
                channel_first(isa, &dx_last, in_stride, &mut dx[n * in_len..][..in_len]);
            }
        }
        let [global, local] = sums.map(WeightSums::gradient);
        GlobalLocalGradients { x: dx, global, local }
    }

    /// Without the gradient with respect to the input, which the first layer does not need.
    fn backward_pixels(&self, from: Backward) -> GlobalLocalGradients {
        let Backward { x, signs, grad, .. } = from;
        let Self { join, slope, .. } = *self;
        let problems = self.problems();
        let [global, local] = [0, 1].map(|branch| {
            let grad = OutputGradient::Branch { grad, join, signs, branch, slope };
            pixels::backward_weight(Isa::best(), &problems[branch], x, grad)
        });
        GlobalLocalGradients { x: None, global, local }
    }

    /// The branches one after the other.
    fn backward_plain(&self, algorithm: Algorithm, from: Backward) -> GlobalLocalGradients {
        let isa = Isa::best();
        let slope = self.slope;
        let frame = self.problem.pixels();
        let problems = self.problems();
        let mut branch = zeros(self.problem.output_len());
        let mut dx: Option<Vec<f32>> = None;
        let [global, local] = [0, 1].map(|b| {
            let first = self.join.place(b) * frame;
            let maps = branch.par_chunks_mut(frame.max(1)).zip(from.signs.par_chunks(frame.max(1)));
            let grads = from.grad.par_chunks((self.join.maps() * frame).max(1));
            maps.zip(grads).for_each(|((to, signs), grad)| {
                let grad = &grad[first..][..frame];
                let call = LeakyGradient { grad, signs, branch: b, slope, to };
                activation::leaky_gradient(isa, call);
            });
            if from.wants_x {
                let weight = from.weights[b];
                let part = problems[b].backward_data_with(algorithm, isa, weight, &branch);
                match &mut dx {
                    None => dx = Some(part),
                    Some(dx) => dx.par_iter_mut().zip(part).for_each(|(dx, part)| *dx += part),
                }
            }
            problems[b].backward_weight_with(algorithm, isa, from.x, &branch)
        });
        GlobalLocalGradients { x: dx, global, local }
    }
}

/// Panics unless `max(v, slope * v)` is a leaky ReLU.
pub(crate) fn check_slope(slope: f32) {
    assert!((0.0..=1.0).contains(&slope), "slope {slope} of the leaky ReLU: expected 0 to 1");
}

/// The leaky ReLU of stacked branches, in place; each has `frame` values a frame.
fn activate(isa: Isa, both: &mut [f32], frame: usize, signs: &mut [u8], slope: f32) {
    let frames = both.par_chunks_exact_mut(2 * frame).zip(signs.par_chunks_exact_mut(frame));
    frames.for_each(|(both, signs)| {
        for (branch, values) in both.chunks_exact_mut(frame).enumerate() {
            activation::leaky_in_place(isa, LeakyInPlace { values, signs, branch, slope });
        }
    });
}

/// The sum of the leaky ReLU of both branches; each has `frame` values a frame.
fn activate_and_add(
    isa: Isa,
    both: &[f32],
    frame: usize,
    signs: &mut [u8],
    slope: f32,
    sum: &mut [f32],
) {
    let to = sum.par_chunks_exact_mut(frame).zip(signs.par_chunks_exact_mut(frame));
    to.zip(both.par_chunks_exact(2 * frame)).for_each(|((sum, signs), both)| {
        let (global, local) = both.split_at(frame);
        activation::leaky_sum(isa, LeakySum { global, local, sum, signs, slope });
    });
}

/// The gradient of one branch before its activation. Zero pixels and the zero frame have no signs
/// and stay zero.
fn activation_gradient(
    isa: Isa,
    grad: &ChannelLast,
    signs: &[u8],
    branch: usize,
    slope: f32,
    to: &mut ChannelLast,
) {
    let len = grad.pixels * grad.stride;
    let frame = len + grad.stride;
    let frames = to.values.par_chunks_mut(frame).zip(grad.values.par_chunks(frame));
    frames.zip(signs.par_chunks_exact(len)).for_each(|((to, grad), signs)| {
        let to = &mut to[..len];
        let grad = &grad[..len];
        activation::leaky_gradient(isa, LeakyGradient { grad, signs, branch, slope, to });
    });
}
