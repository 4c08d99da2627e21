//! Mapping a file into memory.

use std::fs::File;
use std::path::Path;

use arrow_buffer::Buffer;
use bytes::Bytes;
use memmap2::Mmap;

use crate::DataError;

/// Maps `path` read-only; nothing is read before it is used.
pub(crate) fn map(path: &Path) -> Result<Buffer, DataError> {
    let file = File::open(path).map_err(|e| DataError::io("read", path, e))?;
    let length = file.metadata().map_err(|e| DataError::io("read", path, e))?.len();
    if length == 0 {
        return Ok(Buffer::from(Bytes::new()));
    }
    // SAFETY: the map is read-only and lives as long as every slice of it (`Bytes` owns it). A map
    // is sound as long as the file does not change underneath. This crate never changes one: it
    // writes a new file beside the old one and renames it, which leaves the mapped one intact.
    #[allow(unsafe_code)]
    let map = unsafe { Mmap::map(&file) }.map_err(|e| DataError::io("read", path, e))?;
    Ok(Buffer::from(Bytes::from_owner(map)))
}
