//! The description of one convolution and its three entry points.

use crate::direct;
use crate::geometry::Geometry;
use crate::path::Path;
use crate::pixels::{self, OutputGradient};
use crate::simd::Isa;
use crate::winograd::{self, TransformedWeights};

/// Region-restricted convolution over `[n, ci, t, h, w]` with weight `[co, ci, kt, kh, kw]`.
///
/// Rows and columns have stride 1 and same padding (`kh` and `kw` odd); there is no bias. All
/// slices are row-major. Lengths are checked; a wrong one panics and names the slice.
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
    /// Region of each pixel, `[h * w]`, the same for all frames; `None` is one region.
    pub labels: Option<&'a [i32]>,
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
            labels: None,
        }
    }

    /// Frames of the output, `(t + 2 * padding - kt) / stride + 1`; 0 where the kernel is longer
    /// than the padded sequence.
    pub fn frames_out(&self) -> usize {
        let padded = self.frames + 2 * self.temporal_padding;
        match padded.checked_sub(self.kernel[0]) {
            Some(rest) => rest / self.temporal_stride + 1,
            None => 0,
        }
    }

    /// The output `[n, co, t_out, h, w]`.
    ///
    /// # Panics
    /// If a slice has the wrong length or the kernel's rows or columns are even.
    pub fn forward(&self, x: &[f32], weight: &[f32]) -> Vec<f32> {
        self.check_shape();
        self.forward_by(Path::of(self), Isa::best(), x, weight)
    }

    /// The gradient `[n, ci, t, h, w]` of the input, from the gradient of the output.
    ///
    /// # Panics
    /// If a slice has the wrong length or the kernel's rows or columns are even.
    pub fn backward_data(&self, weight: &[f32], grad: &[f32]) -> Vec<f32> {
        self.check_shape();
        self.backward_data_by(Path::of(self), Isa::best(), weight, grad)
    }

    /// The gradient `[co, ci, kt, kh, kw]` of the weight, from the gradient of the output.
    ///
    /// # Panics
    /// If a slice has the wrong length or the kernel's rows or columns are even.
    pub fn backward_weight(&self, x: &[f32], grad: &[f32]) -> Vec<f32> {
        self.check_shape();
        self.backward_weight_by(Path::of(self), Isa::best(), x, grad)
    }

    /// [`RegionConv3d::forward`] on a path and an instruction set of the caller's choice, for
    /// tests and benches.
    ///
    /// # Panics
    /// As there, and if the path does not serve the shape or the machine lacks the instructions.
    #[doc(hidden)]
    pub fn forward_by(&self, path: Path, isa: Isa, x: &[f32], weight: &[f32]) -> Vec<f32> {
        self.check_by(path, isa);
        self.check_x(x);
        self.check_weight(weight);
        let Some(temporal) = path.temporal(self) else {
            return match path {
                Path::Pixels => pixels::forward(isa, self, x, weight),
                _ => direct::forward(isa, self, x, weight),
            };
        };
        let transformed = TransformedWeights::forward(isa, temporal, self, weight);
        winograd::gather(isa, &Geometry::forward(self), &transformed, self, x)
    }

    /// [`RegionConv3d::backward_data`] on a path and an instruction set of the caller's choice.
    ///
    /// # Panics
    /// As there, and if the path does not serve the shape or the machine lacks the instructions.
    #[doc(hidden)]
    pub fn backward_data_by(&self, path: Path, isa: Isa, weight: &[f32], grad: &[f32]) -> Vec<f32> {
        self.check_by(path, isa);
        self.check_weight(weight);
        self.check_grad(grad);
        let Some(temporal) = path.temporal(self) else {
            return match path {
                Path::Pixels => pixels::backward_data(isa, self, weight, grad),
                _ => direct::backward_data(isa, self, weight, grad),
            };
        };
        let transformed = TransformedWeights::backward(isa, temporal, self, weight);
        winograd::gather(isa, &Geometry::backward(self), &transformed, self, grad)
    }

    /// [`RegionConv3d::backward_weight`] on a path and an instruction set of the caller's choice.
    ///
    /// # Panics
    /// As there, and if the path does not serve the shape or the machine lacks the instructions.
    #[doc(hidden)]
    pub fn backward_weight_by(&self, path: Path, isa: Isa, x: &[f32], grad: &[f32]) -> Vec<f32> {
        self.check_by(path, isa);
        self.check_x(x);
        self.check_grad(grad);
        match path.temporal(self) {
            Some(temporal) => winograd::backward_weight(isa, temporal, self, x, grad),
            None if path == Path::Pixels => {
                pixels::backward_weight(isa, self, x, OutputGradient::Plain(grad))
            }
            None => direct::backward_weight(isa, self, x, grad),
        }
    }

    fn check_by(&self, path: Path, isa: Isa) {
        assert!(Isa::available().contains(&isa), "{isa:?} is not on this machine");
        assert!(path.serves(self), "{path:?} does not serve kernel {:?}", self.kernel);
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
        let [kt, kh, kw] = self.kernel;
        assert!(
            kt > 0 && kh % 2 == 1 && kw % 2 == 1,
            "kernel {:?}: rows and columns must be odd",
            self.kernel
        );
        assert!(self.temporal_stride > 0, "the temporal stride must be positive");
        if let Some(labels) = self.labels {
            assert_eq!(labels.len(), self.pixels(), "length of the labels [h, w]");
        }
    }
}
