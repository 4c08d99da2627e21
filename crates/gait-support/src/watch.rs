//! Progress and cancellation of long work.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

/// The caller's side of long work: a progress callback and a flag that asks it to stop.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Called with (done, total) as work proceeds, possibly from several threads.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
    /// Set to true (by Ctrl-C, say), the work ends soon with [`Stopped`].
    pub stop: &'a AtomicBool,
}

/// The caller asked the work to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped on request")]
pub struct Stopped;

static NEVER: AtomicBool = AtomicBool::new(false);

impl Watch<'static> {
    /// Shows nothing and never stops.
    pub fn silent() -> Self {
        Watch { progress: &|_, _| {}, stop: &NEVER }
    }
}

impl Watch<'_> {
    /// Whether the caller asked to stop.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// [`Stopped`] if the caller asked to stop.
    pub fn check(&self) -> Result<(), Stopped> {
        if self.stopped() { Err(Stopped) } else { Ok(()) }
    }

    /// Reports `done` of `total`.
    pub fn report(&self, done: u64, total: u64) {
        (self.progress)(done, total);
    }
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("stop", self.stop).finish_non_exhaustive()
    }
}
