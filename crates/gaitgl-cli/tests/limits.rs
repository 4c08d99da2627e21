//! Limits on threads and memory: the program works with fewer threads, or fails with one line.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use common::{TINY, shared, texts};

/// Runs a command line in the shared folder under a `ulimit`, such as `-u 4`. Root has no limit on
/// processes, so root runs it as a user that nothing else runs as. `None` if the machine lacks the
/// tools or the program cannot start under the limit.
fn limited(limit: &str, line: &str) -> Option<Output> {
    let folder = shared().path();
    let program = folder.join("gaitgl");
    if !program.exists() {
        fs::copy(env!("CARGO_BIN_EXE_gaitgl"), &program).unwrap();
        fs::set_permissions(folder, Permissions::from_mode(0o777)).unwrap();
    }
    let script = format!("ulimit {limit} || exit 127; exec ./gaitgl {line}");
    let mut command = if is_root() {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let user = 1_000_000 + 1_000 * std::process::id() + NEXT.fetch_add(1, Ordering::Relaxed);
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={user}"), format!("--regid={user}")]);
        command.args(["--clear-groups", "bash"]);
        command
    } else {
        Command::new("bash")
    };
    command.args(["-c", &script]).current_dir(folder).env("RAYON_NUM_THREADS", "4");
    let output = command.output().ok()?;
    let not_started =
        matches!(output.status.code(), Some(126 | 127)) || output.stderr.starts_with(b"setpriv: ");
    (!not_started).then_some(output)
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout == b"0\n")
}

/// Checks that a command ended well: it is done, or one line says why not.
fn ended_well(limit: &str, line: &str) {
    let Some(output) = limited(limit, line) else { return };
    let (out, err) = texts(&output);
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 2)), "{limit}, {line}: {:?}\n{out}\n{err}", output.status);
    assert!(err.lines().all(|line| line.starts_with("gaitgl: ")), "{limit}, {line}:\n{err}");
    let failures = err.lines().filter(|line| !line.starts_with("gaitgl: warning: ")).count();
    assert_eq!(failures, usize::from(code == Some(2)), "{limit}, {line}:\n{err}");
    for word in ["panicked", "internal error", "abort"] {
        assert!(!err.contains(word), "{limit}, {line}:\n{err}");
    }
}

fn lines(number: usize) -> [String; 4] {
    let tiny = TINY.join(" ");
    [
        format!("prepare raw prepared-under-{number}"),
        "test --run run --data prepared --verify".to_owned(),
        format!("embed --run run --data prepared --out embedded-under-{number}.npz"),
        format!(
            "train --data prepared --run trained-under-{number} {tiny} --set train.iterations=2"
        ),
    ]
}

#[test]
fn refused_threads_end_in_success_or_in_one_line() {
    for threads in 1..=8 {
        for line in lines(threads) {
            ended_well(&format!("-u {threads}"), &line);
        }
    }
}

#[test]
fn with_few_threads_the_work_is_done_and_a_warning_names_the_limit() {
    for line in lines(100) {
        // The main thread, two of the pool, one for Ctrl-C and one that reads ahead.
        let Some(output) = limited("-u 5", &line).filter(|_| is_root()) else { return };
        let (out, err) = texts(&output);
        assert_eq!(output.status.code(), Some(0), "{line}\n{out}\n{err}");
        assert_eq!(err.lines().count(), 1, "{line}\n{err}");
        for part in ["warning", "continuing with 2 of 4", "ulimit -u"] {
            assert!(err.contains(part), "{line}: no {part} in {err}");
        }
    }
}

#[test]
fn refused_memory_ends_in_success_or_in_one_line() {
    let train = |run: usize| {
        let settings = "--set train.iterations=1 --set train.batch.subjects=2";
        format!("train --data prepared --run full-under-{run} {settings}")
    };
    // The program itself, most of it the networks that ship, must fit in any case.
    let program = fs::metadata(env!("CARGO_BIN_EXE_gaitgl")).unwrap().len() as usize / 1000;
    for beyond in [25_000, 65_000, 115_000, 165_000, 215_000, 265_000, 365_000, 565_000] {
        let kilobytes = program + beyond;
        ended_well(&format!("-v {kilobytes}"), &train(kilobytes));
        for line in lines(kilobytes) {
            ended_well(&format!("-v {kilobytes}"), &line);
        }
    }
    let Some(output) = limited("-v 300000", &train(0)) else { return };
    let (_, err) = texts(&output);
    assert_eq!(output.status.code(), Some(2), "{err}");
    for part in ["out of memory: cannot allocate", "MB", "train.batch"] {
        assert!(err.contains(part), "no {part} in {err}");
    }
}
