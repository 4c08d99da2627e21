//! Reading JSON files that people edit with any editor.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::DataError;

/// The value in the bytes of a JSON file, with or without a byte order mark; `path` names the file
/// in messages.
///
/// # Errors
/// UTF-16, and JSON that is damaged or of another form.
pub(crate) fn from_slice<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, DataError> {
    const MARK: &[u8] = b"\xEF\xBB\xBF";
    if is_utf_16(bytes) {
        return Err(DataError::Utf16 { path: path.to_path_buf() });
    }
    let text = bytes.strip_prefix(MARK).unwrap_or(bytes);
    serde_json::from_slice(text)
        .map_err(|source| DataError::Json { path: path.to_path_buf(), source })
}

/// Whether a JSON text is UTF-16: by its byte order mark, or because one byte of its first
/// character, which is ASCII in JSON, is zero.
fn is_utf_16(bytes: &[u8]) -> bool {
    matches!(bytes, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0, 1..=255, ..] | [1..=255, 0, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<u8>, DataError> {
        from_slice(Path::new("split.json"), bytes)
    }

    #[test]
    fn a_byte_order_mark_is_accepted_and_utf_16_is_named() {
        assert_eq!(read(b"[1]").unwrap(), [1]);
        assert_eq!(read(b"\xEF\xBB\xBF[1]").unwrap(), [1]);
        for text in
            [&b"\xFF\xFE[\x001\0]\0"[..], b"\xFE\xFF\0[\x001\0]", b"[\x001\0]\0", b"\0[\x001"]
        {
            assert!(matches!(read(text), Err(DataError::Utf16 { .. })), "{text:?}");
        }
        assert!(matches!(read(b"[1"), Err(DataError::Json { .. })));
        assert!(matches!(read(b""), Err(DataError::Json { .. })));
    }
}
