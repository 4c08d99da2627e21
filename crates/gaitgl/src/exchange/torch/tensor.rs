//! A tensor as a pickle describes it: a window into a storage.

use gait_data::pickle::{Call, Value};

use super::{Elements, TensorFault};

/// Axes that a tensor may have.
const MOST_AXES: usize = 8;

/// A storage as a pickle describes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Storage<'a> {
    /// Its name.
    pub key: &'a str,
    /// The type of its elements.
    pub elements: Elements,
    /// How many elements it holds.
    pub count: usize,
}

/// A tensor in a storage. No values are read yet, but all of them lie within the storage.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorRef<'a> {
    /// The storage.
    pub(super) storage: Storage<'a>,
    /// The first element.
    pub offset: usize,
    /// Size of each axis.
    pub shape: Vec<usize>,
    /// Elements from one index to the next, per axis.
    pub strides: Vec<usize>,
}

impl<'a> TensorRef<'a> {
    /// The tensor that `value` rebuilds, `None` if it is something else.
    ///
    /// # Errors
    /// A tensor that reaches beyond its storage, or more values than the storage has.
    pub fn from_value(value: Value<'_, 'a>) -> Result<Option<Self>, TensorFault> {
        let Some(mut call) = value.call() else { return Ok(None) };
        if call.name == "_rebuild_parameter" {
            let data = call.arguments.tuple().and_then(|mut arguments| arguments.next());
            call = data.and_then(Value::call).ok_or(TensorFault::NoTensor)?;
        }
        match call.name {
            "_rebuild_tensor" | "_rebuild_tensor_v2" => Self::rebuilt(&call).map(Some),
            _ => Ok(None),
        }
    }

    fn rebuilt(call: &Call<'_, 'a>) -> Result<Self, TensorFault> {
        let arguments: Vec<Value> = call.arguments.tuple().into_iter().flatten().collect();
        let [storage, offset, shape, strides, ..] = arguments.as_slice() else {
            return Err(TensorFault::Arguments);
        };
        let storage = Storage::from_value(*storage)?;
        let offset = offset.size().ok_or(TensorFault::Offset)?;
        let shape = sizes(*shape).ok_or(TensorFault::Shape)?;
        let strides = sizes(*strides).filter(|strides| strides.len() == shape.len());
        let strides = strides.ok_or(TensorFault::Strides)?;
        let tensor = Self { storage, offset, shape, strides };
        if tensor.fits() { Ok(tensor) } else { Err(TensorFault::BeyondStorage) }
    }

    /// How many values it has; at most as many as the storage.
    pub fn len(&self) -> usize {
        if self.shape.contains(&0) { 0 } else { self.shape.iter().product() }
    }

    fn fits(&self) -> bool {
        if self.shape.contains(&0) {
            return self.offset <= self.storage.count;
        }
        let count = self.shape.iter().try_fold(1usize, |all, size| all.checked_mul(*size));
        let last =
            self.shape.iter().zip(&self.strides).try_fold(self.offset, |at, (size, stride)| {
                at.checked_add((size - 1).checked_mul(*stride)?)
            });
        let stored = self.storage.count;
        count.is_some_and(|count| count <= stored) && last.is_some_and(|at| at < stored)
    }

    /// Its values, row-major, from those of the whole storage.
    pub fn gather(&self, storage: &[f32]) -> Vec<f32> {
        if self.shape.contains(&0) {
            return Vec::new();
        }
        let mut places = vec![self.offset];
        for (&size, &stride) in self.shape.iter().zip(&self.strides) {
            let steps = |start: usize| (0..size).map(move |index| start + index * stride);
            places = places.into_iter().flat_map(steps).collect();
        }
        places.into_iter().filter_map(|place| storage.get(place).copied()).collect()
    }
}

impl<'a> Storage<'a> {
    /// `("storage", torch.FloatStorage, key, location, elements)`; before PyTorch 1.6 with one more
    /// member, which is `None` unless the storage is part of another one.
    pub fn from_value(value: Value<'_, 'a>) -> Result<Self, TensorFault> {
        let parts: Vec<Value> =
            value.persistent().and_then(Value::tuple).into_iter().flatten().collect();
        let ([kind, class, key, _, count] | [kind, class, key, _, count, _]) = parts.as_slice()
        else {
            return Err(TensorFault::NoStorage);
        };
        if parts.get(5).is_some_and(|view| !view.is_none()) {
            return Err(TensorFault::StorageView);
        }
        let elements = class.function().and_then(|(_, name)| Elements::from_storage(name));
        match (kind.text(), elements, key.text(), count.size()) {
            (Some("storage"), Some(elements), Some(key), Some(count)) => {
                Ok(Self { key, elements, count })
            }
            _ => Err(TensorFault::DamagedStorage),
        }
    }
}

fn sizes(value: Value) -> Option<Vec<usize>> {
    let sizes = value.tuple().filter(|sizes| sizes.len() <= MOST_AXES)?;
    sizes.map(Value::size).collect()
}

#[cfg(test)]
mod tests {
    use super::super::elements::Floats;
    use super::*;

    fn window(offset: usize, shape: &[usize], strides: &[usize]) -> TensorRef<'static> {
        let elements = Elements::Floats(Floats::Float32);
        let storage = Storage { key: "0", elements, count: 12 };
        TensorRef { storage, offset, shape: shape.to_vec(), strides: strides.to_vec() }
    }

    #[test]
    fn views_are_gathered_by_their_strides() {
        let storage: Vec<f32> = (0..12u8).map(f32::from).collect();
        assert_eq!(window(1, &[2, 3], &[1, 4]).gather(&storage), [1., 5., 9., 2., 6., 10.]);
        assert_eq!(window(5, &[], &[]).gather(&storage), [5.0]);
        assert!(window(0, &[2, 0], &[1, 1]).gather(&storage).is_empty());
    }

    #[test]
    fn what_reaches_beyond_the_storage_does_not_fit() {
        assert!(window(0, &[3, 4], &[4, 1]).fits());
        assert!(window(11, &[1], &[usize::MAX]).fits());
        assert!(!window(1, &[3, 4], &[4, 1]).fits());
        assert!(!window(12, &[], &[]).fits());
        assert!(!window(0, &[2, 2], &[usize::MAX, usize::MAX]).fits());
        assert!(!window(0, &[usize::MAX, 2], &[0, 0]).fits());
        // A window that repeats elements could be larger than any file.
        assert!(!window(0, &[13], &[0]).fits());
    }
}
