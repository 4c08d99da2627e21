//! The shape of a tree: its parts, and what their folders say about each sequence.

use crate::pattern::{Found, PathPattern};

/// The side of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Train,
    Test,
}

/// One form of a tree: its parts, which exclude each other.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub parts: Vec<TreePart>,
    /// How the arranged tree marks subjects to train on: the end of their names.
    pub train_suffix: Option<&'static str>,
    /// Whether the subject [`PROBE_SUBJECT`] stands for the probes of a competition.
    pub has_probe_subject: bool,
}

/// The subject whose sequences are the probes of a competition: their identities are not published.
pub(crate) const PROBE_SUBJECT: &str = "probe";

/// A part of a tree: a pattern, and the names that the pattern does not give.
#[derive(Clone, Debug)]
pub(crate) struct TreePart {
    pub pattern: PathPattern,
    /// Subject, condition and view that the path does not name.
    pub fixed: [Option<&'static str>; 3],
    /// What is appended to the subject's name.
    pub suffix: &'static str,
    /// Whether a subject's sequences, in the order of their names, are the conditions 01, 02, ...
    pub numbered: bool,
    /// The side that its folders are for, where they say so.
    pub side: Option<Side>,
}

impl Form {
    /// A tree of one pattern, which gives no side.
    pub fn from_pattern(pattern: PathPattern) -> Self {
        let part = TreePart { pattern, fixed: [None; 3], suffix: "", numbered: false, side: None };
        Form { parts: vec![part], train_suffix: None, has_probe_subject: false }
    }

    /// The patterns, for messages and for the record.
    pub fn text(&self) -> String {
        let patterns: Vec<String> =
            self.parts.iter().map(|part| part.pattern.to_string()).collect();
        patterns.join(" or ")
    }

    /// The part to which a path of folder names belongs, outermost first, if it is as deep as that
    /// part.
    pub fn part_of(&self, names: &[&str]) -> Option<usize> {
        self.parts.iter().position(|part| {
            let mut above = Some(Found::default());
            for (level, name) in names.iter().enumerate() {
                above = above.and_then(|above| part.pattern.read(level, name, &above));
            }
            names.len() == part.pattern.depth() && above.is_some()
        })
    }

    /// The side on which a sequence of `part` and `subject` is, as the folders or the names of the
    /// layout say it.
    pub fn side(&self, part: usize, subject: &str) -> Option<Side> {
        let by_folder = self.parts.get(part).and_then(|part| part.side);
        let is_probe = self.has_probe_subject && subject == PROBE_SUBJECT;
        let is_trained = self.train_suffix.is_some_and(|suffix| subject.ends_with(suffix));
        by_folder.or(is_probe.then_some(Side::Test)).or(is_trained.then_some(Side::Train))
    }
}
