//! The walk through a tree's folders down to the sequences.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::SequenceFolder;
use crate::folder::{Cause, EntryKind, FolderEntry, entries};
use crate::form::{Form, TreePart};
use crate::pattern::{Found, PathPattern};
use crate::{DataError, SequenceKey, Tally, Watch};
use gait_support::{Fingerprint, io_reason};

/// A walk, and what it has met so far.
pub(super) struct TreeWalk<'a> {
    root: &'a Path,
    form: &'a Form,
    watch: &'a Watch<'a>,
    pub sequences: Vec<SequenceFolder>,
    /// Files and folders that are no part of the layout.
    pub strays: Tally,
    /// What should have been a sequence or a subject and is none, each with its reason.
    pub lost: Tally,
    /// The first folder that cannot be read, and why.
    pub unreadable: Option<String>,
    /// The first frame above the level of the sequences.
    pub frame_above: Option<PathBuf>,
    /// The first folder that matches nothing: what was expected, and what it is.
    pub unmatched: Option<[String; 2]>,
}

impl<'a> TreeWalk<'a> {
    pub fn new(root: &'a Path, form: &'a Form, watch: &'a Watch<'a>) -> Self {
        TreeWalk {
            root,
            form,
            watch,
            sequences: Vec::new(),
            strays: Tally::default(),
            lost: Tally::default(),
            unreadable: None,
            frame_above: None,
            unmatched: None,
        }
    }

    /// Walks through the whole tree.
    ///
    /// # Errors
    /// If the root cannot be read, or the caller asked to stop.
    pub fn run(&mut self) -> Result<(), DataError> {
        let start: Vec<(usize, Found)> =
            (0..self.form.parts.len()).map(|part| (part, Found::default())).collect();
        self.descend(Path::new(""), 0, &start).map(drop)
    }

    /// Lists the folder `below` the root at `level`; `above` holds the parts to which the path
    /// can belong, and what it has named so far. True if a sequence was found in it, or what it
    /// lacks was reported.
    fn descend(
        &mut self,
        below: &Path,
        level: usize,
        above: &[(usize, Found)],
    ) -> Result<bool, DataError> {
        self.watch.check()?;
        let folder = self.root.join(below);
        let mut entries = match entries(&folder) {
            Ok(entries) => entries,
            Err(e) if level == 0 => return Err(DataError::io("read", &folder, e)),
            Err(e) => {
                let reason = format!("{}: {}", below.display(), io_reason(&e));
                self.unreadable.get_or_insert_with(|| reason.clone());
                self.lost.add(|| reason);
                return Ok(true);
            }
        };
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let mut accounted = false;
        for entry in &entries {
            let path = below.join(&entry.name);
            match entry.kind {
                EntryKind::Folder => accounted |= self.folder(entry, &path, level, above)?,
                EntryKind::BrokenLink => {
                    self.lost.add(|| format!("{}: a broken link", path.display()));
                    accounted = true;
                }
                EntryKind::Archive if stands_for_a_folder(entry, &entries) => {
                    self.lost.add(|| format!("{}: the archive was not unpacked", path.display()));
                    accounted = true;
                }
                // Counted together below.
                kind if kind.is_frames() => {}
                _ => self.strays.add(|| path.display().to_string()),
            }
        }
        accounted |= self.frames_above(below, level, &entries, accounted, above);
        if !accounted && level > 0 {
            accounted = self.nothing_below(below, level, &entries, above);
        }
        Ok(accounted)
    }

    /// A folder: a sequence, a part of the way to one, or no part of the layout.
    fn folder(
        &mut self,
        entry: &FolderEntry,
        path: &Path,
        level: usize,
        above: &[(usize, Found)],
    ) -> Result<bool, DataError> {
        let Some(name) = entry.name.to_str() else {
            // Its bytes, since two such names may look alike.
            self.lost.add(|| format!("{path:?}: its name is not UTF-8"));
            return Ok(true);
        };
        let read = |(part, above): &(usize, Found)| {
            let found = self.form.parts[*part].pattern.read(level, name, above)?;
            Some((*part, found))
        };
        let found: Vec<(usize, Found)> = above.iter().filter_map(read).collect();
        let depth = |part: usize| self.form.parts[part].pattern.depth();
        if let Some((part, found)) = found.iter().find(|(part, _)| depth(*part) == level + 1) {
            let key = key(&self.form.parts[*part], found);
            let state = Fingerprint::default();
            let folder = path.to_path_buf();
            self.sequences.push(SequenceFolder { key, folder, state, part: *part });
            return Ok(true);
        }
        if !found.is_empty() {
            return self.descend(path, level + 1, &found);
        }
        let expected = self.expected(level, above);
        self.strays.add(|| format!("{}: does not match {expected}", path.display()));
        self.unmatched.get_or_insert_with(|| [expected, path.display().to_string()]);
        Ok(false)
    }

    /// Frames above the level of the sequences: a lost sequence, or strays if the root holds them or
    /// a folder with sequences holds a single one.
    fn frames_above(
        &mut self,
        below: &Path,
        level: usize,
        entries: &[FolderEntry],
        accounted: bool,
        above: &[(usize, Found)],
    ) -> bool {
        let frames = || entries.iter().filter(|entry| entry.kind.is_frames());
        let Some(first) = frames().next() else { return false };
        self.frame_above.get_or_insert_with(|| below.join(&first.name));
        let count = frames().count();
        if level > 0 && (count > 1 || !accounted) {
            let expected = self.expected(level, above);
            let images = if count == 1 { "image is" } else { "images are" };
            self.lost.add(|| {
                format!("{}: {count} {images} here, not in a folder {expected}", below.display())
            });
            return true;
        }
        for entry in frames() {
            self.strays.add(|| below.join(&entry.name).display().to_string());
        }
        false
    }

    /// Reports a folder in which there is no sequence, unless it holds only files of other kinds.
    fn nothing_below(
        &mut self,
        below: &Path,
        level: usize,
        entries: &[FolderEntry],
        above: &[(usize, Found)],
    ) -> bool {
        let Some(cause) = Cause::find(entries) else { return false };
        let reason = match cause {
            Cause::Deeper(_) => format!("no folder matches {}", self.expected(level, above)),
            cause => cause.to_string(),
        };
        self.lost.add(|| format!("{}: {reason}", below.display()));
        true
    }

    /// What the folders at `level` should be called.
    fn expected(&self, level: usize, above: &[(usize, Found)]) -> String {
        let mut expected: Vec<&str> = Vec::new();
        for (part, _) in above {
            let folder = self.form.parts[*part].pattern.folder(level);
            if !expected.contains(&folder) {
                expected.push(folder);
            }
        }
        expected.join(" or ")
    }
}

/// Whether an archive is in the place of a folder: there is none of its name, and its name is of
/// the same kind as those of the folders beside it. Others, such as the download of the whole data
/// set, are only left over.
fn stands_for_a_folder(archive: &FolderEntry, beside: &[FolderEntry]) -> bool {
    let name = archive.name.to_string_lossy();
    let stem = name.split('.').next().unwrap_or_default();
    let folders = || beside.iter().filter(|entry| entry.kind == EntryKind::Folder);
    let shapes: BTreeSet<String> =
        folders().map(|folder| shape(&folder.name.to_string_lossy())).collect();
    let is_unpacked = folders().any(|folder| folder.name.to_string_lossy() == stem);
    !is_unpacked && (shapes.is_empty() || shapes.contains(&shape(stem)))
}

/// A name with its digits and letters made alike.
fn shape(name: &str) -> String {
    let alike = |c: char| match c {
        c if c.is_numeric() => '0',
        c if c.is_alphabetic() => 'a',
        other => other,
    };
    name.chars().map(alike).collect()
}

/// The name of a sequence of `part` whose path gives `found`.
fn key(part: &TreePart, found: &Found) -> SequenceKey {
    let mut found = found.clone();
    for (slot, fixed) in found.iter_mut().zip(part.fixed) {
        *slot = slot.take().or(fixed.map(String::from));
    }
    let mut key = PathPattern::key(found);
    key.subject.push_str(part.suffix);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Layout;
    use std::fs;

    #[test]
    fn a_folder_that_cannot_be_read_is_named_and_the_root_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("001/nm-01/090")).unwrap();
        let gone = root.path().join("gone");
        let form = Layout::CasiaB.forms().remove(0);
        let watch = Watch::silent();
        let mut walk = TreeWalk::new(&gone, &form, &watch);
        let start = [(0, Found::default())];
        assert!(walk.descend(Path::new(""), 0, &start).is_err());
        walk.descend(Path::new("002"), 1, &start).unwrap();
        assert_eq!(walk.lost.first, ["002: it does not exist"]);
        assert_eq!(walk.unreadable.as_deref(), Some("002: it does not exist"));
        walk.root = root.path();
        walk.descend(Path::new(""), 0, &start).unwrap();
        assert_eq!((walk.sequences.len(), walk.lost.count), (1, 1));
    }
}
