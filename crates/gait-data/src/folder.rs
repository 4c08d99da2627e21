//! What is in a folder: frames, folders, and the rest.

mod copies;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use gait_support::Fingerprint;

use crate::pattern::PathPattern;
use gait_support::NaturalOrder;

/// The frames of one folder.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// Image files in natural order: `2.png` before `10.png`. Where numbers are padded with
    /// zeros, as in every benchmark, this is the plain order that OpenGait sorts by.
    pub images: Vec<OsString>,
    /// Files of pickled arrays, in plain order.
    pub pickles: Vec<OsString>,
    /// Everything else that is not hidden, each with its reason where it looks like a frame.
    pub strays: Vec<String>,
    /// Why there may be no frame here.
    pub cause: Option<Cause>,
}

/// Lists the frames of `folder`: the files that `pattern` takes, each frame once.
pub(crate) fn list_frames(folder: &Path, pattern: &PathPattern) -> io::Result<Frames> {
    let entries = entries(folder)?;
    let mut frames = Frames { cause: Cause::find(&entries), ..Frames::default() };
    for entry in entries {
        let name = entry.name.to_string_lossy();
        let taken = pattern.takes(&name);
        match entry.kind {
            EntryKind::Image if taken && is_energy_image(&name) => {
                frames.strays.push(format!("{name}: a gait energy image, not a frame"));
            }
            EntryKind::Image if taken => frames.images.push(entry.name),
            EntryKind::Pickle if taken => frames.pickles.push(entry.name),
            EntryKind::BrokenLink if taken && kind_by_name(&entry.name) == EntryKind::Image => {
                // Reading it gives the reason.
                frames.images.push(entry.name);
            }
            _ => frames.strays.push(name.into_owned()),
        }
    }
    frames.images.sort_by_cached_key(|name| NaturalOrder(name.to_string_lossy().into_owned()));
    copies::set_aside(&mut frames.images, &mut frames.strays);
    frames.pickles.sort();
    frames.strays.sort();
    Ok(frames)
}

/// Whether an image is named as a gait energy image, the mean of a sequence, which published
/// preparations skip: one of the words of its name is `gei`.
fn is_energy_image(name: &str) -> bool {
    let is_gei = |word: &[u8]| word.eq_ignore_ascii_case(b"gei");
    name.as_bytes().split(|byte| !byte.is_ascii_alphanumeric()).any(is_gei)
}

/// An entry of a folder.
pub(crate) struct FolderEntry {
    pub name: OsString,
    pub kind: EntryKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Folder,
    Image,
    Pickle,
    Archive,
    Video,
    /// A link to what is not there.
    BrokenLink,
    Other,
}

impl EntryKind {
    /// Whether it holds silhouettes.
    pub fn is_frames(self) -> bool {
        matches!(self, EntryKind::Image | EntryKind::Pickle)
    }
}

/// Why a folder may hold no frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It holds nothing at all.
    Empty,
    /// An archive of this name was not unpacked.
    Archive(String),
    /// It holds a video of this name instead of its silhouettes.
    Video(String),
    /// A link of this name leads nowhere.
    BrokenLink(String),
    /// There is this folder in it, which may hold the frames.
    Deeper(String),
}

impl Cause {
    /// The likeliest cause by the entries of a folder.
    pub fn find(entries: &[FolderEntry]) -> Option<Self> {
        let first = |kind| {
            let entry = entries.iter().filter(|entry| entry.kind == kind).map(|entry| &entry.name);
            entry.min().map(|name| name.to_string_lossy().into_owned())
        };
        if entries.is_empty() {
            return Some(Cause::Empty);
        }
        (first(EntryKind::Archive).map(Cause::Archive))
            .or_else(|| first(EntryKind::Video).map(Cause::Video))
            .or_else(|| first(EntryKind::BrokenLink).map(Cause::BrokenLink))
            .or_else(|| first(EntryKind::Folder).map(Cause::Deeper))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Empty => write!(f, "it is empty"),
            Cause::Archive(name) => write!(f, "the archive {name} was not unpacked"),
            Cause::Video(name) => write!(f, "{name} is a video, not silhouettes"),
            Cause::BrokenLink(name) => write!(f, "{name} is a broken link"),
            Cause::Deeper(name) => write!(f, "it holds the folder {name}"),
        }
    }
}

/// What is in `folder`, links followed, without hidden entries and the folders in which macOS
/// archives keep what it knows about files.
pub(crate) fn entries(folder: &Path) -> io::Result<Vec<FolderEntry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") || name == "__MACOSX" {
            continue;
        }
        let file_type = entry.file_type()?;
        let followed = if file_type.is_symlink() {
            fs::metadata(entry.path()).map(|target| target.file_type()).ok()
        } else {
            Some(file_type)
        };
        let kind = match followed {
            None => EntryKind::BrokenLink,
            Some(kind) if kind.is_dir() => EntryKind::Folder,
            Some(kind) if kind.is_file() => kind_by_name(&name),
            Some(_) => EntryKind::Other,
        };
        entries.push(FolderEntry { name, kind });
    }
    Ok(entries)
}

fn kind_by_name(name: &OsStr) -> EntryKind {
    let extension = Path::new(name).extension().map(|e| e.to_ascii_lowercase());
    match extension.as_ref().and_then(|extension| extension.to_str()) {
        Some("png" | "bmp" | "jpg" | "jpeg") => EntryKind::Image,
        Some("pkl") => EntryKind::Pickle,
        Some("zip" | "tar" | "gz" | "tgz" | "bz2" | "xz" | "zst" | "rar" | "7z") => {
            EntryKind::Archive
        }
        Some("avi" | "mp4" | "m4v" | "mov" | "mkv" | "mpg" | "mpeg" | "wmv" | "webm") => {
            EntryKind::Video
        }
        _ => EntryKind::Other,
    }
}

/// Identifies a state of `folder`: when it changed, and name, size and time of every `.pkl` and of
/// the first image. Rewriting files in place does not change their folder, but looking at every
/// image would take a quarter of the time of preparing them.
pub(crate) fn state(folder: &Path) -> Fingerprint {
    let mut state = Fingerprint::default();
    feed_state(&mut state, folder);
    let entries = entries(folder).unwrap_or_default();
    let of_kind = |kind| entries.iter().filter(move |e| e.kind == kind).map(|e| &e.name);
    let mut files: Vec<&OsString> = of_kind(EntryKind::Pickle).collect();
    files.sort();
    files.extend(of_kind(EntryKind::Image).min());
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
    #[test]
    fn energy_images_and_second_copies_are_no_frames() {
        let root = tempfile::tempdir().unwrap();
        let files = [
            "001.png",
            "001.jpg",
            "001 (1).png",
            "002.png",
            "002 - Copy.png",
            "003.JPG",
            "003.bmp",
            "gei.png",
            "001-GEI.png",
            "geiger.png",
            "walk (1).png",
            "walk (2).png",
        ];
        for file in files {
            fs::write(root.path().join(file), "").unwrap();
        }
        let frames = list_frames(root.path(), &PathPattern::arranged()).unwrap();
        let kept = ["001.png", "002.png", "003.bmp", "geiger.png", "walk (1).png", "walk (2).png"];
        assert_eq!(frames.images, kept);
        let wanted = [
            "001 (1).png: a second copy of 001.png",
            "001-GEI.png: a gait energy image, not a frame",
            "001.jpg: a second copy of 001.png",
            "002 - Copy.png: a second copy of 002.png",
            "003.JPG: a second copy of 003.bmp",
            "gei.png: a gait energy image, not a frame",
        ];
        assert_eq!(frames.strays, wanted);
    }
}
