//! The description of one convolution and its three entry points.

use crate::algorithm::Implementation;
use crate::direct;
use crate::geometry::Geometry;
use crate::pixels::{self, OutputGradient};
use crate::winograd::{self, TransformedWeights};
use crate::{Algorithm, Bf16Unit, Isa, bf16};
use thiserror::Error;

/// Region-restricted convolution over `[n, ci, t, h, w]` with weight `[co, ci, kt, kh, kw]`.
///
/// Rows and columns have stride 1 and same padding (`kh` and `kw` odd); there is no bias. All
/// slices are row-major.
///
/// # Panics
/// Every method that computes panics if the shape is invalid ([`RegionConv3d::validate`] says so
/// without a panic) or a slice has the wrong length; the message names the slice.
#[derive(Clone, Copy, Debug)]
pub struct RegionConv3d<'a> {
    /// Sequences `n` of the batch.
    pub sequences: usize,
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Frames of the input.
    pub frames: usize,
    /// Rows of a frame.
    pub height: usize,
    /// Columns of a frame.
    pub width: usize,
    /// Size of the kernel: frames, rows, columns.
    pub kernel: [usize; 3],
    /// Frames between two outputs.
    pub temporal_stride: usize,
    /// Zero frames added before the first and after the last frame.
    pub temporal_padding: usize,
    /// How operands are rounded; sums are f32 either way.
    pub precision: Precision,
    /// Region of each pixel, `[h * w]`, the same for all frames; `None` is one region.
    pub labels: Option<&'a [i32]>,
}

/// How the operands of products are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Not at all.
    F32,
    /// To bf16, to the nearest even; products are exact and summed in f32. See [`Bf16Unit`] for what
    /// multiplies them.
    Bf16,
}

impl RegionConv3d<'_> {
    /// The convolution of the global-local layers: 3x3x3, stride 1, same padding, one region.
    /// `shape` is frames, rows and columns.
    pub fn same(
        sequences: usize,
        in_channels: usize,
        out_channels: usize,
        shape: [usize; 3],
    ) -> Self {
        let [frames, height, width] = shape;
        Self {
            sequences,
            in_channels,
            out_channels,
            frames,
            height,
            width,
            kernel: [3, 3, 3],
            temporal_stride: 1,
            temporal_padding: 1,
            precision: Precision::F32,
            labels: None,
        }
    }

    /// Frames of the output, `(t + 2 * padding - kt) / stride + 1`; 0 where the kernel is longer
    /// than the padded sequence.
    ///
    /// # Panics
    /// If the temporal stride is 0.
    pub fn frames_out(&self) -> usize {
        match self.padded_frames().checked_sub(self.kernel[0]) {
            Some(rest) => rest / self.temporal_stride + 1,
            None => 0,
        }
    }

    /// Frames of the input and its padding.
    fn padded_frames(&self) -> usize {
        self.temporal_padding.saturating_mul(2).saturating_add(self.frames)
    }

    /// Checks what no slice can show: the kernel, the stride, the number of labels and the size.
    ///
    /// # Errors
    /// The first [`ShapeError`].
    pub fn validate(&self) -> Result<(), ShapeError> {
        let [kt, kh, kw] = self.kernel;
        if kt == 0 || kh.is_multiple_of(2) || kw.is_multiple_of(2) {
            return Err(ShapeError::Kernel(self.kernel));
        }
        if self.temporal_stride == 0 {
            return Err(ShapeError::TemporalStride);
        }
        let batch = [self.sequences, self.padded_frames(), self.height, self.width];
        let small = [self.in_channels, self.out_channels]
            .into_iter()
            .all(|channels| is_small(&[&batch[..], &[channels]].concat()));
        if !small || !is_small(&[self.in_channels, self.out_channels, kt, kh, kw]) {
            return Err(ShapeError::TooLarge);
        }
        match self.labels {
            Some(labels) if labels.len() != self.pixels() => {
                Err(ShapeError::Labels { pixels: self.pixels(), labels: labels.len() })
            }
            _ => Ok(()),
        }
    }

    /// The output `[n, co, t_out, h, w]`.
    ///
    /// # Panics
    /// If the shape is invalid or a slice has the wrong length.
    pub fn forward(&self, x: &[f32], weight: &[f32]) -> Vec<f32> {
        self.check_shape();
        self.forward_with(Algorithm::for_problem(self), Isa::best(), x, weight)
    }

    /// The gradient with respect to the input, `[n, ci, t, h, w]`, given the gradient with respect
    /// to the output.
    ///
    /// # Panics
    /// If the shape is invalid or a slice has the wrong length.
    pub fn backward_data(&self, weight: &[f32], grad: &[f32]) -> Vec<f32> {
        self.check_shape();
        self.backward_data_with(Algorithm::for_problem(self), Isa::best(), weight, grad)
    }

    /// The gradient with respect to the weight, `[co, ci, kt, kh, kw]`, given the gradient with
    /// respect to the output.
    ///
    /// # Panics
    /// If the shape is invalid or a slice has the wrong length.
    pub fn backward_weight(&self, x: &[f32], grad: &[f32]) -> Vec<f32> {
        self.check_shape();
        self.backward_weight_with(Algorithm::for_problem(self), Isa::best(), x, grad)
    }

    /// [`RegionConv3d::forward`] with the caller's choice of algorithm and instruction set, for
    /// tests and benchmarks.
    ///
    /// # Panics
    /// As there, and if the algorithm does not support the shape.
    #[doc(hidden)]
    pub fn forward_with(
        &self,
        algorithm: Algorithm,
        isa: Isa,
        x: &[f32],
        weight: &[f32],
    ) -> Vec<f32> {
        self.check_supported(algorithm);
        self.check_x(x);
        self.check_weight(weight);
        match algorithm.implementation(self) {
            Implementation::Direct => direct::forward(isa, self, x, weight),
            Implementation::Pixels => pixels::forward(isa, self, x, weight),
            Implementation::Winograd(temporal) => {
                let transformed = TransformedWeights::forward(isa, temporal, self, weight);
                winograd::gather(isa, &Geometry::forward(self), &transformed, self, x)
            }
            Implementation::Bf16 => bf16::forward(Bf16Unit::best(), self, x, weight),
        }
    }

    /// [`RegionConv3d::backward_data`] with the caller's choice of algorithm and instruction set.
    ///
    /// # Panics
    /// As there, and if the algorithm does not support the shape.
    #[doc(hidden)]
    pub fn backward_data_with(
        &self,
        algorithm: Algorithm,
        isa: Isa,
        weight: &[f32],
        grad: &[f32],
    ) -> Vec<f32> {
        self.check_supported(algorithm);
        self.check_weight(weight);
        self.check_grad(grad);
        match algorithm.implementation(self) {
            Implementation::Direct => direct::backward_data(isa, self, weight, grad),
            Implementation::Pixels => pixels::backward_data(isa, self, weight, grad),
            Implementation::Winograd(temporal) => {
                let transformed = TransformedWeights::backward(isa, temporal, self, weight);
                winograd::gather(isa, &Geometry::backward(self), &transformed, self, grad)
            }
            Implementation::Bf16 => bf16::backward_data(Bf16Unit::best(), self, weight, grad),
        }
    }

    /// [`RegionConv3d::backward_weight`] with the caller's choice of algorithm and instruction set.
    ///
    /// # Panics
    /// As there, and if the algorithm does not support the shape.
    #[doc(hidden)]
    pub fn backward_weight_with(
        &self,
        algorithm: Algorithm,
        isa: Isa,
        x: &[f32],
        grad: &[f32],
    ) -> Vec<f32> {
        self.check_supported(algorithm);
        self.check_x(x);
        self.check_grad(grad);
        match algorithm.implementation(self) {
            Implementation::Direct => direct::backward_weight(isa, self, x, grad),
            Implementation::Pixels => {
                pixels::backward_weight(isa, self, x, OutputGradient::Plain(grad))
            }
            Implementation::Winograd(temporal) => {
                winograd::backward_weight(isa, temporal, self, x, grad)
            }
            Implementation::Bf16 => bf16::backward_weight(Bf16Unit::best(), self, x, grad),
        }
    }

    /// The same convolution without regions, as a global branch computes it.
    pub(crate) fn without_labels(&self) -> RegionConv3d<'static> {
        let Self {
            sequences,
            in_channels,
            out_channels,
            frames,
            height,
            width,
            kernel,
            temporal_stride,
            temporal_padding,
            precision,
            labels: _,
        } = *self;
        RegionConv3d {
            sequences,
            in_channels,
            out_channels,
            frames,
            height,
            width,
            kernel,
            temporal_stride,
            temporal_padding,
            precision,
            labels: None,
        }
    }

    fn check_supported(&self, algorithm: Algorithm) {
        assert!(
            algorithm.supports(self),
            "{algorithm:?} does not support the kernel {:?}",
            self.kernel
        );
    }

    pub(crate) fn pixels(&self) -> usize {
        self.height * self.width
    }

    pub(crate) fn input_len(&self) -> usize {
        self.sequences * self.in_channels * self.frames * self.pixels()
    }

    pub(crate) fn output_len(&self) -> usize {
        self.sequences * self.out_channels * self.frames_out() * self.pixels()
    }

    pub(crate) fn weight_len(&self) -> usize {
        self.out_channels * self.in_channels * self.kernel.iter().product::<usize>()
    }

    pub(crate) fn check_x(&self, x: &[f32]) {
        self.check_shape();
        assert_eq!(x.len(), self.input_len(), "length of the input [n, ci, t, h, w]");
    }

    pub(crate) fn check_weight(&self, weight: &[f32]) {
        self.check_shape();
        assert_eq!(weight.len(), self.weight_len(), "length of the weight [co, ci, kt, kh, kw]");
    }

    pub(crate) fn check_grad(&self, grad: &[f32]) {
        self.check_shape();
        assert_eq!(grad.len(), self.output_len(), "length of the gradient [n, co, t_out, h, w]");
    }

    fn check_shape(&self) {
        if let Err(error) = self.validate() {
            panic!("{error}");
        }
    }
}

/// Most values that a shape may stand for. It leaves room for everything that the kernels derive
/// from one: padded channels (16 for 1), 36 points for 9 taps, two branches, four bytes a value.
/// So no size overflows, which the unchecked accesses rely on.
const MOST_VALUES: usize = usize::MAX >> 15;

/// Whether the product of the dimensions, none counted as less than one, is allowed.
fn is_small(dimensions: &[usize]) -> bool {
    let product = dimensions.iter().try_fold(1usize, |product, &d| product.checked_mul(d.max(1)));
    product.is_some_and(|product| product <= MOST_VALUES)
}

/// Why a [`RegionConv3d`] describes no convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// Frames, rows and columns of a kernel that has no frame or no middle pixel.
    #[error("kernel {0:?}: expected at least one frame and odd numbers of rows and columns")]
    Kernel([usize; 3]),
    /// The temporal stride is 0.
    #[error("temporal stride 0: expected at least 1")]
    TemporalStride,
    /// The label map does not cover the frame.
    #[error("{labels} labels for {pixels} pixels")]
    Labels {
        /// Pixels of a frame.
        pixels: usize,
        /// Labels given.
        labels: usize,
    },
    /// The input, the output or the weight has more values than memory can be addressed for.
    #[error("the shape is too large for this machine")]
    TooLarge,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_shapes_are_named() {
        let p = RegionConv3d::same(1, 2, 3, [4, 5, 6]);
        let error = |p: RegionConv3d| p.validate().unwrap_err();
        assert_eq!(p.validate(), Ok(()));
        for kernel in [[0, 3, 3], [3, 2, 3], [3, 3, 0]] {
            assert_eq!(error(RegionConv3d { kernel, ..p }), ShapeError::Kernel(kernel));
        }
        let error_of_stride = error(RegionConv3d { temporal_stride: 0, ..p });
        assert_eq!(error_of_stride, ShapeError::TemporalStride);
        let error_of_labels = error(RegionConv3d { labels: Some(&[0; 29]), ..p });
        assert_eq!(error_of_labels, ShapeError::Labels { pixels: 30, labels: 29 });
    }

    /// Without a check the product wraps around to 0, which an empty slice would match.
    #[test]
    fn shapes_whose_size_overflows_are_refused() {
        let half = 1 << (usize::BITS / 2);
        let p = RegionConv3d::same(1, 2, 3, [4, 5, 6]);
        for shape in [
            RegionConv3d { sequences: half, frames: half, ..p },
            RegionConv3d { in_channels: half, out_channels: half, ..p },
            RegionConv3d { sequences: 0, height: half, width: half, ..p },
            RegionConv3d { temporal_padding: usize::MAX, ..p },
            RegionConv3d { kernel: [usize::MAX, 1, 1], ..p },
        ] {
            assert_eq!(shape.validate(), Err(ShapeError::TooLarge), "{shape:?}");
        }
    }
}
