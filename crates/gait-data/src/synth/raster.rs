//! Convex hulls of ellipses, filled row by row into a binary image.

use std::f32::consts::TAU;

use super::camera::Ellipse;

/// Number of directions in which a hull is sampled. 24 keep the outline within 1% of a limb's
/// radius.
const DIRECTIONS: usize = 24;

/// A convex polygon in pixels, its corners in the order of their directions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outline {
    corners: [[f32; 2]; DIRECTIONS],
}

/// Smallest and largest x and y.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    pub low: [f32; 2],
    pub high: [f32; 2],
}

impl Bounds {
    /// Empty bounds.
    pub const NOTHING: Bounds = Bounds { low: [f32::MAX; 2], high: [f32::MIN; 2] };

    /// The bounds extended to `point`.
    pub fn with(self, point: [f32; 2]) -> Bounds {
        Bounds {
            low: [self.low[0].min(point[0]), self.low[1].min(point[1])],
            high: [self.high[0].max(point[0]), self.high[1].max(point[1])],
        }
    }
}

/// The directions in which [`Outline::around`] samples a hull, as unit vectors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compass([[f32; 2]; DIRECTIONS]);

impl Compass {
    /// Evenly spread directions.
    pub fn new() -> Compass {
        Compass(std::array::from_fn(|i| {
            let (sin, cos) = (TAU * (i as f32 + 0.5) / DIRECTIONS as f32).sin_cos();
            [cos, sin]
        }))
    }
}

impl Outline {
    /// The hull of a few ellipses: in each direction, the farthest point of the farthest ellipse.
    /// These points of a convex shape follow each other in the order of the directions, so nothing
    /// needs sorting.
    pub fn around(ellipses: &[Ellipse], compass: &Compass) -> Outline {
        let corners = compass.0.map(|[dx, dy]| {
            let mut farthest = f32::MIN;
            let mut corner = [0.0; 2];
            for Ellipse { centre, spread: [xx, xy, yy] } in ellipses {
                let x = xx * dx + xy * dy;
                let y = xy * dx + yy * dy;
                let reach = (x * dx + y * dy).max(1e-12).sqrt();
                let support = centre[0] * dx + centre[1] * dy + reach;
                if support > farthest {
                    farthest = support;
                    corner = [centre[0] + x / reach, centre[1] + y / reach];
                }
            }
            corner
        });
        Outline { corners }
    }

    /// `bounds` extended to contain the outline.
    pub fn join(&self, bounds: Bounds) -> Bounds {
        self.corners.iter().fold(bounds, |bounds, corner| bounds.with(*corner))
    }
}

/// A silhouette: one byte per pixel, row-major, 0 or 255.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mask {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u8>,
}

/// The value of a pixel inside the silhouette.
pub(super) const BODY: u8 = 255;

impl Mask {
    /// An empty image.
    pub fn new(width: usize, height: usize) -> Mask {
        Mask { width, height, pixels: vec![0; width * height] }
    }

    /// Fills a convex outline, shifted by `-origin`. A pixel is filled if its centre is inside; what
    /// lies outside the image is cut off.
    pub fn fill(&mut self, outline: &Outline, origin: [f32; 2], spans: &mut Vec<[f32; 2]>) {
        let corners = outline.corners.map(|[x, y]| [x - origin[0] - 0.5, y - origin[1] - 0.5]);
        let top = corners.iter().map(|c| c[1]).fold(f32::MAX, f32::min).max(0.0).ceil() as usize;
        let lowest = corners.iter().map(|c| c[1]).fold(f32::MIN, f32::max);
        if lowest < top as f32 || top >= self.height {
            return;
        }
        let bottom = (lowest.floor() as usize).min(self.height - 1);
        spans.clear();
        spans.resize(bottom - top + 1, [f32::MAX, f32::MIN]);
        for (i, from) in corners.iter().enumerate() {
            cross_rows(*from, corners[(i + 1) % DIRECTIONS], top, spans);
        }
        for (row, [left, right]) in spans.iter().enumerate() {
            let first = left.max(0.0).ceil() as usize;
            let last = right.floor().min(self.width as f32 - 1.0);
            if last >= first as f32 {
                let start = (top + row) * self.width;
                self.pixels[start + first..=start + last as usize].fill(BODY);
            }
        }
    }

    /// Sets every pixel within an ellipse of half-axes `half` to `value`.
    pub fn stamp(&mut self, centre: [f32; 2], half: [f32; 2], value: u8) {
        for y in covered(centre[1], half[1], self.height) {
            let v = (y as f32 - centre[1]) / half[1];
            let reach = half[0] * (1.0 - v * v).max(0.0).sqrt();
            let columns = covered(centre[0], reach, self.width);
            let start = y * self.width;
            self.pixels[start + columns.start..start + columns.end].fill(value);
        }
    }
}

/// Pixel indices within `reach` of `centre`, inside `0..size`.
fn covered(centre: f32, reach: f32, size: usize) -> std::ops::Range<usize> {
    let first = (centre - reach).max(0.0).ceil() as usize;
    let last = (centre + reach).floor();
    let end = if last < 0.0 { 0 } else { (last as usize + 1).min(size) };
    first.min(end)..end
}

/// Widens the spans of the rows (starting at `top`) that the edge crosses.
fn cross_rows(from: [f32; 2], to: [f32; 2], top: usize, spans: &mut [[f32; 2]]) {
    let [upper, lower] = if from[1] <= to[1] { [from, to] } else { [to, from] };
    let rows = covered(0.5 * (upper[1] + lower[1]), 0.5 * (lower[1] - upper[1]), top + spans.len());
    let slope = (lower[0] - upper[0]) / (lower[1] - upper[1]).max(1e-6);
    for row in rows.start.max(top)..rows.end {
        let x = upper[0] + (row as f32 - upper[1]) * slope;
        let span = &mut spans[row - top];
        *span = [span[0].min(x), span[1].max(x)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circle(x: f32, y: f32, radius: f32) -> Ellipse {
        Ellipse { centre: [x, y], spread: [radius * radius, 0.0, radius * radius] }
    }

    fn filled(ellipses: &[Ellipse]) -> Mask {
        let mut mask = Mask::new(60, 40);
        let outline = Outline::around(ellipses, &Compass::new());
        mask.fill(&outline, [0.0, 0.0], &mut Vec::new());
        mask
    }

    fn at(mask: &Mask, x: usize, y: usize) -> bool {
        mask.pixels[y * mask.width + x] == BODY
    }

    fn count(mask: &Mask) -> usize {
        mask.pixels.iter().filter(|p| **p == BODY).count()
    }

    #[test]
    fn rounded_bar_covers_its_area() {
        let mask = filled(&[circle(15.0, 20.0, 8.0), circle(45.0, 20.0, 8.0)]);
        let area = 30.0 * 16.0 + std::f32::consts::PI * 64.0;
        assert!((count(&mask) as f32 / area - 1.0).abs() < 0.03, "{} of {area}", count(&mask));
        assert!(at(&mask, 30, 20) && at(&mask, 8, 20) && !at(&mask, 30, 29) && !at(&mask, 5, 20));
    }

    #[test]
    fn shapes_across_the_border_are_cut_off() {
        for (x, y) in [(-3.0, 20.0), (62.0, 20.0), (30.0, -4.0), (30.0, 43.0)] {
            let pixels = count(&filled(&[circle(x, y, 9.0)]));
            assert!(pixels > 20 && pixels < 130, "{pixels} at {x}, {y}");
        }
        assert_eq!(count(&filled(&[circle(-30.0, 20.0, 9.0), circle(-20.0, 90.0, 3.0)])), 0);
    }

    #[test]
    fn stamps_add_and_erase() {
        let mut mask = filled(&[circle(30.0, 20.0, 12.0)]);
        let before = count(&mask);
        mask.stamp([30.0, 20.0], [4.0, 2.0], 0);
        assert!(!at(&mask, 33, 20) && at(&mask, 30, 23) && count(&mask) < before - 15);
        mask.stamp([1.0, 39.0], [3.0, 3.0], BODY);
        assert!(at(&mask, 0, 39) && at(&mask, 3, 39));
    }
}
