//! Apache Parquet: one row per sequence.

use std::fs::File;
use std::sync::Arc;

use arrow_array::builder::{FixedSizeListBuilder, Float32Builder};
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use gait_eval::Embeddings;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::ChunkReader;
use parquet::schema::types::ColumnPath;

use crate::claims::{self, Claims};
use crate::columns::{EMBEDDINGS, NAMES, SIZES, names};
use crate::error::{ColumnError, DecodeError, EncodeError, Expected};
use crate::format::Format;
use crate::rows::{Names, Rows};

/// Values of one row group, so that neither program needs the whole file in memory (64 MiB).
const GROUP: usize = 16 << 20;

impl From<ParquetError> for EncodeError {
    fn from(error: ParquetError) -> Self {
        match error {
            ParquetError::External(cause) => match cause.downcast() {
                Ok(error) => Self::Io(*error),
                Err(cause) => Self::Library(cause),
            },
            error => Self::Library(error.into()),
        }
    }
}

impl From<ArrowError> for EncodeError {
    fn from(error: ArrowError) -> Self {
        Self::Library(error.into())
    }
}

pub fn write(file: &mut File, embeddings: &Embeddings) -> Result<(), EncodeError> {
    let width = i32::try_from(embeddings.width())
        .map_err(|_| EncodeError::TooWide { values: embeddings.width() })?;
    let item = Arc::new(Field::new("element", DataType::Float32, false));
    let mut fields: Vec<Field> = NAMES.map(|name| Field::new(name, DataType::Utf8, false)).to_vec();
    fields.push(Field::new(EMBEDDINGS, DataType::FixedSizeList(Arc::clone(&item), width), false));
    let schema = Arc::new(Schema::new(fields));
    let rows = (GROUP / embeddings.width()).clamp(1, 1 << 16);
    let mut writer =
        ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties(embeddings, rows)))?;
    for start in (0..embeddings.len()).step_by(rows) {
        let end = (start + rows).min(embeddings.len());
        let mut arrays: Vec<ArrayRef> = names(embeddings)
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

/// How to write embeddings, so many rows at a time.
fn properties(embeddings: &Embeddings, rows: usize) -> WriterProperties {
    let sizes = [embeddings.channels(), embeddings.strips()].map(|size| size.to_string());
    let sizes = SIZES.into_iter().zip(sizes);
    let sizes = sizes.map(|(key, size)| KeyValue::new(key.to_owned(), size)).collect();
    // Embeddings hardly repeat, and nobody selects rows by a range of them.
    let values = ColumnPath::from([EMBEDDINGS, "list", "element"].map(str::to_owned).to_vec());
    WriterProperties::builder()
        .set_max_row_group_row_count(Some(rows))
        .set_key_value_metadata(Some(sizes))
        .set_column_dictionary_enabled(values.clone(), false)
        .set_column_statistics_enabled(values, EnabledStatistics::None)
        .build()
}

/// Rows that are read at a time.
const READ_ROWS: usize = 64;
/// The most bytes of names for one byte of a file: a dictionary stores them once.
const MOST_TEXT: u64 = 16;

/// Reads the columns in any order, and ignores others. `embeddings` is a list of float16, 32 or 64
/// with `channels` and `strips` in the key-value metadata, or a list of lists `[c, p]`; the names
/// are text or integers.
pub fn read(file: impl ChunkReader + 'static) -> Result<Embeddings, DecodeError> {
    let length = file.len();
    claims::check_columns(&file)?;
    // The schema of Parquet is enough; that of Arrow beside it could be as large as it likes.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::load(&file, options).map_err(|error| {
        DecodeError::OtherFormat { format: Format::Parquet, cause: Some(error.into()) }
    })?;
    let wanted = wanted_columns(metadata.schema())?;
    let mask = ProjectionMask::roots(metadata.parquet_schema(), wanted);
    let rows = check_claims(&file, metadata.metadata(), &mask)?;
    let in_embeddings = DecodeError::in_column(Format::Parquet, EMBEDDINGS);
    let shape = stated_shape(&metadata).map_err(&in_embeddings)?;
    // Views of the pages' bytes: a text in a dictionary may be long and occur in every row.
    let options = ArrowReaderOptions::new().with_schema(viewed(metadata.schema()));
    let damaged = |error: ParquetError| DecodeError::Damaged(Some(error.into()));
    let metadata =
        ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options).map_err(damaged)?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
    let reader = builder.with_projection(mask).with_batch_size(READ_ROWS).build();
    let mut names = Names::new(rows, length.saturating_mul(MOST_TEXT));
    let mut embeddings = Rows::new(shape, rows, length.saturating_mul(claims::MOST_VALUES));
    for batch in reader.map_err(damaged)? {
        let batch = batch.map_err(|error| DecodeError::Damaged(Some(error.into())))?;
        let column = |name: &str| batch.column_by_name(name).ok_or(DecodeError::Schema);
        for (at, name) in NAMES.into_iter().enumerate() {
            let appended = names.append(at, column(name)?);
            appended.map_err(DecodeError::in_column(Format::Parquet, name))?;
        }
        embeddings.append(column(EMBEDDINGS)?).map_err(&in_embeddings)?;
    }
    let Rows { shape, values, .. } = embeddings;
    let [channels, strips] = shape.unwrap_or_default();
    Ok(Embeddings::from_columns(channels, strips, values, names.texts)?)
}

/// The places of the columns that are read.
fn wanted_columns(schema: &Schema) -> Result<Vec<usize>, DecodeError> {
    let find = |name: &str| {
        let found: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
        let places: Vec<usize> = (0..found.len()).filter(|at| found[*at] == name).collect();
        match places[..] {
            [place] => Ok(place),
            [] => Err(ColumnError::Missing { found: found.into_iter().cloned().collect() }),
            _ => Err(ColumnError::Repeated),
        }
        .map_err(DecodeError::in_column(Format::Parquet, name))
    };
    NAMES.into_iter().chain([EMBEDDINGS]).map(find).collect()
}

/// Checks what a file claims of the columns that are read, and gives its number of rows.
fn check_claims(
    file: &impl ChunkReader,
    metadata: &ParquetMetaData,
    mask: &ProjectionMask,
) -> Result<usize, DecodeError> {
    let bytes = file.len();
    let mut claims = Claims::new(bytes);
    let mut rows = 0u64;
    for group in metadata.row_groups() {
        let more = u64::try_from(group.num_rows()).map_err(|_| DecodeError::Damaged(None))?;
        rows = rows.saturating_add(more);
        for (leaf, column) in group.columns().iter().enumerate() {
            if mask.leaf_included(leaf) {
                let path = column.column_path().string();
                let added = claims.add(file, column);
                added.map_err(DecodeError::in_column(Format::Parquet, &path))?;
            }
        }
    }
    let claimed = || DecodeError::Rows { rows, bytes };
    if rows > bytes {
        return Err(claimed());
    }
    usize::try_from(rows).map_err(|_| claimed())
}

/// `[c, p]` of embeddings that are one list each, from the key-value metadata; `None` if they are
/// lists of lists.
fn stated_shape(metadata: &ArrowReaderMetadata) -> Result<Option<[usize; 2]>, ColumnError> {
    let field = metadata.schema().field_with_name(EMBEDDINGS);
    let field = field.map_err(|error| ColumnError::Damaged(Some(error.into())))?;
    match field.data_type() {
        DataType::List(item) if matches!(item.data_type(), DataType::List(_)) => return Ok(None),
        DataType::List(_) => {}
        other => {
            let found = other.to_string();
            return Err(ColumnError::Type { found, expected: Expected::Lists });
        }
    }
    let number = |key: &'static str| {
        let pairs = metadata.metadata().file_metadata().key_value_metadata();
        let pair = pairs.into_iter().flatten().find(|pair| pair.key == key);
        let value = pair.and_then(|pair| pair.value.as_deref()).ok_or(ColumnError::NoSize(key))?;
        value.parse().map_err(|_| ColumnError::Size { key, value: value.to_owned() })
    };
    Ok(Some([number(SIZES[0])?, number(SIZES[1])?]))
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
    use arrow_array::{
        ArrowPrimitiveType, Int8Array, Int16Array, Int32Array, Int64Array, LargeListArray,
        LargeStringArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
    };
    use bytes::Bytes;
    use gait_support::full_message;
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

    const PAIRS: [(&str, &str); 2] = [("channels", "1"), ("strips", "2")];

    fn check(metadata: &[(&str, &str)], batch: &RecordBatch, problem: &str) {
        refused(file(metadata, batch), problem);
    }

    fn refused(file: Bytes, problem: &str) {
        let message = full_message(&read(file).unwrap_err());
        assert!(message.contains(problem), "{message}");
    }

    #[test]
    fn columns_of_other_types_are_read() {
        for codec in [Compression::SNAPPY, Compression::ZSTD(Default::default())] {
            let e = read(packed(codec, &PAIRS, &others(vec![Some("a"), Some("b")]))).unwrap();
            assert_eq!((e.channels(), e.strips()), (1, 2));
            assert_eq!(e.values(), [1.0, 2.0, 3.0, 4.0]);
            assert_eq!(e.subjects(), ["a", "b"]);
            assert_eq!(e.views(), ["0", "90"]);
        }
    }

    #[test]
    fn integers_of_all_widths_are_names() {
        let good = others(vec![Some("a"), Some("b")]);
        let integers: [ArrayRef; 8] = [
            Arc::new(UInt8Array::from(vec![7, u8::MAX])),
            Arc::new(UInt16Array::from(vec![7, u16::MAX])),
            Arc::new(UInt32Array::from(vec![7, u32::MAX])),
            Arc::new(UInt64Array::from(vec![7, u64::MAX])),
            Arc::new(Int8Array::from(vec![7, i8::MIN])),
            Arc::new(Int16Array::from(vec![7, i16::MIN])),
            Arc::new(Int32Array::from(vec![7, i32::MIN])),
            Arc::new(Int64Array::from(vec![7, i64::MIN])),
        ];
        let largest = [u8::MAX.into(), u16::MAX.into(), u32::MAX.into(), u64::MAX];
        let smallest = [i8::MIN.into(), i16::MIN.into(), i32::MIN.into(), i64::MIN];
        let unsigned = largest.map(|number| number.to_string());
        let signed = smallest.map(|number: i64| number.to_string());
        for (column, second) in integers.into_iter().zip(unsigned.iter().chain(&signed)) {
            let mut columns = good.columns().to_vec();
            let at = good.schema().index_of("subject").unwrap();
            columns[at] = column;
            let names = good.schema();
            let names = names.fields().iter().map(|field| field.name().as_str());
            let batch = RecordBatch::try_from_iter(names.zip(columns)).unwrap();
            let e = read(file(&PAIRS, &batch)).unwrap();
            assert_eq!(e.subjects(), ["7", second.as_str()]);
        }
    }

    #[test]
    fn lists_of_lists_state_their_sizes() {
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
    fn what_cannot_be_read_is_named() {
        let good = others(vec![Some("a"), Some("b")]);
        check(&PAIRS[..1], &good, "lacks `strips`; needed are `channels` and `strips`");
        check(&[("channels", "x"), ("strips", "2")], &good, "has `channels` x in the metadata");
        check(&[("channels", "2"), ("strips", "2")], &good, "has 2 values in row 0");
        check(&[("channels", "0"), ("strips", "2")], &good, "has 0 channels x 2 strips");
        check(&PAIRS, &others(vec![Some("a"), None]), "column `subject`: it has missing values");
        check(
            &PAIRS,
            &good.project(&[0, 1, 2]).unwrap(),
            "column `condition`: it is missing; the file has only: embeddings",
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
        check(&PAIRS, &named(column(2), column(1)), "must be a list of floats");
        check(&PAIRS, &named(column(0), column(0)), "must be text or integers");
        let twice = RecordBatch::try_from_iter([
            ("view", column(1)),
            ("view", column(1)),
            ("subject", column(2)),
            ("condition", column(3)),
            ("embeddings", column(0)),
        ]);
        check(&PAIRS, &twice.unwrap(), "column `view`: it exists more than once");
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
        check(&PAIRS, &batch, "`subject`: it claims to hold more text than a file of this size");
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
        let e = read(packed(Compression::ZSTD(Default::default()), &PAIRS, &batch)).unwrap();
        assert_eq!((e.len(), e.values()[2 * 7 + 1]), (rows, 3.5));
        assert_eq!((&*e.subjects()[9_999], &*e.subjects()[10_000]), ("a", "b"));
    }

    #[test]
    fn much_of_nothing_is_refused() {
        // As one value and a count, or as zeros that pack well.
        let rows = 20_000;
        let batch = table([
            ("embeddings", lists(vec![vec![0.0, 0.0]; rows])),
            ("subject", text(vec![Some("a"); rows])),
            ("condition", text(vec![Some("nm-01"); rows])),
            ("view", text(vec![Some("090"); rows])),
        ]);
        check(&PAIRS, &batch, "values than a file of this size");
    }

    #[test]
    fn row_groups_that_name_the_same_pages_are_refused() {
        let rows = 2000;
        let names = || text(vec![Some("a"); rows]);
        let file = file(
            &PAIRS,
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
        refused(bytes.into(), "row groups that overlap");
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
