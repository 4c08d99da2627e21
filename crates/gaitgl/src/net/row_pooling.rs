//! From the columns of a row to one number (Eqn. 8 to 10 and Table 6 of the paper).

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::error::{ModelError, check_shape};
use super::init::Init;
use crate::settings::SpatialPooling;

/// Smallest value that GeM raises to its power.
const FLOOR: f32 = 1e-6;

/// What a [`RowPooling`] is made of.
#[derive(Clone, Debug)]
pub struct RowPoolingConfig {
    /// The pooling.
    pub kind: SpatialPooling,
    /// Where GeM's exponent starts.
    pub gem_start: f64,
}

impl RowPoolingConfig {
    /// The layer.
    pub fn init(&self, init: &mut Init) -> RowPooling {
        let learnt = self.kind == SpatialPooling::Gem;
        let exponent = learnt.then(|| init.constant(self.gem_start as f32, 1));
        RowPooling { exponent, kind: self.kind }
    }
}

/// See [`RowPoolingConfig`].
#[derive(Module, Debug)]
pub struct RowPooling {
    /// GeM's exponent, `[1]`.
    pub exponent: Option<Param<Tensor<1>>>,
    #[module(skip)]
    kind: SpatialPooling,
}

impl RowPooling {
    /// # Shapes
    /// - x: `[n, c, h, w]`
    /// - result: `[n, c, h]`
    ///
    /// # Errors
    /// An empty axis.
    pub fn forward(&self, x: Tensor<4>) -> Result<Tensor<3>, ModelError> {
        check_shape("pooling", "n c h w", [None; 4], x.dims())?;
        let pooled = match (&self.exponent, self.kind) {
            (Some(exponent), _) => gem(x, exponent.val()),
            (None, SpatialPooling::Mean) => x.mean_dim(3),
            (None, SpatialPooling::Both) => x.clone().max_dim(3) + x.mean_dim(3),
            (None, SpatialPooling::Max | SpatialPooling::Gem) => x.max_dim(3),
        };
        Ok(pooled.squeeze_dim(3))
    }
}

/// `mean(x^p)^(1/p)` over the last axis (Eqn. 10), as `m * mean((x / m)^p)^(1/p)` with the row's
/// maximum `m`.
///
/// The result does not depend on `m`, so `m` needs no gradient. The quotients reach 1, so neither a
/// row of zeros (1e-6^6.5 is denormal) nor a large exponent gives NaN.
fn gem(x: Tensor<4>, exponent: Tensor<1>) -> Tensor<4> {
    let x = x.clamp_min(FLOOR);
    let largest = x.clone().detach().max_dim(3);
    let exponent: Tensor<4> = exponent.reshape([1, 1, 1, 1]);
    let powers = ((x / largest.clone()).log() * exponent.clone()).exp();
    largest * (powers.mean_dim(3).log() / exponent).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{test_device, test_tolerance};
    use burn::tensor::{Device, TensorData, Tolerance};

    fn pooling(kind: SpatialPooling, gem_start: f64, device: &Device) -> RowPooling {
        RowPoolingConfig { kind, gem_start }.init(&mut Init::new(1, device))
    }

    fn rows(device: &Device) -> Tensor<4> {
        let values = vec![0.5f32, 2.0, 1.0, 0.0, 0.0, 0.0, -1.0, 3.0, 0.25, 7.0, 7.0, 7.0];
        Tensor::from_data(TensorData::new(values, [1, 2, 2, 3]), device)
    }

    #[test]
    fn each_pooling_is_its_formula() {
        let device = test_device();
        let check = |kind, want: [f32; 4]| {
            let got = pooling(kind, 2.0, &device).forward(rows(&device)).unwrap();
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
    fn gem_of_empty_rows_and_large_exponents_has_finite_gradients() {
        let device = test_device().autodiff();
        for exponent in [1.0, 6.5, 8.0, 40.0] {
            let layer = pooling(SpatialPooling::Gem, exponent, &device);
            let x = rows(&device).require_grad();
            let grads = layer.forward(x.clone()).unwrap().sum().backward();
            let by_x: Vec<f32> = x.grad(&grads).unwrap().into_data().try_to_vec().unwrap();
            let by_p = layer.exponent.unwrap().val().grad(&grads).unwrap().into_scalar::<f32>();
            assert!(by_p.is_finite() && by_x.iter().all(|g| g.is_finite()), "{exponent}: {by_x:?}");
            // A row of equal values passes its gradient on in equal parts.
            assert!(
                by_x[9..].iter().all(|g| (g - 1.0 / 3.0).abs() < test_tolerance(1e-5)),
                "{exponent}: {by_x:?}"
            );
        }
    }
}
