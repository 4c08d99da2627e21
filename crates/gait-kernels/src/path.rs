//! Which path a convolution takes.

use crate::RegionConv3d;
use crate::winograd::{Temporal, tile_count};

/// A way to compute a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Tap by tap. Right for every shape.
    Direct,
    /// Vectors over pixels, for few channels.
    Pixels,
    /// Winograd over rows and columns, temporal taps summed in the transform domain.
    Winograd,
    /// Winograd over rows and columns, and over time for two frames at once.
    WinogradPair,
}

/// Channels from which the transforms pay for themselves on both sides. At 16 -> 32 pairs take
/// 9.5 ms where the direct path takes 25.
const LEAST_CHANNELS: usize = 16;

/// Longest sum for which vectors over pixels win: a panel fits into the first cache. At 3x1x1 with
/// 16 channels (48) they take 4.7 ms against 8.0 direct; at 16 channels 3x3x3 (432) both are equal.
const PIXELS_DEPTH: usize = 192;

impl Path {
    /// Every path.
    pub const ALL: [Self; 4] = [Self::Direct, Self::Pixels, Self::Winograd, Self::WinogradPair];

    /// The path for a convolution and both its gradients.
    pub fn of(p: &RegionConv3d) -> Self {
        let [kt, kh, kw] = p.kernel;
        if p.in_channels * kt * kh * kw <= PIXELS_DEPTH {
            return Self::Pixels;
        }
        if [kh, kw] != [3, 3] || p.in_channels < LEAST_CHANNELS || p.out_channels < LEAST_CHANNELS {
            return Self::Direct;
        }
        // Products per pair of channels and frame: 36 for each tile and step, against 9 taps.
        let pair = Self::WinogradPair.serves(p) && p.frames > 1;
        let tile = if pair { 36 * 4 * p.frames.div_ceil(2) } else { 36 * kt * p.frames };
        let direct = p.pixels() * 9 * kt * p.frames;
        if 3 * tile_count(p) * tile > 2 * direct {
            return Self::Direct;
        }
        if pair { Self::WinogradPair } else { Self::Winograd }
    }

    /// Whether the path can compute the shape at all.
    pub fn serves(self, p: &RegionConv3d) -> bool {
        let spatial = p.kernel[1..] == [3, 3];
        match self {
            Self::Direct | Self::Pixels => true,
            Self::Winograd => spatial,
            Self::WinogradPair => {
                spatial && p.kernel[0] == 3 && p.temporal_stride == 1 && p.temporal_padding == 1
            }
        }
    }

    pub(crate) fn temporal(self, p: &RegionConv3d) -> Option<Temporal> {
        match self {
            Self::Direct | Self::Pixels => None,
            Self::Winograd => Some(Temporal::Sum { taps: p.kernel[0] }),
            Self::WinogradPair => Some(Temporal::Pair),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_shapes_fall_back() {
        let p = RegionConv3d::same(1, 64, 64, [10, 64, 44]);
        assert_eq!(Path::of(&RegionConv3d { kernel: [3, 5, 5], ..p }), Path::Direct);
        assert_eq!(Path::of(&RegionConv3d { out_channels: 3, ..p }), Path::Direct);
        // One pixel would compute a whole tile.
        assert_eq!(Path::of(&RegionConv3d { height: 1, width: 1, ..p }), Path::Direct);
        // A region of its own for every pixel needs a tile for each.
        let labels: Vec<i32> = (0..64 * 44).collect();
        assert_eq!(Path::of(&RegionConv3d { labels: Some(&labels), ..p }), Path::Direct);
    }
}
