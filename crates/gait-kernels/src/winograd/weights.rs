//! Weights in the transform domain.

use super::tiles::POINTS;
use super::transform::{self, Kernel};
use crate::buffer::{Buffer, Shared};
use crate::channel_last::padded;
use crate::panels::{Panel, panels};
use crate::temporal::Temporal;
use crate::{Isa, RegionConv3d};
use rayon::prelude::*;

/// Taps of a kernel in rows and columns.
const SPATIAL: usize = 9;

/// Weights as `[POINTS, steps, panels, inputs, panel width]`, the order in which they are read.
pub(crate) struct TransformedWeights {
    pub values: Buffer,
    pub temporal: Temporal,
    pub steps: usize,
    pub inputs: usize,
    pub outputs: usize,
    pub stride: usize,
    pub panels: Vec<Panel>,
}

impl TransformedWeights {
    /// `weight(input, output, temporal tap, spatial tap)` is the kernel.
    pub fn new(
        isa: Isa,
        temporal: Temporal,
        [inputs, outputs]: [usize; 2],
        weight: impl Fn(usize, usize, usize, usize) -> f32 + Sync,
    ) -> Self {
        let stride = padded(outputs, isa.lanes());
        let panels = panels(isa, outputs);
        let factors = temporal.factors();
        let steps = factors.len();
        let frames = frames(&factors);
        let mut values = Buffer::zeros(steps * POINTS * inputs * stride);
        let shared = Shared::new(&mut values);
        (0..inputs).into_par_iter().for_each(|i| {
            let mut raw = Buffer::zeros(frames * SPATIAL * stride);
            let mut taps = Buffer::zeros(SPATIAL * stride);
            for o in 0..outputs {
                for tap in 0..frames * SPATIAL {
                    raw[tap * stride + o] = weight(i, o, tap / SPATIAL, tap % SPATIAL);
                }
            }
            // The temporal combination first: each step then transforms one kernel of 3x3 taps.
            for (step, factors) in factors.iter().enumerate() {
                taps.fill(0.0);
                for &(t, factor) in factors {
                    let raw = &raw[t * SPATIAL * stride..][..SPATIAL * stride];
                    taps.iter_mut().zip(raw).for_each(|(tap, &raw)| *tap += factor * raw);
                }
                for panel in &panels {
                    let offset = (step * stride + panel.start) * inputs + i * panel.width;
                    let point_step = steps * inputs * stride;
                    let extent = (POINTS - 1) * point_step + panel.width;
                    // SAFETY: input `i` of each panel belongs to this task alone, and `values`
                    // outlives the loop over the tasks.
                    let points = unsafe { shared.at(offset, extent) };
                    let call = Kernel {
                        taps: taps[panel.start..].as_mut_ptr(),
                        tap_step: stride,
                        points,
                        point_step,
                        channels: panel.width,
                    };
                    // SAFETY: `taps` holds SPATIAL rows of `stride` values, of which the panel
                    // takes `width` from its start on; `points` was checked for its extent.
                    unsafe { transform::weight(isa, &call) }
                }
            }
        });
        Self { values, steps, temporal, inputs, outputs, stride, panels }
    }

    /// The weight `[co, ci, kt, 3, 3]` of `p` for the forward pass.
    pub fn forward(isa: Isa, temporal: Temporal, p: &RegionConv3d, weight: &[f32]) -> Self {
        let kt = p.kernel[0];
        let ci = p.in_channels;
        Self::new(isa, temporal, [ci, p.out_channels], |i, o, t, tap| {
            weight[((o * ci + i) * kt + t) * 9 + tap]
        })
    }

    /// The same for the gradient with respect to the input, with [`Geometry::backward`]'s taps. The
    /// tables of a sum hold each temporal tap's frame; pairs run forward in time, so for them the
    /// kernel is flipped in time as well as in rows and columns.
    ///
    /// [`Geometry::backward`]: crate::geometry::Geometry::backward
    pub fn backward(isa: Isa, temporal: Temporal, p: &RegionConv3d, weight: &[f32]) -> Self {
        let kt = p.kernel[0];
        let ci = p.in_channels;
        let flipped = |t: usize| if temporal == Temporal::Pair { kt - 1 - t } else { t };
        Self::new(isa, temporal, [p.out_channels, ci], |o, i, t, tap| {
            weight[((o * ci + i) * kt + flipped(t)) * 9 + 8 - tap]
        })
    }

    /// Offset of a panel of one point of one step.
    pub fn panel(&self, step: usize, point: usize, panel: &Panel) -> usize {
        ((point * self.steps + step) * self.stride + panel.start) * self.inputs
    }
}

/// Frames of the kernel, from the taps in the steps' factors.
fn frames(factors: &[Vec<(usize, f32)>]) -> usize {
    factors.iter().flatten().map(|&(t, _)| t + 1).max().unwrap_or(0)
}

/// The gradient with respect to the weight, `[co, ci, kt, 3, 3]`, from its form in the transform
/// domain, `[steps, POINTS, inputs, stride]`.
pub(crate) fn weight_gradient(
    isa: Isa,
    temporal: Temporal,
    [inputs, outputs]: [usize; 2],
    sums: &mut Buffer,
) -> Vec<f32> {
    let stride = padded(outputs, isa.lanes());
    let factors = temporal.factors();
    let taps = frames(&factors);
    let mut gradient = vec![0.0; outputs * inputs * taps * SPATIAL];
    let shared = Shared::new(sums);
    let target = Shared::new(&mut gradient);
    let point_step = inputs * stride;
    (0..inputs).into_par_iter().for_each(|i| {
        let mut sum = Buffer::zeros(taps * SPATIAL * stride);
        let mut part = Buffer::zeros(SPATIAL * stride);
        for (step, factors) in factors.iter().enumerate() {
            let offset = step * POINTS * point_step + i * stride;
            // SAFETY: input `i` belongs to this task alone, and `sums` outlives the loop.
            let points = unsafe { shared.at(offset, (POINTS - 1) * point_step + stride) };
            let taps = part.as_mut_ptr();
            let call = Kernel { taps, tap_step: stride, points, point_step, channels: stride };
            // SAFETY: `points` was checked for `stride` values at each point, and `part` holds as
            // many at each of its SPATIAL taps.
            unsafe { transform::weight_adjoint(isa, &call) }
            for &(t, factor) in factors {
                let to = &mut sum[t * SPATIAL * stride..][..SPATIAL * stride];
                to.iter_mut().zip(part.iter()).for_each(|(to, &part)| *to += factor * part);
            }
        }
        for o in 0..outputs {
            let to = (o * inputs + i) * taps * SPATIAL;
            for tap in 0..taps * SPATIAL {
                // SAFETY: input `i` of the gradient belongs to this task alone, `at` checks the
                // place, and `gradient` outlives the loop.
                unsafe { *target.at(to + tap, 1) = sum[tap * stride + o] }
            }
        }
    });
    gradient
}
