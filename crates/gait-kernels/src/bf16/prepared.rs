//! Layers for inference from bf16 frames to bf16 frames.

use super::block::{COLUMNS, Half, round};
use super::convolution::{Convolution, Part, Sums, compute};
use super::fold;
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
        let packed = |weight: &[f32]| {
            if fold::folds(p) {
                fold::weights(p, weight)
            } else {
                PackedWeights::forward(temporal(p), p, weight)
            }
        };
        let pack = |branch: &Branch<&[f32]>| Branch {
            weight: packed(branch.weight),
            restricted: branch.restricted,
        };
        Self { branches: branches.iter().map(pack).collect(), join, slope }
    }

    /// The output of `p`; `maps` are its input.
    pub fn forward(&self, unit: Bf16Unit, p: &RegionConv3d, maps: Maps) -> Maps {
        if fold::folds(p) {
            return self.convolve(unit, &fold::folded(p), fold::frames(p, maps));
        }
        let [_, kh, kw] = p.kernel;
        self.convolve(unit, p, maps.into_frames([kh, kw]))
    }

    /// The output of `p` for sequences of frames.
    fn convolve(&self, unit: Bf16Unit, p: &RegionConv3d, sequences: Vec<Frames>) -> Maps {
        let rows = self.join.maps() * p.height;
        let geometry = Geometry::forward(p);
        let global = p.without_labels();
        let dims = [p.sequences, p.out_channels, geometry.frames_out, rows, p.width];
        let sequences = sequences.into_iter().map(|frames| {
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
            let part = |(map, convolution)| Part { convolution, input: &input, map };
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
            let second = (join == Join::Sum && branches.len() > 1).then(|| sums.of(1, i));
            for segment in self.from.segments(sums.positions.clone()) {
                for map in 0..join.maps() {
                    let row = map * self.from.height + segment.pixel / self.from.width;
                    let position = row * self.to.pitch + segment.pixel % self.from.width;
                    let pixel = self.to.margin + position;
                    let values = segment.place * COLUMNS..(segment.place + segment.count) * COLUMNS;
                    let call = Activate {
                        first: &sums.of(map, i)[values.clone()],
                        second: second.map(|second| &second[values.clone()]),
                        slope,
                        to: self.values,
                        start: frame * self.frame_len + pixel * self.channels + sums.channels.start,
                        step: self.channels,
                        channels: sums.channels.len(),
                    };
                    activate(self.isa, call);
                }
            }
        }
    }
}

/// Pixels to activate, add and round.
#[derive(Clone, Copy)]
pub(crate) struct Activate<'a> {
    /// Pixels of [`COLUMNS`] values, the first of which are those of `channels`.
    first: &'a [f32],
    second: Option<&'a [f32]>,
    slope: f32,
    /// `channels` values are written at `start` and every `step` places behind. They belong to this
    /// task alone.
    to: Shared<'a, Half>,
    start: usize,
    step: usize,
    channels: usize,
}

dispatch!(
    /// The leaky ReLU of one branch, or of two and their sum.
    fn activate(Activate<'_>) => activate_on
);

#[inline(always)]
fn activate_on<S: Simd>(_: S, call: Activate) {
    let Activate { first, second, slope, to, start, step, channels } = call;
    let leaky = |v: f32| v.max(slope * v);
    let (first, _) = first.as_chunks::<COLUMNS>();
    let pixels = (0..first.len()).map(|i| {
        // SAFETY: these places belong to this task alone, the frames outlive the tasks, and `at`
        // checks the room.
        unsafe { std::slice::from_raw_parts_mut(to.at(start + i * step, channels), channels) }
    });
    match second {
        None => pixels.zip(first).for_each(|(to, a)| store(to, |i| leaky(a[i]))),
        Some(second) => {
            let (second, _) = second.as_chunks::<COLUMNS>();
            let both = first.iter().zip(second);
            pixels.zip(both).for_each(|(to, (a, b))| store(to, |i| leaky(a[i]) + leaky(b[i])));
        }
    }
}

/// Rounds a value for each place.
#[inline(always)]
fn store(to: &mut [Half], value: impl Fn(usize) -> f32) {
    // A whole panel is a known number of vectors. Copying one from an array of rounded values
    // instead became a call of memcpy, which took a tenth of a layer's time.
    if let Some(whole) = to.as_mut_array::<COLUMNS>() {
        whole.iter_mut().enumerate().for_each(|(i, to)| *to = round(value(i)));
    } else {
        to.iter_mut().enumerate().for_each(|(i, to)| *to = round(value(i)));
    }
}
