//! Which protocol tests which data: a named one, or the one that fits a prepared set.

use std::path::Path;

use gait_data::{PreparedSet, SetDescription};
use gait_eval::{EvalError, Name, Protocol};
use gait_support::FileError;

/// A protocol that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolChoiceError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no such protocol, or its file cannot be understood.
    #[error(transparent)]
    Eval(#[from] EvalError),
}

/// The protocol for the test subjects of a set, as [`for_data`].
///
/// # Errors
/// As [`for_data`].
pub fn for_set(name: Option<&str>, set: &PreparedSet) -> Result<Protocol, ProtocolChoiceError> {
    let conditions = set.test().into_iter().map(|i| set.entry(i).key.condition.clone());
    let conditions: Vec<String> = conditions.collect();
    for_data(name, &conditions, Some(set.about()))
}

/// The protocol of that name (a built-in one, or a file ending in `.toml`), or without a name the
/// one that fits the data: the protocol of the benchmark whose layout the set has, CASIA-B's if the
/// sequences have its conditions, and otherwise each sequence against all others.
///
/// If the partition of the set lists the probes, the protocol uses that list.
///
/// # Errors
/// An unknown name, or a file that cannot be read or understood.
pub fn for_data(
    name: Option<&str>,
    conditions: &[String],
    about: Option<&SetDescription>,
) -> Result<Protocol, ProtocolChoiceError> {
    let layout = about.map_or("", |about| &about.settings.layout);
    let protocol = match name {
        Some(name) => named(name)?,
        None => Protocol::builtin(fitting(layout, conditions))?,
    };
    Ok(match about.and_then(|about| about.partition.probe.clone()) {
        Some(listed) if protocol.needs_listed() => protocol.with_listed(listed),
        _ => protocol,
    })
}

/// The names of sequences of a set, to check a protocol against.
pub fn names_of<'a>(set: &'a PreparedSet, indices: &[usize]) -> Vec<Name<'a>> {
    let names = indices.iter().map(|&index| {
        let key = &set.entry(index).key;
        Name { subject: &key.subject, condition: &key.condition, view: &key.view }
    });
    names.collect()
}

/// A name of a protocol as a run keeps it: the path of a file becomes absolute, so that the run
/// continues from any working folder.
///
/// # Errors
/// A relative path while the working folder is gone.
pub(crate) fn lasting_name(name: &str) -> Result<String, ProtocolChoiceError> {
    if !is_file(name) {
        return Ok(name.into());
    }
    let path = std::path::absolute(name).map_err(|e| FileError::io("find", name, e))?;
    Ok(path.display().to_string())
}

/// A benchmark's layout has the name of its protocol. Any data may come in CASIA-B's layout, so
/// that one says nothing about the protocol.
fn fitting(layout: &str, conditions: &[String]) -> &'static str {
    let benchmark = Protocol::builtin_names().find(|name| *name == layout && layout != "casia-b");
    let has = |prefix: &str| conditions.iter().any(|c| c.starts_with(prefix));
    let gallery = ["nm-01", "nm-02", "nm-03", "nm-04"].into_iter().any(has);
    let casia_b = gallery && ["nm-05", "nm-06", "bg-0", "cl-0"].into_iter().any(has);
    benchmark.unwrap_or(if casia_b { "casia-b" } else { "leave-one-out" })
}

fn is_file(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "toml")
}

fn named(name: &str) -> Result<Protocol, ProtocolChoiceError> {
    if is_file(name) {
        let text = std::fs::read_to_string(name).map_err(|e| FileError::io("read", name, e))?;
        return Ok(Protocol::from_toml(name, &text)?);
    }
    Ok(Protocol::builtin(name)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gait_data::Layout;

    #[test]
    fn every_benchmark_has_its_protocol_and_other_data_what_fits_its_conditions() {
        let names = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
        for layout in Layout::NAMES {
            let plain = fitting(layout, &names(&["00", "01"]));
            let benchmark = !["casia-b", "opengait", "flat"].contains(&layout);
            assert_eq!(plain, if benchmark { layout } else { "leave-one-out" });
        }
        let walkers = names(&["nm-01", "nm-05", "cl-01"]);
        assert_eq!(fitting("opengait", &walkers), "casia-b");
        assert_eq!(fitting("", &names(&["nm-01"])), "leave-one-out");
    }

    #[test]
    fn a_file_is_kept_by_its_absolute_path_and_a_missing_one_is_named() {
        assert_eq!(lasting_name("casia-b").unwrap(), "casia-b");
        assert_eq!(lasting_name("").unwrap(), "");
        let kept = lasting_name("mine.toml").unwrap();
        assert!(Path::new(&kept).is_absolute() && kept.ends_with("mine.toml"), "{kept}");
        let error = for_data(Some("no-such.toml"), &[], None).unwrap_err();
        assert_eq!(error.to_string(), "cannot read no-such.toml");
        assert!(for_data(Some("no-such"), &[], None).is_err());
    }
}
