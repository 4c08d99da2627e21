//! Layers for inference: weights prepared once, activation and junction of the branches applied
//! before anything is stored.

use crate::buffer::{Buffer, zeros};
use crate::geometry::Geometry;
use crate::layout::{ChannelLast, channel_first, padded};
use crate::path::Path;
use crate::pixels;
use crate::winograd::{Finish, Layer, Target, TransformedWeights};
use crate::{Isa, RegionConv3d};
use rayon::prelude::*;

/// The convolutions of a layer. Each weight is `[co, ci, kt, kh, kw]`.
#[derive(Clone, Copy, Debug)]
pub enum Branches<'a> {
    /// One convolution, restricted to the problem's regions.
    One(&'a [f32]),
    /// A global and a local one, added (Eqn. 2); the regions restrict the local one.
    Sum {
        /// Weight of the global branch.
        global: &'a [f32],
        /// Weight of the local branch.
        local: &'a [f32],
    },
    /// The same stacked along rows, global above local (Eqn. 3).
    Stack {
        /// Weight of the global branch.
        global: &'a [f32],
        /// Weight of the local branch.
        local: &'a [f32],
    },
}

impl<'a> Branches<'a> {
    /// Weights in order, global first, and whether each is restricted to the regions.
    fn list(self) -> Vec<(&'a [f32], bool)> {
        match self {
            Self::One(weight) => vec![(weight, true)],
            Self::Sum { global, local } | Self::Stack { global, local } => {
                vec![(global, false), (local, true)]
            }
        }
    }

    /// Frames' worth of rows in an output frame.
    fn stacked(self) -> usize {
        if matches!(self, Self::Stack { .. }) { 2 } else { 1 }
    }
}

/// A layer with a leaky ReLU, ready to run on any number of sequences of any length.
pub struct PreparedLayer {
    isa: Isa,
    /// The shape; sequences and frames are replaced by each call's.
    shape: RegionConv3d<'static>,
    labels: Option<Vec<i32>>,
    slope: f32,
    stacked: usize,
    weights: Weights,
}

enum Weights {
    /// Winograd; each entry runs by itself, with its targets.
    Winograd(Vec<Part>),
    /// Any other path: the weights as they came, and whether each is restricted.
    Plain(Path, Vec<(Vec<f32>, bool)>),
}

/// Convolutions that share one transformed input.
struct Part {
    weights: TransformedWeights,
    restricted: bool,
    targets: Vec<Target>,
}

impl PreparedLayer {
    /// Prepares the weights for the channels, kernel, rows, columns and labels of `problem`, whose
    /// sequences and frames do not matter. `slope` is that of the leaky ReLU, 0 to 1.
    ///
    /// # Panics
    /// If a weight has the wrong length or the slope is outside 0 to 1.
    pub fn new(problem: &RegionConv3d, branches: Branches, slope: f32) -> Self {
        assert!((0.0..=1.0).contains(&slope), "slope {slope} of the leaky ReLU: 0 to 1");
        branches.list().iter().for_each(|(weight, _)| problem.check_weight(weight));
        let (isa, labels) = (Isa::best(), problem.labels.map(<[i32]>::to_vec));
        let stacked = branches.stacked();
        // Sequences of one frame are rare; two let the path choose for the others.
        let path = Path::of(&RegionConv3d { frames: problem.frames.max(2), ..*problem });
        let weights = match path.temporal(problem) {
            Some(_) => Weights::Winograd(parts(isa, path, problem, branches, slope)),
            None => Weights::Plain(
                path,
                branches.list().iter().map(|&(weight, local)| (weight.to_vec(), local)).collect(),
            ),
        };
        let shape = RegionConv3d { labels: None, ..*problem };
        Self { isa, shape: without_labels(shape), labels, slope, stacked, weights }
    }

    /// The output `[n, co, t_out, h, w]`, with twice the rows where the branches are stacked.
    ///
    /// # Panics
    /// If `x` is not `[sequences, ci, frames, h, w]`.
    pub fn forward(&self, sequences: usize, frames: usize, x: &[f32]) -> Vec<f32> {
        let labels = self.labels.as_deref();
        let problem = RegionConv3d { sequences, frames, labels, ..self.shape };
        problem.check_x(x);
        match &self.weights {
            Weights::Winograd(parts) => self.winograd(&problem, parts, x),
            Weights::Plain(Path::Pixels, weights) => {
                let branches: Vec<_> =
                    weights.iter().map(|(weight, local)| (&weight[..], *local)).collect();
                pixels::layer(self.isa, &problem, &branches, self.stacked, self.slope, x, None)
            }
            Weights::Plain(path, weights) => self.plain(&problem, *path, weights, x),
        }
    }

    fn winograd(&self, p: &RegionConv3d, parts: &[Part], x: &[f32]) -> Vec<f32> {
        let (pixels, geometry) = (p.pixels(), Geometry::forward(p));
        let stride = padded(p.out_channels, self.isa.lanes());
        let out_pixels = geometry.frames_out * pixels * self.stacked;
        let mut y = zeros(p.sequences * p.out_channels * out_pixels);
        if x.is_empty() || y.is_empty() {
            return y;
        }
        let global = RegionConv3d { labels: None, ..*p };
        let layers: Vec<_> = parts
            .iter()
            .map(|part| {
                let p = if part.restricted { p } else { &global };
                Layer::new(self.isa, &geometry, &part.weights, p, &part.targets)
            })
            .collect();
        let mut input = ChannelLast::empty(p.in_channels, p.frames, pixels, self.isa.lanes());
        let mut output = Buffer::zeros(out_pixels * stride);
        let sequences = x.chunks_exact(p.in_channels * p.frames * pixels);
        for (x, y) in sequences.zip(y.chunks_exact_mut(p.out_channels * out_pixels)) {
            input.fill(self.isa, x);
            layers.iter().for_each(|layer| layer.sequence(&input, &mut output));
            channel_first(self.isa, &output, stride, y);
        }
        y
    }

    /// One convolution after the other, then the junction.
    fn plain(
        &self,
        p: &RegionConv3d,
        path: Path,
        weights: &[(Vec<f32>, bool)],
        x: &[f32],
    ) -> Vec<f32> {
        let global = RegionConv3d { labels: None, ..*p };
        let branches: Vec<_> = weights
            .iter()
            .map(|(weight, local)| {
                (if *local { p } else { &global }).forward_by(path, self.isa, x, weight)
            })
            .collect();
        let frame = p.pixels();
        let mut y = zeros(self.stacked * p.output_len());
        y.par_chunks_mut((frame * self.stacked).max(1)).enumerate().for_each(|(i, y)| {
            for (b, branch) in branches.iter().enumerate() {
                let to = &mut y[if self.stacked == 2 { b * frame } else { 0 }..][..frame];
                for (y, &v) in to.iter_mut().zip(&branch[i * frame..]) {
                    *y += v.max(self.slope * v);
                }
            }
        });
        y
    }
}

/// The shape under a lifetime of its own.
fn without_labels(p: RegionConv3d<'_>) -> RegionConv3d<'static> {
    RegionConv3d {
        sequences: p.sequences,
        in_channels: p.in_channels,
        out_channels: p.out_channels,
        frames: p.frames,
        height: p.height,
        width: p.width,
        kernel: p.kernel,
        temporal_stride: p.temporal_stride,
        temporal_padding: p.temporal_padding,
        labels: None,
    }
}

/// Without labels both branches share one transformed input and one product; with labels each has
/// tiles of its own.
fn parts(isa: Isa, path: Path, p: &RegionConv3d, branches: Branches, slope: f32) -> Vec<Part> {
    let (ci, co, kt) = (p.in_channels, p.out_channels, p.kernel[0]);
    let Some(temporal) = path.temporal(p) else { return Vec::new() };
    let stride = padded(co, isa.lanes());
    let above = |branch: usize| if branches.stacked() == 2 { branch * p.pixels() } else { 0 };
    let finish = |branch: usize| {
        if branch > 0 && branches.stacked() == 1 {
            Finish::AddLeaky(slope)
        } else {
            Finish::Leaky(slope)
        }
    };
    let list = branches.list();
    let transform = |weights: &[(&[f32], bool)]| {
        let outputs = (weights.len() - 1) * stride + co;
        TransformedWeights::new(isa, temporal, [ci, outputs], |i, o, t, tap| {
            let (weight, o) = (weights[o / stride].0, o % stride);
            if o < co { weight[((o * ci + i) * kt + t) * 9 + tap] } else { 0.0 }
        })
    };
    let target = |branch: usize, start: usize| Target {
        start,
        channels: stride,
        above: above(branch),
        finish: finish(branch),
    };
    if p.labels.is_none() {
        let targets = (0..list.len()).map(|b| target(b, b * stride)).collect();
        return vec![Part { weights: transform(&list), restricted: false, targets }];
    }
    let part = |branch: usize| Part {
        weights: transform(&list[branch..=branch]),
        restricted: list[branch].1,
        targets: vec![target(branch, 0)],
    };
    (0..list.len()).map(part).collect()
}
