//! The text of a protocol as it is written, and its checks.

use std::collections::BTreeSet;

use gait_support::Fingerprint;
use serde::Deserialize;

use super::published::{Measured, RawPublishedTable};
use super::{Average, IdenticalViews, ProbeGroup, Protocol, UnmatchedProbes};
use crate::pattern::{Pattern, RawSelector, Selector};
use crate::protocol_error::{GroupError, ProtocolError};
use crate::rerank::RawRerank;
use crate::submission_form::RawSubmission;
use crate::{Metric, Rerank};

/// A percentage in double precision has no more decimals.
const MOST_DECIMALS: u8 = 12;

/// The keys of a protocol file; `protocols/README.md` describes them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProtocol {
    name: String,
    about: String,
    metrics: Vec<Metric>,
    average: Average,
    identical_views: IdenticalViews,
    #[serde(default)]
    unmatched_probes: UnmatchedProbes,
    decimals: Option<u8>,
    #[serde(default)]
    skip_views: Vec<String>,
    view_ends_at: Option<String>,
    #[serde(default = "degrees")]
    view_unit: String,
    gallery: RawSelector,
    #[serde(default, rename = "probe")]
    probes: Vec<RawGroup>,
    #[serde(default)]
    published: Vec<RawPublishedTable>,
    rerank: Option<RawRerank>,
    submission: Option<RawSubmission>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    name: String,
    // A selection's keys, without `flatten`, which would allow unknown ones.
    conditions: Option<Vec<Pattern>>,
    subjects: Option<Vec<Pattern>>,
    listed: Option<bool>,
    gallery: Option<RawSelector>,
    #[serde(default = "yes")]
    in_mean: bool,
}

impl RawProtocol {
    pub fn from_toml(text: &str) -> Result<Self, ProtocolError> {
        toml::from_str(text).map_err(|error| {
            if has_old_figures(text) {
                return ProtocolError::OldFigures;
            }
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map(|before| before.matches('\n').count() + 1);
            ProtocolError::Syntax { line, message: error.message().replace('\n', " ") }
        })
    }

    pub fn checked(self) -> Result<Protocol, ProtocolError> {
        self.check_measures()?;
        if self.probes.is_empty() && self.submission.is_none() {
            return Err(ProtocolError::NoProbes);
        }
        if let Some(group) = first_repeated(self.probes.iter().map(|group| &group.name)) {
            return Err(ProtocolError::RepeatedGroup(group.clone()));
        }
        let gallery = self.gallery.checked().map_err(ProtocolError::Gallery)?;
        let rerank = self.rerank.map(|raw| Rerank::new(raw.k1, raw.k2, raw.lambda)).transpose();
        let submission = self.submission.map(RawSubmission::checked).transpose();
        let mut groups = Vec::new();
        for group in self.probes {
            let name = group.name.clone();
            let checked = group.checked(&gallery);
            groups.push(checked.map_err(|reason| ProtocolError::Group { name, reason })?);
        }
        let measured = Measured { groups: &groups, metrics: &self.metrics, average: self.average };
        let published = self.published.into_iter().map(|table| table.checked(&measured));
        let published = published.collect::<Result<_, _>>().map_err(ProtocolError::Published)?;
        Ok(Protocol {
            name: self.name,
            about: self.about,
            metrics: self.metrics,
            average: self.average,
            identical_views: self.identical_views,
            unmatched_probes: self.unmatched_probes,
            decimals: self.decimals,
            skip_views: self.skip_views,
            view_ends_at: self.view_ends_at,
            view_unit: self.view_unit,
            groups,
            published,
            rerank: rerank.map_err(ProtocolError::Rerank)?,
            submission: submission.map_err(ProtocolError::Submission)?,
            listed: None,
            rules: Fingerprint::default(),
        })
    }

    /// Checks what is measured and how it is averaged.
    fn check_measures(&self) -> Result<(), ProtocolError> {
        if self.metrics.is_empty() {
            return Err(ProtocolError::NoMetrics);
        }
        if let Some(metric) = first_repeated(&self.metrics) {
            return Err(ProtocolError::RepeatedMetric(*metric));
        }
        if let Some(decimals) = self.decimals.filter(|decimals| *decimals > MOST_DECIMALS) {
            return Err(ProtocolError::Decimals { decimals, most: MOST_DECIMALS });
        }
        if self.view_ends_at.as_deref() == Some("") {
            return Err(ProtocolError::EmptyViewEnd);
        }
        let pairs = self.average == Average::ViewPairs;
        if pairs && self.identical_views == IdenticalViews::ExcludeSameSubject {
            return Err(ProtocolError::PairsExcludeSubject);
        }
        Ok(())
    }
}

impl RawGroup {
    /// The group in a protocol with this gallery.
    fn checked(self, gallery: &Selector) -> Result<ProbeGroup, GroupError> {
        if self.name.is_empty() || self.name == "mean" {
            return Err(GroupError::Name);
        }
        let probes = Selector::new(self.conditions, self.subjects, self.listed);
        let probes = probes.map_err(GroupError::Probes)?;
        let own_gallery = self.gallery.map(RawSelector::checked).transpose();
        let own_gallery = own_gallery.map_err(GroupError::Gallery)?;
        Ok(ProbeGroup {
            name: self.name,
            probes,
            gallery: own_gallery.unwrap_or_else(|| gallery.clone()),
            in_mean: self.in_mean,
        })
    }
}

/// Whether a text has published figures where they once stood: a single table, and figures in the
/// groups of probes.
fn has_old_figures(text: &str) -> bool {
    let Ok(table) = text.parse::<toml::Table>() else { return false };
    let in_group = |probe: &toml::Value| {
        ["published", "published_views"].iter().any(|key| probe.get(key).is_some())
    };
    let probes = table.get("probe").and_then(toml::Value::as_array);
    table.get("published").is_some_and(toml::Value::is_table)
        || probes.is_some_and(|probes| probes.iter().any(in_group))
}

fn yes() -> bool {
    true
}

fn degrees() -> String {
    "°".to_owned()
}

fn first_repeated<T: Ord + Copy>(items: impl IntoIterator<Item = T>) -> Option<T> {
    let mut seen = BTreeSet::new();
    items.into_iter().find(|item| !seen.insert(*item))
}
