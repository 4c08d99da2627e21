//! Boxes of one person in successive frames, joined: ByteTrack.
//!
//! Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", 2022.

mod assignment;
mod kalman;

use assignment::assign;
use kalman::Motion;

use crate::{Bounds, Detection};

/// When boxes make a track. Overlaps are intersections over unions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackerSettings {
    /// Score of a box that can begin a track.
    pub start_score: f32,
    /// Score of a box that is matched first. Boxes with lower scores only continue tracks that are in
    /// view and found nothing better.
    pub high_score: f32,
    /// Overlap that a box of a high score needs with where the track is expected.
    pub high_overlap: f32,
    /// Overlap that a box of a low score needs.
    pub low_overlap: f32,
    /// Frames after which a track that is not seen ends.
    pub memory: usize,
}

impl Default for TrackerSettings {
    /// For the detector that ships, at some 25 frames per second.
    fn default() -> Self {
        Self { start_score: 0.45, high_score: 0.4, high_overlap: 0.2, low_overlap: 0.5, memory: 30 }
    }
}

/// Where a track is in a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tracked {
    /// Number of the track, from 1 in the order in which tracks begin.
    pub track: u64,
    /// The box, smoothed over time.
    pub bounds: Bounds,
    /// Score of its box in this frame; none in a frame without detection.
    pub score: Option<f32>,
}

/// Joins the boxes of one person in successive frames.
///
/// Each frame is one call: [`Self::detected`] with the boxes of a detector, or [`Self::passed`] if the
/// detector skipped it. Both say where the tracks in view are.
#[derive(Debug, Clone)]
pub struct Tracker {
    settings: TrackerSettings,
    tracks: Vec<Track>,
    begun: u64,
}

#[derive(Debug, Clone)]
struct Track {
    /// None until it is seen twice: most false boxes are there once.
    number: Option<u64>,
    motion: Motion,
    score: Option<f32>,
    /// Frames since a box was found.
    unseen: usize,
    /// Whether the last detection found it.
    in_view: bool,
}

impl Tracker {
    /// A tracker without tracks.
    pub fn new(settings: TrackerSettings) -> Self {
        Self { settings, tracks: vec![], begun: 0 }
    }

    /// A frame that no detector saw: the tracks go on as they went.
    pub fn passed(&mut self) -> Vec<Tracked> {
        self.predict();
        self.in_view()
    }

    /// A frame in which a detector found these boxes.
    pub fn detected(&mut self, found: &[Detection]) -> Vec<Tracked> {
        self.predict();
        let is_proper = |found: &&Detection| found.bounds.is_proper();
        let (high, low): (Vec<&Detection>, Vec<&Detection>) = found
            .iter()
            .filter(is_proper)
            .partition(|found| found.score >= self.settings.high_score);
        let confirmed = self.waiting(|track| track.number.is_some());
        let rest = self.matched(&confirmed, high, self.settings.high_overlap);
        let in_view = self.waiting(|track| track.number.is_some() && track.in_view);
        self.matched(&in_view, low, self.settings.low_overlap);
        let new = self.waiting(|track| track.number.is_none());
        let rest = self.matched(&new, rest, NEW_OVERLAP);
        self.forget();
        self.begin(&rest);
        self.in_view()
    }

    fn predict(&mut self) {
        for track in &mut self.tracks {
            if !track.in_view {
                track.motion.hold_height();
            }
            track.motion.predict();
            track.unseen += 1;
            track.score = None;
        }
    }

    /// The tracks without a box in this frame that are `wanted`.
    fn waiting(&self, wanted: impl Fn(&Track) -> bool) -> Vec<usize> {
        let waits =
            |&index: &usize| self.tracks[index].score.is_none() && wanted(&self.tracks[index]);
        (0..self.tracks.len()).filter(waits).collect()
    }

    /// Gives boxes to tracks, and returns the boxes that are left.
    fn matched<'a>(
        &mut self,
        tracks: &[usize],
        found: Vec<&'a Detection>,
        overlap: f32,
    ) -> Vec<&'a Detection> {
        let expected: Vec<Bounds> =
            tracks.iter().map(|&index| self.tracks[index].motion.bounds()).collect();
        let cost = |row: usize, column: usize| 1.0 - expected[row].overlap(&found[column].bounds);
        let assigned = assign([tracks.len(), found.len()], 1.0 - overlap, cost);
        let mut is_left = vec![true; found.len()];
        for (&index, column) in tracks.iter().zip(assigned) {
            let Some(column) = column else { continue };
            is_left[column] = false;
            self.tracks[index].see(found[column]);
            if self.tracks[index].number.is_none() {
                self.begun += 1;
                self.tracks[index].number = Some(self.begun);
            }
        }
        found
            .into_iter()
            .zip(is_left)
            .filter(|(_, is_left)| *is_left)
            .map(|(found, _)| found)
            .collect()
    }

    /// Drops tracks that were seen once only, or not for long.
    fn forget(&mut self) {
        for track in &mut self.tracks {
            track.in_view = track.score.is_some();
        }
        let memory = self.settings.memory;
        self.tracks
            .retain(|track| track.in_view || (track.number.is_some() && track.unseen <= memory));
    }

    fn begin(&mut self, found: &[&Detection]) {
        let begins = found.iter().filter(|found| found.score >= self.settings.start_score);
        self.tracks.extend(begins.map(|found| Track {
            number: None,
            motion: Motion::new(&found.bounds),
            score: Some(found.score),
            unseen: 0,
            in_view: true,
        }));
    }

    fn in_view(&self) -> Vec<Tracked> {
        let in_view = self.tracks.iter().filter(|track| track.in_view);
        let tracked = in_view.filter_map(|track| {
            let bounds = track.motion.bounds();
            Some(Tracked { track: track.number?, bounds, score: track.score })
        });
        tracked.collect()
    }
}

/// Overlap of the second box of a track with its first.
const NEW_OVERLAP: f32 = 0.3;

impl Track {
    fn see(&mut self, found: &Detection) {
        self.motion.update(&found.bounds);
        self.score = Some(found.score);
        self.unseen = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Someone who is 100 pixels high at this place.
    fn person(x: f32, score: f32) -> Detection {
        Detection { bounds: Bounds::around(x, 100.0, 40.0, 100.0), score }
    }

    /// The number of the track at each place.
    fn tracks(seen: &[Tracked]) -> Vec<(u64, i32)> {
        seen.iter().map(|seen| (seen.track, seen.bounds.centre()[0].round() as i32)).collect()
    }

    fn tracker() -> Tracker {
        Tracker::new(TrackerSettings::default())
    }

    #[test]
    fn two_people_who_pass_each_other_keep_their_numbers() {
        let mut tracker = tracker();
        let mut last = vec![];
        for frame in 0..60 {
            let along = 5.0 * frame as f32;
            last = tracker.detected(&[person(50.0 + along, 0.9), person(350.0 - along, 0.8)]);
            if frame > 0 {
                assert_eq!(last.len(), 2, "frame {frame}");
            }
        }
        assert_eq!(tracks(&last), [(1, 345), (2, 55)]);
    }

    #[test]
    fn a_box_that_is_seen_once_is_no_track() {
        let mut tracker = tracker();
        assert_eq!(tracker.detected(&[person(50.0, 0.9)]), []);
        assert_eq!(tracker.detected(&[]), []);
        assert_eq!(tracker.detected(&[person(50.0, 0.9)]), []);
        assert_eq!(tracks(&tracker.detected(&[person(50.0, 0.9)])), [(1, 50)]);
    }

    #[test]
    fn a_low_score_continues_a_track_but_begins_none() {
        let mut tracker = tracker();
        for _ in 0..5 {
            assert_eq!(tracker.detected(&[person(50.0, 0.3)]), []);
        }
        tracker.detected(&[person(50.0, 0.9)]);
        tracker.detected(&[person(50.0, 0.9)]);
        let seen = tracker.detected(&[person(52.0, 0.2), person(300.0, 0.2)]);
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].score, Some(0.2));
    }

    #[test]
    fn whoever_comes_back_in_time_keeps_the_number() {
        for (absence, number) in [(20, 1), (40, 2)] {
            let mut tracker = tracker();
            (0..10).for_each(|i| drop(tracker.detected(&[person(50.0 + 2.0 * i as f32, 0.9)])));
            for _ in 0..absence {
                assert_eq!(tracker.detected(&[]), []);
            }
            let again = 50.0 + 2.0 * (10 + absence) as f32;
            tracker.detected(&[person(again, 0.9)]);
            let seen = tracker.detected(&[person(again + 2.0, 0.9)]);
            assert_eq!(tracks(&seen), [(number, again as i32 + 2)], "{absence}");
        }
    }

    #[test]
    fn tracks_go_on_in_frames_that_no_detector_sees() {
        let mut tracker = tracker();
        for frame in (0..30).step_by(3) {
            tracker.detected(&[person(50.0 + 4.0 * frame as f32, 0.9)]);
            if frame < 27 {
                tracker.passed();
                tracker.passed();
            }
        }
        let passed = tracker.passed();
        assert_eq!(passed[0].score, None);
        let x = passed[0].bounds.centre()[0];
        assert!((x - (50.0 + 4.0 * 28.0)).abs() < 3.0, "{x}");
        assert_eq!(passed[0].track, 1);
    }

    #[test]
    fn boxes_that_are_no_boxes_are_left_out() {
        let mut tracker = tracker();
        let broken = [person(f32::NAN, 0.9), person(50.0, f32::NAN)];
        for _ in 0..3 {
            assert_eq!(tracker.detected(&broken), []);
        }
    }
}
