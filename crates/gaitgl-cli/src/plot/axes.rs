//! Axes of panels.

use std::ops::Range;

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::{FAINT, FONT, INK, Surface, TEXT};

pub type Panel<'a, S> = ChartContext<'a, S, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// How an axis shows its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// As they are, without the noise of rounding.
    Linear,
    /// As powers of ten: the axis holds their decimal logarithms.
    Powers,
}

impl Scale {
    fn label(self, value: f64) -> String {
        match self {
            Self::Linear => format!("{}", (value * 1e6).round() / 1e6),
            Self::Powers if (value - value.round()).abs() > 1e-9 => String::new(),
            Self::Powers => power_of_ten(value.round() as i32),
        }
    }
}

/// `0.01`, `1`, `100`, or `1e-5` where there would be many zeros.
fn power_of_ten(exponent: i32) -> String {
    match exponent {
        -3..=3 => format!("{}", 10.0_f64.powi(exponent)),
        _ => format!("1e{exponent}"),
    }
}

/// One axis of a panel.
pub struct Axis<'a> {
    /// What stands beside it.
    pub title: &'a str,
    /// About how many numbers it shows; 0 for neither numbers nor lines.
    pub labels: usize,
    pub scale: Scale,
}

impl Axis<'_> {
    /// An axis with neither numbers nor lines.
    pub const NONE: Self = Axis { title: "", labels: 0, scale: Scale::Linear };
}

/// Draws the axes of a panel and the lines at their numbers.
pub fn draw<S: Surface>(
    panel: &mut Panel<'_, S>,
    x: &Axis<'_>,
    y: &Axis<'_>,
) -> anyhow::Result<()> {
    let x_label = |value: &f64| x.scale.label(*value);
    let y_label = |value: &f64| y.scale.label(*value);
    let mut mesh = panel.configure_mesh();
    if x.labels == 0 {
        mesh.disable_x_mesh();
    }
    if y.labels == 0 {
        mesh.disable_y_mesh();
    }
    mesh.axis_style(FAINT)
        .bold_line_style(FAINT)
        .light_line_style(TRANSPARENT)
        .x_labels(x.labels)
        .y_labels(y.labels)
        .x_desc(x.title)
        .y_desc(y.title)
        .label_style((FONT, TEXT).into_font().color(&INK))
        .x_label_formatter(&x_label)
        .y_label_formatter(&y_label)
        .draw()?;
    Ok(())
}

/// The range of an axis: a little more than the figures span. It spans at least `least_span`, so that
/// noise does not look like a difference.
pub fn range(figures: impl Iterator<Item = f64>, least_span: f64) -> Range<f64> {
    let Some((low, high)) = extremes(figures) else { return 0.0..100.0 };
    let span = (high - low).max(least_span);
    let middle = (low + high) / 2.0;
    middle - 0.6 * span..middle + 0.6 * span
}

/// The whole decades, as decimal logarithms, that hold all figures, which must be positive.
pub fn decades(figures: impl Iterator<Item = f64>) -> Range<f64> {
    let Some((low, high)) = extremes(figures.map(f64::log10)) else { return -1.0..0.0 };
    // A figure that is a power of ten is one up to rounding.
    let low = (low + 1e-9).floor();
    low..(high - 1e-9).ceil().max(low + 1.0)
}

fn extremes(figures: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    figures.fold(None, |so_far, figure| {
        let (low, high) = so_far.unwrap_or((figure, figure));
        Some((low.min(figure), high.max(figure)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_their_figures_and_have_a_least_span() {
        assert_eq!(range(std::iter::empty(), 2.0), 0.0..100.0);
        assert_eq!(range([50.0].into_iter(), 2.0), 48.8..51.2);
    }

    #[test]
    fn decades_are_whole() {
        assert_eq!(decades([3e-4, 1e-3].into_iter()), -4.0..-3.0);
        assert_eq!(decades([1e-4, 1e-5].into_iter()), -5.0..-4.0);
        assert_eq!(decades([0.1].into_iter()), -1.0..0.0);
        assert_eq!(decades([0.05, 100.0].into_iter()), -2.0..2.0);
        assert_eq!(decades(std::iter::empty()), -1.0..0.0);
    }

    #[test]
    fn numbers_are_short() {
        let numbers = [0.1 + 0.2, 0.002, -12.5].map(|value| Scale::Linear.label(value));
        assert_eq!(numbers, ["0.3", "0.002", "-12.5"]);
        let powers = [-5.0, -2.0, 0.0, 2.0, 0.5].map(|value| Scale::Powers.label(value));
        assert_eq!(powers, ["1e-5", "0.01", "1", "100", ""]);
    }
}
