//! Writes files that `torch.load(FILE, weights_only=True)` reads.

use std::io::{Cursor, Write};

use gait_data::pickle::PickleWriter;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::exchange::ExportFault;
use crate::weights::little_endian;

/// A named tensor to write.
pub struct NamedTensor<'w> {
    /// Its name.
    pub name: String,
    /// Its size along each axis.
    pub shape: &'w [usize],
    /// Its values.
    pub values: Values<'w>,
}

/// The values of a tensor, row-major.
pub enum Values<'w> {
    /// float32
    Floats(&'w [f32]),
    /// One int64
    Count(i64),
}

impl Values<'_> {
    /// As little-endian bytes.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Floats(values) => little_endian(values),
            Self::Count(count) => count.to_le_bytes().to_vec(),
        }
    }

    fn storage(&self) -> (&'static str, usize) {
        match self {
            Self::Floats(values) => ("FloatStorage", values.len()),
            Self::Count(_) => ("LongStorage", 1),
        }
    }
}

/// The bytes of a zip file that holds `{"model": {name: tensor}, "iteration": iteration}`.
///
/// # Errors
/// What a zip file cannot hold.
pub fn write(entries: &[NamedTensor], iteration: u64) -> Result<Vec<u8>, ExportFault> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    // PyTorch maps storages into memory if they begin at a multiple of 64.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .with_alignment(64);
    let mut file = |name: String, bytes: &[u8]| -> Result<(), ExportFault> {
        archive.start_file(name, options)?;
        Ok(archive.write_all(bytes)?)
    };
    file("archive/data.pkl".into(), &pickle(entries, iteration))?;
    file("archive/byteorder".into(), b"little")?;
    for (key, entry) in entries.iter().enumerate() {
        file(format!("archive/data/{key}"), &entry.values.bytes())?;
    }
    file("archive/version".into(), b"3\n")?;
    Ok(archive.finish()?.into_inner())
}

fn pickle(entries: &[NamedTensor], iteration: u64) -> Vec<u8> {
    let mut pickle = PickleWriter::default();
    pickle.empty_dict();
    pickle.mark();
    pickle.text("model");
    pickle.empty_dict();
    pickle.mark();
    for (key, entry) in entries.iter().enumerate() {
        pickle.text(&entry.name);
        tensor(&mut pickle, key, entry);
    }
    pickle.set_items();
    pickle.text("iteration");
    pickle.integer(iteration);
    pickle.set_items();
    pickle.finish()
}

/// `_rebuild_tensor_v2(("storage", class, key, "cpu", count), 0, shape, strides, False,
/// OrderedDict())`
fn tensor(pickle: &mut PickleWriter, key: usize, entry: &NamedTensor) {
    pickle.global("torch._utils", "_rebuild_tensor_v2");
    pickle.mark();
    storage(pickle, key, &entry.values);
    pickle.integer(0);
    sizes(pickle, entry.shape);
    sizes(pickle, &row_major_strides(entry.shape));
    pickle.boolean(false);
    pickle.global("collections", "OrderedDict");
    pickle.empty_tuple();
    pickle.call();
    pickle.tuple();
    pickle.call();
}

fn storage(pickle: &mut PickleWriter, key: usize, values: &Values) {
    let (class, count) = values.storage();
    pickle.mark();
    pickle.text("storage");
    pickle.global("torch", class);
    pickle.text(&key.to_string());
    pickle.text("cpu");
    pickle.integer(count as u64);
    pickle.tuple();
    pickle.persistent();
}

fn sizes(pickle: &mut PickleWriter, sizes: &[usize]) {
    pickle.mark();
    for &size in sizes {
        pickle.integer(size as u64);
    }
    pickle.tuple();
}

fn row_major_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..strides.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}
