//! Pools the pixels of a strip to one number (Eqn. 8 to 10 and Table 6 of the paper).

use burn::module::{Module, Param};
use burn::tensor::{DType, Tensor, TensorData};
use gait_kernels::higher;
use rayon::prelude::*;
use wide::f32x8;

use super::error::{ModelError, check_shape};
use super::init::Init;
use super::tensors::values;
use crate::device::is_cpu;
use crate::settings::SpatialPooling;

/// Powers that are taken together.
const LANES: usize = 8;
/// Lower bound of the values that GeM raises to its power.
pub(crate) const FLOOR: f32 = 1e-6;

/// What a [`StripPooling`] is made of.
#[derive(Clone, Debug)]
pub struct StripPoolingConfig {
    /// Strips; each takes the same number of neighbouring rows.
    pub strips: usize,
    /// The pooling.
    pub kind: SpatialPooling,
    /// The initial value of GeM's exponent.
    pub gem_start: f64,
}

impl StripPoolingConfig {
    /// The layer.
    pub fn init(&self, init: &mut Init) -> StripPooling {
        let learnt = self.kind == SpatialPooling::Gem;
        let exponent = learnt.then(|| init.constant(self.gem_start as f32, 1));
        StripPooling { exponent, strips: self.strips, kind: self.kind }
    }
}

/// See [`StripPoolingConfig`].
#[derive(Module, Debug)]
pub struct StripPooling {
    /// GeM's exponent, `[1]`.
    pub exponent: Option<Param<Tensor<1>>>,
    #[module(skip)]
    strips: usize,
    #[module(skip)]
    kind: SpatialPooling,
}

impl StripPooling {
    /// # Shapes
    /// - x: `[n, c, h, w]`
    /// - result: `[n, c, p]`
    ///
    /// # Errors
    /// An empty axis, or rows that the strips do not divide.
    pub fn forward(&self, x: Tensor<4>) -> Result<Tensor<3>, ModelError> {
        let [n, c, h, w] = x.dims();
        let rows = h / self.strips;
        check_shape("pooling", "n c h w", [None, None, Some(rows * self.strips), None], x.dims())?;
        // The pixels of a strip's rows, one row after the other.
        let x = x.reshape([n, c, self.strips, rows * w]);
        let pooled = match (&self.exponent, self.kind) {
            (Some(exponent), _) => gem(x, exponent.val()),
            (None, SpatialPooling::Mean) => x.mean_dim(3),
            (None, SpatialPooling::Both) => x.clone().max_dim(3) + x.mean_dim(3),
            (None, SpatialPooling::Max | SpatialPooling::Gem) => x.max_dim(3),
        };
        Ok(pooled.squeeze_dim(3))
    }
}

/// `mean(x^p)^(1/p)` over the last axis (Eqn. 10), as `m * mean((x / m)^p)^(1/p)` with the
/// strip's maximum `m`.
///
/// The result does not depend on `m`, so `m` needs no gradient. The quotients reach 1, so neither a
/// strip of zeros (1e-6^6.5 is denormal) nor a large exponent gives NaN.
fn gem(x: Tensor<4>, exponent: Tensor<1>) -> Tensor<4> {
    let device = x.device();
    let has_gradients = device.is_autodiff();
    let on_cpu = is_cpu(&device) && x.dtype() == DType::F32 && !x.dims().contains(&0);
    if on_cpu && !has_gradients {
        // Burn's powers run on one thread, which took a tenth of a network's time.
        let [n, c, strips, pixels] = x.dims();
        let pooled = gem_of_slices(&values(x), pixels, exponent.into_scalar());
        return Tensor::from_data(TensorData::new(pooled, [n, c, strips, 1]), &device);
    }
    let x = x.clamp_min(FLOOR);
    let largest = x.clone().detach().max_dim(3);
    let exponent: Tensor<4> = exponent.reshape([1, 1, 1, 1]);
    let powers = ((x / largest.clone()).log() * exponent.clone()).exp();
    largest * (powers.mean_dim(3).log() / exponent).exp()
}

/// [`gem`] of strips of `pixels` values, on all threads.
fn gem_of_slices(x: &[f32], pixels: usize, exponent: f32) -> Vec<f32> {
    let mean = |strip: &[f32]| {
        let largest = strip.iter().fold(FLOOR, |largest, &value| higher(largest, value));
        let powers = |values: &[f32]| -> f32 {
            let mut ratios = [1.0; LANES];
            let places = ratios.iter_mut().zip(values);
            places.for_each(|(ratio, &value)| *ratio = higher(FLOOR, value) / largest);
            let powers = (f32x8::new(ratios).ln() * f32x8::splat(exponent)).exp();
            powers.to_array()[..values.len()].iter().sum()
        };
        let sum: f32 = strip.chunks(LANES).map(powers).sum();
        largest * ((sum / pixels as f32).ln() / exponent).exp()
    };
    x.par_chunks_exact(pixels).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::testing::{test_device, test_tolerance};
    use burn::tensor::{Device, Tolerance};

    fn pooling(
        strips: usize,
        kind: SpatialPooling,
        gem_start: f64,
        device: &Device,
    ) -> StripPooling {
        StripPoolingConfig { strips, kind, gem_start }.init(&mut Init::new(1, device))
    }

    fn rows(device: &Device) -> Tensor<4> {
        let values = vec![0.5f32, 2.0, 1.0, 0.0, 0.0, 0.0, -1.0, 3.0, 0.25, 7.0, 7.0, 7.0];
        Tensor::from_data(TensorData::new(values, [1, 2, 2, 3]), device)
    }

    #[test]
    fn each_pooling_is_its_formula() {
        let device = test_device();
        let check = |kind, want: [f32; 4]| {
            let got = pooling(2, kind, 2.0, &device).forward(rows(&device)).unwrap();
            let want = TensorData::new(want.to_vec(), [1, 2, 2]);
            got.into_data()
                .assert_approx_eq::<f32>(&want, Tolerance::absolute(test_tolerance(1e-5)));
        };
        check(SpatialPooling::Max, [2.0, 0.0, 3.0, 7.0]);
        check(SpatialPooling::Mean, [3.5 / 3.0, 0.0, 0.75, 7.0]);
        check(SpatialPooling::Both, [2.0 + 3.5 / 3.0, 0.0, 3.75, 14.0]);
        let root = |sum: f32| (sum / 3.0).sqrt();
        check(SpatialPooling::Gem, [root(5.25), 1e-6, root(9.0625), 7.0]);
    }

    #[test]
    fn a_strip_of_several_rows_is_one_row_after_the_other() {
        let device = test_device();
        let check = |kind, want: [f32; 2]| {
            let x = rows(&device).reshape([1, 1, 4, 3]);
            let got = pooling(2, kind, 1.0, &device).forward(x).unwrap();
            let want = TensorData::new(want.to_vec(), [1, 1, 2]);
            got.into_data()
                .assert_approx_eq::<f32>(&want, Tolerance::absolute(test_tolerance(1e-5)));
        };
        check(SpatialPooling::Max, [2.0, 7.0]);
        check(SpatialPooling::Mean, [3.5 / 6.0, 23.25 / 6.0]);
        check(SpatialPooling::Both, [2.0 + 3.5 / 6.0, 7.0 + 23.25 / 6.0]);
        check(SpatialPooling::Gem, [3.5 / 6.0, 24.25 / 6.0]);
    }

    /// Training takes the other path.
    #[test]
    fn gem_is_the_same_with_and_without_gradients() {
        let device = test_device();
        let layer = |device: &Device| pooling(2, SpatialPooling::Gem, 6.5, device);
        let values: Vec<f32> = (0..240).map(|i| (i * 37 % 101) as f32 / 20.0 - 1.0).collect();
        let x = |device: &Device| {
            Tensor::<4>::from_data(TensorData::new(values.clone(), [2, 3, 4, 10]), device)
        };
        let autodiff = device.clone().autodiff();
        let want = layer(&autodiff).forward(x(&autodiff)).unwrap().into_data();
        let got = layer(&device).forward(x(&device)).unwrap().into_data();
        got.assert_approx_eq::<f32>(&want, Tolerance::relative(test_tolerance(1e-5)));
        let mut lost = values.clone();
        lost[7] = f32::NAN;
        let x = Tensor::<4>::from_data(TensorData::new(lost, [2, 3, 4, 10]), &device);
        let pooled: Vec<f32> = layer(&device).forward(x).unwrap().into_data().try_to_vec().unwrap();
        assert_eq!(pooled.iter().filter(|value| value.is_nan()).count(), 1);
    }

    #[test]
    fn rows_that_the_strips_do_not_divide_are_refused() {
        let device = test_device();
        let x = rows(&device).reshape([1, 1, 4, 3]);
        let error = pooling(3, SpatialPooling::Max, 1.0, &device).forward(x).unwrap_err();
        assert_eq!(error.to_string(), "pooling: expected [n, c, h=3, w], got 1x1x4x3");
    }

    #[test]
    fn gem_of_empty_rows_and_large_exponents_has_finite_gradients() {
        let device = test_device().autodiff();
        for exponent in [1.0, 6.5, 8.0, 40.0] {
            let layer = pooling(2, SpatialPooling::Gem, exponent, &device);
            let x = rows(&device).require_grad();
            let grads = layer.forward(x.clone()).unwrap().sum().backward();
            let grad_x: Vec<f32> = x.grad(&grads).unwrap().into_data().try_to_vec().unwrap();
            let grad_p = layer.exponent.unwrap().val().grad(&grads).unwrap().into_scalar::<f32>();
            assert!(
                grad_p.is_finite() && grad_x.iter().all(|g| g.is_finite()),
                "{exponent}: {grad_x:?}"
            );
            // A row of equal values passes its gradient on in equal parts.
            assert!(
                grad_x[9..].iter().all(|g| (g - 1.0 / 3.0).abs() < test_tolerance(1e-5)),
                "{exponent}: {grad_x:?}"
            );
        }
    }
}
