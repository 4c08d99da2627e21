//! Batches made in advance on threads of their own, so that the network does not wait.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::queue::OrderedQueue;
use crate::{Batch, ClipSampler, DataError};

/// Delivers the batches of a [`ClipSampler`] in the order of their numbers. Dropping it ends its
/// threads.
#[derive(Debug)]
pub struct Prefetcher {
    sampler: Arc<ClipSampler>,
    queue: Arc<OrderedQueue<Result<Batch, DataError>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Prefetcher {
    /// Starts `threads` threads (at least one) that make the batches from number `first` up to but
    /// not including `end`, at most `ahead` (at least one) of them in advance.
    ///
    /// If the system grants fewer threads, it is fewer; if it grants none, each batch is made when
    /// it is asked for.
    pub fn new(
        sampler: &Arc<ClipSampler>,
        first: u64,
        end: u64,
        threads: usize,
        ahead: usize,
    ) -> Prefetcher {
        let queue = Arc::new(OrderedQueue::new(first, end, ahead.max(1) as u64));
        let start = |number| {
            let queue = Arc::clone(&queue);
            let sampler = Arc::clone(sampler);
            let work = move || queue.work(|iteration| sampler.batch(iteration));
            thread::Builder::new().name(format!("batches-{number}")).spawn(work).ok()
        };
        let threads = (0..threads.max(1)).map_while(start).collect();
        Prefetcher { sampler: Arc::clone(sampler), queue, threads }
    }
}

/// Yields each batch, or the error of [`ClipSampler::batch`].
impl Iterator for Prefetcher {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = if self.threads.is_empty() {
            self.queue.make(|iteration| self.sampler.batch(iteration))
        } else {
            self.queue.take()
        };
        batch.or_else(|| self.queue.is_closed().then_some(Err(DataError::Thread)))
    }
}

impl Drop for Prefetcher {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            // `next` has already reported a panic of the thread.
            let _ = thread.join();
        }
    }
}
