//! Sequences of silhouettes, one person each.

mod find;
mod gates;
mod stretch;
mod tracks;

use std::collections::BTreeMap;

use crate::{Bounds, DropReason, Frame, ModelError, Silhouette, TrackerSettings};
pub(crate) use find::{Finder, Found};
pub use find::{Look, MaskDrawer, Networks, Person, Segmenter};
pub use tracks::Event;
pub(crate) use tracks::Tracks;

/// How frames become sequences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequenceSettings {
    /// Frames per second.
    pub rate: f64,
    /// The detector runs on every frame of this number (3: every third one); the tracker bridges the
    /// others.
    pub detect_every: usize,
    /// Rows of the frame that the body of a person must cover.
    pub min_height: f32,
    /// The most silhouettes of a sequence, at least those of a second. If the person walks on, another
    /// sequence begins.
    pub max_length: usize,
    /// When boxes make a track.
    pub tracker: TrackerSettings,
}

impl SequenceSettings {
    /// The usual settings for this many frames per second: some eight detections per second, people from
    /// 48 rows, sequences of at most ten seconds.
    pub fn new(rate: f64) -> Self {
        let frames = |seconds: f64| (seconds * rate).round().max(1.0) as usize;
        Self {
            rate,
            detect_every: frames(0.12),
            min_height: 48.0,
            max_length: frames(10.0),
            tracker: TrackerSettings { memory: frames(1.2), ..TrackerSettings::default() },
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

/// Turns frames into sequences, frame by frame, on one thread.
///
/// Memory is bounded for streams without end: a track holds at most one sequence of
/// [`SequenceSettings::max_length`] silhouettes and one undecided second.
pub struct Sequencer<S> {
    finder: Finder<S>,
    min_height: f32,
    tracks: Tracks,
    frames: u64,
}

impl<S: Segmenter> Sequencer<S> {
    /// No frame has been seen.
    pub fn new(segmenter: S, settings: SequenceSettings) -> Self {
        let finder = Finder::new(segmenter, &settings);
        let min_height = settings.min_height;
        Self { finder, min_height, tracks: Tracks::new(settings), frames: 0 }
    }

    /// Takes the next frame, and gives the sequences that are finished.
    ///
    /// # Errors
    /// A network that fails.
    pub fn push(&mut self, frame: &Frame) -> Result<Vec<Sequence>, ModelError> {
        let number = self.frames;
        let people = self.finder.look(number, frame)?.people(frame, self.min_height)?;
        self.frames += 1;
        Ok(sequences(self.tracks.push(number, people)))
    }

    /// Ends the video, and gives the sequences that are left.
    pub fn finish(self) -> Vec<Sequence> {
        sequences(self.tracks.finish())
    }
}

fn sequences(events: Vec<Event>) -> Vec<Sequence> {
    let sequence =
        |event| if let Event::Sequence(sequence) = event { Some(sequence) } else { None };
    events.into_iter().filter_map(sequence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BodyMask, Detection, Square};

    /// Draws people instead of finding them: each is a trunk on two legs, 100 pixels high.
    struct Drawn {
        frame: u64,
        people: fn(u64) -> Vec<Drawing>,
        detections: usize,
    }

    struct Drawing {
        x: f32,
        /// How far each foot is from the middle, in pixels; [`NOBODY`] for an empty mask.
        feet: f32,
    }

    const NOBODY: f32 = -1.0;

    /// Feet that are apart and together twice a second, at 25 frames per second.
    fn swing(frame: u64) -> f32 {
        (20.0 * (frame as f32 / 12.5 * std::f32::consts::PI).sin()).abs()
    }

    impl Segmenter for Drawn {
        fn look(&mut self, _: &Frame, detect: bool) -> Result<Look, ModelError> {
            self.detections += usize::from(detect);
            let drawn = (self.people)(self.frame);
            self.frame += 1;
            let bounds = |person: &Drawing| Bounds::around(person.x, 120.0, 40.0, 100.0);
            let found = |person| Detection { bounds: bounds(person), score: 0.9 };
            let people = if detect { drawn.iter().map(found).collect() } else { vec![] };
            let nearest = move |bounds: &Bounds| {
                let [x, _] = bounds.centre();
                let off = |person: &&Drawing| (person.x - x).abs();
                mask(drawn.iter().min_by(|a, b| off(a).total_cmp(&off(b))))
            };
            let masks = move |_: &Frame, boxes: &[Bounds]| Ok(boxes.iter().map(nearest).collect());
            Ok(Look { people, masks: Box::new(masks) })
        }
    }

    /// The mask of 128 x 128 pixels around a person.
    fn mask(person: Option<&Drawing>) -> BodyMask {
        let mut values = vec![0.0; 128 * 128];
        let person = person.filter(|person| person.feet != NOBODY);
        for row in if person.is_some() { 14..114 } else { 0..0 } {
            let along = (row as f32 - 64.0).max(0.0) / 50.0;
            let feet = person.map_or(0.0, |person| person.feet) * along;
            for middle in [64.0 - feet, 64.0 + feet] {
                let left = (middle - 12.0) as usize;
                values[row * 128 + left..row * 128 + left + 24].fill(1.0);
            }
        }
        let left = person.map_or(0.0, |person| person.x) as i64 - 64;
        BodyMask::of_values(Square { left, top: 56, side: 128 }, 128, values)
    }

    fn settings() -> SequenceSettings {
        SequenceSettings::new(25.0)
    }

    /// The sequences of this many frames with these people.
    fn sequences(
        people: fn(u64) -> Vec<Drawing>,
        frames: u64,
        settings: SequenceSettings,
    ) -> Vec<Sequence> {
        let mut sequencer = Sequencer::new(Drawn { frame: 0, people, detections: 0 }, settings);
        let frame = Frame::grey(640, 240, 0);
        let mut found: Vec<Sequence> =
            (0..frames).flat_map(|_| sequencer.push(&frame).unwrap()).collect();
        let detections = sequencer.finder.segmenter().detections as u64;
        assert_eq!(detections, frames.div_ceil(settings.detect_every as u64));
        found.extend(sequencer.finish());
        found
    }

    fn walker(frame: u64) -> Drawing {
        Drawing { x: 60.0 + 3.0 * frame as f32, feet: swing(frame) }
    }

    fn dropped(sequence: &Sequence) -> Vec<(DropReason, usize)> {
        sequence.dropped.iter().map(|(&reason, &frames)| (reason, frames)).collect()
    }

    /// Each frame of a stretch is either used or counted.
    fn check_frames(sequence: &Sequence) {
        let frames = sequence.last_frame - sequence.first_frame + 1;
        let counted = sequence.silhouettes.len() + sequence.dropped.values().sum::<usize>();
        assert_eq!(counted as u64, frames, "{sequence:?}");
    }

    #[test]
    fn settings_follow_the_rate() {
        let of = |rate| {
            let settings = SequenceSettings::new(rate);
            [settings.detect_every, settings.max_length, settings.tracker.memory]
        };
        assert_eq!(of(25.0), [3, 250, 30]);
        assert_eq!(of(10.0), [1, 100, 12]);
        assert_eq!([of(0.0), of(f64::NAN)], [[1; 3]; 2]);
    }

    #[test]
    fn a_walker_gives_one_sequence() {
        let found = sequences(|frame| vec![walker(frame)], 100, settings());
        assert_eq!(found.len(), 1);
        // The track begins with the second box, in frame 3.
        let range = [found[0].first_frame, found[0].last_frame];
        assert_eq!((found[0].track, range), (1, [3, 99]));
        assert_eq!(found[0].dropped, BTreeMap::new());
        check_frames(&found[0]);
        let seen = &found[0].silhouettes[30];
        assert_eq!((seen.frame, seen.silhouette.height()), (33, 100));
        assert!((seen.bounds.centre()[0] - walker(33).x).abs() <= 1.0, "{:?}", seen.bounds);
    }

    #[test]
    fn whoever_stands_gives_none_and_the_reason() {
        let stands = |_| vec![Drawing { x: 300.0, feet: 8.0 }];
        let found = sequences(stands, 110, settings());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].silhouettes, []);
        assert_eq!(dropped(&found[0])[0].0, DropReason::Still);
        check_frames(&found[0]);
    }

    #[test]
    fn a_halt_divides_a_walk() {
        let halts = |frame: u64| {
            let moved = frame.min(50) + frame.saturating_sub(125);
            vec![Drawing { x: 60.0 + 2.0 * moved as f32, feet: swing(moved) }]
        };
        let found = sequences(halts, 200, settings());
        assert_eq!(found.len(), 2, "{found:?}");
        found.iter().for_each(check_frames);
        assert!(found.iter().all(|sequence| sequence.track == 1));
        assert!(found[0].silhouettes.len() >= 45);
        let still: usize = found.iter().map(|s| s.dropped[&DropReason::Still]).sum();
        assert!((50..=85).contains(&still), "{still}");
    }

    #[test]
    fn a_long_walk_is_cut() {
        let on_the_spot = |frame| vec![Drawing { x: 300.0, feet: swing(frame) }];
        let settings = SequenceSettings { max_length: 60, ..settings() };
        let found = sequences(on_the_spot, 203, settings);
        let lengths: Vec<usize> = found.iter().map(|sequence| sequence.silhouettes.len()).collect();
        assert_eq!(lengths, [50, 50, 50, 50]);
        found.iter().for_each(check_frames);
        let joined: Vec<u64> =
            found.iter().flat_map(|s| &s.silhouettes).map(|seen| seen.frame).collect();
        assert_eq!(joined, (3..203).collect::<Vec<u64>>());
    }

    #[test]
    fn whoever_leaves_is_cut_off_and_ends() {
        // 25 frames in view, then the border, then nobody.
        let leaves = |frame: u64| {
            let x = 500.0 + 4.0 * frame as f32;
            if x < 660.0 { vec![Drawing { x, feet: swing(frame) }] } else { vec![] }
        };
        let found = sequences(leaves, 120, settings());
        assert_eq!(found.len(), 1);
        assert!(found[0].dropped[&DropReason::Border] >= 5, "{found:?}");
        assert!(found[0].silhouettes.len() >= 20, "{found:?}");
    }

    #[test]
    fn whoever_is_seen_briefly_gives_none() {
        // Nine frames: two are a quarter of the cycle after another one.
        let found = sequences(|frame| vec![walker(frame)], 12, settings());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].silhouettes, []);
        assert_eq!(dropped(&found[0]), [(DropReason::Brief, 9)]);
    }

    #[test]
    fn a_second_without_a_body_divides_a_walk() {
        let lost = |frame: u64| {
            let feet = if (60..100).contains(&frame) { NOBODY } else { swing(frame) };
            vec![Drawing { feet, ..walker(frame) }]
        };
        let found = sequences(lost, 170, settings());
        assert_eq!(found.len(), 2, "{found:?}");
        found.iter().for_each(check_frames);
        assert_eq!(found.iter().map(|s| s.silhouettes.len()).sum::<usize>(), 57 + 70);
        assert_eq!(found.iter().map(|s| s.dropped[&DropReason::NoBody]).sum::<usize>(), 40);
        // As soon as the second is over, for who watches a stream.
        assert_eq!(found[0].last_frame, 59 + 25);
    }
}
