//! Convolutions of few channels. A product sums over whole steps of depth, which the columns of a
//! kernel row and one channel leave nearly empty: here the taps over time and rows become channels of
//! a convolution over columns alone.

use super::block::DEPTH;
use super::frames::{Frames, Order};
use super::layout::Layout;
use super::weights::PackedWeights;
use crate::temporal::Temporal;
use crate::{Isa, Maps, RegionConv3d};

/// Whether all taps of all channels of `p` fit into one step.
pub(crate) fn folds(p: &RegionConv3d) -> bool {
    p.labels.is_none() && p.in_channels * p.kernel.iter().product::<usize>() <= DEPTH
}

/// The convolution of what [`frames`] returns.
pub(crate) fn folded(p: &RegionConv3d) -> RegionConv3d<'static> {
    let [kt, kh, kw] = p.kernel;
    RegionConv3d {
        in_channels: p.in_channels * kt * kh,
        frames: p.frames_out(),
        kernel: [1, 1, kw],
        temporal_stride: 1,
        temporal_padding: 0,
        ..p.without_labels()
    }
}

/// The weight `[co, ci, kt, kh, kw]` of `p`, in the same order `[co, ci * kt * kh, kw]`.
pub(crate) fn weights(p: &RegionConv3d, weight: &[f32]) -> PackedWeights {
    PackedWeights::forward(Temporal::Sum { taps: 1 }, &folded(p), weight)
}

/// What the taps over time and rows read, as channels: each pixel's neighbours below, above and in
/// other frames, and zeros outside.
pub(crate) fn frames(p: &RegionConv3d, maps: Maps) -> Vec<Frames> {
    let [kt, kh, _] = p.kernel;
    let folded = folded(p);
    let values = maps.into_values();
    let width = p.width;
    let sequence = |x: &[f32]| {
        let channels = folded.in_channels;
        let mut frames =
            Frames::bordered(Layout::of(&folded), Order::ChannelLast, channels, folded.frames);
        frames.fill(Isa::best(), |channel, frame, pixel, to| {
            let [tap, row] = [channel / kh % kt, channel % kh];
            let row = (pixel / width + row).checked_sub(kh / 2).filter(|&row| row < p.height);
            let frame = (frame * p.temporal_stride + tap).checked_sub(p.temporal_padding);
            match (frame.filter(|&frame| frame < p.frames), row) {
                (Some(frame), Some(row)) => {
                    let plane = channel / (kt * kh) * p.frames + frame;
                    let start = (plane * p.height + row) * width + pixel % width;
                    to.copy_from_slice(&x[start..][..to.len()]);
                }
                _ => to.fill(0.0),
            }
        });
        frames
    };
    let len = values.len() / p.sequences.max(1);
    (0..p.sequences).map(|n| sequence(&values[n * len..][..len])).collect()
}
