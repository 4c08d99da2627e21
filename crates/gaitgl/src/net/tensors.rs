//! All tensors of a network by name: what checkpoints hold, imports fill and exports write.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};

use super::GaitGl;
use super::error::ModelError;
use super::plan::{self, Shapes};
use crate::settings::ModelSettings;
use crate::weights::{TensorProblem, Weight, Weights};

impl GaitGl {
    /// All tensors, running statistics included. Names follow the fields: `stages.1.layers.0.global`,
    /// `head.norm.running_mean`.
    pub fn tensors(&self) -> Weights {
        self.read(true).into_iter().map(|(name, tensor)| (name, tensor.weight)).collect()
    }

    /// The id of each tensor, under which Burn keeps its gradient and its optimiser state.
    pub fn parameter_ids(&self) -> BTreeMap<String, ParamId> {
        self.read(false).into_iter().map(|(name, tensor)| (name, tensor.id)).collect()
    }

    /// The shape of each tensor by its id.
    pub(crate) fn parameter_shapes(&self) -> BTreeMap<u64, Vec<usize>> {
        let tensors = self.read(false).into_values();
        tensors.map(|Named { id, weight }| (id.val(), weight.shape)).collect()
    }

    /// Tensors by name; `values` says whether with their values.
    fn read(&self, values: bool) -> BTreeMap<String, Named> {
        let mut reader = Reader { path: ModulePath::default(), read: BTreeMap::new(), values };
        self.visit(&mut reader);
        reader.read
    }

    /// The network of some settings with these tensors. It allocates nothing of the size that the
    /// settings claim before the tensors are known to have that size.
    ///
    /// # Errors
    /// Settings that describe no network; every tensor that is missing, unused, or of another shape.
    pub fn from_tensors(
        settings: &ModelSettings,
        classes: usize,
        device: &Device,
        tensors: &Weights,
    ) -> Result<Self, ModelError> {
        settings.check()?;
        let problems = differences(&plan::shapes(settings, classes), tensors);
        if !problems.is_empty() {
            return Err(ModelError::Tensors(problems));
        }
        Self::new(settings, classes, 0, device)?.with_tensors(tensors)
    }

    /// The network with these tensors in place of its own.
    ///
    /// # Errors
    /// Lists every tensor that is missing, unused, or of another shape.
    pub fn with_tensors(self, tensors: &Weights) -> Result<Self, ModelError> {
        let own = self.read(false).into_iter().map(|(name, tensor)| (name, tensor.weight.shape));
        let problems = differences(&own.collect(), tensors);
        if !problems.is_empty() {
            return Err(ModelError::Tensors(problems));
        }
        Ok(self.map(&mut Writer { path: ModulePath::default(), tensors }))
    }
}

/// The values of a tensor as f32, row-major.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let values = tensor.into_data().convert::<f32>().try_into_vec();
    values.unwrap_or_else(|_| unreachable!("they have just been made f32"))
}

fn differences(own: &Shapes, given: &Weights) -> Vec<TensorProblem> {
    let problem = |(name, shape): (&String, &Vec<usize>)| {
        let name = name.clone();
        let expected = shape.clone();
        let Some(weight) = given.get(&name) else {
            return Some(TensorProblem::Missing { name, shape: expected });
        };
        let found = weight.shape.clone();
        let values = weight.values.len();
        if found != expected {
            return Some(TensorProblem::Shape { name, found, expected });
        }
        let wrong_length = values != expected.iter().product::<usize>();
        wrong_length.then_some(TensorProblem::Length { name, shape: found, values })
    };
    let unused = given.iter().filter(|(name, _)| !own.contains_key(*name)).map(|(name, weight)| {
        TensorProblem::Unused { name: name.clone(), shape: weight.shape.clone() }
    });
    own.iter().filter_map(problem).chain(unused).collect()
}

/// The field that a traversal has reached. Enum variants leave no trace, so a layer's name does not
/// depend on its kind.
#[derive(Default)]
struct ModulePath(Vec<String>);

impl ModulePath {
    fn enter(&mut self, name: &str, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.push(name.into());
        }
    }

    fn exit(&mut self, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.pop();
        }
    }

    fn name(&self) -> String {
        self.0.join(".")
    }
}

/// A tensor as a traversal finds it.
struct Named {
    id: ParamId,
    weight: Weight,
}

struct Reader {
    path: ModulePath,
    read: BTreeMap<String, Named>,
    /// Whether to read values or only shapes.
    values: bool,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        let values = if self.values { values(tensor) } else { Vec::new() };
        let weight = Weight { shape, values };
        self.read.insert(self.path.name(), Named { id: param.id, weight });
    }
}

struct Writer<'a> {
    path: ModulePath,
    tensors: &'a Weights,
}

impl ModuleMapper for Writer<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(weight) = self.tensors.get(&self.path.name()) else {
            return param;
        };
        let data = TensorData::new(weight.values.clone(), weight.shape.clone());
        param.map(|old| {
            let tensor = Tensor::from_data(data, &old.device());
            if old.is_require_grad() { tensor.require_grad() } else { tensor }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::testing::test_device;
    use crate::net::tests::small;

    fn net(seed: u64) -> GaitGl {
        GaitGl::new(&small("parts-small"), 5, seed, &test_device().autodiff()).unwrap()
    }

    #[test]
    fn names_follow_the_network() {
        let tensors = net(1).tensors();
        let names: Vec<&str> = tensors.keys().map(String::as_str).collect();
        let wanted = [
            "head.classifier.weight",
            "head.fc.weight",
            "head.norm.running_mean",
            "head.norm.running_variance",
            "head.norm.scale",
            "head.norm.shift",
            "pooling.exponent",
            "stages.0.layers.0.weight",
            "stages.0.lta.weight",
            "stages.1.layers.0.global",
            "stages.1.layers.0.local",
            "stages.2.layers.0.global",
            "stages.2.layers.0.local",
            "stages.2.layers.1.global",
            "stages.2.layers.1.local",
        ];
        assert_eq!(names, wanted);
    }

    #[test]
    fn tensors_go_into_another_network_and_stay_trainable() {
        let (a, b) = (net(1), net(2));
        assert_ne!(a.tensors(), b.tensors());
        let b = b.with_tensors(&a.tensors()).unwrap();
        assert_eq!(a.tensors(), b.tensors());
        assert!(b.head.fc.weight.val().is_require_grad());
        let norm = b.head.norm.unwrap();
        assert!(norm.scale.val().is_require_grad() && !norm.running_mean.val().is_require_grad());
        assert_eq!(b.head.fc.weight.id, a.head.fc.weight.id);
    }

    #[test]
    fn every_tensor_that_does_not_fit_is_listed() {
        let mut tensors = net(1).tensors();
        tensors.remove("stages.0.lta.weight");
        tensors.insert("extra".into(), Weight { shape: vec![2], values: vec![0.0; 2] });
        if let Some(weight) = tensors.get_mut("head.classifier.weight") {
            weight.shape[2] = 6;
        }
        let message = net(1).with_tensors(&tensors).unwrap_err().to_string();
        for part in [
            "stages.0.lta.weight (4x4x3x1x1) is missing",
            "extra (2) is unused",
            "head.classifier.weight is 16x8x6, the network has 16x8x5",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
}
