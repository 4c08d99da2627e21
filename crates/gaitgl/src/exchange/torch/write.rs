//! Files that `torch.load(FILE, weights_only=True)` takes.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::weights::little_endian;

/// A named tensor to write.
pub struct Entry<'w> {
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
pub fn write(entries: &[Entry], iteration: u64) -> Result<Vec<u8>, String> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    // PyTorch maps storages into memory where they begin at a multiple of 64.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .with_alignment(64);
    let mut file = |name: String, bytes: &[u8]| {
        let started = archive.start_file(name, options).map_err(|e| e.to_string());
        started.and_then(|()| archive.write_all(bytes).map_err(|e| e.to_string()))
    };
    file("archive/data.pkl".into(), &pickle(entries, iteration))?;
    file("archive/byteorder".into(), b"little")?;
    for (key, entry) in entries.iter().enumerate() {
        file(format!("archive/data/{key}"), &entry.values.bytes())?;
    }
    file("archive/version".into(), b"3\n")?;
    archive.finish().map(Cursor::into_inner).map_err(|e| e.to_string())
}

fn pickle(entries: &[Entry], iteration: u64) -> Vec<u8> {
    let mut pickle = Program(b"\x80\x02}(".to_vec());
    pickle.text("model");
    pickle.raw(b"}(");
    for (key, entry) in entries.iter().enumerate() {
        pickle.text(&entry.name);
        pickle.tensor(key, entry);
    }
    pickle.raw(b"u");
    pickle.text("iteration");
    pickle.integer(iteration);
    pickle.raw(b"u.");
    pickle.0
}

/// A pickle of protocol 2 in the making.
struct Program(Vec<u8>);

impl Program {
    fn raw(&mut self, opcodes: &[u8]) {
        self.0.extend_from_slice(opcodes);
    }

    fn text(&mut self, text: &str) {
        self.raw(b"X");
        self.raw(&(text.len() as u32).to_le_bytes());
        self.raw(text.as_bytes());
    }

    /// LONG1 of nine bytes, so that the sign bit is never set.
    fn integer(&mut self, value: u64) {
        self.raw(b"\x8a\x09");
        self.raw(&value.to_le_bytes());
        self.raw(b"\0");
    }

    fn sizes(&mut self, sizes: &[usize]) {
        self.raw(b"(");
        for &size in sizes {
            self.integer(size as u64);
        }
        self.raw(b"t");
    }

    /// `_rebuild_tensor_v2(("storage", class, key, "cpu", count), 0, shape, strides, False,
    /// OrderedDict())`
    fn tensor(&mut self, key: usize, entry: &Entry) {
        let (class, count) = entry.values.storage();
        self.raw(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        self.text("storage");
        self.raw(format!("ctorch\n{class}\n").as_bytes());
        self.text(&key.to_string());
        self.text("cpu");
        self.integer(count as u64);
        self.raw(b"tQ");
        self.integer(0);
        self.sizes(entry.shape);
        let mut strides = vec![1; entry.shape.len()];
        for axis in (1..strides.len()).rev() {
            strides[axis - 1] = strides[axis] * entry.shape[axis];
        }
        self.sizes(&strides);
        self.raw(b"\x89ccollections\nOrderedDict\n)RtR");
    }
}
