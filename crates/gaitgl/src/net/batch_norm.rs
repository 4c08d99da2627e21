//! Batch norm with its running statistics held as plain tensors.
//!
//! Burn's own layer keeps the biased running variance, chooses its mode from the device, and
//! updates its statistics at another time than it records them. Here the mode is the method, the
//! statistics are PyTorch's, and a checkpoint holds exactly what the last step left.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::module::{batch_norm, batch_norm_train};

use super::error::{ModelError, check_shape};
use super::init::Init;

/// Added to the variance before the root, as in PyTorch.
pub(crate) const EPSILON: f64 = 1e-5;
/// Share of a batch in the running statistics, as in PyTorch.
const MOMENTUM: f64 = 0.1;

/// What a [`BatchNorm`] is made of.
#[derive(Clone, Debug)]
pub struct BatchNormConfig {
    /// Features.
    pub features: usize,
}

impl BatchNormConfig {
    /// The layer with scale N(1, 0.02) as in published code, shift 0, running mean 0 and running
    /// variance 1.
    pub fn init(&self, init: &mut Init) -> BatchNorm {
        BatchNorm {
            scale: init.normal(1.0, 0.02, self.features),
            shift: init.constant(0.0, self.features),
            running_mean: init.buffer(0.0, self.features),
            running_variance: init.buffer(1.0, self.features),
        }
    }
}

/// See [`BatchNormConfig`]. All tensors are `[features]`.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Factor of the normalised features.
    pub scale: Param<Tensor<1>>,
    /// Added to them.
    pub shift: Param<Tensor<1>>,
    /// Mean over past batches.
    pub running_mean: Param<Tensor<1>>,
    /// Unbiased variance over past batches.
    pub running_variance: Param<Tensor<1>>,
}

impl BatchNorm {
    /// Normalises with the statistics of the batch and updates the running ones.
    ///
    /// # Shapes
    /// - x: `[n, features, ..]`
    /// - result: the same
    ///
    /// # Errors
    /// Other features, or a single value per feature.
    pub fn forward_train<const D: usize>(&mut self, x: Tensor<D>) -> Result<Tensor<D>, ModelError> {
        self.check(&x)?;
        let count = x.dims().iter().product::<usize>() / x.dims()[1];
        if count < 2 {
            return Err(ModelError::SingleValue { layer: "norm".into() });
        }
        let normed = batch_norm_train(x, self.scale.val(), self.shift.val(), EPSILON);
        let unbiased = normed.variance.detach() * (count as f64 / (count - 1) as f64);
        blend(&mut self.running_mean, normed.mean.detach());
        blend(&mut self.running_variance, unbiased);
        Ok(normed.output)
    }

    /// Normalises with the running statistics, which stay as they are.
    ///
    /// # Shapes
    /// - x: `[n, features, ..]`
    /// - result: the same
    ///
    /// # Errors
    /// Other features.
    pub fn forward_test<const D: usize>(&self, x: Tensor<D>) -> Result<Tensor<D>, ModelError> {
        self.check(&x)?;
        let mean = self.running_mean.val();
        let variance = self.running_variance.val();
        Ok(batch_norm(x, self.scale.val(), self.shift.val(), mean, variance, EPSILON))
    }

    fn check<const D: usize>(&self, x: &Tensor<D>) -> Result<(), ModelError> {
        let mut expected = [None; D];
        expected[1] = Some(self.scale.dims()[0]);
        check_shape("norm", "n c p", expected, x.dims())
    }
}

fn blend(running: &mut Param<Tensor<1>>, batch: Tensor<1>) {
    let value = running.val() * (1.0 - MOMENTUM) + batch * MOMENTUM;
    *running = Param::initialized(running.id, value.detach());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::testing::{test_device, test_tolerance};
    use burn::tensor::{Device, TensorData};

    fn values(param: &Param<Tensor<1>>) -> Vec<f32> {
        param.val().into_data().try_to_vec().unwrap()
    }

    fn layer_and_batch(device: &Device) -> (BatchNorm, Tensor<3>) {
        let layer = BatchNormConfig { features: 2 }.init(&mut Init::new(1, device));
        let batch = vec![1.0f32, 3.0, 10.0, 10.0, 5.0, 7.0, 10.0, 14.0];
        (layer, Tensor::from_data(TensorData::new(batch, [2, 2, 2]), device))
    }

    #[test]
    fn running_statistics_take_the_unbiased_variance() {
        let (mut layer, batch) = layer_and_batch(&test_device().autodiff());
        layer.forward_train(batch).unwrap();
        // Means 4 and 11, squared deviations 20 and 12 over 4 values.
        let near = |got: Vec<f32>, want: [f32; 2]| {
            assert!(
                got.iter().zip(want).all(|(g, w)| (g - w).abs() < test_tolerance(1e-5)),
                "{got:?}"
            );
        };
        near(values(&layer.running_mean), [0.4, 1.1]);
        near(values(&layer.running_variance), [0.9 + 20.0 / 30.0, 0.9 + 12.0 / 30.0]);
    }

    #[test]
    fn training_normalises_and_test_leaves_statistics_frozen() {
        let device = test_device().autodiff();
        let (mut layer, batch) = layer_and_batch(&device);
        layer.scale = Param::initialized(layer.scale.id, Tensor::ones([2], &device));
        let normed = layer.forward_train(batch.clone()).unwrap();
        let normed: Vec<f32> = normed.into_data().try_to_vec().unwrap();
        assert!((normed[0] - (1.0 - 4.0) / 5.0f32.sqrt()).abs() < 1e-4, "{normed:?}");
        let before = (values(&layer.running_mean), values(&layer.running_variance));
        let a = layer.forward_test(batch.clone()).unwrap().into_data();
        let b = layer.forward_test(batch).unwrap().into_data();
        a.assert_eq(&b, true);
        assert_eq!(before, (values(&layer.running_mean), values(&layer.running_variance)));
    }

    #[test]
    fn a_single_value_per_feature_is_refused() {
        let device = test_device().autodiff();
        let (mut layer, _) = layer_and_batch(&device);
        let message =
            layer.forward_train(Tensor::<2>::zeros([1, 2], &device)).unwrap_err().to_string();
        assert!(message.contains("two values"), "{message}");
    }
}
