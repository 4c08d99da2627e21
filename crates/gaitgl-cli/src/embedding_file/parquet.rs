//! Apache Parquet: one row per sequence.

use std::fs::File;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use arrow_array::builder::{FixedSizeListBuilder, Float32Builder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchReader, StringArray};
use arrow_schema::{DataType, Field, Schema};
use gait_eval::Embeddings;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::ChunkReader;
use parquet::schema::types::ColumnPath;

use super::{NAMES, claims, columns};

/// Values of one row group, so that neither program needs the whole file in memory (64 MiB).
const GROUP: usize = 16 << 20;

pub fn write(file: &mut File, embeddings: &Embeddings) -> anyhow::Result<()> {
    let width = i32::try_from(embeddings.width())
        .context("an embedding has too many values for a .parquet file; write .npz")?;
    let item = Arc::new(Field::new("element", DataType::Float32, false));
    let mut fields: Vec<Field> = NAMES.map(|name| Field::new(name, DataType::Utf8, false)).to_vec();
    fields.push(Field::new("embeddings", DataType::FixedSizeList(Arc::clone(&item), width), false));
    let schema = Arc::new(Schema::new(fields));
    let rows = (GROUP / embeddings.width()).clamp(1, 1 << 16);
    let numbers = [("channels", embeddings.channels), ("strips", embeddings.strips)];
    let numbers = numbers.map(|(name, value)| KeyValue::new(name.to_owned(), value.to_string()));
    // Embeddings hardly repeat, and nobody selects rows by a range of them.
    let values =
        ColumnPath::from(vec!["embeddings".to_owned(), "list".to_owned(), "element".to_owned()]);
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(rows))
        .set_key_value_metadata(Some(numbers.to_vec()))
        .set_column_dictionary_enabled(values.clone(), false)
        .set_column_statistics_enabled(values, EnabledStatistics::None)
        .build();
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))?;
    for start in (0..embeddings.len()).step_by(rows) {
        let end = (start + rows).min(embeddings.len());
        let mut arrays: Vec<ArrayRef> = columns(embeddings)
            .map(|column| Arc::new(StringArray::from_iter_values(&column[start..end])) as ArrayRef)
            .to_vec();
        let mut list =
            FixedSizeListBuilder::new(Float32Builder::new(), width).with_field(Arc::clone(&item));
        for i in start..end {
            list.values().append_slice(embeddings.row(i));
            list.append(true);
        }
        arrays.push(Arc::new(list.finish()));
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), arrays)?)?;
        writer.flush()?;
    }
    writer.close()?;
    Ok(())
}

/// Rows that are read at a time: a text of a dictionary may be long and stand in every row.
const READ_ROWS: usize = 64;

/// Reads the columns whatever their order; `embeddings` may be any list of float32 or float64, the
/// names any text.
pub fn read(file: impl ChunkReader + 'static) -> anyhow::Result<Embeddings> {
    let length = file.len();
    claims::check_columns(&file)?;
    // The schema of Parquet is enough; that of Arrow beside it could be as large as it likes.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::load(&file, options)
        .context("this is no .parquet file, or it is cut short")?;
    for column in metadata.metadata().row_groups().iter().flat_map(|group| group.columns()) {
        claims::check_pages(&file, column, length)
            .with_context(|| format!("column `{}` cannot be read", column.column_path()))?;
    }
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
    let number = |name: &str| -> anyhow::Result<usize> {
        let pairs = builder.metadata().file_metadata().key_value_metadata();
        let pair = pairs.into_iter().flatten().find(|pair| pair.key == name);
        let value = pair.and_then(|pair| pair.value.as_deref()).with_context(|| {
            format!("key-value metadata lack `{name}`: add `channels` and `strips`, or use .npz")
        })?;
        value.parse().with_context(|| format!("`{name}` is {value} in the key-value metadata"))
    };
    let (channels, strips) = (number("channels")?, number("strips")?);
    let width = channels.checked_mul(strips).filter(|width| *width > 0);
    let width = width.context("`channels` x `strips` in the key-value metadata make no size")?;
    let reader = builder.with_batch_size(READ_ROWS).build()?;
    let names: Vec<String> =
        reader.schema().fields().iter().map(|field| field.name().clone()).collect();
    let find = |name: &str| {
        names
            .iter()
            .position(|held| held == name)
            .with_context(|| format!("there is no column `{name}`, only: {}", names.join(", ")))
    };
    let text_columns = [find(NAMES[0])?, find(NAMES[1])?, find(NAMES[2])?];
    let embeddings = find("embeddings")?;
    let mut read: [Vec<String>; 3] = Default::default();
    let mut values = Vec::new();
    let mut texts = 0u64;
    for batch in reader {
        let batch = batch.context("its data cannot be read")?;
        for ((into, at), name) in read.iter_mut().zip(text_columns).zip(NAMES) {
            let before = into.len();
            append_texts(into, batch.column(at), name)?;
            texts += into[before..].iter().map(|text| text.len() as u64).sum::<u64>();
            ensure!(
                texts <= length.saturating_mul(claims::MOST_UNPACKED),
                "column `{name}` has more text than a file of its size can hold"
            );
        }
        append_rows(&mut values, batch.column(embeddings), width)?;
    }
    let [subjects, conditions, views] = read;
    Ok(Embeddings { channels, strips, values, subjects, conditions, views })
}

fn append_texts(into: &mut Vec<String>, column: &ArrayRef, name: &str) -> anyhow::Result<()> {
    ensure!(column.null_count() == 0, "column `{name}` has gaps");
    match column.data_type() {
        DataType::Utf8 => {
            into.extend(column.as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        DataType::LargeUtf8 => {
            into.extend(column.as_string::<i64>().iter().flatten().map(str::to_owned));
        }
        DataType::Utf8View => {
            into.extend(column.as_string_view().iter().flatten().map(str::to_owned));
        }
        other => bail!("column `{name}` is {other}; it must be text"),
    }
    Ok(())
}

fn append_rows(into: &mut Vec<f32>, column: &ArrayRef, width: usize) -> anyhow::Result<()> {
    ensure!(column.null_count() == 0, "column `embeddings` has gaps");
    for i in 0..column.len() {
        let row = match column.data_type() {
            DataType::FixedSizeList(..) => column.as_fixed_size_list().value(i),
            DataType::List(_) => column.as_list::<i32>().value(i),
            DataType::LargeList(_) => column.as_list::<i64>().value(i),
            other => bail!("column `embeddings` is {other}; it must be a list of float32"),
        };
        ensure!(
            row.len() == width && row.null_count() == 0,
            "row {i} of column `embeddings` has {} values; channels x strips are {width}",
            row.len() - row.null_count()
        );
        match row.data_type() {
            DataType::Float32 => into.extend(row.as_primitive::<Float32Type>().values()),
            DataType::Float64 => {
                into.extend(row.as_primitive::<Float64Type>().values().iter().map(|v| *v as f32));
            }
            other => bail!("column `embeddings` holds {other}; it must hold float32"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(metadata: &[(&str, &str)], batch: &RecordBatch) -> File {
        let file = tempfile::tempfile().unwrap();
        let pairs = metadata.iter().map(|(k, v)| KeyValue::new((*k).to_owned(), (*v).to_owned()));
        let properties =
            WriterProperties::builder().set_key_value_metadata(Some(pairs.collect())).build();
        let copy = file.try_clone().unwrap();
        let mut writer = ArrowWriter::try_new(copy, batch.schema(), Some(properties)).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
        file
    }

    /// As pandas writes it: large text, lists of doubles.
    fn others(subjects: Vec<Option<&str>>) -> RecordBatch {
        let list = arrow_array::LargeListArray::from_iter_primitive::<Float64Type, _, _>(vec![
            Some(vec![Some(1.0), Some(2.0)]),
            Some(vec![Some(3.0), Some(4.0)]),
        ]);
        let text = |values| Arc::new(arrow_array::LargeStringArray::from(values)) as ArrayRef;
        RecordBatch::try_from_iter([
            ("embeddings", Arc::new(list) as ArrayRef),
            ("view", text(vec![Some("0"), Some("90")])),
            ("subject", text(subjects)),
            ("condition", text(vec![Some("nm"), Some("")])),
        ])
        .unwrap()
    }

    const SIZES: [(&str, &str); 2] = [("channels", "1"), ("strips", "2")];

    fn check(metadata: &[(&str, &str)], batch: &RecordBatch, problem: &str) {
        let message = format!("{:#}", read(file(metadata, batch)).unwrap_err());
        assert!(message.contains(problem), "{message}");
    }

    #[test]
    fn columns_of_other_types_are_read() {
        let e = read(file(&SIZES, &others(vec![Some("a"), Some("b")]))).unwrap();
        assert_eq!((e.channels, e.strips), (1, 2));
        assert_eq!(e.values, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(e.subjects, ["a", "b"]);
        assert_eq!(e.views, ["0", "90"]);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_mend() {
        let good = others(vec![Some("a"), Some("b")]);
        check(&SIZES[..1], &good, "lack `strips`");
        check(&[("channels", "x"), ("strips", "2")], &good, "`channels` is x");
        check(&[("channels", "2"), ("strips", "2")], &good, "row 0 of column `embeddings` has 2");
        check(&SIZES, &others(vec![Some("a"), None]), "column `subject` has gaps");
        check(
            &SIZES,
            &good.project(&[0, 1, 2]).unwrap(),
            "no column `condition`, only: embeddings",
        );
        let wrong = good.project(&[1, 2, 3]).unwrap();
        let schema = Schema::new(vec![
            Field::new("embeddings", DataType::LargeUtf8, true),
            Field::new("subject", DataType::LargeUtf8, true),
            Field::new("condition", DataType::LargeUtf8, true),
            Field::new("view", DataType::LargeUtf8, true),
        ]);
        let columns = [0, 1, 2, 0].map(|i| Arc::clone(wrong.column(i))).to_vec();
        let wrong = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
        check(&SIZES, &wrong, "must be a list of float32");
    }

    #[test]
    fn a_long_name_of_many_rows_is_refused_before_it_fills_the_memory() {
        // Stored once in a dictionary, it would be read a thousand times.
        let rows = 1000;
        let name = "x".repeat(10_000);
        let list = arrow_array::LargeListArray::from_iter_primitive::<Float64Type, _, _>(vec![
            Some(
                vec![Some(1.0), Some(2.0)]
            );
            rows
        ]);
        let text = |value: &str| {
            Arc::new(arrow_array::LargeStringArray::from(vec![value; rows])) as ArrayRef
        };
        let batch = RecordBatch::try_from_iter([
            ("embeddings", Arc::new(list) as ArrayRef),
            ("subject", text(&name)),
            ("condition", text("nm")),
            ("view", text("90")),
        ]);
        check(&SIZES, &batch.unwrap(), "`subject` has more text than a file of its size can hold");
    }

    #[test]
    fn many_rows_are_written_in_groups() {
        let n = 3;
        let names = (0..n).map(|i| (i.to_string(), "c".to_owned(), "v".to_owned()));
        let width = GROUP / 2;
        let values = vec![0.5; n * width];
        let e = Embeddings::new(width, 1, values, names).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        write(&mut file, &e).unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(file.try_clone().unwrap()).unwrap();
        assert_eq!(builder.metadata().num_row_groups(), 2);
        assert!(read(file).unwrap() == e);
    }
}
