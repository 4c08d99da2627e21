//! Initial parameters: seeded, and numbered in the order in which they are created, so that the
//! optimiser's state, which is kept by parameter id, still fits after a reload.

use burn::module::{Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Creates parameters, one after the other, on one device.
pub struct Init {
    generator: ChaCha8Rng,
    next_id: u64,
    device: Device,
}

impl Init {
    /// Values depend on `seed` and the order of the calls alone.
    pub fn new(seed: u64, device: &Device) -> Self {
        Self { generator: ChaCha8Rng::seed_from_u64(seed), next_id: 1, device: device.clone() }
    }

    /// Xavier-uniform values (Glorot and Bengio 2010) as `torch.nn.init.xavier_uniform_` draws them:
    /// axis 1 counts as inputs, axis 0 as outputs, the others as receptive field.
    pub(crate) fn xavier_uniform<const D: usize>(&mut self, shape: [usize; D]) -> Param<Tensor<D>> {
        let field: usize = shape.iter().skip(2).product();
        let bound = (6.0 / ((shape[0] + shape[1]) * field) as f64).sqrt();
        let count = shape.iter().product();
        let values = (0..count).map(|_| (bound * (2.0 * self.uniform() - 1.0)) as f32).collect();
        self.parameter(values, shape)
    }

    /// Normal values.
    pub fn normal(&mut self, mean: f64, deviation: f64, count: usize) -> Param<Tensor<1>> {
        let values = (0..count).map(|_| (mean + deviation * self.standard_normal()) as f32);
        let values = values.collect();
        self.parameter(values, [count])
    }

    /// A parameter of equal values.
    pub fn constant(&mut self, value: f32, count: usize) -> Param<Tensor<1>> {
        self.parameter(vec![value; count], [count])
    }

    /// Equal values that no optimiser changes.
    pub fn buffer(&mut self, value: f32, count: usize) -> Param<Tensor<1>> {
        let id = self.id();
        let data = TensorData::new(vec![value; count], [count]);
        Param::initialized(id, Tensor::from_data(data, &self.device))
    }

    fn parameter<const D: usize>(
        &mut self,
        values: Vec<f32>,
        shape: [usize; D],
    ) -> Param<Tensor<D>> {
        let id = self.id();
        let tensor = Tensor::from_data(TensorData::new(values, shape), &self.device);
        Param::initialized(id, tensor).set_require_grad(true)
    }

    fn id(&mut self) -> ParamId {
        let id = ParamId::from(self.next_id);
        self.next_id += 1;
        id
    }

    /// Uniform in [0, 1), from the upper 53 bits of one draw.
    fn uniform(&mut self) -> f64 {
        (self.generator.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Box and Muller's transform of two uniform draws.
    fn standard_normal(&mut self) -> f64 {
        let radius = 1.0 - self.uniform();
        let angle = self.uniform();
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::testing::test_device;

    fn values<const D: usize>(param: &Param<Tensor<D>>) -> Vec<f32> {
        param.val().into_data().try_to_vec().unwrap()
    }

    #[test]
    fn same_seed_gives_same_values_and_numbers() {
        let make = |seed| {
            let mut init = Init::new(seed, &test_device());
            (init.xavier_uniform([4, 3, 3, 3, 3]), init.normal(1.0, 0.02, 5))
        };
        let (a, b) = (make(1), make(1));
        assert_eq!((a.0.id, a.1.id), (ParamId::from(1), ParamId::from(2)));
        assert_eq!((values(&a.0), values(&a.1)), (values(&b.0), values(&b.1)));
        assert_ne!(values(&a.0), values(&make(2).0));
    }

    #[test]
    fn xavier_fills_its_bound() {
        // torch.nn.init.xavier_uniform_ of [16, 8, 3, 3, 3]: sqrt(6 / (24 * 27)).
        let drawn = values(&Init::new(3, &test_device()).xavier_uniform([16, 8, 3, 3, 3]));
        let bound = (6.0f32 / (24.0 * 27.0)).sqrt();
        let largest = drawn.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        assert!(largest <= bound && largest > 0.99 * bound);
        let mean = drawn.iter().sum::<f32>() / drawn.len() as f32;
        assert!(mean.abs() < 0.05 * bound);
    }

    #[test]
    fn normal_has_its_mean_and_deviation() {
        let drawn = values(&Init::new(3, &test_device()).normal(1.0, 0.02, 20_000));
        let mean = drawn.iter().sum::<f32>() / 20_000.0;
        let spread = drawn.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 20_000.0;
        assert!((mean - 1.0).abs() < 1e-3 && (spread.sqrt() - 0.02).abs() < 1e-3);
    }

    #[test]
    fn only_parameters_ask_for_gradients() {
        let mut init = Init::new(1, &test_device().autodiff());
        assert!(init.constant(6.5, 1).val().is_require_grad());
        assert!(!init.buffer(0.0, 4).val().is_require_grad());
    }
}
