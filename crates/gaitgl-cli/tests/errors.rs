//! Errors of the libraries: neither an error nor the full message repeats the text of a cause.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::error::Error;
use std::fs;
use std::path::Path;

use gait_data::{Layout, PartitionFile, PrepareOptions, PreparedSet, Watch, prepare};
use gait_eval::Protocol;
use gait_support::full_message;
use gaitgl::ablation::Sweep;
use gaitgl::checkpoint::Checkpoint;
use gaitgl::exchange::{self, ImportOptions};
use gaitgl::run::RunFolder;
use gaitgl::settings::Settings;

/// What is wrong with the text of an error about `name`: the text of a cause is repeated, or the thing
/// is not named exactly once.
fn faults(name: &str, error: &(dyn Error + 'static)) -> Vec<String> {
    let mut faults = Vec::new();
    let mut effect = error;
    while let Some(cause) = effect.source() {
        if effect.to_string().contains(&cause.to_string()) {
            faults.push(format!("`{effect}` repeats `{cause}`"));
        }
        effect = cause;
    }
    let whole = full_message(error);
    if whole.matches(name).count() != 1 {
        faults.push(format!("{name} is not named once: {whole}"));
    }
    let parts: Vec<&str> = whole.split(": ").collect();
    if (1..parts.len()).any(|index| parts[..index].contains(&parts[index])) {
        faults.push(format!("a part is repeated: {whole}"));
    }
    if whole.contains("os error") {
        faults.push(format!("the number of a system error is shown: {whole}"));
    }
    faults
}

fn check(name: &str, errors: &[Box<dyn Error>]) {
    let faults: Vec<String> = errors.iter().flat_map(|e| faults(name, e.as_ref())).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn error<T, E>(result: Result<T, E>) -> E {
    result.err().unwrap()
}

/// The errors of everything that reads a file, where there is `name`.
fn readers(folder: &Path, name: &str) -> Vec<Box<dyn Error>> {
    let file = folder.join(name);
    let npz = folder.join(format!("{name}.npz"));
    if file.exists() {
        fs::copy(&file, &npz).unwrap();
    }
    let import = ImportOptions::default();
    let config = Settings::assemble(None, Some(&file.with_extension("toml")), &[]);
    vec![
        error(PreparedSet::open(&file)).into(),
        error(PartitionFile::read(&file)).into(),
        error(Checkpoint::load(&file)).into(),
        error(gait_embeddings::read(&npz)).into(),
        error(exchange::import(&file, &import)).into(),
        error(config).into(),
        error(Sweep::load(file.with_extension("toml").to_str().unwrap())).into(),
        error(RunFolder::new(&file).require_latest()).into(),
    ]
}

#[test]
fn missing_files_are_named_once() {
    let folder = tempfile::tempdir().unwrap();
    check("missing", &readers(folder.path(), "missing"));
}

#[test]
fn files_that_hold_something_else_are_named_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("strange"), "PK, but not a zip file").unwrap();
    fs::write(folder.path().join("strange.toml"), "not = [toml").unwrap();
    check("strange", &readers(folder.path(), "strange"));
}

#[test]
fn a_missing_tree_is_named_once() {
    let folder = tempfile::tempdir().unwrap();
    let options = PrepareOptions::new(Layout::from_name("casia-b", None).unwrap());
    let out = folder.path().join("out");
    let prepared = prepare(&folder.path().join("missing"), &out, &options, &Watch::silent());
    check("missing", &[error(prepared).into()]);
}

#[test]
fn unknown_names_are_named_once() {
    let settings = Settings::preset("paper-small").unwrap();
    let errors = [
        error(Protocol::builtin("casia-x")).into(),
        error(Layout::from_name("casia-x", None)).into(),
        error(Settings::preset("casia-x")).into(),
        error(settings.assign(&["casia-x=1".into()])).into(),
    ];
    check("casia-x", &errors);
}
