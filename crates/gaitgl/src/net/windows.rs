//! Windows over time for long sequences. The inner frames of a window come out exactly as if the
//! whole sequence had passed at once.

use std::ops::Range;

use super::plan::LayerPlan;

/// Bytes that the maps of one window may take.
pub const BUDGET: usize = 512 << 20;

/// A piece of a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Frames that enter the body.
    pub frames: Range<usize>,
    /// The frames of the output that are exact and belong to this window.
    pub keep: Range<usize>,
}

/// Divides `sequences` sequences of `frames` frames into as few windows as `budget` bytes allow.
pub fn windows(plans: &[LayerPlan], sequences: usize, frames: usize, budget: usize) -> Vec<Window> {
    let limit = (budget / (sequences * bytes_per_frame(plans)).max(1)).max(1);
    let total = plans.iter().fold(frames, |frames, plan| plan.frames_out(frames));
    if frames <= limit {
        return vec![Window { frames: 0..frames, keep: 0..total }];
    }
    // Every window reads the frames around its outputs; the rest of the limit is for outputs.
    let halo = reach(plans, frames, total / 2..total / 2 + 1).len();
    let each = (limit.saturating_sub(halo) / stride(plans)).max(1);
    split(plans, frames, each)
}

/// Windows of at most `each` output frames.
pub(super) fn split(plans: &[LayerPlan], frames: usize, each: usize) -> Vec<Window> {
    let total = plans.iter().fold(frames, |frames, plan| plan.frames_out(frames));
    let piece = |start: usize| {
        let wanted = start..(start + each).min(total);
        let needed = reach(plans, frames, wanted.clone());
        // A start at a multiple of the stride keeps every temporal pooling on its own grid.
        let first = needed.start / stride(plans);
        let keep = wanted.start - first..wanted.end - first;
        Window { frames: first * stride(plans)..needed.end, keep }
    };
    (0..total).step_by(each).map(piece).collect()
}

/// The input frames that the output frames `wanted` depend on.
fn reach(plans: &[LayerPlan], frames: usize, wanted: Range<usize>) -> Range<usize> {
    let entering = plans
        .iter()
        .scan(frames, |frames, plan| Some(std::mem::replace(frames, plan.frames_out(*frames))));
    let entering: Vec<usize> = entering.collect();
    plans.iter().zip(entering).rev().fold(wanted, |wanted, (plan, entering)| {
        let (before, after, stride) = plan.reach();
        let start = (wanted.start * stride).saturating_sub(before);
        let end = (wanted.end.saturating_sub(1) * stride + after + 1).min(entering);
        start.min(end)..end
    })
}

/// Input frames between two output frames.
pub(super) fn stride(plans: &[LayerPlan]) -> usize {
    plans.iter().map(|plan| plan.reach().2).product()
}

/// The most memory that a layer takes for each input frame: its input and two branches.
fn bytes_per_frame(plans: &[LayerPlan]) -> usize {
    let mut stride = 1;
    let layer = |plan: &LayerPlan| {
        let bytes = (plan.channels_in + 2 * plan.channels_out) * plan.height * plan.width * 4;
        let entering = bytes / stride;
        stride *= plan.reach().2;
        entering
    };
    plans.iter().map(layer).max().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::plan;
    use crate::settings::presets;

    #[test]
    fn windows_cover_every_output_once_and_stay_on_the_grid() {
        for (name, each) in [("parts-small", 1), ("paper-large", 3), ("paper-small", 7)] {
            let plans = plan::layers(&presets::model(name).unwrap());
            for frames in [3, 8, 30, 100] {
                let total = plans.iter().fold(frames, |f, plan| plan.frames_out(f));
                let mut next = 0;
                for window in split(&plans, frames, each) {
                    assert_eq!(window.frames.start % 3, 0);
                    assert!(window.frames.end <= frames);
                    assert_eq!(window.frames.start / 3 + window.keep.start, next);
                    next = window.frames.start / 3 + window.keep.end;
                    let left = plans.iter().fold(window.frames.len(), |f, plan| plan.frames_out(f));
                    assert!(left >= window.keep.end);
                }
                assert_eq!(next, total, "{name} {frames}");
            }
        }
    }

    #[test]
    fn reach_is_the_receptive_field() {
        let plans = plan::layers(&presets::model("parts-small").unwrap());
        // Output 10 of 30: three layers back 7..14, LTA 21..42, the stem one more on each side.
        assert_eq!(reach(&plans, 90, 10..11), 20..43);
        assert_eq!(reach(&plans, 90, 0..1), 0..13);
        assert_eq!(reach(&plans, 90, 29..30), 77..90);
    }

    #[test]
    fn ordinary_sequences_pass_in_one_piece_and_long_ones_in_bounded_pieces() {
        for name in presets::NAMES {
            let plans = plan::layers(&presets::model(name).unwrap());
            assert_eq!(windows(&plans, 1, 100, BUDGET).len(), 1, "{name}");
            for window in windows(&plans, 1, 20_000, BUDGET) {
                assert!(window.frames.len() * bytes_per_frame(&plans) <= BUDGET, "{name}");
            }
        }
    }
}
