//! Checks what a Parquet file claims to contain, before a library believes it: the library reserves
//! memory for as many columns and values as the file states, and a small file can state anything.
//!
//! The names are those of the format's description, `parquet.thrift`.

use bytes::{Buf, Bytes};
use parquet::basic::Compression;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::ChunkReader;

use crate::error::{Cause, ColumnError, DecodeError, Excess};
use crate::format::Format;
use crate::thrift::{LIST, NUMBER, STRUCT, count, fields, list, number, skip};

/// How deep columns may nest; ours are three deep.
const DEEPEST: usize = 16;
/// What ends a file: the length of its description in four bytes, and its mark.
const END: u64 = 8;

/// The most unpacked bytes for one byte of a file. Embeddings hardly compress; names do, but are the
/// smaller part.
const MOST_UNPACKED: u64 = 32;
/// The most values for one byte of a file: equal ones may be stored as a count.
pub const MOST_VALUES: u64 = 4;
/// The least bytes of a value in a dictionary: half a float.
const LEAST_VALUE: u64 = 2;
/// Lengths that are tried for a header. Statistics are the only long part of it.
const HEADERS: [u64; 2] = [1 << 10, 64 << 10];
/// Encodings of `parquet.thrift` that give no more values than their page states: plain, dictionary
/// (old and new name) and byte stream split. Delta encodings have further lengths inside.
const ENCODINGS: [i64; 4] = [0, 2, 8, 9];

/// Checks the columns of a file.
///
/// # Errors
/// Columns that claim more below them than there are, or nest without end.
pub fn check_columns(file: &impl ChunkReader) -> Result<(), DecodeError> {
    let short = || DecodeError::OtherFormat { format: Format::Parquet, cause: None };
    let read = |start, length: usize| {
        let bytes = file.get_bytes(start, length);
        bytes.map_err(|error| DecodeError::Damaged(Some(error.into())))
    };
    let end = file.len().checked_sub(END).ok_or_else(short)?;
    let length = read(end, 4)?.try_get_u32_le().map_err(|_| short())?;
    let start = end.checked_sub(length.into()).ok_or_else(short)?;
    let mut bytes = read(start, length as usize)?;
    fields(&mut bytes, |id, kind, bytes| match (id, kind) {
        (2, LIST) => columns(bytes),
        (2, _) => None,
        _ => skip(bytes, kind),
    })
    .ok_or(DecodeError::Schema)
}

/// The list of `SchemaElement`: each before those below it.
fn columns(bytes: &mut Bytes) -> Option<()> {
    let (length, kind) = list(bytes)?;
    // Elements still to come at each depth.
    let mut open = vec![1u64];
    for _ in 0..length {
        let mut below = 0;
        (kind == STRUCT).then_some(())?;
        fields(bytes, |id, kind, bytes| match (id, kind) {
            (5, NUMBER) => {
                below = count(bytes)?;
                Some(())
            }
            (5, _) => None,
            _ => skip(bytes, kind),
        })?;
        while open.pop_if(|left| *left == 0).is_some() {}
        *open.last_mut()? -= 1;
        open.push(below);
        (below <= length && open.len() <= DEEPEST).then_some(())?;
    }
    Some(())
}

/// What the columns of a file claim, all row groups together. In a real file they lie beside each
/// other; a false one may name the same bytes many times.
pub struct Claims {
    length: u64,
    packed: u64,
    unpacked: u64,
    values: u64,
}

impl Claims {
    /// No claims yet, on a file of so many bytes.
    pub fn new(length: u64) -> Self {
        Self { length, packed: 0, unpacked: 0, values: 0 }
    }

    /// Checks and adds every page of a column of one row group.
    ///
    /// # Errors
    /// A page that is damaged or encoded in another way, or more in all than the file can hold.
    pub fn add(
        &mut self,
        file: &impl ChunkReader,
        column: &ColumnChunkMetaData,
    ) -> Result<(), ColumnError> {
        check_codec(column.compression())?;
        // `byte_range` panics if these are negative.
        let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
        let mut at = u64::try_from(start).map_err(|_| ColumnError::Damaged(None))?;
        let size = u64::try_from(column.compressed_size()).ok();
        let end = size.and_then(|size| at.checked_add(size)).filter(|end| *end <= self.length);
        let end = end.ok_or(ColumnError::Truncated)?;
        self.packed = self.packed.saturating_add(end - at);
        if self.packed > self.length {
            return Err(ColumnError::Overlap);
        }
        while at < end {
            let (page, header) = read_header(file, at, end)?;
            self.add_page(&page)?;
            at = at.saturating_add(header).saturating_add(page.packed);
        }
        Ok(())
    }

    fn add_page(&mut self, page: &Page) -> Result<(), ColumnError> {
        if page.encoding.is_some_and(|encoding| !ENCODINGS.contains(&encoding)) {
            return Err(ColumnError::DeltaEncoding);
        }
        if page.dictionary.saturating_mul(LEAST_VALUE) > page.unpacked {
            return Err(ColumnError::Excess(Excess::Values));
        }
        self.unpacked = self.unpacked.saturating_add(page.unpacked);
        if self.unpacked > self.length.saturating_mul(MOST_UNPACKED) {
            return Err(ColumnError::Excess(Excess::Bytes));
        }
        self.values = self.values.saturating_add(page.values);
        if self.values > self.length.saturating_mul(MOST_VALUES) {
            return Err(ColumnError::Excess(Excess::Values));
        }
        Ok(())
    }
}

fn check_codec(codec: Compression) -> Result<(), ColumnError> {
    match codec {
        Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::ZSTD(_) => Ok(()),
        other => {
            // Without the level: `GZIP(GzipLevel(6))`.
            let name = other.to_string();
            Err(ColumnError::Codec(name.split('(').next().unwrap_or_default().to_owned()))
        }
    }
}

/// The header of the page at a place of a file, and its length.
fn read_header(file: &impl ChunkReader, at: u64, end: u64) -> Result<(Page, u64), ColumnError> {
    for longest in HEADERS {
        let longest = longest.min(end - at);
        let length = usize::try_from(longest).map_err(|_| ColumnError::Truncated)?;
        let bytes = file.get_bytes(at, length);
        let mut bytes = bytes.map_err(|error| ColumnError::Damaged(Some(Cause::from(error))))?;
        if let Some(page) = Page::read(&mut bytes) {
            return Ok((page, longest - bytes.len() as u64));
        }
    }
    Err(ColumnError::Damaged(None))
}

/// What the header of a page says. Numbers are not negative.
#[derive(Default)]
struct Page {
    unpacked: u64,
    packed: u64,
    /// Values of a page of data.
    values: u64,
    /// Values of a dictionary.
    dictionary: u64,
    encoding: Option<i64>,
}

impl Page {
    /// Takes the `PageHeader` off the start of `bytes`; `None` if it is damaged.
    fn read(bytes: &mut Bytes) -> Option<Self> {
        let mut page = Self::default();
        fields(bytes, |id, kind, bytes| {
            match (id, kind) {
                (2, NUMBER) => page.unpacked = count(bytes)?,
                (3, NUMBER) => page.packed = count(bytes)?,
                (5 | 7 | 8, STRUCT) => page.read_values(id, bytes)?,
                // Of another type than it must be, which the library does not look at.
                (1 | 4, NUMBER) => skip(bytes, kind)?,
                (1..=5 | 7 | 8, _) => return None,
                _ => skip(bytes, kind)?,
            }
            Some(())
        })?;
        Some(page)
    }

    /// Reads the `DataPageHeader`, `DictionaryPageHeader` or `DataPageHeaderV2` that is field `id`.
    fn read_values(&mut self, id: i64, bytes: &mut Bytes) -> Option<()> {
        fields(bytes, |inner, kind, bytes| {
            match (id, inner, kind) {
                (7, 1, NUMBER) => self.dictionary = count(bytes)?,
                (_, 1, NUMBER) => self.values = count(bytes)?,
                (5 | 7, 2, NUMBER) | (8, 4, NUMBER) => self.encoding = Some(number(bytes)?),
                (_, 2..=6, NUMBER) => skip(bytes, kind)?,
                (_, 1 | 2, _) | (5, 3 | 4, _) | (8, 3..=6, _) => return None,
                _ => skip(bytes, kind)?,
            }
            Some(())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::basic::Type as PhysicalType;
    use parquet::schema::types::{SchemaDescriptor, Type};

    use super::*;

    /// A page of data: 100 bytes of 40, 7 values, plain.
    const HEADER: [u8; 16] =
        [0x15, 0, 0x15, 0xC8, 1, 0x15, 80, 0x2C, 0x15, 14, 0x15, 0, 0x15, 6, 0, 0];

    #[test]
    fn headers_are_read_to_their_end() {
        let mut bytes = Bytes::from([&HEADER[..], b"data"].concat());
        let page = Page::read(&mut bytes).unwrap();
        assert_eq!((page.unpacked, page.packed, page.values), (100, 40, 7));
        assert_eq!((page.encoding, page.dictionary), (Some(0), 0));
        assert_eq!(&bytes[..], b"data");
    }

    /// What is wrong with a file that is one page of 40 bytes after `header`.
    fn problem(header: &[u8]) -> String {
        problem_on(header, 0, Compression::SNAPPY, 1)
    }

    /// [`problem`] where so many columns claim to start at `start`.
    fn problem_on(header: &[u8], start: i64, codec: Compression, columns: usize) -> String {
        let bytes = Bytes::from([header, &[0; 40]].concat());
        let leaf = Type::primitive_type_builder("x", PhysicalType::FLOAT).build().unwrap();
        let root = Type::group_type_builder("root").with_fields(vec![Arc::new(leaf)]).build();
        let schema = SchemaDescriptor::new(Arc::new(root.unwrap()));
        let column = ColumnChunkMetaData::builder(schema.column(0))
            .set_data_page_offset(start)
            .set_compression(codec)
            .set_total_compressed_size(i64::try_from(bytes.len()).unwrap())
            .build()
            .unwrap();
        let mut claims = Claims::new(bytes.len() as u64);
        let problem = (0..columns).try_for_each(|_| claims.add(&bytes, &column));
        problem.err().map_or_else(String::new, |e| e.to_string())
    }

    #[test]
    fn what_a_page_cannot_hold_is_refused() {
        assert_eq!(problem(&HEADER), "");
        let changed = |at: usize, bytes: &[u8]| {
            let after = at + if at == 3 { 2 } else { 1 };
            problem(&[&HEADER[..at], bytes, &HEADER[after..]].concat())
        };
        let most = [0xFE, 0xFF, 0xFF, 0xFF, 0x0F];
        assert!(changed(3, &most).contains("more bytes than"), "unpacked bytes");
        assert!(changed(9, &most).contains("more values than"), "values");
        assert!(changed(11, &[12]).contains("delta encoding"), "encoding");
        // The same as a dictionary of 2^31 values.
        let mut dictionary = HEADER.to_vec();
        dictionary[7] = 0x4C;
        dictionary.splice(9..10, most);
        assert!(problem(&dictionary).contains("more values than"), "dictionary");
    }

    #[test]
    fn columns_lie_in_the_file_and_beside_each_other() {
        let on = |start, codec, columns| problem_on(&HEADER, start, codec, columns);
        assert_eq!(on(-1, Compression::SNAPPY, 1), "it is damaged");
        assert_eq!(on(1, Compression::SNAPPY, 1), "it is truncated");
        assert_eq!(on(0, Compression::SNAPPY, 2), "it has row groups that overlap");
        assert_eq!(on(0, Compression::ZSTD(Default::default()), 1), "");
        let gzip = on(0, Compression::GZIP(Default::default()), 1);
        assert!(gzip.starts_with("it is compressed with GZIP, which is not"), "{gzip}");
    }

    #[test]
    fn cut_and_endless_headers_are_refused() {
        for length in 0..HEADER.len() {
            assert!(Page::read(&mut Bytes::copy_from_slice(&HEADER[..length])).is_none());
        }
        assert!(Page::read(&mut Bytes::from(vec![0x1C; 1000])).is_none(), "nested");
        assert!(Page::read(&mut Bytes::from(vec![0xFF; 1000])).is_none(), "a long number");
    }

    /// Whether the columns of a file that says only this are taken.
    fn taken(columns: &[u8]) -> bool {
        let description = [&[0x29], columns, &[0]].concat();
        let length = u32::try_from(description.len()).unwrap().to_le_bytes();
        let file = [&description[..], &length, b"PAR1"].concat();
        check_columns(&Bytes::from(file)).is_ok()
    }

    #[test]
    fn columns_nest_no_deeper_and_wider_than_they_are() {
        // A root with two columns.
        assert!(taken(&[0x3C, 0x55, 4, 0, 0, 0]));
        assert!(!taken(&[0x3C, 0x55, 8, 0, 0, 0]), "four below, of three");
        assert!(!taken(&[0x1C, 0x55, 0xFE, 0xFF, 0xFF, 0xFF, 0x0F, 0]), "2^31 below");
        let chain =
            |depth: u8| taken(&[&[0xFC, depth][..], &[0x55, 2, 0].repeat(depth.into())].concat());
        assert!(chain(10) && !chain(100));
    }
}
