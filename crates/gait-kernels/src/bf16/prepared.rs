//! Layers for inference from bf16 frames to bf16 frames.

use super::block::{Half, round};
use super::convolution::{Convolution, Part, Sums, compute};
use super::frames::{Frames, Order};
use super::layout::Layout;
use super::plain::temporal;
use super::unit::Bf16Unit;
use super::weights::PackedWeights;
use crate::buffer::Shared;
use crate::geometry::Geometry;
use crate::join::Branch;
use crate::maps::Maps;
use crate::simd::{Simd, dispatch};
use crate::{Isa, Join, RegionConv3d};

/// One or two convolutions of one input, their weights packed.
pub(crate) struct PreparedBranches {
    branches: Vec<Branch<PackedWeights>>,
    join: Join,
    slope: f32,
}

impl PreparedBranches {
    pub fn new(p: &RegionConv3d, branches: &[Branch<&[f32]>], join: Join, slope: f32) -> Self {
        let pack = |branch: &Branch<&[f32]>| Branch {
            weight: PackedWeights::forward(temporal(p), p, branch.weight),
            restricted: branch.restricted,
        };
        Self { branches: branches.iter().map(pack).collect(), join, slope }
    }

    /// The output of `p`; `maps` are its input.
    pub fn forward(&self, unit: Bf16Unit, p: &RegionConv3d, maps: Maps) -> Maps {
        let [_, kh, kw] = p.kernel;
        let rows = self.join.maps() * p.height;
        let geometry = Geometry::forward(p);
        let global = p.without_labels();
        let dims = [p.sequences, p.out_channels, geometry.frames_out, rows, p.width];
        let sequences = maps.into_frames([kh, kw]).into_iter().map(|frames| {
            let layout = frames.layout.clone();
            let convolutions: Vec<_> = self
                .branches
                .iter()
                .map(|branch| {
                    let p = if branch.restricted { p } else { &global };
                    Convolution::new(unit, &geometry, &branch.weight, p, layout.clone())
                })
                .collect();
            let to = Maps::layout(rows, p.width);
            let mut output = Frames::bordered(
                to.clone(),
                Order::ChannelLast,
                p.out_channels,
                geometry.frames_out,
            );
            let Some(first) = convolutions.first() else { return output };
            let mut input = first.input(frames);
            input.combine(first.isa, &first.plan);
            let part = |(map, convolution)| Part { convolution, input: &input, map, add: false };
            let parts: Vec<_> = convolutions.iter().enumerate().map(part).collect();
            let writer = Writer {
                isa: first.isa,
                layer: self,
                from: &layout,
                to: &to,
                channels: p.out_channels,
                frame_len: output.frame_len,
                values: Shared::new(&mut output.values),
            };
            compute(&parts, parts.len(), |sums| writer.store(sums));
            output
        });
        Maps::of_frames(dims, sequences.collect())
    }
}

/// Writes frames from several tasks.
struct Writer<'a> {
    isa: Isa,
    layer: &'a PreparedBranches,
    from: &'a Layout,
    to: &'a Layout,
    channels: usize,
    frame_len: usize,
    values: Shared<'a, Half>,
}

impl Writer<'_> {
    /// Activates and joins some positions.
    fn store(&self, sums: &Sums) {
        let PreparedBranches { ref branches, join, slope } = *self.layer;
        for (i, frame) in sums.frames.into_iter().enumerate() {
            let Some(frame) = frame else { continue };
            let maps: Vec<_> = (0..branches.len()).map(|branch| sums.of(branch, i)).collect();
            for segment in self.from.segments(sums.positions.clone()) {
                for (map, above) in (0..join.maps()).map(|map| (map, map * self.from.height)) {
                    let row = above + segment.pixel / self.from.width;
                    let position = row * self.to.pitch + segment.pixel % self.from.width;
                    let start =
                        frame * self.frame_len + (self.to.margin + position) * self.channels;
                    let len = segment.count * self.channels;
                    // SAFETY: these pixels belong to this task alone, the frames outlive the
                    // tasks, and `at` checks the room for `len` values.
                    let to =
                        unsafe { std::slice::from_raw_parts_mut(self.values.at(start, len), len) };
                    let first = segment.place * sums.stride;
                    let second = (join == Join::Sum).then(|| maps.get(1)).flatten();
                    let call = Activate {
                        first: &maps[map][first..],
                        second: second.map(|second| &second[first..]),
                        stride: sums.stride,
                        channels: self.channels,
                        slope,
                        to,
                    };
                    activate(self.isa, call);
                }
            }
        }
    }
}

/// Pixels to activate, add and round.
pub(crate) struct Activate<'a> {
    /// Pixels of `stride` values, of which `channels` are read.
    first: &'a [f32],
    second: Option<&'a [f32]>,
    stride: usize,
    channels: usize,
    slope: f32,
    /// Pixels of `channels` values.
    to: &'a mut [Half],
}

dispatch!(
    /// The leaky ReLU of one branch, or of two and their sum.
    fn activate(Activate<'_>) => activate_on
);

#[inline(always)]
fn activate_on<S: Simd>(_: S, call: Activate) {
    let Activate { first, second, stride, channels, slope, to } = call;
    let leaky = |v: f32| v.max(slope * v);
    for (i, to) in to.chunks_exact_mut(channels).enumerate() {
        let first = &first[i * stride..][..channels];
        match second {
            None => to.iter_mut().zip(first).for_each(|(to, &a)| *to = round(leaky(a))),
            Some(second) => {
                let both = first.iter().zip(&second[i * stride..][..channels]);
                to.iter_mut().zip(both).for_each(|(to, (&a, &b))| *to = round(leaky(a) + leaky(b)));
            }
        }
    }
}
