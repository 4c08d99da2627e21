//! A prepared set as the tree of pickled arrays that OpenGait reads.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use crate::pickle::write::around_uint8;
use crate::prepare::OutputFault;
use crate::{Clip, DataError, PreparedSet, SequenceEntry, SubjectPartition, Watch};
use gait_support::files::{StagedFolder, write_json};
use gait_support::start_pool;

/// What [`convert()`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvertReport {
    /// Sequences, each a file.
    pub sequences: u64,
    /// Silhouettes.
    pub frames: u64,
    /// The file of training and test subjects.
    pub partition: PathBuf,
}

/// Writes every sequence of `set` to `out/subject/condition/view/view.pkl`, a uint8 array
/// [t, h, w] that numpy 1 and 2 read, and the partition beside the folder, to `out.json`. The
/// folder appears when it is whole. Progress counts sequences.
///
/// # Errors
/// If `out` is there already and holds something, a name cannot be a folder, a sequence is
/// damaged, a file cannot be written, or the caller asked to stop.
pub fn convert(set: &PreparedSet, out: &Path, watch: &Watch) -> Result<ConvertReport, DataError> {
    let out = std::path::absolute(out).map_err(|e| DataError::io("write", out, e))?;
    check_free(&out)?;
    for entry in set.entries() {
        check_names(entry)?;
    }
    let beside = StagedFolder::create(&out)?;
    let tree = beside.tree();
    let total = set.len() as u64;
    let done = AtomicU64::new(0);
    let frames = AtomicU64::new(0);
    watch.report(0, total);
    start_pool(None);
    (0..set.len()).into_par_iter().try_for_each(|index| {
        watch.check()?;
        let clip = set.clip(index)?;
        write_clip(&tree, set.entry(index), &clip)?;
        frames.fetch_add(clip.frames as u64, Ordering::Relaxed);
        watch.report(done.fetch_add(1, Ordering::Relaxed) + 1, total);
        Ok::<_, DataError>(())
    })?;
    let partition = partition_path(&out);
    write_partition(&partition, &set.about().partition)?;
    if let Err(error) = beside.finish() {
        // Alone it would be in the way of the next attempt, and is of no use.
        let _ = fs::remove_file(&partition);
        return Err(error.into());
    }
    Ok(ConvertReport { sequences: total, frames: frames.into_inner(), partition })
}

/// Refuses a place where something is.
fn check_free(out: &Path) -> Result<(), DataError> {
    if out.exists() {
        let mut entries = fs::read_dir(out).map_err(|e| DataError::io("read", out, e))?;
        if let Some(entry) = entries.find_map(Result::ok) {
            let entry = entry.file_name();
            return Err(DataError::output(out, OutputFault::Holds { entry }));
        }
    }
    let partition = partition_path(out);
    if partition.exists() {
        return Err(DataError::output(&partition, OutputFault::Exists));
    }
    Ok(())
}

/// A name in a set decides where a file is written, so it must be the name of a single folder.
fn check_names(entry: &SequenceEntry) -> Result<(), DataError> {
    let key = &entry.key;
    let is_folder = |name: &str| {
        let mut parts = Path::new(name).components();
        let one = matches!(parts.next(), Some(Component::Normal(part)) if part == name);
        one && parts.next().is_none() && !name.contains(['/', '\\', '\0'])
    };
    match [&key.subject, &key.condition, &key.view].into_iter().find(|name| !is_folder(name)) {
        None => Ok(()),
        Some(name) => {
            Err(DataError::NotAFolderName { name: name.clone(), key: Box::new(key.clone()) })
        }
    }
}

fn write_clip(tree: &Path, entry: &SequenceEntry, clip: &Clip) -> Result<(), DataError> {
    let key = &entry.key;
    let folder = tree.join(&key.subject).join(&key.condition).join(&key.view);
    let path = folder.join(format!("{}.pkl", key.view));
    // The set stores these as numbers of 32 bits; a pickle's are signed.
    let length = |n: usize| u32::try_from(n).ok().filter(|n| *n < 1 << 31);
    let shape = [clip.frames, clip.height, clip.width].map(length);
    let [Some(frames), Some(height), Some(width)] = shape else {
        return Err(DataError::TooLong { path, key: Box::new(key.clone()) });
    };
    let (head, tail) = around_uint8([frames, height, width], clip.pixels.len() as u64);
    let write = || {
        fs::create_dir_all(&folder)?;
        let mut file = BufWriter::new(fs::File::create_new(&path)?);
        file.write_all(&head)?;
        file.write_all(&clip.pixels)?;
        file.write_all(&tail)?;
        file.flush()
    };
    write().map_err(|e| DataError::io("write", &path, e))
}

fn partition_path(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

/// Writes the partition in OpenGait's format.
fn write_partition(path: &Path, partition: &SubjectPartition) -> Result<(), DataError> {
    let lists = [
        ("TRAIN_SET", Some(&partition.train)),
        ("TEST_SET", Some(&partition.test)),
        ("PROBE_SET", partition.probe.as_ref()),
        ("GALLERY_SET", partition.gallery.as_ref()),
    ];
    let lists: BTreeMap<&str, &Vec<String>> =
        lists.into_iter().filter_map(|(name, list)| Some((name, list?))).collect();
    Ok(write_json(path, &lists)?)
}
