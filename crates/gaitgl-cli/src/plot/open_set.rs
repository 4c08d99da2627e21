//! Errors of open-set recognition: who is missed, over who is taken for somebody else.

use gait_eval::OpenSetPoint;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::axes::{self, Axis, Scale};
use super::legend::{Legend, Symbol};
use super::{COLOURS, INK, MARGIN, MARK, Picture, Surface, TEXT};

/// Width and height of the picture.
const SIZE: [u32; 2] = [960, 720];
/// What the curves show.
const CURVES: [(&str, RGBColor); 2] =
    [("one comparison: FRR over FAR", COLOURS[0]), ("identification: FNIR over FPIR", COLOURS[3])];

/// The curves of comparisons and of identifications, and the threshold that was chosen.
pub struct OpenSetCurves {
    /// In the order of their thresholds.
    pub points: Vec<OpenSetPoint>,
    pub chosen: OpenSetPoint,
}

impl OpenSetCurves {
    /// A place on each curve, in percent: false accepts and misses; `None` if it was not measured.
    fn places(point: &OpenSetPoint) -> [Option<(f64, f64)>; 2] {
        let OpenSetPoint { pairs, searches, .. } = point;
        [
            pairs.false_accept.zip(pairs.false_reject),
            searches.false_positive.zip(searches.false_negative),
        ]
        .map(|rates| rates.map(|(accepted, missed)| (100.0 * accepted, 100.0 * missed)))
    }

    /// Of the places without false accepts, which have none on the axis, the last one is kept.
    fn curve(&self, at: usize) -> Vec<(f64, f64)> {
        let mut places: Vec<(f64, f64)> =
            self.points.iter().filter_map(|point| Self::places(point)[at]).collect();
        places.drain(..places.partition_point(|(x, _)| *x == 0.0).saturating_sub(1));
        places
    }

    fn legend() -> Legend {
        let lines = CURVES.map(|(name, colour)| (Symbol::Line(colour), name.to_owned()));
        let chosen = (Symbol::Disc(INK), "chosen threshold".to_owned());
        Legend::new(lines.into_iter().chain([chosen]))
    }
}

impl Picture for OpenSetCurves {
    fn size(&self) -> [u32; 2] {
        SIZE
    }

    fn draw<S: Surface>(&self, root: &DrawingArea<S, Shift>) -> anyhow::Result<()> {
        let width = SIZE[0].cast_signed() - 2 * MARGIN;
        let (above, body) = root.split_vertically(Self::legend().height(width) + 2 * MARGIN);
        Self::legend().draw(&above.margin(0, 0, 0, MARGIN), (MARGIN, MARGIN))?;
        let curves = [self.curve(0), self.curve(1)];
        let shown = || curves.iter().flatten();
        let decades = axes::decades(shown().map(|(x, _)| *x).filter(|rate| *rate > 0.0));
        let decades = decades.start.min(1.0)..2.0;
        let highest = shown().map(|(_, y)| *y).fold(0.0, f64::max);
        // Whole tens above the highest point.
        let top = ((highest / 10.0).ceil() * 10.0).clamp(10.0, 100.0);
        let mut chart = ChartBuilder::on(&body)
            .margin_left(MARGIN / 2)
            .margin_right(2 * MARGIN)
            .margin_bottom(MARGIN / 2)
            .x_label_area_size(3 * TEXT)
            .y_label_area_size(4 * TEXT)
            .build_cartesian_2d(decades.clone(), 0.0..top)?;
        let labels = (decades.end - decades.start) as usize + 1;
        let x = Axis { title: "FAR, FPIR (%)", labels, scale: Scale::Powers };
        let y = Axis { title: "FRR, FNIR (%)", labels: 6, scale: Scale::Linear };
        axes::draw(&mut chart, &x, &y)?;
        // What is never wrong is at the left end of the axis.
        let place = |(x, y): (f64, f64)| (x.log10().max(decades.start), y);
        let chosen = Self::places(&self.chosen);
        for (at, (_, colour)) in CURVES.iter().enumerate() {
            let line = curves[at].iter().copied().map(place);
            chart.draw_series(LineSeries::new(line, colour.stroke_width(3)))?;
            let mark = chosen[at].map(|at| Circle::new(place(at), MARK, colour.filled()));
            chart.draw_series(mark)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gait_eval::{PairRates, SearchRates};

    use super::*;
    use crate::plot::{png, svg};

    fn point(threshold: f32, rates: [f64; 4], enrolled: bool) -> OpenSetPoint {
        let [false_accept, false_reject, false_positive, false_negative] = rates;
        let false_negative = enrolled.then_some(false_negative);
        OpenSetPoint {
            threshold,
            pairs: PairRates {
                false_accept: Some(false_accept),
                false_reject: enrolled.then_some(false_reject),
            },
            searches: SearchRates { false_positive: Some(false_positive), false_negative },
        }
    }

    fn curves(enrolled: bool) -> OpenSetCurves {
        let points = vec![
            point(0.05, [0.0, 0.9, 0.0, 0.9], enrolled),
            point(0.1, [0.0, 0.4, 0.0, 0.42], enrolled),
            point(0.2, [0.01, 0.1, 0.2, 0.12], enrolled),
            point(0.3, [1.0, 0.0, 1.0, 0.0], enrolled),
        ];
        OpenSetCurves { chosen: points[2], points }
    }

    #[test]
    fn both_curves_are_drawn_with_the_chosen_threshold() {
        let text = svg(&curves(true)).unwrap();
        for part in ["FRR over FAR", "FNIR over FPIR", "FAR, FPIR (%)", "chosen threshold"] {
            assert!(text.contains(part), "no {part}");
        }
        // One in the legend, and one on each curve.
        assert_eq!(text.matches("<circle").count(), 3);
        assert_eq!(curves(true).curve(1), [(0.0, 42.0), (20.0, 12.0), (100.0, 0.0)]);
        png(&curves(true)).unwrap();
    }

    #[test]
    fn without_a_second_sequence_of_anybody_there_are_axes_alone() {
        assert!(curves(false).curve(0).is_empty());
        svg(&curves(false)).unwrap();
    }
}
