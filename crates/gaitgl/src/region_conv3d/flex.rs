//! [`RegionOps`] on the CPU: the kernels of `gait-kernels` on the tensors' own memory. Tensors that
//! are not f32 take the plain operations.

use burn::backend::Flex;
use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, TensorData};
use gait_kernels::{GlobalLocal, Maps, RegionConv3d};

use super::{GlobalLocalConv, Join, RegionConv, RegionOps, SLOPE, elementwise, plain};
use crate::mask::Regions;

impl RegionOps for Flex {
    fn region_conv3d(x: FlexTensor, weight: FlexTensor, conv: RegionConv) -> FlexTensor {
        if !all_f32(&[&x, &weight]) {
            return plain::forward::<Self>(x, weight, &conv);
        }
        let problem = problem(x.shape().dims(), weight.shape().dims(), &conv);
        let x = x.to_contiguous();
        let weight = weight.to_contiguous();
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
            return plain::backward_data::<Self>(&weight, grad, &conv, input);
        }
        let problem = problem(input, weight.shape().dims(), &conv);
        let weight = weight.to_contiguous();
        let grad = grad.to_contiguous();
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
        let x = x.to_contiguous();
        let grad = grad.to_contiguous();
        tensor(problem.backward_weight(x.storage(), grad.storage()), weight)
    }

    fn leaky_backward(output: FlexTensor, grad: FlexTensor) -> FlexTensor {
        if !all_f32(&[&output, &grad]) {
            return plain::leaky_backward::<Self>(output, grad);
        }
        let shape: [usize; 5] = grad.shape().dims();
        let output = output.to_contiguous();
        let grad = grad.to_contiguous();
        tensor(elementwise::leaky_backward(output.storage(), grad.storage()), shape)
    }

    fn global_local(
        x: FlexTensor,
        global: FlexTensor,
        local: FlexTensor,
        layer: GlobalLocalConv,
    ) -> FlexTensor {
        if !all_f32(&[&x, &global, &local]) {
            return plain::global_local::<Self>(x, global, local, &layer).0;
        }
        let shape = x.shape().dims();
        let join = layer.join;
        let conv = branch(global.shape().dims(), layer);
        let problem = problem(shape, global.shape().dims(), &conv);
        let (x, global, local) = (x.to_contiguous(), global.to_contiguous(), local.to_contiguous());
        let layer = GlobalLocal { problem, join, slope: SLOPE };
        let layer = layer.prepare(global.storage(), local.storage());
        let maps = layer.forward(Maps::new(shape, x.storage().to_vec()));
        tensor(maps.into_values(), joined(&problem, join))
    }

    fn global_local_with_signs(
        x: FlexTensor,
        global: FlexTensor,
        local: FlexTensor,
        layer: GlobalLocalConv,
    ) -> (FlexTensor, FlexTensor) {
        if !all_f32(&[&x, &global, &local]) {
            return plain::global_local::<Self>(x, global, local, &layer);
        }
        let join = layer.join;
        let conv = branch(global.shape().dims(), layer);
        let problem = problem(x.shape().dims(), global.shape().dims(), &conv);
        let (x, global, local) = (x.to_contiguous(), global.to_contiguous(), local.to_contiguous());
        let layer = GlobalLocal { problem, join, slope: SLOPE };
        let (y, signs) = layer.forward(x.storage(), global.storage(), local.storage());
        let length = [signs.len()];
        let signs = FlexTensor::from_data(TensorData::new(signs, length));
        (tensor(y, joined(&problem, join)), signs)
    }

    fn global_local_backward(
        x: FlexTensor,
        global: FlexTensor,
        local: FlexTensor,
        layer: GlobalLocalConv,
        signs: FlexTensor,
        grad: FlexTensor,
        wants_x: bool,
    ) -> (FlexTensor, FlexTensor, Option<FlexTensor>) {
        if !all_f32(&[&x, &global, &local, &grad]) || signs.dtype() != DType::U8 {
            let tensors = [x, global, local];
            return plain::global_local_backward::<Self>(tensors, &layer, signs, grad, wants_x);
        }
        let (input, kernel) = (x.shape().dims(), global.shape().dims());
        let join = layer.join;
        let conv = branch(kernel, layer);
        let layer = GlobalLocal { problem: problem(input, kernel, &conv), join, slope: SLOPE };
        let (x, global, local) = (x.to_contiguous(), global.to_contiguous(), local.to_contiguous());
        let weights = [global.storage(), local.storage()];
        let grad = grad.to_contiguous();
        let grads = layer.backward(x.storage(), weights, signs.storage(), grad.storage(), wants_x);
        let grad_x = grads.x.map(|grad| tensor(grad, input));
        (tensor(grads.global, kernel), tensor(grads.local, kernel), grad_x)
    }

    fn spatial_max_pool(x: FlexTensor) -> FlexTensor {
        if !all_f32(&[&x]) {
            return plain::spatial_max_pool::<Self>(x);
        }
        let [n, c, t, h, w] = x.shape().dims();
        let x = x.to_contiguous();
        tensor(gait_kernels::pool(x.storage(), h, w), [n, c, t, h / 2, w / 2])
    }

    fn spatial_max_pool_with_choice(x: FlexTensor) -> (FlexTensor, FlexTensor) {
        if !all_f32(&[&x]) {
            return plain::spatial_max_pool_with_choice::<Self>(x);
        }
        let [n, c, t, h, w] = x.shape().dims();
        let x = x.to_contiguous();
        let (pooled, choice) = elementwise::pool_with_choice(x.storage(), h, w);
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
        if !all_f32(&[&grad]) || frames.dtype() != DType::U32 {
            return plain::max_over_time_backward::<Self>(grad, frames, input);
        }
        let [.., t, h, w] = input;
        let grad = grad.to_contiguous();
        let grad = elementwise::max_over_time_backward(grad.storage(), frames.storage(), t, h * w);
        tensor(grad, input)
    }
}

/// A branch of a global-local layer with a weight of shape `kernel`.
fn branch(kernel: [usize; 5], layer: GlobalLocalConv) -> RegionConv {
    let GlobalLocalConv { regions, operands, .. } = layer;
    RegionConv { stride: 1, padding: kernel[2] / 2, regions, leaky: true, operands }
}

/// The shape of a global-local layer's output.
fn joined(problem: &RegionConv3d, join: Join) -> [usize; 5] {
    let mut shape = output_shape(problem);
    shape[3] *= join.maps();
    shape
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
        precision: conv.operands,
        labels: conv.regions.as_ref().map(Regions::labels),
    }
}

fn output_shape(problem: &RegionConv3d) -> [usize; 5] {
    let frames = problem.frames_out();
    [problem.sequences, problem.out_channels, frames, problem.height, problem.width]
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
