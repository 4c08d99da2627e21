//! Masks as a body-mask network makes them: smooth outlines, closed gaps, errors that stay for a while.

use rand_chacha::ChaCha8Rng;

use super::chance::{between, within};
use super::raster::{BODY, Mask};
use super::world::Masks;

/// Rows and columns of the field of errors.
const FIELD: [usize; 2] = [20, 20];
/// Size of a cell of the field, in heights of the person.
const CELL: f32 = 0.07;
/// What of an error stays to the next frame; the rest is new.
const KEPT: f32 = 0.7;

/// The network of one clip.
#[derive(Clone, Debug)]
pub(super) struct Network {
    /// Standard deviation in heights of the person.
    blur: f32,
    threshold: f32,
    wobble: f32,
    /// Share of the fast frames of a foot's swing in which it is lost.
    pub lost_feet: f32,
    /// Errors from -1 to 1 around the middle of the mask.
    field: [[f32; FIELD[1]]; FIELD[0]],
    /// The mask as numbers, and a second buffer.
    grey: Vec<f32>,
    other: Vec<f32>,
}

impl Network {
    /// Draws the network of a clip.
    pub fn draw(masks: &Masks, rng: &mut ChaCha8Rng) -> Network {
        Network {
            blur: within(rng, masks.blur),
            threshold: within(rng, masks.threshold),
            wobble: within(rng, masks.wobble),
            lost_feet: within(rng, masks.lost_feet),
            field: std::array::from_fn(|_| std::array::from_fn(|_| between(rng, -1.0, 1.0))),
            grey: vec![],
            other: vec![],
        }
    }

    /// Replaces an exact mask by that of the network.
    pub fn remake(&mut self, mask: &mut Mask, rng: &mut ChaCha8Rng) {
        for error in self.field.as_flattened_mut() {
            let fresh = between(rng, -1.0, 1.0);
            *error = KEPT * *error + (1.0 - KEPT * KEPT).sqrt() * fresh;
        }
        self.grey.clear();
        self.grey.extend(mask.pixels.iter().map(|pixel| f32::from(*pixel) / f32::from(BODY)));
        let radius = box_radius(self.blur * mask.height as f32);
        for _ in 0..2 {
            blur_rows(&self.grey, &mut self.other, mask.width, radius);
            blur_columns(&self.other, &mut self.grey, mask.width, radius);
        }
        let cell = CELL * mask.height as f32;
        let from_middle = |at: usize, size: usize| (at as f32 - 0.5 * size as f32) / cell;
        for (y, row) in mask.pixels.chunks_exact_mut(mask.width).enumerate() {
            let v = from_middle(y, mask.height);
            let grey = &self.grey[y * mask.width..(y + 1) * mask.width];
            for (x, (pixel, likely)) in row.iter_mut().zip(grey).enumerate() {
                // The network errs where it doubts; most pixels are certain.
                let doubt = 4.0 * self.wobble * likely * (1.0 - likely);
                let excess = likely - self.threshold;
                let certain = excess.abs() > 1.5 * doubt;
                let inside = if certain {
                    excess > 0.0
                } else {
                    excess > doubt * self.error(v, from_middle(x, mask.width))
                };
                *pixel = if inside { BODY } else { 0 };
            }
        }
    }

    /// The error at a place, in cells from the middle of the mask.
    fn error(&self, v: f32, u: f32) -> f32 {
        let place = |at: f32, cells: usize| {
            let at = (at + 0.5 * cells as f32).clamp(0.0, cells as f32 - 1.001);
            (at as usize, at.fract())
        };
        let (row, down) = place(v, FIELD[0]);
        let (column, along) = place(u, FIELD[1]);
        let across = |row: &[f32; FIELD[1]]| row[column] + along * (row[column + 1] - row[column]);
        let upper = across(&self.field[row]);
        upper + down * (across(&self.field[row + 1]) - upper)
    }
}

/// The radius of a box that, applied twice, blurs with a standard deviation.
fn box_radius(deviation: f32) -> usize {
    (0.5 * ((6.0 * deviation * deviation + 1.0).sqrt() - 1.0)).round() as usize
}

/// The mean of `2 radius + 1` pixels along each row; outside of the mask is nothing.
fn blur_rows(from: &[f32], to: &mut Vec<f32>, width: usize, radius: usize) {
    to.clear();
    to.resize(from.len(), 0.0);
    let mut padded = vec![0.0; width + 2 * radius];
    for (row, blurred) in from.chunks_exact(width).zip(to.chunks_exact_mut(width)) {
        padded[radius..radius + width].copy_from_slice(row);
        padded.windows(width).for_each(|shifted| add(blurred, shifted));
        scale(blurred, radius);
    }
}

/// The same along each column, by a sum that moves down.
fn blur_columns(from: &[f32], to: &mut Vec<f32>, width: usize, radius: usize) {
    to.clear();
    let row = |y: usize| from.get(y * width..(y + 1) * width).unwrap_or(&[]);
    let mut sums = vec![0.0; width];
    (0..radius).for_each(|y| add(&mut sums, row(y)));
    for y in 0..from.len() / width {
        add(&mut sums, row(y + radius));
        to.extend_from_slice(&sums);
        let above = y.checked_sub(radius).map_or(&[][..], row);
        sums.iter_mut().zip(above).for_each(|(sum, value)| *sum -= value);
    }
    scale(to, radius);
}

fn add(sums: &mut [f32], values: &[f32]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

fn scale(sums: &mut [f32], radius: usize) {
    let share = 1.0 / (2 * radius + 1) as f32;
    sums.iter_mut().for_each(|sum| *sum *= share);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::chance::{Purpose, generator};

    /// Two upright bars, 4 pixels apart, in an image of 60 x 200 pixels.
    fn bars() -> Mask {
        let mut mask = Mask::new(60, 200);
        for row in mask.pixels.chunks_exact_mut(60).skip(10).take(180) {
            row[15..28].fill(BODY);
            row[32..45].fill(BODY);
        }
        mask
    }

    fn remade(blur: f32, threshold: f32, wobble: f32) -> Mask {
        let masks = Masks {
            blur: [blur; 2],
            threshold: [threshold; 2],
            wobble: [wobble; 2],
            ..Masks::default()
        };
        let mut rng = generator(1, Purpose::Masks, [0, 0]);
        let mut mask = bars();
        Network::draw(&masks, &mut rng).remake(&mut mask, &mut rng);
        mask
    }

    fn width_at(mask: &Mask, row: usize) -> usize {
        mask.pixels[row * 60..(row + 1) * 60].iter().filter(|pixel| **pixel == BODY).count()
    }

    #[test]
    fn a_network_without_faults_changes_nothing() {
        assert_eq!(remade(0.0, 0.5, 0.0), bars());
    }

    #[test]
    fn a_low_threshold_widens_and_closes_narrow_gaps() {
        assert_eq!(width_at(&bars(), 100), 26);
        assert_eq!(width_at(&remade(0.008, 0.5, 0.0), 100), 26);
        let closed = width_at(&remade(0.016, 0.3, 0.0), 100);
        assert!((31..36).contains(&closed), "{closed} pixels");
    }

    #[test]
    fn errors_move_the_outline_a_little() {
        let wobbly = remade(0.012, 0.5, 0.8);
        let changed = wobbly.pixels.iter().zip(&bars().pixels).filter(|(a, b)| a != b).count();
        // The outline is 4 x 180 pixels long.
        assert!((100..1500).contains(&changed), "{changed} pixels");
    }
}
