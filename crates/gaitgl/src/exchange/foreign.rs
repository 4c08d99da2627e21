//! Recognises files of other programs by their bytes, whatever their names.

use std::fmt;

use safetensors::SafeTensors;

use super::torch;
use crate::weights::ABOUT;

/// The format of a file that is not a checkpoint of this library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignFormat {
    /// What `torch.save` writes: a zip file with `data.pkl`, or pickles in a row (before 1.6).
    Torch,
    /// Named tensors without the description that makes them a checkpoint.
    Safetensors,
    /// An ONNX model.
    Onnx,
    /// The text file that Git stores in place of a large file.
    LfsPointer,
}

impl ForeignFormat {
    /// The format of a file with these bytes; `None` if it is not one of these.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"version https://git-lfs.github.com/spec/") {
            return Some(Self::LfsPointer);
        }
        if torch::is_torch_file(bytes) {
            return Some(Self::Torch);
        }
        if is_onnx(bytes) {
            return Some(Self::Onnx);
        }
        let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
        let described =
            header.metadata().as_ref().is_some_and(|entries| entries.contains_key(ABOUT));
        (!described).then_some(Self::Safetensors)
    }

    /// Whether [`import`](super::import()) reads this format.
    pub(crate) fn is_importable(self) -> bool {
        matches!(self, Self::Torch | Self::Safetensors)
    }
}

impl fmt::Display for ForeignFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Torch => "a PyTorch file",
            Self::Safetensors => "a safetensors file without training settings",
            Self::Onnx => "an ONNX model",
            Self::LfsPointer => "a Git LFS pointer, not the file itself",
        })
    }
}

/// Whether the bytes start as an ONNX `ModelProto`: the IR version (field 1), and among the fields
/// that follow the graph (field 7).
fn is_onnx(bytes: &[u8]) -> bool {
    const IR_VERSION: u64 = 1 << 3;
    const GRAPH: u64 = 7 << 3 | LENGTH_DELIMITED;
    let mut rest = bytes;
    if varint(&mut rest) != Some(IR_VERSION) || varint(&mut rest).is_none_or(|ir| ir > 64) {
        return false;
    }
    while let Some(tag) = varint(&mut rest) {
        if tag == GRAPH {
            return true;
        }
        if skip_field(&mut rest, tag).is_none() {
            return false;
        }
    }
    false
}

const LENGTH_DELIMITED: u64 = 2;

fn skip_field(rest: &mut &[u8], tag: u64) -> Option<()> {
    let value = varint(rest)?;
    match tag & 7 {
        0 => Some(()),
        LENGTH_DELIMITED => {
            *rest = rest.get(usize::try_from(value).ok()?..)?;
            Some(())
        }
        _ => None,
    }
}

/// Takes a base-128 varint of at most ten bytes from the front.
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let length = 1 + rest.iter().take(10).position(|byte| byte & 0x80 == 0)?;
    let (bytes, after) = rest.split_at(length);
    *rest = after;
    Some(bytes.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7F)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use safetensors::serialize;
    use safetensors::tensor::{Dtype, TensorView};

    use super::*;

    fn safetensors(metadata: Option<&str>) -> Vec<u8> {
        let data = 1.0f32.to_le_bytes();
        let view = TensorView::new(Dtype::F32, vec![1], &data).unwrap();
        let metadata = metadata.map(|key| HashMap::from([(key.to_owned(), "{}".to_owned())]));
        serialize([("x", view)], metadata).unwrap()
    }

    #[test]
    fn formats_are_recognised_by_their_bytes() {
        let legacy = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.";
        let zip =
            b"PK\x03\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0archive/data.pkl";
        let onnx = b"\x08\x08\x12\x07pytorch\x3a\x02\x0a\x00";
        let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
        for (bytes, format) in [
            (&legacy[..], Some(ForeignFormat::Torch)),
            (zip, Some(ForeignFormat::Torch)),
            (onnx, Some(ForeignFormat::Onnx)),
            (lfs, Some(ForeignFormat::LfsPointer)),
            (&safetensors(None), Some(ForeignFormat::Safetensors)),
            (&safetensors(Some("format")), Some(ForeignFormat::Safetensors)),
            (&safetensors(Some(ABOUT)), None),
            (b"", None),
            (b"PK\x03\x04", None),
            (b"\x80\x02K\x01.", None),
            (b"\x08\x08", None),
            (b"hello", None),
        ] {
            assert_eq!(ForeignFormat::from_bytes(bytes), format, "{}", bytes.escape_ascii());
        }
    }
}
