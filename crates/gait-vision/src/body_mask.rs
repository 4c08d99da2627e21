//! The mask of the person in a box.

use std::path::Path;

use serde::Deserialize;

use crate::description::{Described, check_range};
use crate::engine::Network;
use crate::input::Input;
use crate::{Bounds, Engine, Frame, ModelError, resize};

/// A network that draws the mask of the person in the middle of a square.
pub struct BodyMasker {
    network: Network,
    input: Input,
    output: MaskOutput,
}

/// The table `[output]` of a mask network's description.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct MaskOutput {
    /// Output of the input's size, one value per pixel.
    mask: String,
    #[serde(default)]
    values: Values,
    /// Output of one value per image: how certain it is that a whole person is in view.
    presence: Option<String>,
    /// The presence that a mask needs.
    #[serde(default)]
    min_presence: f32,
    /// Side of the square over the longer side of the person's box.
    margin: f32,
}

/// What the values of a mask are.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Values {
    #[default]
    Logits,
    Probabilities,
}

/// The mask of one person.
#[derive(Debug, Clone, PartialEq)]
pub struct BodyMask {
    presence: f32,
    is_present: bool,
    square: Square,
    width: usize,
    height: usize,
    values: Vec<f32>,
}

/// A square of a frame's pixels; it may reach beyond the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Square {
    /// Left edge.
    pub left: i64,
    /// Upper edge.
    pub top: i64,
    /// Width and height.
    pub side: usize,
}

/// A part of a frame and a value for each of its pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskInFrame {
    /// Left edge in the frame.
    pub left: usize,
    /// Upper edge in the frame.
    pub top: usize,
    /// Width in pixels; 0 if the square lies outside the frame.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Probability of each pixel to belong to the person, `[height, width]`.
    pub values: Vec<f32>,
}

impl BodyMasker {
    /// The mask network that ships: BlazePose lite.
    ///
    /// # Errors
    /// The engine refuses the network. No machine is known on which it does.
    pub fn shipped(engine: &Engine) -> Result<Self, ModelError> {
        let text = include_str!("../models/blazepose-lite.toml");
        let onnx = include_bytes!("../models/blazepose-lite.onnx");
        Self::load(engine, Described::shipped("blazepose-lite.toml", text, onnx)?)
    }

    /// A mask network that a TOML file describes; `models/README.md` says how.
    ///
    /// # Errors
    /// A description or network that is missing or damaged, or that do not fit each other.
    pub fn read(engine: &Engine, description: &Path) -> Result<Self, ModelError> {
        Self::load(engine, Described::read(description)?)
    }

    fn load(engine: &Engine, described: Described<MaskOutput>) -> Result<Self, ModelError> {
        let Described { description, path, onnx_path, onnx } = described;
        let output = description.output;
        check_range(&path, "output.margin", output.margin.into(), 1.0, 4.0)?;
        check_range(&path, "output.min-presence", output.min_presence.into(), 0.0, 1.0)?;
        let mut names = vec![output.mask.as_str()];
        names.extend(output.presence.as_deref());
        let shape = description.input.shape();
        let network = Network::load(engine, &onnx_path, onnx, shape, &names)?;
        Ok(Self { network, input: description.input, output })
    }

    /// The masks of the people in these boxes of a frame, in the order of the boxes.
    ///
    /// # Errors
    /// An engine that fails, outputs of an unknown shape.
    pub fn masks(&self, frame: &Frame, people: &[Bounds]) -> Result<Vec<BodyMask>, ModelError> {
        people.iter().map(|bounds| self.mask(frame, bounds)).collect()
    }

    fn mask(&self, frame: &Frame, bounds: &Bounds) -> Result<BodyMask, ModelError> {
        let Input { width, height, .. } = self.input;
        let square = Square::around(bounds, self.output.margin, frame);
        let picture = frame.square(square.left, square.top, square.side);
        let mut values = Vec::with_capacity(width * height * 3);
        self.input.append(&picture.resized(width, height), &mut values);
        let outputs = self.network.run(&values)?;
        let [mask, presence @ ..] = outputs.as_slice() else {
            unreachable!("a network gives what it was asked for")
        };
        if mask.values.len() != width * height {
            return Err(self.network.wrong_shape(mask, &self.output.mask, &[1, 1, height, width]));
        }
        let presence = match (presence, &self.output.presence) {
            ([output], Some(name)) => match output.values.as_slice() {
                &[presence] => presence,
                _ => return Err(self.network.wrong_shape(output, name, &[1, 1])),
            },
            _ => 1.0,
        };
        Ok(self.body_mask(square, presence, &mask.values))
    }

    fn body_mask(&self, square: Square, presence: f32, values: &[f32]) -> BodyMask {
        let values = match self.output.values {
            Values::Logits => values.iter().map(|&logit| sigmoid(logit)).collect(),
            Values::Probabilities => values.to_vec(),
        };
        BodyMask {
            presence,
            is_present: presence >= self.output.min_presence,
            square,
            width: self.input.width,
            height: self.input.height,
            values,
        }
    }
}

impl Square {
    /// The square around a box, `margin` times its longer side.
    pub(crate) fn around(bounds: &Bounds, margin: f32, frame: &Frame) -> Self {
        let [x, y] = bounds.centre();
        // A box far beyond the frame asks for no more memory than the frame is worth.
        let most = 2 * frame.width().max(frame.height());
        let longer = bounds.width().max(bounds.height());
        let side = ((longer * margin).round() as usize).clamp(1, most);
        // Far enough away to be outside every frame, near enough to be counted with.
        let far = 1e9;
        let corner =
            |centre: f32| (f64::from(centre) - side as f64 / 2.0).round().clamp(-far, far) as i64;
        Self { left: corner(x), top: corner(y), side }
    }
}

impl BodyMask {
    /// A mask of `side` x `side` probabilities of somebody who is there.
    pub(crate) fn of_values(square: Square, side: usize, values: Vec<f32>) -> Self {
        Self { presence: 1.0, is_present: true, square, width: side, height: side, values }
    }

    /// How certain the network is that a person is in view, 0 to 1; 1 for a network that does not say.
    pub fn presence(&self) -> f32 {
        self.presence
    }

    /// Whether the presence is high enough for the mask to be used.
    pub fn is_present(&self) -> bool {
        self.is_present
    }

    /// The part of the frame that the mask covers.
    pub fn square(&self) -> Square {
        self.square
    }

    /// Width and height of the mask.
    pub fn size(&self) -> [usize; 2] {
        [self.width, self.height]
    }

    /// Probability of each pixel of the square to belong to the person, `[height, width]` in the
    /// network's resolution.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The mask in the pixels of a frame of this size, cut where the square leaves it.
    pub fn in_frame(&self, width: usize, height: usize) -> MaskInFrame {
        let Square { left, top, side } = self.square;
        let values = resize::map(&self.values, self.size(), [side, side]);
        let columns = covered(left, side, width);
        let rows = covered(top, side, height);
        let in_square = |place: usize, corner: i64| (signed(place) - corner) as usize;
        let cut = rows.clone().flat_map(|row| {
            let start = in_square(row, top) * side + in_square(columns.start, left);
            values[start..start + columns.len()].iter().copied()
        });
        let values = if columns.is_empty() { vec![] } else { cut.collect() };
        MaskInFrame {
            left: columns.start,
            top: rows.start,
            width: columns.len(),
            height: rows.len(),
            values,
        }
    }
}

/// The pixels of a line of `length` that a stretch of `side` from `corner` covers.
fn covered(corner: i64, side: usize, length: usize) -> std::ops::Range<usize> {
    let within = |place: i64| place.clamp(0, signed(length)) as usize;
    within(corner)..within(corner.saturating_add(signed(side)))
}

fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// The logistic function.
pub(crate) fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        Frame::grey(320, 240, 0)
    }

    #[test]
    fn the_square_lies_around_the_longer_side() {
        let high = Bounds { left: 100.0, top: 20.0, right: 140.0, bottom: 180.0 };
        let square = Square::around(&high, 1.25, &frame());
        assert_eq!(square, Square { left: 20, top: 0, side: 200 });
        let wide = Bounds { left: -60.0, top: 100.0, right: 100.0, bottom: 110.0 };
        let square = Square::around(&wide, 1.5, &frame());
        assert_eq!(square, Square { left: -100, top: -15, side: 240 });
    }

    #[test]
    fn boxes_without_bounds_have_squares_that_fit_into_memory() {
        for size in [f32::MAX, f32::INFINITY] {
            let square =
                Square::around(&Bounds::around(-f32::MAX, 0.0, size, size), 1.25, &frame());
            assert_eq!(square.side, 640);
            assert_eq!(frame().square(square.left, square.top, square.side).width(), 640);
        }
        let empty = Square::around(&Bounds::around(10.0, 10.0, -5.0, f32::NAN), 1.25, &frame());
        assert_eq!(empty.side, 1);
    }

    #[test]
    fn a_mask_is_resized_to_its_square() {
        // Two columns: background and body.
        let square = Square { left: -2, top: 1, side: 8 };
        let values = vec![0.0, 1.0, 0.0, 1.0];
        let mask =
            BodyMask { presence: 1.0, is_present: true, square, width: 2, height: 2, values };
        let placed = mask.in_frame(320, 5);
        assert_eq!([placed.left, placed.top, placed.width, placed.height], [0, 1, 6, 4]);
        // Eight columns between half-pixel centres, without the two that lie outside.
        let row = [0.125, 0.375, 0.625, 0.875, 1.0, 1.0];
        for (found, expected) in placed.values.iter().zip([row; 4].as_flattened()) {
            assert!((found - expected).abs() < 1e-6, "{:?}", placed.values);
        }
    }

    #[test]
    fn logits_of_any_size_become_probabilities() {
        assert_eq!([-1e9, 0.0, 1e9].map(sigmoid), [0.0, 0.5, 1.0]);
    }
}
