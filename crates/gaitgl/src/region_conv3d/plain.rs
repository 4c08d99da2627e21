//! The operations of [`RegionOps`](super::RegionOps) as plain Burn operations, for any backend. GPUs
//! run them, and the tests compare the CPU kernels with them.

use burn::backend::tensor::{BoolTensor, Device, FloatTensor, IntTensor};
use burn::backend::{Backend, Scalar, Slice, TensorMetadata, get_device_settings};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{DType, IndexingUpdateOp, Shape, TensorData};

use super::{GlobalLocalConv, Join, RegionConv, SLOPE};
use crate::mask::Regions;

/// Axis of the rows.
const ROWS: usize = 3;

/// Kernel and stride of spatial pooling.
const BLOCK: [usize; 2] = [2, 2];
const NO_PADDING: [usize; 2] = [0, 0];
const NO_DILATION: [usize; 2] = [1, 1];

/// The convolution; with regions, each is convolved by itself.
pub fn forward<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    conv: &RegionConv,
) -> FloatTensor<B> {
    let options = options(&weight.shape(), conv);
    let y = match &conv.regions {
        None => B::conv3d(x, weight, None, options),
        Some(regions) => {
            let each = |part| B::conv3d(part, weight.clone(), None, options.clone());
            for_each_region::<B>(&x, regions, each)
        }
    };
    if conv.leaky { leaky::<B>(y) } else { y }
}

/// Gradient with respect to the input, which has the shape `input`.
pub fn backward_data<B: Backend>(
    weight: &FloatTensor<B>,
    grad: FloatTensor<B>,
    conv: &RegionConv,
    input: [usize; 5],
) -> FloatTensor<B> {
    let options = options(&weight.shape(), conv);
    let each = |grad: FloatTensor<B>| {
        // Burn takes the input, but uses only its shape.
        let mut shape = input;
        shape[ROWS] = grad.shape()[ROWS];
        let x = B::float_empty(Shape::from(shape), &grad.device(), grad.dtype().into());
        B::conv3d_x_backward(x, weight.clone(), grad, options.clone())
    };
    match &conv.regions {
        None => each(grad),
        Some(regions) => for_each_region::<B>(&grad, regions, each),
    }
}

/// Gradient with respect to the weight, which has the shape `weight`.
pub fn backward_weight<B: Backend>(
    x: FloatTensor<B>,
    grad: FloatTensor<B>,
    conv: &RegionConv,
    weight: [usize; 5],
) -> FloatTensor<B> {
    let shape = Shape::from(weight);
    let options = options(&shape, conv);
    let empty = B::float_empty(shape, &grad.device(), grad.dtype().into());
    let each = |x, grad| B::conv3d_weight_backward(x, empty.clone(), grad, options.clone());
    let Some(regions) = &conv.regions else {
        return each(x, grad);
    };
    let parts = match regions.row_bands() {
        Some(bands) => bands
            .windows(2)
            .map(|b| each(rows::<B>(x.clone(), b[0], b[1]), rows::<B>(grad.clone(), b[0], b[1])))
            .collect::<Vec<_>>(),
        None => indicators::<B>(regions, &x.device(), x.dtype())
            .into_iter()
            .map(|mask| {
                let x = B::float_mul(x.clone(), mask.clone());
                each(x, B::float_mul(grad.clone(), mask))
            })
            .collect(),
    };
    sum::<B>(parts)
}

/// Leaky ReLU.
fn leaky<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::leaky_relu(x, Scalar::from(SLOPE))
}

/// `grad` where `output` is positive, elsewhere `SLOPE * grad`, as PyTorch has it.
pub fn leaky_backward<B: Backend>(output: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
    let positive = positive::<B>(output);
    leaky_gradient::<B>(positive, grad)
}

/// The joined branches, and their signs for each output element: of a sum 1 where the global branch
/// is positive plus 2 where the local one is, of a stack 1 where the element is positive.
pub fn global_local<B: Backend>(
    x: FloatTensor<B>,
    global: FloatTensor<B>,
    local: FloatTensor<B>,
    layer: &GlobalLocalConv,
) -> (FloatTensor<B>, IntTensor<B>) {
    let GlobalLocalConv { regions, join, operands } = layer.clone();
    let padding = global.shape()[2] / 2;
    let conv = |regions| RegionConv { stride: 1, padding, regions, leaky: true, operands };
    let g = forward::<B>(x.clone(), global, &conv(None));
    let l = forward::<B>(x, local, &conv(regions));
    let int_dtype = get_device_settings::<B>(&g.device()).int_dtype;
    let code = |x| B::bool_into_int(positive::<B>(x), int_dtype);
    match join {
        Join::Sum => {
            let twice = B::int_mul_scalar(code(l.clone()), Scalar::from(2));
            let signs = B::int_add(code(g.clone()), twice);
            (B::float_add(g, l), signs)
        }
        Join::Stack => {
            let y = B::float_cat(vec![g, l], ROWS);
            let signs = code(y.clone());
            (y, signs)
        }
    }
}

/// Gradients with respect to both weights and, if `wants_x`, the input.
pub fn global_local_backward<B: Backend>(
    [x, global, local]: [FloatTensor<B>; 3],
    layer: &GlobalLocalConv,
    signs: IntTensor<B>,
    grad: FloatTensor<B>,
    wants_x: bool,
) -> (FloatTensor<B>, FloatTensor<B>, Option<FloatTensor<B>>) {
    let input: [usize; 5] = x.shape().dims();
    let kernel: [usize; 5] = global.shape().dims();
    let GlobalLocalConv { regions, join, operands } = layer.clone();
    let padding = kernel[2] / 2;
    let conv = |regions| RegionConv { stride: 1, padding, regions, leaky: false, operands };
    let unrestricted = conv(None);
    let restricted = conv(regions);
    let (branch_global, branch_local) = branch_gradients::<B>(grad, signs, join);
    let grad_x = wants_x.then(|| {
        let through_global =
            backward_data::<B>(&global, branch_global.clone(), &unrestricted, input);
        let through_local = backward_data::<B>(&local, branch_local.clone(), &restricted, input);
        B::float_add(through_global, through_local)
    });
    let grad_global = backward_weight::<B>(x.clone(), branch_global, &unrestricted, kernel);
    let grad_local = backward_weight::<B>(x, branch_local, &restricted, kernel);
    (grad_global, grad_local, grad_x)
}

/// Gradients with respect to the outputs of the two convolutions, before their activation.
fn branch_gradients<B: Backend>(
    grad: FloatTensor<B>,
    signs: IntTensor<B>,
    join: Join,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let bool_dtype = get_device_settings::<B>(&grad.device()).bool_dtype;
    let above =
        |signs: IntTensor<B>, code: i32| B::int_greater_elem(signs, Scalar::from(code), bool_dtype);
    let is =
        |signs: IntTensor<B>, code: i32| B::int_equal_elem(signs, Scalar::from(code), bool_dtype);
    match join {
        Join::Sum => {
            let local = leaky_gradient::<B>(above(signs.clone(), 1), grad.clone());
            let either = B::bool_or(is(signs.clone(), 1), is(signs, 3));
            (leaky_gradient::<B>(either, grad), local)
        }
        Join::Stack => {
            let grad = leaky_gradient::<B>(above(signs, 0), grad);
            let height = grad.shape()[ROWS] / 2;
            let half = |from| rows::<B>(grad.clone(), from, from + height);
            (half(0), half(height))
        }
    }
}

/// Max over 1 x 2 x 2.
pub fn spatial_max_pool<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let [n, c, t, h, w] = x.shape().dims();
    let flat = B::float_reshape(x, Shape::from([n, c * t, h, w]));
    let y = B::max_pool2d(flat, BLOCK, BLOCK, NO_PADDING, NO_DILATION, false);
    B::float_reshape(y, Shape::from([n, c, t, h / 2, w / 2]))
}

/// Max over 1 x 2 x 2 with Burn's own indices `[n, c * t, h / 2, w / 2]`.
pub fn spatial_max_pool_with_choice<B: Backend>(
    x: FloatTensor<B>,
) -> (FloatTensor<B>, IntTensor<B>) {
    let [n, c, t, h, w] = x.shape().dims();
    let flat = B::float_reshape(x, Shape::from([n, c * t, h, w]));
    let int_dtype = get_device_settings::<B>(&flat.device()).int_dtype;
    let pooled =
        B::max_pool2d_with_indices(flat, BLOCK, BLOCK, NO_PADDING, NO_DILATION, false, int_dtype);
    (B::float_reshape(pooled.output, Shape::from([n, c, t, h / 2, w / 2])), pooled.indices)
}

/// Gradient with respect to the input, which has the shape `input`.
pub fn spatial_max_pool_backward<B: Backend>(
    grad: FloatTensor<B>,
    choice: IntTensor<B>,
    input: [usize; 5],
) -> FloatTensor<B> {
    let [n, c, t, h, w] = input;
    // Burn takes the input, but uses only its shape.
    let x = B::float_empty(Shape::from([n, c * t, h, w]), &grad.device(), grad.dtype().into());
    let grad = B::float_reshape(grad, Shape::from([n, c * t, h / 2, w / 2]));
    let back = B::max_pool2d_with_indices_backward(
        x,
        BLOCK,
        BLOCK,
        NO_PADDING,
        NO_DILATION,
        false,
        grad,
        choice,
    );
    B::float_reshape(back.x_grad, Shape::from(input))
}

/// Max over frames `[n, c, h, w]` and the frame of each maximum `[n, c, 1, h, w]`.
pub fn max_over_time<B: Backend>(x: FloatTensor<B>) -> (FloatTensor<B>, IntTensor<B>) {
    let [n, c, _, h, w] = x.shape().dims();
    let int_dtype = get_device_settings::<B>(&x.device()).int_dtype;
    let (y, frames) = B::float_max_dim_with_indices(x, 2, int_dtype);
    (B::float_reshape(y, Shape::from([n, c, h, w])), frames)
}

/// Gradient with respect to the input, which has the shape `input`.
pub fn max_over_time_backward<B: Backend>(
    grad: FloatTensor<B>,
    frames: IntTensor<B>,
    input: [usize; 5],
) -> FloatTensor<B> {
    let [n, c, _, h, w] = input;
    let zeros = B::float_zeros(Shape::from(input), &grad.device(), grad.dtype().into());
    let grad = B::float_reshape(grad, Shape::from([n, c, 1, h, w]));
    B::float_scatter(2, zeros, frames, grad, IndexingUpdateOp::Add)
}

fn options(weight: &Shape, conv: &RegionConv) -> ConvOptions<3> {
    let padding = [conv.padding, weight[3] / 2, weight[4] / 2];
    ConvOptions::new([conv.stride, 1, 1], padding, [1, 1, 1], 1)
}

/// Applies `each` to every region as if it were alone. Bands of rows are cut and joined, other
/// regions masked and summed.
fn for_each_region<B: Backend>(
    x: &FloatTensor<B>,
    regions: &Regions,
    each: impl Fn(FloatTensor<B>) -> FloatTensor<B>,
) -> FloatTensor<B> {
    if let Some(bands) = regions.row_bands() {
        let bands = bands.windows(2).map(|b| each(rows::<B>(x.clone(), b[0], b[1])));
        return B::float_cat(bands.collect(), ROWS);
    }
    let masks = indicators::<B>(regions, &x.device(), x.dtype()).into_iter();
    let parts = masks.map(|mask| {
        let y = each(B::float_mul(x.clone(), mask.clone()));
        B::float_mul(y, mask)
    });
    sum::<B>(parts.collect())
}

fn sum<B: Backend>(parts: Vec<FloatTensor<B>>) -> FloatTensor<B> {
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else {
        unreachable!("a label map has at least one pixel, so at least one region")
    };
    parts.fold(first, B::float_add)
}

/// One mask `[1, 1, 1, h, w]` for each region.
fn indicators<B: Backend>(
    regions: &Regions,
    device: &Device<B>,
    dtype: DType,
) -> Vec<FloatTensor<B>> {
    let shape = [1, 1, 1, regions.height(), regions.width()];
    let mask = |region| {
        let data = TensorData::new(regions.indicator(region), shape);
        let mask = B::float_from_data(data, device);
        if dtype == DType::F32 { mask } else { B::float_cast(mask, dtype.into()) }
    };
    regions.regions().into_iter().map(mask).collect()
}

fn rows<B: Backend>(x: FloatTensor<B>, from: usize, to: usize) -> FloatTensor<B> {
    let mut slices: Vec<Slice> = x.shape().iter().map(|&size| Slice::from(0..size)).collect();
    slices[ROWS] = Slice::from(from..to);
    B::float_slice(x, &slices)
}

fn positive<B: Backend>(x: FloatTensor<B>) -> BoolTensor<B> {
    let bool_dtype = get_device_settings::<B>(&x.device()).bool_dtype;
    B::float_greater_elem(x, Scalar::from(0.0f32), bool_dtype)
}

fn leaky_gradient<B: Backend>(positive: BoolTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
    let small = B::float_mul_scalar(grad.clone(), Scalar::from(SLOPE));
    B::float_mask_where(small, positive, grad)
}
