//! A bound on the memory of sequences in work.

use std::sync::{Condvar, Mutex, PoisonError};

/// Bytes of pixels that may be in work at a time. One longer sequence is worked on alone.
const BUDGET: usize = 192 << 20;

/// Bounds the bytes in work.
#[derive(Default)]
pub(super) struct MemoryBudget {
    used: Mutex<usize>,
    freed: Condvar,
}

impl MemoryBudget {
    /// Waits until `bytes` fit beside what is in work, or nothing is.
    pub fn reserve(&self, bytes: usize) -> Reserved<'_> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let crowded = |used: &mut usize| *used > 0 && *used + bytes > BUDGET;
        let used = self.freed.wait_while(used, crowded);
        *used.unwrap_or_else(PoisonError::into_inner) += bytes;
        Reserved { budget: self, bytes }
    }
}

/// Bytes of a [`MemoryBudget`], given back on drop.
pub(super) struct Reserved<'a> {
    budget: &'a MemoryBudget,
    bytes: usize,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        *self.budget.used.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Duration;

    #[test]
    fn work_beyond_the_budget_waits_and_a_giant_goes_alone() {
        let budget = MemoryBudget::default();
        let finished = AtomicBool::new(false);
        let giant = budget.reserve(10 * BUDGET);
        thread::scope(|scope| {
            scope.spawn(|| {
                let _small = budget.reserve(1);
                assert!(finished.load(Ordering::SeqCst), "it did not wait for the giant");
            });
            thread::sleep(Duration::from_millis(20));
            finished.store(true, Ordering::SeqCst);
            drop(giant);
        });
        assert_eq!(*budget.used.lock().unwrap(), 0);
    }
}
