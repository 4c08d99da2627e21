//! Results as files.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use gait_support::FileError;
use gait_support::files::{check_writable, write_atomic};
use serde_json::Value;

use crate::output;

/// Writes bytes, all of them or none.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_atomic(path, bytes).map_err(|error| FileError::io("write", path, error))
}

/// Writes a result as JSON.
pub fn write_json(path: &Path, value: &Value) -> Result<(), FileError> {
    write(path, format!("{}\n", json_text(value)).as_bytes())
}

/// JSON with one line for each member, except that a list of numbers is one line.
fn json_text(value: &Value) -> String {
    let mut text = String::new();
    lay_out(value, "\n", &mut text);
    text
}

/// Appends a value; `line` is the line break before what it ends with.
fn lay_out(value: &Value, line: &str, text: &mut String) {
    let deeper = format!("{line}  ");
    match value {
        Value::Array(items) if !items.iter().all(Value::is_number) => {
            for (at, item) in items.iter().enumerate() {
                text.push(if at == 0 { '[' } else { ',' });
                text.push_str(&deeper);
                lay_out(item, &deeper, text);
            }
            text.push_str(line);
            text.push(']');
        }
        Value::Object(members) if !members.is_empty() => {
            for (at, (name, member)) in members.iter().enumerate() {
                text.push(if at == 0 { '{' } else { ',' });
                text.push_str(&deeper);
                text.push_str(&format!("{}: ", Value::from(name.as_str())));
                lay_out(member, &deeper, text);
            }
            text.push_str(line);
            text.push('}');
        }
        value => text.push_str(&value.to_string()),
    }
}

/// Where a result goes as JSON: a file, or standard output for `-`.
#[derive(Clone)]
pub enum JsonTarget {
    /// `-`
    Stdout,
    /// Any other name; `./-` is a file.
    File(PathBuf),
}

impl From<OsString> for JsonTarget {
    fn from(name: OsString) -> Self {
        if name == "-" { Self::Stdout } else { Self::File(name.into()) }
    }
}

impl JsonTarget {
    /// Checks before the work starts that the result can be written. If it goes to standard output,
    /// all other text goes to standard error from now on.
    pub fn prepare(&self) -> Result<(), FileError> {
        match self {
            Self::Stdout => output::reserve_stdout_for_json(),
            Self::File(path) => check_writable(path)?,
        }
        Ok(())
    }

    /// Writes the result.
    pub fn write(&self, value: &Value) -> Result<(), FileError> {
        match self {
            Self::Stdout => output::print_json(&json_text(value)),
            Self::File(path) => write_json(path, value)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_of_numbers_stand_in_one_line() {
        let value = json!({ "a": [1, 2.5], "b": [["x\n", 1], {}], "c": { "d": null, "e": [] } });
        let expected = "{\n  \"a\": [1,2.5],\n  \"b\": [\n    [\n      \"x\\n\",\n      1\n    ],\n    {}\n  ],\n  \
                        \"c\": {\n    \"d\": null,\n    \"e\": []\n  }\n}";
        let text = json_text(&value);
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
