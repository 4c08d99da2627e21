//! The region-restricted convolution and what is fused with it, as an extension of Burn's backends.
//!
//! There is one primitive: `y[q] = sum over taps d of W[d] x[q + d]` where `label[q + d] ==
//! label[q]`. Everything that the paper calls local (Eqn. 5 and 6) is this with another label map.
//!
//! The CPU (Flex) runs the kernels of `gait-kernels`. Every other device runs the default bodies,
//! plain Burn operations in `plain`, against which the tests here check the CPU. The gradients are
//! written by hand in `autodiff`.

mod autodiff;
pub(crate) mod elementwise;
mod flex;
mod plain;
mod precision;
#[cfg(test)]
mod tests;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;
pub use gait_kernels::Join;
pub use gait_kernels::Precision as Operands;

use crate::mask::Regions;

/// Slope of the leaky ReLU below zero.
pub(crate) const SLOPE: f32 = 0.01;

/// A convolution without bias; over rows and columns it has stride 1 and same padding (odd kernel
/// sizes).
#[derive(Clone, Debug, PartialEq)]
pub struct RegionConv {
    /// Stride over frames.
    pub stride: usize,
    /// Zero frames on either side.
    pub padding: usize,
    /// Regions that no tap crosses; `None` is one region, the plain convolution.
    pub regions: Option<Regions>,
    /// Whether a leaky ReLU follows.
    pub leaky: bool,
    /// How the kernels of the CPU round operands. Other devices compute in their tensors' type.
    pub operands: Operands,
}

/// What a global-local layer does beyond its weights. Both convolutions have stride 1 and same
/// padding.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GlobalLocalConv {
    /// Regions that restrict the local convolution; `None` is one region.
    pub regions: Option<Regions>,
    /// How the branches become one map.
    pub join: Join,
    /// As in [`RegionConv`].
    pub operands: Operands,
}

/// The operations of the network on a backend. The defaults are plain Burn operations.
#[backend_extension(Flex, Cube: cfg(any(feature = "vulkan", feature = "cuda")), Autodiff)]
pub(crate) trait RegionOps: Backend {
    /// See [`region_conv3d`].
    fn region_conv3d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        conv: RegionConv,
    ) -> FloatTensor<Self> {
        plain::forward::<Self>(x, weight, &conv)
    }

    /// Gradient with respect to the input `[n, ci, t, h, w]`, given the gradient with respect to the
    /// output of the convolution (before the leaky ReLU).
    fn region_conv3d_backward_data(
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        conv: RegionConv,
        input: [usize; 5],
    ) -> FloatTensor<Self> {
        plain::backward_data::<Self>(&weight, grad, &conv, input)
    }

    /// Gradient with respect to the weight `[co, ci, kt, kh, kw]`, given the gradient with respect to
    /// the output of the convolution (before the leaky ReLU).
    fn region_conv3d_backward_weight(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        conv: RegionConv,
        weight: [usize; 5],
    ) -> FloatTensor<Self> {
        plain::backward_weight::<Self>(x, grad, &conv, weight)
    }

    /// Gradient with respect to the input of a leaky ReLU, given its output and the gradient with
    /// respect to the output.
    fn leaky_backward(output: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        plain::leaky_backward::<Self>(output, grad)
    }

    /// See [`global_local`].
    fn global_local(
        x: FloatTensor<Self>,
        global: FloatTensor<Self>,
        local: FloatTensor<Self>,
        layer: GlobalLocalConv,
    ) -> FloatTensor<Self> {
        plain::global_local::<Self>(x, global, local, &layer).0
    }

    /// [`global_local`], and which values of its branches were positive, in the backend's own code.
    fn global_local_with_signs(
        x: FloatTensor<Self>,
        global: FloatTensor<Self>,
        local: FloatTensor<Self>,
        layer: GlobalLocalConv,
    ) -> (FloatTensor<Self>, IntTensor<Self>) {
        plain::global_local::<Self>(x, global, local, &layer)
    }

    /// Gradients of [`global_local`] with respect to the global weight, the local weight and, if
    /// `wants_x`, the input, given the signs and the gradient with respect to the output.
    fn global_local_backward(
        x: FloatTensor<Self>,
        global: FloatTensor<Self>,
        local: FloatTensor<Self>,
        layer: GlobalLocalConv,
        signs: IntTensor<Self>,
        grad: FloatTensor<Self>,
        wants_x: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, Option<FloatTensor<Self>>) {
        plain::global_local_backward::<Self>([x, global, local], &layer, signs, grad, wants_x)
    }

    /// See [`spatial_max_pool`].
    fn spatial_max_pool(x: FloatTensor<Self>) -> FloatTensor<Self> {
        plain::spatial_max_pool::<Self>(x)
    }

    /// [`spatial_max_pool`], and which element of each 2 x 2 block is the maximum.
    fn spatial_max_pool_with_choice(x: FloatTensor<Self>) -> (FloatTensor<Self>, IntTensor<Self>) {
        plain::spatial_max_pool_with_choice::<Self>(x)
    }

    /// Gradient with respect to the input `[n, c, t, h, w]` of [`spatial_max_pool`].
    fn spatial_max_pool_backward(
        grad: FloatTensor<Self>,
        choice: IntTensor<Self>,
        input: [usize; 5],
    ) -> FloatTensor<Self> {
        plain::spatial_max_pool_backward::<Self>(grad, choice, input)
    }

    /// See [`max_over_time`].
    fn max_over_time(x: FloatTensor<Self>) -> FloatTensor<Self> {
        plain::max_over_time::<Self>(x).0
    }

    /// [`max_over_time`], and the frame of each maximum.
    fn max_over_time_with_frames(x: FloatTensor<Self>) -> (FloatTensor<Self>, IntTensor<Self>) {
        plain::max_over_time::<Self>(x)
    }

    /// Gradient with respect to the input `[n, c, t, h, w]` of [`max_over_time`].
    fn max_over_time_backward(
        grad: FloatTensor<Self>,
        frames: IntTensor<Self>,
        input: [usize; 5],
    ) -> FloatTensor<Self> {
        plain::max_over_time_backward::<Self>(grad, frames, input)
    }
}

#[cfg(any(feature = "vulkan", feature = "cuda"))]
impl RegionOps for burn::backend::Cube {}

/// The convolution of `x` with `weight`, restricted to regions, and its leaky ReLU if it has one.
/// The caller has checked the shapes.
///
/// # Shapes
/// - x: `[n, ci, t, h, w]`
/// - weight: `[co, ci, kt, kh, kw]`
/// - result: `[n, co, t', h, w]`, `t' = (t + 2 padding - kt) / stride + 1`
pub fn region_conv3d(x: Tensor<5>, weight: Tensor<5>, conv: &RegionConv) -> Tensor<5> {
    let y = Dispatch::region_conv3d(x.into_dispatch(), weight.into_dispatch(), conv.clone());
    Tensor::from_dispatch(y)
}

/// A global-local layer (Eqn. 2 and 3): `leaky(global(x))` and `leaky(local(x))`, joined. The caller
/// has checked the shapes.
///
/// # Shapes
/// - x: `[n, ci, t, h, w]`
/// - global, local: `[co, ci, kt, kh, kw]`
/// - result: `[n, co, t, h, w]`; stacked `[n, co, t, 2 h, w]`
pub(crate) fn global_local(
    x: Tensor<5>,
    global: Tensor<5>,
    local: Tensor<5>,
    layer: GlobalLocalConv,
) -> Tensor<5> {
    let global = global.into_dispatch();
    let local = local.into_dispatch();
    Tensor::from_dispatch(Dispatch::global_local(x.into_dispatch(), global, local, layer))
}

/// Spatial pooling, max over 1 x 2 x 2: `[n, c, t, h, w]` to `[n, c, t, h / 2, w / 2]`; a last odd
/// row or column is dropped. Of equal values the first in a block, row by row, gets the gradient.
pub fn spatial_max_pool(x: Tensor<5>) -> Tensor<5> {
    Tensor::from_dispatch(Dispatch::spatial_max_pool(x.into_dispatch()))
}

/// Max over frames (Eqn. 7): `[n, c, t, h, w]` to `[n, c, h, w]`. Of equal values the first frame
/// gets the gradient.
pub(crate) fn max_over_time(x: Tensor<5>) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::max_over_time(x.into_dispatch()))
}
