//! Golden tensors and their comparison.

use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use gaitgl::mask::Regions;
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use crate::testing::{test_device, test_tolerance};

/// Largest difference on the CPU in the forward direction, relative to the largest golden value.
pub const FORWARD: f32 = 1e-4;
/// The same for gradients, which sum more roundings.
pub const BACKWARD: f32 = 1e-3;

/// One file of golden tensors.
pub struct Fixture {
    bytes: Vec<u8>,
}

impl Fixture {
    pub fn open(name: &str) -> Self {
        let path = format!("{}/tests/fixtures/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        Self { bytes: std::fs::read(path).unwrap() }
    }

    fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).unwrap()
    }

    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.file().names().into_iter().map(String::from).collect();
        names.sort();
        names
    }

    /// A text beside the tensors.
    pub fn text(&self, name: &str) -> String {
        let (_, header) = SafeTensors::read_metadata(&self.bytes).unwrap();
        header.metadata().as_ref().unwrap()[name].clone()
    }

    pub fn shape(&self, name: &str) -> Vec<usize> {
        self.file().tensor(name).unwrap_or_else(|_| panic!("{name}")).shape().to_vec()
    }

    pub fn floats(&self, name: &str) -> Vec<f32> {
        let file = self.file();
        let tensor = file.tensor(name).unwrap_or_else(|_| panic!("{name}"));
        match tensor.dtype() {
            Dtype::F32 => {
                let words = tensor.data().chunks_exact(4);
                words.map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
            }
            Dtype::U8 => tensor.data().iter().map(|&b| f32::from(b)).collect(),
            other => panic!("{name} is {other:?}"),
        }
    }

    pub fn integers(&self, name: &str) -> Vec<i64> {
        let file = self.file();
        let tensor = file.tensor(name).unwrap_or_else(|_| panic!("{name}"));
        assert_eq!(tensor.dtype(), Dtype::I64);
        let words = tensor.data().chunks_exact(8);
        words.map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect()
    }

    pub fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
        let data = TensorData::new(self.floats(name), self.shape(name));
        Tensor::from_data(data, device)
    }

    /// A tensor that asks for its gradient.
    pub fn leaf<const D: usize>(&self, name: &str) -> Tensor<D> {
        self.tensor(name, &test_device().autodiff()).require_grad()
    }

    pub fn regions(&self, name: &str) -> Regions {
        let labels = self.integers(name).into_iter().map(|label| label as i32).collect();
        let shape = self.shape(name);
        Regions::new(shape[0], shape[1], labels).unwrap()
    }

    pub fn labels(&self, name: &str) -> Vec<usize> {
        self.integers(name).into_iter().map(|label| label as usize).collect()
    }

    /// Shape, then values, each within `tolerance` of the largest golden value.
    pub fn check<const D: usize>(&self, name: &str, got: &Tensor<D>, tolerance: f32) {
        assert_eq!(got.dims().to_vec(), self.shape(name), "{name}");
        self.check_values(name, &got.clone().into_data().try_to_vec().unwrap(), tolerance);
    }

    pub fn check_values(&self, name: &str, got: &[f32], tolerance: f32) {
        let want = self.floats(name);
        assert_eq!(got.len(), want.len(), "{name}");
        let largest = want.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        assert!(largest > 0.0, "{name} is all zero and would hide a missing value");
        for (i, (got, want)) in got.iter().zip(&want).enumerate() {
            let apart = (got - want).abs();
            assert!(
                apart <= test_tolerance(tolerance) * largest,
                "{name}[{i}]: {got}, golden {want}"
            );
        }
    }

    /// The forward values and, with the golden gradient of the output, those of the leaves.
    pub fn check_layer<const D: usize, const L: usize>(
        &self,
        prefix: &str,
        y: &Tensor<D>,
        leaves: &[(&str, &Tensor<L>)],
    ) -> Gradients {
        self.check(&format!("{prefix}.y"), y, FORWARD);
        let by_y = self.tensor::<D>(&format!("{prefix}.by_y"), &y.device());
        let grads = (y.clone() * by_y).sum().backward();
        for (name, leaf) in leaves {
            self.check(&format!("{prefix}.by_{name}"), &leaf.grad(&grads).unwrap(), BACKWARD);
        }
        grads
    }
}

/// The frames of a clip in the given order.
pub fn frames(clips: &Tensor<5>, order: &[i64]) -> Tensor<5> {
    let order = Tensor::<1, Int>::from_data(order, &clips.device());
    clips.clone().select(2, order)
}
