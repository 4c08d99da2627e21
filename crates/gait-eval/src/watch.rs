//! How a long evaluation is followed and stopped.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::EvalError;

static NEVER: AtomicBool = AtomicBool::new(false);

/// Progress towards, and a way to stop, a long piece of work.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Called now and then with (done, total) probes, possibly from several threads.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
    /// Set to true (by Ctrl-C, say), the work ends soon with [`EvalError::Stopped`].
    pub stop: &'a AtomicBool,
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("stop", self.stop).finish_non_exhaustive()
    }
}

impl Watch<'static> {
    /// Neither shows progress nor stops.
    pub fn silent() -> Self {
        Self { progress: &|_, _| {}, stop: &NEVER }
    }
}

impl Watch<'_> {
    pub(crate) fn check(&self) -> Result<(), EvalError> {
        if self.stop.load(Ordering::Relaxed) { Err(EvalError::Stopped) } else { Ok(()) }
    }
}
