//! The network that the tensors of a file make up, whatever the format of the file.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::printable;
use super::recognise::{Candidate, recognise};
use super::{ExchangeError, ImportFault, ImportOptions, TensorFault};
use crate::net::plan::Shapes;
use crate::settings::Settings;
use crate::weights::{Weight, Weights};

/// The most values for each byte of a file. Neither PyTorch nor safetensors packs values, which
/// take two bytes or more; the rest is for files that were packed afterwards.
const MOST_VALUES: usize = 16;

/// The named tensors of a file.
pub trait Tensors {
    /// Name and shape of each tensor, in the order of the file.
    fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])>;

    /// The values of a tensor by its place in that order, row-major.
    ///
    /// # Errors
    /// Values that are missing, not floating-point numbers or not finite.
    fn values(&self, index: usize) -> Result<Vec<f32>, TensorFault>;
}

/// A network out of a file.
pub struct ImportedNetwork {
    /// Its settings.
    pub settings: Settings,
    /// The names of its classes.
    pub subjects: Vec<String>,
    /// Its tensors by our names.
    pub weights: Weights,
    /// Our name of each of the file's tensors, by its name there.
    pub names: BTreeMap<String, String>,
    /// Names that are known but not needed.
    pub dropped: Vec<String>,
}

/// Reads the network out of a file of `length` bytes; `path` names it in errors.
///
/// # Errors
/// Tensors of another network, each of them listed; values that cannot be used; more subjects than
/// classes.
pub fn read(
    path: &Path,
    tensors: &impl Tensors,
    length: usize,
    options: &ImportOptions,
) -> Result<ImportedNetwork, ExchangeError> {
    let fault = |source: ImportFault| ExchangeError::import(path, source);
    let candidate = accounted(path, tensors, options)?;
    let Candidate { settings, classes, names, dropped, .. } = candidate;
    let has_classifier = settings.model.neck.classifies();
    let subjects = class_names(options.subjects.as_deref(), classes, has_classifier);
    let subjects = subjects.map_err(fault)?;
    let mut weights = Weights::new();
    check_size(tensors, &names, length).map_err(fault)?;
    for (index, (name, shape)) in tensors.shapes().enumerate() {
        let Some(ours) = names.get(name) else { continue };
        let unreadable = |source| fault(ImportFault::Tensor { name: printable(name), source });
        let values = tensors.values(index).map_err(unreadable)?;
        weights.insert(ours.clone(), Weight { shape: shape.to_vec(), values });
    }
    Ok(ImportedNetwork { settings, subjects, weights, names, dropped })
}

/// Checks before anything is read that the tensors have no more values than the file can hold: one
/// storage may serve many tensors, and be packed.
fn check_size(
    tensors: &impl Tensors,
    names: &BTreeMap<String, String>,
    length: usize,
) -> Result<(), ImportFault> {
    let used = tensors.shapes().filter(|(name, _)| names.contains_key(*name));
    let product = |shape: &[usize]| shape.iter().copied().fold(1, usize::saturating_mul);
    let values = used.map(|(_, shape)| product(shape)).fold(0, usize::saturating_add);
    if values > length.saturating_mul(MOST_VALUES) {
        return Err(ImportFault::TooManyValues);
    }
    Ok(())
}

/// The names of the classes. A network without a classifier has none; its subjects are only those
/// that training continues with.
fn class_names(
    subjects: Option<&[String]>,
    classes: usize,
    has_classifier: bool,
) -> Result<Vec<String>, ImportFault> {
    let Some(subjects) = subjects else {
        return Ok((0..classes).map(|class| class.to_string()).collect());
    };
    let count = subjects.len();
    if count > classes && has_classifier {
        return Err(ImportFault::TooManySubjects { classes, subjects: count });
    }
    let mut names = subjects.to_vec();
    names.resize(count.max(classes), String::new());
    Ok(names)
}

/// The network that all tensors belong to.
fn accounted(
    path: &Path,
    tensors: &impl Tensors,
    options: &ImportOptions,
) -> Result<Candidate, ExchangeError> {
    let shapes: Shapes =
        tensors.shapes().map(|(name, shape)| (name.to_owned(), shape.to_vec())).collect();
    let Some(candidate) = recognise(&shapes, options)? else {
        let names = shapes.keys().take(4).map(|name| printable(name)).collect();
        let source = ImportFault::UnknownNetwork { count: shapes.len(), names };
        return Err(ExchangeError::import(path, source));
    };
    if candidate.problems.is_empty() {
        return Ok(candidate);
    }
    let preset = candidate.settings.preset;
    Err(ExchangeError::Tensors { path: path.into(), preset, problems: candidate.problems })
}
