//! Where the pixels of a frame lie, with zeros around them.

use super::block::{Half, ROWS};
use crate::RegionConv3d;
use std::ops::Range;

/// Where the pixels of a frame lie.
///
/// Behind each row, above the first one and below the last one are zeros. What lies behind a row
/// also lies before the next one, so that half a kernel of zeros is enough.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layout {
    pub height: usize,
    pub width: usize,
    /// Rows of zeros above and below, and columns of zeros beside the pixels.
    pub zeros: [usize; 2],
    /// Pixels from one row to the next.
    pub pitch: usize,
    /// Pixels before the first one, and behind the last position.
    pub margin: usize,
    /// Positions that are computed, those of the zeros included: whole blocks of them.
    pub positions: usize,
}

impl Layout {
    /// Frames of `height` rows and `width` columns with so many rows and columns of zeros.
    pub fn new(height: usize, width: usize, zeros: [usize; 2]) -> Self {
        let [rows, columns] = zeros;
        let pitch = width + columns;
        let positions = (height * pitch).next_multiple_of(ROWS);
        Self { height, width, zeros, pitch, margin: rows * pitch + columns, positions }
    }

    /// The narrowest layout for frames that `p` reads.
    pub fn of(p: &RegionConv3d) -> Self {
        let [_, kh, kw] = p.kernel;
        Self::new(p.height, p.width, [kh / 2, kw / 2])
    }

    /// Sets everything around the pixels of `frame` to zero; a pixel has `channels` values.
    pub fn clear_border(&self, channels: usize, frame: &mut [Half]) {
        let mut start = 0;
        for row in 0..self.height {
            let pixels = (self.margin + row * self.pitch) * channels;
            frame[start..pixels].fill(0);
            start = pixels + self.width * channels;
        }
        frame[start..].fill(0);
    }

    /// Whether a kernel of so many rows and columns reads no further than the zeros.
    pub fn holds(&self, [kh, kw]: [usize; 2]) -> bool {
        kh / 2 <= self.zeros[0] && kw / 2 <= self.zeros[1]
    }

    /// Pixels that a frame takes.
    pub fn pixels(&self) -> usize {
        self.positions + 2 * self.margin
    }

    /// Where the first position's tap lies in a frame, for a kernel that the layout holds.
    pub fn shift(&self, [kh, kw]: [usize; 2], row: usize, column: usize) -> usize {
        let [rows, columns] = self.zeros;
        (rows + row - kh / 2) * self.pitch + columns + column - kw / 2
    }

    /// The row and column of a position; `None` where it is none of a pixel.
    pub fn pixel(&self, position: usize) -> Option<[usize; 2]> {
        let row = position / self.pitch;
        let column = position % self.pitch;
        (row < self.height && column < self.width).then_some([row, column])
    }

    /// Runs of positions in one row: the first pixel, counted over the frame, and how many,
    /// together with the place of the first within `positions`.
    pub fn segments(&self, positions: Range<usize>) -> impl Iterator<Item = Segment> + '_ {
        let rows =
            positions.start / self.pitch..self.height.min(positions.end.div_ceil(self.pitch));
        rows.filter_map(move |row| {
            let start = (row * self.pitch).max(positions.start);
            let end = (row * self.pitch + self.width).min(positions.end);
            (start < end).then(|| Segment {
                place: start - positions.start,
                pixel: start - row * (self.pitch - self.width),
                count: end - start,
            })
        })
    }
}

/// Neighbouring pixels of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Segment {
    /// The first one among the positions that were asked for.
    pub place: usize,
    /// The first one in the frame `[h, w]`.
    pub pixel: usize,
    pub count: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_the_pixels_of_the_positions() {
        let layout = Layout::of(&RegionConv3d::same(1, 1, 1, [1, 5, 7]));
        assert_eq!((layout.pitch, layout.margin, layout.positions), (8, 9, 64));
        let mut pixels = Vec::new();
        for first in [0, 32] {
            for s in layout.segments(first..first + 32) {
                for i in 0..s.count {
                    let pixel = layout.pixel(first + s.place + i).unwrap();
                    assert_eq!(pixel, [(s.pixel + i) / 7, (s.pixel + i) % 7]);
                    pixels.push(s.pixel + i);
                }
            }
        }
        assert_eq!(pixels, (0..35).collect::<Vec<_>>());
    }
}
