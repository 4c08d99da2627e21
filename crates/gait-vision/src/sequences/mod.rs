//! Sequences of silhouettes, one person each.

mod gates;
mod stretch;

use std::collections::BTreeMap;

use crate::silhouette::Body;
use crate::{
    BodyMask, BodyMasker, Bounds, Detection, Detector, DropReason, Frame, ModelError, Silhouette,
    Tracked, Tracker, TrackerSettings,
};
use gates::Gates;
use stretch::Stretch;

/// How frames become sequences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequenceSettings {
    /// Frames per second.
    pub rate: f64,
    /// The detector sees every frame of this number; the tracker bridges the others.
    pub detect_every: usize,
    /// Rows of the frame that the body of a person must cover.
    pub min_height: f32,
    /// Silhouettes of a sequence. Who walks on begins another one.
    pub max_length: usize,
    /// When boxes make a track.
    pub tracker: TrackerSettings,
}

impl SequenceSettings {
    /// The usual settings for this many frames per second: a detection in every third frame, people
    /// from 48 rows, sequences of at most ten seconds.
    pub fn new(rate: f64) -> Self {
        Self {
            rate,
            detect_every: 3,
            min_height: 48.0,
            max_length: (10.0 * rate).max(1.0) as usize,
            tracker: TrackerSettings::default(),
        }
    }
}

/// A stretch of one track.
///
/// Each frame in which the track was in view is either in `silhouettes` or counted in `dropped`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence {
    /// Number of the track. A track has several sequences if the person was lost for a second, stood
    /// still in between, or walked for longer than a sequence may be.
    pub track: u64,
    /// Number of the first frame of the stretch, from 0, dropped or not.
    pub first_frame: u64,
    /// Number of the last frame.
    pub last_frame: u64,
    /// The frames in which the person walks, whole and in view; empty if there is none.
    pub silhouettes: Vec<SequenceFrame>,
    /// How many other frames were dropped, and why.
    pub dropped: BTreeMap<DropReason, usize>,
}

/// A silhouette of a sequence and where it is from.
#[derive(Debug, Clone, PartialEq)]
pub struct SequenceFrame {
    /// Number of the frame, from 0.
    pub frame: u64,
    /// The box around the body in that frame.
    pub bounds: Bounds,
    /// The body.
    pub silhouette: Silhouette,
}

/// Finds people in frames and separates them from the rest.
pub trait Segmenter {
    /// The people in a frame; called for some frames only.
    ///
    /// # Errors
    /// A network that fails.
    fn detect(&mut self, frame: &Frame) -> Result<Vec<Detection>, ModelError>;

    /// The masks of the people in these boxes, in the order of the boxes; called for every frame, after
    /// [`Self::detect`].
    ///
    /// # Errors
    /// A network that fails.
    fn masks(&mut self, frame: &Frame, people: &[Bounds]) -> Result<Vec<BodyMask>, ModelError>;
}

/// Two networks.
pub struct Networks {
    /// Finds people.
    pub detector: Detector,
    /// Draws their masks.
    pub masker: BodyMasker,
}

impl Segmenter for Networks {
    fn detect(&mut self, frame: &Frame) -> Result<Vec<Detection>, ModelError> {
        self.detector.detect(frame)
    }

    fn masks(&mut self, frame: &Frame, people: &[Bounds]) -> Result<Vec<BodyMask>, ModelError> {
        self.masker.masks(frame, people)
    }
}

/// Turns frames into sequences, frame by frame.
///
/// Memory is bounded for streams without end: a track holds at most one sequence of
/// [`SequenceSettings::max_length`] silhouettes and one undecided second.
pub struct Sequencer<S> {
    settings: SequenceSettings,
    segmenter: S,
    tracker: Tracker,
    stretches: BTreeMap<u64, Stretch>,
    frames: u64,
}

impl<S: Segmenter> Sequencer<S> {
    /// No frame has been seen.
    pub fn new(segmenter: S, settings: SequenceSettings) -> Self {
        let tracker = Tracker::new(settings.tracker);
        Self { settings, segmenter, tracker, stretches: BTreeMap::new(), frames: 0 }
    }

    /// Takes the next frame, and gives the sequences that are finished.
    ///
    /// # Errors
    /// A network that fails.
    pub fn push(&mut self, frame: &Frame) -> Result<Vec<Sequence>, ModelError> {
        let people = self.track(frame)?;
        let gates = Gates::new(frame, self.settings.min_height);
        let passed = gates.before_masks(&people);
        let open = passed.iter().zip(&people).filter(|(passed, _)| passed.is_ok());
        let boxes: Vec<Bounds> = open.map(|(_, person)| person.bounds).collect();
        let mut masks = self.segmenter.masks(frame, &boxes)?.into_iter();
        let mut finished = vec![];
        for (person, passed) in people.iter().zip(passed) {
            let mask = passed.and_then(|()| masks.next().ok_or(DropReason::NoBody));
            let seen = mask.and_then(|mask| gates.body(&person.bounds, &mask));
            self.add(person.track, seen, &mut finished);
        }
        self.frames += 1;
        self.end_lost(&mut finished);
        Ok(finished)
    }

    /// Ends the video, and gives the sequences that are left.
    pub fn finish(self) -> Vec<Sequence> {
        self.stretches.into_values().filter_map(Stretch::end).collect()
    }

    fn track(&mut self, frame: &Frame) -> Result<Vec<Tracked>, ModelError> {
        if self.frames % self.settings.detect_every.max(1) as u64 != 0 {
            return Ok(self.tracker.passed());
        }
        let found = self.segmenter.detect(frame)?;
        Ok(self.tracker.detected(&found))
    }

    fn add(&mut self, track: u64, seen: Result<Body, DropReason>, finished: &mut Vec<Sequence>) {
        let new = || Stretch::new(track, &self.settings);
        let stretch = self.stretches.entry(track).or_insert_with(new);
        finished.extend(stretch.add(self.frames, seen));
    }

    /// Ends the tracks that the tracker has forgotten.
    fn end_lost(&mut self, finished: &mut Vec<Sequence>) {
        let memory = self.settings.tracker.memory as u64;
        let frames = self.frames;
        let is_lost = |_: &u64, stretch: &mut Stretch| stretch.last_seen() + memory < frames - 1;
        let lost = self.stretches.extract_if(.., is_lost);
        finished.extend(lost.filter_map(|(_, stretch)| stretch.end()));
    }
}
