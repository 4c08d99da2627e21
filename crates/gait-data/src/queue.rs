//! Results of several threads, taken in order.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

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

    /// Runs `work`, which claims and puts, on `threads` threads while `consume` takes, and ends them.
    /// If one of them panics, the queue closes and `consume` finds no more results.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn serve<R>(
        &self,
        threads: usize,
        work: impl Fn() + Sync,
        consume: impl FnOnce() -> R,
    ) -> io::Result<R>
    where
        T: Send,
    {
        let worker = || {
            let _guard = self.close_on_panic();
            work();
        };
        thread::scope(|scope| {
            let mut workers = Vec::new();
            let spawn = |_| thread::Builder::new().spawn_scoped(scope, worker);
            let started = (0..threads).try_for_each(|number| {
                workers.push(spawn(number)?);
                Ok(())
            });
            let result = started.map(|()| consume());
            self.close();
            // A panic that nobody joined would go on at the end of the scope.
            workers.into_iter().for_each(|worker| drop(worker.join()));
            result
        })
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
        let queue = OrderedQueue::new(5, 105, 3);
        let taken = AtomicU64::new(5);
        let work = || {
            while let Some(number) = queue.claim() {
                assert!(number < taken.load(Ordering::SeqCst) + 4);
                queue.put(number, number * 2);
            }
        };
        let consume = || {
            for expected in 5..105 {
                assert_eq!(queue.take(), Some(expected * 2));
                taken.store(expected + 1, Ordering::SeqCst);
            }
            assert_eq!(queue.take(), None);
        };
        queue.serve(4, work, consume).unwrap();
    }

    #[test]
    fn a_panicking_worker_ends_the_wait() {
        let queue: OrderedQueue<()> = OrderedQueue::new(0, 10, 2);
        let work = || std::panic::resume_unwind(Box::new("on purpose"));
        assert_eq!(queue.serve(2, work, || queue.take()).unwrap(), None);
    }
}
