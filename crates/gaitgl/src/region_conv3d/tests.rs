use burn::tensor::{Device, Distribution, Tensor, Tolerance};

use super::*;
use crate::device::cpu;
use crate::device::testing::{test_device, test_tolerance};
use crate::mask::Regions;
use burn::backend::Flex;
use burn::backend::flex::FlexTensor;

fn random(shape: [usize; 5], device: &Device) -> Tensor<5> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
}

fn masks(h: usize, w: usize) -> Vec<Option<Regions>> {
    let columns = |_: usize, c: usize| i32::from(c % 3 == 1);
    let pixels = |r: usize, c: usize| [4, 0, 3, 1, 2][(r * 7 + c * 3) % 5];
    let map = |label: &dyn Fn(usize, usize) -> i32| {
        Regions::new(h, w, (0..h * w).map(|i| label(i / w, i % w)).collect())
    };
    vec![None, Some(Regions::bands(h, w, 3)), map(&columns), map(&pixels)]
}

/// On the CPU, whatever the device of the tests is.
fn plain(tensor: &Tensor<5>) -> FlexTensor {
    let data = tensor.clone().into_data();
    Tensor::<5>::from_data(data, &cpu()).try_into_primitive::<Flex>().unwrap()
}

fn same(a: Tensor<5>, b: FlexTensor) {
    let b = Tensor::<5>::from_primitive::<Flex>(b);
    assert_eq!(a.dims(), b.dims());
    a.into_data()
        .assert_approx_eq::<f32>(&b.into_data(), Tolerance::absolute(test_tolerance(2e-5)));
}

fn problems() -> Vec<([usize; 5], [usize; 5], RegionConv)> {
    let mut problems = Vec::new();
    for regions in masks(7, 6) {
        for (kernel, stride, padding, leaky) in [
            ([3, 3, 3], 1, 1, true),
            ([3, 3, 3], 3, 0, false),
            ([3, 1, 1], 3, 0, true),
            ([1, 3, 5], 1, 0, false),
        ] {
            let [kt, kh, kw] = kernel;
            let conv = RegionConv {
                stride,
                padding,
                regions: regions.clone(),
                leaky,
                operands: Operands::F32,
            };
            problems.push(([2, 3, 8, 7, 6], [4, 3, kt, kh, kw], conv));
        }
    }
    problems
}

#[test]
fn kernels_equal_plain_operations_forward_and_backward() {
    let device = test_device().autodiff();
    for (input, kernel, conv) in problems() {
        let x = random(input, &device).require_grad();
        let weight = random(kernel, &device).require_grad();
        let y = region_conv3d(x.clone(), weight.clone(), &conv);
        same(y.clone(), plain::forward::<Flex>(plain(&x), plain(&weight), &conv));
        let grad_y = random(y.dims(), &device);
        let grads = (y.clone() * grad_y.clone()).sum().backward();
        let mut grad = plain(&grad_y);
        if conv.leaky {
            grad = plain::leaky_backward::<Flex>(plain(&y), grad);
        }
        let wanted = plain::backward_data::<Flex>(&plain(&weight), grad.clone(), &conv, input);
        same(x.grad(&grads).unwrap(), wanted);
        let wanted = plain::backward_weight::<Flex>(plain(&x), grad, &conv, kernel);
        let wanted = Tensor::<5>::from_primitive::<Flex>(wanted) * 0.1;
        same(weight.grad(&grads).unwrap() * 0.1, plain(&wanted));
    }
}

#[test]
fn global_local_equals_its_parts_forward_and_backward() {
    let device = test_device().autodiff();
    for (regions, join) in
        masks(6, 5).into_iter().flat_map(|m| [(m.clone(), Join::Sum), (m, Join::Stack)])
    {
        let x = random([2, 3, 4, 6, 5], &device).require_grad();
        let weights = [0, 1].map(|_| random([4, 3, 3, 3, 3], &device).require_grad());
        let [global, local] = weights.clone();
        let leaky = |weight, regions| {
            let conv =
                RegionConv { stride: 1, padding: 1, regions, leaky: true, operands: Operands::F32 };
            region_conv3d(x.clone(), weight, &conv)
        };
        let parts = (leaky(global.clone(), None), leaky(local.clone(), regions.clone()));
        let wanted = match join {
            Join::Sum => parts.0 + parts.1,
            Join::Stack => Tensor::cat(vec![parts.0, parts.1], 3),
        };
        let layer = GlobalLocalConv { regions, join, operands: Operands::F32 };
        let y = global_local(x.clone(), global, local, layer);
        let grad_y = random(y.dims(), &device);
        let grads = (y.clone() * grad_y.clone()).sum().backward();
        let wanted_grads = (wanted.clone() * grad_y).sum().backward();
        same(y, plain(&wanted));
        for tensor in [x, weights[0].clone(), weights[1].clone()] {
            let (got, want) = (tensor.grad(&grads).unwrap(), tensor.grad(&wanted_grads).unwrap());
            same(got * 0.1, plain(&(want * 0.1)));
        }
    }
}

/// The bodies that other devices run, against the ones of this device.
#[test]
fn default_bodies_equal_the_fused_ones() {
    let device = test_device();
    for (regions, join) in
        masks(6, 5).into_iter().flat_map(|m| [(m.clone(), Join::Sum), (m, Join::Stack)])
    {
        let x = random([2, 3, 4, 6, 5], &device);
        let [global, local] = [0, 1].map(|_| random([4, 3, 3, 3, 3], &device));
        let tensors = || (plain(&x), plain(&global), plain(&local));
        let (a, b, c) = tensors();
        let layer = GlobalLocalConv { regions, join, operands: Operands::F32 };
        let (y, signs) = Flex::global_local_with_signs(a, b, c, layer.clone());
        let (a, b, c) = tensors();
        let (wanted, wanted_signs) = plain::global_local::<Flex>(a, b, c, &layer);
        let y = Tensor::<5>::from_primitive::<Flex>(y);
        let grad_y = random(y.dims(), &device);
        same(y, wanted);
        let (a, b, c) = tensors();
        let got = Flex::global_local_backward(a, b, c, layer.clone(), signs, plain(&grad_y), true);
        let (a, b, c) = tensors();
        let wanted = plain::global_local_backward::<Flex>(
            [a, b, c],
            &layer,
            wanted_signs,
            plain(&grad_y),
            true,
        );
        for (got, want) in
            [(got.0, wanted.0), (got.1, wanted.1), (got.2.unwrap(), wanted.2.unwrap())]
        {
            let [got, want] = [got, want].map(|t| Tensor::<5>::from_primitive::<Flex>(t) * 0.1);
            same(got, plain(&want));
        }
    }
    let x = random([2, 3, 4, 7, 5], &device);
    let grad_y = random([2, 3, 4, 3, 2], &device);
    let (y, choice) = Flex::spatial_max_pool_with_choice(plain(&x));
    let (wanted, wanted_choice) = plain::spatial_max_pool_with_choice::<Flex>(plain(&x));
    same(Tensor::from_primitive::<Flex>(y), wanted.clone());
    same(Tensor::from_primitive::<Flex>(Flex::spatial_max_pool(plain(&x))), wanted);
    let shape = [2, 3, 4, 7, 5];
    let got = Flex::spatial_max_pool_backward(plain(&grad_y), choice, shape);
    let wanted = plain::spatial_max_pool_backward::<Flex>(plain(&grad_y), wanted_choice, shape);
    same(Tensor::from_primitive::<Flex>(got), wanted);
}

#[test]
fn leaky_slope_at_zero_is_the_small_one_as_in_pytorch() {
    let device = test_device().autodiff();
    let x = Tensor::<5>::zeros([1, 1, 1, 1, 1], &device).require_grad();
    let weight = Tensor::ones([1, 1, 1, 1, 1], &device);
    let operands = Operands::F32;
    let conv = RegionConv { stride: 1, padding: 0, regions: None, leaky: true, operands };
    let grads = region_conv3d(x.clone(), weight, &conv).sum().backward();
    assert_eq!(x.grad(&grads).unwrap().into_scalar::<f32>(), SLOPE);
}

#[test]
fn pool_gives_ties_to_the_first_of_the_block() {
    let device = test_device().autodiff();
    let x = Tensor::<5>::ones([1, 1, 1, 2, 2], &device).require_grad();
    let grads = spatial_max_pool(x.clone()).sum().backward();
    let grad: Vec<f32> = x.grad(&grads).unwrap().into_data().try_to_vec().unwrap();
    assert_eq!(grad, [1.0, 0.0, 0.0, 0.0]);
}

#[test]
fn max_over_time_equals_the_plain_operation_and_gives_ties_to_the_first_frame() {
    let device = test_device().autodiff();
    // Rounded values tie often.
    let x = (random([2, 3, 9, 4, 5], &device) * 2.0).round().require_grad();
    let y = max_over_time(x.clone());
    let wanted = x.clone().max_dim(2);
    let grad_y = random([2, 3, 1, 4, 5], &device);
    let grads = (y.clone() * grad_y.clone().squeeze_dim(2)).sum().backward();
    let wanted_grads = (wanted.clone() * grad_y).sum().backward();
    same(y.unsqueeze_dim(2), plain(&wanted));
    let (got, want) = (x.grad(&grads).unwrap(), x.grad(&wanted_grads).unwrap());
    assert_eq!(got.to_data(), want.to_data());

    let shape = [2, 3, 9, 4, 5];
    let grad_y = plain(&random([2, 3, 1, 4, 5], &test_device()));
    let (_, frames) = plain::max_over_time::<Flex>(plain(&x));
    let defaults = plain::max_over_time_backward::<Flex>(grad_y.clone(), frames, shape);
    let (_, frames) = Flex::max_over_time_with_frames(plain(&x));
    let fused = Flex::max_over_time_backward(grad_y, frames, shape);
    same(Tensor::from_primitive::<Flex>(fused), defaults);
}
