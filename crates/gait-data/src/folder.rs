//! What lies in a folder: frames, folders, and the rest.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use gait_support::Fingerprint;

use crate::natural::NaturalOrder;
use crate::pattern::PathPattern;

/// The frames of one folder.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// Image files in natural order: `2.png` before `10.png`. Where numbers are padded with
    /// zeros, as in every benchmark, this is the plain order that OpenGait sorts by.
    pub images: Vec<OsString>,
    /// Files of pickled arrays, in plain order.
    pub pickles: Vec<OsString>,
    /// Everything else that is not hidden.
    pub strays: Vec<String>,
}

/// Lists the frames of `folder`: the files that `pattern` takes.
pub(crate) fn list_frames(folder: &Path, pattern: &PathPattern) -> io::Result<Frames> {
    let mut frames = Frames::default();
    for entry in entries(folder)? {
        let taken = pattern.takes(&entry.name.to_string_lossy());
        match entry.kind {
            Kind::Image if taken => frames.images.push(entry.name),
            Kind::Pickle if taken => frames.pickles.push(entry.name),
            _ => frames.strays.push(entry.name.to_string_lossy().into_owned()),
        }
    }
    frames.images.sort_by_cached_key(|name| NaturalOrder(name.to_string_lossy().into_owned()));
    frames.pickles.sort();
    frames.strays.sort();
    Ok(frames)
}

/// An entry of a folder.
pub(crate) struct Entry {
    pub name: OsString,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    Image,
    Pickle,
    Other,
}

impl Kind {
    /// Whether it holds silhouettes.
    pub fn is_frames(self) -> bool {
        matches!(self, Kind::Image | Kind::Pickle)
    }
}

/// What lies in `folder`, links followed, without hidden entries and the folders in which macOS
/// archives keep what it knows about files.
pub(crate) fn entries(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") || name == "__MACOSX" {
            continue;
        }
        let kind = entry.file_type()?;
        // A broken link counts as a file, so that reading it gives a reason.
        let kind = match kind.is_symlink().then(|| fs::metadata(entry.path())) {
            Some(Ok(target)) => target.file_type(),
            _ => kind,
        };
        let kind = match kind {
            kind if kind.is_dir() => Kind::Folder,
            kind if kind.is_file() || kind.is_symlink() => kind_by_name(&name),
            _ => Kind::Other,
        };
        entries.push(Entry { name, kind });
    }
    Ok(entries)
}

fn kind_by_name(name: &OsString) -> Kind {
    let extension = Path::new(name).extension().map(|e| e.to_ascii_lowercase());
    match extension.as_ref().and_then(|extension| extension.to_str()) {
        Some("png" | "bmp" | "jpg" | "jpeg") => Kind::Image,
        Some("pkl") => Kind::Pickle,
        _ => Kind::Other,
    }
}

/// What tells a state of `folder` from another: when it changed, and name, size and time of every
/// `.pkl` and of the first image. Files that are rewritten in place do not change their folder; to
/// ask for every image would take a quarter of the time that preparing them does.
pub(crate) fn state(folder: &Path) -> Fingerprint {
    let mut state = Fingerprint::default();
    feed_state(&mut state, folder);
    let entries = entries(folder).unwrap_or_default();
    let of = |kind| entries.iter().filter(move |e| e.kind == kind).map(|e| &e.name);
    let mut files: Vec<&OsString> = of(Kind::Pickle).collect();
    files.sort();
    files.extend(of(Kind::Image).min());
    for name in files {
        state.feed(name.as_encoded_bytes());
        feed_state(&mut state, &folder.join(name));
    }
    state
}

/// Adds size and time of change of what is at `path`, as far as the system knows them.
fn feed_state(state: &mut Fingerprint, path: &Path) {
    let Ok(known) = fs::metadata(path) else { return state.feed(b"unknown") };
    let changed = known.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    // The size of a folder means nothing and differs between file systems.
    let size = if known.is_dir() { 0 } else { known.len() };
    state.feed(&size.to_le_bytes());
    state.feed(&changed.map_or(0, |age| age.as_nanos()).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_in_natural_order() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("d")).unwrap();
        for file in ["a10.png", "a9.PNG", "a009.png", "b1.bmp", "x.txt", ".h.png", "d/y.png"] {
            fs::write(root.path().join(file), "").unwrap();
        }
        let frames = list_frames(root.path(), &PathPattern::arranged()).unwrap();
        assert_eq!(frames.images, ["a9.PNG", "a009.png", "a10.png", "b1.bmp"]);
        assert_eq!(frames.strays, ["d", "x.txt"]);
        let only: PathPattern = "{subject}/*.bmp".parse().unwrap();
        assert_eq!(list_frames(root.path(), &only).unwrap().images, ["b1.bmp"]);
    }
}
