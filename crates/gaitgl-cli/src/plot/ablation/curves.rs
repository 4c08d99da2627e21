//! A table as curves: one panel per series, one curve per group of probes.

use std::ops::Range;

use gaitgl::ablation::{Figure, ResultTable};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::extremes;
use crate::plot::axes::{self, Axis, Scale};
use crate::plot::legend::{Legend, Symbol};
use crate::plot::{MARGIN, MARK, Surface, TEXT, colour, grid, text};

/// Height of a panel in pixels.
const PANEL: u32 = 480;
/// Most panels side by side.
const MOST_PANELS: usize = 3;
/// Least span of the accuracy axis in percentage points.
const LEAST_SPAN: f64 = 2.0;

/// Height of all panels in pixels.
pub fn height(table: &ResultTable) -> u32 {
    let [lines, _] = grid(series(table).len(), MOST_PANELS);
    lines as u32 * PANEL
}

/// The names of the series in the order of the table.
fn series(table: &ResultTable) -> Vec<&str> {
    let mut series: Vec<&str> = Vec::new();
    for name in table.sweep().rows.iter().filter_map(|row| row.series.as_deref()) {
        if !series.contains(&name) {
            series.push(name);
        }
    }
    series
}

pub fn legend(table: &ResultTable) -> Legend {
    let columns = table.columns().iter().enumerate();
    Legend::new(columns.map(|(column, label)| (Symbol::Curve(colour(column)), label.clone())))
}

/// Draws all panels with the same range of accuracy.
pub fn draw<S: Surface>(body: &DrawingArea<S, Shift>, table: &ResultTable) -> anyhow::Result<()> {
    let columns = table.columns().len();
    let rows = 0..table.sweep().rows.len();
    let cells = rows.flat_map(|row| (0..columns).map(move |column| (row, column)));
    let figures = cells.flat_map(|(row, column)| extremes(table, row, column));
    let accuracy = axes::range(figures, LEAST_SPAN);
    let names = series(table);
    let [lines, across] = grid(names.len(), MOST_PANELS);
    let panels = body.split_evenly((lines, across));
    for (name, area) in names.iter().zip(&panels) {
        draw_panel(area, table, name, accuracy.clone())?;
    }
    Ok(())
}

fn draw_panel<S: Surface>(
    area: &DrawingArea<S, Shift>,
    table: &ResultTable,
    name: &str,
    accuracy: Range<f64>,
) -> anyhow::Result<()> {
    let rows = rows_of(table, name);
    let mut panel = ChartBuilder::on(area)
        .caption(name, text(TEXT, HPos::Center, VPos::Top))
        .margin_right(MARGIN)
        .margin_bottom(MARGIN)
        .x_label_area_size(3 * TEXT)
        .y_label_area_size(3 * TEXT)
        .build_cartesian_2d(axes::range(rows.iter().map(|(x, _)| *x), 0.0), accuracy)?;
    let title = table.sweep().plot.as_ref().map_or("", |plot| &plot.x);
    let x = Axis { title, labels: 5, scale: Scale::Linear };
    axes::draw(&mut panel, &x, &Axis { title: "", labels: 6, scale: Scale::Linear })?;
    for column in 0..table.columns().len() {
        let colour = colour(column);
        let points = rows.iter().filter_map(|&(x, row)| Some((x, table.ours(row, column)?)));
        let points: Vec<(f64, Figure)> = points.collect();
        let line = points.iter().map(|(x, figure)| (*x, figure.mean));
        panel.draw_series(LineSeries::new(line, colour.stroke_width(3)))?;
        let plot = panel.plotting_area();
        for (x, Figure { mean, range: (least, most), .. }) in points {
            plot.draw(&PathElement::new([(x, least), (x, most)], colour.stroke_width(3)))?;
            plot.draw(&Circle::new((x, mean), MARK - 2, colour.filled()))?;
        }
    }
    Ok(())
}

/// The rows of a series with their place on the horizontal axis, in that order.
fn rows_of(table: &ResultTable, name: &str) -> Vec<(f64, usize)> {
    let rows = table.sweep().rows.iter().enumerate();
    let mut places: Vec<(f64, usize)> = rows
        .filter(|(_, row)| row.series.as_deref() == Some(name))
        .filter_map(|(index, row)| Some((row.x?, index)))
        .collect();
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    places
}
