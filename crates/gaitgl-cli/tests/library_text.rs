//! The libraries know nothing of the command line: no text of theirs names a flag, a command or the
//! program. Advice about what to type is in `src/hints/`.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::fs;
use std::path::{Path, PathBuf};

/// The commands of the program.
const COMMANDS: [&str; 18] = [
    "quickstart",
    "synth",
    "prepare",
    "convert",
    "train",
    "test",
    "compare-results",
    "ablate",
    "plot",
    "embed",
    "gallery",
    "calibrate",
    "import",
    "export",
    "info",
    "bench",
    "silhouettes",
    "completions",
];

#[test]
fn no_library_text_names_a_flag_a_command_or_the_program() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut offenders = Vec::new();
    for entry in fs::read_dir(crates).unwrap() {
        let source = entry.unwrap().path().join("src");
        if source.starts_with(env!("CARGO_MANIFEST_DIR")) {
            continue;
        }
        for file in sources(&source) {
            let name = file.strip_prefix(crates).unwrap().display();
            for text in texts(&fs::read_to_string(&file).unwrap()) {
                if let Some(word) = of_the_command_line(&text) {
                    offenders.push(format!("{name}: `{word}` in {text:?}"));
                }
            }
        }
    }
    assert!(offenders.is_empty(), "{} texts:\n{}", offenders.len(), offenders.join("\n"));
}

/// The source files below a folder, without those that only hold tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "tests" {
            files.extend(sources(&path));
        } else if name.ends_with(".rs") && name != "tests.rs" {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The first part of a text that only makes sense on the command line.
fn of_the_command_line(text: &str) -> Option<String> {
    if text.contains("://") {
        return None;
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    for (index, word) in words.iter().enumerate() {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        let is_flag = bare.strip_prefix("--").is_some_and(|rest| rest.starts_with(is_lower));
        let quoted = word.trim_end_matches([',', ';', '.', ':']);
        let quoted = quoted.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
        let is_command = quoted.is_some_and(|name| COMMANDS.contains(&name));
        let next = words.get(index + 1).map(|next| next.trim_matches('`'));
        let runs_program = bare == "gaitgl" && next.is_some_and(|next| COMMANDS.contains(&next));
        if is_flag || is_command || runs_program {
            return Some((*word).to_owned());
        }
    }
    None
}

fn is_lower(character: char) -> bool {
    character.is_ascii_lowercase()
}

/// The string literals of a source file, without those of comments, attributes on tests and the test
/// module at its end.
fn texts(source: &str) -> Vec<String> {
    let code = source.split("\n#[cfg(test)]\nmod ").next().unwrap();
    let mut texts = Vec::new();
    let mut rest = code;
    while let Some(character) = rest.chars().next() {
        rest = if rest.starts_with("//") {
            rest.find('\n').map_or("", |end| &rest[end..])
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or("", |end| &rest[end + 2..])
        } else if let Some(hashes) = raw_string(rest) {
            let text = &rest[hashes + 2..];
            let end = format!("\"{}", "#".repeat(hashes));
            let length = text.find(&end).unwrap();
            texts.push(text[..length].to_owned());
            &text[length + end.len()..]
        } else if character == '"' {
            let length = string_length(&rest[1..]);
            texts.push(rest[1..=length].replace("\\\n", " "));
            &rest[length + 2..]
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\") {
            // A character, which may be a quotation mark.
            &rest[2 + rest[2..].find('\'').unwrap() + 1..]
        } else {
            &rest[character.len_utf8()..]
        };
    }
    texts
}

/// The number of hashes of a raw string that starts here.
fn raw_string(code: &str) -> Option<usize> {
    let after = code.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

/// The length of a string literal without its quotation marks.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (index, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return index,
            _ => {}
        }
    }
    text.len()
}

#[test]
fn texts_are_found_and_comments_are_not() {
    let source = r##"
        // "a --comment"
        let quote = '"'; let escaped = '\''; let bytes = b"x\"y";
        error("it's \
               two"); raw(r#"a "b" --c"#); 'label: loop {}
"##;
    let found = texts(source);
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found[2], "a \"b\" --c");
    for wrong in ["give --data", "(--data)", "see `train`.", "run `gaitgl prepare` first"] {
        assert!(of_the_command_line(wrong).is_some(), "{wrong}");
    }
    for right in ["`train.iterations`", "a -- b", "the gaitgl format", "train it", "--"] {
        assert_eq!(of_the_command_line(right), None, "{right}");
    }
}
