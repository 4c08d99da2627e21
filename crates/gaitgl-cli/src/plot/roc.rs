//! ROC curves over a logarithmic axis of false accepts: a panel for each group of probes.

use std::ops::Range;

use gait_eval::{RocCurve, RocPoint};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::axes::{self, Axis, Scale};
use super::legend::{Legend, Symbol};
use super::{MARGIN, Picture, Surface, TEXT, colour, grid, px, text};

/// Width and height of a panel.
const PANEL: [i32; 2] = [640, 560];
/// Most panels side by side.
const MOST_PANELS: usize = 3;

/// The curves of several tests.
pub struct Rocs {
    /// Name and curves of each test.
    pub tests: Vec<(String, Vec<RocCurve>)>,
}

impl Rocs {
    /// Height of the legend with its margins.
    fn head(&self) -> i32 {
        self.legend().height(self.width() - 2 * MARGIN) + 2 * MARGIN
    }

    /// The names of the groups in the order in which they first occur.
    fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = Vec::new();
        for curve in self.tests.iter().flat_map(|(_, curves)| curves) {
            if !groups.contains(&curve.group.as_str()) {
                groups.push(&curve.group);
            }
        }
        groups
    }

    /// One test has one panel with a curve for each group; several have a panel for each group.
    fn panels(&self) -> Vec<Panel<'_>> {
        if let [(name, curves)] = self.tests.as_slice() {
            let curves = curves.iter().map(|curve| Some(curve.points.as_slice())).collect();
            return vec![Panel { title: name, curves }];
        }
        let of_group = |group: &str, curves: &'_ [RocCurve]| {
            curves.iter().position(|curve| curve.group == group)
        };
        let panel = |group| Panel {
            title: group,
            curves: self
                .tests
                .iter()
                .map(|(_, curves)| of_group(group, curves).map(|at| curves[at].points.as_slice()))
                .collect(),
        };
        self.groups().into_iter().map(panel).collect()
    }

    fn legend(&self) -> Legend {
        let names: Vec<&str> = match self.tests.as_slice() {
            [_] => self.groups(),
            tests => tests.iter().map(|(name, _)| name.as_str()).collect(),
        };
        let entries = names.into_iter().enumerate();
        Legend::new(entries.map(|(at, name)| (Symbol::Line(colour(at)), name.to_owned())))
    }

    fn points(&self) -> impl Iterator<Item = &RocPoint> {
        self.tests.iter().flat_map(|(_, curves)| curves).flat_map(|curve| &curve.points)
    }

    /// The range of false accepts, as decimal logarithms of percentages.
    fn decades(&self) -> Range<f64> {
        let rates = self.points().map(|point| point.false_accept_rate);
        let decades = axes::decades(rates.filter(|rate| *rate > 0.0));
        decades.start.min(1.0)..2.0
    }

    fn width(&self) -> i32 {
        let [_, across] = grid(self.panels().len(), MOST_PANELS);
        px(across) * PANEL[0]
    }
}

/// Curves of one panel; `None` for a test without this group.
struct Panel<'a> {
    title: &'a str,
    curves: Vec<Option<&'a [RocPoint]>>,
}

impl Picture for Rocs {
    fn size(&self) -> [u32; 2] {
        let [lines, _] = grid(self.panels().len(), MOST_PANELS);
        [self.width() as u32, (self.head() + px(lines) * PANEL[1]) as u32]
    }

    fn draw<S: Surface>(&self, root: &DrawingArea<S, Shift>) -> anyhow::Result<()> {
        let (above, body) = root.split_vertically(self.head());
        self.legend().draw(&above.margin(0, 0, 0, MARGIN), (MARGIN, MARGIN))?;
        let panels = self.panels();
        let [lines, across] = grid(panels.len(), MOST_PANELS);
        for (panel, area) in panels.iter().zip(body.split_evenly((lines, across))) {
            self.draw_panel(&area, panel)?;
        }
        Ok(())
    }
}

impl Rocs {
    fn draw_panel<S: Surface>(
        &self,
        area: &DrawingArea<S, Shift>,
        panel: &Panel<'_>,
    ) -> anyhow::Result<()> {
        let decades = self.decades();
        let lowest = self.points().map(|point| point.true_accept_rate).fold(100.0, f64::min);
        // Whole tens below the lowest point, and at least one.
        let floor = ((lowest / 10.0 - 0.5).floor() * 10.0).clamp(0.0, 90.0);
        let mut chart = ChartBuilder::on(area)
            .caption(panel.title, text(TEXT, HPos::Center, VPos::Top))
            .margin_left(MARGIN / 2)
            .margin_right(2 * MARGIN)
            .margin_bottom(MARGIN / 2)
            .x_label_area_size(3 * TEXT)
            .y_label_area_size(4 * TEXT)
            .build_cartesian_2d(decades.clone(), floor..100.0)?;
        let x = Axis {
            title: "false accept rate (%)",
            labels: (decades.end - decades.start) as usize + 1,
            scale: Scale::Powers,
        };
        let y = Axis { title: "true accept rate (%)", labels: 6, scale: Scale::Linear };
        axes::draw(&mut chart, &x, &y)?;
        for (at, points) in panel.curves.iter().enumerate() {
            let line = points.iter().flat_map(|points| line(points, decades.start));
            chart.draw_series(LineSeries::new(line, colour(at).stroke_width(3)))?;
        }
        Ok(())
    }
}

/// A curve on the axis. Of the points to the left of it, only the last one is kept, at its left end.
fn line(points: &[RocPoint], start: f64) -> impl Iterator<Item = (f64, f64)> {
    let outside = |point: &RocPoint| point.false_accept_rate.log10() <= start;
    let first = points.partition_point(outside).saturating_sub(1);
    let place = move |p: &RocPoint| (p.false_accept_rate.log10().max(start), p.true_accept_rate);
    points[first..].iter().map(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{png, svg};

    fn curve(group: &str, rates: &[(f64, f64)]) -> RocCurve {
        let point = |(at, (far, tar)): (usize, &(f64, f64))| RocPoint {
            threshold: at as f32,
            false_accept_rate: *far,
            true_accept_rate: *tar,
        };
        RocCurve { group: group.into(), points: rates.iter().enumerate().map(point).collect() }
    }

    const RATES: [(f64, f64); 4] = [(0.0, 50.0), (0.05, 70.0), (1.0, 90.0), (100.0, 100.0)];

    #[test]
    fn one_test_has_a_curve_for_each_group() {
        let curves = vec![curve("NM", &RATES), curve("CL", &RATES[1..])];
        let rocs = Rocs { tests: vec![("ours".into(), curves)] };
        assert_eq!(rocs.panels().len(), 1);
        assert_eq!(rocs.panels()[0].curves.len(), 2);
        let text = svg(&rocs).unwrap();
        for part in ["ours", "NM", "CL", "false accept rate (%)", "0.01", "100"] {
            assert!(text.contains(part), "no {part}");
        }
    }

    #[test]
    fn several_tests_have_a_panel_for_each_group() {
        let first = vec![curve("NM", &RATES), curve("CL", &RATES)];
        let tests = vec![("a".into(), first), ("b".into(), vec![curve("CL", &RATES)])];
        let rocs = Rocs { tests };
        let panels = rocs.panels();
        assert_eq!(panels.iter().map(|panel| panel.title).collect::<Vec<_>>(), ["NM", "CL"]);
        assert!(panels[0].curves[1].is_none() && panels[1].curves[1].is_some());
        png(&rocs).unwrap();
    }

    #[test]
    fn the_last_point_without_false_accepts_is_at_the_left_end() {
        let curve = curve("NM", &[&[(0.0, 20.0)], &RATES[..]].concat());
        let points: Vec<(f64, f64)> = line(&curve.points, -2.0).collect();
        assert_eq!((points[0], points[3]), ((-2.0, 50.0), (2.0, 100.0)));
        assert_eq!(line(&[], -2.0).count(), 0);
        let rocs = Rocs { tests: vec![("a".into(), vec![curve])] };
        assert_eq!(rocs.decades(), -2.0..2.0);
    }
}
