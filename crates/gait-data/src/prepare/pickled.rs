//! Sequences that come as pickled arrays, as OpenGait's scripts prepare them.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::image_file::GIT_LFS;
use crate::pickle::{NUMPY_RULES, NumpyArray, Pickle, PickleError, Value};
use crate::trimmed_width;

/// The largest file: an hour of 64x64 at 25 frames a second, and small enough for the memory.
const LARGEST_BYTES: usize = 400 << 20;

/// The file of a sequence that holds its silhouettes. Several files are several views of the same
/// frames (depth, colour, parsing), never parts of the sequence. The silhouettes are found by
/// name (`sils-seq0.pkl`, `06-000-Camera-Sils_aligned.pkl`); without such a name, OpenGait's rule
/// holds: the first one.
pub(super) fn choose(pickles: &[OsString]) -> &OsString {
    let rank = |name: &OsString| {
        let name = name.to_string_lossy().to_ascii_lowercase();
        let not_raw = !["raw", "pcd", "lidar", "sync"].iter().any(|part| name.contains(part));
        match (name.contains("sil") && not_raw, name.contains("aligned")) {
            (true, true) => 0,
            (true, false) => 1,
            (false, _) => 2,
        }
    };
    // The first of equals.
    pickles.iter().min_by_key(|name| rank(name)).unwrap_or(&pickles[0])
}

/// Why a pickle gives no sequence of silhouettes. Its `Display` follows the name of the file.
#[derive(Debug, thiserror::Error)]
pub enum PickledClipError {
    /// The system cannot read the file.
    #[error("it cannot be read")]
    Io(#[source] io::Error),
    /// The file has no bytes.
    #[error("zero bytes")]
    Empty,
    /// The file is larger than any sequence.
    #[error("larger than any sequence ({} MB and more)", LARGEST_BYTES >> 20)]
    TooLarge,
    /// Git LFS stores the file elsewhere and left a pointer of a few lines.
    #[error("a Git LFS pointer, not the file itself (it was not downloaded)")]
    GitLfsPointer,
    /// It is no sound pickle of a uint8 array.
    #[error(transparent)]
    Pickle(#[from] PickleError),
    /// Its array has not three axes.
    #[error("it holds {found}, not frames; expected uint8 [frames, rows, columns]")]
    NotFrames {
        /// Type and shape of the array.
        found: String,
    },
    /// A member of its list is no frame.
    #[error("frame {number} of its list is {found}, not [rows, columns]")]
    NotAFrame {
        /// Which one, from 0.
        number: usize,
        /// Type and shape of the array.
        found: String,
    },
    /// The frames of its list have different sizes.
    #[error("frame {number} of its list is of another size")]
    MixedSizes {
        /// The first one that differs, from 0.
        number: usize,
    },
    /// Its list names frames more often than the file holds them.
    #[error("its list is larger than its file")]
    ListTooLarge,
    /// It has no frame.
    #[error("no frame is left")]
    NoFrame,
    /// Its frames have another height than the set.
    #[error("its frames are {rows}x{columns}; this set has a height of {height}")]
    Height {
        /// Rows of the frames.
        rows: usize,
        /// Columns of the frames.
        columns: usize,
        /// The height of the set.
        height: usize,
    },
    /// Its frames have a width that is neither whole nor trimmed.
    #[error(
        "its frames are {height}x{columns}, not {height}x{height} or {height}x{}",
        trimmed_width(*.height)
    )]
    Width {
        /// Columns of the frames.
        columns: usize,
        /// The height of the set.
        height: usize,
    },
}

/// Bytes of the file at `path`.
pub(super) fn length(path: &Path) -> Result<usize, PickledClipError> {
    let length = fs::metadata(path).map_err(PickledClipError::Io)?.len();
    usize::try_from(length)
        .ok()
        .filter(|length| *length <= LARGEST_BYTES)
        .ok_or(PickledClipError::TooLarge)
}

/// The bytes of the file at `path`, of which about `length` are expected.
pub(super) fn read(path: &Path, length: usize) -> Result<Vec<u8>, PickledClipError> {
    let mut bytes = Vec::with_capacity(length);
    let file = File::open(path).map_err(PickledClipError::Io)?;
    file.take(LARGEST_BYTES as u64).read_to_end(&mut bytes).map_err(PickledClipError::Io)?;
    Ok(bytes)
}

/// The silhouettes in the bytes of a pickle, as OpenGait's scripts write it: an array of uint8
/// `[t, h, w]`, or a list of arrays `[h, w]`. Gives their rows and columns, and the pixels. They
/// must have `height` rows, and as many columns or those that trimming leaves.
///
/// # Errors
/// If the bytes are no such pickle, or its frames have another size.
pub fn decode_pickled(
    bytes: &[u8],
    height: usize,
) -> Result<([usize; 2], Cow<'_, [u8]>), PickledClipError> {
    if bytes.is_empty() {
        return Err(PickledClipError::Empty);
    }
    if bytes.starts_with(GIT_LFS) {
        return Err(PickledClipError::GitLfsPointer);
    }
    let pickle = Pickle::read(bytes, &NUMPY_RULES)?;
    let (size, pixels) = silhouettes(pickle.root(), bytes.len())?;
    let [rows, columns] = size;
    // A list without frames has no size.
    if pixels.is_empty() {
        return Err(PickledClipError::NoFrame);
    }
    if rows != height {
        return Err(PickledClipError::Height { rows, columns, height });
    }
    if columns != height && columns != trimmed_width(height) {
        return Err(PickledClipError::Width { columns, height });
    }
    Ok((size, pixels))
}

/// The frames of an array [t, h, w], or of a list of arrays [h, w]: h and w, and the pixels.
fn silhouettes<'a>(
    value: Value<'_, 'a>,
    file_length: usize,
) -> Result<([usize; 2], Cow<'a, [u8]>), PickledClipError> {
    let Some(list) = value.list() else {
        let array = NumpyArray::from_value(value)?;
        let &[_, rows, columns] = array.shape() else {
            return Err(PickledClipError::NotFrames { found: array.describe() });
        };
        return Ok(([rows, columns], array.into_uint8()?));
    };
    let mut size = None;
    let mut pixels = Vec::new();
    for (number, frame) in list.enumerate() {
        let array = NumpyArray::from_value(frame)?;
        let &[rows, columns] = array.shape() else {
            return Err(PickledClipError::NotAFrame { number, found: array.describe() });
        };
        if *size.get_or_insert([rows, columns]) != [rows, columns] {
            return Err(PickledClipError::MixedSizes { number });
        }
        pixels.extend_from_slice(&array.into_uint8()?);
        // A list may name one frame a million times.
        if pixels.len() > file_length {
            return Err(PickledClipError::ListTooLarge);
        }
    }
    Ok((size.unwrap_or_default(), Cow::Owned(pixels)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], chosen: &str) {
        let names: Vec<OsString> = names.iter().map(OsString::from).collect();
        assert_eq!(choose(&names), chosen);
    }

    #[test]
    fn silhouettes_are_told_by_name_and_else_the_first_file_counts() {
        check(&["090.pkl"], "090.pkl");
        check(&["pars-seq0.pkl", "sils-seq0.pkl", "smpls-seq0.pkl"], "sils-seq0.pkl");
        check(
            &["v-aligned-sils.pkl", "v-ratios.pkl", "v-rgbs.pkl", "v-sils.pkl"],
            "v-aligned-sils.pkl",
        );
        check(
            &[
                "00-000-LiDAR-PCDs.pkl",
                "02-000-LiDAR-PCDs_sils.pkl",
                "06-000-Camera-Sils_aligned.pkl",
                "07-000-Camera-Sils_raw.pkl",
                "14-sync-000-Camera-Sils_aligned.pkl",
            ],
            "06-000-Camera-Sils_aligned.pkl",
        );
        check(&["a.pkl", "b.pkl"], "a.pkl");
    }

    #[test]
    fn a_list_that_repeats_a_frame_cannot_outgrow_its_file() {
        let array = fs::read(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/pickles/list.p3.np2.pkl"
        ))
        .unwrap();
        let pickle = Pickle::read(&array, &NUMPY_RULES).unwrap();
        let (size, pixels) = silhouettes(pickle.root(), array.len()).unwrap();
        assert_eq!((size, pixels.len()), ([5, 4], 60));
        assert!(silhouettes(pickle.root(), 59).unwrap_err().to_string().contains("larger"));
    }
}
