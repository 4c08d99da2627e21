//! Convolutions of few channels. A product sums over whole steps of depth, which the columns of a
//! kernel row and one channel leave nearly empty: here the taps over time become channels of a
//! convolution over rows and columns.

use super::block::DEPTH;
use super::frames::{Frames, Order};
use super::layout::Layout;
use super::weights::PackedWeights;
use crate::temporal::Temporal;
use crate::{Isa, Maps, RegionConv3d};

/// Whether a row of the kernel fits into one step with all channels and taps over time.
pub(crate) fn folds(p: &RegionConv3d) -> bool {
    let [kt, _, kw] = p.kernel;
    p.in_channels * kt * kw <= DEPTH
}

/// The convolution of what [`frames`] returns.
pub(crate) fn folded<'a>(p: &RegionConv3d<'a>) -> RegionConv3d<'a> {
    let [kt, kh, kw] = p.kernel;
    RegionConv3d {
        in_channels: p.in_channels * kt,
        frames: p.frames_out(),
        kernel: [1, kh, kw],
        temporal_stride: 1,
        temporal_padding: 0,
        ..*p
    }
}

/// The weight `[co, ci, kt, kh, kw]` of `p`, in the same order `[co, ci * kt, 1, kh, kw]`.
pub(crate) fn weights(p: &RegionConv3d, weight: &[f32]) -> PackedWeights {
    PackedWeights::forward(Temporal::Sum { taps: 1 }, &folded(p), weight)
}

/// What the taps over time read, as channels; zeros where there is no frame.
pub(crate) fn frames(p: &RegionConv3d, maps: Maps) -> Vec<Frames> {
    let folded = folded(p);
    let [kt, ..] = p.kernel;
    let pixels = p.pixels();
    let values = maps.into_values();
    let len = values.len() / p.sequences.max(1);
    let sequence = |n: usize| {
        let x = &values[n * len..][..len];
        let layout = Layout::of(&folded);
        let channels = folded.in_channels;
        let mut frames = Frames::bordered(layout, Order::ChannelLast, channels, folded.frames);
        frames.fill(Isa::best(), |channel, frame, pixel, to| {
            let source = (frame * p.temporal_stride + channel % kt)
                .checked_sub(p.temporal_padding)
                .filter(|&source| source < p.frames);
            match source {
                Some(source) => {
                    let start = (channel / kt * p.frames + source) * pixels + pixel;
                    to.copy_from_slice(&x[start..][..to.len()]);
                }
                None => to.fill(0.0),
            }
        });
        frames
    };
    (0..p.sequences).map(sequence).collect()
}
