//! `clips.arrow`: one Arrow IPC file, written in batches and read in place.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{LargeBinaryBuilder, StringBuilder, UInt32Builder};
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{LargeBinaryArray, RecordBatch, StringArray, UInt32Array};
use arrow_buffer::Buffer;
use arrow_ipc::reader::{FileDecoder, read_footer_length};
use arrow_ipc::writer::FileWriter;
use arrow_ipc::{Block, convert::try_fb_to_schema, root_as_footer, root_as_message};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

use crate::{DataError, SequenceKey};

/// One sequence as it is stored: `clip` is zstd of uint8 `[t, h, w]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub key: SequenceKey,
    pub frames: u32,
    pub height: u32,
    pub width: u32,
    pub clip: Vec<u8>,
}

/// The columns of `clips.arrow`.
pub(crate) fn schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, false);
    let number = |name| Field::new(name, DataType::UInt32, false);
    Arc::new(Schema::new(vec![
        text("subject"),
        text("condition"),
        text("view"),
        number("frames"),
        number("height"),
        number("width"),
        Field::new("clip", DataType::LargeBinary, false),
    ]))
}

/// The rows as one batch.
fn batch_of(rows: &[Row]) -> Result<RecordBatch, ArrowError> {
    let text = |of: fn(&Row) -> &str| {
        let mut column = StringBuilder::new();
        rows.iter().for_each(|row| column.append_value(of(row)));
        Arc::new(column.finish())
    };
    let number = |of: fn(&Row) -> u32| {
        let mut column = UInt32Builder::new();
        rows.iter().for_each(|row| column.append_value(of(row)));
        Arc::new(column.finish())
    };
    let mut clips = LargeBinaryBuilder::new();
    rows.iter().for_each(|row| clips.append_value(&row.clip));
    RecordBatch::try_new(
        schema(),
        vec![
            text(|row| &row.key.subject),
            text(|row| &row.key.condition),
            text(|row| &row.key.view),
            number(|row| row.frames),
            number(|row| row.height),
            number(|row| row.width),
            Arc::new(clips.finish()),
        ],
    )
}

/// Writes batches to `path`, where nobody looks for a finished file, and syncs it to disk.
pub(crate) struct ArrowFile<'a> {
    path: &'a Path,
    writer: FileWriter<BufWriter<File>>,
}

impl<'a> ArrowFile<'a> {
    pub fn create(path: &'a Path) -> Result<Self, DataError> {
        let file = File::create(path).map_err(|e| DataError::io("write", path, e))?;
        let writer = FileWriter::try_new(BufWriter::with_capacity(1 << 20, file), &schema());
        Ok(ArrowFile { path, writer: writer.map_err(|e| write_error(path, e))? })
    }

    /// Writes `rows` as one batch.
    pub fn write(&mut self, rows: &[Row]) -> Result<(), DataError> {
        let batch = batch_of(rows).map_err(|e| write_error(self.path, e))?;
        self.copy(&batch)
    }

    /// Writes a batch of another file.
    pub fn copy(&mut self, batch: &RecordBatch) -> Result<(), DataError> {
        self.writer.write(batch).map_err(|e| write_error(self.path, e))
    }

    /// Ends the file; returns its size in bytes.
    pub fn finish(mut self) -> Result<u64, DataError> {
        self.writer.finish().map_err(|e| write_error(self.path, e))?;
        let mut buffer = self.writer.into_inner().map_err(|e| write_error(self.path, e))?;
        let done = buffer.flush().and_then(|()| buffer.get_ref().sync_all());
        let size = done.and_then(|()| Ok(buffer.get_ref().metadata()?.len()));
        size.map_err(|e| DataError::io("write", self.path, e))
    }
}

fn write_error(path: &Path, error: ArrowError) -> DataError {
    match error {
        ArrowError::IoError(_, source) => DataError::io("write", path, source),
        other => DataError::io("write", path, std::io::Error::other(other)),
    }
}

/// The columns of one batch, in place.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    pub subject: StringArray,
    pub condition: StringArray,
    pub view: StringArray,
    pub frames: UInt32Array,
    pub height: UInt32Array,
    pub width: UInt32Array,
    pub clip: LargeBinaryArray,
}

impl Columns {
    pub fn of(batch: &RecordBatch) -> Self {
        let text = |i| batch.column(i).as_string::<i32>().clone();
        let number = |i| batch.column(i).as_primitive::<UInt32Type>().clone();
        Columns {
            subject: text(0),
            condition: text(1),
            view: text(2),
            frames: number(3),
            height: number(4),
            width: number(5),
            clip: batch.column(6).as_binary::<i64>().clone(),
        }
    }

    pub fn rows(&self) -> usize {
        self.frames.len()
    }
}

/// Every batch of an Arrow IPC file without copying it. All offsets are checked against the
/// file first: the decoder itself panics where they point outside.
///
/// # Errors
/// What is wrong with the file.
pub(crate) fn read_batches(file: &Buffer) -> Result<Vec<RecordBatch>, String> {
    const MAGIC: &[u8] = b"ARROW1";
    if !file.starts_with(MAGIC) {
        return Err("it is not an Arrow file".into());
    }
    let tail = file.len().checked_sub(10).ok_or("it is truncated")?;
    let footer_length = <[u8; 10]>::try_from(&file[tail..])
        .ok()
        .and_then(|tail| read_footer_length(tail).ok())
        .ok_or("it is truncated (its end is missing)")?;
    let start = tail.checked_sub(footer_length).ok_or("its footer is damaged")?;
    let footer = root_as_footer(&file[start..tail]).map_err(|_| "its footer is damaged")?;
    let stored = footer.schema().ok_or("its footer is damaged")?;
    if !is_flat(&stored) {
        return Err("its columns are not those of a prepared set".into());
    }
    let stored = try_fb_to_schema(stored).map_err(|_| "its schema is damaged")?;
    if stored.fields() != schema().fields() {
        return Err("its columns are not those of a prepared set".into());
    }
    let decoder = FileDecoder::new(schema(), footer.version());
    let blocks = footer.recordBatches().ok_or("its footer is damaged")?;
    // One after the other: a batch that is named twice would be more than its file holds.
    let mut end = 0;
    let mut read = |block: &Block| {
        let (start, length) = extent(block).filter(|(start, _)| *start >= end).ok_or(DAMAGED)?;
        end = start.saturating_add(length);
        read_block(file, &decoder, block)
    };
    blocks.iter().map(&mut read).collect()
}

/// Whether a schema has as many columns as ours and nothing below them. Parts of a flat buffer can
/// be shared without end, so that one of a few kilobytes becomes gigabytes when it is copied.
fn is_flat(stored: &arrow_ipc::Schema) -> bool {
    const MOST_NOTES: usize = 64;
    let fields = stored.fields();
    let flat = |field: arrow_ipc::Field| {
        field.children().is_none_or(|children| children.is_empty())
            && field.custom_metadata().is_none_or(|notes| notes.is_empty())
    };
    fields.is_some_and(|fields| fields.len() == schema().fields().len() && fields.iter().all(flat))
        && stored.custom_metadata().is_none_or(|notes| notes.len() <= MOST_NOTES)
}

const DAMAGED: &str = "a batch is damaged";

/// Where a block starts, and its bytes.
fn extent(block: &Block) -> Option<(usize, usize)> {
    let number = |n: i64| usize::try_from(n).ok();
    let length = number(block.metaDataLength().into())?.checked_add(number(block.bodyLength())?)?;
    Some((number(block.offset())?, length))
}

/// Every part of an Arrow file starts at a multiple of this.
const ALIGNMENT: usize = 8;

fn read_block(file: &Buffer, decoder: &FileDecoder, block: &Block) -> Result<RecordBatch, String> {
    let damaged = || DAMAGED.to_string();
    let (start, length) = extent(block).ok_or_else(damaged)?;
    let head = usize::try_from(block.metaDataLength()).map_err(|_| damaged())?;
    let body = length - head;
    if start % ALIGNMENT != 0 || head % ALIGNMENT != 0 {
        return Err(damaged());
    }
    let end = start.checked_add(length).filter(|end| *end <= file.len()).ok_or_else(damaged)?;
    check_message(&file[start..end], head, body).ok_or_else(damaged)?;
    let data = file.slice_with_length(start, length);
    decoder.read_record_batch(block, &data).ok().flatten().ok_or_else(damaged)
}

/// Whether the message at the start of `block` describes buffers of the lengths that its rows
/// need, aligned and within its body.
fn check_message(block: &[u8], head: usize, body: usize) -> Option<()> {
    // A continuation marker and a length come before the message.
    block.starts_with(&[0xFF; 4]).then_some(())?;
    let message = root_as_message(block.get(8..head)?).ok()?;
    let batch = message.header_as_record_batch()?;
    let rows = usize::try_from(batch.length()).ok().filter(|rows| *rows <= body)?;
    let nodes = batch.nodes()?;
    let sound = batch.compression().is_none()
        && batch.variadicBufferCounts().is_none_or(|counts| counts.is_empty())
        && nodes.len() == schema().fields().len()
        && nodes.iter().all(|node| node.length() == batch.length() && node.null_count() == 0);
    let mut buffers = batch.buffers()?.iter();
    let mut check = |expected: Option<usize>| {
        let buffer = buffers.next()?;
        let start = usize::try_from(buffer.offset()).ok()?;
        let length = usize::try_from(buffer.length()).ok()?;
        let fits = start % ALIGNMENT == 0 && start.checked_add(length)? <= body;
        (fits && expected.is_none_or(|expected| length == expected)).then_some(())
    };
    for field in schema().fields() {
        check(None)?; // which values are missing: none
        match field.data_type() {
            DataType::Utf8 => check(Some(4 * (rows + 1))).and_then(|()| check(None))?,
            DataType::LargeBinary => check(Some(8 * (rows + 1))).and_then(|()| check(None))?,
            _ => check(Some(4 * rows))?,
        }
    }
    sound.then_some(())
}

/// The columns of every batch of `file`.
pub(crate) fn read_columns(file: &Buffer) -> Result<Vec<Columns>, String> {
    Ok(read_batches(file)?.iter().map(Columns::of).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::set::map;

    fn rows() -> Vec<Row> {
        let row = |subject: &str, bytes: usize| Row {
            key: SequenceKey::new(subject, "nm-01", "090"),
            frames: 2,
            height: 3,
            width: 4,
            clip: vec![7; bytes],
        };
        vec![row("001", 5000), row("Åse", 1), row("003", 0)]
    }

    #[test]
    fn clips_are_read_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clips.arrow");
        let mut file = ArrowFile::create(&path).unwrap();
        file.write(&rows()).unwrap();
        file.write(&rows()[..1]).unwrap();
        let size = file.finish().unwrap();
        let mapped = map(&path).unwrap();
        assert_eq!(mapped.len() as u64, size);
        let batches = read_columns(&mapped).unwrap();
        assert_eq!(batches.iter().map(Columns::rows).collect::<Vec<_>>(), [3, 1]);
        for (index, row) in rows().iter().enumerate() {
            assert_eq!(batches[0].subject.value(index), row.key.subject);
            assert_eq!(batches[0].clip.value(index), row.clip);
        }
        let inside = mapped.as_ptr_range().contains(&batches[1].clip.value(0).as_ptr());
        assert!(inside, "the clip was copied");
    }

    #[test]
    fn a_schema_with_more_notes_than_anyone_writes_is_refused_before_it_is_copied() {
        let written = |notes: usize| {
            let notes: HashMap<String, String> =
                (0..notes).map(|i| (i.to_string(), String::new())).collect();
            let schema = Schema::new_with_metadata(schema().fields().clone(), notes);
            let mut bytes = Vec::new();
            FileWriter::try_new(&mut bytes, &schema).unwrap().finish().unwrap();
            read_batches(&Buffer::from_vec(bytes)).map(|batches| batches.len())
        };
        assert_eq!(written(64).unwrap(), 0);
        assert!(written(65).unwrap_err().contains("not those of a prepared set"));
    }

    #[test]
    fn a_batch_that_is_named_twice_is_refused() {
        // A file of a megabyte could name one of its batches a million times.
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut arrow = ArrowFile::create(file.path()).unwrap();
        arrow.write(&rows()).unwrap();
        arrow.write(&rows()).unwrap();
        arrow.finish().unwrap();
        let mut bytes = std::fs::read(file.path()).unwrap();
        let tail = bytes.len() - 10;
        let start = tail - read_footer_length(bytes[tail..].try_into().unwrap()).unwrap();
        let footer = root_as_footer(&bytes[start..tail]).unwrap();
        let blocks: Vec<i64> = footer.recordBatches().unwrap().iter().map(Block::offset).collect();
        let second = bytes[start..].windows(8).position(|w| w == blocks[1].to_le_bytes()).unwrap();
        bytes[start + second..][..8].copy_from_slice(&blocks[0].to_le_bytes());
        assert_eq!(read_columns(&Buffer::from_vec(bytes)).unwrap_err(), DAMAGED);
    }
}
