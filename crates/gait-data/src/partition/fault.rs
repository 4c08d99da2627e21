//! What can be wrong with a partition file.

/// Why a partition file cannot be used. Its `Display` follows the name of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartitionFault {
    /// A key holds something else than a list of names.
    #[error("{key} is not a list of names")]
    NotAList {
        /// The key.
        key: &'static str,
    },
    /// It names no side.
    #[error("it has neither TRAIN_SET nor TEST_SET")]
    NoSides,
    /// Subjects are on both sides.
    #[error("{} both in TRAIN_SET and in TEST_SET", subjects_are(.subjects))]
    BothSides {
        /// The subjects.
        subjects: Vec<String>,
    },
    /// The list of probes is missing.
    #[error("it has no PROBE_SET, a list of names \"subject-condition-view\"")]
    NoProbes,
    /// Subjects of the tree are on no side.
    #[error(
        "{} in neither TRAIN_SET nor TEST_SET{}",
        subjects_are(.subjects),
        gait_support::did_you_mean(.nearest.as_deref().map(visible).as_ref())
    )]
    Unlisted {
        /// The subjects.
        subjects: Vec<String>,
        /// The listed name that is most like the first of them.
        nearest: Option<String>,
    },
    /// It is the partition of another data set.
    #[error(
        "it lists none of the {} subjects of the tree ({}), only {} others ({})",
        held.len(), few(.held), listed.len(), few(.listed)
    )]
    OtherNames {
        /// The subjects that it lists.
        listed: Vec<String>,
        /// The subjects of the tree.
        held: Vec<String>,
    },
}

/// "subject 005 is" or "12 subjects (001, 002, 003, ...) are".
fn subjects_are(names: &[String]) -> String {
    match names {
        [one] => format!("subject {} is", visible(one)),
        _ => format!("{} subjects ({}) are", names.len(), few(names)),
    }
}

/// The first few of the names.
fn few(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| visible(name)).collect();
    let dots = if names.len() > SHOWN { ", ..." } else { "" };
    format!("{}{dots}", shown.join(", "))
}

/// A name in which nothing is invisible: blanks at its ends, control characters and characters that
/// join the one before, which may look equal to a single character, are shown by their numbers.
fn visible(name: &str) -> String {
    let inner = name.trim();
    let start = name.len() - name.trim_start().len();
    let is_end = |at: usize| at < start || at >= start + inner.len();
    let mut shown = String::new();
    for (at, c) in name.char_indices() {
        if is_end(at) || c.is_control() || joins(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Accents that follow their letter (NFD), parts of Hangul syllables, marks of kana, and
/// characters without a width.
fn joins(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{1100}'..='\u{11ff}' | '\u{3099}' | '\u{309a}'
        | '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{a0}')
}
