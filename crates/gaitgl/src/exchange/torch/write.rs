//! Writes files that `torch.load(FILE, weights_only=True)` reads.

use std::io::{Cursor, Write};

use gait_data::pickle::opcode::{
    BINPERSID, BINUNICODE, EMPTY_DICT, EMPTY_TUPLE, GLOBAL, LONG1, MARK, NEWFALSE, PROTO, REDUCE,
    SETITEMS, STOP, TUPLE,
};
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
    let mut pickle = PickleWriter::new();
    pickle.opcodes(&[EMPTY_DICT, MARK]);
    pickle.text("model");
    pickle.opcodes(&[EMPTY_DICT, MARK]);
    for (key, entry) in entries.iter().enumerate() {
        pickle.text(&entry.name);
        pickle.tensor(key, entry);
    }
    pickle.opcodes(&[SETITEMS]);
    pickle.text("iteration");
    pickle.integer(iteration);
    pickle.opcodes(&[SETITEMS, STOP]);
    pickle.0
}

/// Writes a pickle of protocol 2.
struct PickleWriter(Vec<u8>);

impl PickleWriter {
    fn new() -> Self {
        Self(vec![PROTO, 2])
    }

    fn opcodes(&mut self, opcodes: &[u8]) {
        self.0.extend_from_slice(opcodes);
    }

    fn text(&mut self, text: &str) {
        self.0.push(BINUNICODE);
        self.0.extend((text.len() as u32).to_le_bytes());
        self.0.extend(text.as_bytes());
    }

    /// Nine bytes, so that the sign bit is never set.
    fn integer(&mut self, value: u64) {
        self.0.extend([LONG1, 9]);
        self.0.extend(value.to_le_bytes());
        self.0.push(0);
    }

    fn sizes(&mut self, sizes: &[usize]) {
        self.opcodes(&[MARK]);
        for &size in sizes {
            self.integer(size as u64);
        }
        self.opcodes(&[TUPLE]);
    }

    /// A class or function by its module and name.
    fn global(&mut self, module: &str, name: &str) {
        self.0.push(GLOBAL);
        self.0.extend(format!("{module}\n{name}\n").as_bytes());
    }

    /// `_rebuild_tensor_v2(("storage", class, key, "cpu", count), 0, shape, strides, False,
    /// OrderedDict())`
    fn tensor(&mut self, key: usize, entry: &NamedTensor) {
        self.global("torch._utils", "_rebuild_tensor_v2");
        self.opcodes(&[MARK, MARK]);
        self.storage(key, &entry.values);
        self.opcodes(&[TUPLE, BINPERSID]);
        self.integer(0);
        self.sizes(entry.shape);
        self.sizes(&row_major_strides(entry.shape));
        self.opcodes(&[NEWFALSE]);
        self.global("collections", "OrderedDict");
        self.opcodes(&[EMPTY_TUPLE, REDUCE, TUPLE, REDUCE]);
    }

    fn storage(&mut self, key: usize, values: &Values) {
        let (class, count) = values.storage();
        self.text("storage");
        self.global("torch", class);
        self.text(&key.to_string());
        self.text("cpu");
        self.integer(count as u64);
    }
}

fn row_major_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..strides.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}
