//! From the colours of video to those of pictures.

use y4m::Colorspace;

/// Whether [`to_rgb`] reads these planes. Their names differ by where the colours are sampled.
pub(super) fn is_known(planes: Colorspace) -> bool {
    use Colorspace::{C420, C420jpeg, C420mpeg2, C420paldv};
    matches!(planes, C420 | C420jpeg | C420mpeg2 | C420paldv)
}

/// RGB pixels of planes with half the resolution of colour (4:2:0), in the limited range of BT.601.
pub(super) fn to_rgb([y, u, v]: [&[u8]; 3], width: usize, height: usize) -> Vec<u8> {
    let mut rgb = vec![0; width * height * 3];
    let chroma_width = width.div_ceil(2);
    for (row, line) in rgb.chunks_exact_mut(width * 3).enumerate() {
        let chroma = row / 2 * chroma_width..(row / 2 + 1) * chroma_width;
        let colours = u[chroma.clone()].iter().zip(&v[chroma]).map(|(&u, &v)| Colour::new(u, v));
        let luma = y[row * width..(row + 1) * width].chunks(2);
        for ((pixels, luma), colour) in line.chunks_mut(6).zip(luma).zip(colours) {
            for (pixel, &luma) in pixels.as_chunks_mut::<3>().0.iter_mut().zip(luma) {
                *pixel = colour.with(luma);
            }
        }
    }
    rgb
}

/// What two chroma samples add to red, green and blue, in 1/65536.
#[derive(Clone, Copy)]
struct Colour([i32; 3]);

impl Colour {
    fn new(u: u8, v: u8) -> Self {
        let u = i32::from(u) - 128;
        let v = i32::from(v) - 128;
        // 1.596, 0.392, 0.813, 2.017
        Self([104_597 * v, -25_675 * u - 53_279 * v, 132_201 * u])
    }

    fn with(self, luma: u8) -> [u8; 3] {
        // 255 / 219, and half for rounding.
        let grey = (i32::from(luma) - 16) * 76_309 + (1 << 15);
        self.0.map(|offset| ((grey + offset) >> 16).clamp(0, 255) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(y: u8, u: u8, v: u8, expected: [u8; 3]) {
        let found = to_rgb([&[y], &[u], &[v]], 1, 1);
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.abs_diff(expected) <= 1, "{found:?} {expected:?}");
        }
    }

    #[test]
    fn colours_are_those_of_the_standard() {
        check(16, 128, 128, [0, 0, 0]);
        check(235, 128, 128, [255, 255, 255]);
        check(126, 128, 128, [128, 128, 128]);
        // Pure red, green and blue.
        check(81, 90, 240, [255, 0, 0]);
        check(145, 54, 34, [0, 255, 0]);
        check(41, 240, 110, [0, 0, 255]);
        // Outside of what screens show: 1.164 * 239 - 1.596 * 128 is 74.
        check(255, 255, 0, [74, 255, 255]);
    }

    #[test]
    fn four_pixels_share_a_colour_also_at_odd_sides() {
        let y = [126; 5 * 3];
        // Blue in the last column of colours, red in the last row.
        let u = [128, 128, 228, 128, 128, 228];
        let v = [128, 128, 128, 228, 228, 228];
        let rgb = to_rgb([&y, &u, &v], 5, 3);
        let at = |x: usize, y: usize| &rgb[(y * 5 + x) * 3..][..3];
        assert_eq!(at(0, 0), at(3, 1));
        assert_eq!(at(0, 0), [128, 128, 128]);
        assert!(at(4, 1)[2] == 255 && at(4, 1)[0] == 128);
        assert!(at(0, 2)[0] == 255 && at(0, 2)[2] == 128);
        assert!(at(4, 2)[0] == 255 && at(4, 2)[2] == 255);
    }
}
