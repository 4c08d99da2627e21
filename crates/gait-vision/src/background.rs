//! People before the background of a fixed camera, without any network.
//!
//! Each pixel has a mean and a variance per colour that follow the frames (Wren et al., "Pfinder:
//! Real-Time Tracking of the Human Body", 1997). What differs from them is foreground, and a connected
//! part of the foreground is a person.

use crate::frame::Shared;
use crate::regions::{Region, regions};
use crate::{BodyMask, Bounds, Detection, Frame, Look, ModelError, Segmenter, Square};

/// The background of a fixed camera, learned while people walk before it.
///
/// Whatever moves is a person to it, and people who touch each other are one. A frame of another size
/// begins a new background.
#[derive(Debug, Clone, Default)]
pub struct Background {
    width: usize,
    height: usize,
    frames: usize,
    colours: Vec<Colour>,
}

/// One colour of one pixel.
#[derive(Debug, Clone, Copy)]
struct Colour {
    mean: f32,
    variance: f32,
}

/// Frames that the background is the mean of. Before as many have passed, it is the mean of all.
const MEMORY: usize = 250;

/// How much slower the background takes in foreground, so that nobody is learned who stays for seconds.
const RELUCTANCE: f32 = 0.1;

/// Deviations from the mean from which a colour is foreground.
const FOREGROUND: f32 = 3.5;

/// Deviation of a colour in levels: at the beginning, and at least.
const DEVIATIONS: [f32; 2] = [12.0, 5.0];

/// Brightness over that of the background that a shadow leaves.
const SHADOW: std::ops::Range<f32> = 0.5..0.95;

/// How far a level in a shadow may be from the darkened background, over its level.
const SHADOW_TOLERANCE: f32 = 0.06;

/// Pixels around each pixel, in each direction, of which the majority decides.
const REACH: usize = 2;

/// The smallest share of a frame's height that a person covers.
const LEAST_ROWS: f32 = 0.1;

/// Side of a mask over the longer side of its box.
const MARGIN: f32 = 1.25;

impl Background {
    /// Nothing has been seen.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins with this frame, unless it has the size of those before.
    fn begin(&mut self, frame: &Frame) {
        if [self.width, self.height] != [frame.width(), frame.height()] {
            let [deviation, _] = DEVIATIONS;
            let colour =
                |&level: &u8| Colour { mean: level.into(), variance: deviation * deviation };
            let colours = frame.pixels().iter().map(colour).collect();
            *self = Self { width: frame.width(), height: frame.height(), frames: 1, colours };
        }
    }

    /// Which pixels of a frame differ from the background.
    fn differing(&self, frame: &Frame) -> Vec<bool> {
        let (levels, _) = frame.pixels().as_chunks::<3>();
        let (colours, _) = self.colours.as_chunks::<3>();
        let differs = |(levels, colours): (&[u8; 3], &[Colour; 3])| {
            let is_far = levels.iter().zip(colours).any(|(&level, colour)| colour.is_far(level));
            is_far && !is_shadow(levels, colours)
        };
        levels.iter().zip(colours).map(differs).collect()
    }

    /// The foreground without specks and cracks.
    fn foreground(&self, frame: &Frame) -> Vec<bool> {
        let differing: Vec<u8> = self.differing(frame).into_iter().map(u8::from).collect();
        let across = sums(&differing, self.width, 1);
        let around = sums(&across, self.width, self.width);
        let window = 2 * REACH + 1;
        around.into_iter().map(|count| usize::from(count) > window * window / 2).collect()
    }

    /// The parts of the foreground that are large enough.
    fn people(&self, foreground: &[bool]) -> Vec<Detection> {
        let regions = regions(foreground.to_vec(), self.width);
        let rows = |region: &Region| (region.bottom - region.top) as f32;
        let large = regions.iter().filter(|region| rows(region) >= LEAST_ROWS * self.height as f32);
        large.map(|region| Detection { bounds: bounds(region), score: 1.0 }).collect()
    }

    /// Moves the background towards a frame.
    fn learn(&mut self, frame: &Frame, foreground: &[bool]) {
        self.frames += 1;
        let rate = 1.0 / self.frames.min(MEMORY) as f32;
        let (colours, _) = self.colours.as_chunks_mut::<3>();
        let (levels, _) = frame.pixels().as_chunks::<3>();
        for ((colours, levels), &is_foreground) in colours.iter_mut().zip(levels).zip(foreground) {
            let rate = if is_foreground { RELUCTANCE * rate } else { rate };
            for (colour, &level) in colours.iter_mut().zip(levels) {
                colour.learn(level, rate);
            }
        }
    }
}

impl Colour {
    fn is_far(&self, level: u8) -> bool {
        let difference = f32::from(level) - self.mean;
        difference * difference > FOREGROUND * FOREGROUND * self.variance
    }

    fn learn(&mut self, level: u8, rate: f32) {
        let [_, least] = DEVIATIONS;
        let difference = f32::from(level) - self.mean;
        self.mean += rate * difference;
        let variance = self.variance + rate * (difference * difference - self.variance);
        self.variance = variance.max(least * least);
    }
}

/// Whether a pixel has the background's colour, but darker.
fn is_shadow(levels: &[u8; 3], colours: &[Colour; 3]) -> bool {
    let brightness = levels.iter().map(|&level| f32::from(level)).sum::<f32>()
        / colours.iter().map(|colour| colour.mean).sum::<f32>().max(1.0);
    let fits = |(&level, colour): (&u8, &Colour)| {
        (f32::from(level) - brightness * colour.mean).abs() < SHADOW_TOLERANCE * colour.mean
    };
    SHADOW.contains(&brightness) && levels.iter().zip(colours).all(fits)
}

/// The sums of the counts within [`REACH`] in one direction: `step` is 1 along rows, the width along
/// columns.
fn sums(counts: &[u8], width: usize, step: usize) -> Vec<u8> {
    let length = if step == 1 { width } else { counts.len() / width };
    let sum = |place: usize| {
        let at = place / step % length;
        let first = place - at.min(REACH) * step;
        let last = place + (length - 1 - at).min(REACH) * step;
        (first..=last).step_by(step).map(|near| counts[near]).sum()
    };
    (0..counts.len()).map(sum).collect()
}

impl Segmenter for Background {
    fn look(&mut self, frame: &Frame, detect: bool) -> Result<Look, ModelError> {
        self.begin(frame);
        let foreground = self.foreground(frame);
        self.learn(frame, &foreground);
        let people = if detect { self.people(&foreground) } else { vec![] };
        let masks = move |frame: &Frame, people: &[Bounds]| {
            let square = |bounds: &Bounds| Square::around(bounds, MARGIN, frame);
            Ok(people
                .iter()
                .map(|bounds| mask(&foreground, frame.width(), square(bounds)))
                .collect())
        };
        Ok(Look { people, masks: Box::new(masks) })
    }
}

fn bounds(region: &Region) -> Bounds {
    let &Region { left, top, right, bottom, .. } = region;
    let [left, top, right, bottom] = [left, top, right, bottom].map(|edge| edge as f32);
    Bounds { left, top, right, bottom }
}

/// The part of the foreground in a square.
fn mask(foreground: &[bool], width: usize, square: Square) -> BodyMask {
    let Square { left, top, side } = square;
    let columns = Shared::of(side, width, -left);
    let rows = Shared::of(side, foreground.len() / width, -top);
    let mut values = vec![0.0; side * side];
    for row in 0..rows.length {
        let from = (rows.from + row) * width + columns.from;
        let to = (rows.to + row) * side + columns.to;
        let line = &foreground[from..from + columns.length];
        values[to..to + columns.length]
            .iter_mut()
            .zip(line)
            .for_each(|(value, &is_body)| *value = f32::from(u8::from(is_body)));
    }
    BodyMask::of_values(square, side, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 80;

    /// A textured wall with a rectangle `[left, top, right, bottom]` of a colour, and a flicker.
    fn frame(index: usize, rectangle: [usize; 4], colour: [u8; 3]) -> Frame {
        let [left, top, right, bottom] = rectangle;
        let pixel = |place: usize| {
            let column = place % WIDTH;
            let row = place / WIDTH;
            if (left..right).contains(&column) && (top..bottom).contains(&row) {
                return colour;
            }
            let texture = (column * 7 + row * 5) % 40;
            [120, 130, 110].map(|level| level + (texture + (place + index) % 5) as u8)
        };
        Frame::new(WIDTH, 60, (0..WIDTH * 60).flat_map(pixel).collect()).unwrap()
    }

    const NOBODY: [usize; 4] = [0; 4];

    fn learned(frames: usize) -> Background {
        let mut background = Background::new();
        for index in 0..frames {
            detect(&mut background, &frame(index, NOBODY, [0; 3]));
        }
        background
    }

    /// The people in the next frame.
    fn detect(background: &mut Background, frame: &Frame) -> Vec<Detection> {
        background.look(frame, true).unwrap().people
    }

    #[test]
    fn whoever_comes_is_found_and_masked() {
        let mut background = learned(20);
        assert_eq!(detect(&mut background, &frame(20, NOBODY, [0; 3])), []);
        let person = frame(21, [30, 10, 45, 50], [200, 40, 40]);
        let Look { people: found, masks } = background.look(&person, true).unwrap();
        let expected = Bounds { left: 30.0, top: 10.0, right: 45.0, bottom: 50.0 };
        assert_eq!(found, [Detection { bounds: expected, score: 1.0 }]);
        let mask = masks(&person, &[expected]).unwrap().remove(0);
        assert_eq!(mask.square().side, 50);
        let area = mask.values().iter().sum::<f32>();
        // The majority rounds the corners.
        assert!((580.0..=600.0).contains(&area), "{area}");
    }

    #[test]
    fn specks_shadows_and_small_things_are_nobody() {
        let mut background = learned(20);
        assert_eq!(detect(&mut background, &frame(20, [30, 10, 32, 50], [200, 40, 40])), []);
        assert_eq!(detect(&mut background, &frame(20, [30, 10, 45, 14], [200, 40, 40])), []);
        // 0.7 of the wall at its mean level.
        let shadow = frame(20, [30, 10, 45, 50], [99, 106, 92]);
        assert_eq!(detect(&mut background, &shadow), []);
    }

    #[test]
    fn somebody_who_stays_is_learned_slowly() {
        let mut background = learned(100);
        let rectangle = [30, 10, 45, 50];
        let mut seen = 0;
        for index in 100..1100 {
            let person = frame(index, rectangle, [200, 40, 40]);
            seen += detect(&mut background, &person).len();
        }
        // Four seconds at 25 frames per second at least, and not for ever.
        assert!((100..1000).contains(&seen), "{seen}");
    }

    #[test]
    fn a_square_beyond_the_frame_is_background() {
        let everything = vec![true; 12];
        let square = Square { left: -1, top: 1, side: 4 };
        let mask = mask(&everything, 4, square);
        let row = [0.0, 1.0, 1.0, 1.0];
        assert_eq!(mask.values(), [row, row, [0.0; 4], [0.0; 4]].concat());
    }

    #[test]
    fn a_frame_of_another_size_begins_again() {
        let mut background = learned(20);
        let other = Frame::new(4, 4, vec![9; 48]).unwrap();
        assert_eq!(detect(&mut background, &other), []);
        assert_eq!(background.frames, 2);
    }
}
