//! The temporal part of a convolution: which frames a step reads, and which output frames its
//! products enter.

use crate::geometry::Geometry;
use crate::micro::Effect;

/// How two frames become one, value by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Combine {
    /// The first frame alone.
    First,
    /// The first plus the second.
    Sum,
    /// The first minus the second.
    Difference,
}

/// What happens to the temporal taps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temporal {
    /// Every tap is a step of its own; the products are summed.
    Sum {
        /// Frames of the kernel.
        taps: usize,
    },
    /// F(2, 3): two output frames from four steps. Three taps, stride 1, same padding.
    Pair,
}

/// One product of the temporal algorithm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Which of the group's source frames it reads, and how they are combined.
    pub sources: [usize; 2],
    pub combine: Combine,
    /// How the gradients of the group's output frames are combined; the adjoint of `effects`.
    pub grads: [usize; 2],
    pub combine_grads: Combine,
    /// What the product does to the sums of the group's output frames.
    pub effects: [Effect; 2],
}

/// Output frames that are produced together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    /// Frames that the steps refer to; one past the last frame is the zero frame.
    pub sources: Vec<usize>,
    /// One or two frames; `None` where the sequence ends.
    pub outputs: [Option<usize>; 2],
}

/// Stands for the zero frame among the output frames of a group.
const NO_GRAD: usize = 2;

impl Temporal {
    /// The products, in the order in which they are summed.
    pub fn steps(self) -> Vec<Step> {
        use Combine::{Difference, First, Sum};
        use Effect::{Add, Nothing, Set, Subtract};
        let step = |sources, combine, grads, combine_grads, effects| Step {
            sources,
            combine,
            grads,
            combine_grads,
            effects,
        };
        // F(2, 3) for the frames d0 to d3 and the taps g0 to g2:
        //   m0 = (d0 - d2) g0              y0 = m0 + m1 + m2
        //   m1 = (d1 + d2) (g0 + g1 + g2) / 2
        //   m2 = (d2 - d1) (g0 - g1 + g2) / 2
        //   m3 = (d1 - d3) g2              y1 = m1 - m2 - m3
        match self {
            Self::Sum { taps } => (0..taps)
                .map(|tap| step([tap, tap], First, [0, 0], First, [Add, Nothing]))
                .collect(),
            Self::Pair => vec![
                step([0, 2], Difference, [0, 0], First, [Set, Nothing]),
                step([1, 2], Sum, [0, 1], Sum, [Add, Set]),
                step([2, 1], Difference, [0, 1], Difference, [Add, Subtract]),
                step([1, 3], Difference, [NO_GRAD, 1], Difference, [Nothing, Subtract]),
            ],
        }
    }

    /// The combination of temporal taps that makes each step's weights: `(tap, factor)`.
    pub fn factors(self) -> Vec<Vec<(usize, f32)>> {
        match self {
            Self::Sum { taps } => (0..taps).map(|tap| vec![(tap, 1.0)]).collect(),
            Self::Pair => vec![
                vec![(0, 1.0)],
                vec![(0, 0.5), (1, 0.5), (2, 0.5)],
                vec![(0, 0.5), (1, -0.5), (2, 0.5)],
                vec![(2, 1.0)],
            ],
        }
    }

    /// The output frames in groups. Groups that read the same taps are adjacent, so that a strided
    /// gradient, where most taps read nothing, can skip steps.
    pub fn groups(self, geometry: &Geometry) -> Vec<Group> {
        let frames = geometry.frames_in;
        match self {
            Self::Sum { taps } => {
                let sources = geometry.source_frames.chunks_exact(taps);
                let mut groups: Vec<_> = sources
                    .enumerate()
                    .map(|(t, sources)| Group {
                        sources: sources.to_vec(),
                        outputs: [Some(t), None],
                    })
                    .collect();
                groups.sort_by_key(|g| g.sources.iter().map(|&s| s == frames).collect::<Vec<_>>());
                groups
            }
            Self::Pair => (0..geometry.frames_out)
                .step_by(2)
                .map(|t| {
                    let source =
                        |i: usize| (t + i).checked_sub(1).filter(|&s| s < frames).unwrap_or(frames);
                    let second = (t + 1 < geometry.frames_out).then_some(t + 1);
                    Group { sources: (0..4).map(source).collect(), outputs: [Some(t), second] }
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RegionConv3d;

    #[test]
    fn pairs_of_an_odd_sequence_end_with_one_frame() {
        let p = RegionConv3d::same(1, 1, 1, [3, 1, 1]);
        let groups = Temporal::Pair.groups(&Geometry::forward(&p));
        assert_eq!(groups[0], Group { sources: vec![3, 0, 1, 2], outputs: [Some(0), Some(1)] });
        assert_eq!(groups[1], Group { sources: vec![1, 2, 3, 3], outputs: [Some(2), None] });
    }

    #[test]
    fn frames_of_a_strided_gradient_that_read_the_same_tap_stand_together() {
        let p = RegionConv3d {
            temporal_stride: 3,
            temporal_padding: 0,
            ..RegionConv3d::same(1, 1, 1, [6, 1, 1])
        };
        let groups = Temporal::Sum { taps: 3 }.groups(&Geometry::backward(&p));
        let frames: Vec<_> = groups.iter().filter_map(|g| g.outputs[0]).collect();
        assert_eq!(frames, [0, 3, 1, 4, 2, 5]);
    }
}
