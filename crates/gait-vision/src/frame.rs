//! One picture of a video.

use crate::resize;

/// Number of colour channels.
const CHANNELS: usize = 3;

/// An RGB picture with 8 bits per channel, neither side empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

/// Why pixels do not make a [`Frame`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// One side is empty, or longer than pictures get.
    #[error("a picture cannot be {width} x {height} pixels large")]
    Size {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
    /// The number of bytes differs from three per pixel.
    #[error("a picture of {width} x {height} pixels has {found} bytes instead of three per pixel")]
    Bytes {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Number of bytes.
        found: usize,
    },
}

impl Frame {
    /// The longest side of a picture. It keeps every product of sides within 32 bits.
    pub const LONGEST_SIDE: usize = 1 << 14;

    /// A frame of `pixels` in `[height, width, 3]` order: red, green, blue.
    ///
    /// # Errors
    /// An empty side, one over [`Self::LONGEST_SIDE`], or another number of bytes.
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Result<Self, FrameError> {
        let sides = 1..=Self::LONGEST_SIDE;
        if !sides.contains(&width) || !sides.contains(&height) {
            return Err(FrameError::Size { width, height });
        }
        if pixels.len() != width * height * CHANNELS {
            return Err(FrameError::Bytes { width, height, found: pixels.len() });
        }
        Ok(Self { width, height, pixels })
    }

    /// A frame of one grey level.
    pub(crate) fn grey(width: usize, height: usize, level: u8) -> Self {
        Self { width, height, pixels: vec![level; width * height * CHANNELS] }
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The bytes, `[height, width, 3]`: red, green, blue.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The frame in another size.
    pub(crate) fn resized(&self, width: usize, height: usize) -> Self {
        let pixels = resize::colours(&self.pixels, [self.width, self.height], [width, height]);
        Self { width, height, pixels }
    }

    /// The square with this corner, black where it leaves the frame.
    pub(crate) fn square(&self, left: i64, top: i64, side: usize) -> Self {
        let mut square = Self::grey(side, side, 0);
        square.place(self, -left, -top);
        square
    }

    /// Copies the part of `other` that meets this frame if the corner of `other` lies at (x, y).
    pub(crate) fn place(&mut self, other: &Frame, x: i64, y: i64) {
        let columns = Shared::of(self.width, other.width, x);
        let rows = Shared::of(self.height, other.height, y);
        if columns.length == 0 {
            return;
        }
        let length = columns.length * CHANNELS;
        for row in 0..rows.length {
            let to = ((rows.to + row) * self.width + columns.to) * CHANNELS;
            let from = ((rows.from + row) * other.width + columns.from) * CHANNELS;
            self.pixels[to..to + length].copy_from_slice(&other.pixels[from..from + length]);
        }
    }
}

/// A stretch that two lines of pixels have in common.
pub(crate) struct Shared {
    /// Where it begins in the first line.
    pub(crate) to: usize,
    /// Where it begins in the second line.
    pub(crate) from: usize,
    pub(crate) length: usize,
}

impl Shared {
    /// What lines of `to` and `from` pixels share if the second begins at `offset` of the first.
    pub(crate) fn of(to: usize, from: usize, offset: i64) -> Self {
        let begin = offset.max(0).unsigned_abs() as usize;
        let skipped = offset.min(0).unsigned_abs() as usize;
        let length = to.saturating_sub(begin).min(from.saturating_sub(skipped));
        Self { to: begin, from: skipped, length }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each byte tells where it is from.
    fn numbered(width: usize, height: usize) -> Frame {
        Frame::new(width, height, (0..width * height * CHANNELS).map(|i| i as u8).collect())
            .unwrap()
    }

    #[test]
    fn bytes_must_fit_the_size() {
        let error = Frame::new(3, 2, vec![0; 17]).unwrap_err();
        assert_eq!(error, FrameError::Bytes { width: 3, height: 2, found: 17 });
        for (width, height) in [(0, 2), (2, 0), (Frame::LONGEST_SIDE + 1, 1)] {
            let error = Frame::new(width, height, vec![]).unwrap_err();
            assert_eq!(error, FrameError::Size { width, height });
        }
    }

    #[test]
    fn a_square_over_a_corner_is_black_outside() {
        let square = numbered(4, 3).square(2, 1, 3);
        let black = [0; 3];
        let rows = [
            [18, 19, 20, 21, 22, 23].as_slice(),
            &black,
            &[30, 31, 32, 33, 34, 35],
            &black,
            &[0; 9],
        ];
        assert_eq!(square.pixels, rows.concat());
        let square = numbered(4, 3).square(-2, -1, 3);
        let rows = [[0; 15].as_slice(), &[0, 1, 2], &[0; 6], &[12, 13, 14]];
        assert_eq!(square.pixels, rows.concat());
    }

    #[test]
    fn a_square_beside_the_frame_is_black() {
        let far = 1 << 40;
        for (left, top) in [(4, 0), (-3, 0), (0, 3), (far, 0), (-far, 1), (1, far), (far, -far)] {
            assert_eq!(numbered(4, 3).square(left, top, 3), Frame::grey(3, 3, 0), "{left} {top}");
        }
    }
}
