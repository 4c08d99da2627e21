//! Decoding of the Single Shot MultiBox Detector: boxes relative to anchors.
//!
//! As in TensorFlow's object detection API (`multiple_grid_anchor_generator`,
//! `faster_rcnn_box_coder`) and MediaPipe's `ssd_anchors_calculator`.

use std::path::Path;

use serde::Deserialize;

use super::Detection;
use crate::body_mask::sigmoid;
use crate::description::check_range;
use crate::engine::{Network, Output};
use crate::input::Input;
use crate::{Bounds, ModelError};

/// The table `[output.decoding.ssd]` of a description.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Ssd {
    /// Output `[1, anchors, 4]`: centre y, centre x, height, width.
    boxes: String,
    /// Output `[1, anchors, classes]`.
    logits: String,
    /// Index of the class "person".
    class: usize,
    /// Cells along each side of the map of features, by layer.
    cells: Vec<usize>,
    /// Scales of the first and the last layer, as a share of the picture's side.
    scales: [f32; 2],
    /// Width over height of the anchors.
    ratios: Vec<f32>,
    /// What the network multiplies centres by.
    centre_scale: f32,
    /// What the network multiplies the logarithms of sizes by.
    size_scale: f32,
}

impl Ssd {
    pub(super) fn check(&self, path: &Path) -> Result<(), ModelError> {
        for &cells in &self.cells {
            check_range(path, "output.decoding.ssd.cells", cells as f64, 1.0, 512.0)?;
        }
        for &scale in &self.scales {
            check_range(path, "output.decoding.ssd.scales", scale.into(), 0.01, 1.0)?;
        }
        for &ratio in &self.ratios {
            check_range(path, "output.decoding.ssd.ratios", ratio.into(), 0.01, 100.0)?;
        }
        for (key, scale) in [
            ("output.decoding.ssd.centre-scale", self.centre_scale),
            ("output.decoding.ssd.size-scale", self.size_scale),
        ] {
            check_range(path, key, scale.into(), 0.001, 1000.0)?;
        }
        Ok(())
    }

    pub(super) fn outputs(&self) -> [&str; 2] {
        [&self.boxes, &self.logits]
    }

    pub(super) fn decode(
        &self,
        network: &Network,
        outputs: &[Output],
        input: &Input,
    ) -> Result<Vec<Detection>, ModelError> {
        let [boxes, logits] = outputs else {
            unreachable!("a network gives what it was asked for")
        };
        let anchors = self.anchors();
        network.check_shape(boxes, &self.boxes, &[1, anchors.len(), 4])?;
        network.check_shape(logits, &self.logits, &[1, anchors.len(), 0])?;
        let classes = logits.shape[2];
        if self.class >= classes {
            let expected = [1, anchors.len(), self.class + 1];
            network.check_shape(logits, &self.logits, &expected)?;
        }
        let scores = logits.values.iter().skip(self.class).step_by(classes);
        let (boxes, _) = boxes.values.as_chunks();
        let size = [input.width as f32, input.height as f32];
        let found = anchors.iter().zip(boxes).zip(scores);
        let found = found.map(|((anchor, relative), &logit)| Detection {
            bounds: self.bounds(anchor, relative, size),
            score: sigmoid(logit),
        });
        Ok(found.collect())
    }

    /// The box of an anchor in a picture of this width and height.
    fn bounds(&self, anchor: &Anchor, relative: &[f32; 4], [width, height]: [f32; 2]) -> Bounds {
        let &[y, x, log_height, log_width] = relative;
        Bounds::around(
            (x / self.centre_scale * anchor.width + anchor.x) * width,
            (y / self.centre_scale * anchor.height + anchor.y) * height,
            (log_width / self.size_scale).exp() * anchor.width * width,
            (log_height / self.size_scale).exp() * anchor.height * height,
        )
    }

    /// All anchors, by layer, row, column and shape.
    fn anchors(&self) -> Vec<Anchor> {
        let mut anchors = Vec::new();
        for (layer, &cells) in self.cells.iter().enumerate() {
            let shapes = self.shapes(layer);
            for cell in 0..cells * cells {
                let x = ((cell % cells) as f32 + 0.5) / cells as f32;
                let y = ((cell / cells) as f32 + 0.5) / cells as f32;
                anchors.extend(shapes.iter().map(|&[width, height]| Anchor {
                    x,
                    y,
                    width,
                    height,
                }));
            }
        }
        anchors
    }

    /// Width and height of a layer's anchors.
    fn shapes(&self, layer: usize) -> Vec<[f32; 2]> {
        let shape = |scale: f32, ratio: f32| [scale * ratio.sqrt(), scale / ratio.sqrt()];
        let scale = self.scale(layer);
        if layer == 0 {
            // The finest layer has three shapes only, to save time.
            return vec![shape(0.1, 1.0), shape(scale, 2.0), shape(scale, 0.5)];
        }
        let mut shapes: Vec<[f32; 2]> = self.ratios.iter().map(|&r| shape(scale, r)).collect();
        shapes.push(shape((scale * self.scale(layer + 1)).sqrt(), 1.0));
        shapes
    }

    /// Scale of a layer; 1 behind the last.
    fn scale(&self, layer: usize) -> f32 {
        let last = self.cells.len() - 1;
        if layer > last {
            return 1.0;
        }
        let [from, to] = self.scales;
        from + (to - from) * layer as f32 / last.max(1) as f32
    }
}

/// A box that the network's boxes are relative to, in shares of the picture's sides.
#[derive(Debug, PartialEq)]
struct Anchor {
    x: f32,
    y: f32,
    width: f32,
    height: f32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssd() -> Ssd {
        Ssd {
            boxes: "boxes".into(),
            logits: "logits".into(),
            class: 4,
            cells: vec![19, 10, 5, 3, 2, 1],
            scales: [0.2, 0.95],
            ratios: vec![1.0, 2.0, 0.5, 3.0, 0.3333],
            centre_scale: 10.0,
            size_scale: 5.0,
        }
    }

    fn check_close(found: &Anchor, expected: [f32; 4]) {
        let found = [found.x, found.y, found.width, found.height];
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-5, "{found:?} {expected:?}");
        }
    }

    #[test]
    fn anchors_are_those_of_mobilenet() {
        let anchors = ssd().anchors();
        assert_eq!(anchors.len(), 1917);
        check_close(&anchors[0], [0.5 / 19.0, 0.5 / 19.0, 0.1, 0.1]);
        check_close(&anchors[1], [0.5 / 19.0, 0.5 / 19.0, 0.282_843, 0.141_421]);
        // The second cell of the first row.
        check_close(&anchors[3], [1.5 / 19.0, 0.5 / 19.0, 0.1, 0.1]);
        // Second layer: scale 0.35, and the one between it and 0.5.
        check_close(&anchors[1083 + 4], [0.05, 0.05, 0.202_064, 0.606_244]);
        check_close(&anchors[1083 + 5], [0.05, 0.05, 0.418_33, 0.418_33]);
        // Last layer: between 0.95 and 1.
        check_close(&anchors[1916], [0.5, 0.5, 0.974_679, 0.974_679]);
    }

    #[test]
    fn boxes_are_relative_to_their_anchor() {
        let anchor = Anchor { x: 0.5, y: 0.25, width: 0.2, height: 0.4 };
        let doubled = 5.0 * 2f32.ln();
        let bounds = ssd().bounds(&anchor, &[5.0, -10.0, 0.0, doubled], [300.0, 200.0]);
        // x: 0.5 - 0.2, y: 0.25 + 0.2, twice as wide.
        let expected = Bounds::around(90.0, 90.0, 120.0, 80.0);
        assert!(bounds.overlap(&expected) > 0.9999, "{bounds:?}");
    }
}
