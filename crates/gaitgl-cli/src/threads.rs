//! Threads of the program, on systems that limit their number.

use std::num::NonZero;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use gait_support::{start_pool, usual_threads};

use crate::hints::TOO_FEW_THREADS;
use crate::output;

/// Threads that a command needs beside the pool: one for Ctrl-C and one that reads ahead.
const BESIDE_THE_POOL: usize = 2;

/// Starts rayon's global pool with `requested` threads, or with one per core for 0. If the system
/// grants fewer, the pool is smaller and a warning says so.
pub fn start(requested: usize) {
    let wanted = NonZero::new(requested).map_or_else(usual_threads, NonZero::get);
    // The threads beside the pool start later. Holding their places keeps the pool from taking all
    // that the system grants.
    let places: Vec<Place> = (0..BESIDE_THE_POOL).map_while(|_| Place::hold()).collect();
    let granted = start_pool(NonZero::new(wanted));
    if granted < wanted || places.len() < BESIDE_THE_POOL {
        output::report(&format!(
            "warning: the system refused to start some threads; continuing with {granted} of \
             {wanted}; {TOO_FEW_THREADS}"
        ));
    }
    places.into_iter().for_each(Place::release);
}

/// Whether the system would start one more thread.
pub fn can_start_one() -> bool {
    Place::hold().map(Place::release).is_some()
}

/// A thread that does nothing, in the place of a later one.
struct Place {
    sender: Sender<()>,
    thread: JoinHandle<bool>,
}

impl Place {
    /// Starts the thread, or returns `None` if the system refuses it.
    fn hold() -> Option<Self> {
        let (sender, receiver): (_, Receiver<()>) = channel();
        // Nothing is ever sent: the thread waits until the sender is dropped.
        let wait = move || receiver.recv().is_ok();
        let thread = thread::Builder::new().spawn(wait).ok()?;
        Some(Self { sender, thread })
    }

    /// Ends the thread and waits until it is gone.
    fn release(self) {
        drop(self.sender);
        let _ = self.thread.join();
    }
}
