//! Tables of settings: from TOML text and from assignments, and one over another.

use gait_support::nearest;
use toml::{Table, Value};

use super::error::{SettingsError, SyntaxError};

/// The text of a configuration file; `place` names it in errors.
pub(super) fn parse_table(text: &str, place: &str) -> Result<Table, SettingsError> {
    text.parse().map_err(|error| SettingsError::toml(place, error))
}

/// The most parts of a key. Ours have at most three; unbounded nesting would overflow the stack.
const DEEPEST_KEY: usize = 16;

/// `a.b=value` as a nested table.
pub(super) fn parse_assignment(assignment: &str) -> Result<Table, SettingsError> {
    let Some((key, value)) = assignment.split_once('=') else {
        return Err(SettingsError::syntax(assignment, SyntaxError::NotAnAssignment));
    };
    let key = key.trim();
    if key.matches('.').count() >= DEEPEST_KEY {
        return Err(SettingsError::UnknownKey { key: key.into(), nearest: None });
    }
    let mut nested = parse_value(value.trim());
    for part in key.rsplit('.') {
        nested = Value::Table(Table::from_iter([(part.to_string(), nested)]));
    }
    match nested {
        Value::Table(table) => Ok(table),
        _ => Err(SettingsError::syntax(assignment, SyntaxError::EmptyKey)),
    }
}

/// A TOML value. Other text is a string, so that names need no quotes.
fn parse_value(text: &str) -> Value {
    let table = format!("value = {text}").parse::<Table>().ok();
    // More than one entry means that the text itself holds a line break and another key.
    let single = table.filter(|table| table.len() == 1);
    let value = single.and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| Value::String(text.into()))
}

/// Overrides the values of `base` by those of `over`. `prefix` is the dotted key of both, with a final
/// dot; `known` are all keys that exist.
pub(super) fn merge(
    base: &mut Table,
    over: &Table,
    prefix: &str,
    known: &[String],
) -> Result<(), SettingsError> {
    for (name, value) in over {
        let key = format!("{prefix}{name}");
        match (base.get_mut(name), value) {
            (None, _) => {
                return Err(SettingsError::UnknownKey { nearest: nearest(&key, known), key });
            }
            (Some(Value::Table(inner)), Value::Table(table)) => {
                merge(inner, table, &format!("{key}."), known)?;
            }
            (Some(Value::Float(slot)), Value::Integer(number)) => *slot = *number as f64,
            (Some(slot), value) => *slot = value.clone(),
        }
    }
    Ok(())
}

/// The keys of all values of a table, each with `prefix` before it.
pub(super) fn dotted_keys(table: &Table, prefix: &str) -> Vec<String> {
    let keys = table.iter().flat_map(|(name, value)| match value {
        Value::Table(inner) => dotted_keys(inner, &format!("{prefix}{name}.")),
        _ => vec![format!("{prefix}{name}")],
    });
    keys.collect()
}

/// The value of a dotted key.
pub(super) fn value_at<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    match key.split_once('.') {
        Some((outer, inner)) => value_at(table.get(outer)?.as_table()?, inner),
        None => table.get(key),
    }
}
