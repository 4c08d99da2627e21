//! The means of probe views, and the order of views.

use std::collections::BTreeMap;

use crate::evaluation::sum;
use crate::{PairResult, ViewResult};

/// The mean over gallery views of each probe view, in the order in which views are shown.
pub(super) fn view_means(pairs: &[PairResult], metrics: usize) -> Vec<ViewResult> {
    let mut by_view: BTreeMap<&str, Vec<&PairResult>> = BTreeMap::new();
    for pair in pairs {
        by_view.entry(&pair.probe_view).or_default().push(pair);
    }
    let mut views: Vec<ViewResult> = by_view
        .into_iter()
        .map(|(view, pairs)| ViewResult {
            view: view.to_owned(),
            values: (0..metrics).map(|m| row_mean(view, &pairs, m)).collect(),
        })
        .collect();
    // Angles in the order of their size, other views of their names.
    let angle = |view: &ViewResult| angle(&view.view);
    if views.iter().all(|v| angle(v).is_some()) {
        views.sort_by(|a, b| angle(a).unwrap_or(0.0).total_cmp(&angle(b).unwrap_or(0.0)));
    }
    views
}

/// The mean of one probe view over the gallery views that it was compared with.
///
/// In the row that is summed, an excluded identical view is a zero, as in published code: this
/// changes the places of the others in [`sum`], and with them its rounding.
fn row_mean(view: &str, pairs: &[&PairResult], metric: usize) -> Option<f64> {
    let values = pairs.iter().filter_map(|p| Some((p.gallery_view.as_str(), p.values[metric]?)));
    let mut row: Vec<(&str, f64)> = values.collect();
    let n = row.len();
    if let Err(place) = row.binary_search_by(|(gallery_view, _)| gallery_view.cmp(&view)) {
        row.insert(place, (view, 0.0));
    }
    let row: Vec<f64> = row.into_iter().map(|(_, value)| value).collect();
    (n > 0).then(|| sum(&row) / n as f64)
}

/// A view's name as a number, if it is a plain decimal one.
pub(crate) fn angle(view: &str) -> Option<f64> {
    let plain = view.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-'));
    view.parse().ok().filter(|_| plain)
}

/// Whether two names are of one view: `0` and `000` are.
pub(crate) fn same_view(a: &str, b: &str) -> bool {
    a == b || angle(a).is_some_and(|angle_a| angle(b) == Some(angle_a))
}
