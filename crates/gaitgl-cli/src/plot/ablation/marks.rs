//! A table as panels of marks: one panel per group of probes, one line per row of the table.

use gaitgl::ablation::{Figure, ResultTable};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::extremes;
use crate::plot::axes::{self, Axis, Scale};
use crate::plot::legend::{Legend, Symbol};
use crate::plot::{COLOURS, FAINT, MARGIN, MARK, Surface, TEXT, colour, grid, text, text_width};

/// Height of a row of marks in pixels.
const ROW: u32 = 44;
/// Height of what is above and below the rows of a panel.
const PANEL: u32 = 110;
/// Most panels side by side.
const MOST_PANELS: usize = 4;
/// Least span of the accuracy axis in percentage points.
const LEAST_SPAN: f64 = 2.0;

/// Height of all panels in pixels.
pub fn height(table: &ResultTable) -> u32 {
    let [lines, _] = grid(table.columns().len(), MOST_PANELS);
    lines as u32 * (PANEL + ROW * table.sweep().rows.len() as u32)
}

pub fn legend(table: &ResultTable) -> Legend {
    let several_seeds = (0..table.sweep().rows.len())
        .any(|row| table.ours(row, 0).is_some_and(|figure| figure.deviation.is_some()));
    let ours = if several_seeds { "ours, with the range over seeds" } else { "ours" };
    let published = (Symbol::Ring(COLOURS[3]), "the paper's".to_owned());
    let published = table.shows_published().then_some(published);
    Legend::new([(Symbol::Disc(COLOURS[3]), ours.to_owned())].into_iter().chain(published))
}

/// Draws all panels. The names of the rows stand to the left of the first panel of each line.
pub fn draw<S: Surface>(body: &DrawingArea<S, Shift>, table: &ResultTable) -> anyhow::Result<()> {
    let rows = &table.sweep().rows;
    let widest = rows.iter().map(|row| text_width(&row.name, TEXT)).max().unwrap_or(0);
    let names_width = widest + 2 * MARK;
    let [lines, across] = grid(table.columns().len(), MOST_PANELS);
    for (line, area) in body.split_evenly((lines, 1)).iter().enumerate() {
        let (left, right) = area.split_horizontally(names_width);
        let panels = right.split_evenly((1, across));
        let first = line * across;
        for (column, panel) in (first..table.columns().len()).zip(&panels) {
            let ys = draw_panel(panel, table, column)?;
            if column > first {
                continue;
            }
            let top = left.get_base_pixel().1;
            for (row, y) in rows.iter().zip(ys) {
                let place = (widest, y - top);
                let style = text(TEXT, HPos::Right, VPos::Center);
                left.draw(&Text::new(row.name.clone(), place, style))?;
            }
        }
    }
    Ok(())
}

/// Draws one panel and returns the y coordinate of each row in pixels.
fn draw_panel<S: Surface>(
    area: &DrawingArea<S, Shift>,
    table: &ResultTable,
    column: usize,
) -> anyhow::Result<Vec<i32>> {
    let rows = table.sweep().rows.len();
    let range = axes::range((0..rows).flat_map(|row| extremes(table, row, column)), LEAST_SPAN);
    // The first row of the table is at the top.
    let y_of = |row: usize| (rows - 1 - row) as f64;
    let mut panel = ChartBuilder::on(area)
        .caption(&table.columns()[column], text(TEXT, HPos::Center, VPos::Top))
        .margin_right(3 * MARGIN)
        .x_label_area_size(2 * TEXT)
        .build_cartesian_2d(range.clone(), -0.7..rows as f64 - 0.3)?;
    axes::draw(&mut panel, &Axis { title: "", labels: 5, scale: Scale::Linear }, &Axis::NONE)?;
    let colour = colour(column);
    let plot = panel.plotting_area();
    for row in 0..rows {
        let y = y_of(row);
        plot.draw(&PathElement::new([(range.start, y), (range.end, y)], FAINT))?;
        if let Some(value) = table.published(row, column) {
            // A hollow mark: see `Symbol::Ring`.
            plot.draw(&Circle::new((value, y), MARK, colour.filled()))?;
            plot.draw(&Circle::new((value, y), MARK - 3, WHITE.filled()))?;
        }
        if let Some(Figure { mean, range: (least, most), .. }) = table.ours(row, column) {
            plot.draw(&PathElement::new([(least, y), (most, y)], colour.stroke_width(4)))?;
            plot.draw(&Circle::new((mean, y), MARK, colour.filled()))?;
        }
    }
    Ok((0..rows).map(|row| panel.backend_coord(&(range.start, y_of(row))).1).collect())
}
