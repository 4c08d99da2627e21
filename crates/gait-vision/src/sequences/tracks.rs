//! The tracks of a video, and what happens to them.

use std::collections::BTreeMap;

use super::stretch::Stretch;
use super::{Person, Sequence, SequenceSettings};

/// What happens to the people in a video.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A person has come into view.
    Began {
        /// The number of the track.
        track: u64,
        /// The frame, from 0.
        frame: u64,
    },
    /// A stretch of a track has ended, or is long enough to be looked at.
    Sequence(Sequence),
    /// A person has been out of view for so long that the track is over, or the video is.
    Ended {
        /// The number of the track.
        track: u64,
        /// The last frame in which the person was in view.
        frame: u64,
    },
}

/// The stretches of all tracks that go on.
pub(crate) struct Tracks {
    settings: SequenceSettings,
    stretches: BTreeMap<u64, Stretch>,
}

impl Tracks {
    pub(crate) fn new(settings: SequenceSettings) -> Self {
        Self { settings, stretches: BTreeMap::new() }
    }

    /// Takes the people of a frame; its number is higher than that of the one before.
    pub(crate) fn push(&mut self, frame: u64, people: Vec<Person>) -> Vec<Event> {
        let mut events = vec![];
        for Person { track, body, .. } in people {
            let stretch = self.stretches.entry(track).or_insert_with(|| {
                events.push(Event::Began { track, frame });
                Stretch::new(track, &self.settings)
            });
            events.extend(stretch.add(frame, body).into_iter().map(Event::Sequence));
        }
        let memory = self.settings.tracker.memory as u64;
        let is_lost = |_: &u64, stretch: &mut Stretch| stretch.last_seen() + memory < frame;
        let lost = self.stretches.extract_if(.., is_lost);
        events.extend(lost.flat_map(|(track, stretch)| ended(track, stretch)));
        events
    }

    /// Ends all tracks.
    pub(crate) fn finish(self) -> Vec<Event> {
        self.stretches.into_iter().flat_map(|(track, stretch)| ended(track, stretch)).collect()
    }
}

fn ended(track: u64, stretch: Stretch) -> impl Iterator<Item = Event> {
    let frame = stretch.last_seen();
    let last = stretch.end().map(Event::Sequence);
    last.into_iter().chain([Event::Ended { track, frame }])
}
