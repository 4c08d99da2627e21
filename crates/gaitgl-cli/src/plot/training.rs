//! The course of one or several trainings: a panel for each quantity, a line for each run.

use gaitgl::run::{LogLine, Metrics};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::axes::{self, Axis, Scale};
use super::legend::{Legend, Symbol};
use super::{MARGIN, MARK, Picture, Surface, TEXT, colour, grid, px, text};

/// Width and height of a panel.
const PANEL: [i32; 2] = [540, 420];
/// Most panels side by side.
const MOST_PANELS: usize = 4;
/// Panels side by side as long as two lines hold all.
const FEW_PANELS: usize = 3;
/// Least span of a vertical axis.
const LEAST_SPAN: f64 = 1e-3;

/// What one run has logged.
pub struct Run {
    pub name: String,
    pub metrics: Metrics,
    /// Whether its network has a classifier.
    pub classifies: bool,
}

/// Several runs side by side.
pub struct Trainings {
    pub runs: Vec<Run>,
}

/// Iterations and values.
type Points = Vec<(f64, f64)>;

/// One quantity of all runs.
struct Panel {
    title: String,
    scale: Scale,
    /// Whether the points are few, so that each has a mark.
    marked: bool,
    lines: Vec<Points>,
}

impl Trainings {
    fn panels(&self) -> Vec<Panel> {
        let quantity = |title: &str, value: fn(&LogLine) -> f64| Panel {
            title: title.to_owned(),
            scale: Scale::Linear,
            marked: false,
            lines: self.lines(|_| true, value),
        };
        let of_classifier = |title: &str, value: fn(&LogLine) -> f64| Panel {
            lines: self.lines(|run| run.classifies, value),
            ..quantity(title, value)
        };
        let panels = [
            quantity("combined loss", |line| line.step.loss),
            quantity("triplet loss", |line| line.step.triplet),
            of_classifier("cross-entropy", |line| line.step.cross_entropy),
            quantity("active triplets (%)", |line| line.step.active),
            of_classifier("classifier's accuracy (%)", |line| line.step.accuracy),
            Panel {
                scale: Scale::Powers,
                lines: self.lines(|_| true, |line| line.step.learning_rate.log10()),
                ..quantity("learning rate", |line| line.step.learning_rate)
            },
            self.tests(),
        ];
        panels.into_iter().filter(|panel| panel.lines.iter().any(|line| !line.is_empty())).collect()
    }

    /// A quantity of the log of those runs that have it.
    fn lines(&self, has: impl Fn(&Run) -> bool, value: fn(&LogLine) -> f64) -> Vec<Points> {
        let point = |line: &LogLine| (line.step.iteration as f64, value(line));
        let line = |run: &Run| {
            let log = run.metrics.log.iter().filter(|_| has(run));
            log.map(point).filter(|(_, value)| value.is_finite()).collect()
        };
        self.runs.iter().map(line).collect()
    }

    /// The scores of the tests during training.
    fn tests(&self) -> Panel {
        let tests = || self.runs.iter().flat_map(|run| &run.metrics.tests);
        let metric = tests().next().map_or("", |test| &test.metric);
        let several = tests().any(|test| test.metric != metric);
        let metric = if several { "score" } else { metric };
        let scores = |run: &Run| {
            let tests = run.metrics.tests.iter();
            tests.filter_map(|test| Some((test.iteration as f64, test.score?))).collect()
        };
        Panel {
            title: format!("test {metric} (%)"),
            scale: Scale::Linear,
            marked: true,
            lines: self.runs.iter().map(scores).collect(),
        }
    }

    fn legend(&self) -> Legend {
        let runs = self.runs.iter().enumerate();
        Legend::new(runs.map(|(at, run)| (Symbol::Line(colour(at)), run.name.clone())))
    }

    fn layout(&self) -> [usize; 2] {
        let panels = self.panels().len();
        grid(panels, if panels <= 2 * FEW_PANELS { FEW_PANELS } else { MOST_PANELS })
    }

    fn width(&self) -> i32 {
        px(self.layout()[1]) * PANEL[0]
    }

    fn head(&self) -> i32 {
        self.legend().height(self.width() - 2 * MARGIN) + 2 * MARGIN
    }

    /// The last iteration of any run.
    fn last(&self) -> f64 {
        let logs = self.runs.iter().filter_map(|run| run.metrics.log.last());
        logs.map(|line| line.step.iteration as f64).fold(1.0, f64::max)
    }
}

impl Picture for Trainings {
    fn size(&self) -> [u32; 2] {
        let lines = px(self.layout()[0]);
        [self.width() as u32, (self.head() + lines * PANEL[1]) as u32]
    }

    fn draw<S: Surface>(&self, root: &DrawingArea<S, Shift>) -> anyhow::Result<()> {
        let (above, body) = root.split_vertically(self.head());
        self.legend().draw(&above.margin(0, 0, 0, MARGIN), (MARGIN, MARGIN))?;
        let [lines, across] = self.layout();
        for (panel, area) in self.panels().iter().zip(body.split_evenly((lines, across))) {
            self.draw_panel(&area, panel)?;
        }
        Ok(())
    }
}

impl Trainings {
    fn draw_panel<S: Surface>(
        &self,
        area: &DrawingArea<S, Shift>,
        panel: &Panel,
    ) -> anyhow::Result<()> {
        let values = panel.lines.iter().flatten().map(|(_, value)| *value);
        let range = match panel.scale {
            Scale::Linear => axes::range(values, LEAST_SPAN),
            Scale::Powers => axes::decades(values.map(|power| 10.0_f64.powf(power))),
        };
        let labels = match panel.scale {
            Scale::Linear => 6,
            Scale::Powers => (range.end - range.start) as usize + 1,
        };
        // A constant rate of a power of ten would lie on the edge.
        let edge = 0.05 * (range.end - range.start);
        let mut chart = ChartBuilder::on(area)
            .caption(&panel.title, text(TEXT, HPos::Center, VPos::Top))
            .margin_right(2 * MARGIN)
            .margin_bottom(MARGIN)
            .x_label_area_size(3 * TEXT)
            .y_label_area_size(4 * TEXT)
            .build_cartesian_2d(0.0..self.last() * 1.02, range.start - edge..range.end + edge)?;
        let x = Axis { title: "iteration", labels: 5, scale: Scale::Linear };
        axes::draw(&mut chart, &x, &Axis { title: "", labels, scale: panel.scale })?;
        for (at, points) in panel.lines.iter().enumerate() {
            let line = LineSeries::new(points.iter().copied(), colour(at).stroke_width(3));
            chart.draw_series(line)?;
            if panel.marked || points.len() == 1 {
                let mark = |point: &(f64, f64)| Circle::new(*point, MARK - 2, colour(at).filled());
                chart.draw_series(points.iter().map(mark))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gaitgl::train::{Pace, StepReport, TestReport};

    use super::*;
    use crate::plot::{png, svg};

    fn run(name: &str, classifies: bool, tests: Vec<TestReport>) -> Run {
        let line = |iteration: u64| LogLine {
            step: StepReport {
                iteration,
                loss: 1.0 / iteration as f64,
                triplet: 0.2,
                cross_entropy: 3.0,
                active: 50.0,
                accuracy: iteration as f64,
                learning_rate: if iteration < 20 { 1e-3 } else { 1e-4 },
            },
            pace: Pace {
                frames_per_second: 1.0,
                seconds_per_iteration: 1.0,
                waiting: 0.0,
                seconds_left: 0.0,
            },
        };
        let log = [10, 20, 30].map(line).to_vec();
        Run { name: name.into(), metrics: Metrics { log, tests }, classifies }
    }

    fn test(metric: &str) -> TestReport {
        TestReport { iteration: 20, metric: metric.into(), score: Some(80.0), best: true }
    }

    fn titles(runs: Vec<Run>) -> Vec<String> {
        Trainings { runs }.panels().into_iter().map(|panel| panel.title).collect()
    }

    #[test]
    fn every_quantity_that_a_run_has_is_a_panel() {
        let all = titles(vec![run("a", true, vec![test("rank-1")])]);
        assert_eq!(all.len(), 7);
        assert_eq!(all[6], "test rank-1 (%)");
        assert_eq!(titles(vec![run("a", true, Vec::new())]).len(), 6);
        let without = titles(vec![run("a", false, Vec::new())]);
        assert_eq!(
            without,
            ["combined loss", "triplet loss", "active triplets (%)", "learning rate"]
        );
        let several = vec![run("a", true, vec![test("rank-1")]), run("b", true, vec![test("mAP")])];
        assert_eq!(titles(several)[6], "test score (%)");
    }

    #[test]
    fn both_formats_name_every_run() {
        let runs = vec![run("one", true, vec![test("rank-1")]), run("two", false, Vec::new())];
        let trainings = Trainings { runs };
        let text = svg(&trainings).unwrap();
        for part in ["one", "two", "triplet loss", "learning rate", "0.001", "1e-4"] {
            assert!(text.contains(part), "no {part}");
        }
        png(&trainings).unwrap();
    }

    #[test]
    fn runs_that_logged_nothing_can_be_drawn() {
        let empty = Run { metrics: Metrics::default(), ..run("a", true, Vec::new()) };
        png(&Trainings { runs: vec![empty] }).unwrap();
    }
}
