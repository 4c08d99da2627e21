//! NumPy's `.npz`: a zip archive of `.npy` arrays.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use gait_eval::Embeddings;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::columns::{EMBEDDINGS, NAMES, names};
use crate::error::{ColumnError, DecodeError, EncodeError};
use crate::format::Format;
use crate::npy::{self, Array};

/// From this size an entry needs the zip64 form; some bytes are left for the header.
const LARGE: u64 = u32::MAX as u64 - 1024;

impl From<ZipError> for EncodeError {
    fn from(error: ZipError) -> Self {
        match error {
            ZipError::Io(error) => Self::Io(error),
            error => Self::Library(error.into()),
        }
    }
}

pub fn write(file: &mut File, embeddings: &Embeddings) -> Result<(), EncodeError> {
    let mut zip = ZipWriter::new(BufWriter::new(file));
    if let Err(error) = write_arrays(&mut zip, embeddings) {
        // An archive that is dropped tries to end itself and prints that it cannot.
        std::mem::forget(zip);
        return Err(error);
    }
    zip.finish()?.flush()?;
    Ok(())
}

fn write_arrays<W: Write + Seek>(
    zip: &mut ZipWriter<W>,
    embeddings: &Embeddings,
) -> Result<(), EncodeError> {
    let n = embeddings.len();
    let shape = format!("({n}, {}, {})", embeddings.channels(), embeddings.strips());
    start(zip, EMBEDDINGS, "<f4", &shape, 4 * embeddings.values().len() as u64)?;
    let mut bytes = Vec::with_capacity(4 * embeddings.width());
    for row in embeddings.values().chunks(embeddings.width()) {
        bytes.clear();
        bytes.extend(row.iter().flat_map(|value| value.to_le_bytes()));
        zip.write_all(&bytes)?;
    }
    for (name, column) in NAMES.into_iter().zip(names(embeddings)) {
        // At least one character, as in NumPy.
        let width = column.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
        let size = 4 * width as u64 * n as u64;
        start(zip, name, &format!("<U{width}"), &format!("({n},)"), size)?;
        for text in column {
            let padded = text.chars().chain(std::iter::repeat('\0')).take(width);
            let bytes: Vec<u8> = padded.flat_map(|c| u32::from(c).to_le_bytes()).collect();
            zip.write_all(&bytes)?;
        }
    }
    Ok(())
}

/// Opens the entry of an array of `size` bytes and writes its header.
fn start<W: Write + Seek>(
    zip: &mut ZipWriter<W>,
    name: &str,
    dtype: &str,
    shape: &str,
    size: u64,
) -> Result<(), EncodeError> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .large_file(size >= LARGE);
    zip.start_file(format!("{name}.npy"), options)?;
    zip.write_all(&npy::header(dtype, shape))?;
    Ok(())
}

/// Reads `embeddings` of float16, 32 or 64, `[n, c, p]` or `[n, c]` (one strip), and the names as
/// Unicode, bytes or integers; all in either byte order.
pub fn read(mut file: impl Read + Seek) -> Result<Embeddings, DecodeError> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut zip = ZipArchive::new(BufReader::new(file)).map_err(|error| {
        DecodeError::OtherFormat { format: Format::Npz, cause: Some(error.into()) }
    })?;
    let in_embeddings = DecodeError::in_column(Format::Npz, EMBEDDINGS);
    let array = open(&mut zip, EMBEDDINGS, length).map_err(&in_embeddings)?;
    let (channels, strips) = match *array.shape() {
        [_, channels, strips] => (channels, strips),
        [_, channels] => (channels, 1),
        ref shape => {
            let shape = shape.to_vec();
            return Err(in_embeddings(ColumnError::Axes { shape, expected: "[n, c, p]" }));
        }
    };
    let values = array.floats().map_err(in_embeddings)?;
    let mut columns = NAMES.map(|_| Vec::new());
    for (name, column) in NAMES.into_iter().zip(&mut columns) {
        let texts = open(&mut zip, name, length).and_then(Array::texts);
        *column = texts.map_err(DecodeError::in_column(Format::Npz, name))?;
    }
    Ok(Embeddings::from_columns(channels, strips, values, columns)?)
}

/// An array of an archive of `length` bytes, which no array can exceed.
fn open<'a, R: Read + Seek>(
    zip: &'a mut ZipArchive<R>,
    name: &str,
    length: u64,
) -> Result<Array<zip::read::ZipFile<'a, R>>, ColumnError> {
    let array_name = |file: &str| file.trim_end_matches(".npy").to_owned();
    let found: Vec<String> = zip.file_names().flatten().map(|n| array_name(&n)).collect();
    if !found.iter().any(|found| found == name) {
        return Err(ColumnError::Missing { found });
    }
    let entry = zip.by_name(&format!("{name}.npy"));
    let entry = entry.map_err(|error| ColumnError::Damaged(Some(error.into())))?;
    if entry.compression() != CompressionMethod::Stored {
        return Err(ColumnError::Compressed);
    }
    // What is stored fits in the file, so a forged size cannot ask for more memory.
    let size = entry.size();
    if size > length {
        return Err(ColumnError::Truncated);
    }
    Array::parse(size, entry)
}

#[cfg(test)]
mod tests {
    use gait_support::full_message;

    use super::*;

    /// An array as NumPy writes it.
    fn npy(dtype: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        [&npy::header(dtype, shape), data].concat()
    }

    fn archive(arrays: &[(&str, Vec<u8>)]) -> File {
        let mut zip = ZipWriter::new(tempfile::tempfile().unwrap());
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        for (name, data) in arrays {
            zip.start_file(format!("{name}.npy"), options).unwrap();
            zip.write_all(data).unwrap();
        }
        zip.finish().unwrap()
    }

    fn others() -> Vec<(&'static str, Vec<u8>)> {
        let values: Vec<u8> =
            [1.0f64, 2.0, 3.0, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let subjects: Vec<u8> = [17i64, -1].iter().flat_map(|v| v.to_le_bytes()).collect();
        vec![
            ("embeddings", npy("<f8", "(2, 2)", &values)),
            ("subject", npy("<i8", "(2,)", &subjects)),
            ("condition", npy("|S3", "(2,)", b"nm\0bg1")),
            ("view", npy("<U1", "(2,)", &[b'l', 0, 0, 0, 0, 0, 0, 0])),
        ]
    }

    fn check(change: impl FnOnce(&mut Vec<(&'static str, Vec<u8>)>), problem: &str) {
        let mut arrays = others();
        change(&mut arrays);
        let message = full_message(&read(archive(&arrays)).unwrap_err());
        assert!(message.contains(problem), "{message}");
    }

    #[test]
    fn arrays_of_other_types_are_read() {
        let e = read(archive(&others())).unwrap();
        assert_eq!((e.channels(), e.strips()), (2, 1));
        assert_eq!(e.values(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(e.subjects(), ["17", "-1"]);
        assert_eq!(e.conditions(), ["nm", "bg1"]);
        assert_eq!(e.views(), ["l", ""]);
    }

    #[test]
    fn integers_of_all_widths_and_both_byte_orders_are_names() {
        let cases: [(&str, &[u8], [&str; 2]); 12] = [
            ("|u1", &[7, 200], ["7", "200"]),
            ("|i1", &[7, 0x80], ["7", "-128"]),
            ("<u2", &[7, 0, 0xFF, 0xFF], ["7", "65535"]),
            (">u2", &[0, 7, 1, 0], ["7", "256"]),
            ("<i2", &[7, 0, 0xFE, 0xFF], ["7", "-2"]),
            (">i2", &[0, 7, 0xFF, 0xFE], ["7", "-2"]),
            ("<u4", &[7, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF], ["7", "4294967295"]),
            ("<i4", &[7, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF], ["7", "-1"]),
            (">i4", &[0, 0, 0, 7, 0x80, 0, 0, 0], ["7", "-2147483648"]),
            ("<u8", &[0xFF; 16], ["18446744073709551615"; 2]),
            (">u8", &[0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1], ["256", "1"]),
            (">i8", &[0xFF; 16], ["-1"; 2]),
        ];
        for (dtype, bytes, names) in cases {
            let mut arrays = others();
            arrays[1].1 = npy(dtype, "(2,)", bytes);
            assert_eq!(read(archive(&arrays)).unwrap().subjects(), names, "{dtype}");
        }
    }

    #[test]
    fn big_endian_floats_and_text_are_read() {
        let mut arrays = others();
        let values: Vec<u8> = [1f32, -2.5, 3.0, 4.0].iter().flat_map(|v| v.to_be_bytes()).collect();
        arrays[0].1 = npy(">f4", "(2, 2)", &values);
        let text: Vec<u8> =
            ['l', '李', 'r', '\0'].into_iter().flat_map(|c| u32::from(c).to_be_bytes()).collect();
        arrays[3].1 = npy(">U2", "(2,)", &text);
        let e = read(archive(&arrays)).unwrap();
        assert_eq!(e.values(), [1.0, -2.5, 3.0, 4.0]);
        assert_eq!(e.views(), ["l李", "r"]);
    }

    #[test]
    fn half_floats_are_read() {
        let mut arrays = others();
        arrays[0].1 = npy("<f2", "(2, 2)", &[0, 0x3C, 0, 0xC0, 0, 0x38, 0, 0]);
        assert_eq!(read(archive(&arrays)).unwrap().values(), [1.0, -2.0, 0.5, 0.0]);
    }

    #[test]
    fn the_header_is_numpys() {
        let mut file = tempfile::tempfile().unwrap();
        write(&mut file, &super::super::tests::sample()).unwrap();
        let mut zip = ZipArchive::new(file).unwrap();
        let mut bytes = Vec::new();
        zip.by_name("subject.npy").unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(&bytes[..10], b"\x93NUMPY\x01\x00\x76\x00");
        assert!(
            bytes[10..].starts_with(b"{'descr': '<U3', 'fortran_order': False, 'shape': (3,), }")
        );
        assert_eq!(bytes[127], b'\n');
        assert_eq!(bytes.len(), 128 + 3 * 3 * 4);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        check(
            |a| a.truncate(2),
            "array `condition`: it is missing; the file has only: embeddings, subject",
        );
        check(|a| a[1].1 = npy("|O", "(2,)", b"\x80\x04"), "pickled Python objects");
        check(
            |a| a[0].1 = npy("<f8", "(2, 3)", &[0; 32]),
            "32 bytes, which are not [2, 3] values of <f8",
        );
        check(|a| a[0].1 = npy("<i4", "(2, 2)", &[0; 16]), "type <i4; it must be float16, float32");
        check(|a| a[0].1 = npy("<f8", "(4,)", &[0; 32]), "it has shape [4]; it must be [n, c, p]");
        check(|a| a[3].1 = npy("|b1", "(2,)", &[0; 2]), "type |b1; it must be text or integers");
        check(|a| a[3].1 = npy("<f4", "(2,)", &[0; 8]), "type <f4; it must be text or integers");
        check(|a| a[3].1 = npy("<i3", "(2,)", &[0; 6]), "type <i3; it must be text or integers");
        check(|a| a[3].1 = npy("<U1", "(1, 2)", &[0; 8]), "it has shape [1, 2]; it must be [n]");
        check(|a| a[3].1 = npy("<U1", "(2,)", &[0xff; 8]), "not Unicode");
        check(|a| a[3].1 = b"\x93NUMPY\x07\x00\x00\x00\x00\x00".to_vec(), "version 7");
        check(|a| a[3].1.truncate(20), "a header that cannot be read");
        check(|a| a[3].1.clear(), "not a .npy array");
        check(|a| a[3].1 = vec![0; 64], "not a .npy array");
        let huge = format!("({}, {})", usize::MAX, usize::MAX);
        check(|a| a[0].1 = npy("<f8", &huge, &[0; 32]), "32 bytes, which are not");
        let fortran = |a: &mut Vec<(&str, Vec<u8>)>| {
            let text = String::from_utf8_lossy(&npy("<f8", "(2, 2)", b"")[10..]).to_string();
            let text = text.replace("False", "True ");
            a[0].1.truncate(10);
            a[0].1.extend(text.as_bytes());
        };
        check(fortran, "Fortran order");
    }
}
