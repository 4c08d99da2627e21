//! Pictures and maps in another size: bilinear between pixels, with the weighted mean of what
//! shrinks together.

use fast_image_resize::images::{Image, ImageRef, TypedImage, TypedImageRef};
use fast_image_resize::pixels::F32;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

/// Resizes a picture of three bytes per pixel. Sizes are width and height, neither of them 0.
pub(crate) fn colours(bytes: &[u8], from: [usize; 2], to: [usize; 2]) -> Vec<u8> {
    let [from_width, from_height] = from.map(|side| side as u32);
    let [to_width, to_height] = to.map(|side| side as u32);
    let Ok(source) = ImageRef::new(from_width, from_height, bytes, PixelType::U8x3) else {
        unreachable!("callers pass as many pixels as the size has")
    };
    let mut target = Image::new(to_width, to_height, PixelType::U8x3);
    let done = Resizer::new().resize(&source, &mut target, &options());
    debug_assert!(done.is_ok(), "only a crop can fail: {done:?}");
    target.into_vec()
}

/// Resizes a map of one number per pixel, as [`colours`] does.
pub(crate) fn map(values: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    let [from_width, from_height] = from.map(|side| side as u32);
    let [to_width, to_height] = to.map(|side| side as u32);
    let pixels: Vec<F32> = values.iter().map(|&value| F32::new(value)).collect();
    let Ok(source) = TypedImageRef::new(from_width, from_height, &pixels) else {
        unreachable!("callers pass as many pixels as the size has")
    };
    let mut target = TypedImage::new(to_width, to_height);
    let done = Resizer::new().resize_typed(&source, &mut target, &options());
    debug_assert!(done.is_ok(), "only a crop can fail: {done:?}");
    target.pixels().iter().map(|pixel| pixel.0).collect()
}

fn options() -> ResizeOptions {
    ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_stays_a_ramp() {
        // Half-pixel centres: pixel i of 8 lies at (i + 0.5) / 2 - 0.5 of 4, held at the ends.
        let ramp = map(&[0.0, 4.0, 8.0, 12.0], [4, 1], [8, 1]);
        let expected = [0.0, 1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 12.0];
        for (found, expected) in ramp.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{ramp:?}");
        }
    }

    #[test]
    fn shrinking_takes_the_mean() {
        // A fine chequerboard becomes grey; sampling it at points would keep black or white.
        let board: Vec<u8> =
            (0..32 * 32).flat_map(|i| [(i + i / 32) % 2 * 255; 3]).map(|v| v as u8).collect();
        let small = colours(&board, [32, 32], [8, 8]);
        assert_eq!(small.len(), 8 * 8 * 3);
        assert!(small.iter().all(|level| (120..=135).contains(level)), "{small:?}");
    }

    #[test]
    fn colours_and_axes_stay_apart() {
        // Left half red, lower half blue.
        let pixel =
            |i: usize| [if i % 4 < 2 { 200 } else { 0 }, 0, if i / 4 > 0 { 100 } else { 0 }];
        let large = colours(&(0..4 * 2).flat_map(pixel).collect::<Vec<u8>>(), [4, 2], [12, 6]);
        let at = |x: usize, y: usize| &large[(y * 12 + x) * 3..][..3];
        assert_eq!(at(0, 0), [200, 0, 0]);
        assert_eq!(at(11, 0), [0, 0, 0]);
        assert_eq!(at(0, 5), [200, 0, 100]);
        assert_eq!(at(11, 5), [0, 0, 100]);
    }
}
