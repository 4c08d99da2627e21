//! The silhouette of a body, from its mask.

use crate::regions::{Region, regions};
use crate::{BodyMask, Bounds, SequenceFrame, Square, resize};

/// The probability from which a pixel belongs to the body.
const THRESHOLD: f32 = 0.5;

/// The fewest rows of a silhouette; a mask of a coarser network is enlarged.
const FEWEST_ROWS: usize = 64;

/// Side of a mask that is worth its memory: finer ones are reduced.
const MOST_DETAIL: usize = 256;

/// A binary picture of one connected body, cropped to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silhouette {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Silhouette {
    /// The pixels of a region in a picture of this width.
    fn of(region: &Region, line: usize) -> Self {
        let width = region.right - region.left;
        let height = region.bottom - region.top;
        let mut pixels = vec![0; width * height];
        for &pixel in &region.pixels {
            let column = pixel % line - region.left;
            let row = pixel / line - region.top;
            pixels[row * width + column] = 255;
        }
        Self { width, height, pixels }
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels, at least 64.
    pub fn height(&self) -> usize {
        self.height
    }

    /// One byte per pixel, `[height, width]`: 255 where the body is, 0 elsewhere.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Whether the body is at this pixel; it is not outside the picture.
    pub(crate) fn is_body(&self, x: i64, y: i64) -> bool {
        let column = usize::try_from(x).ok().filter(|&x| x < self.width);
        let row = usize::try_from(y).ok().filter(|&y| y < self.height);
        column.zip(row).is_some_and(|(x, y)| self.pixels[y * self.width + x] > 0)
    }
}

/// A silhouette and its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Body {
    pub(crate) silhouette: Silhouette,
    /// The box around the body, in pixels of the frame.
    pub(crate) bounds: Bounds,
    /// Whether it reaches an edge of the mask: there may be more of it.
    pub(crate) is_cut: bool,
}

impl Body {
    /// The largest connected body of a mask; none if no pixel is likely enough.
    pub(crate) fn of(mask: &BodyMask) -> Option<Self> {
        let size = mask.size();
        let side = size[0].max(size[1]).min(MOST_DETAIL);
        let found = Self::in_square(mask.values(), size, side, mask.square())?;
        let rows = found.silhouette.height;
        if rows >= FEWEST_ROWS {
            return Some(found);
        }
        // One row more than needed, because the edge moves when a mask is enlarged.
        let enlarged = (side * (FEWEST_ROWS + 1)).div_ceil(rows);
        Self::in_square(mask.values(), size, enlarged.min(LARGEST_SIDE), mask.square())
            .filter(|body| body.silhouette.height >= FEWEST_ROWS)
    }

    /// As part of a sequence.
    pub(crate) fn in_frame(self, frame: u64) -> SequenceFrame {
        SequenceFrame { frame, bounds: self.bounds, silhouette: self.silhouette }
    }

    /// The body of a mask that is brought to `side` x `side`.
    fn in_square(values: &[f32], size: [usize; 2], side: usize, square: Square) -> Option<Self> {
        let resized = (size != [side; 2]).then(|| resize::map(values, size, [side; 2]));
        let values = resized.as_deref().unwrap_or(values);
        let is_body: Vec<bool> = values.iter().map(|&value| value >= THRESHOLD).collect();
        let region = regions(is_body, side).into_iter().max_by_key(|region| region.pixels.len())?;
        let scale = square.side as f32 / side as f32;
        let bounds = Bounds {
            left: square.left as f32 + region.left as f32 * scale,
            top: square.top as f32 + region.top as f32 * scale,
            right: square.left as f32 + region.right as f32 * scale,
            bottom: square.top as f32 + region.bottom as f32 * scale,
        };
        let is_cut =
            region.left == 0 || region.top == 0 || region.right == side || region.bottom == side;
        Some(Self { silhouette: Silhouette::of(&region, side), bounds, is_cut })
    }
}

/// Side of an enlarged mask. A body that is smaller still is noise.
const LARGEST_SIDE: usize = 1024;

#[cfg(test)]
impl Silhouette {
    /// A silhouette of these bytes.
    pub(crate) fn new(width: usize, height: usize, pixels: Vec<u8>) -> Self {
        Self { width, height, pixels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mask of `side` x `side` over the 64 x 64 pixels at (10, 20) with rectangles
    /// `[left, top, right, bottom]` of this probability.
    fn mask(side: usize, rectangles: &[([usize; 4], f32)]) -> BodyMask {
        let mut values = vec![0.1; side * side];
        for &([left, top, right, bottom], value) in rectangles {
            for row in top..bottom {
                values[row * side + left..row * side + right].fill(value);
            }
        }
        BodyMask::of_values(Square { left: 10, top: 20, side: 64 }, side, values)
    }

    #[test]
    fn the_largest_body_is_cropped_and_placed() {
        let person = ([40, 16, 60, 112], 0.9);
        let speck = ([100, 40, 110, 50], 0.9);
        let unlikely = ([60, 16, 128, 112], 0.45);
        let body = Body::of(&mask(128, &[unlikely, person, speck])).unwrap();
        assert_eq!([body.silhouette.width(), body.silhouette.height()], [20, 96]);
        assert!(body.silhouette.pixels().iter().all(|&pixel| pixel == 255));
        assert_eq!(body.bounds, Bounds { left: 30.0, top: 28.0, right: 40.0, bottom: 76.0 });
        assert!(!body.is_cut);
    }

    #[test]
    fn holes_and_corners_stay() {
        // A hand that touches at a corner only, and a gap between arm and trunk.
        let body = Body::of(&mask(
            128,
            &[([40, 16, 60, 112], 0.9), ([50, 40, 55, 60], 0.2), ([60, 112, 64, 116], 0.9)],
        ))
        .unwrap();
        assert_eq!([body.silhouette.width(), body.silhouette.height()], [24, 100]);
        assert!(body.silhouette.is_body(0, 0) && body.silhouette.is_body(23, 99));
        assert!(!body.silhouette.is_body(12, 30) && !body.silhouette.is_body(-1, 0));
        assert!(!body.silhouette.is_body(0, 100));
    }

    #[test]
    fn a_coarse_mask_is_enlarged_to_64_rows() {
        let body = Body::of(&mask(32, &[([10, 4, 16, 24], 1.0)])).unwrap();
        assert!((64..=72).contains(&body.silhouette.height()), "{}", body.silhouette.height());
        let ratio = body.silhouette.height() as f32 / body.silhouette.width() as f32;
        assert!((ratio - 20.0 / 6.0).abs() < 0.3, "{ratio}");
        assert!((body.bounds.top - 28.0).abs() < 1.5, "{:?}", body.bounds);
    }

    #[test]
    fn a_fine_mask_is_reduced() {
        let body = Body::of(&mask(1024, &[([400, 128, 600, 896], 1.0)])).unwrap();
        assert_eq!([body.silhouette.width(), body.silhouette.height()], [50, 192]);
        assert_eq!(body.bounds, Bounds { left: 35.0, top: 28.0, right: 47.5, bottom: 76.0 });
    }

    #[test]
    fn a_body_at_the_edge_of_the_mask_is_cut() {
        for edge in [[0, 20, 30, 100], [50, 0, 70, 100], [98, 20, 128, 100], [50, 30, 70, 128]] {
            assert!(Body::of(&mask(128, &[(edge, 0.9)])).unwrap().is_cut, "{edge:?}");
        }
    }

    #[test]
    fn a_mask_without_a_likely_pixel_has_no_body() {
        assert_eq!(Body::of(&mask(128, &[([40, 16, 60, 112], 0.49)])), None);
        // One pixel of a fine mask.
        assert_eq!(Body::of(&mask(128, &[([40, 16, 41, 17], 0.9)])), None);
    }
}
