//! Separate FC: one linear map without bias per strip (Eqn. 11).

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::error::{ModelError, check_shape};
use super::init::Init;

/// What a [`SeparateFc`] is made of.
#[derive(Clone, Debug)]
pub struct SeparateFcConfig {
    /// Strips.
    pub strips: usize,
    /// Features that enter and leave.
    pub channels: [usize; 2],
}

impl SeparateFcConfig {
    /// The layer with a Xavier-uniform weight.
    pub fn init(&self, name: &'static str, init: &mut Init) -> SeparateFc {
        let [ci, co] = self.channels;
        SeparateFc { weight: init.xavier_uniform([self.strips, ci, co]), name }
    }
}

/// See [`SeparateFcConfig`].
#[derive(Module, Debug)]
pub struct SeparateFc {
    /// `[p, ci, co]`.
    pub weight: Param<Tensor<3>>,
    #[module(skip)]
    name: &'static str,
}

impl SeparateFc {
    /// # Shapes
    /// - x: `[n, ci, p]`
    /// - result: `[n, co, p]`
    ///
    /// # Errors
    /// Other features or strips.
    pub fn forward(&self, x: Tensor<3>) -> Result<Tensor<3>, ModelError> {
        self.apply(x, self.weight.val())
    }

    /// As [`Self::forward`], with features and weights of unit length (BNNeck): the cosines.
    ///
    /// # Errors
    /// Other features or strips.
    pub fn forward_normalised(&self, x: Tensor<3>) -> Result<Tensor<3>, ModelError> {
        self.apply(unit_length(x), unit_length(self.weight.val()))
    }

    fn apply(&self, x: Tensor<3>, weight: Tensor<3>) -> Result<Tensor<3>, ModelError> {
        let [strips, ci, _] = weight.dims();
        check_shape(self.name, "n c p", [None, Some(ci), Some(strips)], x.dims())?;
        Ok(x.permute([2, 0, 1]).matmul(weight).permute([1, 2, 0]))
    }
}

/// `x` divided by its length over axis 1, zero vectors left as they are (with zero gradient).
fn unit_length(x: Tensor<3>) -> Tensor<3> {
    let length = x.clone().square().sum_dim(1).clamp_min(1e-24).sqrt();
    x / length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::testing::{test_device, test_tolerance};
    use burn::tensor::{TensorData, Tolerance};

    fn tensor(values: &[f32], shape: [usize; 3]) -> Tensor<3> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &test_device())
    }

    #[test]
    fn each_strip_has_its_own_map() {
        let config = SeparateFcConfig { strips: 2, channels: [2, 1] };
        let mut fc = config.init("fc", &mut Init::new(1, &test_device()));
        let weight = tensor(&[1.0, 10.0, 100.0, 1000.0], [2, 2, 1]);
        fc.weight = Param::initialized(fc.weight.id, weight);
        // x[n, c, p]: strip 0 is (1, 3), strip 1 is (2, 4).
        let y = fc.forward(tensor(&[1.0, 2.0, 3.0, 4.0], [1, 2, 2])).unwrap();
        y.into_data().assert_eq(&TensorData::new(vec![31.0f32, 4200.0], [1, 1, 2]), true);
        let cosines = fc.forward_normalised(tensor(&[1.0, 0.0, 10.0, 0.0], [1, 2, 2])).unwrap();
        let want = TensorData::new(vec![1.0f32, 0.0], [1, 1, 2]);
        cosines
            .into_data()
            .assert_approx_eq::<f32>(&want, Tolerance::absolute(test_tolerance(1e-6)));
    }

    #[test]
    fn another_number_of_strips_names_the_layer() {
        let config = SeparateFcConfig { strips: 64, channels: [2, 1] };
        let fc = config.init("classifier", &mut Init::new(1, &test_device()));
        let message = fc.forward(tensor(&[0.0; 64], [1, 2, 32])).unwrap_err().to_string();
        assert_eq!(message, "classifier: expected [n, c=2, p=64], got 1x2x32");
    }
}
