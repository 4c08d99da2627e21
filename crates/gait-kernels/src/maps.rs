//! Maps between the layers of a network for inference.

use crate::Isa;
use crate::bf16::{Frames, Layout, Order, rows};
use crate::buffer::zeros;
use rayon::prelude::*;
use std::ops::Range;

/// Feature maps `[n, c, t, h, w]` on their way from one [`PreparedLayer`] to the next. Layers in
/// bf16 hand them over in bf16.
///
/// [`PreparedLayer`]: crate::PreparedLayer
pub struct Maps {
    /// Sequences, channels, frames, rows, columns.
    dims: [usize; 5],
    values: Values,
}

enum Values {
    F32(Vec<f32>),
    /// One for each sequence, channel-last.
    Bf16(Vec<Frames>),
}

/// Zeros around a frame, which suffice for kernels of three rows and columns.
const ZEROS: [usize; 2] = [1, 1];

impl Maps {
    /// Maps of `dims`: sequences, channels, frames, rows, columns.
    ///
    /// # Panics
    /// If `values` has another length.
    pub fn new(dims: [usize; 5], values: Vec<f32>) -> Self {
        assert_eq!(values.len(), dims.iter().product::<usize>(), "values of maps {dims:?}");
        Self { dims, values: Values::F32(values) }
    }

    pub(crate) fn of_frames(dims: [usize; 5], frames: Vec<Frames>) -> Self {
        Self { dims, values: Values::Bf16(frames) }
    }

    /// Sequences, channels, frames, rows, columns.
    pub fn dims(&self) -> [usize; 5] {
        self.dims
    }

    /// The values as f32, row-major.
    pub fn into_values(self) -> Vec<f32> {
        let frames = match self.values {
            Values::F32(values) => return values,
            Values::Bf16(frames) => frames,
        };
        let mut values = zeros(self.dims.iter().product());
        if !values.is_empty() {
            let len = values.len() / self.dims[0];
            let sequences = values.chunks_exact_mut(len).zip(&frames);
            sequences.for_each(|(to, frames)| frames.write_planes(Isa::best(), to));
        }
        values
    }

    /// The values in bf16 with enough zeros around each frame for a kernel.
    pub(crate) fn into_frames(self, kernel: [usize; 2]) -> Vec<Frames> {
        match self.values {
            Values::Bf16(frames) if frames.iter().all(|f| f.layout.holds(kernel)) => frames,
            _ => self.with_zeros(kernel),
        }
    }

    fn with_zeros(self, kernel: [usize; 2]) -> Vec<Frames> {
        let [sequences, channels, frames, height, width] = self.dims;
        let values = self.into_values();
        let around = [0, 1].map(|i| ZEROS[i].max(kernel[i] / 2));
        let len = values.len() / sequences.max(1);
        let sequence = |n: usize| {
            let layout = Layout::new(height, width, around);
            let mut to = Frames::bordered(layout, Order::ChannelLast, channels, frames);
            to.fill(Isa::best(), rows(&values[n * len..][..len], frames, height * width));
            to
        };
        (0..sequences).map(sequence).collect()
    }

    /// The layout of frames that a layer in bf16 writes.
    pub(crate) fn layout(height: usize, width: usize) -> Layout {
        Layout::new(height, width, ZEROS)
    }

    /// Max pooling over 2 x 2 pixels; a last odd row or column is dropped. NaN stays NaN.
    #[must_use]
    pub fn pool(self) -> Self {
        let [n, c, t, height, width] = self.dims;
        let dims = [n, c, t, height / 2, width / 2];
        let values = match self.values {
            Values::F32(values) => Values::F32(pool(&values, height, width)),
            Values::Bf16(frames) => {
                let layout = Self::layout(height / 2, width / 2);
                let pooled = frames.iter().map(|frames| frames.pooled(Isa::best(), &layout));
                Values::Bf16(pooled.collect())
            }
        };
        Self { dims, values }
    }

    /// One frame: the highest value of each pixel over `frames`. NaN stays NaN.
    ///
    /// # Panics
    /// If `frames` are none or not among those of the maps.
    #[must_use]
    pub fn max_over_time(self, frames: &Range<usize>) -> Self {
        let [n, c, t, height, width] = self.dims;
        assert!(!frames.is_empty() && frames.end <= t, "frames {frames:?} of {t}");
        let dims = [n, c, 1, height, width];
        let values = match self.values {
            Values::F32(values) => Values::F32(max_over_time(&values, t, height * width, frames)),
            Values::Bf16(all) => {
                let highest = all.iter().map(|all| all.max_over_time(Isa::best(), frames));
                Values::Bf16(highest.collect())
            }
        };
        Self { dims, values }
    }
}

/// The highest value of each pixel of maps `[t, pixels]`, one after the other, over `frames`.
fn max_over_time(x: &[f32], t: usize, pixels: usize, frames: &Range<usize>) -> Vec<f32> {
    let mut highest = zeros(x.len() / t);
    let outputs = highest.par_chunks_mut(pixels.max(1));
    outputs.zip(x.par_chunks((t * pixels).max(1))).for_each(|(highest, map)| {
        let mut planes = map.chunks_exact(pixels).take(frames.end).skip(frames.start);
        planes.next().into_iter().for_each(|first| highest.copy_from_slice(first));
        for plane in planes {
            highest.iter_mut().zip(plane).for_each(|(to, &value)| *to = higher(*to, value));
        }
    });
    highest
}

/// Max pooling of planes `[height, width]` over 2 x 2 pixels; a last odd row or column is dropped.
/// NaN stays NaN.
pub fn pool(x: &[f32], height: usize, width: usize) -> Vec<f32> {
    let rows = height / 2;
    let columns = width / 2;
    let mut pooled = zeros(x.len() / (height * width).max(1) * rows * columns);
    let outputs = pooled.par_chunks_mut((rows * columns).max(1));
    outputs.zip(x.par_chunks((height * width).max(1))).for_each(|(pooled, plane)| {
        for (pooled, pair) in pooled.chunks_mut(columns).zip(plane.chunks(2 * width)) {
            let (above, below) = pair.split_at(width);
            let blocks = above.chunks_exact(2).zip(below.chunks_exact(2));
            for (value, (a, b)) in pooled.iter_mut().zip(blocks) {
                *value = higher(higher(a[0], a[1]), higher(b[0], b[1]));
            }
        }
    });
    pooled
}

/// The larger of two values, or NaN if one is.
#[inline(always)]
pub fn higher(a: f32, b: f32) -> f32 {
    if b > a || b.is_nan() { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bf16_maps_are_pooled_over_space_and_time_and_returned_in_order() {
        let dims = [2, 3, 2, 5, 7];
        let values: Vec<f32> = (0..420).map(|i| (i * 37 % 251) as f32).collect();
        let exact = Maps::new(dims, values.clone()).pool();
        let frames = Maps::new(dims, values.clone()).into_frames([3, 3]);
        let half = Maps::of_frames(dims, frames).pool();
        assert_eq!(half.dims(), [2, 3, 2, 2, 3]);
        // Integers below 256 are exact in bf16.
        assert_eq!(half.into_values(), exact.into_values());
        let late = Maps::new(dims, values.clone()).max_over_time(&(1..2));
        let second = |i: usize| values[i / 35 * 70 + 35 + i % 35];
        assert_eq!(late.into_values(), (0..210).map(second).collect::<Vec<_>>());
        let highest = Maps::new(dims, values.clone()).max_over_time(&(0..2)).into_values();
        let of_both = |i: usize| values[i / 35 * 70 + i % 35].max(second(i));
        assert_eq!(highest, (0..210).map(of_both).collect::<Vec<_>>());
        let frames = Maps::new(dims, values.clone()).into_frames([3, 3]);
        let half = Maps::of_frames(dims, frames).max_over_time(&(0..2));
        assert_eq!(half.dims(), [2, 3, 1, 5, 7]);
        assert_eq!(half.into_values(), highest);
        let wide = Maps::of_frames(dims, Maps::new(dims, values.clone()).into_frames([3, 3]));
        let wider = Maps::of_frames(dims, wide.into_frames([5, 7]));
        assert_eq!(wider.into_values(), values);
    }
}
