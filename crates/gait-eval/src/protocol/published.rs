//! Published figures: the rows of other systems that a protocol carries.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Average, ProbeGroup};
use crate::Metric;
use crate::protocol_error::PublishedError;

/// A published table of figures that were measured by a protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedTable {
    /// Where it was published, and on which data it was measured.
    pub source: String,
    /// The task that the figures belong to, if it is another one than that of the protocol. They
    /// must not stand beside the protocol's results then.
    pub other_task: Option<String>,
    /// One row for each system.
    pub rows: Vec<PublishedRow>,
}

/// The published figures of one system. They are percentages.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedRow {
    /// The row's name in a table.
    pub label: String,
    /// Where it was published: that of its [`PublishedTable`].
    pub source: String,
    /// The preset whose network the system is, if it is one.
    pub preset: Option<String>,
    /// The figures of each group of probes, by its name.
    pub groups: BTreeMap<String, PublishedFigures>,
    /// The mean over groups, per metric of the protocol.
    pub mean: Vec<Option<f64>>,
}

/// The published figures of one group of probes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PublishedFigures {
    /// One figure per metric of the protocol.
    pub values: Vec<Option<f64>>,
    /// The first metric by the name of the probe view.
    pub views: Vec<(String, f64)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPublishedTable {
    source: String,
    other_task: Option<String>,
    #[serde(rename = "row")]
    rows: Vec<RawRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRow {
    label: String,
    preset: Option<String>,
    groups: BTreeMap<String, RawFigures>,
    #[serde(default)]
    mean: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct RawFigures {
    #[serde(default)]
    views: BTreeMap<String, f64>,
    #[serde(flatten)]
    values: BTreeMap<String, f64>,
}

/// What published figures must fit.
pub(super) struct Measured<'a> {
    pub groups: &'a [ProbeGroup],
    pub metrics: &'a [Metric],
    pub average: Average,
}

impl RawPublishedTable {
    pub fn checked(self, measured: &Measured) -> Result<PublishedTable, PublishedError> {
        let mut rows = Vec::new();
        for row in self.rows {
            if self.other_task.is_none() {
                measured.check_groups(&row)?;
            }
            let mut groups = BTreeMap::new();
            for (name, figures) in row.groups {
                groups.insert(name, measured.figures(figures)?);
            }
            rows.push(PublishedRow {
                label: row.label,
                source: self.source.clone(),
                preset: row.preset,
                groups,
                mean: measured.values(&row.mean)?,
            });
        }
        Ok(PublishedTable { source: self.source, other_task: self.other_task, rows })
    }
}

impl Measured<'_> {
    fn check_groups(&self, row: &RawRow) -> Result<(), PublishedError> {
        let known = |name: &String| self.groups.iter().any(|group| group.name == *name);
        match row.groups.keys().find(|name| !known(name)) {
            Some(group) => {
                Err(PublishedError::Group { row: row.label.clone(), group: group.clone() })
            }
            None => Ok(()),
        }
    }

    fn figures(&self, raw: RawFigures) -> Result<PublishedFigures, PublishedError> {
        if !raw.views.is_empty() && self.average == Average::Probes {
            return Err(PublishedError::NoViews);
        }
        check_percentages(raw.views.values())?;
        let values = self.values(&raw.values)?;
        Ok(PublishedFigures { values, views: raw.views.into_iter().collect() })
    }

    /// Figures by the name of their metric, in the order of the metrics.
    fn values(&self, named: &BTreeMap<String, f64>) -> Result<Vec<Option<f64>>, PublishedError> {
        let known = |name: &String| self.metrics.iter().any(|m| m.to_string() == *name);
        if let Some(name) = named.keys().find(|name| !known(name)) {
            return Err(PublishedError::Metric(name.clone()));
        }
        check_percentages(named.values())?;
        Ok(self.metrics.iter().map(|metric| named.get(&metric.to_string()).copied()).collect())
    }
}

fn check_percentages<'a>(mut figures: impl Iterator<Item = &'a f64>) -> Result<(), PublishedError> {
    match figures.find(|percent| !(0.0..=100.0).contains(*percent)) {
        Some(figure) => Err(PublishedError::NotAPercentage(*figure)),
        None => Ok(()),
    }
}
