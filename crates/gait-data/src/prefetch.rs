//! Batches made ahead on threads of their own, so that the network does not wait.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::queue::OrderedQueue;
use crate::{Batch, ClipSampler, DataError};

/// Delivers the batches of a [`ClipSampler`] in order of their numbers. Dropping it ends its
/// threads.
#[derive(Debug)]
pub struct Prefetcher {
    queue: Arc<OrderedQueue<Result<Batch, DataError>>>,
    threads: Vec<JoinHandle<()>>,
    waited: Duration,
}

impl Prefetcher {
    /// Starts `threads` threads (at least one) that make the batches from number `first` up to
    /// but without `end`, at most `ahead` (at least one) of them in advance.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn new(
        sampler: &Arc<ClipSampler>,
        first: u64,
        end: u64,
        threads: usize,
        ahead: usize,
    ) -> Result<Self, DataError> {
        let queue = Arc::new(OrderedQueue::new(first, end, ahead.max(1) as u64));
        let mut prefetcher = Prefetcher { queue, threads: Vec::new(), waited: Duration::default() };
        for number in 0..threads.max(1) {
            let (queue, sampler) = (Arc::clone(&prefetcher.queue), Arc::clone(sampler));
            let spawned =
                thread::Builder::new().name(format!("batches-{number}")).spawn(move || {
                    let _guard = queue.close_on_panic();
                    while let Some(iteration) = queue.claim() {
                        queue.put(iteration, sampler.batch(iteration));
                    }
                });
            let failed = |e| DataError::io("start a thread for", "batches", e);
            prefetcher.threads.push(spawned.map_err(failed)?);
        }
        Ok(prefetcher)
    }

    /// How long all batches together were waited for.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

/// Yields each batch, or what [`ClipSampler::batch`] met with it.
impl Iterator for Prefetcher {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = Instant::now();
        let batch = self.queue.take();
        self.waited += start.elapsed();
        batch.or_else(|| self.queue.is_closed().then_some(Err(DataError::Thread)))
    }
}

impl Drop for Prefetcher {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            // A panic of the thread was already reported by `next`.
            let _ = thread.join();
        }
    }
}
