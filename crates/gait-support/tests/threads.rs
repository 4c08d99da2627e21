//! Work without threads: each test runs itself again in a process that cannot start any.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::env;
use std::num::NonZero;
use std::process::Command;

use gait_support::start_pool;
use rayon::prelude::*;

/// Runs `check` in a process whose threads would need stacks larger than any address space.
fn without_threads(test: &str, check: fn()) {
    if env::var_os("RUST_MIN_STACK").is_some() {
        assert!(std::thread::Builder::new().spawn(|| ()).is_err());
        return check();
    }
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--test-threads=1"])
        .env("RUST_MIN_STACK", (1_u64 << 60).to_string())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{output:?}");
}

#[test]
fn without_threads_the_caller_does_the_work() {
    without_threads("without_threads_the_caller_does_the_work", || {
        assert_eq!(start_pool(NonZero::new(4)), 1);
        let sum: u64 = (0..1000_u64).into_par_iter().map(|n| n * n).sum();
        assert_eq!(sum, 332_833_500);
    });
}

#[test]
fn the_pool_has_the_threads_asked_for() {
    assert_eq!(start_pool(NonZero::new(3)), 3);
    let sum: u64 = (0..1000_u64).into_par_iter().map(|n| n * n).sum();
    assert_eq!(sum, 332_833_500);
    // A second call changes nothing; a pool of the caller's own is used as it is.
    assert_eq!(start_pool(NonZero::new(5)), 3);
    let own = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    assert_eq!(own.install(|| start_pool(None)), 2);
}
