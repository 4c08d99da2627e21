//! Between `[c, t, h, w]` and the channel-last order that the kernels read.

use crate::Isa;
use crate::buffer::Buffer;
use crate::simd::{SQUARE, Simd, dispatch};
use rayon::prelude::*;

/// Channels of one task, and edge of the blocks that are transposed: small enough for the first
/// cache.
const BLOCK: usize = 16;

/// `count` rounded up to a multiple of `lanes`.
pub(crate) fn padded(count: usize, lanes: usize) -> usize {
    count.next_multiple_of(lanes)
}

/// The activations of one sequence as `[t + 1, h * w + 1, stride]`, `stride` being the channels
/// padded with zeros. The last pixel of a frame and the last frame are zero: a tap that falls
/// outside the frame, or across a region's border, reads them.
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

    /// Copies one sequence `[channels, frames, pixels]`.
    pub fn fill(&mut self, isa: Isa, x: &[f32]) {
        self.fill_part(isa, x, self.pixels, 0);
    }

    /// Copies the pixels from `first` on of one sequence `[channels, frames, from_pixels]`.
    pub fn fill_part(&mut self, isa: Isa, x: &[f32], from_pixels: usize, first: usize) {
        let Self { channels, frames, pixels, stride, .. } = *self;
        assert_eq!(x.len(), channels * frames * from_pixels, "length of the sequence");
        assert!(first + pixels <= from_pixels, "{pixels} of {from_pixels} pixels from {first} on");
        let frame_len = (pixels + 1) * stride;
        let fill_frame = |(t, frame): (usize, &mut [f32])| {
            for c in (0..channels).step_by(BLOCK) {
                let mut call = Transpose {
                    from: &x[(c * frames + t) * from_pixels + first..],
                    from_step: frames * from_pixels,
                    to: &mut frame[c..],
                    to_step: stride,
                    rows: BLOCK.min(channels - c),
                    columns: pixels,
                };
                transpose(isa, &mut call);
            }
        };
        // The zero frame behind the last one is left alone.
        let whole = &mut self.values[..frames * frame_len];
        whole.par_chunks_mut(frame_len).enumerate().for_each(fill_frame);
    }

    /// Offset of frame `t`; the number of frames gives the zero frame.
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
    assert!(to.len().is_multiple_of(positions), "{} values for {positions} positions", to.len());
    to.par_chunks_mut(BLOCK * positions).enumerate().for_each(|(block, to)| {
        let columns = to.len() / positions;
        let mut call = Transpose {
            from: &from[block * BLOCK..],
            from_step: stride,
            to,
            to_step: positions,
            rows: positions,
            columns,
        };
        transpose(isa, &mut call);
    });
}

/// A matrix to transpose: `to[j * to_step + i] = from[i * from_step + j]`.
pub(crate) struct Transpose<'a> {
    pub from: &'a [f32],
    pub from_step: usize,
    pub to: &'a mut [f32],
    pub to_step: usize,
    /// Rows and columns of `from`.
    pub rows: usize,
    pub columns: usize,
}

dispatch!(
    /// Transposes a matrix.
    ///
    /// # Panics
    /// If a side is too short for the rows and columns.
    fn transpose(&mut Transpose<'_>) => transpose_on
);

#[inline(always)]
fn transpose_on<S: Simd>(simd: S, call: &mut Transpose) {
    let Transpose { from, from_step, ref mut to, to_step, rows, columns } = *call;
    if rows == 0 || columns == 0 {
        return;
    }
    assert!((rows - 1) * from_step + columns <= from.len(), "the matrix is short of values");
    assert!((columns - 1) * to_step + rows <= to.len(), "the target is short of places");
    let from = from.as_ptr();
    let to = to.as_mut_ptr();
    // What is left after whole squares goes value by value.
    let square_rows = rows / SQUARE * SQUARE;
    let square_columns = columns / SQUARE * SQUARE;
    // The short side runs inside, so that whole cache lines are written.
    let short = square_rows.min(square_columns);
    // SAFETY: every access is at row `i < rows` and column `j < columns`, whose place the
    // assertions above bound on both sides; squares start at multiples of SQUARE below the rounded
    // counts, so they end below `rows` and `columns`.
    unsafe {
        for square in 0..square_rows / SQUARE * (square_columns / SQUARE) {
            let outer = square / (short / SQUARE) * SQUARE;
            let inner = square % (short / SQUARE) * SQUARE;
            let (i, j) =
                if square_rows <= square_columns { (inner, outer) } else { (outer, inner) };
            let square_from = from.add(i * from_step + j);
            let square_to = to.add(j * to_step + i);
            simd.transpose_square(square_from, from_step, square_to, to_step);
        }
        for i in 0..rows {
            for j in if i < square_rows { square_columns } else { 0 }..columns {
                *to.add(j * to_step + i) = *from.add(i * from_step + j);
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
            let channels = 19;
            let frames = 3;
            let pixels = 37;
            let x: Vec<f32> = (0..channels * frames * pixels).map(|i| i as f32).collect();
            let mut filled = ChannelLast::empty(channels, frames, pixels, 8);
            filled.fill(isa, &x);
            assert_eq!(
                filled.values[filled.frame(2) + 5 * filled.stride + 7],
                x[(7 * frames + 2) * pixels + 5]
            );
            let rows: Vec<f32> = (0..frames)
                .flat_map(|t| filled.values[filled.frame(t)..][..pixels * filled.stride].to_vec())
                .collect();
            let mut back = vec![0.0; x.len()];
            channel_first(isa, &rows, filled.stride, &mut back);
            assert_eq!(back, x, "{isa:?}");
        }
    }

    #[test]
    fn the_last_pixel_and_the_last_frame_are_zero() {
        let mut filled = ChannelLast::empty(2, 2, 3, 4);
        filled.fill(Isa::best(), &[1.0; 12]);
        let pixel = &filled.values[filled.frame(0) + 3 * filled.stride..][..filled.stride];
        assert_eq!(pixel, [0.0; 4]);
        assert!(filled.values[filled.frame(2)..].iter().all(|&v| v == 0.0));
    }
}
