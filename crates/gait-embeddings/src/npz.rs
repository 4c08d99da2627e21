//! numpy's `.npz`: a zip archive of `.npy` arrays (numpy's format description, version 1.0).

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use anyhow::{Context, bail, ensure};
use arrow_array::ArrowPrimitiveType;
use arrow_array::types::Float16Type;
use gait_eval::Embeddings;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::{NAMES, columns};

const MAGIC: &[u8] = b"\x93NUMPY";
/// Array data begin at a multiple of this.
const ALIGNMENT: usize = 64;
/// From this size an entry needs the zip64 form; some bytes are left for the header.
const LARGE: u64 = u32::MAX as u64 - 1024;
/// Longest header that is read; ours have 128 bytes.
const LONGEST_HEADER: u64 = 64 << 10;

/// A float of two bytes.
type Half = <Float16Type as ArrowPrimitiveType>::Native;

pub fn write(file: &mut File, embeddings: &Embeddings) -> anyhow::Result<()> {
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
) -> anyhow::Result<()> {
    let n = embeddings.len();
    let shape = format!("({n}, {}, {})", embeddings.channels(), embeddings.strips());
    start(zip, "embeddings", "<f4", &shape, 4 * embeddings.values().len() as u64)?;
    let mut bytes = Vec::with_capacity(4 * embeddings.width());
    for row in embeddings.values().chunks(embeddings.width()) {
        bytes.clear();
        bytes.extend(row.iter().flat_map(|value| value.to_le_bytes()));
        zip.write_all(&bytes)?;
    }
    for (name, column) in NAMES.into_iter().zip(columns(embeddings)) {
        // At least one character, as numpy has it.
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

/// Opens the entry of an array and writes its header.
fn start<W: Write + Seek>(
    zip: &mut ZipWriter<W>,
    name: &str,
    descr: &str,
    shape: &str,
    size: u64,
) -> anyhow::Result<()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .large_file(size >= LARGE);
    zip.start_file(format!("{name}.npy"), options)?;
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let fixed = MAGIC.len() + 4;
    let padding = ALIGNMENT - (fixed + header.len() + 1) % ALIGNMENT;
    header.extend(std::iter::repeat_n(' ', padding));
    header.push('\n');
    zip.write_all(MAGIC)?;
    zip.write_all(&[1, 0])?;
    zip.write_all(&u16::try_from(header.len())?.to_le_bytes())?;
    zip.write_all(header.as_bytes())?;
    Ok(())
}

/// Reads `embeddings` of float16, 32 or 64, `[n, c, p]` or `[n, c]` (one strip), and the names as
/// unicode, bytes or integers.
pub fn read(mut file: impl Read + Seek) -> anyhow::Result<Embeddings> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut zip = ZipArchive::new(BufReader::new(file))
        .context("this is no .npz file, or it is cut short")?;
    let array = Array::open(&mut zip, "embeddings", length)?;
    let (channels, strips) = match array.shape[..] {
        [_, channels, strips] => (channels, strips),
        [_, channels] => (channels, 1),
        _ => bail!("array `embeddings` is {:?}; it must be [n, c, p]", array.shape),
    };
    let values = array.floats()?;
    let mut texts = |name| Array::open(&mut zip, name, length)?.texts();
    let (subjects, conditions, views) = (texts(NAMES[0])?, texts(NAMES[1])?, texts(NAMES[2])?);
    Ok(Embeddings::from_columns(channels, strips, values, [subjects, conditions, views])?)
}

/// One array of the archive, read up to its data.
struct Array<R> {
    name: &'static str,
    descr: String,
    shape: Vec<usize>,
    /// Bytes of the data.
    left: u64,
    data: R,
}

impl<'a, R: Read + Seek> Array<zip::read::ZipFile<'a, R>> {
    /// `length` is that of the archive, which no array can exceed.
    fn open(zip: &'a mut ZipArchive<R>, name: &'static str, length: u64) -> anyhow::Result<Self> {
        let array_name = |file: &str| file.trim_end_matches(".npy").to_owned();
        let held: Vec<String> = zip.file_names().flatten().map(|n| array_name(&n)).collect();
        if !held.iter().any(|held| held == name) {
            bail!("there is no array `{name}`, only: {}", held.join(", "));
        }
        let entry = zip.by_name(&format!("{name}.npy"));
        let entry = entry.with_context(|| format!("array `{name}` is damaged"))?;
        if entry.compression() != CompressionMethod::Stored {
            bail!("array `{name}` is compressed, which is not read; write it with numpy.savez");
        }
        // What is stored fits in the file, so a false size cannot ask for more memory.
        let size = entry.size();
        ensure!(size <= length, "array `{name}` is cut short");
        Self::parse(name, size, entry).with_context(|| format!("array `{name}`"))
    }
}

impl<R: Read> Array<R> {
    /// Reads the header.
    fn parse(name: &'static str, size: u64, mut data: R) -> anyhow::Result<Self> {
        let mut start = [0; 10];
        data.read_exact(&mut start).context("is no .npy array")?;
        ensure!(start.starts_with(MAGIC), "is no .npy array");
        let mut length = u64::from(u16::from_le_bytes([start[8], start[9]]));
        let mut used = 10;
        match start[MAGIC.len()] {
            1 => {}
            2 | 3 => {
                let mut more = [0; 2];
                data.read_exact(&mut more).context("is cut short in its header")?;
                length += u64::from(u16::from_le_bytes(more)) << 16;
                used += 2;
            }
            version => bail!("has version {version} of the .npy format; 1 to 3 are known"),
        }
        let left = size.checked_sub(used + length);
        let left =
            left.filter(|_| length <= LONGEST_HEADER).context("is cut short in its header")?;
        let mut header = vec![0; usize::try_from(length)?];
        data.read_exact(&mut header).context("is cut short in its header")?;
        let header = String::from_utf8_lossy(&header);
        let descr = field(&header, "descr").context("has no data type")?;
        let descr = descr.trim_matches(['\'', '"']).to_owned();
        if field(&header, "fortran_order").context("has no order")? != "False" {
            bail!("is in Fortran order; write numpy.ascontiguousarray of it");
        }
        let shape = shape(&header).context("has a shape that cannot be read")?;
        Ok(Self { name, descr, shape, left, data })
    }

    /// Reads the values of `size` bytes, as many as the shape has.
    fn items<T>(mut self, size: usize, value: impl Fn(&[u8]) -> T) -> anyhow::Result<Vec<T>> {
        let count = self.shape.iter().try_fold(1usize, |count, axis| count.checked_mul(*axis));
        let bytes = count.and_then(|count| count.checked_mul(size));
        let bytes = bytes.filter(|bytes| *bytes as u64 == self.left && size > 0);
        let mut left = bytes.with_context(|| {
            let Self { name, descr, shape, left, .. } = &self;
            format!("array `{name}` has {left} bytes, which are not {shape:?} values of {descr}")
        })?;
        let mut values = Vec::with_capacity(left / size);
        let mut chunk = vec![0; ((64 << 10) / size).max(1) * size];
        while left > 0 {
            let some = chunk.len().min(left);
            let damaged = || format!("array `{}` is damaged", self.name);
            self.data.read_exact(&mut chunk[..some]).with_context(damaged)?;
            values.extend(chunk[..some].chunks_exact(size).map(&value));
            left -= some;
        }
        // The archive's checksum is compared at its end.
        let end = self.data.read(&mut [0]).with_context(|| format!("array `{}`", self.name))?;
        ensure!(end == 0, "array `{}` is longer than it says", self.name);
        Ok(values)
    }

    fn floats(self) -> anyhow::Result<Vec<f32>> {
        match self.descr.as_str() {
            "<f2" => self.items(2, |b| Half::from_le_bytes(sized(b)).to_f32()),
            "<f4" => self.items(4, |b| f32::from_le_bytes(sized(b))),
            "<f8" => self.items(8, |b| f64::from_le_bytes(sized(b)) as f32),
            other => bail!(
                "array `{}` is of type {other}; it must be float16, float32 or float64",
                self.name
            ),
        }
    }

    fn texts(self) -> anyhow::Result<Vec<String>> {
        let name = self.name;
        ensure!(self.shape.len() == 1, "array `{name}` is {:?}; it must have one axis", self.shape);
        let width = self.descr.get(2..).and_then(|width| width.parse::<usize>().ok());
        match (self.descr.get(..2).unwrap_or_default(), width) {
            ("<i", Some(8)) => self.items(8, |b| i64::from_le_bytes(sized(b)).to_string()),
            ("<i", Some(4)) => self.items(4, |b| i32::from_le_bytes(sized(b)).to_string()),
            ("<U", Some(width)) => {
                let texts: Option<_> =
                    self.items(width.saturating_mul(4), unicode)?.into_iter().collect();
                texts.with_context(|| format!("array `{name}` holds text that is not unicode"))
            }
            ("|S", Some(width)) => {
                self.items(width, |b| String::from_utf8_lossy(b).trim_end_matches('\0').to_owned())
            }
            ("|O", _) => bail!(
                "array `{name}` holds pickled objects, which are not read; write its .astype(str)"
            ),
            _ => bail!("array `{name}` is of type {}; it must be text", self.descr),
        }
    }
}

/// The bytes of one number, of which [`Array::items`] gives exactly as many.
fn sized<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}

/// UTF-32 with zeros at the end.
fn unicode(bytes: &[u8]) -> Option<String> {
    let points = bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// An array as numpy writes it.
    fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let header =
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 0]);
        bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
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
        let message = format!("{:#}", read(archive(&arrays)).unwrap_err());
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
    fn what_cannot_be_read_is_named_with_its_mend() {
        check(|a| a.truncate(2), "no array `condition`, only: embeddings, subject");
        check(|a| a[1].1 = npy("|O", "(2,)", b"\x80\x04"), "pickled objects");
        check(|a| a[0].1 = npy("<f8", "(2, 3)", &[0; 32]), "32 bytes, which are not [2, 3] values");
        check(|a| a[0].1 = npy("<i4", "(2, 2)", &[0; 16]), "type <i4; it must be float16, float32");
        check(|a| a[0].1 = npy("<f8", "(4,)", &[0; 32]), "must be [n, c, p]");
        check(|a| a[3].1 = npy("<U1", "(1, 2)", &[0; 8]), "must have one axis");
        check(|a| a[3].1 = npy("<U1", "(2,)", &[0xff; 8]), "not unicode");
        check(|a| a[3].1 = b"\x93NUMPY\x07\x00\x00\x00\x00\x00".to_vec(), "version 7");
        check(|a| a[3].1.truncate(20), "cut short in its header");
        check(|a| a[3].1.clear(), "no .npy array");
        check(|a| a[3].1 = vec![0; 64], "no .npy array");
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
