//! Results of several threads, taken in order.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Hands out the numbers from `first` up to `end` to workers and their results, in order, to
/// one consumer. At most `window` numbers are between being handed out and being taken, which
/// bounds the memory.
#[derive(Debug)]
pub(crate) struct OrderedQueue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    window: u64,
    end: u64,
}

#[derive(Debug)]
struct State<T> {
    /// The number that the next worker gets.
    next: u64,
    /// The number whose result the consumer gets next.
    wanted: u64,
    ready: BTreeMap<u64, T>,
    closed: bool,
}

impl<T> OrderedQueue<T> {
    pub fn new(first: u64, end: u64, window: u64) -> Self {
        let state = State { next: first, wanted: first, ready: BTreeMap::new(), closed: false };
        OrderedQueue { state: Mutex::new(state), changed: Condvar::new(), window, end }
    }

    /// The next number to work on; waits while the window is full. None at the end.
    pub fn claim(&self) -> Option<u64> {
        let full =
            |s: &mut State<T>| !s.closed && s.next < self.end && s.next - s.wanted >= self.window;
        let mut state = self.wait_while(full);
        if state.closed || state.next >= self.end {
            return None;
        }
        state.next += 1;
        Some(state.next - 1)
    }

    /// Delivers the result of `number`.
    pub fn put(&self, number: u64, result: T) {
        self.lock().ready.insert(number, result);
        self.changed.notify_all();
    }

    /// The next result in order; waits for it. None at the end, or if the queue is closed
    /// before it comes.
    pub fn take(&self) -> Option<T> {
        let missing =
            |s: &mut State<T>| !s.closed && s.wanted < self.end && !s.ready.contains_key(&s.wanted);
        let mut state = self.wait_while(missing);
        let wanted = state.wanted;
        let result = state.ready.remove(&wanted)?;
        state.wanted += 1;
        drop(state);
        self.changed.notify_all();
        Some(result)
    }

    /// Ends the work: nothing more is handed out, waiting threads wake.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Whether [`OrderedQueue::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Closes the queue if the thread that holds the guard panics, so that nobody waits for it.
    pub fn close_on_panic(&self) -> CloseOnPanic<'_, T> {
        CloseOnPanic(self)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, condition: impl FnMut(&mut State<T>) -> bool) -> MutexGuard<'_, State<T>> {
        self.changed.wait_while(self.lock(), condition).unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`OrderedQueue::close_on_panic`].
pub(crate) struct CloseOnPanic<'a, T>(&'a OrderedQueue<T>);

impl<T> Drop for CloseOnPanic<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn results_come_in_order_and_within_the_window() {
        let queue = OrderedQueue::new(5, 105, 3);
        let taken = AtomicU64::new(5);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while let Some(number) = queue.claim() {
                        assert!(number < taken.load(Ordering::SeqCst) + 4);
                        queue.put(number, number * 2);
                    }
                });
            }
            for expected in 5..105 {
                assert_eq!(queue.take(), Some(expected * 2));
                taken.store(expected + 1, Ordering::SeqCst);
            }
            assert_eq!(queue.take(), None);
        });
    }

    #[test]
    fn a_panicking_worker_ends_the_wait() {
        let queue: OrderedQueue<()> = OrderedQueue::new(0, 10, 2);
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let _guard = queue.close_on_panic();
                std::panic::resume_unwind(Box::new("on purpose"));
            });
            assert_eq!(queue.take(), None);
            assert!(worker.join().is_err());
        });
    }
}
