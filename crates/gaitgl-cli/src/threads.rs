//! Threads: as many as were asked for, or as many as the system grants.

use std::env;
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use anyhow::Context;
use rayon::{ThreadBuilder, ThreadPoolBuilder};

use crate::hints::TOO_FEW_THREADS;
use crate::output;

/// Threads that a command needs beside the pool: one for Ctrl-C and one that reads ahead.
const BESIDE_THE_POOL: usize = 2;

/// Starts rayon's global pool with `requested` threads, or with one per core for 0. Where the system
/// refuses some of them, the pool gets fewer and a warning says so. Where it refuses all of them, the
/// calling thread does the work.
///
/// # Errors
/// The pool exists already.
pub fn start_pool(requested: usize) -> anyhow::Result<()> {
    let wanted = if requested > 0 { requested } else { default_threads() };
    let mut started = start_threads(wanted + BESIDE_THE_POOL);
    let missing = wanted + BESIDE_THE_POOL - started.len();
    // The threads beside the pool start later and must find room.
    let threads = started.len().saturating_sub(BESIDE_THE_POOL);
    started.drain(threads..).for_each(StartedThread::end);
    if missing > 0 {
        output::report(&format!(
            "warning: the system refused to start {missing} threads; continuing with {} instead of \
             {wanted}; {TOO_FEW_THREADS}",
            threads.max(1)
        ));
    }
    let mut pool = ThreadPoolBuilder::new().num_threads(threads.max(1));
    if threads == 0 {
        pool = pool.use_current_thread();
    }
    // Rayon cannot be asked twice for its global pool, so it gets threads that run already.
    pool.spawn_handler(|worker| match started.pop() {
        Some(thread) => thread.work(worker),
        None => Err(io::ErrorKind::WouldBlock.into()),
    })
    .build_global()
    .context("cannot start the threads")
}

/// Whether the system would start one more thread.
pub fn can_start_one() -> bool {
    let probe = thread::Builder::new().spawn(|| {});
    probe.is_ok_and(|probe| probe.join().is_ok())
}

/// The number of threads that rayon would choose.
fn default_threads() -> usize {
    let variable = env::var("RAYON_NUM_THREADS").ok();
    let chosen = variable.and_then(|text| text.parse().ok()).filter(|&threads: &usize| threads > 0);
    chosen.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from))
}

/// A thread that waits to become a worker of the pool.
struct StartedThread {
    sender: Sender<ThreadBuilder>,
    thread: JoinHandle<()>,
}

/// Starts `count` threads, or as many as the system grants.
fn start_threads(count: usize) -> Vec<StartedThread> {
    (0..count).map_while(|_| StartedThread::start().ok()).collect()
}

impl StartedThread {
    fn start() -> io::Result<Self> {
        let (sender, receiver) = channel::<ThreadBuilder>();
        let work = move || {
            if let Ok(worker) = receiver.recv() {
                worker.run();
            }
        };
        let thread = thread::Builder::new().spawn(work)?;
        Ok(Self { sender, thread })
    }

    /// Makes the thread a worker.
    fn work(self, worker: ThreadBuilder) -> io::Result<()> {
        self.sender.send(worker).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Ends the thread and waits until it is gone.
    fn end(self) {
        drop(self.sender);
        let _ = self.thread.join();
    }
}
