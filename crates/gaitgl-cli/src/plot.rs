//! The picture of an ablation: a panel for each group of probes with a mark for each row, or curves.
//!
//! Both forms are drawn by the same code on two surfaces. The text of the PNG is set in a font that
//! comes with the program, because a bare machine has none; the SVG leaves it to the reader's.

use std::io::Cursor;
use std::ops::Range;

use anyhow::{Context, anyhow};
use gaitgl::ablation::{Figure, ResultTable};
use image::{ImageFormat, RgbImage};
use plotters::coord::types::RangedCoordf64;
use plotters::coord::{CoordTranslate, Shift};
use plotters::element::PointCollection;
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
/// Pixels of a row of marks, and of what stands above and below its panel.
const ROW: u32 = 44;
const PANEL: u32 = 110;
/// Height of a panel of curves.
const CURVES: u32 = 480;
/// Title and legend.
const HEAD: i32 = 110;

const INK: RGBColor = RGBColor(40, 40, 40);
const FAINT: RGBColor = RGBColor(222, 222, 222);
/// Colours that stay apart for eyes that do not see red or green; the first four are close to those
/// of the paper's Fig. 4.
const COLOURS: [RGBColor; 6] = [
    RGBColor(213, 60, 40),
    RGBColor(128, 62, 160),
    RGBColor(20, 165, 200),
    RGBColor(20, 60, 160),
    RGBColor(230, 159, 0),
    RGBColor(0, 130, 90),
];

/// A picture in both forms.
pub struct Pictures {
    pub svg: String,
    pub png: Vec<u8>,
}

type Panel<'a, B> = ChartContext<'a, B, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Draws a table.
pub fn draw(table: &ResultTable) -> anyhow::Result<Pictures> {
    register_font(FONT, FontStyle::Normal, dejavu::sans::regular())
        .map_err(|_| anyhow!("the font of the plots cannot be used"))?;
    let size = (WIDTH, height(table));
    let mut svg = String::new();
    draw_on(&SVGBackend::with_string(&mut svg, size).into_drawing_area(), table)?;
    let mut pixels = vec![255; (size.0 * size.1 * 3) as usize];
    draw_on(&BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area(), table)?;
    let image = RgbImage::from_raw(size.0, size.1, pixels).context("the plot has no pixels")?;
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png).context("the plot cannot be written as PNG")?;
    Ok(Pictures { svg, png: png.into_inner() })
}

fn height(table: &ResultTable) -> u32 {
    let body = if table.sweep().plot.is_some() {
        let [lines, _] = grid(series(table).len(), 3);
        lines as u32 * CURVES
    } else {
        let [lines, _] = grid(table.columns().len(), 4);
        lines as u32 * (PANEL + ROW * table.sweep().rows.len() as u32)
    };
    HEAD as u32 + body + MARGIN as u32
}

/// Lines and columns of panels.
fn grid(panels: usize, most: usize) -> [usize; 2] {
    let lines = panels.div_ceil(most).max(1);
    [lines, panels.div_ceil(lines).max(1)]
}

fn draw_on<B: DrawingBackend>(
    root: &DrawingArea<B, Shift>,
    table: &ResultTable,
) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    root.fill(&WHITE)?;
    let (head, body) = root.margin(0, MARGIN, MARGIN, MARGIN).split_vertically(HEAD);
    let sweep = table.sweep();
    let title = format!("{}: {}, {} accuracy (%)", sweep.name, sweep.about, table.metric());
    head.draw(&Text::new(title, (0, MARGIN), text(TITLE, HPos::Left, VPos::Top)))?;
    if sweep.plot.is_some() {
        legend_of_curves(&head, table)?;
        curves(&body, table)?;
    } else {
        legend_of_marks(&head, table)?;
        marks(&body, table)?;
    }
    root.present()?;
    Ok(())
}

fn text(size: i32, across: HPos, down: VPos) -> TextStyle<'static> {
    (FONT, size).into_font().color(&INK).pos(Pos::new(across, down))
}

/// Pixels that a text takes across.
fn width(label: &str, size: i32) -> i32 {
    let font = (FONT, size).into_font().transform(FontTransform::None);
    font.box_size(label).map_or(0, |(width, _)| i32::try_from(width).unwrap_or(0))
}

/// A little more than the figures take, and never so little that noise looks like a difference.
fn range(figures: impl Iterator<Item = f64>, least_span: f64) -> Range<f64> {
    let (low, high) =
        figures.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
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

fn legend_of_marks<B: DrawingBackend>(
    head: &DrawingArea<B, Shift>,
    table: &ResultTable,
) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    let (mut x, y) = (MARK, HEAD - TEXT - MARK);
    let several = (0..table.sweep().rows.len())
        .any(|row| table.ours(row, 0).is_some_and(|figure| figure.deviation.is_some()));
    let ours = if several { "ours, with the range over seeds" } else { "ours" };
    head.draw(&Circle::new((x, y), MARK, COLOURS[3].filled()))?;
    head.draw(&Text::new(ours, (x + 2 * MARK, y), text(TEXT, HPos::Left, VPos::Center)))?;
    if table.shows_published() {
        x += 6 * MARK + width(ours, TEXT);
        ring(head, (x, y), COLOURS[3])?;
        let style = text(TEXT, HPos::Left, VPos::Center);
        head.draw(&Text::new("the paper's", (x + 2 * MARK, y), style))?;
    }
    Ok(())
}

/// A panel for each group of probes; rows from top to bottom, accuracy to the right.
fn marks<B: DrawingBackend>(body: &DrawingArea<B, Shift>, table: &ResultTable) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    let rows = &table.sweep().rows;
    let names = rows.iter().map(|row| width(&row.name, TEXT)).max().unwrap_or(0) + 2 * MARK;
    let [lines, across] = grid(table.columns().len(), 4);
    for (line, area) in body.split_evenly((lines, 1)).iter().enumerate() {
        let (left, right) = area.split_horizontally(names);
        let panels = right.split_evenly((1, across));
        let columns = (line * across..table.columns().len()).zip(&panels);
        for (column, panel) in columns {
            let ys = marks_panel(panel, table, column)?;
            if column == line * across {
                let top = left.get_base_pixel().1;
                for (row, y) in rows.iter().zip(ys) {
                    let style = text(TEXT, HPos::Right, VPos::Center);
                    left.draw(&Text::new(row.name.clone(), (names - 2 * MARK, y - top), style))?;
                }
            }
        }
    }
    Ok(())
}

/// One panel of marks; gives the pixel row of each row.
fn marks_panel<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    table: &ResultTable,
    column: usize,
) -> anyhow::Result<Vec<i32>>
where
    B::ErrorType: 'static,
{
    let rows = table.sweep().rows.len();
    let across = range((0..rows).flat_map(|row| extremes(table, row, column)), 2.0);
    let place = |row: usize| (rows - 1 - row) as f64;
    let mut panel = ChartBuilder::on(area)
        .caption(&table.columns()[column], text(TEXT, HPos::Center, VPos::Top))
        .margin_right(3 * MARGIN)
        .x_label_area_size(2 * TEXT)
        .build_cartesian_2d(across.clone(), -0.7..rows as f64 - 0.3)?;
    axes(&mut panel, "", 0)?;
    let colour = COLOURS[column % COLOURS.len()];
    for row in 0..rows {
        let y = place(row);
        panel
            .plotting_area()
            .draw(&PathElement::new([(across.start, y), (across.end, y)], FAINT))?;
        if let Some(value) = table.published(row, column) {
            ring(panel.plotting_area(), (value, y), colour)?;
        }
        if let Some(Figure { mean, range: (least, most), .. }) = table.ours(row, column) {
            let bar = PathElement::new([(least, y), (most, y)], colour.stroke_width(4));
            panel.plotting_area().draw(&bar)?;
            panel.plotting_area().draw(&Circle::new((mean, y), MARK, colour.filled()))?;
        }
    }
    Ok((0..rows).map(|row| panel.backend_coord(&(across.start, place(row))).1).collect())
}

/// A hollow mark: plotters draws the outlines of circles in steps, but not their areas.
fn ring<B: DrawingBackend, T: CoordTranslate<From = P>, P: Clone>(
    area: &DrawingArea<B, T>,
    place: P,
    colour: RGBColor,
) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
    for<'a> &'a Circle<P, i32>: PointCollection<'a, P>,
{
    area.draw(&Circle::new(place.clone(), MARK, colour.filled()))?;
    area.draw(&Circle::new(place, MARK - 3, WHITE.filled()))?;
    Ok(())
}

fn axes<B: DrawingBackend>(panel: &mut Panel<'_, B>, x: &str, y_labels: usize) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    let mut mesh = panel.configure_mesh();
    if y_labels == 0 {
        mesh.disable_y_mesh();
    }
    mesh.axis_style(FAINT)
        .bold_line_style(FAINT)
        .light_line_style(TRANSPARENT)
        .x_labels(5)
        .y_labels(y_labels)
        .x_desc(x)
        .label_style((FONT, TEXT).into_font().color(&INK))
        .x_label_formatter(&short)
        .y_label_formatter(&short)
        .draw()?;
    Ok(())
}

/// A number of an axis without needless zeros.
fn short(value: &f64) -> String {
    format!("{}", (value * 100.0).round() / 100.0)
}

fn series(table: &ResultTable) -> Vec<&str> {
    let mut series: Vec<&str> = Vec::new();
    for name in table.sweep().rows.iter().filter_map(|row| row.series.as_deref()) {
        if !series.contains(&name) {
            series.push(name);
        }
    }
    series
}

fn legend_of_curves<B: DrawingBackend>(
    head: &DrawingArea<B, Shift>,
    table: &ResultTable,
) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    let (mut x, y) = (0, HEAD - TEXT - MARK);
    for (label, colour) in table.columns().iter().zip(COLOURS.iter().cycle()) {
        head.draw(&PathElement::new([(x, y), (x + 6 * MARK, y)], colour.stroke_width(3)))?;
        head.draw(&Circle::new((x + 3 * MARK, y), MARK - 2, colour.filled()))?;
        x += 7 * MARK;
        let style = text(TEXT, HPos::Left, VPos::Center);
        head.draw(&Text::new(label.clone(), (x, y), style))?;
        x += width(label, TEXT) + 4 * MARK;
    }
    Ok(())
}

/// A panel for each series, all of one height of accuracy.
fn curves<B: DrawingBackend>(
    body: &DrawingArea<B, Shift>,
    table: &ResultTable,
) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    let (rows, columns) = (table.sweep().rows.len(), table.columns().len());
    let cells = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let height = range(cells.flat_map(|(row, column)| extremes(table, row, column)), 2.0);
    let names = series(table);
    let [lines, across] = grid(names.len(), 3);
    let panels = body.split_evenly((lines, across));
    for (name, area) in names.iter().zip(&panels) {
        curves_panel(area, table, name, height.clone())?;
    }
    Ok(())
}

fn curves_panel<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    table: &ResultTable,
    name: &str,
    height: Range<f64>,
) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    let sweep = table.sweep();
    let of_series = |row: &usize| sweep.rows[*row].series.as_deref() == Some(name);
    let mut rows: Vec<(f64, usize)> = (0..sweep.rows.len())
        .filter(of_series)
        .filter_map(|row| sweep.rows[row].x.map(|x| (x, row)))
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut panel = ChartBuilder::on(area)
        .caption(name, text(TEXT, HPos::Center, VPos::Top))
        .margin_right(MARGIN)
        .margin_bottom(MARGIN)
        .x_label_area_size(3 * TEXT)
        .y_label_area_size(3 * TEXT)
        .build_cartesian_2d(range(rows.iter().map(|row| row.0), 0.0), height)?;
    axes(&mut panel, sweep.plot.as_ref().map_or("", |plot| &plot.x), 6)?;
    for column in 0..table.columns().len() {
        let colour = COLOURS[column % COLOURS.len()];
        let points = rows.iter().filter_map(|&(x, row)| Some((x, table.ours(row, column)?)));
        let points: Vec<(f64, Figure)> = points.collect();
        let line = points.iter().map(|(x, figure)| (*x, figure.mean));
        panel.draw_series(LineSeries::new(line, colour.stroke_width(3)))?;
        for (x, Figure { mean, range: (least, most), .. }) in points {
            let bar = PathElement::new([(x, least), (x, most)], colour.stroke_width(3));
            panel.plotting_area().draw(&bar)?;
            panel.plotting_area().draw(&Circle::new((x, mean), MARK - 2, colour.filled()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use gait_eval::Protocol;
    use gaitgl::ablation::{Run, Sweep};
    use serde_json::json;

    use super::*;

    /// A table whose rows have the given figures, some of them none.
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
    fn both_forms_hold_every_row_and_every_group() {
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
        assert_eq!(range(std::iter::empty(), 2.0), 0.0..100.0);
        assert_eq!(range([50.0].into_iter(), 2.0), 48.8..51.2);
    }
}
