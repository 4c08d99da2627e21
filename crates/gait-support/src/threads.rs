//! Threads on systems that limit their number.

use std::num::NonZero;
use std::sync::Once;
use std::sync::mpsc::{Sender, channel};
use std::{env, io, thread};

use rayon::{ThreadBuilder, ThreadPoolBuilder};

static STARTED: Once = Once::new();

/// Starts rayon's global thread pool unless one is running, and returns the number of its threads.
///
/// Left to itself, rayon starts the pool on first use and panics if the system refuses a thread
/// (`ulimit -u`, a container's limit of processes, too little memory for stacks). This function
/// makes do with the threads that the system grants; if it grants none, the calling thread does the
/// work. `threads` is the number wanted; `None` stands for [`usual_threads`].
pub fn start_pool(threads: Option<NonZero<usize>>) -> usize {
    // Inside a pool of the caller's own, the global one is not used.
    if rayon::current_thread_index().is_none() {
        STARTED.call_once(|| build_pool(threads.map_or_else(usual_threads, NonZero::get)));
    }
    rayon::current_num_threads()
}

/// The number of threads that rayon starts unless it is given another: `RAYON_NUM_THREADS`, or else
/// the number of cores.
pub fn usual_threads() -> usize {
    let asked = env::var("RAYON_NUM_THREADS").ok().and_then(|number| number.parse().ok());
    let cores = || thread::available_parallelism().map_or(1, NonZero::get);
    asked.filter(|number| *number > 0).unwrap_or_else(cores)
}

/// Rayon cannot retry once building its global pool has failed. So the threads are started first,
/// and the pool gets as many workers as there are threads.
fn build_pool(wanted: usize) {
    let mut idle: Vec<Sender<ThreadBuilder>> = (0..wanted).map_while(|_| idle_thread()).collect();
    let pool = ThreadPoolBuilder::new().num_threads(idle.len().max(1));
    // Either fails only if the program has built the pool itself; then the idle threads end.
    let _ = if idle.is_empty() {
        pool.use_current_thread().build_global()
    } else {
        let employ = |worker| {
            let thread = idle.pop().ok_or(io::ErrorKind::WouldBlock)?;
            thread.send(worker).map_err(|_| io::ErrorKind::BrokenPipe.into())
        };
        pool.spawn_handler(employ).build_global()
    };
}

/// A thread that waits for a worker's work, or `None` if the system refuses one.
fn idle_thread() -> Option<Sender<ThreadBuilder>> {
    let (sender, receiver) = channel::<ThreadBuilder>();
    let run = move || {
        if let Ok(worker) = receiver.recv() {
            worker.run();
        }
    };
    thread::Builder::new().spawn(run).ok().map(|_| sender)
}
