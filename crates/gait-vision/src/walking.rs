//! Whether a person walks: how much the legs change within a quarter of the gait cycle.
//!
//! The measure needs no view and no movement through the picture, so it works for people who come
//! towards the camera or walk on a treadmill.

use std::collections::VecDeque;

use crate::Silhouette;

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

    /// The share of the cells of both that only one of them has: 0 for equal legs.
    fn change(&self, other: &Self) -> f32 {
        let count = |join: fn(u32, u32) -> u32| -> u32 {
            self.0.iter().zip(other.0).map(|(&a, b)| join(a, b).count_ones()).sum()
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

    /// Whether these changes are those of a walker; none if they are too few to tell.
    pub(crate) fn walks(&self, changes: &[f32]) -> Option<bool> {
        let mean = changes.iter().sum::<f32>() / changes.len() as f32;
        (changes.len() as u64 >= self.lag).then_some(mean >= LEAST_CHANGE)
    }
}

/// Mean change of the legs from which a person walks.
const LEAST_CHANGE: f32 = 0.15;

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
        let frames = clip.pixels.chunks_exact(64 * 64);
        frames
            .map(|frame| {
                Silhouette::new(
                    64,
                    64,
                    frame.iter().map(|&p| if p > 127 { 255 } else { 0 }).collect(),
                )
            })
            .collect()
    }

    fn mean_change(silhouettes: &[Silhouette]) -> f32 {
        let mut legs = LegMotion::new(25.0);
        let changes: Vec<f32> =
            (0..).zip(silhouettes).filter_map(|(i, s)| legs.change(i, s)).collect();
        changes.iter().sum::<f32>() / changes.len() as f32
    }

    #[test]
    fn measure() {
        for view in [0.0, 18.0, 36.0, 54.0, 72.0, 90.0, 126.0, 162.0, 180.0] {
            let mut all: Vec<f32> = (1..=40).map(|seed| mean_change(&walker(seed, view))).collect();
            all.sort_by(f32::total_cmp);
            println!("{view} {:?} {:?} {:?}", all[0], all[2], all[20]);
        }
    }
}
