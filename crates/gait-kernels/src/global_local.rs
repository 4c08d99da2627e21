//! A global-local layer for training: both branches from one transposition of the input, activated
//! and joined in one pass, and the gradients of all three from the gradient of the output.
//!
//! What the gradients need of the forward pass is kept as signs, one byte for both branches,
//! instead of two maps of f32.

use crate::activation::{self, Each, Gradient, Sum};
use crate::buffer::{Buffer, zeros};
use crate::geometry::Geometry;
use crate::layout::{ChannelLast, channel_first, padded};
use crate::path::Path;
use crate::pixels::{self, OutputGradient};
use crate::winograd::{Finish, Layer, Target, Temporal, TransformedWeights, WeightSums};
use crate::{Isa, RegionConv3d};
use rayon::prelude::*;

/// GLCL: `leaky(global(x))` and `leaky(local(x))`, added (Eqn. 2) or stacked along rows, global
/// above local (Eqn. 3).
#[derive(Clone, Copy, Debug)]
pub struct GlobalLocal<'a> {
    /// Both convolutions; the labels restrict the local one.
    pub problem: RegionConv3d<'a>,
    /// Whether the branches are stacked; the output then has twice the rows.
    pub stacked: bool,
    /// Slope of the leaky ReLU, 0 to 1.
    pub slope: f32,
}

/// Which values of the branches were positive. The order of its bytes is the layer's own affair;
/// it goes with the problem that made it.
#[derive(Clone, Debug, PartialEq)]
pub struct Signs(Vec<u8>);

impl Signs {
    /// The bytes, for a caller that keeps them elsewhere between the passes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// What [`Signs::into_bytes`] gave.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

/// Gradients of a global-local layer.
#[derive(Clone, Debug, PartialEq)]
pub struct GlobalLocalGradients {
    /// `[n, ci, t, h, w]`; empty if it was not asked for.
    pub x: Vec<f32>,
    /// `[co, ci, kt, kh, kw]`.
    pub global: Vec<f32>,
    /// `[co, ci, kt, kh, kw]`.
    pub local: Vec<f32>,
}

impl<'a> GlobalLocal<'a> {
    /// The output `[n, co, t_out, h, w]`, with twice the rows where the branches are stacked, and
    /// what [`GlobalLocal::backward`] needs to know of it.
    ///
    /// # Panics
    /// If a slice has the wrong length or the slope is outside 0 to 1.
    pub fn forward(&self, x: &[f32], global: &[f32], local: &[f32]) -> (Vec<f32>, Signs) {
        self.check(x, global, local);
        let path = Path::of(&self.problem);
        match path.temporal(&self.problem) {
            Some(temporal) => self.forward_winograd(temporal, x, [global, local]),
            None if path == Path::Pixels => {
                let mut signs = zeros(self.problem.output_len());
                let branches = [(global, false), (local, true)];
                let rows = if self.stacked { 2 } else { 1 };
                let y = pixels::layer(
                    Isa::best(),
                    &self.problem,
                    &branches,
                    rows,
                    self.slope,
                    x,
                    Some(&mut signs),
                );
                (y, Signs(signs))
            }
            None => self.forward_plain(path, x, [global, local]),
        }
    }

    /// The gradients from that of the output; that of the input only if `wants_x`.
    ///
    /// # Panics
    /// If a slice has the wrong length or `signs` belongs to another problem.
    pub fn backward(
        &self,
        x: &[f32],
        [global, local]: [&[f32]; 2],
        signs: &Signs,
        grad: &[f32],
        wants_x: bool,
    ) -> GlobalLocalGradients {
        self.check(x, global, local);
        let rows = if self.stacked { 2 } else { 1 };
        assert_eq!(grad.len(), rows * self.problem.output_len(), "length of the gradient");
        let path = Path::of(&self.problem);
        match path.temporal(&self.problem) {
            Some(temporal) => {
                self.backward_winograd(temporal, x, [global, local], signs, grad, wants_x)
            }
            None => self.backward_plain(path, x, [global, local], signs, grad, wants_x),
        }
    }

    fn check(&self, x: &[f32], global: &[f32], local: &[f32]) {
        assert!(
            (0.0..=1.0).contains(&self.slope),
            "slope {} of the leaky ReLU: 0 to 1",
            self.slope
        );
        self.problem.check_x(x);
        self.problem.check_weight(global);
        self.problem.check_weight(local);
    }

    /// The two convolutions: without and with the labels.
    fn problems(&self) -> [RegionConv3d<'a>; 2] {
        [RegionConv3d { labels: None, ..self.problem }, self.problem]
    }

    fn forward_winograd(
        &self,
        temporal: Temporal,
        x: &[f32],
        weights: [&[f32]; 2],
    ) -> (Vec<f32>, Signs) {
        let (p, isa, pixels) = (&self.problem, Isa::best(), self.problem.pixels());
        let (frames, stride) = (p.frames_out(), padded(p.out_channels, isa.lanes()));
        let rows = if self.stacked { 2 } else { 1 };
        let mut y = zeros(rows * p.output_len());
        let mut signs = zeros(p.sequences * frames * pixels * stride);
        if x.is_empty() || y.is_empty() {
            return (y, Signs(signs));
        }
        let (geometry, problems) = (Geometry::forward(p), self.problems());
        let weights = weights.map(|w| TransformedWeights::forward(isa, temporal, p, w));
        // Both branches are computed stacked; the junction follows.
        let targets = [0, pixels]
            .map(|above| [Target { start: 0, channels: stride, above, finish: Finish::Store }]);
        let layers: [Layer; 2] = std::array::from_fn(|b| {
            Layer::new(isa, &geometry, &weights[b], &problems[b], &targets[b])
        });
        let mut input = ChannelLast::empty(p.in_channels, p.frames, pixels, isa.lanes());
        let mut both = Buffer::zeros(frames * 2 * pixels * stride);
        let mut sum = Buffer::zeros(if self.stacked { 0 } else { frames * pixels * stride });
        let in_len = p.in_channels * p.frames * pixels;
        let out_len = rows * p.out_channels * frames * pixels;
        let outputs =
            y.chunks_exact_mut(out_len).zip(signs.chunks_exact_mut(frames * pixels * stride));
        for (x, (y, signs)) in x.chunks_exact(in_len).zip(outputs) {
            input.fill(isa, x);
            layers.iter().for_each(|layer| layer.sequence(&input, &mut both));
            let frame = pixels * stride;
            if self.stacked {
                activate(isa, &mut both, frame, signs, self.slope);
                channel_first(isa, &both, stride, y);
            } else {
                activate_and_add(isa, &both, frame, signs, self.slope, &mut sum);
                channel_first(isa, &sum, stride, y);
            }
        }
        (y, Signs(signs))
    }

    fn backward_winograd(
        &self,
        temporal: Temporal,
        x: &[f32],
        weights: [&[f32]; 2],
        signs: &Signs,
        grad: &[f32],
        wants_x: bool,
    ) -> GlobalLocalGradients {
        let (p, isa, pixels) = (&self.problem, Isa::best(), self.problem.pixels());
        let (frames, stride) = (p.frames_out(), padded(p.out_channels, isa.lanes()));
        let in_stride = padded(p.in_channels, isa.lanes());
        assert_eq!(
            signs.0.len(),
            p.sequences * frames * pixels * stride,
            "signs of another problem"
        );
        let mut dx = zeros(if wants_x { p.input_len() } else { 0 });
        let problems = self.problems();
        let mut sums = problems.map(|p| WeightSums::new(isa, temporal, &p));
        let geometry = Geometry::backward(p);
        let turned = weights.map(|w| TransformedWeights::backward(isa, temporal, p, w));
        let targets = [Finish::Store, Finish::Add]
            .map(|finish| [Target { start: 0, channels: in_stride, above: 0, finish }]);
        let layers: [Layer; 2] = std::array::from_fn(|b| {
            Layer::new(isa, &geometry, &turned[b], &problems[b], &targets[b])
        });
        let mut input = ChannelLast::empty(p.in_channels, p.frames, pixels, isa.lanes());
        let mut output = ChannelLast::empty(p.out_channels, frames, pixels, isa.lanes());
        let mut branch = ChannelLast::empty(p.out_channels, frames, pixels, isa.lanes());
        let mut dx_last = Buffer::zeros(if wants_x { p.frames * pixels * in_stride } else { 0 });
        let rows = if self.stacked { 2 } else { 1 };
        let (in_len, out_len) =
            (p.in_channels * p.frames * pixels, rows * p.out_channels * frames * pixels);
        for n in 0..if in_len * out_len > 0 { p.sequences } else { 0 } {
            let grad = &grad[n * out_len..][..out_len];
            let signs = &signs.0[n * frames * pixels * stride..][..frames * pixels * stride];
            input.fill(isa, &x[n * in_len..][..in_len]);
            for b in 0..2 {
                if self.stacked || b == 0 {
                    output.fill_part(
                        isa,
                        grad,
                        rows * pixels,
                        if self.stacked { b * pixels } else { 0 },
                    );
                }
                activation_gradient(isa, &output, signs, b, self.slope, &mut branch);
                sums[b].add(&input, &branch);
                if wants_x {
                    layers[b].sequence(&branch, &mut dx_last);
                }
            }
            if wants_x {
                channel_first(isa, &dx_last, in_stride, &mut dx[n * in_len..][..in_len]);
            }
        }
        let [global, local] = sums.map(WeightSums::gradient);
        GlobalLocalGradients { x: dx, global, local }
    }

    /// The branches one after the other, each on the path that serves it.
    fn forward_plain(&self, path: Path, x: &[f32], weights: [&[f32]; 2]) -> (Vec<f32>, Signs) {
        let (isa, frame) = (Isa::best(), self.problem.pixels().max(1));
        let rows = if self.stacked { 2 } else { 1 };
        let mut y = zeros(rows * self.problem.output_len());
        let mut signs = zeros(self.problem.output_len());
        let problems = self.problems();
        let [global, local] = [0, 1].map(|b| problems[b].forward_by(path, isa, x, weights[b]));
        let to = y.par_chunks_mut(rows * frame).zip(signs.par_chunks_mut(frame));
        to.zip(global.par_chunks(frame).zip(local.par_chunks(frame))).for_each(
            |((y, signs), (global, local))| {
                if !self.stacked {
                    return activation::add(
                        isa,
                        Sum { global, local, sum: y, signs, slope: self.slope },
                    );
                }
                for (branch, (values, from)) in y.chunks_mut(frame).zip([global, local]).enumerate()
                {
                    values.copy_from_slice(from);
                    activation::each(isa, Each { values, signs, branch, slope: self.slope });
                }
            },
        );
        (y, Signs(signs))
    }

    fn backward_plain(
        &self,
        path: Path,
        x: &[f32],
        weights: [&[f32]; 2],
        signs: &Signs,
        grad: &[f32],
        wants_x: bool,
    ) -> GlobalLocalGradients {
        assert_eq!(signs.0.len(), self.problem.output_len(), "signs of another problem");
        if path == Path::Pixels && !wants_x {
            let problems = self.problems();
            let (stacked, slope) = (self.stacked, self.slope);
            let [global, local] = [0, 1].map(|branch| {
                let grad = OutputGradient::Branch { grad, stacked, signs: &signs.0, branch, slope };
                pixels::backward_weight(Isa::best(), &problems[branch], x, grad)
            });
            return GlobalLocalGradients { x: Vec::new(), global, local };
        }
        let (isa, frame) = (Isa::best(), self.problem.pixels());
        let rows = if self.stacked { 2 } else { 1 };
        let mut branch = zeros(self.problem.output_len());
        let mut dx = Vec::new();
        let [global, local] = [0, 1].map(|b| {
            let to = branch.par_chunks_mut(frame.max(1)).zip(signs.0.par_chunks(frame.max(1)));
            to.zip(grad.par_chunks((rows * frame).max(1))).for_each(|((to, signs), grad)| {
                let grad = &grad[if self.stacked { b * frame } else { 0 }..][..frame];
                activation::gradient(
                    isa,
                    Gradient { grad, signs, branch: b, slope: self.slope, to },
                );
            });
            let problem = &self.problems()[b];
            if wants_x {
                let part = problem.backward_data_by(path, isa, weights[b], &branch);
                if b == 0 {
                    dx = part;
                } else {
                    dx.par_iter_mut().zip(part).for_each(|(dx, part)| *dx += part);
                }
            }
            problem.backward_weight_by(path, isa, x, &branch)
        });
        GlobalLocalGradients { x: dx, global, local }
    }
}

/// The leaky ReLU of stacked branches, in place; each has `frame` values a frame.
fn activate(isa: Isa, both: &mut [f32], frame: usize, signs: &mut [u8], slope: f32) {
    let frames = both.par_chunks_exact_mut(2 * frame).zip(signs.par_chunks_exact_mut(frame));
    frames.for_each(|(both, signs)| {
        for (branch, values) in both.chunks_exact_mut(frame).enumerate() {
            activation::each(isa, Each { values, signs, branch, slope });
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
        activation::add(isa, Sum { global, local, sum, signs, slope });
    });
}

/// The gradient of one branch before its activation.
fn activation_gradient(
    isa: Isa,
    grad: &ChannelLast,
    signs: &[u8],
    branch: usize,
    slope: f32,
    to: &mut ChannelLast,
) {
    let (frame, len) = ((grad.pixels + 1) * grad.stride, grad.pixels * grad.stride);
    let frames = to.values.par_chunks_mut(frame).zip(grad.values.par_chunks(frame));
    frames.zip(signs.par_chunks_exact(len)).for_each(|((to, grad), signs)| {
        activation::gradient(isa, Gradient { grad, signs, branch, slope, to });
    });
}
