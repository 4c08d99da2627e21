//! The people of each frame: first their boxes and tracks, in the order of the frames, then their
//! bodies, in any order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::gates::Gates;
use super::{SequenceFrame, SequenceSettings};
use crate::{
    BodyMask, BodyMasker, Bounds, Detection, Detector, DropReason, Frame, ModelError, Tracked,
    Tracker,
};

/// Finds people in frames and separates them from the rest.
pub trait Segmenter {
    /// Looks at the next frame, and finds the people in it if `detect` says so.
    ///
    /// # Errors
    /// A network that fails.
    fn look(&mut self, frame: &Frame, detect: bool) -> Result<Look, ModelError>;
}

impl<S: Segmenter + ?Sized> Segmenter for Box<S> {
    fn look(&mut self, frame: &Frame, detect: bool) -> Result<Look, ModelError> {
        (**self).look(frame, detect)
    }
}

/// What a [`Segmenter`] saw in a frame.
pub struct Look {
    /// The people; nobody unless they were asked for.
    pub people: Vec<Detection>,
    /// Draws the masks of people in this frame.
    pub masks: MaskDrawer,
}

/// Draws the masks of the people in these boxes, in the order of the boxes. It is given the frame that
/// it was made for, perhaps on another thread and after later frames were looked at.
pub type MaskDrawer =
    Box<dyn FnOnce(&Frame, &[Bounds]) -> Result<Vec<BodyMask>, ModelError> + Send>;

/// Two networks.
pub struct Networks {
    detector: Detector,
    masker: Arc<BodyMasker>,
}

impl Networks {
    /// Finds people with one network, and draws their masks with the other.
    pub fn new(detector: Detector, masker: BodyMasker) -> Self {
        Self { detector, masker: Arc::new(masker) }
    }
}

impl Segmenter for Networks {
    fn look(&mut self, frame: &Frame, detect: bool) -> Result<Look, ModelError> {
        let people = if detect { self.detector.detect(frame)? } else { vec![] };
        let masker = Arc::clone(&self.masker);
        Ok(Look { people, masks: Box::new(move |frame, boxes| masker.masks(frame, boxes)) })
    }
}

/// A person whom the tracker expects in a frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// The number of the track.
    pub track: u64,
    /// The box of the tracker.
    pub bounds: Bounds,
    /// The body, or why it is of no use. That somebody stands still shows later, in the sequence.
    pub body: Result<SequenceFrame, DropReason>,
}

/// The first half of the work on a frame: it needs the frames in their order.
pub(crate) struct Finder<S> {
    segmenter: S,
    tracker: Tracker,
    detect_every: u64,
    /// Number of the frame that comes next if none is missing.
    expected: u64,
    /// Times spent on detection and on tracking.
    pub(crate) times: [Duration; 2],
}

impl<S: Segmenter> Finder<S> {
    pub(crate) fn new(segmenter: S, settings: &SequenceSettings) -> Self {
        Self {
            segmenter,
            tracker: Tracker::new(settings.tracker),
            detect_every: settings.detect_every.max(1) as u64,
            expected: 0,
            times: [Duration::ZERO; 2],
        }
    }

    /// Looks at a frame; its number is higher than that of the one before.
    pub(crate) fn look(&mut self, number: u64, frame: &Frame) -> Result<Found, ModelError> {
        let begun = Instant::now();
        // Where frames are missing, the detector sees the first one after the gap.
        let detect = self.expected.next_multiple_of(self.detect_every) <= number;
        let look = self.segmenter.look(frame, detect)?;
        let detected = Instant::now();
        for _ in self.expected..number {
            self.tracker.passed();
        }
        let people =
            if detect { self.tracker.detected(&look.people) } else { self.tracker.passed() };
        self.expected = number + 1;
        self.times[0] += detected - begun;
        self.times[1] += detected.elapsed();
        Ok(Found { number, people, masks: look.masks })
    }

    #[cfg(test)]
    pub(super) fn segmenter(&self) -> &S {
        &self.segmenter
    }
}

/// What is known of a frame after the first half.
pub(crate) struct Found {
    number: u64,
    people: Vec<Tracked>,
    masks: MaskDrawer,
}

impl Found {
    /// The second half of the work on a frame.
    pub(crate) fn people(self, frame: &Frame, min_height: f32) -> Result<Vec<Person>, ModelError> {
        let gates = Gates::new(frame, min_height, &self.people);
        let passed = gates.before_masks();
        let open = passed.iter().zip(&self.people).filter(|(passed, _)| passed.is_ok());
        let boxes: Vec<Bounds> = open.map(|(_, person)| person.bounds).collect();
        let mut masks = (self.masks)(frame, &boxes)?.into_iter();
        let mut people = vec![];
        for (index, (person, passed)) in self.people.iter().zip(passed).enumerate() {
            let mask = passed.and_then(|()| masks.next().ok_or(DropReason::NoBody));
            let body = mask.and_then(|mask| gates.body(index, &mask));
            let Tracked { track, bounds, .. } = *person;
            people.push(Person {
                track,
                bounds,
                body: body.map(|body| body.in_frame(self.number)),
            });
        }
        Ok(people)
    }
}
