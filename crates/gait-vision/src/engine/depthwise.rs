//! Depthwise convolutions: each channel is convolved with a kernel of its own.
//!
//! The engine's own take half of the time of the networks that ship, because they do not use vector
//! instructions (rten 0.27, <https://github.com/robertknight/rten/issues/370>).

use pulp::{Arch, Simd, WithSimd};

/// The most outputs of a row that any machine computes at once.
const MOST_LANES: usize = 16;

/// The kernels of a depthwise convolution.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Depthwise {
    /// Rows and columns of a kernel.
    pub kernel: [usize; 2],
    /// Step along rows and columns, the same for both.
    pub stride: usize,
    /// Zeros around the picture: above, left, below, right.
    pub padding: [usize; 4],
    /// `[channels, rows, columns]`
    pub weights: Vec<f32>,
    /// One for each channel.
    pub bias: Vec<f32>,
}

/// A channel with its padding. Columns are grouped by their remainder modulo the stride, so that the
/// inputs of neighbouring outputs are neighbours.
struct Padded {
    rows: usize,
    /// Columns of one group, with room for [`MOST_LANES`] outputs that do not exist.
    columns: usize,
    stride: usize,
    values: Vec<f32>,
}

impl Depthwise {
    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.bias.len()
    }

    /// Rows and columns of the result for those of the input; none if the kernel does not fit.
    pub fn output_size(&self, [height, width]: [usize; 2]) -> Option<[usize; 2]> {
        let [above, left, below, right] = self.padding;
        let [rows, columns] = self.kernel;
        let steps = |length: usize, kernel: usize| {
            length.checked_sub(kernel).map(|rest| rest / self.stride + 1)
        };
        Some([steps(above + height + below, rows)?, steps(left + width + right, columns)?])
    }

    /// The convolution of `input`, `[images, channels, height, width]`; none if the sizes do not fit.
    pub fn run(&self, input: &[f32], size: [usize; 2]) -> Option<Vec<f32>> {
        let [height, width] = self.output_size(size)?;
        let area = size[0] * size[1];
        if area == 0 || !input.len().is_multiple_of(self.channels() * area) {
            return None;
        }
        let mut padded = self.padded(size, width);
        let offsets = self.offsets(&padded);
        let mut values = vec![0.0; input.len() / area * height * width];
        let taps = self.kernel[0] * self.kernel[1];
        let kernels = self.weights.chunks_exact(taps).zip(&self.bias).cycle();
        let outputs = values.chunks_exact_mut(height * width);
        for ((channel, output), (weights, &bias)) in
            input.chunks_exact(area).zip(outputs).zip(kernels)
        {
            padded.fill(channel, size[1], [self.padding[0], self.padding[1]]);
            let plane = Plane { padded: &padded, offsets: &offsets, weights, bias, output, width };
            Arch::new().dispatch(plane);
        }
        Some(values)
    }

    /// Where the input of each tap stands for the first output.
    fn offsets(&self, padded: &Padded) -> Vec<usize> {
        let [rows, columns] = self.kernel;
        let row = |ky: usize| {
            let group = move |kx: usize| ky * self.stride + kx % self.stride;
            (0..columns).map(move |kx| group(kx) * padded.columns + kx / self.stride)
        };
        (0..rows).flat_map(row).collect()
    }

    /// Room for a channel, all padding; `width` is that of the output.
    fn padded(&self, [height, _]: [usize; 2], width: usize) -> Padded {
        let rows = self.padding[0] + height + self.padding[2];
        let columns = width.next_multiple_of(MOST_LANES) + self.kernel[1].div_ceil(self.stride);
        let values = vec![0.0; rows * columns * self.stride];
        Padded { rows, columns, stride: self.stride, values }
    }
}

impl Padded {
    /// Takes over a channel. What is not overwritten is padding, or beyond the last output.
    fn fill(&mut self, channel: &[f32], width: usize, [above, left]: [usize; 2]) {
        for (y, line) in channel.chunks_exact(width).enumerate() {
            for group in 0..self.stride {
                let from = (above + y) * self.stride + group;
                let to = &mut self.values[from * self.columns..(from + 1) * self.columns];
                // The first column of this group that is not padding.
                let first = left.saturating_sub(group).div_ceil(self.stride);
                let start = first * self.stride + group - left;
                let inputs = line.get(start..).unwrap_or_default();
                let to = &mut to[first..];
                if self.stride == 1 {
                    to[..inputs.len()].copy_from_slice(inputs);
                } else {
                    let inputs = inputs.iter().step_by(self.stride);
                    to.iter_mut().zip(inputs).for_each(|(to, value)| *to = *value);
                }
            }
        }
        debug_assert!(channel.len() / width <= self.rows);
    }
}

/// The convolution of one channel.
struct Plane<'a> {
    padded: &'a Padded,
    /// One for each tap.
    offsets: &'a [usize],
    /// One for each tap.
    weights: &'a [f32],
    bias: f32,
    /// `[height, width]`
    output: &'a mut [f32],
    width: usize,
}

impl WithSimd for Plane<'_> {
    type Output = ();

    // Without closures: one that is not inlined is compiled without the instruction set.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { padded, offsets, weights, bias, output, width } = self;
        let Padded { columns, stride, ref values, .. } = *padded;
        for (y, line) in output.chunks_exact_mut(width).enumerate() {
            let row = &values[y * stride * stride * columns..];
            for (block, outputs) in line.chunks_mut(S::F32_LANES).enumerate() {
                let inputs = &row[block * S::F32_LANES..];
                let mut sum = simd.splat_f32s(bias);
                for (&offset, &weight) in offsets.iter().zip(weights) {
                    let (input, _) = S::as_simd_f32s(&inputs[offset..offset + S::F32_LANES]);
                    sum = simd.mul_add_f32s(simd.splat_f32s(weight), input[0], sum);
                }
                simd.partial_store_f32s(outputs, sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, in double precision.
    fn plain(depthwise: &Depthwise, input: &[f32], [height, width]: [usize; 2]) -> Vec<f64> {
        let Depthwise { kernel: [rows, columns], stride, padding, .. } = *depthwise;
        let [out_height, out_width] = depthwise.output_size([height, width]).unwrap();
        let mut values = vec![];
        for channel in 0..depthwise.channels() {
            for (y, x) in (0..out_height).flat_map(|y| (0..out_width).map(move |x| (y, x))) {
                let mut sum = f64::from(depthwise.bias[channel]);
                for (ky, kx) in (0..rows).flat_map(|ky| (0..columns).map(move |kx| (ky, kx))) {
                    let at_y = (y * stride + ky).wrapping_sub(padding[0]);
                    let at_x = (x * stride + kx).wrapping_sub(padding[1]);
                    if at_y < height && at_x < width {
                        let weight = depthwise.weights[(channel * rows + ky) * columns + kx];
                        let value = input[(channel * height + at_y) * width + at_x];
                        sum += f64::from(weight) * f64::from(value);
                    }
                }
                values.push(sum);
            }
        }
        values
    }

    fn noise(count: usize, seed: u32) -> Vec<f32> {
        let value = |i: usize| (i as u32 + 1).wrapping_mul(seed).wrapping_mul(2_654_435_761) >> 12;
        (0..count).map(|i| value(i) as f32 / (1 << 19) as f32 - 1.0).collect()
    }

    #[test]
    fn every_kernel_stride_and_padding_follows_the_definition() {
        for (kernel, stride, padding, size) in [
            ([3, 3], 1, [1, 1, 1, 1], [9, 37]),
            ([3, 5], 1, [0, 2, 2, 1], [6, 16]),
            ([5, 3], 2, [0, 0, 1, 1], [13, 40]),
            ([3, 3], 2, [1, 1, 0, 0], [8, 8]),
            ([2, 2], 2, [0, 1, 0, 0], [5, 4]),
            ([1, 1], 1, [0, 0, 0, 0], [1, 1]),
            ([3, 3], 3, [2, 1, 1, 2], [11, 70]),
        ] {
            let weights = noise(3 * kernel[0] * kernel[1], 7);
            let depthwise = Depthwise { kernel, stride, padding, weights, bias: noise(3, 3) };
            let input = noise(3 * size[0] * size[1], 5);
            let found = depthwise.run(&input, size).unwrap();
            let expected = plain(&depthwise, &input, size);
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                assert!((f64::from(*found) - expected).abs() < 1e-5, "{kernel:?} {size:?}");
            }
        }
    }

    #[test]
    fn sizes_that_do_not_fit_give_nothing() {
        let depthwise = Depthwise {
            kernel: [3, 3],
            stride: 1,
            padding: [0; 4],
            weights: vec![0.0; 18],
            bias: vec![0.0; 2],
        };
        assert_eq!(depthwise.run(&[0.0; 8], [2, 2]), None);
        assert_eq!(depthwise.run(&[0.0; 9], [3, 3]), None);
        assert_eq!(depthwise.run(&[0.0; 18], [3, 3]), Some(vec![0.0; 2]));
    }
}
