//! Test protocols: data files that are checked when they are loaded.

mod published;
mod raw;

use std::collections::BTreeSet;

use gait_support::Fingerprint;
use serde::Deserialize;

use crate::pattern::Selector;
use crate::submission_form::SubmissionForm;
use crate::{EvalError, Metric, NameKind, Rerank, UnknownName};

pub use published::{PublishedFigures, PublishedRow, PublishedTable};
use raw::RawProtocol;

/// How a data set is tested: which sequences are the gallery, which are probes, what is compared
/// with what, and what is measured.
///
/// The text format is documented in `protocols/README.md` of this crate; [`Protocol::builtin_text`]
/// gives examples of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Protocol {
    pub(crate) name: String,
    about: String,
    /// What is measured, at least one; the first leads the tables.
    pub(crate) metrics: Vec<Metric>,
    pub(crate) average: Average,
    pub(crate) identical_views: IdenticalViews,
    pub(crate) unmatched_probes: UnmatchedProbes,
    /// Decimals of a percentage to which the figures of each cell (a pair of views, a view or a
    /// group, by `average`) are rounded before any mean is taken.
    pub(crate) decimals: Option<u8>,
    /// Views whose sequences are left out of the test.
    pub(crate) skip_views: Vec<String>,
    /// Only the part before this text is the name of a view (CCPG: `_`).
    view_ends_at: Option<String>,
    /// What tables write after the number of a view.
    pub(crate) view_unit: String,
    /// The groups of probes in the order in which they are printed; none if the protocol is only
    /// for submissions.
    pub(crate) groups: Vec<ProbeGroup>,
    published: Vec<PublishedTable>,
    pub(crate) rerank: Option<Rerank>,
    pub(crate) submission: Option<SubmissionForm>,
    /// Names `subject-condition-view` of the data set's own list of probes.
    pub(crate) listed: Option<BTreeSet<String>>,
    /// Of the text, without its comments, its layout and the published figures.
    rules: Fingerprint,
}

/// One group of probes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ProbeGroup {
    /// Its name in tables: `NM`.
    pub name: String,
    /// Which sequences are its probes.
    pub probes: Selector,
    /// Which sequences they are compared with.
    pub gallery: Selector,
    /// Whether it counts in the mean over groups.
    pub in_mean: bool,
}

/// What a metric is averaged over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Average {
    /// Each view of the probes against each view of the gallery; the mean over gallery views gives
    /// each probe view, and their mean the group.
    ViewPairs,
    /// Each view of the probes against the whole gallery; their mean gives the group.
    Views,
    /// All probes against the whole gallery, with equal weight.
    Probes,
}

/// How gallery sequences from the probe's own view are treated.
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

/// How probes are treated whose subject is not in the gallery that they are compared with.
///
/// They have no average precision and no inverse negative penalty, so these are always means over
/// the other probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnmatchedProbes {
    /// They count as not recognised.
    #[default]
    Wrong,
    /// They are left out.
    Skip,
}

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
    /// Reads a protocol from TOML; `origin` names the text in errors, such as the file's path.
    ///
    /// # Errors
    /// [`EvalError::Protocol`]: text that is not a protocol (with the line), or one that cannot be
    /// run.
    pub fn from_toml(origin: &str, text: &str) -> Result<Self, EvalError> {
        let protocol = RawProtocol::from_toml(text).and_then(RawProtocol::checked);
        let protocol =
            protocol.map_err(|reason| EvalError::Protocol { origin: origin.to_owned(), reason })?;
        let mut rules: toml::Table = text.parse().unwrap_or_default();
        rules.remove("published");
        Ok(Self { rules: Fingerprint::from_bytes(rules.to_string().as_bytes()), ..protocol })
    }

    /// A built-in protocol.
    ///
    /// # Errors
    /// [`EvalError::Unknown`] with the known names.
    pub fn builtin(name: &str) -> Result<Self, EvalError> {
        Self::from_toml(name, Self::builtin_text(name)?)
    }

    /// The names of the built-in protocols.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTINS.iter().map(|(name, _)| *name)
    }

    /// The TOML text of a built-in protocol, as a starting point for others.
    ///
    /// # Errors
    /// The name is unknown; the error has the known ones.
    pub fn builtin_text(name: &str) -> Result<&'static str, UnknownName> {
        let builtin = BUILTINS.iter().find(|(known, _)| *known == name);
        builtin.map(|(_, text)| *text).ok_or_else(|| {
            let known = Self::builtin_names().map(str::to_owned).collect();
            UnknownName::new(NameKind::Protocol, name, known)
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One line on what it is and where it was published.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// What is measured, at least one metric; the first leads the tables.
    pub fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    /// The names of the groups of probes in the order of the tables. There is none if the identities
    /// of the probes are not public: then only a [`submission`](crate::submission()) can be made.
    pub fn group_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.groups.iter().map(|group| group.name.as_str())
    }

    /// The published tables that it carries, in the order of its file.
    pub fn published(&self) -> &[PublishedTable] {
        &self.published
    }

    /// The protocol with the data set's own list of probes: names `subject-condition-view` as in
    /// the `PROBE_SET` of OpenGait's partition files.
    #[must_use]
    pub fn with_listed(self, names: impl IntoIterator<Item = String>) -> Self {
        Self { listed: Some(names.into_iter().collect()), ..self }
    }

    /// Whether [`Protocol::with_listed`] must be called before an evaluation.
    pub fn needs_listed(&self) -> bool {
        let scored = self.groups.iter().flat_map(|group| [&group.probes, &group.gallery]);
        let submitted = self.submission.iter().flat_map(SubmissionForm::selectors);
        scored.chain(submitted).any(Selector::needs_list)
    }

    /// Identifies the rules and the list of probes, in sixteen hexadecimal digits that may be stored.
    /// Comments, blank space and published figures in the text of the protocol do not change it.
    pub fn fingerprint(&self) -> String {
        let mut all = self.rules;
        self.listed.iter().flatten().for_each(|name| all.feed(name.as_bytes()));
        all.to_string()
    }

    /// The part of a view's name that is compared.
    pub(crate) fn view<'a>(&self, view: &'a str) -> &'a str {
        let end = self.view_ends_at.as_deref().and_then(|end| view.find(end));
        &view[..end.unwrap_or(view.len())]
    }
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

    const PUBLISHED: &str = r#"
        [[published]]
        source = "a paper"
        [[published.row]]
        label = "theirs"
        preset = "small"
        groups.ALL = { rank-1 = 50.5 }
        mean = { mAP = 40.0 }
    "#;

    fn check(change: (&str, &str), problem: &str) {
        assert!(GOOD.contains(change.0), "the text has no {}", change.0);
        let error = Protocol::from_toml("x.toml", &GOOD.replace(change.0, change.1)).unwrap_err();
        let message = gait_support::full_message(&error);
        assert!(message.starts_with("protocol x.toml: "), "{message}");
        assert!(message.contains(problem) && !message.contains('\n'), "{message}");
    }

    #[test]
    fn a_good_file_is_read() {
        let protocol = Protocol::from_toml("x.toml", GOOD).unwrap();
        assert_eq!(protocol.metrics, [Metric::Rank(1), Metric::MeanAveragePrecision]);
        assert_eq!(protocol.unmatched_probes, UnmatchedProbes::Wrong);
        assert!(!protocol.needs_listed());
    }

    #[test]
    fn every_builtin_is_read_and_named_as_its_file() {
        for name in Protocol::builtin_names() {
            assert_eq!(Protocol::builtin(name).unwrap().name, name);
        }
    }

    #[test]
    fn the_fingerprint_is_that_of_the_rules_and_the_list() {
        let of = |text: &str| Protocol::from_toml("x.toml", text).unwrap();
        let good = of(GOOD);
        let commented = GOOD.replace("about", "# a comment\n\n  about");
        assert_eq!(of(&commented).fingerprint(), good.fingerprint());
        let published = format!("{GOOD}\n{PUBLISHED}");
        assert_eq!(of(&published).fingerprint(), good.fingerprint());
        let other = GOOD.replace("\"keep\"", "\"exclude\"");
        assert_ne!(of(&other).fingerprint(), good.fingerprint());
        let listed = good.clone().with_listed(["001-nm-01-090".to_owned()]);
        assert_ne!(listed.fingerprint(), good.fingerprint());
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
        check(("[\"a*\"]", "[]"), "[gallery]: an empty list selects nothing");
        check(("conditions = [\"a*\"]", ""), "[gallery]: it selects nothing");
        check(("name = \"ALL\"", "name = \"mean\""), "needs another name");
        check((", conditions = [\"b\"]", ""), "probe group ALL: it selects nothing");
        let rerank = "\n[rerank]\nk1 = 0\nk2 = 1\nlambda = 0.5";
        check(
            (
                "\"ALL\", conditions = [\"b\"] }]",
                &format!("\"ALL\", conditions = [\"b\"] }}]{rerank}"),
            ),
            "[rerank]: k1",
        );
        check(
            ("[\"b\"] }", "[\"b\"] }, { name = \"ALL\", conditions = [\"c\"] }"),
            "two groups of probes are named ALL",
        );
    }

    #[test]
    fn published_rows_are_read_and_must_fit_the_protocol() {
        let with = |from: &str, to: &str| {
            assert!(PUBLISHED.contains(from));
            let text = format!("{GOOD}{}", PUBLISHED.replace(from, to));
            Protocol::from_toml("x.toml", &text).map_err(|error| gait_support::full_message(&error))
        };
        let [table] = with("50.5", "50.5").unwrap().published.try_into().unwrap();
        let [row]: [PublishedRow; 1] = table.rows.try_into().unwrap();
        assert_eq!((row.label.as_str(), row.preset.as_deref()), ("theirs", Some("small")));
        assert_eq!(row.groups["ALL"].values, [Some(50.5), None]);
        assert_eq!((row.mean, row.source.as_str()), (vec![None, Some(40.0)], "a paper"));

        let refused = |from, to, problem: &str| {
            let message = with(from, to).unwrap_err();
            assert!(
                message.starts_with("protocol x.toml: ") && message.contains(problem),
                "{message}"
            );
        };
        refused("groups.ALL", "groups.NM", "row theirs has figures of a group NM");
        refused("rank-1", "rank-5", "rank-5, which is not in metrics");
        refused("50.5", "101", "101, which is not a percentage");
        refused("rank-1 = 50.5", "views = { 000 = 1.0 }", "no views");
        refused("label", "name", "unknown field `name`");
        assert!(with("\"a paper\"", "\"a paper\"\nother_task = \"x\"").is_ok());
    }

    #[test]
    fn figures_of_the_old_form_are_refused_with_the_new_one() {
        let old = "[[published]] with a [[published.row]]";
        check(("[\"b\"] }", "[\"b\"], published = { rank-1 = 1.0 } }"), old);
        check(("[\"b\"] }", "[\"b\"], published_views = { 000 = 1.0 } }"), old);
        check(("\"ours\"", "\"ours\"\npublished = { label = \"x\", source = \"y\" }"), old);
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
