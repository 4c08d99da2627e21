//! Arguments that should be folders: a video or an archive in their place is named as what it is.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::bail;

use crate::commands::quoted;

/// Checks that `path` is not a file. That it is missing is left to whoever reads it.
///
/// # Errors
/// A file, with its kind and what to do with it.
pub fn expect_folder(path: &Path) -> anyhow::Result<()> {
    if !path.is_file() {
        return Ok(());
    }
    let name = path.display();
    match Kind::of(path) {
        Some(Kind::Video) => bail!(
            "{name} is a video, not a folder; find the people in it with gaitgl silhouettes {} OUT, \
             then gaitgl prepare OUT PREPARED --layout flat --pattern '{{subject}}'",
            quoted(path)
        ),
        Some(Kind::Archive) => {
            bail!("{name} is an archive, not a folder; unpack it and give the folder")
        }
        Some(Kind::Weights) => {
            bail!("{name} is a file of weights, not a folder; give a folder of silhouettes here")
        }
        None => bail!("{name} is a file, not a folder; give the folder that it is in"),
    }
}

/// What a file is that somebody gives in the place of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Video,
    Archive,
    Weights,
}

/// Extensions of files, in lower case. They come first because weights of PyTorch are zip archives.
const EXTENSIONS: [(Kind, &[&str]); 3] = [
    (Kind::Video, &["mp4", "avi", "mkv", "mov", "webm", "m4v", "mpg", "mpeg", "wmv", "flv"]),
    (Kind::Archive, &["zip", "tar", "gz", "tgz", "bz2", "xz", "zst", "7z", "rar"]),
    (Kind::Weights, &["pt", "pth", "ptm", "onnx", "safetensors"]),
];

/// Bytes by which files without a telling extension are recognised, and the place of the bytes.
const SIGNATURES: [(Kind, usize, &[u8]); 9] = [
    (Kind::Archive, 0, b"PK\x03\x04"),
    (Kind::Archive, 0, b"\x1f\x8b"),
    (Kind::Archive, 0, b"7z\xbc\xaf\x27\x1c"),
    (Kind::Archive, 0, b"\xfd7zXZ\0"),
    (Kind::Archive, 0, b"Rar!"),
    (Kind::Archive, 257, b"ustar"),
    (Kind::Video, 4, b"ftyp"),
    (Kind::Video, 0, b"\x1a\x45\xdf\xa3"),
    (Kind::Video, 8, b"AVI "),
];

impl Kind {
    fn of(path: &Path) -> Option<Self> {
        let extension = path.extension().map(|text| text.to_string_lossy().to_lowercase());
        let extension = extension.unwrap_or_default();
        let by_extension = EXTENSIONS.iter().find(|(_, known)| known.contains(&&*extension));
        by_extension.map(|(kind, _)| *kind).or_else(|| Self::by_signature(&start_of(path)))
    }

    fn by_signature(start: &[u8]) -> Option<Self> {
        let found = SIGNATURES.iter().find(|(_, offset, signature)| {
            start.get(*offset..).is_some_and(|rest| rest.starts_with(signature))
        });
        found.map(|(kind, ..)| *kind)
    }
}

/// The first bytes of a file; none if it cannot be read.
fn start_of(path: &Path) -> Vec<u8> {
    let mut start = Vec::new();
    if let Ok(file) = File::open(path) {
        let _ = file.take(512).read_to_end(&mut start);
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_in_the_place_of_folders_are_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(expect_folder(folder.path()).is_ok());
        assert!(expect_folder(&folder.path().join("missing")).is_ok());
        let tar = [&[0; 257][..], b"ustar"].concat();
        let cases: [(&str, &[u8], &str); 7] = [
            ("walk.MP4", b"", "is a video"),
            ("walk", b"\0\0\0\x20ftypisom", "is a video"),
            ("set.tar.gz", b"", "is an archive"),
            ("set", b"PK\x03\x04...", "unpack it"),
            ("data", &tar, "is an archive"),
            ("GaitGL-80000.pt", b"PK\x03\x04", "weights"),
            ("notes.txt", b"hello", "is a file, not a folder"),
        ];
        for (name, bytes, expected) in cases {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let error = expect_folder(&path).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(expected), "{error}");
        }
    }
}
