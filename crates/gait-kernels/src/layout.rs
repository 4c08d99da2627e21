//! Between `[c, t, h, w]` and the channel-last layout that the kernels read.

use crate::buffer::Buffer;
use rayon::prelude::*;

/// Channels of one task and edge of the blocks that are turned: small enough for the first cache.
const BLOCK: usize = 16;

/// `count` rounded up to a multiple of `lanes`.
pub(crate) fn padded(count: usize, lanes: usize) -> usize {
    count.next_multiple_of(lanes)
}

/// The activations of one sequence as `[t + 1, h * w + 1, stride]`, `stride` being the channels
/// padded with zeros. The last pixel of a frame and the last frame are zero: a tap that falls
/// outside, or over a region's border, reads them.
pub(crate) struct ChannelLast {
    pub values: Buffer,
    pub channels: usize,
    pub frames: usize,
    pub pixels: usize,
    pub stride: usize,
}

impl ChannelLast {
    /// Room for one sequence, all zero.
    pub fn empty(channels: usize, frames: usize, pixels: usize, lanes: usize) -> Self {
        let stride = padded(channels, lanes);
        // Outer products read whole blocks of channels and may run past the last one.
        let values = Buffer::zeros((frames + 1) * (pixels + 1) * stride + BLOCK);
        Self { values, channels, frames, pixels, stride }
    }

    /// Takes one sequence `[channels, frames, pixels]`.
    pub fn fill(&mut self, x: &[f32]) {
        let (channels, frames, pixels, stride) =
            (self.channels, self.frames, self.pixels, self.stride);
        let frame_len = (pixels + 1) * stride;
        self.values[..frames * frame_len].par_chunks_mut(frame_len).enumerate().for_each(
            |(t, frame)| {
                turn_frame(|c| &x[(c * frames + t) * pixels..][..pixels], channels, stride, frame);
            },
        );
    }

    /// Offset of frame `t`; the frame count of the sequence names the zero frame.
    pub fn frame(&self, t: usize) -> usize {
        t * (self.pixels + 1) * self.stride
    }
}

fn turn_frame<'a>(
    channel: impl Fn(usize) -> &'a [f32],
    channels: usize,
    stride: usize,
    frame: &mut [f32],
) {
    for c0 in (0..channels).step_by(BLOCK) {
        let c1 = channels.min(c0 + BLOCK);
        for c in c0..c1 {
            for (pixel, &value) in frame.chunks_exact_mut(stride).zip(channel(c)) {
                pixel[c] = value;
            }
        }
    }
}

/// Writes `[frames * pixels, stride]` as `[channels, frames * pixels]`.
pub(crate) fn channel_first(from: &[f32], stride: usize, to: &mut [f32]) {
    let positions = from.len() / stride;
    if positions == 0 {
        return;
    }
    to.par_chunks_mut(BLOCK * positions).enumerate().for_each(|(block, to)| {
        for p0 in (0..positions).step_by(BLOCK) {
            let rows = &from[p0 * stride..positions.min(p0 + BLOCK) * stride];
            for (c, channel) in to.chunks_exact_mut(positions).enumerate() {
                for (value, row) in channel[p0..].iter_mut().zip(rows.chunks_exact(stride)) {
                    *value = row[block * BLOCK + c];
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_last_and_back_is_the_identity() {
        let (channels, frames, pixels) = (19, 3, 37);
        let x: Vec<f32> = (0..channels * frames * pixels).map(|i| i as f32).collect();
        let mut turned = ChannelLast::empty(channels, frames, pixels, 8);
        turned.fill(&x);
        assert_eq!(
            turned.values[turned.frame(2) + 5 * turned.stride + 7],
            x[(7 * frames + 2) * pixels + 5]
        );
        let rows: Vec<f32> = (0..frames)
            .flat_map(|t| turned.values[turned.frame(t)..][..pixels * turned.stride].to_vec())
            .collect();
        let mut back = vec![0.0; x.len()];
        channel_first(&rows, turned.stride, &mut back);
        assert_eq!(back, x);
    }

    #[test]
    fn the_last_pixel_and_the_last_frame_are_zero() {
        let mut turned = ChannelLast::empty(2, 2, 3, 4);
        turned.fill(&[1.0; 12]);
        let pixel = &turned.values[turned.frame(0) + 3 * turned.stride..][..turned.stride];
        assert_eq!(pixel, [0.0; 4]);
        assert!(turned.values[turned.frame(2)..].iter().all(|&v| v == 0.0));
    }
}
