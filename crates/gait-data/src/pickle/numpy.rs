//! numpy arrays in pickles, as numpy 1 and 2 write them.

use std::borrow::Cow;

use super::{Call, PickleError, Rules, Value};

/// What the pickle of a numpy array calls: protocols 2 to 4 rebuild it by `_reconstruct` and its
/// state, protocol 5 by `_frombuffer`; protocol 2 writes bytes as text to be encoded.
const NUMPY_FUNCTIONS: [(&str, &str); 9] = [
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
    ("__builtin__", "bytes"),
    ("builtins", "bytes"),
];

/// Rules for pickles of numpy arrays: lists of a hundred thousand frames still fit.
pub const NUMPY_RULES: Rules = Rules { functions: &NUMPY_FUNCTIONS, values: 1 << 20 };

/// Axes that an array of numpy can have.
const MOST_AXES: usize = 64;

/// A numpy array in a pickle.
#[derive(Clone, Debug)]
pub struct NumpyArray<'a> {
    dtype: String,
    shape: Vec<usize>,
    /// Elements from one index to the next, per axis.
    strides: Vec<usize>,
    data: Cow<'a, [u8]>,
}

impl<'a> NumpyArray<'a> {
    /// Reads the array that `value` is.
    ///
    /// # Errors
    /// If it is none, or its parts do not belong together.
    pub fn from_value(value: Value<'_, 'a>) -> Result<Self, PickleError> {
        match value.call() {
            Some(call) if call.name == "_reconstruct" => reconstructed(&call),
            Some(call) if call.name == "_frombuffer" => from_buffer(&call),
            _ => Err(PickleError::NotAnArray { found: value.describe() }),
        }
    }

    /// The element type by numpy's name, such as `uint8`.
    pub fn dtype(&self) -> &str {
        &self.dtype
    }

    /// Its length along each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// "float32 [30, 64, 64]".
    pub fn describe(&self) -> String {
        format!("{} {:?}", self.dtype, self.shape)
    }

    /// The elements of an array of uint8, the last axis running fastest. Borrowed from the file
    /// where it stores them so.
    ///
    /// # Errors
    /// If the elements are something else, or there are more or fewer than the shape says.
    pub fn into_uint8(self) -> Result<Cow<'a, [u8]>, PickleError> {
        if self.dtype != "uint8" {
            return Err(PickleError::NotUint8 { found: self.describe() });
        }
        if product(&self.shape) != Some(self.data.len()) {
            return Err(PickleError::Length { array: self.describe(), bytes: self.data.len() });
        }
        if self.strides == row_major(&self.shape) || self.data.is_empty() {
            return Ok(self.data);
        }
        let mut ordered = Vec::with_capacity(self.data.len());
        let mut index = vec![0; self.shape.len()];
        while ordered.len() < self.data.len() {
            let at: usize = index.iter().zip(&self.strides).map(|(i, stride)| i * stride).sum();
            ordered.push(self.data[at]);
            for (i, length) in index.iter_mut().zip(&self.shape).rev() {
                *i += 1;
                if *i < *length {
                    break;
                }
                *i = 0;
            }
        }
        Ok(Cow::Owned(ordered))
    }
}

fn damaged(what: &'static str) -> PickleError {
    PickleError::DamagedArray(what)
}

/// `_reconstruct(ndarray, (0,), b"b")`, then the state (version, shape, dtype, whether the first
/// axis runs fastest, data).
fn reconstructed<'a>(call: &Call<'_, 'a>) -> Result<NumpyArray<'a>, PickleError> {
    let class = call.arguments.tuple_of::<3>().and_then(|[class, ..]| class.function());
    if class != Some(("numpy", "ndarray")) {
        return Err(damaged("it is of another class than numpy.ndarray"));
    }
    let state = call.state.and_then(Value::tuple_of::<5>);
    let [_, shape, dtype, is_fortran, data] = state.ok_or_else(|| damaged("it has no state"))?;
    let shape = shape_of(shape)?;
    let dtype = dtype_of(dtype)?;
    if data.list().is_some() {
        return Err(PickleError::NotUint8 { found: format!("{dtype} {shape:?}") });
    }
    let strides = match is_fortran.truth() {
        Some(true) => column_major(&shape),
        Some(false) => row_major(&shape),
        None => return Err(damaged("its order is missing")),
    };
    Ok(NumpyArray { dtype, shape, strides, data: bytes_of(data)? })
}

/// `_frombuffer(data, dtype, shape, order)`, and since numpy 2.3 a fifth argument: the axes of
/// the row-major data in the order of the array's.
fn from_buffer<'a>(call: &Call<'_, 'a>) -> Result<NumpyArray<'a>, PickleError> {
    let arguments: Vec<Value> = call.arguments.tuple().into_iter().flatten().collect();
    let [data, dtype, shape, order, axes @ ..] = arguments.as_slice() else {
        return Err(damaged("it lacks arguments"));
    };
    let mut shape = shape_of(*shape)?;
    let dtype = dtype_of(*dtype)?;
    let data = bytes_of(*data)?;
    let mut strides = row_major(&shape);
    match (order.text(), axes) {
        (Some("C"), _) => {}
        (Some("F"), _) => strides = column_major(&shape),
        (Some("K"), [axes]) => {
            let axes = shape_of(*axes)?;
            let mut sorted = axes.clone();
            sorted.sort_unstable();
            if sorted != Vec::from_iter(0..shape.len()) {
                return Err(damaged("its axes are in no order"));
            }
            strides = axes.iter().map(|&axis| strides[axis]).collect();
            shape = axes.iter().map(|&axis| shape[axis]).collect();
        }
        _ => return Err(damaged("its order is missing")),
    }
    Ok(NumpyArray { dtype, shape, strides, data })
}

fn shape_of(value: Value) -> Result<Vec<usize>, PickleError> {
    let lengths = value.tuple().filter(|lengths| lengths.len() <= MOST_AXES);
    let lengths: Option<Vec<usize>> =
        lengths.and_then(|lengths| lengths.map(Value::size).collect());
    lengths.filter(|shape| product(shape).is_some()).ok_or_else(|| damaged("it has no sound shape"))
}

/// `dtype("u1", False, True)`, then the state (3, byte order, ...). The name of the type.
fn dtype_of(value: Value) -> Result<String, PickleError> {
    let call = value.call().filter(|call| (call.module, call.name) == ("numpy", "dtype"));
    let arguments = call.and_then(|call| call.arguments.tuple());
    let code = arguments.and_then(|mut arguments| arguments.next()).and_then(Value::text);
    let code = code.ok_or_else(|| damaged("it has no element type"))?;
    let code: String = code.chars().filter(|c| !c.is_control()).take(20).collect();
    let kind = match code.get(..1) {
        Some("u") => "uint",
        Some("i") => "int",
        Some("f") => "float",
        Some("c") => "complex",
        Some("b") => return Ok("bool".into()),
        Some("O") => return Ok("object".into()),
        _ => return Ok(code),
    };
    let bytes: Option<u8> = code[1..].parse().ok().filter(|bytes| *bytes <= 16);
    Ok(bytes.map_or(code.clone(), |bytes| format!("{kind}{}", 8 * bytes)))
}

/// Bytes, or what protocol 2 writes instead: a call that encodes text as Latin-1.
fn bytes_of<'a>(value: Value<'_, 'a>) -> Result<Cow<'a, [u8]>, PickleError> {
    if let Some(bytes) = value.bytes() {
        return Ok(Cow::Borrowed(bytes));
    }
    let call = value.call().ok_or_else(|| damaged("its data are not bytes"))?;
    match call.name {
        "bytes" if call.arguments.tuple().is_some_and(|none| none.len() == 0) => {
            Ok(Cow::Borrowed(&[]))
        }
        "encode" => {
            let arguments = call.arguments.tuple_of::<2>();
            let latin = |name: &Value| matches!(name.text(), Some("latin1" | "latin-1"));
            let text = arguments.filter(|[_, name]| latin(name)).and_then(|[text, _]| text.text());
            let bytes: Option<Vec<u8>> =
                text.and_then(|text| text.chars().map(|c| u8::try_from(c).ok()).collect());
            bytes.map(Cow::Owned).ok_or_else(|| damaged("its data are not Latin-1"))
        }
        _ => Err(damaged("its data are not bytes")),
    }
}

fn product(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |all, length| all.checked_mul(*length))
}

/// Strides when the last axis runs fastest.
fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = column_major(&Vec::from_iter(shape.iter().rev().copied()));
    strides.reverse();
    strides
}

/// Strides when the first axis runs fastest.
fn column_major(shape: &[usize]) -> Vec<usize> {
    let step = |next: &mut usize, length: &usize| {
        let stride = *next;
        // An axis without length stops the product before anything is indexed.
        *next = next.saturating_mul(*length);
        Some(stride)
    };
    shape.iter().scan(1, step).collect()
}
