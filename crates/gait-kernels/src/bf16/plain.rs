//! One convolution: its output and both gradients, between `[n, c, t, h, w]` and frames of bf16.

use super::block::{AREA, COLUMNS, ROWS};
use super::convolution::{Convolution, Part, Sums, compute};
use super::gradient::WeightSums;
use super::layout::Layout;
use super::unit::Bf16Unit;
use super::weights::PackedWeights;
use crate::buffer::{Buffer, Shared, written, zeros};
use crate::channel_last::{Transpose, transpose};
use crate::geometry::Geometry;
use crate::temporal::Temporal;
use crate::{Isa, RegionConv3d};
use std::cell::RefCell;

thread_local! {
    /// Sums as `[channels, positions]`, kept for the next task.
    static TURNED: RefCell<Buffer> = RefCell::default();
}

/// The output.
pub(crate) fn forward(unit: Bf16Unit, p: &RegionConv3d, x: &[f32], weight: &[f32]) -> Vec<f32> {
    let weights = PackedWeights::forward(temporal(p), p, weight);
    gather(unit, &Geometry::forward(p), &weights, p, x)
}

/// The gradient with respect to the input.
pub(crate) fn backward_data(
    unit: Bf16Unit,
    p: &RegionConv3d,
    weight: &[f32],
    grad: &[f32],
) -> Vec<f32> {
    let weights = PackedWeights::backward(temporal(p), p, weight);
    gather(unit, &Geometry::backward(p), &weights, p, grad)
}

/// The gradient with respect to the weight.
pub(crate) fn backward_weight(
    unit: Bf16Unit,
    p: &RegionConv3d,
    x: &[f32],
    grad: &[f32],
) -> Vec<f32> {
    let mut sums = WeightSums::new(unit, temporal(p), p);
    if !x.is_empty() && !grad.is_empty() {
        let isa = Isa::best();
        let pixels = p.pixels();
        let mut input = sums.input(p.frames);
        let mut output = sums.output(p.frames_out());
        let inputs = x.chunks_exact(x.len() / p.sequences);
        for (x, grad) in inputs.zip(grad.chunks_exact(grad.len() / p.sequences)) {
            input.fill(isa, &sums.plan, rows(x, p.frames, pixels));
            output.fill(isa, rows(grad, p.frames_out(), pixels));
            sums.add(&input, &output);
        }
    }
    sums.gradient()
}

/// Pairs of frames wherever there are any: they take two thirds of the products.
pub(crate) fn temporal(p: &RegionConv3d) -> Temporal {
    let fits = p.kernel[0] == 3 && p.temporal_stride == 1 && p.temporal_padding == 1;
    if fits && p.frames > 1 { Temporal::Pair } else { Temporal::Sum { taps: p.kernel[0] } }
}

/// Reads rows of a sequence `[c, t, h, w]`, for [`Frames::fill`].
pub(crate) fn rows(
    x: &[f32],
    frames: usize,
    pixels: usize,
) -> impl Fn(usize, usize, usize, &mut [f32]) + Sync {
    move |channel, frame, pixel, to| {
        let start = (channel * frames + frame) * pixels + pixel;
        to.copy_from_slice(&x[start..][..to.len()]);
    }
}

/// Every sequence of `x` through the taps of `geometry`.
fn gather(
    unit: Bf16Unit,
    geometry: &Geometry,
    weights: &PackedWeights,
    p: &RegionConv3d,
    x: &[f32],
) -> Vec<f32> {
    let pixels = p.pixels();
    let in_len = weights.inputs * geometry.frames_in * pixels;
    let out_len = weights.outputs * geometry.frames_out * pixels;
    if in_len == 0 || out_len == 0 {
        return zeros(p.sequences * out_len);
    }
    let convolution = Convolution::new(unit, geometry, weights, p, Layout::of(p));
    let mut input = convolution.room(geometry.frames_in);
    let write = |y: Shared| {
        for (n, x) in x.chunks_exact(in_len).enumerate() {
            let read = rows(x, geometry.frames_in, pixels);
            input.fill(convolution.isa, &convolution.plan, read);
            let part = Part { convolution: &convolution, input: &input, map: 0 };
            let planes = Planes { frames: geometry.frames_out, pixels, start: n * out_len, y };
            compute(&[part], 1, |sums| {
                planes.store(convolution.isa, sums, &convolution.layout);
            });
        }
    };
    // SAFETY: the tasks of a sequence cover all positions of all frames, and `store` writes the
    // pixels among them for every output channel.
    unsafe { written(p.sequences * out_len, write) }
}

/// A sequence `[c, t, maps, h, w]` to be written by several tasks.
pub(crate) struct Planes<'a> {
    pub frames: usize,
    /// Pixels of a frame with all its maps.
    pub pixels: usize,
    /// Where the sequence starts in `y`.
    pub start: usize,
    pub y: Shared<'a>,
}

impl Planes<'_> {
    /// Writes the first map of both frames as it is.
    pub fn store(&self, isa: Isa, sums: &Sums, layout: &Layout) {
        TURNED.with_borrow_mut(|turned| {
            turned.grow(AREA);
            let turned = &mut turned[..sums.channels.len() * ROWS];
            for (i, frame) in sums.frames.into_iter().enumerate() {
                let Some(frame) = frame else { continue };
                turn(isa, sums.of(0, i), turned);
                self.write(turned, layout, sums, frame, 0);
            }
        });
    }

    /// Writes the pixels of `values`, `[channels, positions]`, to a frame, `above` pixels below its
    /// first.
    pub fn write(&self, values: &[f32], layout: &Layout, sums: &Sums, frame: usize, above: usize) {
        let count = sums.positions.len();
        let segments: Vec<_> = layout.segments(sums.positions.clone()).collect();
        for (channel, values) in values.chunks_exact(count).enumerate() {
            let channel = sums.channels.start + channel;
            let start = self.start + (channel * self.frames + frame) * self.pixels + above;
            for segment in &segments {
                let from = &values[segment.place..][..segment.count];
                // SAFETY: these pixels belong to this task alone, and `y` outlives the tasks.
                let to = unsafe { self.y.at(start + segment.pixel, segment.count) };
                // SAFETY: `at` has checked the room for `count` values, which no slice refers to.
                unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, segment.count) }
            }
        }
    }
}

/// A block of sums to `[channels, ROWS]`.
pub(crate) fn turn(isa: Isa, from: &[f32], to: &mut [f32]) {
    let columns = to.len() / ROWS;
    let mut call = Transpose { from, from_step: COLUMNS, to, to_step: ROWS, rows: ROWS, columns };
    transpose(isa, &mut call);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bf16::block::{round, widen};
    use crate::reference;
    use proptest::prelude::*;

    fn values(count: usize, seed: usize) -> Vec<f32> {
        let value = |i: usize| {
            let hash = (i + 1).wrapping_mul(2_654_435_761).wrapping_add(seed * 40_503) >> 7;
            (hash % 2001) as f32 / 1000.0 - 1.0
        };
        // Rounded before, so that what is compared is the computation.
        (0..count).map(|i| widen(round(value(i)))).collect()
    }

    fn close(got: &[f32], want: &[f32], tolerance: f32) -> Result<(), TestCaseError> {
        prop_assert_eq!(got.len(), want.len());
        let scale = want.iter().fold(1e-3_f32, |m, v| m.max(v.abs()));
        for (i, (got, want)) in got.iter().zip(want).enumerate() {
            let error = (got - want).abs() / scale;
            prop_assert!(error <= tolerance, "{} {} {} of {}", i, got, want, scale);
        }
        Ok(())
    }

    #[derive(Clone, Debug)]
    struct Case {
        sizes: [usize; 6],
        kernel: [usize; 3],
        stride: usize,
        regions: usize,
        seed: usize,
    }

    fn cases() -> impl Strategy<Value = Case> {
        let sizes = (1_usize..3, 1_usize..40, 1_usize..40, 1_usize..6, 1_usize..9, 1_usize..12);
        let kernels = proptest::sample::select(vec![[3, 3, 3], [3, 1, 1], [1, 3, 3], [3, 5, 3]]);
        (sizes, kernels, 1_usize..4, 0_usize..4, 0_usize..1000).prop_map(
            |((n, ci, co, t, h, w), kernel, stride, regions, seed)| Case {
                sizes: [n, ci, co, t, h, w],
                kernel,
                stride,
                regions,
                seed,
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn every_unit_computes_the_convolution_and_its_gradients(case in cases()) {
            let [n, ci, co, t, h, w] = case.sizes;
            let labels: Vec<i32> = (0..h * w)
                .map(|i| i32::try_from((i * 31 + case.seed) * (i + 7) % case.regions.max(1)).unwrap())
                .collect();
            let p = RegionConv3d {
                kernel: case.kernel,
                temporal_stride: case.stride,
                temporal_padding: usize::from(case.stride == 1) * (case.kernel[0] / 2),
                labels: (case.regions > 0).then_some(&labels[..]),
                ..RegionConv3d::same(n, ci, co, [t, h, w])
            };
            let x = values(p.input_len(), case.seed);
            let weight = values(p.weight_len(), case.seed + 1);
            let grad = values(p.output_len(), case.seed + 2);
            // A pair's sums and differences of operands are rounded once more.
            let tolerance = if temporal(&p) == Temporal::Pair { 2e-2 } else { 1e-5 };
            for unit in Bf16Unit::available() {
                close(&forward(unit, &p, &x, &weight), &reference::forward(&p, &x, &weight), tolerance)?;
                let want = reference::backward_data(&p, &weight, &grad);
                close(&backward_data(unit, &p, &weight, &grad), &want, tolerance)?;
                let want = reference::backward_weight(&p, &x, &grad);
                close(&backward_weight(unit, &p, &x, &grad), &want, tolerance)?;
            }
        }
    }
}
