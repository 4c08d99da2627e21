//! Zip files: `NAME/data.pkl`, `NAME/byteorder` and one file per storage, `NAME/data/KEY`.

use std::io::{Cursor, Read};
use std::sync::Arc;

use zip::ZipArchive;

use super::LONGEST_PICKLE;

/// The most that one byte of a deflated file becomes.
const MOST_INFLATED: u64 = 1032;

/// See the module.
pub struct Zipped {
    archive: ZipArchive<Cursor<Arc<[u8]>>>,
    /// `NAME/`.
    folder: String,
    pickle: Vec<u8>,
    big_endian: bool,
}

impl Zipped {
    pub fn open(bytes: Vec<u8>) -> Result<Self, String> {
        let mut archive = ZipArchive::new(Cursor::new(bytes.into()))
            .map_err(|e| format!("it is a damaged or truncated zip file ({e})"))?;
        let names: Vec<String> =
            archive.file_names().flatten().map(std::borrow::Cow::into_owned).collect();
        let folder = |name: &str| name.strip_suffix("data.pkl").map(String::from);
        let folder = names.iter().find_map(|name| folder(name));
        let folder = folder.ok_or("it is a zip file without data.pkl, so not from torch.save")?;
        if names.iter().any(|name| *name == format!("{folder}constants.pkl")) {
            return Err("it is a TorchScript program; save the state dict alone: \
                        torch.save(model.state_dict(), \"FILE.pt\")"
                .into());
        }
        let pickle = read(&mut archive, &format!("{folder}data.pkl"), LONGEST_PICKLE)?;
        let order = format!("{folder}byteorder");
        let big_endian = names.contains(&order) && read(&mut archive, &order, 16)? == b"big";
        Ok(Self { archive, folder, pickle, big_endian })
    }

    pub fn pickle(&self) -> &[u8] {
        &self.pickle
    }

    pub fn big_endian(&self) -> bool {
        self.big_endian
    }

    /// A storage of `length` bytes.
    pub fn storage(&self, key: &str, length: usize) -> Result<Vec<u8>, String> {
        // A clone shares the directory and the bytes.
        let name = format!("{}data/{key}", self.folder);
        let bytes = read(&mut self.archive.clone(), &name, length as u64)?;
        if bytes.len() == length {
            return Ok(bytes);
        }
        Err(format!("needs a storage of {length} bytes; {name} has {}", bytes.len()))
    }
}

/// A file of at most `longest` bytes.
fn read<R: Read + std::io::Seek>(
    archive: &mut ZipArchive<R>,
    name: &str,
    longest: u64,
) -> Result<Vec<u8>, String> {
    let file = archive.by_name(name).map_err(|e| format!("{name} cannot be read ({e})"))?;
    let length = file.size();
    if length > longest || length > file.compressed_size().saturating_mul(MOST_INFLATED) + 64 {
        return Err(format!("{name} claims {length} bytes, more than it can have"));
    }
    let mut bytes = Vec::new();
    // One more than is allowed shows that there is more.
    let read = file.take(length + 1).read_to_end(&mut bytes);
    read.map_err(|e| format!("{name} is damaged ({e})"))?;
    Ok(bytes)
}
