//! The tensors of a safetensors file, as an export or another program wrote it.

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::TensorFault;
use super::network::Tensors;
use super::recognise::BATCHES;
use super::torch::{Elements, finite};

/// The tensors of a file by name.
pub struct Contents<'f> {
    tensors: Vec<(String, TensorView<'f>)>,
}

impl<'f> Contents<'f> {
    /// The tensors of an opened file.
    pub fn new(file: &SafeTensors<'f>) -> Self {
        let mut tensors = file.tensors();
        tensors.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self { tensors }
    }

    /// Iterations done: what the batch norm has counted; 0 without one.
    pub fn iteration(&self) -> u64 {
        let counter = self
            .tensors
            .iter()
            .find(|(name, tensor)| name.ends_with(BATCHES) && tensor.dtype() == Dtype::I64);
        let bytes = counter.and_then(|(_, tensor)| tensor.data().first_chunk().copied());
        bytes.map_or(0, |bytes| u64::try_from(i64::from_le_bytes(bytes)).unwrap_or_default())
    }
}

impl Tensors for Contents<'_> {
    fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.shape()))
    }

    fn values(&self, index: usize) -> Result<Vec<f32>, TensorFault> {
        let (_, tensor) = &self.tensors[index];
        match Elements::from_dtype(tensor.dtype()) {
            Some(Elements::Floats(floats)) => finite(floats.read(tensor.data(), false)),
            Some(other) => Err(TensorFault::NotFloats(other.name())),
            None => Err(TensorFault::UnknownType(tensor.dtype())),
        }
    }
}
