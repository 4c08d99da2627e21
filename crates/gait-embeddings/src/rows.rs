//! Collects the columns of a Parquet file batch by batch, within the limits of a file of its size.

use std::fmt::Display;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow_schema::DataType;

use crate::columns::NAMES;
use crate::error::{ColumnError, Excess, Expected};

/// Names as they are read.
pub struct Names {
    /// In the order of [`NAMES`].
    pub texts: [Vec<String>; NAMES.len()],
    /// Bytes of text that may still come.
    left: u64,
}

impl Names {
    /// Room for so many rows, which have `most` bytes of text together.
    pub fn new(rows: usize, most: u64) -> Self {
        Self { texts: NAMES.map(|_| Vec::with_capacity(rows)), left: most }
    }

    /// Appends to the names of one kind; there is room for each.
    pub fn append(&mut self, kind: usize, column: &ArrayRef) -> Result<(), ColumnError> {
        let into = &mut self.texts[kind];
        check_nulls(column)?;
        if column.len() > into.capacity() - into.len() {
            return Err(ColumnError::MoreRows);
        }
        match column.data_type() {
            DataType::Utf8View => {
                for text in column.as_string_view().iter().flatten() {
                    let left = self.left.checked_sub(text.len() as u64);
                    self.left = left.ok_or(ColumnError::Excess(Excess::Text))?;
                    into.push(text.to_owned());
                }
            }
            DataType::Int64 => append_numbers(into, column.as_primitive::<Int64Type>()),
            DataType::Int32 => append_numbers(into, column.as_primitive::<Int32Type>()),
            DataType::Int16 => append_numbers(into, column.as_primitive::<Int16Type>()),
            DataType::Int8 => append_numbers(into, column.as_primitive::<Int8Type>()),
            DataType::UInt64 => append_numbers(into, column.as_primitive::<UInt64Type>()),
            DataType::UInt32 => append_numbers(into, column.as_primitive::<UInt32Type>()),
            DataType::UInt16 => append_numbers(into, column.as_primitive::<UInt16Type>()),
            DataType::UInt8 => append_numbers(into, column.as_primitive::<UInt8Type>()),
            _ => return Err(wrong_type(column, Expected::Names)),
        }
        Ok(())
    }
}

fn check_nulls(column: &ArrayRef) -> Result<(), ColumnError> {
    if column.null_count() == 0 { Ok(()) } else { Err(ColumnError::Nulls) }
}

fn append_numbers<T: ArrowPrimitiveType<Native: Display>>(
    into: &mut Vec<String>,
    column: &PrimitiveArray<T>,
) {
    into.extend(column.values().iter().map(ToString::to_string));
}

/// Embeddings as they are read.
pub struct Rows {
    /// `[c, p]`, once it is known.
    pub shape: Option<[usize; 2]>,
    /// The values `[n, c, p]`.
    pub values: Vec<f32>,
    /// Rows in all.
    rows: usize,
    /// The most values that they may have.
    most: u64,
}

impl Rows {
    /// None yet of so many rows, which have `most` values together at the most.
    pub fn new(shape: Option<[usize; 2]>, rows: usize, most: u64) -> Self {
        Self { shape, values: Vec::new(), rows, most }
    }

    /// Appends a column of lists, or of lists of lists.
    pub fn append(&mut self, column: &ArrayRef) -> Result<(), ColumnError> {
        check_nulls(column)?;
        let lists =
            column.as_list_opt::<i32>().ok_or_else(|| wrong_type(column, Expected::Lists))?;
        for list in lists.iter().flatten() {
            let (own, row) = flat(&list)?;
            let [channels, strips] = *self.shape.get_or_insert(own.unwrap_or_default());
            let width = channels.checked_mul(strips).filter(|width| *width > 0);
            let width = width.ok_or(ColumnError::NoValues { channels, strips })?;
            if row.len() != width || own.is_some_and(|own| own != [channels, strips]) {
                let found =
                    own.map_or_else(|| row.len().to_string(), |[c, p]| format!("{c} x {p}"));
                let row = self.values.len() / width;
                return Err(ColumnError::RowSize { row, found, channels, strips });
            }
            self.reserve(width)?;
            append_floats(&mut self.values, &row)?;
        }
        Ok(())
    }

    /// Room for all values, once, when the first are there.
    fn reserve(&mut self, width: usize) -> Result<(), ColumnError> {
        if self.values.is_empty() {
            let all = self.rows.checked_mul(width).filter(|all| *all as u64 <= self.most);
            self.values.reserve_exact(all.ok_or(ColumnError::Excess(Excess::Rows))?);
        }
        let room = self.values.capacity() - self.values.len();
        if width <= room { Ok(()) } else { Err(ColumnError::MoreRows) }
    }
}

/// The values of a row in the order `[c, p]`, and this shape if it is a list of lists.
fn flat(row: &ArrayRef) -> Result<(Option<[usize; 2]>, ArrayRef), ColumnError> {
    check_nulls(row)?;
    let Some(lists) = row.as_list_opt::<i32>() else { return Ok((None, row.clone())) };
    let offsets = lists.value_offsets();
    let lengths = offsets.windows(2).map(|pair| pair[1] - pair[0]);
    let strips = lengths.clone().next().unwrap_or(0);
    if lengths.clone().any(|length| length != strips) {
        return Err(ColumnError::UnevenLists);
    }
    let size = |number: i32| usize::try_from(number).map_err(|_| ColumnError::Damaged(None));
    let strips = size(strips)?;
    let start = size(offsets[0])?;
    let values = lists.values().slice(start, lists.len() * strips);
    check_nulls(&values)?;
    Ok((Some([lists.len(), strips]), values))
}

fn wrong_type(column: &ArrayRef, expected: Expected) -> ColumnError {
    ColumnError::Type { found: column.data_type().to_string(), expected }
}

fn append_floats(into: &mut Vec<f32>, row: &ArrayRef) -> Result<(), ColumnError> {
    match row.data_type() {
        DataType::Float16 => {
            into.extend(row.as_primitive::<Float16Type>().values().iter().map(|v| v.to_f32()));
        }
        DataType::Float32 => into.extend(row.as_primitive::<Float32Type>().values()),
        DataType::Float64 => {
            into.extend(row.as_primitive::<Float64Type>().values().iter().map(|v| *v as f32));
        }
        _ => return Err(wrong_type(row, Expected::Floats)),
    }
    Ok(())
}
