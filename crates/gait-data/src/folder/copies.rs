//! Frames that are stored twice: in two formats, or as a file manager's copy.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Moves every second copy of an image from `images` to `strays`, with the name of the first.
pub(super) fn set_aside(images: &mut Vec<OsString>, strays: &mut Vec<String>) {
    if !may_repeat(images) {
        return;
    }
    let stems: Vec<String> = images.iter().map(stem).collect();
    // Of two formats the one without loss counts.
    let mut best: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, stem) in stems.iter().enumerate() {
        let known = best.entry(stem).or_insert(index);
        if loss(&images[index]) < loss(&images[*known]) {
            *known = index;
        }
    }
    // Only a name that exists without its mark of a copy has a copy.
    let original = |index: usize| {
        let stem = stems[index].as_str();
        let unmarked = without_copy_mark(stem).and_then(|original| best.get(original));
        *unmarked.unwrap_or(&best[stem])
    };
    let originals: Vec<usize> = (0..images.len()).map(original).collect();
    for (index, original) in originals.iter().enumerate().filter(|(index, of)| index != *of) {
        let [copy, first] = [index, *original].map(|i| images[i].to_string_lossy());
        strays.push(format!("{copy}: a second copy of {first}"));
    }
    let mut index = 0;
    images.retain(|_| {
        index += 1;
        originals[index - 1] == index - 1
    });
}

/// Whether the names leave room for copies: they mix extensions, or one of them may have a mark of a
/// copy. Nearly every folder has neither.
fn may_repeat(images: &[OsString]) -> bool {
    let extension = |name: &OsString| Path::new(name).extension().map(OsStr::to_owned);
    let first = images.first().and_then(extension);
    images.iter().any(|name| {
        let marked = name.as_encoded_bytes().iter().any(|byte| b" (".contains(byte));
        marked || Path::new(name).extension() != first.as_deref()
    })
}

fn stem(name: &OsString) -> String {
    Path::new(name).file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// How little an image's format keeps: JPEG loses the edges.
fn loss(name: &OsString) -> u8 {
    let extension = Path::new(name).extension().map(|extension| extension.to_ascii_lowercase());
    match extension.as_ref().and_then(|extension| extension.to_str()) {
        Some("png") => 0,
        Some("bmp") => 1,
        _ => 2,
    }
}

/// The name of which `stem` is a copy by its mark: `001 (1)`, `001(1)`, `001 - Copy`, `001 copy 2`.
fn without_copy_mark(stem: &str) -> Option<&str> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if let Some((name, number)) = stem.strip_suffix(')').and_then(|rest| rest.rsplit_once('('))
        && is_number(number)
    {
        return Some(name.trim_end());
    }
    let unnumbered = stem.rsplit_once(' ').filter(|(_, number)| is_number(number));
    let name = unnumbered.map_or(stem, |(name, _)| name);
    let marks = [" - Copy", " - copy", " copy", " Copy"];
    marks.iter().find_map(|mark| name.strip_suffix(mark))
}
