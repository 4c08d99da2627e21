//! Raw dataset trees: finding the sequences and their frames.

use std::cmp::Ordering;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::pattern::{Found, PathPattern};
use crate::{DataError, SequenceKey, Tally, Watch};

/// How a raw tree names its sequences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `subject/condition/view/*.png`: CASIA-B, and what OpenGait's scripts rearrange.
    CasiaB,
    /// Any tree, described by a pattern.
    Flat(PathPattern),
}

impl Layout {
    /// Names that [`Layout::from_name`] knows.
    pub const NAMES: [&'static str; 2] = ["casia-b", "flat"];

    /// The layout called `name`; `flat` reads `pattern`, by default `{subject}/{condition}/{view}`.
    ///
    /// # Errors
    /// If there is no such layout, the pattern is unusable, or another layout is given a pattern.
    pub fn from_name(name: &str, pattern: Option<&str>) -> Result<Self, DataError> {
        let wrong = |setting, what: String, mend: &str| {
            Err(DataError::Setting { setting, what, mend: mend.into() })
        };
        match (name, pattern) {
            ("casia-b", None) => Ok(Layout::CasiaB),
            ("flat", None) => Ok(Layout::Flat(PathPattern::casia_b())),
            ("flat", Some(pattern)) => Ok(Layout::Flat(pattern.parse()?)),
            ("casia-b", Some(_)) => wrong(
                "--pattern",
                "the layout casia-b has its own pattern".into(),
                "use --layout flat with it",
            ),
            _ => wrong(
                "--layout",
                format!("there is no layout `{name}`"),
                "choose casia-b (subject/condition/view/*.png) or flat (with --pattern)",
            ),
        }
    }

    /// The layout's name.
    pub fn name(&self) -> &'static str {
        match self {
            Layout::CasiaB => "casia-b",
            Layout::Flat(_) => "flat",
        }
    }

    /// The layout's pattern.
    pub fn pattern(&self) -> PathPattern {
        match self {
            Layout::CasiaB => PathPattern::casia_b(),
            Layout::Flat(pattern) => pattern.clone(),
        }
    }
}

/// A folder of frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub key: SequenceKey,
    /// Below the root.
    pub folder: PathBuf,
    /// When an entry of the folder last came or went, in nanoseconds since 1970.
    pub modified: u128,
}

/// What a tree holds.
#[derive(Debug)]
pub(crate) struct Listing {
    /// Sorted by key.
    pub sources: Vec<Source>,
    /// Files that lie above the frames, folders that match no pattern.
    pub strays: Tally,
}

/// Finds the sequences below `root`. Hidden entries are ignored, links are followed. Only
/// folders are listed, so that a tree of millions of frames costs memory for its sequences alone.
///
/// # Errors
/// If the folder is missing, empty or of another depth than the layout.
pub(crate) fn list_tree(root: &Path, layout: &Layout, watch: &Watch) -> Result<Listing, DataError> {
    let pattern = layout.pattern();
    let mut walk = Walk {
        root,
        pattern: &pattern,
        watch,
        sources: Vec::new(),
        strays: Tally::default(),
        image_above: None,
        unmatched: None,
    };
    if !fs::metadata(root).map_err(|e| DataError::io("read", root, e))?.is_dir() {
        return Err(DataError::tree(root, "it is not a folder", "give the folder of the dataset"));
    }
    walk.descend(Path::new(""), 0, &Found::default())?;
    let Walk { mut sources, strays, image_above, unmatched, .. } = walk;
    if sources.is_empty() {
        return Err(nothing_found(root, &pattern, image_above, unmatched));
    }
    check_depth(root, &pattern, &sources)?;
    // A pattern rebuilds the path from its key, so no two folders share one.
    sources.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(Listing { sources, strays })
}

struct Walk<'a> {
    root: &'a Path,
    pattern: &'a PathPattern,
    watch: &'a Watch<'a>,
    sources: Vec<Source>,
    strays: Tally,
    image_above: Option<PathBuf>,
    unmatched: Option<(usize, String)>,
}

impl Walk<'_> {
    /// Lists the folder `below` the root at `level`; `above` is what the path has said so far.
    fn descend(&mut self, below: &Path, level: usize, above: &Found) -> Result<(), DataError> {
        self.watch.check()?;
        let folder = self.root.join(below);
        let mut entries = entries(&folder).map_err(|e| DataError::io("read", &folder, e))?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        for entry in entries {
            let path = below.join(&entry.name);
            if !entry.is_folder {
                if entry.is_image && self.image_above.is_none() {
                    self.image_above = Some(path.clone());
                }
                self.strays.add(|| path.display().to_string());
                continue;
            }
            let name = entry.name.to_str();
            let Some(found) = name.and_then(|name| self.pattern.read(level, name, above)) else {
                if self.unmatched.is_none() {
                    self.unmatched = Some((level, path.display().to_string()));
                }
                let part = self.pattern.folder(level);
                self.strays.add(|| format!("{}: does not match {part}", path.display()));
                continue;
            };
            if level + 1 < self.pattern.depth() {
                self.descend(&path, level + 1, &found)?;
            } else {
                let modified = modified(&self.root.join(&path));
                let key = self.pattern.key(found);
                self.sources.push(Source { key, folder: path, modified });
            }
        }
        Ok(())
    }
}

/// Why a walk found no sequence at all.
fn nothing_found(
    root: &Path,
    pattern: &PathPattern,
    image_above: Option<PathBuf>,
    unmatched: Option<(usize, String)>,
) -> DataError {
    if let Some(image) = image_above {
        let depth = image.components().count() - 1;
        return DataError::tree(
            root,
            format!(
                "{} lies {depth} folders deep, but the layout {pattern} wants {}",
                image.display(),
                pattern.depth()
            ),
            depth_mend(),
        );
    }
    match unmatched {
        Some((level, path)) => DataError::tree(
            root,
            format!("no folder matches {} (there is {path})", pattern.folder(level)),
            "describe the folders with --layout flat --pattern",
        ),
        None => DataError::tree(
            root,
            format!("it holds no sequence ({pattern})"),
            "give the folder whose subfolders are the subjects",
        ),
    }
}

/// Refuses a tree whose frames lie deeper than the pattern. A few folders tell.
fn check_depth(root: &Path, pattern: &PathPattern, sources: &[Source]) -> Result<(), DataError> {
    const LOOKED_AT: usize = 16;
    let mut deeper = None;
    for source in sources.iter().step_by((sources.len() / LOOKED_AT).max(1)) {
        let folder = root.join(&source.folder);
        let entries = entries(&folder).map_err(|e| DataError::io("read", &folder, e))?;
        if entries.iter().any(|entry| entry.is_image) {
            return Ok(());
        }
        deeper = deeper.or(entries.into_iter().find(|e| e.is_folder).map(|e| folder.join(e.name)));
    }
    deeper.map_or(Ok(()), |path| {
        let what = format!(
            "the layout {pattern} wants images {} folders deep, but there lies the folder {}",
            pattern.depth(),
            path.display()
        );
        Err(DataError::tree(root, what, depth_mend()))
    })
}

fn depth_mend() -> &'static str {
    "give the folder whose subfolders are the subjects, or describe the tree with --layout flat \
     --pattern"
}

/// The frames of one folder.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// Image files in natural order: `2.png` before `10.png`. Where numbers are padded with
    /// zeros, as in every benchmark, this is the plain order that OpenGait sorts by.
    pub images: Vec<OsString>,
    /// Everything else that is not hidden.
    pub strays: Vec<String>,
}

/// Lists the frames of `folder`.
pub(crate) fn list_frames(folder: &Path) -> io::Result<Frames> {
    let mut frames = Frames::default();
    for entry in entries(folder)? {
        if entry.is_image {
            frames.images.push(entry.name);
        } else {
            frames.strays.push(entry.name.to_string_lossy().into_owned());
        }
    }
    frames.images.sort_by_cached_key(|name| NaturalOrder(name.to_string_lossy().into_owned()));
    frames.strays.sort();
    Ok(frames)
}

struct Entry {
    name: OsString,
    is_folder: bool,
    is_image: bool,
}

/// What lies in `folder`, without hidden entries, links followed.
fn entries(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let kind = entry.file_type()?;
        // A broken link counts as a file, so that reading it gives a reason.
        let kind = match kind.is_symlink().then(|| fs::metadata(entry.path())) {
            Some(Ok(target)) => target.file_type(),
            _ => kind,
        };
        let is_image = (kind.is_file() || kind.is_symlink()) && has_image_extension(&name);
        entries.push(Entry { name, is_folder: kind.is_dir(), is_image });
    }
    Ok(entries)
}

fn has_image_extension(name: &OsString) -> bool {
    let extension = Path::new(name).extension().map(|e| e.to_ascii_lowercase());
    ["png", "bmp", "jpg", "jpeg"].iter().any(|known| extension.as_deref() == Some(known.as_ref()))
}

/// When the folder last changed; 0 where the system does not say.
fn modified(folder: &Path) -> u128 {
    let time = fs::metadata(folder).and_then(|m| m.modified()).ok();
    time.and_then(|t| t.duration_since(UNIX_EPOCH).ok()).map_or(0, |age| age.as_nanos())
}

/// Compares runs of digits as numbers, everything else byte by byte.
#[derive(PartialEq, Eq)]
struct NaturalOrder(String);

impl Ord for NaturalOrder {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut a, mut b) = (self.0.as_bytes(), other.0.as_bytes());
        while !a.is_empty() && !b.is_empty() {
            let (digits_a, digits_b) = (leading_digits(a), leading_digits(b));
            let step = if digits_a > 0 && digits_b > 0 {
                let (x, y) = (without_zeros(&a[..digits_a]), without_zeros(&b[..digits_b]));
                (x.len().cmp(&y.len()).then_with(|| x.cmp(y)), digits_a, digits_b)
            } else {
                (a[0].cmp(&b[0]), 1, 1)
            };
            if step.0 != Ordering::Equal {
                return step.0;
            }
            (a, b) = (&a[step.1..], &b[step.2..]);
        }
        a.len().cmp(&b.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for NaturalOrder {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn leading_digits(text: &[u8]) -> usize {
    text.iter().take_while(|b| b.is_ascii_digit()).count()
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    &digits[digits.iter().take_while(|b| **b == b'0').count()..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        root
    }

    fn check_error(files: &[&str], layout: &Layout, part: &str) {
        let root = tree(files);
        let error = list_tree(root.path(), layout, &Watch::silent()).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        assert!(!error.contains('\n'));
    }

    #[test]
    fn sequences_come_sorted_and_strays_are_named() {
        let root = tree(&[
            "002/nm-01/000/1.png",
            "001/nm-01/090/1.png",
            "001/nm-01/000/1.png",
            "001/readme.txt",
            ".cache/x/y/1.png",
        ]);
        let listing = list_tree(root.path(), &Layout::CasiaB, &Watch::silent()).unwrap();
        let keys: Vec<String> = listing.sources.iter().map(|s| s.key.to_string()).collect();
        assert_eq!(keys, ["001/nm-01/000", "001/nm-01/090", "002/nm-01/000"]);
        assert_eq!(listing.strays.count, 1);
        assert!(listing.strays.first[0].ends_with("readme.txt"));
    }

    #[test]
    fn wrong_trees_say_what_is_wrong() {
        let casia = Layout::CasiaB;
        check_error(&[], &casia, "holds no sequence");
        check_error(&["1.png"], &casia, "1.png lies 0 folders deep");
        check_error(&["001/nm-01/1.png"], &casia, "lies 2 folders deep");
        check_error(&["set/001/nm-01/000/1.png"], &casia, "images 3 folders deep, but there lies");
        let flat = Layout::from_name("flat", Some("p{subject}")).unwrap();
        check_error(&["001/1.png"], &flat, "no folder matches p{subject} (there is 001)");
        let error = list_tree(Path::new("/no/such"), &casia, &Watch::silent()).unwrap_err();
        assert!(error.to_string().contains("does not exist"), "{error}");
    }

    #[test]
    fn frames_come_in_natural_order() {
        let root = tree(&["a10.png", "a9.PNG", "a009.png", "b1.bmp", "x.txt", ".h.png", "d/y.png"]);
        let frames = list_frames(root.path()).unwrap();
        assert_eq!(frames.images, ["a9.PNG", "a009.png", "a10.png", "b1.bmp"]);
        assert_eq!(frames.strays, ["d", "x.txt"]);
    }
}
