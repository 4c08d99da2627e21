//! Which algorithm computes a convolution.

use crate::temporal::Temporal;
use crate::winograd::tile_count;
use crate::{Precision, RegionConv3d};

/// A way to compute a convolution and both its gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Tap by tap. Supports every shape.
    Direct,
    /// Vectors over pixels, for few channels. Supports every shape.
    Pixels,
    /// Winograd over rows and columns, temporal taps summed in the transform domain.
    Winograd,
    /// Winograd over rows and columns, and over time for two frames at once.
    WinogradPair,
    /// Products of bf16 blocks; taps are summed, over time for two frames at once where possible.
    Bf16,
}

/// The module that implements an algorithm, with its parameters.
#[derive(Clone, Copy)]
pub(crate) enum Implementation {
    Direct,
    Pixels,
    Winograd(Temporal),
    Bf16,
}

/// Channels from which the transforms pay off on both sides. At 16 -> 32 pairs take 9.5 ms where
/// the direct algorithm takes 25.
const LEAST_CHANNELS: usize = 16;

/// Longest sum for which vectors over pixels win: a panel fits into the first cache. At 3x1x1 with
/// 16 channels (48) they take 4.7 ms against 8.0 direct; at 16 channels 3x3x3 (432) both are equal.
const PIXELS_DEPTH: usize = 192;

impl Algorithm {
    /// Every algorithm in f32.
    pub const ALL: [Self; 4] = [Self::Direct, Self::Pixels, Self::Winograd, Self::WinogradPair];

    /// The fastest algorithm for a convolution and both its gradients, by measurement.
    pub fn for_problem(p: &RegionConv3d) -> Self {
        if p.precision == Precision::Bf16 {
            return Self::Bf16;
        }
        let [kt, kh, kw] = p.kernel;
        if p.in_channels * kt * kh * kw <= PIXELS_DEPTH {
            return Self::Pixels;
        }
        if [kh, kw] != [3, 3] || p.in_channels < LEAST_CHANNELS || p.out_channels < LEAST_CHANNELS {
            return Self::Direct;
        }
        // Products per pair of channels and frame: 36 for each tile and step, against 9 taps. Many
        // small regions need so many tiles that the transforms no longer pay.
        let pair = Self::WinogradPair.supports(p) && p.frames > 1;
        let tile = if pair { 36 * 4 * p.frames.div_ceil(2) } else { 36 * kt * p.frames };
        let direct = p.pixels() * 9 * kt * p.frames;
        if 3 * tile_count(p) * tile > 2 * direct {
            return Self::Direct;
        }
        if pair { Self::WinogradPair } else { Self::Winograd }
    }

    /// Whether the algorithm can compute the shape at all.
    pub fn supports(self, p: &RegionConv3d) -> bool {
        let spatial = p.kernel[1..] == [3, 3];
        match self {
            Self::Direct | Self::Pixels | Self::Bf16 => true,
            Self::Winograd => spatial,
            Self::WinogradPair => {
                spatial && p.kernel[0] == 3 && p.temporal_stride == 1 && p.temporal_padding == 1
            }
        }
    }

    pub(crate) fn implementation(self, p: &RegionConv3d) -> Implementation {
        match self {
            Self::Direct => Implementation::Direct,
            Self::Pixels => Implementation::Pixels,
            Self::Winograd => Implementation::Winograd(Temporal::Sum { taps: p.kernel[0] }),
            Self::WinogradPair => Implementation::Winograd(Temporal::Pair),
            Self::Bf16 => Implementation::Bf16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_shapes_fall_back() {
        let p = RegionConv3d::same(1, 64, 64, [10, 64, 44]);
        let chosen = |p: &RegionConv3d| Algorithm::for_problem(p);
        assert_eq!(chosen(&RegionConv3d { kernel: [3, 5, 5], ..p }), Algorithm::Direct);
        assert_eq!(chosen(&RegionConv3d { out_channels: 3, ..p }), Algorithm::Direct);
        // One pixel would compute a whole tile.
        assert_eq!(chosen(&RegionConv3d { height: 1, width: 1, ..p }), Algorithm::Direct);
        // A region of its own for every pixel needs a tile for each.
        let labels: Vec<i32> = (0..64 * 44).collect();
        assert_eq!(chosen(&RegionConv3d { labels: Some(&labels), ..p }), Algorithm::Direct);
    }
}
