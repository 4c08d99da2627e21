//! Layouts: which folders of a raw tree name the subject, the condition and the view.

use crate::DataError;
use crate::benchmark::{BENCHMARKS, Benchmark};
use crate::form::Form;
use crate::pattern::PathPattern;
use crate::resizing::Resizing;
use gait_support::nearest;

/// How a raw tree names its sequences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `subject/condition/view/*.png`: CASIA-B, and what OpenGait's scripts rearrange.
    CasiaB,
    /// `subject/condition/view/*.pkl`: what OpenGait's scripts prepare.
    OpenGait,
    /// A benchmark as its owners ship it or as OpenGait arranges it.
    Benchmark(&'static Benchmark),
    /// Any tree, described by a pattern.
    Flat(PathPattern),
}

impl Layout {
    /// Names that [`Layout::from_name`] knows.
    pub const NAMES: [&'static str; 10] = [
        "casia-b",
        "opengait",
        "flat",
        "ou-mvlp",
        "grew",
        "gait3d",
        "casia-e",
        "sustech1k",
        "ccpg",
        "hid",
    ];

    /// The layout called `name`; `flat` reads `pattern`, by default `{subject}/{condition}/{view}`.
    ///
    /// # Errors
    /// If there is no such layout, the pattern is unusable, or another layout is given a pattern.
    pub fn from_name(name: &str, pattern: Option<&str>) -> Result<Self, DataError> {
        let benchmark = BENCHMARKS.iter().find(|benchmark| benchmark.name == name);
        let layout = match (name, benchmark) {
            ("casia-b", _) => Layout::CasiaB,
            ("opengait", _) => Layout::OpenGait,
            (_, Some(benchmark)) => Layout::Benchmark(benchmark),
            ("flat", _) => match pattern {
                None => return Ok(Layout::Flat(PathPattern::arranged())),
                Some(pattern) => return Ok(Layout::Flat(pattern.parse()?)),
            },
            _ => {
                let known = Self::NAMES.map(String::from);
                return Err(DataError::UnknownLayout {
                    name: name.into(),
                    nearest: nearest(name, &known),
                });
            }
        };
        if pattern.is_some() {
            return Err(DataError::FixedPattern { layout: layout.name() });
        }
        Ok(layout)
    }

    /// The layout's name.
    pub fn name(&self) -> &'static str {
        match self {
            Layout::CasiaB => "casia-b",
            Layout::OpenGait => "opengait",
            Layout::Benchmark(benchmark) => benchmark.name,
            Layout::Flat(_) => "flat",
        }
    }

    /// How the images of such a tree get the size wanted, if they come aligned.
    pub(crate) fn resizing(&self) -> Option<Resizing> {
        match self {
            Layout::Benchmark(benchmark) => benchmark.aligned,
            _ => None,
        }
    }

    /// Whether sequences are looked for in files of pickled arrays only.
    pub(crate) fn is_pickled(&self) -> bool {
        matches!(self, Layout::OpenGait)
    }

    /// The forms that such a tree may have, the most specific first and the usual one last.
    pub(crate) fn forms(&self) -> Vec<Form> {
        let mut forms = match self {
            Layout::Flat(pattern) => return vec![Form::from_pattern(pattern.clone())],
            Layout::CasiaB | Layout::OpenGait => Vec::new(),
            Layout::Benchmark(benchmark) => benchmark.forms(),
        };
        let mut arranged = Form::from_pattern(PathPattern::arranged());
        if let Layout::Benchmark(benchmark) = self {
            benchmark.mark_sides(&mut arranged);
        }
        forms.push(arranged);
        forms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_layout_of_that_name() {
        for name in Layout::NAMES {
            let layout = Layout::from_name(name, None).unwrap();
            assert_eq!(layout.name(), name);
            assert!(!layout.forms().is_empty());
        }
        assert_eq!(Layout::NAMES.len(), BENCHMARKS.len() + 3);
    }

    #[test]
    fn unknown_names_and_needless_patterns_are_refused() {
        let error = Layout::from_name("casia", None).unwrap_err().to_string();
        assert!(error.contains("unknown layout `casia`") && error.contains("ou-mvlp"), "{error}");
        for name in ["casia-b", "opengait", "grew"] {
            let error = Layout::from_name(name, Some("{subject}")).unwrap_err().to_string();
            assert!(error.contains("has its own pattern"), "{error}");
        }
    }
}
