//! The region-restricted convolution and what is fused with it, as an extension of Burn's backends.
//!
//! One primitive (section 3 of the design): `y[q] = sum over taps d of W[d] x[q + d]` where
//! `label[q + d] == label[q]`. On the CPU (Flex) it runs on the kernels of `gait-kernels`; every
//! other device uses the default bodies of plain Burn operations in [`plain`], which are also the
//! oracle of the tests here. Gradients are written by hand in `autodiff`.

mod autodiff;
pub(crate) mod elementwise;
mod flex;
pub mod plain;
mod precision;
#[cfg(test)]
mod tests;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;
pub use gait_kernels::Join;

use crate::mask::Regions;

/// Slope of the leaky ReLU below zero.
pub const SLOPE: f32 = 0.01;

/// A bias-free convolution; spatially of stride 1 with same padding (odd kernel sizes).
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
}

/// What the network asks of a backend. The defaults are plain Burn operations.
#[backend_extension(Flex, Cube: cfg(any(feature = "vulkan", feature = "cuda")), Autodiff)]
pub trait RegionOps: Backend {
    /// See [`region_conv3d`].
    fn region_conv3d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        conv: RegionConv,
    ) -> FloatTensor<Self> {
        plain::forward::<Self>(x, weight, &conv)
    }

    /// Gradient by the input `[n, ci, t, h, w]` from the one by the convolution (before the leaky ReLU).
    fn region_conv3d_backward_data(
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        conv: RegionConv,
        input: [usize; 5],
    ) -> FloatTensor<Self> {
        plain::backward_data::<Self>(&weight, grad, &conv, input)
    }

    /// Gradient by the weight `[co, ci, kt, kh, kw]` from the one by the convolution.
    fn region_conv3d_backward_weight(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        conv: RegionConv,
        weight: [usize; 5],
    ) -> FloatTensor<Self> {
        plain::backward_weight::<Self>(x, grad, &conv, weight)
    }

    /// Gradient by the input of a leaky ReLU, from its output and the gradient by that.
    fn leaky_backward(output: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        plain::leaky_backward::<Self>(output, grad)
    }

    /// See [`global_local`].
    fn global_local(
        x: FloatTensor<Self>,
        global: FloatTensor<Self>,
        local: FloatTensor<Self>,
        regions: Option<Regions>,
        join: Join,
    ) -> FloatTensor<Self> {
        plain::global_local::<Self>(x, global, local, regions, join).0
    }

    /// [`global_local`] and which values of its branches were positive, coded as the backend likes.
    fn global_local_with_signs(
        x: FloatTensor<Self>,
        global: FloatTensor<Self>,
        local: FloatTensor<Self>,
        regions: Option<Regions>,
        join: Join,
    ) -> (FloatTensor<Self>, IntTensor<Self>) {
        plain::global_local::<Self>(x, global, local, regions, join)
    }

    /// Gradients of [`global_local`] by the global weight, the local weight and, if `wants_x`, the
    /// input, from the signs and the gradient by the output.
    fn global_local_backward(
        x: FloatTensor<Self>,
        global: FloatTensor<Self>,
        local: FloatTensor<Self>,
        layer: (Option<Regions>, Join),
        signs: IntTensor<Self>,
        grad: FloatTensor<Self>,
        wants_x: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, Option<FloatTensor<Self>>) {
        plain::global_local_backward::<Self>([x, global, local], layer, signs, grad, wants_x)
    }

    /// See [`spatial_max_pool`].
    fn spatial_max_pool(x: FloatTensor<Self>) -> FloatTensor<Self> {
        plain::spatial_max_pool::<Self>(x)
    }

    /// [`spatial_max_pool`] and which element of each 2 x 2 block was taken.
    fn spatial_max_pool_with_choice(x: FloatTensor<Self>) -> (FloatTensor<Self>, IntTensor<Self>) {
        plain::spatial_max_pool_with_choice::<Self>(x)
    }

    /// Gradient by the input `[n, c, t, h, w]` of [`spatial_max_pool`].
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

    /// [`max_over_time`] and the frame that each value was taken from.
    fn max_over_time_with_frames(x: FloatTensor<Self>) -> (FloatTensor<Self>, IntTensor<Self>) {
        plain::max_over_time::<Self>(x)
    }

    /// Gradient by the input `[n, c, t, h, w]` of [`max_over_time`].
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

/// The convolution of `x` `[n, ci, t, h, w]` with `weight` `[co, ci, kt, kh, kw]`, restricted to
/// regions: `[n, co, t', h, w]` with `t' = (t + 2 padding - kt) / stride + 1`.
///
/// The caller has checked the shapes.
pub fn region_conv3d(x: Tensor<5>, weight: Tensor<5>, conv: &RegionConv) -> Tensor<5> {
    let y = Dispatch::region_conv3d(x.into_dispatch(), weight.into_dispatch(), conv.clone());
    Tensor::from_dispatch(y)
}

/// A global-local layer (Eqn. 2 and 3): `leaky(global(x))` and `leaky(local(x))`, the local branch
/// restricted to `regions`, both of stride 1 with same padding, joined.
///
/// `x` is `[n, ci, t, h, w]`, the weights `[co, ci, kt, kh, kw]`, the result `[n, co, t, h, w]` or,
/// stacked, `[n, co, t, 2 h, w]`. The caller has checked the shapes.
pub fn global_local(
    x: Tensor<5>,
    global: Tensor<5>,
    local: Tensor<5>,
    regions: Option<Regions>,
    join: Join,
) -> Tensor<5> {
    let (global, local) = (global.into_dispatch(), local.into_dispatch());
    Tensor::from_dispatch(Dispatch::global_local(x.into_dispatch(), global, local, regions, join))
}

/// Max over 1 x 2 x 2 (SP): `[n, c, t, h, w]` to `[n, c, t, h / 2, w / 2]`; a last odd row or column
/// is dropped. On ties the first of a block, row by row, gets the gradient.
pub fn spatial_max_pool(x: Tensor<5>) -> Tensor<5> {
    Tensor::from_dispatch(Dispatch::spatial_max_pool(x.into_dispatch()))
}

/// Max over frames: `[n, c, t, h, w]` to `[n, c, h, w]`. On ties the first frame gets the gradient.
pub fn max_over_time(x: Tensor<5>) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::max_over_time(x.into_dispatch()))
}
