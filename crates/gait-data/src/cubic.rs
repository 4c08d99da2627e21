//! Cubic resizing of 8-bit images.
//!
//! Keys' kernel with a = -0.75, half-pixel centres, border replicated, no antialiasing, rounded
//! to the nearest (ties to even): OpenCV's `INTER_CUBIC`. OpenCV itself has two versions of it.
//! Its x86 wheels compute with exact weights, as here; what is left are sums of exactly 127.5,
//! which symmetric edges make and of which Intel's library rounds some down. Sums in single
//! precision would miss five times as many pixels. Without that library OpenCV rounds the weights
//! to 11 bits, which moves about 1 in 400 pixels of a silhouette by one grey level.

use std::ops::Range;

use crate::image_file::Grey;

/// Taps of one output row or column: four source indices and their weights.
#[derive(Clone, Copy, Debug)]
struct Taps {
    at: [usize; 4],
    weight: [f64; 4],
}

/// The taps of output pixel `out` when `from` pixels become `to`.
fn taps(out: usize, from: usize, to: usize) -> Taps {
    const A: f64 = -0.75;
    let centre = (out as f64 + 0.5) * from as f64 / to as f64 - 0.5;
    let first = centre.floor();
    let x = centre - first;
    let near = |x: f64| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let far = |x: f64| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
    let at = [-1.0, 0.0, 1.0, 2.0].map(|d| (first + d).clamp(0.0, (from - 1) as f64) as usize);
    Taps { at, weight: [far(x + 1.0), near(x), near(1.0 - x), far(2.0 - x)] }
}

/// Output columns that a source column within `source` can reach; the others are zero where
/// the source is zero outside.
pub(crate) fn reached(source: Range<usize>, from: usize, to: usize) -> Range<usize> {
    let scale = to as f64 / from as f64;
    let first = ((source.start as f64 - 2.5) * scale - 1.0).floor().max(0.0) as usize;
    let last = ((source.end as f64 + 2.5) * scale + 1.0).ceil() as usize;
    first.min(to)..last.min(to)
}

/// 1.5 * 2^52: adding and taking it away rounds to the nearest whole number, ties to even.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// A source image for [`resize_columns`]: rows of `width` pixels, of which only `columns` hold
/// anything but zeros.
#[derive(Clone, Debug)]
pub(crate) struct Source<'a> {
    pub pixels: &'a [u8],
    pub width: usize,
    pub columns: Range<usize>,
}

/// Resizes to `height` rows of `width` columns and returns the output columns `kept`, row-major.
///
/// Rows first: that pass runs along contiguous rows, and leaves the scattered reads of the
/// column pass only `height` rows to do.
pub(crate) fn resize_columns(
    source: &Source,
    height: usize,
    width: usize,
    kept: Range<usize>,
) -> Vec<u8> {
    let rows = source.pixels.len() / source.width;
    let columns: Vec<Taps> = kept.map(|x| taps(x, source.width, width)).collect();
    let mut line = vec![0.0_f64; source.width];
    let mut out = Vec::with_capacity(height * columns.len());
    for y in 0..height {
        let Taps { at, weight } = taps(y, rows, height);
        let [a, b, c, d] =
            at.map(|row| &source.pixels[row * source.width..][source.columns.clone()]);
        let sums = line[source.columns.clone()].iter_mut().zip(a).zip(b).zip(c).zip(d);
        for ((((sum, &a), &b), &c), &d) in sums {
            *sum = f64::from(a) * weight[0]
                + f64::from(b) * weight[1]
                + f64::from(c) * weight[2]
                + f64::from(d) * weight[3];
        }
        out.extend(columns.iter().map(|Taps { at, weight }| {
            let sum = line[at[0]] * weight[0]
                + line[at[1]] * weight[1]
                + line[at[2]] * weight[2]
                + line[at[3]] * weight[3];
            (sum + ROUNDER - ROUNDER) as u8
        }));
    }
    out
}

/// A whole image, resized to `height` rows of `width` columns.
pub(crate) fn resize(image: &Grey, height: usize, width: usize) -> Vec<u8> {
    let columns = 0..image.width;
    let source = Source { pixels: &image.pixels, width: image.width, columns };
    resize_columns(&source, height, width, 0..width)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole image by the definition in f64, columns first.
    fn plain(pixels: &[u8], from: (usize, usize), to: (usize, usize)) -> Vec<f64> {
        let mut out = Vec::new();
        for y in 0..to.0 {
            for x in 0..to.1 {
                let rows = taps(y, from.0, to.0);
                let columns = taps(x, from.1, to.1);
                let mut sum = 0.0;
                for (row, v) in rows.at.iter().zip(rows.weight) {
                    for (column, u) in columns.at.iter().zip(columns.weight) {
                        let pixel = pixels[row * from.1 + column];
                        sum += f64::from(pixel) * u * v;
                    }
                }
                out.push(sum);
            }
        }
        out
    }

    #[test]
    fn resize_matches_the_definition() {
        for (from, to) in [((7, 5), (64, 45)), ((90, 61), (64, 43)), ((64, 3), (64, 3))] {
            let pixels: Vec<u8> = (0..from.0 * from.1).map(|i| (i * 37 % 256) as u8).collect();
            let source = Source { pixels: &pixels, width: from.1, columns: 0..from.1 };
            let out = resize_columns(&source, to.0, to.1, 0..to.1);
            for (got, sum) in out.iter().zip(plain(&pixels, from, to)) {
                assert!((f64::from(*got) - sum.clamp(0.0, 255.0)).abs() < 0.501);
            }
        }
    }

    #[test]
    fn columns_that_are_not_reached_are_zero() {
        for (from, to) in [(320, 136), (17, 64), (50, 50)] {
            for columns in [0..3, 7..9, 12..17] {
                let row: Vec<u8> =
                    (0..from).map(|x| if columns.contains(&x) { 255 } else { 0 }).collect();
                let source = Source { pixels: &row, width: from, columns: 0..from };
                let out = resize_columns(&source, 1, to, 0..to);
                let reached = reached(columns, from, to);
                for (x, value) in out.iter().enumerate() {
                    assert!(*value == 0 || reached.contains(&x), "{from} {to} {x}");
                }
            }
        }
    }
}
