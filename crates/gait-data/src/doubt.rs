//! Signs that images are no silhouettes, white on black.
//!
//! All of them are looked at per sequence, so that a single odd frame changes nothing.

use std::fmt;

/// What a sequence of frames looks like, gathered frame by frame.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Doubts {
    frames: usize,
    inverted: usize,
    brightest: u8,
}

/// What a sequence may be instead of silhouettes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// So many of the frames are black on white.
    Inverted { inverted: usize, frames: usize },
    /// No pixel is brighter than this, as in masks of 0 and 1.
    Dark { brightest: u8 },
}

/// The brightest value of label masks: 0 for the background, small numbers for what is seen.
const LABELS: u8 = 16;

/// Below this the brightest value is not that of a silhouette, though it may be a faint one.
const DIM: u8 = 64;

impl Doubts {
    /// Looks at a frame, row-major.
    pub fn add(&mut self, pixels: &[u8], width: usize) {
        self.frames += 1;
        self.inverted += usize::from(is_inverted(pixels, width));
        self.brightest = self.brightest.max(pixels.iter().fold(0, |most, &pixel| most.max(pixel)));
    }

    /// Why nothing is right with the sequence.
    pub fn refusal(&self) -> Option<Doubt> {
        self.doubt().filter(|doubt| match doubt {
            Doubt::Inverted { inverted, frames } => 2 * inverted > *frames,
            Doubt::Dark { brightest } => *brightest <= LABELS,
        })
    }

    /// What the user should look at.
    pub fn doubt(&self) -> Option<Doubt> {
        let Doubts { frames, inverted, brightest } = *self;
        if (1..DIM).contains(&brightest) {
            return Some(Doubt::Dark { brightest });
        }
        (inverted > 0).then_some(Doubt::Inverted { inverted, frames })
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::Inverted { inverted, frames } => {
                write!(f, "{inverted} of {frames} frames are black on white")?;
            }
            Doubt::Dark { brightest } => write!(f, "its brightest pixel is {brightest}")?,
        }
        write!(f, "; a silhouette is white (255) on black (0)")
    }
}

/// Whether a frame is bright around a darker shape. The silhouette of a walker touches little of
/// the border, even in a tight crop; an aligned one touches the top and the bottom, but not the
/// sides.
fn is_inverted(pixels: &[u8], width: usize) -> bool {
    if width == 0 || pixels.len() < 2 * width {
        return false;
    }
    // Nearly every frame ends here: no corner is bright.
    let corners = [0, width - 1, pixels.len() - width, pixels.len() - 1].map(|at| pixels[at]);
    if bright(&corners) == 0 {
        return false;
    }
    let rows = pixels.chunks_exact(width);
    let side_pixels = 2 * rows.len();
    let side: usize = rows.map(|row| bright(&[row[0], row[width - 1]])).sum();
    let ends = bright(&pixels[..width]) + bright(&pixels[pixels.len() - width..]);
    let bright_sides = 10 * side >= 9 * side_pixels;
    let bright_border = 3 * (side + ends) >= 2 * (side_pixels + 2 * width);
    // A frame without any dark shape is empty or full, not inverted.
    let is_shape_dark = || 100 * (pixels.len() - bright(pixels)) >= pixels.len();
    (bright_sides || bright_border) && is_shape_dark()
}

/// How many of the pixels are nearer to white than to black.
fn bright(pixels: &[u8]) -> usize {
    pixels.iter().filter(|pixel| **pixel >= 128).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `shape` in a rectangle of 20 of 40 rows and 10 of 30 columns, `ground` elsewhere.
    fn frame(ground: u8, shape: u8) -> Vec<u8> {
        let inside = |i: usize| (10..30).contains(&(i / 30)) && (10..20).contains(&(i % 30));
        (0..40 * 30).map(|i| if inside(i) { shape } else { ground }).collect()
    }

    fn look(frames: &[Vec<u8>]) -> Doubts {
        let mut doubts = Doubts::default();
        frames.iter().for_each(|frame| doubts.add(frame, 30));
        doubts
    }

    #[test]
    fn silhouettes_and_full_or_empty_frames_raise_no_doubt() {
        for sequence in [
            vec![frame(0, 255); 3],
            vec![frame(0, 100), frame(0, 64)],
            vec![frame(255, 255)],
            vec![frame(0, 0)],
            vec![Vec::new()],
        ] {
            assert_eq!(look(&sequence).doubt(), None);
        }
        // Columns that reach from top to bottom, as in a tight crop.
        let tall: Vec<u8> = (0..40 * 30).map(|i| if i % 30 < 15 { 255 } else { 0 }).collect();
        assert_eq!(look(&[tall]).doubt(), None);
    }

    #[test]
    fn black_on_white_is_refused_where_most_frames_are() {
        let inverted = look(&[frame(255, 0), frame(255, 0), frame(0, 255)]);
        assert_eq!(inverted.refusal(), Some(Doubt::Inverted { inverted: 2, frames: 3 }));
        let one = look(&[frame(255, 0), frame(0, 255), frame(0, 255)]);
        assert_eq!(one.refusal(), None);
        assert_eq!(one.doubt(), Some(Doubt::Inverted { inverted: 1, frames: 3 }));
    }

    #[test]
    fn masks_of_labels_are_refused_and_dim_frames_doubted() {
        for label in [1, 2, 16] {
            let labels = look(&[frame(0, label), frame(0, 0)]);
            assert_eq!(labels.refusal(), Some(Doubt::Dark { brightest: label }));
        }
        let dim = look(&[frame(0, 40)]);
        assert_eq!((dim.refusal(), dim.doubt()), (None, Some(Doubt::Dark { brightest: 40 })));
    }
}
