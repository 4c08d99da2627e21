//! Which input position each tap of each output position reads. A position that must read zero is the
//! one past the last: pixel `h * w`, frame `frames_in`.

use crate::RegionConv3d;

/// The taps over time, resolved to frames.
pub(crate) struct Geometry {
    /// Frames that the taps read.
    pub frames_in: usize,
    /// Frames that are produced.
    pub frames_out: usize,
    /// `[frames_out, kt]`: the frame that each temporal tap reads.
    pub source_frames: Vec<usize>,
}

impl Geometry {
    /// The taps of the forward pass.
    pub fn forward(p: &RegionConv3d) -> Self {
        let frames_in = p.frames;
        let frames_out = p.frames_out();
        let kt = p.kernel[0];
        let source_frames = (0..frames_out * kt)
            .map(|i| (i / kt * p.temporal_stride + i % kt).checked_sub(p.temporal_padding))
            .map(|t| t.filter(|&t| t < frames_in).unwrap_or(frames_in))
            .collect();
        Self { frames_in, frames_out, source_frames }
    }

    /// The taps of the gradient with respect to the input, which gathers from the gradient with
    /// respect to the output.
    pub fn backward(p: &RegionConv3d) -> Self {
        let frames_in = p.frames_out();
        let frames_out = p.frames;
        let kt = p.kernel[0];
        let source_frames = (0..frames_out * kt)
            .map(|i| (i / kt + p.temporal_padding).checked_sub(i % kt))
            .map(|t| t.filter(|t| t % p.temporal_stride == 0).map(|t| t / p.temporal_stride))
            .map(|t| t.filter(|&t| t < frames_in).unwrap_or(frames_in))
            .collect();
        Self { frames_in, frames_out, source_frames }
    }
}

/// `[kh * kw, h * w]`: the pixel that each spatial tap reads in the forward pass. The gradient with
/// respect to the input gathers with the kernel's rows and columns flipped: tap `d` reads where the
/// forward pass reads `-d`.
pub(crate) fn source_pixels(p: &RegionConv3d) -> Vec<Vec<u32>> {
    let [_, kh, kw] = p.kernel;
    (0..kh * kw).map(|tap| source_pixels_of(p, tap / kw, tap % kw)).collect()
}

fn source_pixels_of(p: &RegionConv3d, dr: usize, dc: usize) -> Vec<u32> {
    let [_, kh, kw] = p.kernel;
    let h = p.height;
    let w = p.width;
    let read = |pixel: usize| {
        let row = (pixel / w + dr).checked_sub(kh / 2).filter(|&r| r < h)?;
        let column = (pixel % w + dc).checked_sub(kw / 2).filter(|&c| c < w)?;
        let source = row * w + column;
        p.labels.is_none_or(|l| l[source] == l[pixel]).then_some(source)
    };
    (0..h * w).map(|pixel| index(read(pixel).unwrap_or(h * w))).collect()
}

/// A position as u32, which halves the tables.
///
/// # Panics
/// If a position does not fit, which takes a frame of 16 GiB.
pub(crate) fn index(position: usize) -> u32 {
    assert!(position <= u32::MAX as usize, "a frame of {position} positions is too large");
    #[expect(clippy::cast_possible_truncation, reason = "checked in the line above")]
    {
        position as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_outside_the_frame_or_the_region_read_the_zero_pixel() {
        let labels = [0, 0, 1, 1];
        let p = RegionConv3d { labels: Some(&labels), ..RegionConv3d::same(1, 1, 1, [2, 1, 4]) };
        let sources = source_pixels(&p);
        assert_eq!(sources[3], [4, 0, 4, 2]);
        assert_eq!(sources[4], [0, 1, 2, 3]);
        assert_eq!(sources[0], [4; 4]);
        assert_eq!(Geometry::forward(&p).source_frames, [2, 0, 1, 0, 1, 2]);
    }

    #[test]
    fn the_gradient_of_a_strided_kernel_reads_each_output_frame_from_its_own_frames() {
        let p = RegionConv3d {
            temporal_stride: 3,
            temporal_padding: 0,
            ..RegionConv3d::same(1, 1, 1, [7, 1, 1])
        };
        let g = Geometry::backward(&p);
        assert_eq!(g.source_frames[..9], [0, 2, 2, 2, 0, 2, 2, 2, 0]);
        assert_eq!(g.source_frames[18..], [2, 2, 2]);
    }
}
