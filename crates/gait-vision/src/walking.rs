//! Whether a person walks: how much the legs change within a quarter of the gait cycle.
//!
//! The measure needs no view and no movement through the picture, so it works for people who come
//! towards the camera or walk on a treadmill.

use std::collections::VecDeque;

use crate::{Bounds, Silhouette};

/// Seconds from the feet apart to the feet together: a quarter of a usual gait cycle.
const QUARTER_CYCLE: f64 = 0.27;

/// Sides of the map of the legs.
const SIDE: usize = 32;

/// The legs of a silhouette: the lower half of the body in 32 x 32 cells, a row of bits for each row,
/// in the middle below the trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Legs([u32; SIDE]);

impl Legs {
    fn of(silhouette: &Silhouette) -> Self {
        let half = silhouette.height() / 2;
        let middle = trunk_column(silhouette, half);
        let cell = half as f32 / SIDE as f32;
        let mut rows = [0; SIDE];
        for (row, bits) in rows.iter_mut().enumerate() {
            let y = (half as f32 + (row as f32 + 0.5) * cell) as i64;
            for column in 0..SIDE {
                let offset = (column as f32 + 0.5 - SIDE as f32 / 2.0) * cell;
                let x = (middle + offset).floor() as i64;
                *bits |= u32::from(silhouette.is_body(x, y)) << column;
            }
        }
        Self(rows)
    }

    /// The share of the cells of both that only one of them has: 0 for equal legs. Legs that are a cell
    /// further left or right are equal, because the trunk is not found more exactly.
    fn change(&self, other: &Self) -> f32 {
        let shifts: [fn(u32) -> u32; 3] = [|row| row, |row| row << 1, |row| row >> 1];
        shifts.map(|shift| self.difference(&other.0.map(shift))).into_iter().fold(1.0, f32::min)
    }

    fn difference(&self, other: &[u32; SIDE]) -> f32 {
        let count = |join: fn(u32, u32) -> u32| -> u32 {
            self.0.iter().zip(other).map(|(&a, &b)| join(a, b).count_ones()).sum()
        };
        let union = count(|a, b| a | b);
        if union == 0 { 0.0 } else { count(|a, b| a ^ b) as f32 / union as f32 }
    }
}

/// Mean column of the upper `rows` rows.
fn trunk_column(silhouette: &Silhouette, rows: usize) -> f32 {
    let width = silhouette.width();
    let upper = silhouette.pixels().iter().take(rows * width).enumerate();
    let columns = upper.filter(|&(_, &pixel)| pixel > 0).map(|(place, _)| place % width);
    let count = columns.clone().count();
    columns.sum::<usize>() as f32 / count.max(1) as f32 + 0.5
}

/// The legs of a person in the last frames.
#[derive(Debug)]
pub(crate) struct LegMotion {
    lag: u64,
    recent: VecDeque<(u64, Legs)>,
}

impl LegMotion {
    /// For this many frames per second.
    pub(crate) fn new(rate: f64) -> Self {
        Self { lag: lag(rate), recent: VecDeque::new() }
    }

    /// How much the legs have changed since a quarter of a cycle, 0 to 1; none if the person was not
    /// seen at that time. Frames are passed in their order.
    pub(crate) fn change(&mut self, frame: u64, silhouette: &Silhouette) -> Option<f32> {
        let legs = Legs::of(silhouette);
        self.recent.retain(|&(earlier, _)| earlier + self.lag >= frame);
        self.recent.push_back((frame, legs));
        let &(earlier, before) = self.recent.front()?;
        (earlier + self.lag == frame).then(|| legs.change(&before))
    }

    /// Whether a person with these changes of the legs and this movement walks; none if the changes are
    /// too few to tell.
    pub(crate) fn walks(&self, changes: &[f32], movement: f32) -> Option<bool> {
        let mean = changes.iter().sum::<f32>() / changes.len() as f32;
        let walks =
            mean >= CERTAIN_CHANGE || (mean >= POSSIBLE_CHANGE && movement >= LEAST_MOVEMENT);
        (changes.len() as u64 >= self.lag).then_some(walks)
    }
}

/// Mean change of the legs within a second from which a person walks.
///
/// In OpenCV's `vtest.avi` it is 0.07 to 0.15 in the seconds in which people stand and 0.22 to 0.70 in
/// those in which they walk. A hundred synthetic walkers have 0.16 to 0.39 if they walk towards the
/// camera or away from it, over 0.32 at 18 degrees from that, and 0.60 to 0.73 across the picture.
const CERTAIN_CHANGE: f32 = 0.2;

/// Mean change from which a person walks if they move, too.
const POSSIBLE_CHANGE: f32 = 0.15;

/// Movement that goes with it, in heights of the body per second. People who stand have up to 0.075, by
/// inexact masks; one who comes from ten metres away has 0.13.
const LEAST_MOVEMENT: f32 = 0.1;

/// How far a body has moved between two boxes, over its height: across the picture, or towards the
/// camera, which changes its size.
pub(crate) fn movement(before: &Bounds, after: &Bounds) -> f32 {
    let [x, _] = before.centre();
    let [to_x, _] = after.centre();
    let across = (to_x - x).hypot(after.bottom - before.bottom) / before.height();
    let growth = (after.height() / before.height()).ln();
    across + growth.abs()
}

/// Frames in a quarter of a cycle.
fn lag(rate: f64) -> u64 {
    (rate * QUARTER_CYCLE).round().max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use gait_data::synth::{SynthOptions, aligned_clip};

    use super::*;

    /// The silhouettes of a synthetic walker, at 25 frames per second.
    fn walker(seed: u64, view: f64) -> Vec<Silhouette> {
        let options =
            SynthOptions { seed, views: vec![view], frames: 50, ..SynthOptions::default() };
        let clip = aligned_clip(&options, 64).unwrap();
        let silhouette = |frame: &[u8]| {
            let pixels = frame.iter().map(|&level| if level > 127 { 255 } else { 0 }).collect();
            Silhouette::new(64, 64, pixels)
        };
        clip.pixels.chunks_exact(64 * 64).map(silhouette).collect()
    }

    fn changes(silhouettes: &[Silhouette]) -> Vec<f32> {
        let mut legs = LegMotion::new(25.0);
        (0..).zip(silhouettes).filter_map(|(frame, seen)| legs.change(frame, seen)).collect()
    }

    fn walks(silhouettes: &[Silhouette], movement: f32) -> Option<bool> {
        LegMotion::new(25.0).walks(&changes(silhouettes), movement)
    }

    /// Someone who stands like the `index`-th silhouette, with a mask whose edge is never the same.
    fn standing(silhouettes: &[Silhouette], index: usize) -> Vec<Silhouette> {
        let still = &silhouettes[index];
        let frame = |frame: usize| {
            let is_edge = |place: usize| {
                let pixels = still.pixels();
                place > 0 && place + 1 < pixels.len() && pixels[place - 1] != pixels[place + 1]
            };
            let wobbles =
                |place: usize| is_edge(place) && (place * 31 + frame * 17).is_multiple_of(11);
            let levels = still.pixels().iter().enumerate();
            let pixels =
                levels.map(|(place, &level)| if wobbles(place) { !level } else { level }).collect();
            Silhouette::new(64, 64, pixels)
        };
        (0..25).map(frame).collect()
    }

    #[test]
    fn walkers_walk_from_every_side() {
        for view in [18.0, 36.0, 54.0, 90.0, 126.0, 162.0] {
            for seed in 1..=10 {
                assert_eq!(walks(&walker(seed, view), 0.0), Some(true), "{seed} {view}");
            }
        }
        // Towards the camera and away from it the legs alone do not always tell.
        for (seed, view) in (1..=20).flat_map(|seed| [(seed, 0.0), (seed, 180.0)]) {
            assert_eq!(walks(&walker(seed, view), 0.13), Some(true), "{seed} {view}");
        }
    }

    #[test]
    fn whoever_stands_does_not_walk() {
        for (seed, view) in (1..=10).flat_map(|seed| [(seed, 0.0), (seed, 54.0), (seed, 90.0)]) {
            let walker = walker(seed, view);
            for index in [3, 10, 15] {
                let standing = standing(&walker, index);
                let changes = changes(&standing);
                assert!(changes.iter().all(|&change| change > 0.0));
                assert_eq!(walks(&standing, 0.0), Some(false), "{seed} {view} {changes:?}");
            }
        }
    }

    #[test]
    fn gliding_is_not_walking() {
        let glides = vec![walker(1, 90.0)[0].clone(); 25];
        assert_eq!(walks(&glides, 2.0), Some(false));
    }

    #[test]
    fn few_frames_do_not_tell() {
        assert_eq!(walks(&walker(1, 90.0)[..13], 0.7), None);
        assert_eq!(walks(&walker(1, 90.0)[..14], 0.7), Some(true));
        assert_eq!(walks(&[], 0.0), None);
    }

    #[test]
    fn frames_that_are_missing_are_not_compared() {
        let walker = walker(1, 90.0);
        let mut legs = LegMotion::new(25.0);
        let seen = [0, 1, 7, 9, 30, 37];
        let compared = seen.map(|frame| legs.change(frame, &walker[frame as usize]).is_some());
        assert_eq!(compared, [false, false, true, false, false, true]);
    }

    #[test]
    fn the_pace_of_the_video_is_taken_into_account() {
        assert_eq!([5.0, 10.0, 25.0, 30.0, 60.0].map(lag), [1, 3, 7, 8, 16]);
        assert_eq!(lag(f64::NAN), 1);
    }

    #[test]
    fn movement_is_across_or_towards_the_camera() {
        let before = Bounds { left: 0.0, top: 0.0, right: 40.0, bottom: 100.0 };
        let across = Bounds { left: 30.0, top: 40.0, right: 70.0, bottom: 140.0 };
        assert_eq!(movement(&before, &across), 0.5);
        let nearer = Bounds { top: -10.0, ..before };
        assert!((movement(&before, &nearer) - 1.1_f32.ln()).abs() < 1e-6);
    }
}
