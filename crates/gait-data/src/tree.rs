//! Raw dataset trees: finding the sequences and their frames.

use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::folder::{Kind, entries, state};
use crate::layout::{Form, Part};
use crate::pattern::{Found, PathPattern};
use crate::{DataError, Layout, SequenceKey, Tally, Watch};
use gait_support::{Fingerprint, io_reason};

/// A folder of frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub key: SequenceKey,
    /// Below the root.
    pub folder: PathBuf,
    /// See [`state`].
    pub state: Fingerprint,
    /// Which part of the form it belongs to.
    pub part: usize,
}

/// What a tree holds.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The form that the tree has, of those that the layout may have.
    pub form: Form,
    /// Sorted by key.
    pub sources: Vec<Source>,
    /// Files that lie above the frames, folders that match no pattern.
    pub strays: Tally,
    /// Folders between the root and the sequences that cannot be read, each with its reason.
    pub unreadable: Tally,
}

/// Finds the sequences below `root`. Hidden entries are ignored, links are followed. Only
/// folders are listed, so that a tree of millions of frames costs memory for its sequences alone.
///
/// # Errors
/// If the folder is missing, empty or of another depth than the layout.
pub(crate) fn list_tree(root: &Path, layout: &Layout, watch: &Watch) -> Result<Listing, DataError> {
    if !fs::metadata(root).map_err(|e| DataError::io("read", root, e))?.is_dir() {
        return Err(DataError::unusable(
            root,
            "it is not a folder",
            "give the folder of the dataset",
        ));
    }
    let form = form_of(root, layout, watch)?;
    let mut walk = Walk {
        root,
        form: &form,
        watch,
        sources: Vec::new(),
        strays: Tally::default(),
        unreadable: Tally::default(),
        file_above: None,
        unmatched: None,
    };
    let start: Vec<(usize, Found)> =
        (0..form.parts.len()).map(|part| (part, Found::default())).collect();
    walk.descend(Path::new(""), 0, &start)?;
    let Walk { mut sources, strays, unreadable, file_above, unmatched, .. } = walk;
    if sources.is_empty() {
        if let Some(first) = unreadable.first.first() {
            let what = format!("none of its folders can be read ({first})");
            return Err(DataError::unusable(root, what, "change their permissions"));
        }
        return Err(nothing_found(root, &form, file_above, unmatched));
    }
    check_depth(root, &form, &sources)?;
    sources.par_iter_mut().try_for_each(|source| {
        source.state = state(&root.join(&source.folder));
        watch.check()
    })?;
    sources.sort_by(|a, b| a.key.cmp(&b.key));
    number(&form, &mut sources);
    // As names, 100 comes before 99.
    sources.sort_by(|a, b| a.key.cmp(&b.key));
    if let Some([a, b]) = sources.array_windows().find(|[a, b]| a.key == b.key) {
        let what = format!(
            "{} and {} are both the sequence {}",
            a.folder.display(),
            b.folder.display(),
            a.key
        );
        return Err(DataError::unusable(root, what, "rename one of them"));
    }
    Ok(Listing { form, sources, strays, unreadable })
}

/// The form of the tree at `root`: the first one of the layout's to which a folder with frames
/// belongs, else the last, by which errors are explained.
fn form_of(root: &Path, layout: &Layout, watch: &Watch) -> Result<Form, DataError> {
    // One folder of frames below each of the first folders tells.
    const LOOKED_AT: usize = 64;
    let mut forms = layout.forms();
    let usual = forms.pop().unwrap_or(Form { parts: Vec::new() });
    if forms.is_empty() {
        return Ok(usual);
    }
    let mut first = entries(root).map_err(|e| DataError::io("read", root, e))?;
    first.sort_by(|a, b| a.name.cmp(&b.name));
    let mut seen = Vec::new();
    for entry in first.iter().filter(|entry| entry.kind == Kind::Folder).take(LOOKED_AT) {
        let mut names = entry.name.to_str().map_or_else(Vec::new, |name| vec![name.into()]);
        if !names.is_empty() && some_frames(root, &mut names, watch)? {
            seen.push(names);
        }
    }
    let fits = |form: &Form| {
        seen.iter().any(|names| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            form.part_of(&names).is_some()
        })
    };
    Ok(forms.into_iter().find(fits).unwrap_or(usual))
}

/// Leaves in `names` the folders between the root and the first folder that holds frames and no
/// folder; false if there is none.
fn some_frames(root: &Path, names: &mut Vec<String>, watch: &Watch) -> Result<bool, DataError> {
    watch.check()?;
    let folder = names.iter().fold(root.to_path_buf(), |folder, name| folder.join(name));
    let Ok(mut entries) = entries(&folder) else { return Ok(false) };
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let mut folders = entries.iter().filter(|e| e.kind == Kind::Folder).peekable();
    if folders.peek().is_none() {
        return Ok(entries.iter().any(|entry| entry.kind.is_frames()));
    }
    for entry in folders {
        // Patterns are a few folders deep; a circle of links is deeper.
        if names.len() < DEEPEST
            && let Some(name) = entry.name.to_str()
        {
            names.push(name.into());
            if some_frames(root, names, watch)? {
                return Ok(true);
            }
            names.pop();
        }
    }
    Ok(false)
}

/// Folders between a root and the frames, at most.
const DEEPEST: usize = 16;

/// Gives the sequences of numbered parts the conditions 01, 02, ... within their subject.
fn number(form: &Form, sources: &mut [Source]) {
    let mut last: Option<(usize, String)> = None;
    let mut count = 0;
    for source in sources.iter_mut().filter(|source| form.parts[source.part].numbered) {
        let of = (source.part, source.key.subject.clone());
        count = if last.as_ref() == Some(&of) { count + 1 } else { 1 };
        last = Some(of);
        source.key.condition = format!("{count:02}");
    }
}

struct Walk<'a> {
    root: &'a Path,
    form: &'a Form,
    watch: &'a Watch<'a>,
    sources: Vec<Source>,
    strays: Tally,
    unreadable: Tally,
    file_above: Option<PathBuf>,
    unmatched: Option<(String, String)>,
}

impl Walk<'_> {
    /// Lists the folder `below` the root at `level`; `above` holds the parts to which the path
    /// can belong, and what it has said so far.
    fn descend(
        &mut self,
        below: &Path,
        level: usize,
        above: &[(usize, Found)],
    ) -> Result<(), DataError> {
        self.watch.check()?;
        let folder = self.root.join(below);
        let mut entries = match entries(&folder) {
            Ok(entries) => entries,
            Err(e) if level == 0 => return Err(DataError::io("read", &folder, e)),
            Err(e) => {
                self.unreadable.add(|| format!("{}: {}", below.display(), io_reason(&e)));
                return Ok(());
            }
        };
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        for entry in entries {
            let path = below.join(&entry.name);
            if entry.kind != Kind::Folder {
                if entry.kind.is_frames() && self.file_above.is_none() {
                    self.file_above = Some(path.clone());
                }
                self.strays.add(|| path.display().to_string());
                continue;
            }
            let found = self.matching(level, entry.name.to_str(), above);
            let depth = |part: usize| self.form.parts[part].pattern.depth();
            if let Some((part, found)) = found.iter().find(|(part, _)| depth(*part) == level + 1) {
                let key = key(&self.form.parts[*part], found);
                let state = Fingerprint::default();
                self.sources.push(Source { key, folder: path, state, part: *part });
            } else if found.is_empty() {
                self.stray_folder(level, &path, above);
            } else {
                self.descend(&path, level + 1, &found)?;
            }
        }
        Ok(())
    }

    /// The parts of `above` to which a folder `name` at `level` belongs.
    fn matching(
        &self,
        level: usize,
        name: Option<&str>,
        above: &[(usize, Found)],
    ) -> Vec<(usize, Found)> {
        let Some(name) = name else { return Vec::new() };
        let read = |(part, above): &(usize, Found)| {
            let found = self.form.parts[*part].pattern.read(level, name, above)?;
            Some((*part, found))
        };
        above.iter().filter_map(read).collect()
    }

    fn stray_folder(&mut self, level: usize, path: &Path, above: &[(usize, Found)]) {
        let mut wanted: Vec<&str> = Vec::new();
        for (part, _) in above {
            let folder = self.form.parts[*part].pattern.folder(level);
            if !wanted.contains(&folder) {
                wanted.push(folder);
            }
        }
        let wanted = wanted.join(" or ");
        if self.unmatched.is_none() {
            self.unmatched = Some((wanted.clone(), path.display().to_string()));
        }
        self.strays.add(|| format!("{}: does not match {wanted}", path.display()));
    }
}

/// The name of a sequence of `part` whose path says `found`.
fn key(part: &Part, found: &Found) -> SequenceKey {
    let mut found = found.clone();
    for (slot, fixed) in found.iter_mut().zip(part.fixed) {
        *slot = slot.take().or(fixed.map(String::from));
    }
    let mut key = PathPattern::key(found);
    key.subject.push_str(part.suffix);
    key
}

/// Why a walk found no sequence at all.
fn nothing_found(
    root: &Path,
    form: &Form,
    file_above: Option<PathBuf>,
    unmatched: Option<(String, String)>,
) -> DataError {
    let text = form.text();
    if let Some(file) = file_above {
        let depth = file.components().count() - 1;
        let wanted = form.parts.first().map_or(0, |part| part.pattern.depth());
        let what = format!(
            "{} lies {depth} folders deep, but the layout {text} wants {wanted}",
            file.display()
        );
        return DataError::unusable(root, what, depth_mend());
    }
    match unmatched {
        Some((wanted, path)) => DataError::unusable(
            root,
            format!("no folder matches {wanted} (there is {path})"),
            "describe the folders with --layout flat --pattern",
        ),
        None => DataError::unusable(
            root,
            format!("it holds no sequence ({text})"),
            "give the folder whose subfolders are the subjects",
        ),
    }
}

/// Refuses a tree whose frames lie deeper than the pattern. A few folders tell.
fn check_depth(root: &Path, form: &Form, sources: &[Source]) -> Result<(), DataError> {
    const LOOKED_AT: usize = 16;
    let mut deeper = None;
    for source in sources.iter().step_by((sources.len() / LOOKED_AT).max(1)) {
        let folder = root.join(&source.folder);
        // What cannot be read is named when its turn comes.
        let Ok(entries) = entries(&folder) else { continue };
        if entries.iter().any(|entry| entry.kind.is_frames()) {
            return Ok(());
        }
        let inner = entries.into_iter().find(|entry| entry.kind == Kind::Folder);
        deeper = deeper.or(inner.map(|entry| (source.part, folder.join(entry.name))));
    }
    deeper.map_or(Ok(()), |(part, path)| {
        let pattern = &form.parts[part].pattern;
        let what = format!(
            "the layout {pattern} wants images {} folders deep, but there lies the folder {}",
            pattern.depth(),
            path.display()
        );
        Err(DataError::unusable(root, what, depth_mend()))
    })
}

fn depth_mend() -> &'static str {
    "give the folder whose subfolders are the subjects, or describe the tree with --layout flat \
     --pattern"
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
    fn a_folder_that_cannot_be_read_is_named_and_the_root_is_an_error() {
        let root = tree(&["001/nm-01/090/1.png"]);
        let gone = root.path().join("gone");
        let form = Layout::CasiaB.forms().remove(0);
        let mut walk = Walk {
            root: &gone,
            form: &form,
            watch: &Watch::silent(),
            sources: Vec::new(),
            strays: Tally::default(),
            unreadable: Tally::default(),
            file_above: None,
            unmatched: None,
        };
        let start = [(0, Found::default())];
        assert!(walk.descend(Path::new(""), 0, &start).is_err());
        walk.descend(Path::new("002"), 1, &start).unwrap();
        assert_eq!(walk.unreadable.first, ["002: it does not exist; check the path"]);
        walk.root = root.path();
        walk.descend(Path::new(""), 0, &start).unwrap();
        assert_eq!((walk.sources.len(), walk.unreadable.count), (1, 1));
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
}
