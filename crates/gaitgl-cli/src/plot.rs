//! The plot of an ablation: a panel of marks for each group of probes, or curves.
//!
//! The same code draws the SVG and the PNG. The text of the PNG is set in a font that comes with the
//! program, because a bare machine has none; the SVG uses the reader's fonts.

mod curves;
mod marks;

use std::io::Cursor;
use std::ops::Range;

use anyhow::{Context, anyhow};
use gaitgl::ablation::{Figure, ResultTable};
use image::{ImageFormat, RgbImage};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontTransform, register_font};

const FONT: &str = "sans-serif";
/// Height of letters in pixels.
const TEXT: i32 = 24;
const TITLE: i32 = 30;
const WIDTH: u32 = 1600;
const MARGIN: i32 = 20;
/// Radius of a mark.
const MARK: i32 = 8;
/// Height of the title and the legend.
const HEAD: i32 = 110;

const INK: RGBColor = RGBColor(40, 40, 40);
const FAINT: RGBColor = RGBColor(222, 222, 222);
/// Colours that people with red-green blindness can tell apart. The first four are close to those of
/// the paper's Fig. 4.
const COLOURS: [RGBColor; 6] = [
    RGBColor(213, 60, 40),
    RGBColor(128, 62, 160),
    RGBColor(20, 165, 200),
    RGBColor(20, 60, 160),
    RGBColor(230, 159, 0),
    RGBColor(0, 130, 90),
];

/// A plot in both formats.
pub struct Pictures {
    pub svg: String,
    pub png: Vec<u8>,
}

/// What can be drawn on: the backends of SVG and of bitmaps.
trait Surface: DrawingBackend<ErrorType: 'static> {}

impl<B: DrawingBackend<ErrorType: 'static>> Surface for B {}

type Panel<'a, S> = ChartContext<'a, S, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Draws a table.
pub fn draw(table: &ResultTable) -> anyhow::Result<Pictures> {
    register_font(FONT, FontStyle::Normal, dejavu::sans::regular())
        .map_err(|_| anyhow!("the font of the plots cannot be used"))?;
    let height = height(table);
    let size = (WIDTH, height);
    let mut svg = String::new();
    draw_on(&SVGBackend::with_string(&mut svg, size).into_drawing_area(), table)?;
    let mut pixels = vec![255; (WIDTH * height * 3) as usize];
    draw_on(&BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area(), table)?;
    let image = RgbImage::from_raw(WIDTH, height, pixels).context("the plot has no pixels")?;
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png).context("the plot cannot be encoded as PNG")?;
    Ok(Pictures { svg, png: png.into_inner() })
}

fn height(table: &ResultTable) -> u32 {
    let panels =
        if table.sweep().plot.is_some() { curves::height(table) } else { marks::height(table) };
    HEAD as u32 + panels + MARGIN as u32
}

/// Rows and columns of a grid of panels with at most `most` columns.
fn grid(panels: usize, most: usize) -> [usize; 2] {
    let rows = panels.div_ceil(most).max(1);
    [rows, panels.div_ceil(rows).max(1)]
}

fn draw_on<S: Surface>(root: &DrawingArea<S, Shift>, table: &ResultTable) -> anyhow::Result<()> {
    root.fill(&WHITE)?;
    let (head, body) = root.margin(0, MARGIN, MARGIN, MARGIN).split_vertically(HEAD);
    let sweep = table.sweep();
    let title = format!("{}: {}, {} accuracy (%)", sweep.name, sweep.about, table.metric());
    head.draw(&Text::new(title, (0, MARGIN), text(TITLE, HPos::Left, VPos::Top)))?;
    if sweep.plot.is_some() {
        curves::legend(&head, table)?;
        curves::draw(&body, table)?;
    } else {
        marks::legend(&head, table)?;
        marks::draw(&body, table)?;
    }
    root.present()?;
    Ok(())
}

fn text(size: i32, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    (FONT, size).into_font().color(&INK).pos(Pos::new(horizontal, vertical))
}

/// Width of a text in pixels.
fn text_width(label: &str, size: i32) -> i32 {
    let font = (FONT, size).into_font().transform(FontTransform::None);
    font.box_size(label).map_or(0, |(width, _)| i32::try_from(width).unwrap_or(0))
}

/// The range of an axis: a little more than the figures span. It spans at least `least_span`, so that
/// noise does not look like a difference.
fn axis_range(figures: impl Iterator<Item = f64>, least_span: f64) -> Range<f64> {
    let mut low = f64::INFINITY;
    let mut high = f64::NEG_INFINITY;
    for figure in figures {
        low = low.min(figure);
        high = high.max(figure);
    }
    if low > high {
        return 0.0..100.0;
    }
    let span = (high - low).max(least_span);
    let middle = (low + high) / 2.0;
    middle - 0.6 * span..middle + 0.6 * span
}

/// Our figures with their range over seeds, and the published ones.
fn extremes(table: &ResultTable, row: usize, column: usize) -> impl Iterator<Item = f64> + use<> {
    let ours = table.ours(row, column).map(|Figure { range: (least, most), .. }| [least, most]);
    ours.into_iter().flatten().chain(table.published(row, column))
}

/// Draws the axes of a panel; with no `y_labels` only the horizontal one is labelled.
fn draw_axes<S: Surface>(
    panel: &mut Panel<'_, S>,
    x_title: &str,
    y_labels: usize,
) -> anyhow::Result<()> {
    let mut mesh = panel.configure_mesh();
    if y_labels == 0 {
        mesh.disable_y_mesh();
    }
    mesh.axis_style(FAINT)
        .bold_line_style(FAINT)
        .light_line_style(TRANSPARENT)
        .x_labels(5)
        .y_labels(y_labels)
        .x_desc(x_title)
        .label_style((FONT, TEXT).into_font().color(&INK))
        .x_label_formatter(&axis_label)
        .y_label_formatter(&axis_label)
        .draw()?;
    Ok(())
}

/// A number with two decimals at most.
fn axis_label(value: &f64) -> String {
    format!("{}", (value * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use gait_eval::Protocol;
    use gaitgl::ablation::{Run, Sweep};
    use serde_json::json;

    use super::*;

    /// A table with the given figures; a row may have none.
    fn table(sweep: &str, figures: impl Fn(usize) -> Option<f64>) -> ResultTable {
        let sweep = Sweep::load(sweep).unwrap();
        let rows = sweep.rows.len();
        let mut table = ResultTable::new(sweep, &Protocol::builtin("casia-b").unwrap());
        for (row, seed) in (0..rows).flat_map(|row| [(row, 1), (row, 2)]) {
            let nm = figures(row).map(|v| v + seed as f64);
            let figures = json!({ "NM": nm, "BG": 20.0, "CL": 10.0 * row as f64, "mean": null });
            let score = table.score(&json!({ "rank1": figures })).unwrap();
            table.add(Run { row, seed, score });
        }
        table
    }

    #[test]
    fn both_formats_hold_every_row_and_every_group() {
        let Pictures { svg, png } = draw(&table("table5", |row| Some(row as f64))).unwrap();
        for part in ["local strip-v", "pixel", "NM", "Mean", "the paper"] {
            assert!(svg.contains(part), "no {part}");
        }
        let image = image::load_from_memory(&png).unwrap().into_rgb8();
        assert_eq!(image.width(), WIDTH);
        let inked =
            |colour: RGBColor| image.pixels().any(|p| p.0 == [colour.0, colour.1, colour.2]);
        assert!(inked(COLOURS[0]) && inked(COLOURS[2]), "no marks");
    }

    #[test]
    fn curves_have_a_panel_for_each_series() {
        let svg = draw(&table("fig4", |row| Some(row as f64))).unwrap().svg;
        for part in ["part-h", "part-v", "strip-h", "strip-v", "pixel", "dropping ratio", "0.8"] {
            assert!(svg.contains(part), "no {part}");
        }
    }

    #[test]
    fn a_table_without_figures_can_be_drawn() {
        draw(&table("fig4", |_| None)).unwrap();
        draw(&table("readings", |row| (row > 0).then_some(50.0))).unwrap();
        assert_eq!(axis_range(std::iter::empty(), 2.0), 0.0..100.0);
        assert_eq!(axis_range([50.0].into_iter(), 2.0), 48.8..51.2);
    }
}
