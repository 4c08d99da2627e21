//! What the program prints: results on standard output, errors and warnings on standard error.
//!
//! Names of files come from anywhere, so control characters are escaped before a terminal sees them.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::bail;
use gait_support::io_reason;

/// The first failure to print a line of the result.
static PRINT_ERROR: OnceLock<io::Error> = OnceLock::new();

/// Whether standard output is reserved for JSON.
static JSON_ON_STDOUT: AtomicBool = AtomicBool::new(false);

/// Prints a line of a command's result, or several. It is not an error if the reader has gone away
/// (`| head`); [`check_printed`] reports other failures.
pub fn print_line(line: impl Display) {
    let line = printable(&line.to_string());
    let printed = if JSON_ON_STDOUT.load(Ordering::Relaxed) {
        writeln!(io::stderr(), "{line}")
    } else {
        writeln!(io::stdout(), "{line}")
    };
    keep_failure(printed);
}

/// Reserves standard output for [`print_json`]; [`print_line`] then prints to standard error.
pub fn reserve_stdout_for_json() {
    JSON_ON_STDOUT.store(true, Ordering::Relaxed);
}

/// Prints the JSON of a result to standard output.
pub fn print_json(text: &str) {
    keep_failure(writeln!(io::stdout(), "{text}"));
}

fn keep_failure(printed: io::Result<()>) {
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let _ = PRINT_ERROR.set(error);
        }
        _ => {}
    }
}

/// Checks that the whole result was printed.
///
/// # Errors
/// A line could not be written, for example because the disk is full.
pub fn check_printed() -> anyhow::Result<()> {
    PRINT_ERROR.get().map_or(Ok(()), |error| {
        bail!("cannot write the result to standard output: {}", io_reason(error))
    })
}

/// Prints an error or a warning as one line on standard error. If nobody reads it (`2>&1 | head`),
/// that is no reason to fail.
pub fn report(message: &str) {
    let lines: Vec<&str> = message.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let line = printable(&lines.join("; "));
    let _ = writeln!(io::stderr(), "gaitgl: {line}");
}

/// A text with its control characters escaped, except for line breaks and tabs. Characters that
/// reverse the direction of text are escaped too, since they can disguise a name.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        let layout = matches!(character, '\n' | '\t');
        let reordering = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if (character.is_control() && !layout) || reordering {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_other_text_is_not() {
        assert_eq!(printable("a\u{1b}[31mb\r\u{7}\u{9b}"), "a\\u{1b}[31mb\\r\\u{7}\\u{9b}");
        assert_eq!(printable("gpj.\u{202e}exe"), "gpj.\\u{202e}exe");
        assert_eq!(printable("李\tnm-01 é\n"), "李\tnm-01 é\n");
    }
}
