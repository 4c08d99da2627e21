//! Test protocols: data files, checked when loaded.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::pattern::Selector;
use crate::{EvalError, Metric, Rerank, SubmissionForm};

/// How a data set is tested: who is in the gallery, who is a probe, what is compared and measured.
///
/// The format is that of the files in `protocols/`, which `protocols/README.md` describes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// Its name, as `--protocol` takes it.
    pub name: String,
    /// One line on what it is and where it was published.
    pub about: String,
    /// What is measured; the first leads the tables.
    pub metrics: Vec<Metric>,
    /// Over what the metrics are averaged.
    pub average: Average,
    /// What becomes of gallery sequences that were seen from the probe's own view.
    pub identical_views: IdenticalViews,
    /// What becomes of probes whose subject is not in the gallery they are compared with.
    #[serde(default)]
    pub unmatched_probes: Unmatched,
    /// Decimals of a percentage to which the figures of each cell (a pair of views, a view or a
    /// group, by `average`) are rounded before any mean is taken; not at all if left out.
    pub decimals: Option<u8>,
    /// Views whose sequences are left out of the test.
    #[serde(default)]
    pub skip_views: Vec<String>,
    /// Only what stands before this text is the name of a view (CCPG: `_`).
    pub view_ends_at: Option<String>,
    /// What tables write after the number of a view; a degree sign unless said otherwise.
    #[serde(default = "degrees")]
    pub view_unit: String,
    /// The gallery of all groups that name none of their own.
    pub gallery: Selector,
    /// The groups of probes, in the order in which they are printed; none if the protocol is only
    /// for submissions.
    #[serde(default, rename = "probe")]
    pub probes: Vec<ProbeGroup>,
    /// Where the published figures beside the groups come from.
    pub published: Option<Published>,
    /// Re-ranking of the distances, if the protocol has it.
    pub rerank: Option<Rerank>,
    /// The file for a competition, if the protocol has one.
    pub submission: Option<SubmissionForm>,
    /// Names `subject-condition-view` of the data set's own list of probes; see [`Selector`].
    #[serde(skip)]
    pub(crate) listed: Option<BTreeSet<String>>,
}

/// One group of probes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeGroup {
    /// Its name in tables: `NM`.
    pub name: String,
    /// Which sequences.
    #[serde(default)]
    pub conditions: Option<Vec<crate::Pattern>>,
    /// Which subjects; left out, any.
    #[serde(default)]
    pub subjects: Option<Vec<crate::Pattern>>,
    /// Whether the partition's list of probes names them; left out, either.
    #[serde(default)]
    pub listed: Option<bool>,
    /// Its own gallery, instead of the protocol's.
    pub gallery: Option<Selector>,
    /// Whether it counts in the mean over groups.
    #[serde(default = "yes")]
    pub in_mean: bool,
    /// Published figures in percent, by metric.
    #[serde(default)]
    pub published: BTreeMap<String, f64>,
    /// Published figures of the first metric in percent, by probe view.
    #[serde(default)]
    pub published_views: BTreeMap<String, f64>,
}

/// Over what a metric is averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Average {
    /// Each view of the probes against each view of the gallery; the mean over gallery views gives
    /// each probe view, and their mean the group.
    ViewPairs,
    /// Each view of the probes against the whole gallery; their mean gives the group.
    Views,
    /// All probes alike against the whole gallery.
    Probes,
}

/// What becomes of gallery sequences seen from the probe's own view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdenticalViews {
    /// They are compared like others.
    Keep,
    /// They are left out.
    Exclude,
    /// Those of the probe's own subject are left out.
    ExcludeSameSubject,
}

/// What becomes of probes whose subject is not in the gallery they are compared with.
///
/// Average precision and inverse negative penalty do not exist for them and are means over the
/// other probes in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unmatched {
    /// They count as not recognised.
    #[default]
    Wrong,
    /// They are left out.
    Skip,
}

/// Where published figures come from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// The row's name in a table.
    pub label: String,
    /// The note under it: whose figures, on which data.
    pub source: String,
}

impl ProbeGroup {
    /// Which sequences belong to the group.
    pub fn selector(&self) -> Selector {
        Selector {
            conditions: self.conditions.clone(),
            subjects: self.subjects.clone(),
            listed: self.listed,
        }
    }
}

/// More decimals than a percentage has in double precision.
const MOST_DECIMALS: u8 = 12;

macro_rules! builtins {
    ($($name:literal),* $(,)?) => {
        const BUILTINS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../protocols/", $name, ".toml")))),*];
    };
}

builtins![
    "casia-b",
    "casia-b-cross-view",
    "ou-mvlp",
    "ou-mvlp-valid",
    "grew",
    "gait3d",
    "casia-e",
    "sustech1k",
    "ccpg",
    "ccpg-reid",
    "hid",
    "leave-one-out",
];

impl Protocol {
    /// A protocol from the text of a TOML file; `origin` names the file in messages.
    ///
    /// # Errors
    /// [`EvalError::Protocol`] with the line and what is wrong with it.
    pub fn from_toml(origin: &str, text: &str) -> Result<Self, EvalError> {
        let fail = |problem: String| EvalError::Protocol { name: origin.to_owned(), problem };
        let protocol: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| {
                let before = text.get(..span.start).unwrap_or_default();
                format!("line {}: ", before.matches('\n').count() + 1)
            });
            let message = error.message().replace('\n', " ");
            fail(format!("{}{message}", line.unwrap_or_default()))
        })?;
        protocol.problem().map_or(Ok(protocol), |problem| Err(fail(problem)))
    }

    /// A protocol that comes with the program.
    ///
    /// # Errors
    /// [`EvalError::Unknown`] with the known names.
    pub fn builtin(name: &str) -> Result<Self, EvalError> {
        Self::from_toml(name, Self::builtin_text(name)?)
    }

    /// The names of the protocols that come with the program.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTINS.iter().map(|(name, _)| *name)
    }

    /// The TOML text of a built-in protocol, to start one's own from.
    ///
    /// # Errors
    /// [`EvalError::Unknown`] with the known names.
    pub fn builtin_text(name: &str) -> Result<&'static str, EvalError> {
        let builtin = BUILTINS.iter().find(|(known, _)| *known == name);
        builtin.map(|(_, text)| *text).ok_or_else(|| {
            let known = Self::builtin_names().map(str::to_owned).collect();
            EvalError::unknown("protocol", name, known)
        })
    }

    /// The protocol with the data set's own list of probes, names `subject-condition-view` as in
    /// the `PROBE_SET` of OpenGait's partition JSON.
    #[must_use]
    pub fn with_listed(self, names: impl IntoIterator<Item = String>) -> Self {
        Self { listed: Some(names.into_iter().collect()), ..self }
    }

    /// Whether [`Protocol::with_listed`] must be called before an evaluation.
    pub fn needs_listed(&self) -> bool {
        let groups = self.probes.iter();
        self.gallery.listed.is_some()
            || groups.clone().any(|group| group.listed.is_some())
            || groups.flat_map(|group| &group.gallery).any(|gallery| gallery.listed.is_some())
    }

    /// The part of a view's name that is compared.
    pub(crate) fn view<'a>(&self, view: &'a str) -> &'a str {
        let end = self.view_ends_at.as_deref().and_then(|end| view.find(end));
        &view[..end.unwrap_or(view.len())]
    }

    fn problem(&self) -> Option<String> {
        if self.metrics.is_empty() {
            return Some("metrics is empty; name at least one, such as \"rank-1\"".to_owned());
        }
        if let Some(twice) = first_repeated(self.metrics.iter().map(ToString::to_string)) {
            return Some(format!("metric {twice} is listed twice"));
        }
        if self.decimals.is_some_and(|decimals| decimals > MOST_DECIMALS) {
            return Some(format!("decimals is more than {MOST_DECIMALS}; leave it out for none"));
        }
        if self.view_ends_at.as_deref() == Some("") {
            return Some("view_ends_at is empty, which leaves nothing of a view".to_owned());
        }
        if self.probes.is_empty() && self.submission.is_none() {
            return Some("there is no group of probes; add a [[probe]] table".to_owned());
        }
        if let Some(twice) = first_repeated(self.probes.iter().map(|group| group.name.clone())) {
            return Some(format!("two groups of probes are named {twice}"));
        }
        if self.average == Average::ViewPairs
            && self.identical_views == IdenticalViews::ExcludeSameSubject
        {
            let problem = "average = \"view-pairs\" leaves no subject to exclude within one view; \
                           use identical_views = \"exclude\"";
            return Some(problem.to_owned());
        }
        if let Some(problem) = self.gallery.problem() {
            return Some(format!("[gallery] {problem}"));
        }
        if let Some(problem) = self.rerank.as_ref().and_then(Rerank::problem) {
            return Some(format!("[rerank] {problem}"));
        }
        if let Some(problem) = self.submission.as_ref().and_then(SubmissionForm::problem) {
            return Some(format!("[submission] {problem}"));
        }
        self.probes.iter().find_map(|group| self.group_problem(group))
    }

    fn group_problem(&self, group: &ProbeGroup) -> Option<String> {
        let of = |what: &str| format!("probe group {} {what}", group.name);
        if group.name.is_empty() || group.name == "mean" {
            return Some(of("needs another name"));
        }
        if let Some(problem) = group.selector().problem() {
            return Some(of(problem));
        }
        if let Some(problem) = group.gallery.as_ref().and_then(Selector::problem) {
            return Some(of(&format!("gallery {problem}")));
        }
        let known: Vec<String> = self.metrics.iter().map(ToString::to_string).collect();
        if let Some(metric) = group.published.keys().find(|metric| !known.contains(metric)) {
            return Some(of(&format!("has a published {metric}, which is not in metrics")));
        }
        let figures = group.published.values().chain(group.published_views.values());
        if figures.clone().any(|percent| !(0.0..=100.0).contains(percent)) {
            return Some(of("has a published figure that is no percentage"));
        }
        if figures.count() > 0 && self.published.is_none() {
            return Some(of("has published figures, but no [published] table says whose"));
        }
        None
    }
}

fn yes() -> bool {
    true
}

fn degrees() -> String {
    "°".to_owned()
}

fn first_repeated(names: impl Iterator<Item = String>) -> Option<String> {
    let mut seen = BTreeSet::new();
    names.into_iter().find(|name| !seen.insert(name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        name = "mine"
        about = "ours"
        metrics = ["rank-1", "mAP"]
        average = "probes"
        identical_views = "keep"
        gallery = { conditions = ["a*"] }
        probe = [{ name = "ALL", conditions = ["b"] }]
    "#;

    fn check(change: (&str, &str), problem: &str) {
        assert!(GOOD.contains(change.0), "the text has no {}", change.0);
        let error = Protocol::from_toml("x.toml", &GOOD.replace(change.0, change.1)).unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with("protocol x.toml: "), "{message}");
        assert!(message.contains(problem) && !message.contains('\n'), "{message}");
    }

    #[test]
    fn a_good_file_is_read() {
        let protocol = Protocol::from_toml("x.toml", GOOD).unwrap();
        assert_eq!(protocol.metrics, [Metric::Rank(1), Metric::MeanAveragePrecision]);
        assert_eq!(protocol.unmatched_probes, Unmatched::Wrong);
        assert!(!protocol.needs_listed());
    }

    #[test]
    fn every_builtin_is_read_and_named_as_its_file() {
        for name in Protocol::builtin_names() {
            assert_eq!(Protocol::builtin(name).unwrap().name, name);
        }
    }

    #[test]
    fn unknown_keys_and_values_are_refused_with_their_line() {
        check(("average", "averages"), "line 5: unknown field `averages`");
        check(("\"probes\"", "\"probe\""), "line 5: unknown variant `probe`");
        check(("rank-1", "rank-one"), "unknown metric `rank-one`");
        check(("conditions = [\"b\"]", "condition = [\"b\"]"), "unknown field `condition`");
        check(("= \"keep\"", "="), "line 6");
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        check(("[\"rank-1\", \"mAP\"]", "[]"), "metrics is empty");
        check(("\"ours\"", "\"ours\"\nview_ends_at = \"\""), "view_ends_at is empty");
        check(("\"ours\"", "\"ours\"\ndecimals = 13"), "decimals is more than 12");
        check(("\"mAP\"", "\"rank-1\""), "metric rank-1 is listed twice");
        check(("[\"a*\"]", "[]"), "[gallery] is an empty list");
        check(("conditions = [\"a*\"]", ""), "[gallery] selects nothing");
        check(("name = \"ALL\"", "name = \"mean\""), "needs another name");
        check((", conditions = [\"b\"]", ""), "probe group ALL selects nothing");
        let rerank = "\n[rerank]\nk1 = 0\nk2 = 1\nlambda = 0.5";
        check(
            (
                "\"ALL\", conditions = [\"b\"] }]",
                &format!("\"ALL\", conditions = [\"b\"] }}]{rerank}"),
            ),
            "[rerank] k1",
        );
        check(
            ("[\"b\"] }", "[\"b\"] }, { name = \"ALL\", conditions = [\"c\"] }"),
            "two groups of probes are named ALL",
        );
        check(("[\"b\"] }", "[\"b\"], published = { rank-5 = 1.0 } }"), "not in metrics");
        check(("[\"b\"] }", "[\"b\"], published = { mAP = 1.0 } }"), "no [published] table");
    }

    #[test]
    fn a_view_may_end_at_a_mark() {
        let mut protocol = Protocol::from_toml("x.toml", GOOD).unwrap();
        assert_eq!(protocol.view("01_a"), "01_a");
        protocol.view_ends_at = Some("_".to_owned());
        assert_eq!(protocol.view("01_a"), "01");
        assert_eq!(protocol.view("01"), "01");
    }
}
