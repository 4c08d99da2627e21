//! Errors of the libraries: the text of an error and the texts of its causes are said once each.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::error::Error;
use std::fs;
use std::path::Path;

use gait_data::{PartitionFile, PrepareOptions, PreparedSet, Watch};
use gait_eval::Protocol;
use gait_support::full_message;
use gaitgl::ablation::Sweep;
use gaitgl::checkpoint::Checkpoint;
use gaitgl::exchange::{self, ImportOptions};
use gaitgl::run::RunFolder;
use gaitgl::settings::Settings;

/// Checks that no error repeats the text of its cause, and that the whole names the file once.
fn check(name: &str, error: &(dyn Error + 'static)) {
    let whole = full_message(error);
    let mut effect = error;
    while let Some(cause) = effect.source() {
        let own = effect.to_string();
        assert!(!own.contains(&cause.to_string()), "`{own}` repeats `{cause}`");
        effect = cause;
    }
    assert_eq!(whole.matches(name).count(), 1, "{name} is not named once: {whole}");
    let parts: Vec<&str> = whole.split(": ").collect();
    for (index, part) in parts.iter().enumerate() {
        assert!(!parts[..index].contains(part), "`{part}` is repeated: {whole}");
    }
    assert!(!whole.contains("os error"), "{whole}");
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
    for error in readers(folder.path(), "missing") {
        check("missing", error.as_ref());
    }
}

#[test]
fn files_that_hold_something_else_are_named_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("strange"), "PK, but not a zip file").unwrap();
    fs::write(folder.path().join("strange.toml"), "not = [toml").unwrap();
    for error in readers(folder.path(), "strange") {
        check("strange", error.as_ref());
    }
}

#[test]
fn trees_and_names_that_are_wrong_are_named_once() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let options = PrepareOptions::new(gait_data::Layout::from_name("casia-b", None).unwrap());
    let out = folder.path().join("out");
    let prepared = gait_data::prepare(&missing, &out, &options, &Watch::silent());
    check("missing", &error(prepared));
    check("casia-x", &error(Protocol::builtin("casia-x")));
    check("casia-x", &error(gait_data::Layout::from_name("casia-x", None)));
    check("paper-x", &error(Settings::preset("paper-x")));
    let settings = Settings::preset("paper-small").unwrap();
    check("train.x", &error(settings.assign(&["train.x=1".into()])));
}
