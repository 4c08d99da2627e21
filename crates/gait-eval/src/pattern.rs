//! Patterns of names, and selections of sequences made of them.

use std::fmt;

use serde::Deserialize;

use crate::Name;

/// A pattern of a condition or subject name: `*` matches any characters, a leading `!` negates.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub(crate) struct Pattern {
    negated: bool,
    glob: String,
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        match text.strip_prefix('!') {
            Some(rest) => Self { negated: true, glob: rest.to_owned() },
            None => Self { negated: false, glob: text },
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.negated { "!" } else { "" }, self.glob)
    }
}

/// Whether `name` matches the patterns: none of the negated ones and, if there are others, at least
/// one of those.
fn matches_any(patterns: &[Pattern], name: &str) -> bool {
    let mut positive = patterns.iter().filter(|p| !p.negated).peekable();
    let chosen = positive.peek().is_none() || positive.any(|p| glob_matches(&p.glob, name));
    chosen && !patterns.iter().any(|p| p.negated && glob_matches(&p.glob, name))
}

/// Matches `*` from the left, each as short as possible. Without other wildcards this finds a match
/// whenever there is one.
fn glob_matches(glob: &str, name: &str) -> bool {
    let Some((start, rest)) = glob.split_once('*') else { return glob == name };
    let Some(mut name) = name.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = name.find(part) else { return false };
        name = &name[at + part.len()..];
    }
    name.ends_with(end)
}

/// Which sequences belong to a gallery or to a group of probes. Its `Display` is the rule in words:
/// `conditions nm-01, nm-02`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    conditions: Option<Vec<Pattern>>,
    subjects: Option<Vec<Pattern>>,
    listed: Option<bool>,
}

/// Why a selection of a protocol selects nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectorError {
    /// A list of patterns is empty.
    #[error("an empty list selects nothing; use [\"*\"] for all")]
    EmptyList,
    /// Neither conditions nor subjects nor a list is given.
    #[error("it selects nothing; use conditions = [\"*\"] for all sequences")]
    NoRule,
}

/// The keys of a selection in a protocol file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSelector {
    conditions: Option<Vec<Pattern>>,
    subjects: Option<Vec<Pattern>>,
    listed: Option<bool>,
}

impl RawSelector {
    pub fn checked(self) -> Result<Selector, SelectorError> {
        Selector::new(self.conditions, self.subjects, self.listed)
    }
}

impl Selector {
    /// Sequences whose condition and subject match (`None`: any), and which are or are not in the
    /// list of probes that comes with the data set (`None`: either).
    pub(crate) fn new(
        conditions: Option<Vec<Pattern>>,
        subjects: Option<Vec<Pattern>>,
        listed: Option<bool>,
    ) -> Result<Self, SelectorError> {
        let lists = [&conditions, &subjects];
        if lists.iter().any(|list| list.as_ref().is_some_and(Vec::is_empty)) {
            return Err(SelectorError::EmptyList);
        }
        if lists.iter().all(|list| list.is_none()) && listed.is_none() {
            return Err(SelectorError::NoRule);
        }
        Ok(Self { conditions, subjects, listed })
    }

    /// Whether the selection depends on the data set's list of probes.
    pub(crate) fn needs_list(&self) -> bool {
        self.listed.is_some()
    }

    /// Whether conditions are part of the rule.
    pub(crate) fn has_conditions(&self) -> bool {
        self.conditions.is_some()
    }

    /// Whether a sequence is selected; `listed` finds it in the data set's list of probes.
    pub(crate) fn selects(&self, name: &Name, listed: impl Fn(&Name) -> bool) -> bool {
        let fits = |patterns: &Option<Vec<Pattern>>, name: &str| {
            patterns.as_ref().is_none_or(|p| matches_any(p, name))
        };
        fits(&self.conditions, name.condition)
            && fits(&self.subjects, name.subject)
            && self.listed.is_none_or(|wanted| wanted == listed(name))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        for (kind, patterns) in [("conditions", &self.conditions), ("subjects", &self.subjects)] {
            if let Some(patterns) = patterns {
                let names: Vec<String> = patterns.iter().map(ToString::to_string).collect();
                words.push(format!("{kind} {}", names.join(", ")));
            }
        }
        match self.listed {
            Some(true) => words.push("listed in the partition's PROBE_SET".to_owned()),
            Some(false) => words.push("not listed in the partition's PROBE_SET".to_owned()),
            None => {}
        }
        f.write_str(&words.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(patterns: &[&str], chosen: &[&str], refused: &[&str]) {
        let patterns: Vec<Pattern> =
            patterns.iter().map(|p| Pattern::from((*p).to_owned())).collect();
        for name in chosen {
            assert!(matches_any(&patterns, name), "{patterns:?} should match {name}");
        }
        for name in refused {
            assert!(!matches_any(&patterns, name), "{patterns:?} should not match {name}");
        }
    }

    #[test]
    fn plain_names_match_only_themselves() {
        check(&["nm-01", "nm-02"], &["nm-01", "nm-02"], &["nm-011", "nm-03", "", "NM-01"]);
    }

    #[test]
    fn stars_match_any_characters() {
        check(&["*"], &["", "x"], &[]);
        check(&["*bg*"], &["bg", "01-bg-02"], &["b-g"]);
        check(&["H-*-nm-*"], &["H-scene2-nm-1"], &["L-scene2-nm-1", "H-nm-1"]);
        check(&["a*a"], &["aa", "aba"], &["a", "ab"]);
        check(&["*ab*ab"], &["abab", "xabyab"], &["ab", "abb"]);
    }

    #[test]
    fn negated_patterns_remove() {
        check(&["!probe"], &["001", "probes"], &["probe"]);
        check(&["0*", "!002"], &["001"], &["002", "100"]);
    }
}
