//! Raw dataset trees: finding the sequences and their frames.

mod fault;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::folder::{EntryKind, entries, state};
use crate::form::{Form, Side};
use crate::pattern::PathPattern;
use crate::{DataError, Layout, SequenceKey, Tally, Watch};
pub use fault::TreeFault;
use gait_support::{Fingerprint, start_pool};
use walk::TreeWalk;

/// A folder of frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SequenceFolder {
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
    pub sources: Vec<SequenceFolder>,
    /// Files that lie above the frames, folders that match no pattern.
    pub strays: Tally,
    /// What should have been a sequence or a subject and is none, each with its reason.
    pub lost: Tally,
}

/// Finds the sequences below `root`. Hidden entries are ignored, links are followed. Only
/// folders are listed, so that a tree of millions of frames costs memory for its sequences alone.
///
/// # Errors
/// If the folder is missing, empty or of another depth than the layout.
pub(crate) fn list_tree(root: &Path, layout: &Layout, watch: &Watch) -> Result<Listing, DataError> {
    if !fs::metadata(root).map_err(|e| DataError::io("read", root, e))?.is_dir() {
        return Err(DataError::tree(root, TreeFault::NotAFolder));
    }
    let form = find_form(root, layout, watch)?;
    let mut walk = TreeWalk::new(root, &form, watch);
    walk.run()?;
    if walk.sequences.is_empty() {
        return Err(DataError::tree(root, nothing_found(&form, walk)));
    }
    let TreeWalk { sequences: mut sources, strays, lost, .. } = walk;
    check_depth(root, &form, &sources)?;
    start_pool(None);
    sources.par_iter_mut().try_for_each(|source| {
        source.state = state(&root.join(&source.folder));
        watch.check()
    })?;
    sources.sort_by(|a, b| a.key.cmp(&b.key));
    number(&form, &mut sources);
    // As names, 100 comes before 99.
    sources.sort_by(|a, b| a.key.cmp(&b.key));
    if let Some([a, b]) = sources.array_windows().find(|[a, b]| a.key == b.key) {
        let folders = [a.folder.clone(), b.folder.clone()];
        let key = a.key.clone();
        return Err(DataError::tree(root, TreeFault::SameSequence { folders, key }));
    }
    Ok(Listing { form, sources, strays, lost })
}

impl Listing {
    /// The sides that the folders and names of the layout give each subject.
    pub fn sides(&self) -> BTreeMap<&str, BTreeSet<Side>> {
        let mut sides: BTreeMap<&str, BTreeSet<Side>> = BTreeMap::new();
        for source in &self.sources {
            let subject = source.key.subject.as_str();
            sides.entry(subject).or_default().extend(self.form.side(source.part, subject));
        }
        sides
    }
}

/// The form of the tree at `root`: the first one of the layout's to which a folder with frames
/// belongs, else the last, which then explains the error.
fn find_form(root: &Path, layout: &Layout, watch: &Watch) -> Result<Form, DataError> {
    // One folder of frames below each of the first folders is enough.
    const LOOKED_AT: usize = 64;
    let mut forms = layout.forms();
    let usual = forms.pop().unwrap_or_else(|| Form::from_pattern(PathPattern::arranged()));
    if forms.is_empty() {
        return Ok(usual);
    }
    let mut first = entries(root).map_err(|e| DataError::io("read", root, e))?;
    first.sort_by(|a, b| a.name.cmp(&b.name));
    let mut seen = Vec::new();
    for entry in first.iter().filter(|entry| entry.kind == EntryKind::Folder).take(LOOKED_AT) {
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
    let mut folders = entries.iter().filter(|e| e.kind == EntryKind::Folder).peekable();
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
fn number(form: &Form, sources: &mut [SequenceFolder]) {
    let mut last: Option<(usize, String)> = None;
    let mut count = 0;
    for source in sources.iter_mut().filter(|source| form.parts[source.part].numbered) {
        let subject = (source.part, source.key.subject.clone());
        count = if last.as_ref() == Some(&subject) { count + 1 } else { 1 };
        last = Some(subject);
        source.key.condition = format!("{count:02}");
    }
}

/// Why a walk found no sequence at all.
fn nothing_found(form: &Form, walk: TreeWalk) -> TreeFault {
    let layout = form.text();
    if let Some(first) = walk.unreadable {
        return TreeFault::Unreadable { first };
    }
    if let Some(file) = walk.frame_above {
        let depth = file.components().count() - 1;
        let expected = form.parts.first().map_or(0, |part| part.pattern.depth());
        return TreeFault::TooHigh { file, depth, layout, expected };
    }
    match walk.unmatched {
        Some([expected, found]) => TreeFault::NoMatch { expected, found },
        None => {
            let TreeWalk { lost, strays, .. } = walk;
            let first = lost.first.into_iter().chain(strays.first).next();
            TreeFault::NoSequence { layout, first }
        }
    }
}

/// Refuses a tree whose frames lie deeper than the pattern, by a sample of its folders.
fn check_depth(root: &Path, form: &Form, sources: &[SequenceFolder]) -> Result<(), DataError> {
    const LOOKED_AT: usize = 16;
    let mut deeper = None;
    for source in sources.iter().step_by((sources.len() / LOOKED_AT).max(1)) {
        let folder = root.join(&source.folder);
        // What cannot be read is named when its turn comes.
        let Ok(entries) = entries(&folder) else { continue };
        if entries.iter().any(|entry| entry.kind.is_frames()) {
            return Ok(());
        }
        let inner = entries.into_iter().find(|entry| entry.kind == EntryKind::Folder);
        deeper = deeper.or(inner.map(|entry| (source.part, folder.join(entry.name))));
    }
    deeper.map_or(Ok(()), |(part, folder)| {
        let pattern = &form.parts[part].pattern;
        let layout = pattern.to_string();
        let expected = pattern.depth();
        Err(DataError::tree(root, TreeFault::TooDeep { layout, expected, folder }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gait_support::full_message;

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
        check_error(&["1.png"], &casia, "1.png is 0 folders deep");
        check_error(&["001/nm-01/1.png"], &casia, "is 2 folders deep");
        check_error(
            &["set/001/nm-01/000/1.png"],
            &casia,
            "images 3 folders deep, but that folder holds",
        );
        let flat = Layout::from_name("flat", Some("p{subject}")).unwrap();
        check_error(&["001/1.png"], &flat, "no folder matches p{subject} (there is 001)");
        let error = list_tree(Path::new("/no/such"), &casia, &Watch::silent()).unwrap_err();
        assert!(full_message(&error).contains("does not exist"), "{error}");
    }
}
