//! The plot of an ablation: a panel of marks for each group of probes, or curves.

mod curves;
mod marks;

use gaitgl::ablation::{Figure, ResultTable};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{MARGIN, Picture, Surface, TITLE, WIDTH, text};

/// Height of the title and the legend.
const HEAD: i32 = 110;
/// Top of the legend.
const LEGEND: i32 = 70;

impl Picture for ResultTable {
    fn size(&self) -> [u32; 2] {
        let panels =
            if self.sweep().plot.is_some() { curves::height(self) } else { marks::height(self) };
        [WIDTH, HEAD as u32 + panels + MARGIN as u32]
    }

    fn draw<S: Surface>(&self, root: &DrawingArea<S, Shift>) -> anyhow::Result<()> {
        let (head, body) = root.margin(0, MARGIN, MARGIN, MARGIN).split_vertically(HEAD);
        let sweep = self.sweep();
        let title = format!("{}: {}, {} accuracy (%)", sweep.name, sweep.about, self.metric());
        head.draw(&Text::new(title, (0, MARGIN), text(TITLE, HPos::Left, VPos::Top)))?;
        if sweep.plot.is_some() {
            curves::legend(self).draw(&head, (0, LEGEND))?;
            curves::draw(&body, self)
        } else {
            marks::legend(self).draw(&head, (0, LEGEND))?;
            marks::draw(&body, self)
        }
    }
}

/// Our figures with their range over seeds, and the published ones.
fn extremes(table: &ResultTable, row: usize, column: usize) -> impl Iterator<Item = f64> + use<> {
    let ours = table.ours(row, column).map(|Figure { range: (least, most), .. }| [least, most]);
    ours.into_iter().flatten().chain(table.published(row, column))
}

#[cfg(test)]
mod tests {
    use gait_eval::Protocol;
    use gaitgl::ablation::{Run, Sweep};
    use serde_json::json;

    use super::*;
    use crate::plot::{COLOURS, png, svg};

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
        let table = table("table5", |row| Some(row as f64));
        let text = svg(&table).unwrap();
        for part in ["local strip-v", "pixel", "NM", "Mean", "the paper"] {
            assert!(text.contains(part), "no {part}");
        }
        let image = image::load_from_memory(&png(&table).unwrap()).unwrap().into_rgb8();
        assert_eq!(image.width(), WIDTH);
        let inked =
            |colour: RGBColor| image.pixels().any(|p| p.0 == [colour.0, colour.1, colour.2]);
        assert!(inked(COLOURS[0]) && inked(COLOURS[2]), "no marks");
    }

    #[test]
    fn curves_have_a_panel_for_each_series() {
        let svg = svg(&table("fig4", |row| Some(row as f64))).unwrap();
        for part in ["part-h", "part-v", "strip-h", "strip-v", "pixel", "dropping ratio", "0.8"] {
            assert!(svg.contains(part), "no {part}");
        }
    }

    #[test]
    fn a_table_without_figures_can_be_drawn() {
        png(&table("fig4", |_| None)).unwrap();
        png(&table("readings", |row| (row > 0).then_some(50.0))).unwrap();
    }
}
