//! NumPy's `.npy`: one array, a header in the syntax of Python and the values.

use std::io::Read;

use arrow_array::ArrowPrimitiveType;
use arrow_array::types::Float16Type;

use crate::error::{ColumnError, Expected};

const MAGIC: &[u8] = b"\x93NUMPY";
/// The values begin at a multiple of this.
const ALIGNMENT: usize = 64;
/// Longest header that is read; ours have 128 bytes.
const LONGEST_HEADER: u64 = 64 << 10;
/// Bytes that are read at a time.
const CHUNK: usize = 64 << 10;

/// A float of two bytes.
type Half = <Float16Type as ArrowPrimitiveType>::Native;

/// The header of an array, of version 1.0 of the format. `dtype` and `shape` are in Python's syntax
/// and must be short.
pub fn header(dtype: &str, shape: &str) -> Vec<u8> {
    let text = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}");
    let start = MAGIC.len() + 4;
    let end = (start + text.len() + 1).next_multiple_of(ALIGNMENT);
    let padding = end - start - text.len() - 1;
    let length = (text.len() + padding + 1) as u16;
    let padded = format!("{text}{:padding$}\n", "");
    [MAGIC, &[1, 0], &length.to_le_bytes(), padded.as_bytes()].concat()
}

/// An array whose header has been read and whose values have not.
pub struct Array<R> {
    dtype: String,
    shape: Vec<usize>,
    /// Bytes of the values.
    left: u64,
    values: R,
}

impl<R: Read> Array<R> {
    /// Reads the header of an array of `size` bytes.
    pub fn parse(size: u64, mut data: R) -> Result<Self, ColumnError> {
        let mut start = [0; 10];
        data.read_exact(&mut start).map_err(|_| ColumnError::NotNpy)?;
        if !start.starts_with(MAGIC) {
            return Err(ColumnError::NotNpy);
        }
        let mut read = |bytes: &mut [u8]| data.read_exact(bytes).map_err(|_| ColumnError::Header);
        let mut length = u64::from(u16::from_le_bytes([start[8], start[9]]));
        let mut used = 10;
        match start[MAGIC.len()] {
            1 => {}
            2 | 3 => {
                let mut more = [0; 2];
                read(&mut more)?;
                length += u64::from(u16::from_le_bytes(more)) << 16;
                used += 2;
            }
            version => return Err(ColumnError::Version(version)),
        }
        let left = size.checked_sub(used + length).filter(|_| length <= LONGEST_HEADER);
        let left = left.ok_or(ColumnError::Header)?;
        let mut header = vec![0; length as usize];
        read(&mut header)?;
        let header = String::from_utf8_lossy(&header);
        let dtype = field(&header, "descr").ok_or(ColumnError::Header)?;
        if field(&header, "fortran_order").ok_or(ColumnError::Header)? != "False" {
            return Err(ColumnError::FortranOrder);
        }
        Ok(Self {
            dtype: dtype.trim_matches(['\'', '"']).to_owned(),
            shape: shape(&header).ok_or(ColumnError::Header)?,
            left,
            values: data,
        })
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values as floats.
    pub fn floats(self) -> Result<Vec<f32>, ColumnError> {
        match Dtype::parse(&self.dtype) {
            Some(Dtype { kind: 'f', size: 2, big_endian }) => {
                self.items(2, swapped(big_endian, 2), |b| Half::from_le_bytes(sized(b)).to_f32())
            }
            Some(Dtype { kind: 'f', size: 4, big_endian }) => {
                self.items(4, swapped(big_endian, 4), |b| f32::from_le_bytes(sized(b)))
            }
            Some(Dtype { kind: 'f', size: 8, big_endian }) => {
                self.items(8, swapped(big_endian, 8), |b| f64::from_le_bytes(sized(b)) as f32)
            }
            _ => Err(ColumnError::Type { found: self.dtype, expected: Expected::Floats }),
        }
    }

    /// The values as text: Unicode, bytes or integers.
    pub fn texts(self) -> Result<Vec<String>, ColumnError> {
        if self.shape.len() != 1 {
            return Err(ColumnError::Axes { shape: self.shape, expected: "[n]" });
        }
        if self.dtype == "|O" {
            return Err(ColumnError::Pickled);
        }
        match Dtype::parse(&self.dtype) {
            Some(Dtype { kind: 'i', size: size @ (1 | 2 | 4 | 8), big_endian }) => {
                self.items(size, swapped(big_endian, size), |b| signed(b).to_string())
            }
            Some(Dtype { kind: 'u', size: size @ (1 | 2 | 4 | 8), big_endian }) => {
                self.items(size, swapped(big_endian, size), |b| unsigned(b).to_string())
            }
            Some(Dtype { kind: 'U', size, big_endian }) => {
                let texts = self.items(size.saturating_mul(4), swapped(big_endian, 4), unicode)?;
                texts.into_iter().collect::<Option<_>>().ok_or(ColumnError::NotUnicode)
            }
            Some(Dtype { kind: 'S', size, .. }) => self.items(size, 1, |bytes| {
                String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
            }),
            _ => Err(ColumnError::Type { found: self.dtype, expected: Expected::Names }),
        }
    }

    /// Reads the values of `size` bytes, as many as the shape has. Before a value is decoded, every
    /// `swap` bytes of it are reversed.
    fn items<T>(
        mut self,
        size: usize,
        swap: usize,
        value: impl Fn(&[u8]) -> T,
    ) -> Result<Vec<T>, ColumnError> {
        let count = self.shape.iter().try_fold(1usize, |count, axis| count.checked_mul(*axis));
        let bytes = count.and_then(|count| count.checked_mul(size));
        let Some(mut left) = bytes.filter(|bytes| *bytes as u64 == self.left && size > 0) else {
            let Self { dtype, shape, left: bytes, .. } = self;
            return Err(ColumnError::Length { bytes, shape, dtype });
        };
        let damaged = |error: std::io::Error| ColumnError::Damaged(Some(error.into()));
        let mut values = Vec::with_capacity(left / size);
        let mut chunk = vec![0; (CHUNK / size).max(1) * size];
        while left > 0 {
            let some = chunk.len().min(left);
            let bytes = &mut chunk[..some];
            self.values.read_exact(bytes).map_err(damaged)?;
            if swap > 1 {
                bytes.chunks_exact_mut(swap).for_each(<[u8]>::reverse);
            }
            values.extend(bytes.chunks_exact(size).map(&value));
            left -= some;
        }
        // A zip archive compares its checksum at the end of an entry.
        let end = self.values.read(&mut [0]).map_err(damaged)?;
        if end == 0 { Ok(values) } else { Err(ColumnError::Damaged(None)) }
    }
}

/// The type of the values: `<f4` are little-endian floats of 4 bytes, `>U3` texts of 3 big-endian
/// characters.
struct Dtype {
    kind: char,
    /// Bytes of a number, characters of a text.
    size: usize,
    big_endian: bool,
}

impl Dtype {
    fn parse(text: &str) -> Option<Self> {
        let mut characters = text.chars();
        let big_endian = match characters.next()? {
            '<' | '|' => false,
            '>' => true,
            _ => return None,
        };
        Some(Self { kind: characters.next()?, size: characters.as_str().parse().ok()?, big_endian })
    }
}

/// How many bytes to reverse at a time to make units of this size little-endian.
fn swapped(big_endian: bool, unit: usize) -> usize {
    if big_endian { unit } else { 1 }
}

/// The bytes of one number, of which [`Array::items`] gives exactly as many.
fn sized<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}

/// A little-endian number of up to 8 bytes.
fn unsigned(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A little-endian number of up to 8 bytes in two's complement.
fn signed(bytes: &[u8]) -> i64 {
    let unused = 64 - 8 * bytes.len();
    (unsigned(bytes) << unused).cast_signed() >> unused
}

/// UTF-32 with zeros at the end.
fn unicode(bytes: &[u8]) -> Option<String> {
    let points = bytes.chunks_exact(4).map(|b| u32::from_le_bytes(sized(b)));
    let text: String = points.map(char::from_u32).collect::<Option<_>>()?;
    Some(text.trim_end_matches('\0').to_owned())
}

/// The text of a plain value in the header's Python dictionary.
fn field<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = header.split_once(&format!("'{key}':"))?;
    Some(rest.trim_start().split([',', '}']).next()?.trim())
}

fn shape(header: &str) -> Option<Vec<usize>> {
    let (_, rest) = header.split_once("'shape':")?;
    let (inside, _) = rest.trim_start().strip_prefix('(')?.split_once(')')?;
    let axes = inside.split(',').map(str::trim).filter(|axis| !axis.is_empty());
    axes.map(|axis| axis.parse().ok()).collect()
}
