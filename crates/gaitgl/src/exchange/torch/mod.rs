//! Files of `torch.save`: a pickle that names storages, and the storages beside it.
//!
//! Zip files (PyTorch 1.6 and newer), little and big endian, and the format before them, which is
//! always little endian. [`gait_data::pickle`] reads the pickle and executes nothing; the pickle may
//! name only the functions below. Memory is bounded: a tensor takes no more values than its storage
//! has, and a storage no more bytes than the file can hold.

mod elements;
mod error;
mod legacy;
mod tensor;
mod write;
mod zipped;

use gait_data::pickle::{Pickle, Rules, Value};

use tensor::Storage;

pub use elements::Elements;
pub use error::{MemberFault, TensorFault, TorchFault};
pub use tensor::TensorRef;
pub use write::{NamedTensor, Values, write};

/// The functions that a checkpoint of PyTorch may name. The storages hold numbers, the others put
/// them together. Counters, numpy's scalars, sizes and default dictionaries occur in the state of
/// learning-rate schedulers and among the figures that training code saves beside the network.
const FUNCTIONS: [(&str, &str); 31] = [
    ("collections", "OrderedDict"),
    ("collections", "Counter"),
    ("collections", "defaultdict"),
    ("builtins", "dict"),
    ("__builtin__", "dict"),
    ("builtins", "set"),
    ("__builtin__", "set"),
    ("builtins", "list"),
    ("__builtin__", "list"),
    ("builtins", "int"),
    ("__builtin__", "int"),
    ("builtins", "float"),
    ("__builtin__", "float"),
    ("torch._utils", "_rebuild_tensor"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch", "Size"),
    ("torch", "FloatStorage"),
    ("torch", "DoubleStorage"),
    ("torch", "HalfStorage"),
    ("torch", "BFloat16Storage"),
    ("torch", "LongStorage"),
    ("torch", "IntStorage"),
    ("torch", "ShortStorage"),
    ("torch", "CharStorage"),
    ("torch", "ByteStorage"),
    ("torch", "BoolStorage"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
];

/// At most this many values: the pickle of the largest network makes some thousands.
const RULES: Rules = Rules { functions: &FUNCTIONS, values: 1 << 18 };
/// Bytes that the pickle of a zip file may have; those of the largest networks have some ten
/// thousand.
const LONGEST_PICKLE: u64 = 4 << 20;

/// Whether the bytes are, or once were, a whole file of `torch.save`.
pub fn is_torch_file(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"PK") {
        const PICKLE: &[u8] = b"/data.pkl";
        return bytes.windows(PICKLE.len()).any(|window| window == PICKLE);
    }
    legacy::magic_length(bytes).is_some()
}

/// A file of `torch.save` in memory.
pub struct TorchFile {
    container: Container,
}

enum Container {
    Zipped(zipped::Zipped),
    Legacy(legacy::Legacy),
}

impl TorchFile {
    /// Finds the pickle in the bytes of a file; the storages stay where they are.
    ///
    /// # Errors
    /// A file that is damaged or of another format.
    pub fn open(bytes: Vec<u8>) -> Result<Self, TorchFault> {
        let container = if bytes.starts_with(b"PK") {
            Container::Zipped(zipped::Zipped::open(bytes)?)
        } else {
            Container::Legacy(legacy::Legacy::open(bytes)?)
        };
        Ok(Self { container })
    }

    /// The saved object.
    ///
    /// # Errors
    /// A damaged pickle, or one that names what is not allowed.
    pub fn pickle(&self) -> Result<Pickle<'_>, TorchFault> {
        let bytes = match &self.container {
            Container::Zipped(file) => file.pickle(),
            Container::Legacy(file) => file.pickle(),
        };
        read_pickle(bytes)
    }

    /// The values of a tensor, row-major.
    ///
    /// # Errors
    /// A storage that is missing, truncated or of another size than the tensor says, or that holds
    /// no floating-point numbers; values that are not finite in f32.
    pub fn values(&self, tensor: &TensorRef) -> Result<Vec<f32>, TensorFault> {
        let Storage { key, elements, count } = tensor.storage;
        let Elements::Floats(floats) = elements else {
            return Err(TensorFault::NotFloats(elements.name()));
        };
        let length = count.checked_mul(elements.size()).ok_or(TensorFault::Size)?;
        let values = match &self.container {
            Container::Zipped(file) => floats.read(&file.storage(key, length)?, file.big_endian()),
            Container::Legacy(file) => floats.read(file.storage(key, length)?, false),
        };
        finite(tensor.gather(&values))
    }
}

/// Values of which all are finite.
///
/// # Errors
/// How many are not.
pub fn finite(values: Vec<f32>) -> Result<Vec<f32>, TensorFault> {
    let count = values.iter().filter(|value| !value.is_finite()).count();
    if count == 0 { Ok(values) } else { Err(TensorFault::NotFinite { count }) }
}

pub(super) fn read_pickle(bytes: &[u8]) -> Result<Pickle<'_>, TorchFault> {
    Ok(Pickle::read(bytes, &RULES)?)
}

/// How many more places of a file may be visited. Values can contain each other, or occur in so
/// many places that visiting each would never end.
pub struct VisitBudget(usize);

impl Default for VisitBudget {
    fn default() -> Self {
        Self(4 * RULES.values)
    }
}

/// Visits every value under `root`, once for each place where it occurs.
///
/// # Errors
/// More places than the budget has.
fn walk<'p, 'a>(
    root: Value<'p, 'a>,
    budget: &mut VisitBudget,
    mut visit: impl FnMut(Value<'p, 'a>) -> Result<(), TorchFault>,
) -> Result<(), TorchFault> {
    let mut left = vec![root];
    while let Some(value) = left.pop() {
        if left.len() >= budget.0 {
            return Err(TorchFault::TooNested);
        }
        budget.0 -= 1;
        visit(value)?;
        left.extend(value.tuple().into_iter().flatten());
        left.extend(value.list().into_iter().flatten());
        left.extend(value.pairs().into_iter().flatten().flatten());
        left.extend(value.persistent());
        if let Some(call) = value.call() {
            left.push(call.arguments);
            left.extend(call.state);
        }
    }
    Ok(())
}

/// Whether there is a tensor anywhere under `root`.
///
/// # Errors
/// More places than the budget has.
pub fn holds_tensors(root: Value<'_, '_>, budget: &mut VisitBudget) -> Result<bool, TorchFault> {
    let mut found = false;
    walk(root, budget, |value| {
        found |= value.persistent().is_some();
        Ok(())
    })?;
    Ok(found)
}
