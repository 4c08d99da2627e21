//! Weights in the order in which the products read them.

use super::block::{COLUMNS, DEPTH, Half, STEP, place_in_step, round};
use crate::RegionConv3d;
use crate::buffer::Buffer;
use crate::temporal::Temporal;
use rayon::prelude::*;

/// Weights as `[panels, steps, rows of the kernel, products, STEP]`: a panel is a block of output
/// channels, and a row of the kernel is one sum over its columns and the input channels, filled up
/// with zeros to whole products.
pub(crate) struct PackedWeights {
    values: Buffer<Half>,
    pub temporal: Temporal,
    pub inputs: usize,
    pub outputs: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Steps of the temporal algorithm.
    pub steps: usize,
}

impl PackedWeights {
    /// `weight(input, output, temporal tap, spatial tap)` is the kernel.
    pub fn new(
        temporal: Temporal,
        kernel: [usize; 2],
        [inputs, outputs]: [usize; 2],
        weight: impl Fn(usize, usize, usize, usize) -> f32 + Sync,
    ) -> Self {
        let factors = temporal.factors();
        let [kh, kw] = kernel;
        let steps = factors.len();
        let mut packed =
            Self { values: Buffer::default(), temporal, inputs, outputs, kernel, steps };
        let panel_len = packed.panel_len();
        packed.values = Buffer::zeros(packed.panels() * panel_len);
        let row_len = packed.products() * STEP;
        packed.values.par_chunks_exact_mut(panel_len).enumerate().for_each(|(panel, values)| {
            let first = panel * COLUMNS;
            // In the order in which weights lie in memory.
            for column in 0..COLUMNS.min(outputs - first) {
                for tap in 0..inputs * kh * kw {
                    let i = tap / (kh * kw);
                    let tap = tap % (kh * kw);
                    let k = tap % kw * inputs + i;
                    let place = k / DEPTH * STEP + place_in_step(k % DEPTH, column);
                    for (step, factors) in factors.iter().enumerate() {
                        let value: f32 = factors
                            .iter()
                            .map(|&(t, factor)| factor * weight(i, first + column, t, tap))
                            .sum();
                        values[(step * kh + tap / kw) * row_len + place] = round(value);
                    }
                }
            }
        });
        packed
    }

    /// The weight `[co, ci, kt, kh, kw]` of `p` for the forward pass.
    pub fn forward(temporal: Temporal, p: &RegionConv3d, weight: &[f32]) -> Self {
        let [kt, kh, kw] = p.kernel;
        let ci = p.in_channels;
        Self::new(temporal, [kh, kw], [ci, p.out_channels], |i, o, t, tap| {
            weight[((o * ci + i) * kt + t) * kh * kw + tap]
        })
    }

    /// The same for the gradient with respect to the input, with [`Geometry::backward`]'s taps: see
    /// [`TransformedWeights::backward`].
    ///
    /// [`Geometry::backward`]: crate::geometry::Geometry::backward
    /// [`TransformedWeights::backward`]: crate::winograd::TransformedWeights::backward
    pub fn backward(temporal: Temporal, p: &RegionConv3d, weight: &[f32]) -> Self {
        let [kt, kh, kw] = p.kernel;
        let ci = p.in_channels;
        let flipped = |t: usize| if temporal == Temporal::Pair { kt - 1 - t } else { t };
        Self::new(temporal, [kh, kw], [p.out_channels, ci], |o, i, t, tap| {
            weight[((o * ci + i) * kt + flipped(t)) * kh * kw + kh * kw - 1 - tap]
        })
    }

    /// Blocks of output channels.
    pub fn panels(&self) -> usize {
        self.outputs.div_ceil(COLUMNS)
    }

    /// Products of one row of the kernel.
    pub fn products(&self) -> usize {
        let [_, kw] = self.kernel;
        (kw * self.inputs).div_ceil(DEPTH)
    }

    /// Values of one panel.
    pub fn panel_len(&self) -> usize {
        let [kh, _] = self.kernel;
        self.steps * kh * self.products() * STEP
    }

    /// A row of the kernel of a step, in the first panel.
    pub fn row(&self, step: usize, row: usize) -> &[Half] {
        let [kh, _] = self.kernel;
        &self.values[(step * kh + row) * self.products() * STEP..]
    }
}
