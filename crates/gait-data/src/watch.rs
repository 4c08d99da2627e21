//! How long work reports progress and hears that it should stop.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::DataError;

/// The caller's side of long work: a progress callback and a flag that asks it to stop.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Called with (done, total) as work proceeds, possibly from several threads.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
    /// Set to true (by Ctrl-C, say) to end the work soon with [`DataError::Stopped`].
    pub stop: &'a AtomicBool,
}

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

    /// [`DataError::Stopped`] if the caller asked to stop.
    pub fn check(&self) -> Result<(), DataError> {
        if self.stopped() { Err(DataError::Stopped) } else { Ok(()) }
    }

    /// Reports `done` of `total`.
    pub fn report(&self, done: u64, total: u64) {
        (self.progress)(done, total);
    }
}
