//! Path patterns: which folders of a tree name the subject, the condition and the view.

use std::fmt;
use std::str::FromStr;

use crate::{DataError, SequenceKey};

/// Condition of every sequence when the pattern has no `{condition}`.
pub(crate) const DEFAULT_CONDITION: &str = "default";
/// View of every sequence when the pattern has no `{view}`.
pub(crate) const DEFAULT_VIEW: &str = "000";

/// A pattern of folders such as `{subject}/{condition}/{view}` or `{subject}-{condition}-{view}`:
/// folder names with fields, outermost first; the last folder holds the frames.
///
/// Text around fields must match exactly. Where a name can be cut in several ways, the condition
/// gets as much as it can, then the subject: `{subject}-{condition}-{view}` reads `001-nm-01-090`
/// as 001, nm-01, 090. A condition that several folders name is joined by `-`. A last part that
/// starts with `*` (`*.png`, `*-sils.pkl`) selects the files that count and may be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    text: String,
    folders: Vec<Vec<Piece>>,
    files: Option<String>,
}

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternFault {
    /// Nothing names the subject.
    #[error("it has no {{subject}}")]
    NoSubject,
    /// Nothing, `.` or `..` stands where a folder should.
    #[error("a folder between two `/` has no name")]
    UnnamedFolder,
    /// Text with a character that has no meaning here.
    #[error("`{text}` holds one of }} * ? \\")]
    ForbiddenCharacter {
        /// The text.
        text: String,
    },
    /// A field without its end.
    #[error("a {{ is never closed")]
    Unclosed,
    /// A field of another name.
    #[error("{{{name}}} is none of {{subject}}, {{condition}}, {{view}}")]
    UnknownField {
        /// The name.
        name: String,
    },
    /// Only a condition may be named by several folders.
    #[error("{field} appears twice")]
    FieldTwice {
        /// The field with its braces.
        field: String,
    },
    /// Nothing separates two fields of one folder.
    #[error("two fields touch; text or a `/` must separate them")]
    FieldsTouch,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(Field),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Subject = 0,
    Condition = 1,
    View = 2,
}

/// What the folders above have already named: subject, condition, view.
pub(crate) type Found = [Option<String>; 3];

impl PathPattern {
    /// The pattern of CASIA-B and of the trees that OpenGait arranges.
    pub fn arranged() -> Self {
        let field = |field| vec![Piece::Field(field)];
        PathPattern {
            text: "{subject}/{condition}/{view}".into(),
            folders: vec![field(Field::Subject), field(Field::Condition), field(Field::View)],
            files: None,
        }
    }

    /// A pattern of a part of a tree, which need not name the subject.
    pub(crate) fn part(text: &str) -> Result<Self, DataError> {
        parse(text).map(|(pattern, _)| pattern)
    }

    /// How many folders lie between the root and the frames, the last one included.
    pub fn depth(&self) -> usize {
        self.folders.len()
    }

    /// The pattern of the folders at `level` (0 is below the root), for messages.
    pub(crate) fn folder(&self, level: usize) -> &str {
        self.text.split('/').nth(level).unwrap_or_default()
    }

    /// Reads the folder `name` at `level`: what is known with it, or `None` if it does not match.
    pub(crate) fn read(&self, level: usize, name: &str, above: &Found) -> Option<Found> {
        let cuts = cuts(self.folders.get(level)?, name);
        let best = cuts.into_iter().max_by_key(|cut| {
            let length = |field: Field| cut[field as usize].as_ref().map_or(0, String::len);
            (length(Field::Condition), length(Field::Subject))
        })?;
        let mut found = above.clone();
        for (slot, value) in found.iter_mut().zip(best) {
            *slot = match (slot.take(), value) {
                (Some(above), Some(value)) => Some(format!("{above}-{value}")),
                (above, value) => value.or(above),
            };
        }
        Some(found)
    }

    /// Whether the file `name` counts.
    pub(crate) fn takes(&self, name: &str) -> bool {
        self.files.as_deref().is_none_or(|files| matches(files, name))
    }

    /// The key that the folders name together.
    pub(crate) fn key(found: Found) -> SequenceKey {
        let [subject, condition, view] = found;
        SequenceKey {
            subject: subject.unwrap_or_default(),
            condition: condition.unwrap_or_else(|| DEFAULT_CONDITION.into()),
            view: view.unwrap_or_else(|| DEFAULT_VIEW.into()),
        }
    }
}

/// Every way to cut `name` into `pieces`, each field at least one character.
fn cuts(pieces: &[Piece], name: &str) -> Vec<Found> {
    match pieces {
        [] if name.is_empty() => vec![Found::default()],
        [] => Vec::new(),
        [Piece::Text(text), rest @ ..] => {
            name.strip_prefix(text.as_str()).map_or_else(Vec::new, |name| cuts(rest, name))
        }
        [Piece::Field(field), rest @ ..] => {
            let ends = name.char_indices().map(|(at, c)| at + c.len_utf8());
            let mut found = Vec::new();
            for end in ends {
                for mut cut in cuts(rest, &name[end..]) {
                    cut[*field as usize] = Some(name[..end].to_string());
                    found.push(cut);
                }
            }
            found
        }
    }
}

/// Whether `name` is `pattern`, in which `*` stands for any characters; letters of either case.
fn matches(pattern: &str, name: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    let name = name.to_ascii_lowercase();
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for piece in middle.split('*') {
        let Some(at) = name.find(piece) else { return false };
        name = &name[at + piece.len()..];
    }
    name.ends_with(last)
}

impl FromStr for PathPattern {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        match parse(text)? {
            (pattern, true) => Ok(pattern),
            _ => Err(wrong(text, PatternFault::NoSubject)),
        }
    }
}

fn wrong(pattern: &str, fault: PatternFault) -> DataError {
    DataError::Pattern { pattern: pattern.into(), fault }
}

/// The pattern, and whether it names the subject.
fn parse(text: &str) -> Result<(PathPattern, bool), DataError> {
    let mut parts: Vec<&str> = text.trim_matches('/').split('/').collect();
    let whole = parts.join("/");
    let is_files = parts.len() > 1 && parts.last().is_some_and(|last| last.starts_with('*'));
    let files = if is_files { parts.pop().map(String::from) } else { None };
    let mut seen = [false; 3];
    let mut folders = Vec::new();
    for part in &parts {
        if part.is_empty() || *part == "." || *part == ".." {
            return Err(wrong(text, PatternFault::UnnamedFolder));
        }
        folders.push(pieces(part, &mut seen).map_err(|fault| wrong(text, fault))?);
    }
    Ok((PathPattern { text: whole, folders, files }, seen[Field::Subject as usize]))
}

/// Cuts one part of a pattern into text and fields, marking the fields `seen`.
fn pieces(part: &str, seen: &mut [bool; 3]) -> Result<Vec<Piece>, PatternFault> {
    let mut pieces = Vec::new();
    let mut rest = part;
    while !rest.is_empty() {
        let open = rest.find('{').unwrap_or(rest.len());
        let (text, after) = rest.split_at(open);
        if text.contains(['}', '*', '?', '\\']) {
            return Err(PatternFault::ForbiddenCharacter { text: text.into() });
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text.into()));
        }
        if after.is_empty() {
            break;
        }
        let close = after.find('}').ok_or(PatternFault::Unclosed)?;
        let field = match &after[1..close] {
            "subject" => Field::Subject,
            "condition" => Field::Condition,
            "view" => Field::View,
            other => return Err(PatternFault::UnknownField { name: other.into() }),
        };
        let here = pieces.contains(&Piece::Field(field));
        if std::mem::replace(&mut seen[field as usize], true) && (here || field != Field::Condition)
        {
            return Err(PatternFault::FieldTwice { field: after[..=close].into() });
        }
        if matches!(pieces.last(), Some(Piece::Field(_))) {
            return Err(PatternFault::FieldsTouch);
        }
        pieces.push(Piece::Field(field));
        rest = &after[close + 1..];
    }
    Ok(pieces)
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, path: &str, expected: Option<&str>) {
        let pattern: PathPattern = pattern.parse().unwrap();
        let mut found = Some(Found::default());
        for (level, name) in path.split('/').enumerate() {
            found = found.and_then(|above| pattern.read(level, name, &above));
        }
        assert_eq!(found.map(|f| PathPattern::key(f).to_string()).as_deref(), expected, "{path}");
    }

    #[test]
    fn folders_name_the_key() {
        check("{subject}/{condition}/{view}", "001/nm-01/090", Some("001/nm-01/090"));
        check("/{view}/{subject}/", "090/ann", Some("ann/default/090"));
        check("{subject}", "ann", Some("ann/default/000"));
        check("{subject}/{condition}/{view}/*.png", "1/2/3", Some("1/2/3"));
        check("{subject}/{condition}/{view}/{condition}", "1/nm/090/02", Some("1/nm-02/090"));
        check("p{subject}/sil/{condition}", "p07/sil/nm", Some("07/nm/000"));
        check("p{subject}/sil/{condition}", "q07/sil/nm", None);
        check("p{subject}/sil/{condition}", "p07/rgb/nm", None);
    }

    #[test]
    fn files_count_by_their_names() {
        let takes = |pattern: &str, name| pattern.parse::<PathPattern>().unwrap().takes(name);
        assert!(takes("{subject}", "a.png") && takes("{subject}/*", "a.png"));
        assert!(takes("{subject}/*.png", "a.PNG") && !takes("{subject}/*.png", "a.png.txt"));
        let sils = "{subject}/*-sils*.pkl";
        assert!(takes(sils, "0-sils-1.pkl") && takes(sils, "-sils.pkl"));
        assert!(!takes(sils, "0-rgbs.pkl") && !takes(sils, "0-sils.pk"));
    }

    #[test]
    fn ambiguous_names_give_the_condition_most() {
        let pattern = "{subject}-{condition}-{view}";
        check(pattern, "001-nm-01-090", Some("001/nm-01/090"));
        check(pattern, "001-nm", None);
        check("{subject}_{view}", "ann_lee_090", Some("ann_lee/default/090"));
        check("{subject}_{view}", "é_é", Some("é/default/é"));
    }

    #[test]
    fn unusable_patterns_say_why() {
        for (pattern, part) in [
            ("", "no name"),
            ("{condition}", "no {subject}"),
            ("{subject}{view}", "touch"),
            ("{subject}/{subject}", "appears twice"),
            ("{subject}/{condition}-{condition}", "appears twice"),
            ("{subject", "never closed"),
            ("{id}", "{id} is none of"),
            ("{subject}//{view}", "no name"),
            ("../{subject}", "no name"),
            ("a}b/{subject}", "holds one of"),
        ] {
            let error = pattern.parse::<PathPattern>().unwrap_err().to_string();
            assert!(error.contains(part), "{pattern}: {error}");
        }
    }
}
