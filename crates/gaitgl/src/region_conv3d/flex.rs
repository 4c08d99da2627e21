//! [`RegionOps`] on the CPU: the kernels of `gait-kernels` on the tensors' own memory. Tensors that
//! are not f32 take the plain operations.

use burn::backend::Flex;
use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, TensorData};
use gait_kernels::RegionConv3d;

use super::{Join, RegionConv, RegionOps, elementwise, plain};
use crate::mask::Regions;

impl RegionOps for Flex {
    fn region_conv3d(x: FlexTensor, weight: FlexTensor, conv: RegionConv) -> FlexTensor {
        if !all_f32(&[&x, &weight]) {
            return plain::forward::<Self>(x, weight, &conv);
        }
        let problem = problem(x.shape().dims(), weight.shape().dims(), &conv);
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        let mut y = problem.forward(x.storage(), weight.storage());
        if conv.leaky {
            elementwise::leaky_in_place(&mut y);
        }
        tensor(y, output_shape(&problem))
    }

    fn region_conv3d_backward_data(
        weight: FlexTensor,
        grad: FlexTensor,
        conv: RegionConv,
        input: [usize; 5],
    ) -> FlexTensor {
        if !all_f32(&[&weight, &grad]) {
            return plain::backward_data::<Self>(weight, grad, &conv, input);
        }
        let problem = problem(input, weight.shape().dims(), &conv);
        let (weight, grad) = (weight.to_contiguous(), grad.to_contiguous());
        tensor(problem.backward_data(weight.storage(), grad.storage()), input)
    }

    fn region_conv3d_backward_weight(
        x: FlexTensor,
        grad: FlexTensor,
        conv: RegionConv,
        weight: [usize; 5],
    ) -> FlexTensor {
        if !all_f32(&[&x, &grad]) {
            return plain::backward_weight::<Self>(x, grad, &conv, weight);
        }
        let problem = problem(x.shape().dims(), weight, &conv);
        let (x, grad) = (x.to_contiguous(), grad.to_contiguous());
        tensor(problem.backward_weight(x.storage(), grad.storage()), weight)
    }

    fn leaky_backward(output: FlexTensor, grad: FlexTensor) -> FlexTensor {
        if !all_f32(&[&output, &grad]) {
            return plain::leaky_backward::<Self>(output, grad);
        }
        let shape: [usize; 5] = grad.shape().dims();
        let (output, grad) = (output.to_contiguous(), grad.to_contiguous());
        tensor(elementwise::leaky_backward(output.storage(), grad.storage()), shape)
    }

    fn global_local(
        x: FlexTensor,
        global: FlexTensor,
        local: FlexTensor,
        regions: Option<Regions>,
        join: Join,
    ) -> FlexTensor {
        if !all_f32(&[&x, &global, &local]) {
            return plain::global_local::<Self>(x, global, local, regions, join).0;
        }
        let (mut g, l, shape) = branches(&x, &global, &local, regions);
        match join {
            Join::Sum => {
                elementwise::sum_in_place(&mut g, &l);
                tensor(g, shape)
            }
            Join::Stack => tensor(elementwise::stack(&g, &l, plane(shape)), stacked(shape)),
        }
    }

    fn global_local_with_signs(
        x: FlexTensor,
        global: FlexTensor,
        local: FlexTensor,
        regions: Option<Regions>,
        join: Join,
    ) -> (FlexTensor, FlexTensor) {
        if !all_f32(&[&x, &global, &local]) {
            return plain::global_local::<Self>(x, global, local, regions, join);
        }
        let (mut g, l, shape) = branches(&x, &global, &local, regions);
        match join {
            Join::Sum => {
                let signs = elementwise::sum_with_signs(&mut g, &l);
                (tensor(g, shape), codes(signs, shape))
            }
            Join::Stack => {
                let y = elementwise::stack(&g, &l, plane(shape));
                let signs = elementwise::signs(&y);
                (tensor(y, stacked(shape)), codes(signs, stacked(shape)))
            }
        }
    }

    fn global_local_backward(
        grad: FlexTensor,
        signs: FlexTensor,
        join: Join,
    ) -> (FlexTensor, FlexTensor) {
        if !all_f32(&[&grad]) || signs.dtype() != DType::U8 {
            return plain::global_local_backward::<Self>(grad, signs, join);
        }
        let mut shape: [usize; 5] = grad.shape().dims();
        let grad = grad.to_contiguous();
        let (global, local) = match join {
            Join::Sum => elementwise::sum_backward(grad.storage(), signs.storage()),
            Join::Stack => {
                shape[3] /= 2;
                elementwise::stack_backward(grad.storage(), signs.storage(), plane(shape))
            }
        };
        (tensor(global, shape), tensor(local, shape))
    }

    fn spatial_max_pool(x: FlexTensor) -> FlexTensor {
        Self::spatial_max_pool_with_choice(x).0
    }

    fn spatial_max_pool_with_choice(x: FlexTensor) -> (FlexTensor, FlexTensor) {
        if !all_f32(&[&x]) {
            return plain::spatial_max_pool_with_choice::<Self>(x);
        }
        let [n, c, t, h, w] = x.shape().dims();
        let x = x.to_contiguous();
        let (pooled, choice) = elementwise::pool(x.storage(), h, w);
        let shape = [n, c, t, h / 2, w / 2];
        (tensor(pooled, shape), codes(choice, shape))
    }

    fn spatial_max_pool_backward(
        grad: FlexTensor,
        choice: FlexTensor,
        input: [usize; 5],
    ) -> FlexTensor {
        if !all_f32(&[&grad]) || choice.dtype() != DType::U8 {
            return plain::spatial_max_pool_backward::<Self>(grad, choice, input);
        }
        let grad = grad.to_contiguous();
        let [.., h, w] = input;
        tensor(elementwise::pool_backward(grad.storage(), choice.storage(), h, w), input)
    }

    fn max_over_time(x: FlexTensor) -> FlexTensor {
        Self::max_over_time_with_frames(x).0
    }

    fn max_over_time_with_frames(x: FlexTensor) -> (FlexTensor, FlexTensor) {
        if !all_f32(&[&x]) {
            return plain::max_over_time::<Self>(x);
        }
        let [n, c, t, h, w] = x.shape().dims();
        let x = x.to_contiguous();
        let (highest, frames) = elementwise::max_over_time(x.storage(), t, h * w);
        let shape = [n, c, h, w];
        let frames = FlexTensor::from_data(TensorData::new(frames, [n, c, 1, h, w]));
        (FlexTensor::from_data(TensorData::new(highest, shape)), frames)
    }

    fn max_over_time_backward(
        grad: FlexTensor,
        frames: FlexTensor,
        input: [usize; 5],
    ) -> FlexTensor {
        if !all_f32(&[&grad]) || frames.dtype() != DType::I32 {
            return plain::max_over_time_backward::<Self>(grad, frames, input);
        }
        let (grad, [.., t, h, w]) = (grad.to_contiguous(), input);
        let (grad, frames) = (grad.storage(), frames.storage());
        tensor(elementwise::max_over_time_backward(grad, frames, t, h * w), input)
    }
}

/// The two convolutions `[n, co, t, h, w]` of a global-local layer, before the leaky ReLU.
fn branches(
    x: &FlexTensor,
    global: &FlexTensor,
    local: &FlexTensor,
    regions: Option<Regions>,
) -> (Vec<f32>, Vec<f32>, [usize; 5]) {
    let (input, kernel): ([usize; 5], [usize; 5]) = (x.shape().dims(), global.shape().dims());
    let conv = |regions| RegionConv { stride: 1, padding: kernel[2] / 2, regions, leaky: false };
    let (everywhere, within) = (conv(None), conv(regions));
    let whole = problem(input, kernel, &everywhere);
    let (x, global, local) = (x.to_contiguous(), global.to_contiguous(), local.to_contiguous());
    let g = whole.forward(x.storage(), global.storage());
    let l = problem(input, kernel, &within).forward(x.storage(), local.storage());
    (g, l, output_shape(&whole))
}

fn problem(input: [usize; 5], weight: [usize; 5], conv: &RegionConv) -> RegionConv3d<'_> {
    let [sequences, in_channels, frames, height, width] = input;
    let [out_channels, _, kt, kh, kw] = weight;
    RegionConv3d {
        sequences,
        in_channels,
        out_channels,
        frames,
        height,
        width,
        kernel: [kt, kh, kw],
        temporal_stride: conv.stride,
        temporal_padding: conv.padding,
        labels: conv.regions.as_ref().map(Regions::labels),
    }
}

fn output_shape(problem: &RegionConv3d) -> [usize; 5] {
    let frames = problem.frames_out();
    [problem.sequences, problem.out_channels, frames, problem.height, problem.width]
}

fn plane(shape: [usize; 5]) -> usize {
    shape[3] * shape[4]
}

fn stacked([n, c, t, h, w]: [usize; 5]) -> [usize; 5] {
    [n, c, t, 2 * h, w]
}

fn all_f32(tensors: &[&FlexTensor]) -> bool {
    tensors.iter().all(|tensor| tensor.dtype() == DType::F32)
}

fn tensor(values: Vec<f32>, shape: [usize; 5]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn codes(values: Vec<u8>, shape: [usize; 5]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}
