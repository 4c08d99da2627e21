//! A stretch of a track that becomes a sequence.

use std::collections::BTreeMap;

use super::{Sequence, SequenceFrame, SequenceSettings};
use crate::DropReason;
use crate::walking::{LegMotion, movement};

/// What is known of a track since its last sequence.
#[derive(Debug)]
pub(super) struct Stretch {
    track: u64,
    max_length: usize,
    /// Frames in a second.
    second: u64,
    last_seen: u64,
    legs: LegMotion,
    walked: Vec<SequenceFrame>,
    /// Frames of the last second: nobody knows yet whether the person walks.
    undecided: Vec<(SequenceFrame, Option<f32>)>,
    /// Frame in which the stretch begins.
    first: Option<u64>,
    dropped: BTreeMap<DropReason, usize>,
}

impl Stretch {
    pub(super) fn new(track: u64, settings: &SequenceSettings) -> Self {
        Self {
            track,
            max_length: settings.max_length,
            second: settings.rate.round().max(1.0) as u64,
            last_seen: 0,
            legs: LegMotion::new(settings.rate),
            walked: vec![],
            undecided: vec![],
            first: None,
            dropped: BTreeMap::new(),
        }
    }

    /// The last frame in which the track was in view.
    pub(super) fn last_seen(&self) -> u64 {
        self.last_seen
    }

    /// Adds a frame, and gives the sequences that it ends.
    pub(super) fn add(
        &mut self,
        frame: u64,
        seen: Result<SequenceFrame, DropReason>,
    ) -> Vec<Sequence> {
        let lost = self.last_body().is_some_and(|last| frame > last + self.second);
        let finished = if lost { self.cut() } else { None };
        self.last_seen = frame;
        self.first.get_or_insert(frame);
        match seen {
            Err(reason) => self.count(reason, 1),
            Ok(body) => {
                let change = self.legs.change(frame, &body.silhouette);
                self.undecided.push((body, change));
            }
        }
        let begin = self.undecided.first().map_or(frame, |(first, _)| first.frame);
        let decided = if frame + 1 >= begin + self.second { self.decide() } else { None };
        finished.into_iter().chain(decided).collect()
    }

    /// Ends the track. None if it ended with its last sequence.
    pub(super) fn end(mut self) -> Option<Sequence> {
        self.cut().or_else(|| self.sequence())
    }

    /// Ends the sequence of which silhouettes are known.
    fn cut(&mut self) -> Option<Sequence> {
        let decided = self.decide();
        if decided.is_none() && !self.walked.is_empty() { self.sequence() } else { decided }
    }

    /// Decides whether the person walked in the undecided frames, and gives the sequence that this ends.
    fn decide(&mut self) -> Option<Sequence> {
        let changes: Vec<f32> = self.undecided.iter().filter_map(|&(_, change)| change).collect();
        let walks = self.legs.walks(&changes, self.movement());
        let undecided = std::mem::take(&mut self.undecided);
        match walks {
            Some(false) => self.count(DropReason::Still, undecided.len()),
            None if self.walked.is_empty() => self.count(DropReason::Brief, undecided.len()),
            Some(true) | None => self.walked.extend(undecided.into_iter().map(|(frame, _)| frame)),
        }
        let stopped = walks == Some(false);
        let is_full = self.walked.len() + self.second as usize > self.max_length;
        let ends = !self.walked.is_empty() && (stopped || is_full);
        if ends { self.sequence() } else { None }
    }

    /// How far the person came within the undecided frames, in heights of their body per second.
    fn movement(&self) -> f32 {
        let [(first, _), .., (last, _)] = self.undecided.as_slice() else { return 0.0 };
        let seconds = (last.frame - first.frame) as f32 / self.second as f32;
        movement(&first.bounds, &last.bounds) / seconds
    }

    /// What is known so far, as a sequence. Nothing remains.
    fn sequence(&mut self) -> Option<Sequence> {
        Some(Sequence {
            track: self.track,
            first_frame: self.first.take()?,
            last_frame: self.last_seen,
            silhouettes: std::mem::take(&mut self.walked),
            dropped: std::mem::take(&mut self.dropped),
        })
    }

    fn count(&mut self, reason: DropReason, frames: usize) {
        if frames > 0 {
            *self.dropped.entry(reason).or_default() += frames;
        }
    }

    /// The last frame that shows a body of this stretch.
    fn last_body(&self) -> Option<u64> {
        let undecided = self.undecided.last().map(|(seen, _)| seen.frame);
        undecided.or_else(|| self.walked.last().map(|seen| seen.frame))
    }
}
