//! Apache Parquet: one row per sequence.

use std::fs::File;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use arrow_array::builder::{FixedSizeListBuilder, Float32Builder};
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use gait_eval::Embeddings;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::ChunkReader;
use parquet::schema::types::ColumnPath;

use crate::claims::{self, Claims};
use crate::rows::{Names, Rows};
use crate::{NAMES, columns};

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
    let numbers = [("channels", embeddings.channels()), ("strips", embeddings.strips())];
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

/// The column of the embeddings.
const EMBEDDINGS: &str = "embeddings";
/// Rows that are read at a time.
const READ_ROWS: usize = 64;
/// The most bytes of names for one byte of a file: a dictionary stores them once.
const MOST_TEXT: u64 = 16;

/// Reads the columns whatever their order, and leaves others. `embeddings` is a list of float16, 32 or
/// 64 with `channels` and `strips` in the key-value metadata, or a list of lists `[c, p]`; the names
/// are text or integers.
pub fn read(file: impl ChunkReader + 'static) -> anyhow::Result<Embeddings> {
    let length = file.len();
    claims::check_columns(&file)?;
    // The schema of Parquet is enough; that of Arrow beside it could be as large as it likes.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::load(&file, options)
        .context("this is no .parquet file, or it is cut short")?;
    let wanted = wanted_columns(metadata.schema())?;
    let mask = ProjectionMask::roots(metadata.parquet_schema(), wanted);
    let rows = check_claims(&file, metadata.metadata(), &mask)?;
    let shape = stated_shape(&metadata)?;
    // Views of the pages' bytes: a text in a dictionary may be long and stand in every row.
    let options = ArrowReaderOptions::new().with_schema(viewed(metadata.schema()));
    let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options)?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
    let reader = builder.with_projection(mask).with_batch_size(READ_ROWS).build()?;
    let mut names = Names::new(rows, length.saturating_mul(MOST_TEXT));
    let mut embeddings = Rows::new(shape, rows, length.saturating_mul(claims::MOST_VALUES));
    for batch in reader {
        let batch = batch.context("its data cannot be read")?;
        let column = |name: &str| batch.column_by_name(name).context("a column is lost");
        for (at, name) in NAMES.into_iter().enumerate() {
            names.append(at, column(name)?).with_context(|| format!("column `{name}`"))?;
        }
        embeddings.append(column(EMBEDDINGS)?).with_context(|| format!("column `{EMBEDDINGS}`"))?;
    }
    let Rows { shape, values, .. } = embeddings;
    let [channels, strips] = shape.unwrap_or_default();
    Ok(Embeddings::from_columns(channels, strips, values, names.texts)?)
}

/// The places of the columns that are read.
fn wanted_columns(schema: &Schema) -> anyhow::Result<Vec<usize>> {
    let find = |name: &str| {
        let held: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let mut places = (0..held.len()).filter(|at| held[*at] == name);
        let place = places.next();
        let place = place
            .with_context(|| format!("there is no column `{name}`, only: {}", held.join(", ")))?;
        ensure!(places.next().is_none(), "there are two columns `{name}`");
        Ok(place)
    };
    NAMES.into_iter().chain([EMBEDDINGS]).map(find).collect()
}

/// Checks what a file claims of the columns that are read; its number of rows.
fn check_claims(
    file: &impl ChunkReader,
    metadata: &ParquetMetaData,
    mask: &ProjectionMask,
) -> anyhow::Result<usize> {
    let length = file.len();
    let mut claims = Claims::new(length);
    let mut rows = 0u64;
    for group in metadata.row_groups() {
        rows = rows.saturating_add(u64::try_from(group.num_rows()).context("it has no rows")?);
        for (leaf, column) in group.columns().iter().enumerate() {
            if mask.leaf_included(leaf) {
                claims.add(file, column).with_context(|| {
                    format!("column `{}` cannot be read", column.column_path().string())
                })?;
            }
        }
    }
    ensure!(
        rows <= length,
        "it claims {rows} rows in {length} bytes, which is not read; {}",
        claims::PLAINLY
    );
    Ok(usize::try_from(rows)?)
}

/// `[c, p]` of embeddings that are one list each, from the key-value metadata; `None` where they are
/// lists of lists.
fn stated_shape(metadata: &ArrowReaderMetadata) -> anyhow::Result<Option<[usize; 2]>> {
    let nested = |item: &Field| matches!(item.data_type(), DataType::List(_));
    match metadata.schema().field_with_name(EMBEDDINGS)?.data_type() {
        DataType::List(item) if nested(item) => return Ok(None),
        DataType::List(_) => {}
        other => bail!("column `{EMBEDDINGS}` is {other}; it must be a list of float32"),
    }
    let number = |name: &str| -> anyhow::Result<usize> {
        let pairs = metadata.metadata().file_metadata().key_value_metadata();
        let pair = pairs.into_iter().flatten().find(|pair| pair.key == name);
        let value = pair.and_then(|pair| pair.value.as_deref()).with_context(|| {
            format!(
                "column `{EMBEDDINGS}` is one list for each row, and the key-value metadata lack \
                 `{name}`: write a list of c lists of p values, or add `channels` and `strips`"
            )
        })?;
        value.parse().with_context(|| format!("`{name}` is {value} in the key-value metadata"))
    };
    Ok(Some([number("channels")?, number("strips")?]))
}

/// The schema with texts as views.
fn viewed(schema: &Schema) -> SchemaRef {
    let field = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => {
            Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View))
        }
        _ => Arc::clone(field),
    };
    Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use arrow_array::builder::{Float16Builder, Int32Builder, ListBuilder};
    use arrow_array::types::{Float16Type, Float64Type};
    use arrow_array::{ArrowPrimitiveType, LargeListArray, LargeStringArray};
    use bytes::Bytes;
    use parquet::basic::Compression;
    use parquet::file::metadata::{ParquetMetaDataReader, ParquetMetaDataWriter};

    use super::*;

    type Half = <Float16Type as ArrowPrimitiveType>::Native;

    fn file(metadata: &[(&str, &str)], batch: &RecordBatch) -> Bytes {
        packed(Compression::SNAPPY, metadata, batch)
    }

    fn packed(codec: Compression, metadata: &[(&str, &str)], batch: &RecordBatch) -> Bytes {
        let pairs = metadata.iter().map(|(k, v)| KeyValue::new((*k).to_owned(), (*v).to_owned()));
        let properties = WriterProperties::builder()
            .set_key_value_metadata(Some(pairs.collect()))
            .set_compression(codec)
            .build();
        let mut bytes = Vec::new();
        let mut writer =
            ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
        bytes.into()
    }

    fn table(columns: [(&str, ArrayRef); 4]) -> RecordBatch {
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn text(values: Vec<Option<&str>>) -> ArrayRef {
        Arc::new(LargeStringArray::from(values))
    }

    fn lists(rows: Vec<Vec<f64>>) -> ArrayRef {
        let rows = rows.into_iter().map(|row| Some(row.into_iter().map(Some)));
        Arc::new(LargeListArray::from_iter_primitive::<Float64Type, _, _>(rows))
    }

    /// As pandas writes it: large text, lists of doubles.
    fn others(subjects: Vec<Option<&str>>) -> RecordBatch {
        table([
            ("embeddings", lists(vec![vec![1.0, 2.0], vec![3.0, 4.0]])),
            ("view", text(vec![Some("0"), Some("90")])),
            ("subject", text(subjects)),
            ("condition", text(vec![Some("nm"), Some("")])),
        ])
    }

    /// Two rows of lists of lists of half floats, the second of these sizes, and integers for names.
    fn nested(sizes: &[usize]) -> RecordBatch {
        let mut rows = ListBuilder::new(ListBuilder::new(Float16Builder::new()));
        let mut numbers = Int32Builder::new();
        for sizes in [&[3, 3], sizes] {
            for (c, size) in sizes.iter().enumerate() {
                for p in 0..*size {
                    rows.values().values().append_value(Half::from_f32((10 * c + p) as f32));
                }
                rows.values().append(true);
            }
            rows.append(true);
            numbers.append_value(-7);
        }
        let numbers: ArrayRef = Arc::new(numbers.finish());
        table([
            ("subject", Arc::clone(&numbers)),
            ("condition", Arc::clone(&numbers)),
            ("view", numbers),
            ("embeddings", Arc::new(rows.finish())),
        ])
    }

    const SIZES: [(&str, &str); 2] = [("channels", "1"), ("strips", "2")];

    fn check(metadata: &[(&str, &str)], batch: &RecordBatch, problem: &str) {
        refused(file(metadata, batch), problem);
    }

    fn refused(file: Bytes, problem: &str) {
        let message = format!("{:#}", read(file).unwrap_err());
        assert!(message.contains(problem), "{message}");
    }

    #[test]
    fn columns_of_other_types_are_read() {
        for codec in [Compression::SNAPPY, Compression::ZSTD(Default::default())] {
            let e = read(packed(codec, &SIZES, &others(vec![Some("a"), Some("b")]))).unwrap();
            assert_eq!((e.channels(), e.strips()), (1, 2));
            assert_eq!(e.values(), [1.0, 2.0, 3.0, 4.0]);
            assert_eq!(e.subjects(), ["a", "b"]);
            assert_eq!(e.views(), ["0", "90"]);
        }
    }

    #[test]
    fn lists_of_lists_say_their_sizes_themselves() {
        let e = read(file(&[], &nested(&[3, 3]))).unwrap();
        assert_eq!((e.channels(), e.strips()), (2, 3));
        assert_eq!(e.values(), [0.0, 1.0, 2.0, 10.0, 11.0, 12.0].repeat(2));
        assert_eq!(e.subjects(), ["-7", "-7"]);
        check(&[], &nested(&[3, 2]), "lists of different lengths");
        check(&[], &nested(&[2, 2]), "2 x 2 values in row 1; channels x strips are 2 x 3");
        check(&[], &nested(&[3, 3, 3]), "3 x 3 values in row 1");
        check(&[], &nested(&[]), "0 x 0 values in row 1");
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_mend() {
        let good = others(vec![Some("a"), Some("b")]);
        check(&SIZES[..1], &good, "lack `strips`: write a list of c lists of p values");
        check(&[("channels", "x"), ("strips", "2")], &good, "`channels` is x");
        check(&[("channels", "2"), ("strips", "2")], &good, "has 2 values in row 0");
        check(&[("channels", "0"), ("strips", "2")], &good, "has 0 channels x 2 strips");
        check(&SIZES, &others(vec![Some("a"), None]), "column `subject`: has gaps");
        check(
            &SIZES,
            &good.project(&[0, 1, 2]).unwrap(),
            "no column `condition`, only: embeddings",
        );
        let column = |at: usize| Arc::clone(good.column(at));
        let named = |subject, embeddings| {
            table([
                ("subject", subject),
                ("condition", column(3)),
                ("view", column(1)),
                ("embeddings", embeddings),
            ])
        };
        check(&SIZES, &named(column(2), column(1)), "must be a list of float32");
        check(&SIZES, &named(column(0), column(0)), "must be text or integers");
        let twice = RecordBatch::try_from_iter([
            ("view", column(1)),
            ("view", column(1)),
            ("subject", column(2)),
            ("condition", column(3)),
            ("embeddings", column(0)),
        ]);
        check(&SIZES, &twice.unwrap(), "two columns `view`");
    }

    #[test]
    fn a_long_name_of_many_rows_is_refused_before_it_fills_the_memory() {
        // Stored once in a dictionary, it would be read a thousand times.
        let rows = 1000;
        let name = "x".repeat(10_000);
        let batch = table([
            ("embeddings", lists(vec![vec![1.0, 2.0]; rows])),
            ("subject", text(vec![Some(&name); rows])),
            ("condition", text(vec![Some("nm"); rows])),
            ("view", text(vec![Some("90"); rows])),
        ]);
        check(&SIZES, &batch, "`subject`: has more text than a file of its size can hold");
    }

    #[test]
    fn names_of_a_dictionary_are_read_however_many_rows_there_are() {
        let rows = 20_000;
        let values = (0..rows).map(|i| vec![i as f64, 0.5 * i as f64]).collect();
        let batch = table([
            ("embeddings", lists(values)),
            ("subject", text((0..rows).map(|i| Some(["a", "b"][i / 10_000])).collect())),
            ("condition", text(vec![Some("nm-01"); rows])),
            ("view", text(vec![Some("090"); rows])),
        ]);
        let e = read(packed(Compression::ZSTD(Default::default()), &SIZES, &batch)).unwrap();
        assert_eq!((e.len(), e.values()[2 * 7 + 1]), (rows, 3.5));
        assert_eq!((&*e.subjects()[9_999], &*e.subjects()[10_000]), ("a", "b"));
    }

    #[test]
    fn much_of_nothing_is_refused_with_its_mend() {
        // As one value and a count, or as zeros that pack well.
        let rows = 20_000;
        let batch = table([
            ("embeddings", lists(vec![vec![0.0, 0.0]; rows])),
            ("subject", text(vec![Some("a"); rows])),
            ("condition", text(vec![Some("nm-01"); rows])),
            ("view", text(vec![Some("090"); rows])),
        ]);
        check(&SIZES, &batch, "write it with compression=\"none\" and use_dictionary=False");
    }

    #[test]
    fn row_groups_that_name_the_same_pages_are_refused() {
        let rows = 2000;
        let names = || text(vec![Some("a"); rows]);
        let file = file(
            &SIZES,
            &table([
                ("embeddings", lists((0..rows).map(|i| vec![i as f64, 0.1 * i as f64]).collect())),
                ("subject", names()),
                ("condition", names()),
                ("view", names()),
            ]),
        );
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
        let group = metadata.row_group(0).clone();
        let metadata = metadata.into_builder().set_row_groups(vec![group; 50]).build();
        let mut bytes = file.to_vec();
        ParquetMetaDataWriter::new(&mut bytes, &metadata).finish().unwrap();
        refused(bytes.into(), "its row groups lie over each other");
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
