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

    /// The convolutions of a preset at 64 x 44: kernel, stride and padding over time, channels,
    /// frames and rows, and the bands of the local branch (0: random columns).
    type Row = ([usize; 3], usize, usize, [usize; 2], [usize; 2], usize);

    const GLCL: ([usize; 3], usize, usize) = ([3, 3, 3], 1, 1);

    fn glcl(channels: [usize; 2], shape: [usize; 2], bands: usize) -> Row {
        (GLCL.0, GLCL.1, GLCL.2, channels, shape, bands)
    }

    fn lta(rows: usize, channels: usize, shape: [usize; 2]) -> Row {
        ([3, rows, rows], 3, 0, [channels; 2], shape, 1)
    }

    fn presets() -> Vec<(&'static str, Vec<Row>)> {
        let parts_large = vec![
            glcl([1, 32], [30, 64], 1),
            glcl([32, 32], [30, 64], 1),
            lta(1, 32, [30, 64]),
            glcl([32, 64], [10, 64], 2),
            glcl([64, 64], [10, 64], 2),
            glcl([64, 128], [10, 32], 2),
            glcl([128, 128], [10, 32], 2),
            glcl([128, 256], [10, 32], 2),
            glcl([256, 256], [10, 32], 2),
        ];
        vec![
            (
                "paper-small",
                vec![
                    glcl([1, 64], [30, 64], 0),
                    lta(3, 64, [30, 64]),
                    glcl([64, 128], [10, 64], 0),
                    glcl([128, 128], [10, 32], 0),
                ],
            ),
            (
                "paper-large",
                vec![
                    glcl([1, 64], [30, 64], 0),
                    glcl([64, 64], [30, 64], 0),
                    glcl([64, 128], [30, 32], 0),
                    glcl([128, 128], [30, 32], 0),
                    lta(3, 128, [30, 32]),
                    glcl([128, 256], [10, 32], 0),
                    glcl([256, 256], [10, 32], 0),
                    glcl([256, 512], [10, 16], 0),
                    glcl([512, 512], [10, 16], 0),
                ],
            ),
            (
                "parts-small",
                vec![
                    glcl([1, 32], [30, 64], 1),
                    lta(1, 32, [30, 64]),
                    glcl([32, 64], [10, 64], 8),
                    glcl([64, 128], [10, 32], 8),
                    glcl([128, 128], [10, 32], 8),
                ],
            ),
            ("parts-large", parts_large.clone()),
            ("parts-large-bnneck", parts_large),
            (
                "hid-2020",
                vec![
                    glcl([1, 32], [30, 64], 1),
                    lta(1, 32, [30, 64]),
                    glcl([32, 64], [10, 64], 2),
                    glcl([64, 128], [10, 32], 2),
                    glcl([128, 128], [10, 32], 2),
                    glcl([128, 256], [10, 32], 2),
                    glcl([256, 256], [10, 32], 2),
                ],
            ),
        ]
    }

    /// The path of a row without labels and with those of its local branch, at `scale` times the
    /// rows and columns.
    fn paths(
        &(kernel, stride, padding, [ci, co], [frames, h], bands): &Row,
        scale: usize,
    ) -> [Path; 2] {
        let (h, w) = (h * scale, h * scale * 44 / 64);
        let bit = |p: usize| i32::from(p % w * 7 % 10 < 3);
        let labels: Vec<i32> = match bands {
            0 => (0..h * w).map(bit).collect(),
            bands => (0..h * w).map(|p| i32::try_from(p / w / (h / bands)).unwrap()).collect(),
        };
        let plain = RegionConv3d {
            kernel,
            temporal_stride: stride,
            temporal_padding: padding,
            ..RegionConv3d::same(8, ci, co, [frames, h, w])
        };
        [Path::of(&plain), Path::of(&RegionConv3d { labels: Some(&labels), ..plain })]
    }

    #[test]
    fn no_layer_of_a_preset_falls_back_to_the_direct_path() {
        for (name, rows) in presets() {
            for row in rows {
                let want = match row {
                    (_, _, _, [1, _], ..) | ([3, 1, 1], ..) => Path::Pixels,
                    (_, 3, ..) => Path::Winograd,
                    _ => Path::WinogradPair,
                };
                // 64 x 44, and 128 x 88 for Gait3D.
                for scale in [1, 2] {
                    assert_eq!(paths(&row, scale), [want; 2], "{name} {row:?} at scale {scale}");
                }
            }
        }
    }

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
