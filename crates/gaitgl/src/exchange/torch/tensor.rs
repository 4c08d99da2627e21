//! A tensor as a pickle describes it: a window into a storage.

use gait_data::pickle::{Call, Value};

use super::Elements;

/// Axes that a tensor may have.
const MOST_AXES: usize = 8;

/// A tensor in a storage; nothing is read yet, but everything lies within the storage.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorRef<'a> {
    /// The storage's name.
    pub key: &'a str,
    /// What it holds.
    pub elements: Elements,
    /// How many the whole storage holds.
    pub stored: usize,
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
    pub fn of(value: Value<'_, 'a>) -> Result<Option<Self>, String> {
        let Some(mut call) = value.call() else { return Ok(None) };
        if call.name == "_rebuild_parameter" {
            let data = call.arguments.tuple().and_then(|mut arguments| arguments.next());
            call = data.and_then(Value::call).ok_or("is a parameter without a tensor")?;
        }
        match call.name {
            "_rebuild_tensor" | "_rebuild_tensor_v2" => Self::rebuilt(&call).map(Some),
            _ => Ok(None),
        }
    }

    fn rebuilt(call: &Call<'_, 'a>) -> Result<Self, String> {
        let arguments: Vec<Value> = call.arguments.tuple().into_iter().flatten().collect();
        let [storage, offset, shape, strides, ..] = arguments.as_slice() else {
            return Err("lacks arguments".into());
        };
        let (key, elements, stored) = storage_of(*storage)?;
        let offset = offset.size().ok_or("starts at no element")?;
        let shape = sizes(*shape).ok_or("has no sound shape")?;
        let strides = sizes(*strides).filter(|strides| strides.len() == shape.len());
        let strides = strides.ok_or("has no sound strides")?;
        let tensor = Self { key, elements, stored, offset, shape, strides };
        if tensor.fits() { Ok(tensor) } else { Err("reaches beyond its storage".into()) }
    }

    /// How many values it has. Where there are any, the storage has as many and more.
    pub fn len(&self) -> usize {
        if self.shape.contains(&0) { 0 } else { self.shape.iter().product() }
    }

    fn fits(&self) -> bool {
        if self.shape.contains(&0) {
            return self.offset <= self.stored;
        }
        let count = self.shape.iter().try_fold(1usize, |all, size| all.checked_mul(*size));
        let last =
            self.shape.iter().zip(&self.strides).try_fold(self.offset, |at, (size, stride)| {
                at.checked_add((size - 1).checked_mul(*stride)?)
            });
        count.is_some_and(|count| count <= self.stored) && last.is_some_and(|at| at < self.stored)
    }

    /// The values out of those of the whole storage, row-major.
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

/// `("storage", torch.FloatStorage, key, location, elements)`; before PyTorch 1.6 with one more
/// member, which is `None` unless the storage is part of another one.
pub(super) fn storage_of<'a>(value: Value<'_, 'a>) -> Result<(&'a str, Elements, usize), String> {
    let parts: Vec<Value> =
        value.persistent().and_then(Value::tuple).into_iter().flatten().collect();
    let ([kind, class, key, _, count] | [kind, class, key, _, count, _]) = parts.as_slice() else {
        return Err("is in no storage".into());
    };
    if parts.get(5).is_some_and(|view| !view.is_none()) {
        return Err("is in a part of another storage, as PyTorch before 0.4 wrote".into());
    }
    let elements = class.function().and_then(|(_, name)| Elements::of_storage(name));
    match (kind.text(), elements, key.text(), count.size()) {
        (Some("storage"), Some(elements), Some(key), Some(count)) => Ok((key, elements, count)),
        _ => Err("is in no sound storage".into()),
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
        let (shape, strides) = (shape.to_vec(), strides.to_vec());
        TensorRef {
            key: "0",
            elements: Elements::Floats(Floats::Float32),
            stored: 12,
            offset,
            shape,
            strides,
        }
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
