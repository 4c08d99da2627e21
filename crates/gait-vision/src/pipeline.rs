//! The work on a video, with its stages on threads of their own: decoding, detection and tracking, masks,
//! and whatever the caller does.
//!
//! Queues are bounded, so a slow stage makes those before it wait, or leaves frames out if they cannot.
//! Frames keep their order: each has a channel for its people, and the channels are queued in the order
//! of the frames.

use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crate::sequences::{Finder, Found, Tracks};
use crate::{Event, Frame, ModelError, Person, Segmenter, SequenceSettings, VideoError};

/// How a video is worked on.
#[derive(Debug, Clone, Copy)]
pub struct PipelineSettings {
    /// How frames become sequences.
    pub sequences: SequenceSettings,
    /// Threads that draw masks. They pay off if the engine has as many.
    pub mask_threads: NonZero<usize>,
    /// Leaves out frames that come while the queue is full, instead of making the source wait: for
    /// cameras.
    pub drop_late: bool,
}

/// What the caller of [`run`] is told.
pub enum Step<'a> {
    /// A frame and the people in it. All frames that are not left out come, in their order.
    Frame {
        /// Its number, from 0; frames that are left out are counted.
        number: u64,
        /// The picture.
        frame: &'a Frame,
        /// The people whom the tracker expects in it.
        people: &'a [Person],
    },
    /// What the frame before brought about, or the end of the video.
    Event(Event),
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statistics {
    /// Frames that came, those that were left out among them.
    pub frames: u64,
    /// Frames that were left out because they came too fast.
    pub late: u64,
    /// How long each stage worked.
    pub busy: BusySeconds,
}

/// Seconds that stages worked. Stages overlap; the sum is more than the time that passed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BusySeconds {
    /// Reading and decoding, or waiting for who decodes.
    pub decode: f64,
    /// Finding people.
    pub detect: f64,
    /// Joining boxes to tracks.
    pub track: f64,
    /// Drawing masks, on all threads together.
    pub mask: f64,
    /// The caller's own work.
    pub caller: f64,
}

/// Frames that wait for a stage.
const QUEUE: usize = 4;

/// Why a video ends early.
enum Failure {
    Video(VideoError),
    Model(ModelError),
}

struct Numbered {
    number: u64,
    frame: Frame,
}

/// The people of a frame, when they are known.
type Ticket = Receiver<Result<(Numbered, Vec<Person>), Failure>>;

/// A frame whose masks are to be drawn, and where its people go.
struct Job {
    picture: Numbered,
    found: Found,
    reply: SyncSender<Result<(Numbered, Vec<Person>), Failure>>,
}

/// Works on frames until they end, and tells `each` what it finds: the same as
/// [`Sequencer`](crate::Sequencer) finds, as long as no frame is left out.
///
/// # Errors
/// Frames that cannot be read, a network that fails, a thread that cannot be started, and what `each`
/// fails with. The work ends with the first of them.
pub fn run<S, E>(
    frames: impl Iterator<Item = Result<Frame, VideoError>> + Send,
    segmenter: S,
    settings: &PipelineSettings,
    each: impl FnMut(Step) -> Result<(), E>,
) -> Result<Statistics, E>
where
    S: Segmenter + Send,
    E: From<VideoError> + From<ModelError>,
{
    let finder = Finder::new(segmenter, &settings.sequences);
    let min_height = settings.sequences.min_height;
    let (to_find, decoded) = sync_channel(QUEUE);
    let (to_draw, jobs) = sync_channel(settings.mask_threads.get());
    let (to_caller, tickets) = sync_channel(QUEUE);
    let jobs = Mutex::new(jobs);
    thread::scope(|scope| {
        let jobs = &jobs;
        let drop_late = settings.drop_late;
        let decoder = start(scope, move || decode(frames, &to_find, drop_late))?;
        let finder = start(scope, move || find(finder, &decoded, &to_draw, &to_caller))?;
        let mut maskers = vec![];
        for _ in 0..settings.mask_threads.get() {
            maskers.push(start(scope, move || draw(jobs, min_height))?);
        }
        let caller = told(&tickets, Tracks::new(settings.sequences), each);
        // Whoever sends to this thread must not wait for it any more.
        drop(tickets);
        let (frames, late, decode) = joined(decoder);
        let [detect, track] = joined(finder);
        let mask = maskers.into_iter().map(joined).sum();
        let busy = [decode, detect, track, mask, caller?].map(|busy: Duration| busy.as_secs_f64());
        let [decode, detect, track, mask, caller] = busy;
        let busy = BusySeconds { decode, detect, track, mask, caller };
        Ok(Statistics { frames, late, busy })
    })
}

fn start<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, VideoError> {
    thread::Builder::new().spawn_scoped(scope, work).map_err(VideoError::Thread)
}

/// What a thread returned. Its panic goes on in this one.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Reads the frames; gives their number, that of late ones, and the time spent.
fn decode(
    mut frames: impl Iterator<Item = Result<Frame, VideoError>>,
    to_find: &SyncSender<Result<Numbered, Failure>>,
    drop_late: bool,
) -> (u64, u64, Duration) {
    let mut number = 0;
    let mut late = 0;
    let mut busy = Duration::ZERO;
    loop {
        let begun = Instant::now();
        let frame = frames.next();
        busy += begun.elapsed();
        let Some(frame) = frame else { break };
        let picture = frame.map(|frame| Numbered { number, frame }).map_err(Failure::Video);
        number += u64::from(picture.is_ok());
        let is_open = if drop_late && picture.is_ok() {
            let sent = to_find.try_send(picture);
            late += u64::from(matches!(sent, Err(TrySendError::Full(_))));
            !matches!(sent, Err(TrySendError::Disconnected(_)))
        } else {
            to_find.send(picture).is_ok()
        };
        if !is_open {
            break;
        }
    }
    (number, late, busy)
}

/// Finds and tracks people; gives the times spent on each.
fn find<S: Segmenter>(
    mut finder: Finder<S>,
    decoded: &Receiver<Result<Numbered, Failure>>,
    to_draw: &SyncSender<Job>,
    to_caller: &SyncSender<Ticket>,
) -> [Duration; 2] {
    for picture in decoded {
        let (reply, ticket) = sync_channel(1);
        let found = picture.and_then(|picture| {
            let found = finder.look(picture.number, &picture.frame).map_err(Failure::Model)?;
            Ok((picture, found))
        });
        if to_caller.send(ticket).is_err() {
            break;
        }
        // Neither fails before the caller has gone, which the next ticket finds out.
        match found {
            Ok((picture, found)) => drop(to_draw.send(Job { picture, found, reply })),
            Err(failure) => drop(reply.send(Err(failure))),
        }
    }
    finder.times
}

/// Draws masks as long as there are jobs; gives the time spent.
fn draw(jobs: &Mutex<Receiver<Job>>, min_height: f32) -> Duration {
    let mut busy = Duration::ZERO;
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { picture, found, reply }) = job else { break };
        let begun = Instant::now();
        let people = found.people(&picture.frame, min_height).map_err(Failure::Model);
        busy += begun.elapsed();
        // A caller who has gone needs no reply.
        let _ = reply.send(people.map(|people| (picture, people)));
    }
    busy
}

/// Tells the caller what comes; gives the time that the caller took.
fn told<E: From<VideoError> + From<ModelError>>(
    tickets: &Receiver<Ticket>,
    mut tracks: Tracks,
    mut each: impl FnMut(Step) -> Result<(), E>,
) -> Result<Duration, E> {
    let mut busy = Duration::ZERO;
    let mut tell = |step: Step| {
        let begun = Instant::now();
        let told = each(step);
        busy += begun.elapsed();
        told
    };
    for ticket in tickets {
        // A thread that panics sends no reply; joining it tells.
        let Ok(people) = ticket.recv() else { break };
        let (Numbered { number, frame }, people) = people.map_err(|failure| match failure {
            Failure::Video(error) => E::from(error),
            Failure::Model(error) => E::from(error),
        })?;
        tell(Step::Frame { number, frame: &frame, people: &people })?;
        let events = tracks.push(number, people);
        events.into_iter().try_for_each(|event| tell(Step::Event(event)))?;
    }
    tracks.finish().into_iter().try_for_each(|event| tell(Step::Event(event)))?;
    Ok(busy)
}
