//! Patterns of names, and selections of sequences made of them.

use serde::Deserialize;

use crate::Name;

/// A pattern of a condition or subject name: `*` stands for any characters, a leading `!` for
/// everything else.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Pattern {
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

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", if self.negated { "!" } else { "" }, self.glob)
    }
}

/// Whether `name` is one of the patterns: none of the negated ones, and one of the others if there
/// are others.
pub fn matches_any(patterns: &[Pattern], name: &str) -> bool {
    let mut positive = patterns.iter().filter(|p| !p.negated).peekable();
    let chosen = positive.peek().is_none() || positive.any(|p| glob_matches(&p.glob, name));
    chosen && !patterns.iter().any(|p| p.negated && glob_matches(&p.glob, name))
}

/// Matches `*` greedily from the left, which is exact for patterns without other wildcards.
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

/// Which sequences belong to a gallery or a probe group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// Patterns of conditions; left out, any condition.
    pub conditions: Option<Vec<Pattern>>,
    /// Patterns of subjects; left out, any subject.
    pub subjects: Option<Vec<Pattern>>,
    /// Only sequences that are (true) or are not (false) in the list of probes that comes with the
    /// data set's partition.
    pub listed: Option<bool>,
}

impl Selector {
    /// What is wrong with it, if anything.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let lists = [&self.conditions, &self.subjects];
        if lists.iter().any(|l| l.as_ref().is_some_and(Vec::is_empty)) {
            return Some("is an empty list, which selects nothing; use [\"*\"] for all");
        }
        let says_nothing = lists.iter().all(|l| l.is_none()) && self.listed.is_none();
        says_nothing.then_some("selects nothing; write conditions = [\"*\"] for all sequences")
    }

    /// Whether a sequence is selected; `listed` says whether the partition lists it.
    pub(crate) fn selects(&self, name: &Name, listed: impl Fn(&Name) -> bool) -> bool {
        let fits = |patterns: &Option<Vec<Pattern>>, name: &str| {
            patterns.as_ref().is_none_or(|p| matches_any(p, name))
        };
        fits(&self.conditions, name.condition)
            && fits(&self.subjects, name.subject)
            && self.listed.is_none_or(|wanted| wanted == listed(name))
    }
}

impl std::fmt::Display for Selector {
    /// `conditions nm-01, nm-02`, for messages.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
