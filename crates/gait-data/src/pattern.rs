//! Path patterns: which folders of a tree name the subject, the condition and the view.

use std::fmt;
use std::str::FromStr;

use crate::{DataError, SequenceKey};

/// Condition of every sequence when the pattern has no `{condition}`.
pub const DEFAULT_CONDITION: &str = "default";
/// View of every sequence when the pattern has no `{view}`.
pub const DEFAULT_VIEW: &str = "000";

/// A pattern of folders such as `{subject}/{condition}/{view}` or `{subject}-{condition}-{view}`:
/// folder names with fields, outermost first; the last folder holds the frames.
///
/// Text around fields must match exactly. Where a name can be cut in several ways, the condition
/// gets as much as it can, then the subject: `{subject}-{condition}-{view}` reads `001-nm-01-090`
/// as 001, nm-01, 090. A last part that starts with `*` (`*.png`) stands for the frames and may
/// be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    text: String,
    folders: Vec<Vec<Piece>>,
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

/// What the folders above have already said: subject, condition, view.
pub(crate) type Found = [Option<String>; 3];

impl PathPattern {
    /// The pattern of CASIA-B and of the trees that OpenGait rearranges.
    pub fn casia_b() -> Self {
        let field = |field| vec![Piece::Field(field)];
        PathPattern {
            text: "{subject}/{condition}/{view}".into(),
            folders: vec![field(Field::Subject), field(Field::Condition), field(Field::View)],
        }
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
        let cuts = cuts(&self.folders[level], name);
        let best = cuts.into_iter().max_by_key(|cut| {
            let length = |field: Field| cut[field as usize].as_ref().map_or(0, String::len);
            (length(Field::Condition), length(Field::Subject))
        })?;
        let mut found = above.clone();
        for (slot, value) in found.iter_mut().zip(best) {
            *slot = value.or(slot.take());
        }
        Some(found)
    }

    /// The key that the folders name together.
    pub(crate) fn key(&self, found: Found) -> SequenceKey {
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

impl FromStr for PathPattern {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        let wrong = |what: &str| DataError::Pattern { pattern: text.into(), what: what.into() };
        let trimmed = text.trim_matches('/');
        let mut parts: Vec<&str> = trimmed.split('/').collect();
        if parts.len() > 1 && parts.last().is_some_and(|last| last.starts_with('*')) {
            parts.pop();
        }
        let mut seen = [false; 3];
        let mut folders = Vec::new();
        for part in &parts {
            if part.is_empty() || *part == "." || *part == ".." {
                return Err(wrong("a folder between two `/` has no name"));
            }
            folders.push(pieces(part, &mut seen).map_err(|what| wrong(&what))?);
        }
        if !seen[Field::Subject as usize] {
            return Err(wrong("it has no {subject}"));
        }
        Ok(PathPattern { text: parts.join("/"), folders })
    }
}

/// Cuts one part of a pattern into text and fields, marking the fields `seen`.
fn pieces(part: &str, seen: &mut [bool; 3]) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = part;
    while !rest.is_empty() {
        let open = rest.find('{').unwrap_or(rest.len());
        let (text, after) = rest.split_at(open);
        if text.contains(['}', '*', '?', '\\']) {
            return Err(format!("`{text}` holds one of }} * ? \\"));
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text.into()));
        }
        if after.is_empty() {
            break;
        }
        let close = after.find('}').ok_or("a { is never closed")?;
        let field = match &after[1..close] {
            "subject" => Field::Subject,
            "condition" => Field::Condition,
            "view" => Field::View,
            other => {
                return Err(format!("{{{other}}} is none of {{subject}}, {{condition}}, {{view}}"));
            }
        };
        if std::mem::replace(&mut seen[field as usize], true) {
            return Err(format!("{} appears twice", &after[..=close]));
        }
        if matches!(pieces.last(), Some(Piece::Field(_))) {
            return Err("two fields touch; put text or a / between them".into());
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
        assert_eq!(found.map(|f| pattern.key(f).to_string()).as_deref(), expected, "{path}");
    }

    #[test]
    fn folders_name_the_key() {
        check("{subject}/{condition}/{view}", "001/nm-01/090", Some("001/nm-01/090"));
        check("/{view}/{subject}/", "090/ann", Some("ann/default/090"));
        check("{subject}", "ann", Some("ann/default/000"));
        check("{subject}/{condition}/{view}/*.png", "1/2/3", Some("1/2/3"));
        check("p{subject}/sil/{condition}", "p07/sil/nm", Some("07/nm/000"));
        check("p{subject}/sil/{condition}", "q07/sil/nm", None);
        check("p{subject}/sil/{condition}", "p07/rgb/nm", None);
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
