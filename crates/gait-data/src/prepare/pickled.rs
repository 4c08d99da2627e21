//! Sequences that come as pickled arrays, as OpenGait's scripts prepare them.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::pickle::{Array, NUMPY_RULES, Pickle, PickleError, Value};
use crate::trimmed_width;

/// The largest file: an hour of 64x64 at 25 frames a second, and small enough for the memory.
const LARGEST_BYTES: usize = 400 << 20;

/// The file of a sequence that holds its silhouettes. Several files are several views of the same
/// frames (depth, colour, parsing), never parts of the sequence. The silhouettes are told by
/// name (`sils-seq0.pkl`, `06-000-Camera-Sils_aligned.pkl`); where no name says so, OpenGait's
/// rule holds: the first one.
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

/// Bytes of the file at `path`.
pub(super) fn length(path: &Path) -> Result<usize, String> {
    let length = fs::metadata(path).map_err(|e| e.to_string())?.len();
    usize::try_from(length)
        .ok()
        .filter(|length| *length <= LARGEST_BYTES)
        .ok_or_else(|| format!("larger than any sequence ({} MB and more)", LARGEST_BYTES >> 20))
}

/// [`decode_pickled`] of the file at `path`; hands the silhouettes, with their rows and columns, to
/// `take`.
///
/// # Errors
/// The reason, for a report that already names the file.
pub(super) fn read<T>(
    path: &Path,
    height: usize,
    take: impl FnOnce([usize; 2], &[u8]) -> Result<T, String>,
) -> Result<T, String> {
    let mut bytes = Vec::with_capacity(length(path)?);
    let file = File::open(path).map_err(|e| e.to_string())?;
    let limit = LARGEST_BYTES as u64;
    file.take(limit).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    let (size, pixels) = decode_pickled(&bytes, height)?;
    take(size, &pixels)
}

/// The silhouettes in the bytes of a pickle, as OpenGait's scripts write it: an array of uint8
/// `[t, h, w]`, or a list of arrays `[h, w]`. Gives their rows and columns, and the pixels. They
/// must have `height` rows, and as many columns or those that trimming leaves.
///
/// # Errors
/// The reason, for a report that already names the file.
pub fn decode_pickled(bytes: &[u8], height: usize) -> Result<([usize; 2], Cow<'_, [u8]>), String> {
    if bytes.is_empty() {
        return Err("zero bytes".into());
    }
    let pickle = Pickle::read(bytes, &NUMPY_RULES).map_err(|e| e.to_string())?;
    let (size, pixels) = silhouettes(pickle.root(), bytes.len()).map_err(|e| e.to_string())?;
    let [rows, columns] = size;
    if rows != height {
        return Err(format!("its frames are {rows}x{columns}; prepare them with --height {rows}"));
    }
    if columns != height && columns != trimmed_width(height) {
        let narrow = trimmed_width(height);
        return Err(format!(
            "its frames are {rows}x{columns}, not {height}x{height} or {height}x{narrow}"
        ));
    }
    Ok((size, pixels))
}

/// The frames of an array [t, h, w], or of a list of arrays [h, w]: h and w, and the pixels.
fn silhouettes<'a>(
    value: Value<'_, 'a>,
    file_length: usize,
) -> Result<([usize; 2], Cow<'a, [u8]>), PickleError> {
    let other = |what: String| PickleError::Other(what);
    let Some(list) = value.list() else {
        let array = Array::of(value)?;
        let &[_, rows, columns] = array.shape() else {
            let what = array.describe();
            let mend = "save it as uint8 [frames, rows, columns]";
            return Err(other(format!("it holds {what}, not frames; {mend}")));
        };
        return Ok(([rows, columns], array.into_uint8()?));
    };
    let mut size = None;
    let mut pixels = Vec::new();
    for (number, frame) in list.enumerate() {
        let array = Array::of(frame)?;
        let &[rows, columns] = array.shape() else {
            let what = format!("frame {number} of its list is {}", array.describe());
            return Err(other(what));
        };
        if *size.get_or_insert([rows, columns]) != [rows, columns] {
            return Err(other(format!("frame {number} of its list is of another size")));
        }
        pixels.extend_from_slice(&array.into_uint8()?);
        // A list may name one frame a million times.
        if pixels.len() > file_length {
            return Err(other("its list is larger than its file".into()));
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
