//! Between `[c, t, h, w]` and the channel-last layout that the kernels read.

use crate::Isa;
use crate::buffer::Buffer;
use crate::simd::{SQUARE, Simd, dispatch};
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
    pub fn fill(&mut self, isa: Isa, x: &[f32]) {
        self.fill_part(isa, x, self.pixels, 0);
    }

    /// Takes the pixels from `first` on of one sequence `[channels, frames, from_pixels]`.
    pub fn fill_part(&mut self, isa: Isa, x: &[f32], from_pixels: usize, first: usize) {
        let (channels, frames, pixels, stride) =
            (self.channels, self.frames, self.pixels, self.stride);
        let frame_len = (pixels + 1) * stride;
        self.values[..frames * frame_len].par_chunks_mut(frame_len).enumerate().for_each(
            |(t, frame)| {
                for c in (0..channels).step_by(BLOCK) {
                    let rows = BLOCK.min(channels - c);
                    let from = &x[(c * frames + t) * from_pixels + first..];
                    assert!((rows - 1) * frames * from_pixels + pixels <= from.len());
                    let call = Turn {
                        from: from.as_ptr(),
                        from_step: frames * from_pixels,
                        to: frame[c..].as_mut_ptr(),
                        to_step: stride,
                        rows,
                        columns: pixels,
                    };
                    // SAFETY: the assertion bounds the reads; the frame holds `pixels` rows of
                    // `stride` values, and `c + rows` does not exceed it.
                    unsafe { turn(isa, &call) }
                }
            },
        );
    }

    /// Offset of frame `t`; the frame count of the sequence names the zero frame.
    pub fn frame(&self, t: usize) -> usize {
        t * (self.pixels + 1) * self.stride
    }
}

/// Writes `[frames * pixels, stride]` as `[channels, frames * pixels]`.
pub(crate) fn channel_first(isa: Isa, from: &[f32], stride: usize, to: &mut [f32]) {
    let positions = from.len() / stride;
    if positions == 0 {
        return;
    }
    to.par_chunks_mut(BLOCK * positions).enumerate().for_each(|(block, to)| {
        let columns = to.len() / positions;
        let from = &from[block * BLOCK..];
        assert!((positions - 1) * stride + columns <= from.len() && columns <= BLOCK);
        let call = Turn {
            from: from.as_ptr(),
            from_step: stride,
            to: to.as_mut_ptr(),
            to_step: positions,
            rows: positions,
            columns,
        };
        // SAFETY: the assertion bounds the reads; `to` holds `columns` rows of `positions`.
        unsafe { turn(isa, &call) }
    });
}

/// A matrix to transpose.
pub(crate) struct Turn {
    pub from: *const f32,
    pub from_step: usize,
    pub to: *mut f32,
    pub to_step: usize,
    pub rows: usize,
    pub columns: usize,
}

dispatch!(
    /// Transposes a matrix.
    turn, turn_any, &Turn, turn_avx512, turn_avx2
);

#[inline(always)]
unsafe fn turn_any<S: Simd>(call: &Turn) {
    // SAFETY: every place lies within the matrix.
    unsafe {
        let (rows, columns) = (call.rows / SQUARE * SQUARE, call.columns / SQUARE * SQUARE);
        // The short side runs inside, so that whole cache lines are written.
        let short = rows.min(columns);
        for square in 0..rows / SQUARE * (columns / SQUARE) {
            let (outer, inner) =
                (square / (short / SQUARE) * SQUARE, square % (short / SQUARE) * SQUARE);
            let (i, j) = if rows <= columns { (inner, outer) } else { (outer, inner) };
            {
                let (from, to) =
                    (call.from.add(i * call.from_step + j), call.to.add(j * call.to_step + i));
                S::turn(from, call.from_step, to, call.to_step);
            }
        }
        for i in 0..call.rows {
            for j in if i < rows { columns } else { 0 }..call.columns {
                *call.to.add(j * call.to_step + i) = *call.from.add(i * call.from_step + j);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_last_and_back_is_the_identity() {
        for isa in Isa::available() {
            let (channels, frames, pixels) = (19, 3, 37);
            let x: Vec<f32> = (0..channels * frames * pixels).map(|i| i as f32).collect();
            let mut turned = ChannelLast::empty(channels, frames, pixels, 8);
            turned.fill(isa, &x);
            assert_eq!(
                turned.values[turned.frame(2) + 5 * turned.stride + 7],
                x[(7 * frames + 2) * pixels + 5]
            );
            let rows: Vec<f32> = (0..frames)
                .flat_map(|t| turned.values[turned.frame(t)..][..pixels * turned.stride].to_vec())
                .collect();
            let mut back = vec![0.0; x.len()];
            channel_first(isa, &rows, turned.stride, &mut back);
            assert_eq!(back, x, "{isa:?}");
        }
    }

    #[test]
    fn the_last_pixel_and_the_last_frame_are_zero() {
        let mut turned = ChannelLast::empty(2, 2, 3, 4);
        turned.fill(Isa::best(), &[1.0; 12]);
        let pixel = &turned.values[turned.frame(0) + 3 * turned.stride..][..turned.stride];
        assert_eq!(pixel, [0.0; 4]);
        assert!(turned.values[turned.frame(2)..].iter().all(|&v| v == 0.0));
    }
}
