//! Runs the binary in a temporary folder, on walkers that are made once per test program.
#![allow(dead_code, reason = "each test program uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use tempfile::TempDir;

/// Settings of a network small enough for a test.
pub const TINY: [&str; 14] = [
    "--preset",
    "paper-small",
    "--set",
    "model.channels=[2,3,4]",
    "--set",
    "train.batch.subjects=3",
    "--set",
    "train.batch.sequences=2",
    "--set",
    "train.batch.frames=6",
    "--set",
    "train.learning_rate=1e-3",
    "--set",
    "train.checkpoint_every=2",
];

/// Runs the binary.
pub fn gaitgl<S: AsRef<std::ffi::OsStr>>(folder: &Path, arguments: &[S]) -> Output {
    command(folder, arguments).output().unwrap()
}

/// The binary, not started.
pub fn command<S: AsRef<std::ffi::OsStr>>(folder: &Path, arguments: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gaitgl"));
    command.current_dir(folder).args(arguments);
    command
}

/// A command line, split at spaces.
pub fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(String::from).collect()
}

/// Runs a command line that must succeed and returns its standard output.
pub fn ok(folder: &Path, line: &str) -> String {
    let output = gaitgl(folder, &words(line));
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(0), "{line}\n{out}\n{err}");
    out
}

/// Runs a command line that must fail with exit code 2 and one line that contains all `parts`.
pub fn refused(folder: &Path, line: &str, parts: &[&str]) {
    let output = gaitgl(folder, &words(line));
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(2), "{line}\n{out}\n{err}");
    assert_eq!(err.lines().count(), 1, "{line}: not one line:\n{err}");
    assert!(!err.contains("panicked"), "{err}");
    for part in parts {
        assert!(err.contains(part), "{line}: no `{part}` in: {err}");
    }
}

/// Standard output and standard error as text.
pub fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// The first arguments of a training command on the shared set.
pub fn train_line(run: &Path, iterations: u32) -> Vec<String> {
    let shared = shared();
    let mut line = words("train --data");
    line.push(shared.prepared().display().to_string());
    line.push("--run".into());
    line.push(run.display().to_string());
    line.extend(TINY.map(String::from));
    line.extend(words(&format!("--set train.iterations={iterations} --set train.test_every=0")));
    line
}

/// Walkers, a prepared set and a trained network.
pub struct Shared {
    folder: TempDir,
}

impl Shared {
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
    pub fn raw(&self) -> PathBuf {
        self.path().join("raw")
    }
    pub fn prepared(&self) -> PathBuf {
        self.path().join("prepared")
    }
    pub fn run(&self) -> PathBuf {
        self.path().join("run")
    }
}

/// Makes the shared folder on first use.
pub fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(|| {
        let shared = Shared { folder: tempfile::tempdir().unwrap() };
        let folder = shared.path();
        ok(folder, "synth raw --subjects 8 --views 45,90 --frames 12 --seed 3");
        ok(folder, "prepare raw prepared --layout casia-b");
        let tiny = TINY.join(" ");
        let run = "--data prepared --run run --set train.iterations=4 --set train.test_every=2";
        ok(folder, &format!("train {run} {tiny}"));
        shared
    })
}
