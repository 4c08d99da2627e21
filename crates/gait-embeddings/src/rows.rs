//! The columns of a Parquet file, batch by batch: names and embeddings, no more than a file of its
//! size can hold.

use std::fmt::Display;

use anyhow::{Context, bail, ensure};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow_schema::DataType;

use crate::NAMES;
use crate::claims::PLAINLY;

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
    pub fn append(&mut self, kind: usize, column: &ArrayRef) -> anyhow::Result<()> {
        let into = &mut self.texts[kind];
        ensure!(column.null_count() == 0, "has gaps");
        ensure!(column.len() <= into.capacity() - into.len(), "has more rows than the file says");
        match column.data_type() {
            DataType::Utf8View => {
                for text in column.as_string_view().iter().flatten() {
                    let left = self.left.checked_sub(text.len() as u64);
                    self.left = left.with_context(|| {
                        format!("has more text than a file of its size can hold; {PLAINLY}")
                    })?;
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
            other => bail!("is {other}; it must be text or integers"),
        }
        Ok(())
    }
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
    pub fn append(&mut self, column: &ArrayRef) -> anyhow::Result<()> {
        ensure!(column.null_count() == 0, "has gaps");
        let lists = column.as_list_opt::<i32>().context("is no list")?;
        for list in lists.iter().flatten() {
            let (own, row) = flat(&list)?;
            let [c, p] = *self.shape.get_or_insert(own.unwrap_or_default());
            let width = c.checked_mul(p).filter(|width| *width > 0);
            let width = width.with_context(|| format!("has {c} channels x {p} strips"))?;
            ensure!(
                row.len() == width && own.is_none_or(|own| own == [c, p]),
                "has {} values in row {}; channels x strips are {c} x {p}",
                own.map_or_else(|| row.len().to_string(), |[c, p]| format!("{c} x {p}")),
                self.values.len() / width
            );
            self.reserve(width)?;
            append_floats(&mut self.values, &row)?;
        }
        Ok(())
    }

    /// Room for all values, once, when the first are there.
    fn reserve(&mut self, width: usize) -> anyhow::Result<()> {
        if self.values.is_empty() {
            let all = self.rows.checked_mul(width).filter(|all| *all as u64 <= self.most);
            let all = all.context("has more rows than a file of its size can hold")?;
            self.values.reserve_exact(all);
        }
        let room = width <= self.values.capacity() - self.values.len();
        ensure!(room, "has more rows than the file says");
        Ok(())
    }
}

/// The values of a row in the order `[c, p]`, and this shape if it is a list of lists.
fn flat(row: &ArrayRef) -> anyhow::Result<(Option<[usize; 2]>, ArrayRef)> {
    ensure!(row.null_count() == 0, "has gaps");
    let Some(lists) = row.as_list_opt::<i32>() else { return Ok((None, row.clone())) };
    let offsets = lists.value_offsets();
    let lengths = offsets.windows(2).map(|pair| pair[1] - pair[0]);
    let strips = lengths.clone().next().unwrap_or(0);
    ensure!(lengths.clone().all(|length| length == strips), "has lists of different lengths");
    let strips = usize::try_from(strips)?;
    let start = usize::try_from(offsets[0])?;
    let values = lists.values().slice(start, lists.len() * strips);
    ensure!(values.null_count() == 0, "has gaps");
    Ok((Some([lists.len(), strips]), values))
}

fn append_floats(into: &mut Vec<f32>, row: &ArrayRef) -> anyhow::Result<()> {
    match row.data_type() {
        DataType::Float16 => {
            into.extend(row.as_primitive::<Float16Type>().values().iter().map(|v| v.to_f32()));
        }
        DataType::Float32 => into.extend(row.as_primitive::<Float32Type>().values()),
        DataType::Float64 => {
            into.extend(row.as_primitive::<Float64Type>().values().iter().map(|v| *v as f32));
        }
        other => bail!("holds {other}; it must hold float32"),
    }
    Ok(())
}
