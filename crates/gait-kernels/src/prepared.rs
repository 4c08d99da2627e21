//! Layers for inference: weights transformed once, activation and junction of the branches applied
//! before anything is stored.

use crate::algorithm::Implementation;
use crate::bf16::PreparedBranches;
use crate::buffer::{Buffer, zeros};
use crate::channel_last::{ChannelLast, channel_first, padded};
use crate::geometry::Geometry;
use crate::global_local::check_slope;
use crate::join::Branch;
use crate::pixels;
use crate::temporal::Temporal;
use crate::winograd::{Finish, Layer, Target, TransformedWeights};
use crate::{Algorithm, Bf16Unit, Isa, Join, Maps, RegionConv3d};
use rayon::prelude::*;

/// A layer with a leaky ReLU, ready to run on any number of sequences of any length: one
/// convolution ([`PreparedLayer::new`]) or two ([`GlobalLocal::prepare`]).
///
/// [`GlobalLocal::prepare`]: crate::GlobalLocal::prepare
pub struct PreparedLayer {
    isa: Isa,
    /// The shape; sequences and frames are replaced by each call's.
    shape: RegionConv3d<'static>,
    labels: Option<Vec<i32>>,
    slope: f32,
    join: Join,
    weights: Weights,
}

enum Weights {
    /// Winograd; each entry runs on its own, with its targets.
    Winograd(Vec<Part>),
    /// The weights as they came.
    Pixels(Vec<Branch<Vec<f32>>>),
    /// The weights as they came.
    Direct(Vec<Branch<Vec<f32>>>),
    /// Packed for the products.
    Bf16(PreparedBranches),
}

/// Convolutions that share one transformed input.
struct Part {
    weights: TransformedWeights,
    restricted: bool,
    targets: Vec<Target>,
}

impl PreparedLayer {
    /// One convolution with the weight `[co, ci, kt, kh, kw]`, restricted to the regions of
    /// `problem`, whose sequences and frames do not matter. `slope` is that of the leaky ReLU,
    /// 0 to 1.
    ///
    /// # Panics
    /// If the shape is invalid, the weight has the wrong length or the slope is outside 0 to 1.
    pub fn new(problem: &RegionConv3d, weight: &[f32], slope: f32) -> Self {
        Self::joined(problem, &[Branch { weight, restricted: true }], Join::Sum, slope)
    }

    /// One or two convolutions of one input.
    pub(crate) fn joined(
        problem: &RegionConv3d,
        branches: &[Branch<&[f32]>],
        join: Join,
        slope: f32,
    ) -> Self {
        check_slope(slope);
        branches.iter().for_each(|branch| problem.check_weight(branch.weight));
        let isa = Isa::best();
        let owned = |branch: &Branch<&[f32]>| Branch {
            weight: branch.weight.to_vec(),
            restricted: branch.restricted,
        };
        // Sequences of one frame are rare; choose the algorithm for at least two frames.
        let usual = RegionConv3d { frames: problem.frames.max(2), ..*problem };
        let weights = match Algorithm::for_problem(&usual).implementation(problem) {
            Implementation::Winograd(temporal) => {
                Weights::Winograd(parts(isa, temporal, problem, branches, join, slope))
            }
            Implementation::Pixels => Weights::Pixels(branches.iter().map(owned).collect()),
            Implementation::Direct => Weights::Direct(branches.iter().map(owned).collect()),
            Implementation::Bf16 => {
                Weights::Bf16(PreparedBranches::new(&usual, branches, join, slope))
            }
        };
        let shape = problem.without_labels();
        let labels = problem.labels.map(<[i32]>::to_vec);
        Self { isa, shape, labels, slope, join, weights }
    }

    /// The output `[n, co, t_out, h, w]`, with twice the rows where the branches are stacked.
    ///
    /// # Panics
    /// If `maps` are not `[n, ci, t, h, w]`.
    pub fn forward(&self, maps: Maps) -> Maps {
        let [sequences, channels, frames, height, width] = maps.dims();
        let labels = self.labels.as_deref();
        let problem = RegionConv3d { sequences, frames, labels, ..self.shape };
        let expected = [problem.in_channels, problem.height, problem.width];
        assert_eq!([channels, height, width], expected, "channels, rows and columns of the input");
        let y = match &self.weights {
            Weights::Bf16(branches) => {
                return branches.forward(Bf16Unit::best(), &problem, maps);
            }
            Weights::Winograd(parts) => self.winograd(&problem, parts, &maps.into_values()),
            Weights::Pixels(branches) => self.pixels(problem, branches, &maps.into_values()),
            Weights::Direct(branches) => self.direct(&problem, branches, &maps.into_values()),
        };
        let rows = self.join.maps() * height;
        Maps::new([sequences, problem.out_channels, problem.frames_out(), rows, width], y)
    }

    fn winograd(&self, p: &RegionConv3d, parts: &[Part], x: &[f32]) -> Vec<f32> {
        let pixels = p.pixels();
        let geometry = Geometry::forward(p);
        let stride = padded(p.out_channels, self.isa.lanes());
        let out_pixels = geometry.frames_out * pixels * self.join.maps();
        let mut y = zeros(p.sequences * p.out_channels * out_pixels);
        if x.is_empty() || y.is_empty() {
            return y;
        }
        let global = p.without_labels();
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

    fn pixels(&self, p: RegionConv3d, branches: &[Branch<Vec<f32>>], x: &[f32]) -> Vec<f32> {
        let borrowed = branches
            .iter()
            .map(|branch| Branch { weight: &branch.weight[..], restricted: branch.restricted });
        let layer = pixels::Layer {
            problem: p,
            branches: borrowed.collect(),
            join: self.join,
            slope: self.slope,
        };
        layer.forward(self.isa, x, None)
    }

    /// One convolution after the other, then the junction.
    fn direct(&self, p: &RegionConv3d, branches: &[Branch<Vec<f32>>], x: &[f32]) -> Vec<f32> {
        let global = p.without_labels();
        let convolve = |branch: &Branch<Vec<f32>>| {
            let problem = if branch.restricted { p } else { &global };
            problem.forward_with(Algorithm::Direct, self.isa, x, &branch.weight)
        };
        let maps: Vec<_> = branches.iter().map(convolve).collect();
        let frame = p.pixels();
        let joined = frame * self.join.maps();
        let mut y = zeros(self.join.maps() * p.output_len());
        y.par_chunks_mut(joined.max(1)).enumerate().for_each(|(i, y)| {
            for (branch, map) in maps.iter().enumerate() {
                let to = &mut y[self.join.place(branch) * frame..][..frame];
                for (y, &v) in to.iter_mut().zip(&map[i * frame..]) {
                    *y += v.max(self.slope * v);
                }
            }
        });
        y
    }
}

/// Without labels both branches share one transformed input and one product; with labels each has
/// its own tiles.
fn parts(
    isa: Isa,
    temporal: Temporal,
    p: &RegionConv3d,
    branches: &[Branch<&[f32]>],
    join: Join,
    slope: f32,
) -> Vec<Part> {
    let ci = p.in_channels;
    let co = p.out_channels;
    let kt = p.kernel[0];
    let stride = padded(co, isa.lanes());
    // Branches side by side, each padded to whole vectors so that targets start on a vector.
    let transform = |branches: &[Branch<&[f32]>]| {
        let outputs = (branches.len() - 1) * stride + co;
        TransformedWeights::new(isa, temporal, [ci, outputs], |i, o, t, tap| {
            let weight = branches[o / stride].weight;
            let o = o % stride;
            if o < co { weight[((o * ci + i) * kt + t) * 9 + tap] } else { 0.0 }
        })
    };
    let target = |branch: usize, start: usize| Target {
        start,
        channels: stride,
        above: join.place(branch) * p.pixels(),
        finish: match join {
            Join::Sum if branch > 0 => Finish::AddLeaky(slope),
            Join::Sum | Join::Stack => Finish::Leaky(slope),
        },
    };
    if p.labels.is_none() {
        let targets = (0..branches.len()).map(|b| target(b, b * stride)).collect();
        return vec![Part { weights: transform(branches), restricted: false, targets }];
    }
    let part = |(b, branch): (usize, &Branch<&[f32]>)| Part {
        weights: transform(std::slice::from_ref(branch)),
        restricted: branch.restricted,
        targets: vec![target(b, 0)],
    };
    branches.iter().enumerate().map(part).collect()
}
