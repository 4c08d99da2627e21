//! What the steps of the temporal algorithm read of a sequence.

use super::block::{Half, round, widen};
use super::frames::Frames;
use crate::Isa;
use crate::geometry::Geometry;
use crate::simd::{Simd, dispatch};
use crate::temporal::{Combine, Group, Step, Temporal};
use rayon::prelude::*;

/// The temporal algorithm for sequences of one length.
pub(crate) struct Plan {
    pub temporal: Temporal,
    pub steps: Vec<Step>,
    pub groups: Vec<Group>,
}

/// The frames of a sequence, and what each step of each group reads of them.
pub(crate) struct StepFrames {
    pub frames: Frames,
    /// `[groups, steps]`, where that is not a frame as it is.
    combined: Option<Frames>,
}

impl Plan {
    pub fn new(temporal: Temporal, geometry: &Geometry) -> Self {
        Self { temporal, steps: temporal.steps(), groups: temporal.groups(geometry) }
    }

    /// The frames that a step of a group reads, and how they are combined.
    fn sources(&self, group: usize, step: usize) -> ([usize; 2], Combine) {
        let step = &self.steps[step];
        (step.sources.map(|source| self.groups[group].sources[source]), step.combine)
    }

    /// The same of the gradient with respect to the output, of which there are `count` frames; their
    /// number stands for the zero frame.
    pub fn gradients(&self, group: usize, step: usize, count: usize) -> ([usize; 2], Combine) {
        let step = &self.steps[step];
        let output = |place| self.groups[group].outputs.get(place).copied().flatten();
        (step.grads.map(|place| output(place).unwrap_or(count)), step.combine_grads)
    }
}

impl StepFrames {
    /// Room for what `plan` reads of frames.
    pub fn new(plan: &Plan, frames: Frames) -> Self {
        let combined = (plan.temporal == Temporal::Pair).then(|| {
            let count = plan.groups.len() * plan.steps.len();
            // All but the zero frame, which no step reads, is written before it is read.
            Frames::unwritten(frames.layout.clone(), frames.order, frames.channels, count)
        });
        Self { frames, combined }
    }

    /// Rounds a sequence, as [`Frames::fill`] does, and combines its frames.
    pub fn fill(
        &mut self,
        isa: Isa,
        plan: &Plan,
        read: impl Fn(usize, usize, usize, &mut [f32]) + Sync,
    ) {
        self.frames.fill(isa, read);
        self.combine(isa, plan);
    }

    /// Combines the frames that there are now.
    pub fn combine(&mut self, isa: Isa, plan: &Plan) {
        let Self { frames, combined: Some(combined) } = self else { return };
        let len = combined.frame_len;
        let steps = plan.steps.len();
        let all = combined.values.par_chunks_exact_mut(len).take(combined.count).enumerate();
        all.for_each(|(i, to)| {
            let (sources, combine) = plan.sources(i / steps, i % steps);
            let [first, second] = sources.map(|source| frames.frame(source));
            combine_all(isa, CombineAll { first, second, combine, to });
        });
    }

    /// What a step of a group reads; `None` if it is the zero frame.
    pub fn read(&self, plan: &Plan, group: usize, step: usize) -> Option<&[Half]> {
        match &self.combined {
            Some(combined) => Some(combined.frame(group * plan.steps.len() + step)),
            None => {
                let ([source, _], _) = plan.sources(group, step);
                (source < self.frames.count).then(|| self.frames.frame(source))
            }
        }
    }
}

/// Values to combine in f32 and round; all have the same length.
pub(crate) struct CombineAll<'a> {
    pub first: &'a [Half],
    pub second: &'a [Half],
    pub combine: Combine,
    pub to: &'a mut [Half],
}

dispatch!(
    /// Combines two frames.
    fn combine_all(CombineAll<'_>) => combine_all_on
);

#[inline(always)]
fn combine_all_on<S: Simd>(_: S, call: CombineAll) {
    let CombineAll { first, second, combine, to } = call;
    assert!(first.len() == to.len() && second.len() == to.len(), "frames of one length");
    let pairs = to.iter_mut().zip(first.iter().zip(second));
    match combine {
        Combine::First => to.copy_from_slice(first),
        Combine::Sum => pairs.for_each(|(to, (&a, &b))| *to = round(widen(a) + widen(b))),
        Combine::Difference => pairs.for_each(|(to, (&a, &b))| *to = round(widen(a) - widen(b))),
    }
}
