//! A 3-D convolution without bias and a leaky ReLU: the stem, and local temporal aggregation.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::error::{ModelError, check_shape};
use super::init::Init;
use crate::region_conv3d::{RegionConv, region_conv3d};
use crate::settings::Precision;

/// What a [`Conv`] is made of.
#[derive(Clone, Debug)]
pub struct ConvConfig {
    /// Channels that enter and leave.
    pub channels: [usize; 2],
    /// Frames, rows (odd) and columns (odd) of the kernel.
    pub kernel: [usize; 3],
    /// Stride over frames.
    pub stride: usize,
    /// Zero frames on either side.
    pub padding: usize,
}

impl ConvConfig {
    /// A convolution that keeps the shape of its map.
    pub fn same(channels: [usize; 2], kernel: [usize; 3]) -> Self {
        Self { channels, kernel, stride: 1, padding: kernel[0] / 2 }
    }

    /// Local temporal aggregation (Eqn. 1): a temporal stride, no temporal padding.
    pub fn lta(channels: [usize; 2], kernel: [usize; 3], stride: usize) -> Self {
        Self { channels, kernel, stride, padding: 0 }
    }

    /// The layer with a Xavier-uniform weight.
    pub fn init(&self, name: &str, init: &mut Init) -> Conv {
        let [ci, co] = self.channels;
        let [kt, kh, kw] = self.kernel;
        Conv {
            weight: init.xavier_uniform([co, ci, kt, kh, kw]),
            name: name.into(),
            stride: self.stride,
            padding: self.padding,
        }
    }
}

/// See [`ConvConfig`].
#[derive(Module, Debug)]
pub struct Conv {
    /// `[co, ci, kt, kh, kw]`.
    pub weight: Param<Tensor<5>>,
    #[module(skip)]
    name: String,
    #[module(skip)]
    stride: usize,
    #[module(skip)]
    padding: usize,
}

impl Conv {
    /// The convolution, computed in `precision`, and the leaky ReLU.
    ///
    /// # Shapes
    /// - x: `[n, ci, t, h, w]`
    /// - result: `[n, co, t', h, w]`, `t' = (t + 2 padding - kt) / stride + 1`
    ///
    /// # Errors
    /// Other channels, or fewer frames than the kernel has.
    pub fn forward(&self, x: Tensor<5>, precision: Precision) -> Result<Tensor<5>, ModelError> {
        let [_, ci, kt, ..] = self.weight.dims();
        check_shape(&self.name, "n c t h w", [None, Some(ci), None, None, None], x.dims())?;
        let found = x.dims()[2];
        if found + 2 * self.padding < kt {
            let least = kt - 2 * self.padding;
            return Err(ModelError::TooFewFrames { layer: self.name.clone(), least, found });
        }
        let conv = |operands| RegionConv {
            stride: self.stride,
            padding: self.padding,
            regions: None,
            leaky: true,
            operands,
        };
        let tensors = [x, self.weight.val()];
        Ok(precision
            .around(tensors, |[x, weight], operands| region_conv3d(x, weight, &conv(operands))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::testing::{test_device, test_tolerance};
    use burn::tensor::TensorData;

    #[test]
    fn lta_of_known_weights_sums_its_frames() {
        let device = test_device();
        let mut lta = ConvConfig::lta([1, 1], [3, 1, 1], 3).init("lta", &mut Init::new(1, &device));
        let ones = Tensor::ones([1, 1, 3, 1, 1], &device);
        lta.weight = Param::initialized(lta.weight.id, ones);
        let frames: Vec<f32> = (0..8).map(|t| if t < 3 { -1.0 } else { t as f32 }).collect();
        let x = Tensor::from_data(TensorData::new(frames, [1, 1, 8, 1, 1]), &device);
        let y = lta.forward(x, Precision::F32).unwrap();
        // Frames 6 and 7 make no whole window; -3 passes the leaky ReLU.
        assert_eq!(y.dims(), [1, 1, 2, 1, 1]);
        let y: Vec<f32> = y.into_data().try_to_vec().unwrap();
        assert!((y[0] + 0.03).abs() < test_tolerance(1e-6));
        assert!((y[1] - 12.0).abs() < test_tolerance(1e-6), "{y:?}");
    }

    #[test]
    fn wrong_channels_and_too_few_frames_name_the_layer() {
        let device = test_device();
        let lta = ConvConfig::lta([2, 2], [3, 1, 1], 3);
        let lta = lta.init("stages.0.lta", &mut Init::new(1, &device));
        for (shape, wanted) in [([1, 3, 9, 4, 4], "c=2"), ([1, 2, 2, 4, 4], "3 frames or more")] {
            let x = Tensor::zeros(shape, &device);
            let message = lta.forward(x, Precision::F32).unwrap_err().to_string();
            assert!(message.contains("stages.0.lta") && message.contains(wanted), "{message}");
        }
    }
}
