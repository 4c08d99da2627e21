//! The result of a test, and its JSON.

use serde_json::{Map, Value, json};

use crate::evaluate::same_view;
use crate::{
    Average, Distance, IdenticalViews, Metric, Note, Outcomes, PublishedFigures, PublishedRow,
};

/// The result of one protocol on one set of embeddings. All figures are percentages; `None` where
/// the data has nothing to compare.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The protocol's name.
    pub protocol: String,
    /// The distance that ranked.
    pub distance: Distance,
    /// What was measured; all `values` follow this order.
    pub metrics: Vec<Metric>,
    /// Over what the metrics were averaged.
    pub average: Average,
    /// What became of identical views; `Keep` also where the data has one view only.
    pub identical_views: IdenticalViews,
    /// The groups of probes, as the protocol orders them.
    pub groups: Vec<GroupResult>,
    /// Mean over the groups that have a value, per metric.
    pub mean: Vec<Option<f64>>,
    /// Sequences in the data.
    pub sequences: usize,
    /// What a reader of the figures must know about the data.
    pub notes: Vec<Note>,
    /// The outcomes by subject.
    pub outcomes: Outcomes,
    /// Published rows to show beside the figures. [`evaluate`](crate::evaluate()) leaves them out:
    /// which ones belong there depends on the network.
    pub published: Vec<PublishedRow>,
    /// What is written after the number of a view: a degree sign, or nothing.
    pub view_unit: String,
}

/// The result of one group of probes.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupResult {
    /// The group's name.
    pub name: String,
    /// Probes in the data.
    pub probes: usize,
    /// Gallery sequences in the data.
    pub gallery: usize,
    /// Probes that are compared with an exact copy of their own embedding.
    pub duplicates: usize,
    /// The group's figures, per metric.
    pub values: Vec<Option<f64>>,
    /// Figures by probe view; empty where the average is over probes.
    pub views: Vec<ViewResult>,
    /// Figures by pair of views; empty unless the average is over them.
    pub pairs: Vec<PairResult>,
}

/// The figures of one probe view.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewResult {
    /// The view's name.
    pub view: String,
    /// Its figures, per metric.
    pub values: Vec<Option<f64>>,
}

/// The figures of one probe view against one gallery view.
#[derive(Debug, Clone, PartialEq)]
pub struct PairResult {
    /// The probes' view.
    pub probe_view: String,
    /// The gallery's view.
    pub gallery_view: String,
    /// Probes that were compared.
    pub probes: usize,
    /// The figures, per metric.
    pub values: Vec<Option<f64>>,
}

impl Evaluation {
    /// The result as JSON, in percent.
    ///
    /// It has `protocol`, `distance`, one object per metric (`rank1`, `mAP`) with the groups and
    /// their `mean`, `views` (the first metric by group and probe view), `view_pairs` where these
    /// are averaged, `counts` and `duplicates` by group, `sequences`, `seconds` as given, `notes`,
    /// `published` rows if any are shown, and the [`Outcomes`] as `outcomes`. Figures that the data
    /// does not give are null.
    pub fn to_json(&self, seconds: f64) -> Value {
        let mut root = Map::new();
        root.insert("protocol".to_owned(), json!(self.protocol));
        root.insert("distance".to_owned(), json!(self.distance));
        for (at, metric) in self.metrics.iter().enumerate() {
            let mut figures = self.by_group(|group| json!(group.values[at]));
            figures.insert("mean".to_owned(), json!(self.mean[at]));
            root.insert(metric.key(), figures.into());
        }
        let views = self.by_group(|group| {
            group.views.iter().map(|v| (v.view.clone(), json!(v.values[0]))).collect()
        });
        root.insert("views".to_owned(), views.into());
        let pairs = self.by_group(|group| {
            let pair =
                |p: &PairResult| json!([p.probe_view, p.gallery_view, p.probes, p.values[0]]);
            group.pairs.iter().map(pair).collect()
        });
        if self.average == Average::ViewPairs {
            root.insert("view_pairs".to_owned(), pairs.into());
        }
        let counts =
            self.by_group(|group| json!({ "probes": group.probes, "gallery": group.gallery }));
        root.insert("counts".to_owned(), counts.into());
        let duplicates = self.by_group(|group| json!(group.duplicates));
        root.insert("duplicates".to_owned(), duplicates.into());
        root.insert("sequences".to_owned(), json!(self.sequences));
        root.insert("seconds".to_owned(), json!(seconds));
        let notes: Vec<String> = self.notes.iter().map(ToString::to_string).collect();
        root.insert("notes".to_owned(), json!(notes));
        if !self.published.is_empty() {
            let rows: Vec<Value> = self.published.iter().map(|row| self.row_json(row)).collect();
            root.insert("published".to_owned(), rows.into());
        }
        root.insert("outcomes".to_owned(), json!(self.outcomes));
        root.into()
    }

    /// A published row in the form of the result: one object per metric, and `views`.
    fn row_json(&self, row: &PublishedRow) -> Value {
        let mut root = Map::new();
        root.insert("label".to_owned(), json!(row.label));
        root.insert("source".to_owned(), json!(row.source));
        root.insert("preset".to_owned(), json!(row.preset));
        for (at, metric) in self.metrics.iter().enumerate() {
            let of_group = |(name, figures): (&String, &PublishedFigures)| {
                (name.clone(), json!(figures.values[at]))
            };
            let mut figures: Map<_, _> = row.groups.iter().map(of_group).collect();
            figures.insert("mean".to_owned(), json!(row.mean[at]));
            root.insert(metric.key(), figures.into());
        }
        let views = |(name, figures): (&String, &PublishedFigures)| {
            let views = figures.views.iter().map(|(view, percent)| (view.clone(), json!(percent)));
            (name.clone(), Value::Object(views.collect()))
        };
        root.insert("views".to_owned(), row.groups.iter().map(views).collect());
        root.into()
    }

    /// Whether a published row has figures that stand beside those of this result: of its views, if
    /// it has views, and else of one of its groups.
    pub fn has_the_views_of(&self, row: &PublishedRow) -> bool {
        self.groups.iter().any(|group| {
            let Some(published) = row.groups.get(&group.name) else { return false };
            let is_published = |view: &ViewResult| {
                published.views.iter().any(|(name, _)| same_view(name, &view.view))
            };
            group.views.len() == published.views.len() && group.views.iter().all(is_published)
        })
    }

    fn by_group(&self, value: impl Fn(&GroupResult) -> Value) -> Map<String, Value> {
        self.groups.iter().map(|group| (group.name.clone(), value(group))).collect()
    }
}

/// Mean of the values there are.
pub(crate) fn mean(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.into_iter().flatten().collect();
    (!values.is_empty()).then(|| sum(&values) / values.len() as f64)
}

/// The sum of a row of figures, in the order in which numpy adds a row: eight running sums, joined
/// in pairs, then what is left over.
///
/// A mean of rounded figures is often exactly half way between two printed ones, and then the last
/// bit of the sum decides. In this order it decides as in published code.
pub(crate) fn sum(row: &[f64]) -> f64 {
    let (lanes, rest) = row.as_chunks::<8>();
    let mut lanes = lanes.iter();
    let Some(first) = lanes.next() else { return rest.iter().sum() };
    let mut r = *first;
    for more in lanes {
        r.iter_mut().zip(more).for_each(|(sum, value)| *sum += value);
    }
    let joined = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    rest.iter().fold(joined, |sum, value| sum + value)
}

/// A percentage rounded as numpy rounds: scaled, to the nearest whole (half to even), scaled back.
pub(crate) fn rounded(percent: f64, decimals: Option<u8>) -> f64 {
    let Some(decimals) = decimals else { return percent };
    let scale = 10.0_f64.powi(i32::from(decimals));
    (percent * scale).round_ties_even() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_leaves_gaps_out() {
        assert_eq!(mean([Some(1.0), None, Some(2.0)]), Some(1.5));
        assert_eq!(mean([None, None]), None);
    }

    #[test]
    fn a_mean_half_way_rounds_as_numpy_has_it() {
        // Ten views and an excluded one: 90.515. numpy 2.4 adds it up to a little more.
        let row = [87.63, 78.35, 94.85, 0.0, 84.54, 80.41, 93.81, 93.81, 92.78, 98.97, 100.0];
        let printed = |sum: f64| format!("{:.2}", sum / 10.0);
        assert_eq!(printed(sum(&row)), "90.52");
        assert_eq!(printed(row.iter().sum()), "90.51");
    }

    #[test]
    fn figures_round_to_even_where_they_are_half_way() {
        assert_eq!(rounded(12.125, Some(2)), 12.12);
        assert_eq!(rounded(100.0 * 11.0 / 93.0, Some(2)), 11.83);
        assert_eq!(rounded(12.125, None), 12.125);
    }
}
