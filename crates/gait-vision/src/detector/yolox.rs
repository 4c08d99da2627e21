//! Decoding of YOLOX: anchor-free boxes on grids of several strides.

use std::path::Path;

use serde::Deserialize;

use super::Detection;
use crate::description::check_range;
use crate::engine::{Network, Output};
use crate::input::Input;
use crate::{Bounds, ModelError};

/// The table `[output.decoding.yolox]` of a description.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Yolox {
    /// Output `[1, cells, 5 + classes]`: centre x, centre y, width, height, objectness, classes. The
    /// last two are between 0 and 1.
    output: String,
    /// Index of the class "person".
    class: usize,
    /// Pixels between the cells of each grid, in the order of the output.
    strides: Vec<usize>,
}

/// Values of a cell before its classes.
const BEFORE_CLASSES: usize = 5;

impl Yolox {
    pub(super) fn check(&self, path: &Path) -> Result<(), ModelError> {
        for &stride in &self.strides {
            check_range(path, "output.decoding.yolox.strides", stride as f64, 1.0, 1024.0)?;
        }
        check_range(path, "output.decoding.yolox.class", self.class as f64, 0.0, 65535.0)
    }

    pub(super) fn outputs(&self) -> [&str; 1] {
        [&self.output]
    }

    pub(super) fn decode(
        &self,
        network: &Network,
        outputs: &[Output],
        input: &Input,
    ) -> Result<Vec<Detection>, ModelError> {
        let [output] = outputs else { unreachable!("a network gives what it was asked for") };
        let cells = self.cells(input.width, input.height);
        network.check_shape(output, &self.output, &[1, cells.len(), 0])?;
        let length = output.shape[2];
        let least = BEFORE_CLASSES + self.class + 1;
        if length < least {
            network.check_shape(output, &self.output, &[1, cells.len(), least])?;
        }
        let rows = output.values.chunks_exact(length);
        Ok(cells.iter().zip(rows).map(|(cell, row)| self.detection(cell, row)).collect())
    }

    fn detection(&self, cell: &Cell, row: &[f32]) -> Detection {
        let bounds = Bounds::around(
            (row[0] + cell.x) * cell.stride,
            (row[1] + cell.y) * cell.stride,
            row[2].exp() * cell.stride,
            row[3].exp() * cell.stride,
        );
        Detection { bounds, score: row[4] * row[BEFORE_CLASSES + self.class] }
    }

    /// The cells of all grids, by grid, row and column.
    fn cells(&self, width: usize, height: usize) -> Vec<Cell> {
        let mut cells = Vec::new();
        for &stride in &self.strides {
            let columns = width / stride;
            let rows = height / stride;
            cells.extend((0..rows * columns).map(|cell| Cell {
                x: (cell % columns) as f32,
                y: (cell / columns) as f32,
                stride: stride as f32,
            }));
        }
        cells
    }
}

/// A cell of a grid: column, row and the grid's stride.
#[derive(Debug, PartialEq)]
struct Cell {
    x: f32,
    y: f32,
    stride: f32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yolox() -> Yolox {
        Yolox { output: "output".into(), class: 1, strides: vec![8, 16] }
    }

    #[test]
    fn grids_follow_one_another() {
        let cells = yolox().cells(48, 32);
        assert_eq!(cells.len(), 6 * 4 + 3 * 2);
        assert_eq!(cells[7], Cell { x: 1.0, y: 1.0, stride: 8.0 });
        assert_eq!(cells[24 + 5], Cell { x: 2.0, y: 1.0, stride: 16.0 });
    }

    #[test]
    fn score_is_objectness_times_class() {
        let cell = Cell { x: 2.0, y: 1.0, stride: 16.0 };
        let row = [0.5, -0.5, 0.0, 2f32.ln(), 0.5, 0.9, 0.25];
        let found = yolox().detection(&cell, &row);
        assert_eq!(found.score, 0.125);
        assert_eq!(found.bounds, Bounds::around(40.0, 8.0, 16.0, 32.0));
    }
}
