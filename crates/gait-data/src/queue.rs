//! Results of several threads, taken in order.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::{iter, thread};

/// Hands out the numbers from `first` up to `end` to workers, and their results, in order, to one
/// consumer. At most `window` numbers are handed out and not yet taken, which bounds the memory.
///
/// Threads run [`OrderedQueue::work`] while the consumer calls [`OrderedQueue::take`]. A consumer
/// without threads calls [`OrderedQueue::make`] instead.
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

    /// Makes the results of numbers until none is left or the queue closes. If `make` panics, the
    /// queue closes, so that nobody waits for the result.
    pub fn work(&self, mut make: impl FnMut(u64) -> T) {
        let _guard = CloseOnPanic(self);
        while let Some(number) = self.claim() {
            self.put(number, make(number));
        }
    }

    /// The next result in order, after waiting for it. `None` at the end, or if the queue is closed
    /// before the result comes.
    pub fn take(&self) -> Option<T> {
        let missing = |state: &mut State<T>| {
            !state.closed && state.wanted < self.end && !state.ready.contains_key(&state.wanted)
        };
        let mut state = self.wait_while(missing);
        let wanted = state.wanted;
        let result = state.ready.remove(&wanted)?;
        state.wanted += 1;
        drop(state);
        self.changed.notify_all();
        Some(result)
    }

    /// The next result, made by the consumer itself because there are no threads.
    pub fn make(&self, make: impl FnOnce(u64) -> T) -> Option<T> {
        let number = self.claim()?;
        self.put(number, make(number));
        self.take()
    }

    /// Calls `consume` with the results, which up to `threads` threads make, each with a worker of
    /// its own. If the system grants fewer threads, it is fewer; if it grants none, the results are
    /// made as `consume` asks for them. If a worker panics, there are no more results.
    pub fn serve<W, R>(
        &self,
        threads: usize,
        worker: impl Fn() -> W + Sync,
        consume: impl FnOnce(&mut dyn Iterator<Item = T>) -> R,
    ) -> R
    where
        T: Send,
        W: FnMut(u64) -> T,
    {
        let work = || self.work(worker());
        thread::scope(|scope| {
            // Without it, a panic in `consume` would leave the workers waiting.
            let _guard = CloseOnPanic(self);
            let start = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
            let started: Vec<_> = (0..threads).map_while(start).collect();
            let result = if started.is_empty() {
                let mut make = worker();
                consume(&mut iter::from_fn(|| self.make(&mut make)))
            } else {
                consume(&mut iter::from_fn(|| self.take()))
            };
            self.close();
            // The scope would pass on a panic of a thread that is not joined here.
            started.into_iter().for_each(|thread| drop(thread.join()));
            result
        })
    }

    /// Ends the work: no more numbers are handed out, and waiting threads wake up.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Whether [`OrderedQueue::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// The next number to work on, after waiting while the window is full. `None` at the end.
    fn claim(&self) -> Option<u64> {
        let full = |state: &mut State<T>| {
            !state.closed && state.next < self.end && state.next - state.wanted >= self.window
        };
        let mut state = self.wait_while(full);
        if state.closed || state.next >= self.end {
            return None;
        }
        state.next += 1;
        Some(state.next - 1)
    }

    fn put(&self, number: u64, result: T) {
        self.lock().ready.insert(number, result);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, condition: impl FnMut(&mut State<T>) -> bool) -> MutexGuard<'_, State<T>> {
        self.changed.wait_while(self.lock(), condition).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the queue if the thread panics.
struct CloseOnPanic<'a, T>(&'a OrderedQueue<T>);

impl<T> Drop for CloseOnPanic<'_, T> {
    fn drop(&mut self) {
        if thread::panicking() {
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
        for threads in [4, 1, 0] {
            let queue = OrderedQueue::new(5, 105, 3);
            let taken = AtomicU64::new(5);
            let worker = || {
                |number| {
                    assert!(number < taken.load(Ordering::SeqCst) + 4);
                    number * 2
                }
            };
            queue.serve(threads, worker, |results| {
                for expected in 5..105 {
                    assert_eq!(results.next(), Some(expected * 2), "{threads} threads");
                    taken.store(expected + 1, Ordering::SeqCst);
                }
                assert_eq!(results.next(), None);
            });
        }
    }

    #[test]
    fn a_panicking_worker_ends_the_wait() {
        let queue: OrderedQueue<()> = OrderedQueue::new(0, 10, 2);
        let worker = || |_| std::panic::resume_unwind(Box::new("on purpose"));
        assert_eq!(queue.serve(2, worker, |results| results.next()), None);
        assert!(queue.is_closed());
    }
}
