//! From a raw tree to a prepared set: streaming, on all cores, and able to go on after a kill.

mod pickled;
mod place;
mod report;
mod sequence;
mod shard;

pub use pickled::decode_pickled;

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;

pub(crate) use place::PARTIAL_FOLDER;
pub use report::{Outcome, PrepareReport};

use crate::layout::Form;
use crate::queue::OrderedQueue;
use crate::set::arrow_file::{ArrowFile, Columns, Row};
use crate::set::{
    ABOUT_FILE, About, CLIPS_FILE, ContentsFingerprint, Counts, Dropped, FORM, PrepareSettings,
    PreparedSet,
};
use crate::tree::{Listing, Source, list_tree};
use crate::{
    DataError, FAINTEST_SUM, Layout, Partition, PartitionFile, Resizing, Tally, Watch,
    partition_subjects,
};
use gait_support::Fingerprint;
use gait_support::files::{rename, write_json};
use place::{Partial, Present, look};
use sequence::Workshop;
use shard::{SEQUENCES, Shard, ShardNote};

/// How to prepare a raw tree.
#[derive(Clone, Debug)]
pub struct PrepareOptions {
    /// How the tree names its sequences.
    pub layout: Layout,
    /// Rows and columns of an aligned silhouette: 64, or 128 for Gait3D.
    pub height: usize,
    /// Take the images as they are, for data sets that come aligned; the layouts of those that
    /// are known to imply it. Pickled arrays are always taken as they are.
    pub aligned_source: bool,
    /// OpenGait's partition file; without one the split follows from the subjects' names.
    pub partition: Option<PathBuf>,
    /// Leave out subjects that the partition file does not name, instead of refusing.
    pub leave_out_unlisted: bool,
    /// Replace a set of another tree or other settings.
    pub overwrite: bool,
    /// Threads; 0 for one per core.
    pub threads: usize,
}

impl PrepareOptions {
    /// The usual options for `layout`.
    pub fn new(layout: Layout) -> Self {
        PrepareOptions {
            layout,
            height: 64,
            aligned_source: false,
            partition: None,
            leave_out_unlisted: false,
            overwrite: false,
            threads: 0,
        }
    }
}

/// Sequences of CASIA-B: 124 subjects, 10 walks, 11 views.
const CASIA_B_SEQUENCES: u64 = 124 * 10 * 11;

/// Whether silhouettes of `height` rows can be prepared.
pub fn can_prepare(height: usize) -> bool {
    (16..=512).contains(&height) && height.is_multiple_of(2)
}

/// Prepares the tree `raw` into the folder `out`. Progress counts sequences. Work that was
/// stopped or killed goes on where it ended when called again with the same tree and options.
///
/// # Errors
/// If the tree, the partition or the output folder cannot be used (see [`DataError`]), or the
/// caller asked to stop. Single bad images and sequences are no error; the report names them.
pub fn prepare(
    raw: &Path,
    out: &Path,
    options: &PrepareOptions,
    watch: &Watch,
) -> Result<PrepareReport, DataError> {
    let plan = Plan::new(raw, options, watch)?;
    if let Present::Same(set) = look(out, &plan.fingerprint, options.overwrite)? {
        return keep(&set, plan.partition);
    }
    let partial = Partial::open(out, &plan.fingerprint)?;
    let (discarded, (note, resumed)) = (partial.discarded, work(&plan, &partial, options, watch)?);
    let about = finish(out, plan, partial, &note, watch)?;
    Ok(PrepareReport { about, outcome: Outcome::Written, resumed, discarded })
}

/// A set that is there already stays; only its partition may be a new one.
fn keep(set: &PreparedSet, partition: Partition) -> Result<PrepareReport, DataError> {
    let held = set.entries().iter().map(|entry| entry.key.subject.clone()).collect();
    let partition = partition.of_held(&held);
    let mut about = set.about().clone();
    let mut outcome = Outcome::Kept;
    if about.partition != partition {
        about.partition = partition;
        write_json(&set.folder().join(ABOUT_FILE), &about)?;
        outcome = Outcome::Repartitioned;
    }
    Ok(PrepareReport { about, outcome, resumed: 0, discarded: false })
}

/// Everything that is settled before the first image is read.
struct Plan<'a> {
    raw: &'a Path,
    settings: PrepareSettings,
    form: Form,
    /// Whether images are left aside.
    pickled: bool,
    /// How images that come aligned get their size.
    resizing: Option<Resizing>,
    sources: Vec<Source>,
    strays: Tally,
    /// Folders between the root and the sequences that cannot be read.
    unreadable: Tally,
    /// Of every subject in the tree, whether anything of it can be used or not.
    partition: Partition,
    fingerprint: String,
}

impl<'a> Plan<'a> {
    fn new(raw: &'a Path, options: &PrepareOptions, watch: &Watch) -> Result<Self, DataError> {
        if !can_prepare(options.height) {
            let what = format!("{} rows cannot be prepared", options.height);
            let mend = "choose 64 (or 128 for Gait3D), an even number from 16 to 512".into();
            return Err(DataError::Setting { setting: "--height", what, mend });
        }
        let file = options.partition.as_deref().map(PartitionFile::read).transpose()?;
        let Listing { form, mut sources, strays, unreadable } =
            list_tree(raw, &options.layout, watch)?;
        let subjects: BTreeSet<String> = sources.iter().map(|s| s.key.subject.clone()).collect();
        let partition = partition_subjects(&subjects, file, options.leave_out_unlisted)?;
        sources.retain(|s| partition.left_out.binary_search(&s.key.subject).is_err());
        let pickled = options.layout.is_pickled();
        let said = options.aligned_source.then_some(Resizing::Halving);
        let resizing = options.layout.resizing().or(said);
        let settings = PrepareSettings {
            layout: options.layout.name().into(),
            pattern: form.text(),
            height: options.height,
            aligned_source: pickled || resizing.is_some(),
            faintest_sum: FAINTEST_SUM,
        };
        let fingerprint = fingerprint(&settings, &sources);
        Ok(Plan {
            raw,
            settings,
            form,
            pickled,
            resizing,
            sources,
            strays,
            unreadable,
            partition,
            fingerprint,
        })
    }
}

/// The settings, and the name, the folder and the state of every sequence.
fn fingerprint(settings: &PrepareSettings, sources: &[Source]) -> String {
    let mut all = Fingerprint::default();
    all.feed(format!("{FORM} {SEQUENCES} {settings:?}").as_bytes());
    for source in sources {
        all.feed(source.key.to_string().as_bytes());
        all.feed(source.folder.as_os_str().as_encoded_bytes());
        all.feed_other(source.state);
    }
    all.to_string()
}

/// Works through the sequences, part by part; returns what the parts hold together and how many
/// sequences an earlier run had finished.
fn work(
    plan: &Plan,
    partial: &Partial,
    options: &PrepareOptions,
    watch: &Watch,
) -> Result<(ShardNote, u64), DataError> {
    let mut notes: Vec<Option<ShardNote>> = (0..plan.sources.len().div_ceil(SEQUENCES))
        .map(|number| Shard::new(&partial.folder, number).finished())
        .collect();
    let missing = |i: &usize| notes[i / SEQUENCES].is_none();
    let todo: Vec<usize> = (0..plan.sources.len()).filter(missing).collect();
    let total = plan.sources.len() as u64;
    let resumed = total - todo.len() as u64;
    watch.report(resumed, total);

    let threads = match options.threads {
        0 => thread::available_parallelism().map_or(1, NonZero::get),
        threads => threads,
    };
    let queue = OrderedQueue::new(0, todo.len() as u64, 4 * threads as u64 + 4);
    let workshop = Workshop::new(plan, watch);
    let worker = || run_worker(&queue, &workshop, &todo, &plan.sources);
    let collect = || collect(&queue, &todo, total, partial, &mut notes, watch);
    let collected = queue.serve(threads, worker, collect);
    collected.map_err(|e| DataError::io("start a thread for", plan.raw, e))??;
    let mut all = ShardNote::default();
    for note in notes.iter().flatten() {
        all.sequences += note.sequences;
        all.frames += note.frames;
        all.dropped.append(&note.dropped);
    }
    Ok((all, resumed))
}

type Prepared = Result<(Option<Row>, Dropped), DataError>;

fn run_worker(
    queue: &OrderedQueue<Prepared>,
    workshop: &Workshop,
    todo: &[usize],
    sources: &[Source],
) {
    let mut compressor = None;
    while let Some(number) = queue.claim() {
        let source = &sources[todo[number as usize]];
        let compressor = match &mut compressor {
            Some(compressor) => Ok(compressor),
            none => workshop.compressor().map(|c| none.insert(c)),
        };
        queue.put(number, compressor.and_then(|c| workshop.sequence(source, c)));
    }
}

/// Takes the sequences in order and writes a part whenever one is full.
fn collect(
    queue: &OrderedQueue<Prepared>,
    todo: &[usize],
    total: u64,
    partial: &Partial,
    notes: &mut [Option<ShardNote>],
    watch: &Watch,
) -> Result<(), DataError> {
    let mut rows = Vec::new();
    let mut note = ShardNote::default();
    for (taken, index) in todo.iter().enumerate() {
        let (row, dropped) = queue.take().ok_or(DataError::Thread)??;
        note.dropped.append(&dropped);
        if let Some(row) = row {
            note.sequences += 1;
            note.frames += u64::from(row.frames);
            rows.push(row);
        }
        let number = index / SEQUENCES;
        if todo.get(taken + 1).is_none_or(|next| next / SEQUENCES != number) {
            Shard::new(&partial.folder, number).write(&rows, &note)?;
            notes[number] = Some(std::mem::take(&mut note));
            rows.clear();
        }
        watch.report(total - (todo.len() - taken - 1) as u64, total);
    }
    Ok(())
}

/// Joins the parts into the set and puts it in place.
fn finish(
    out: &Path,
    plan: Plan,
    partial: Partial,
    note: &ShardNote,
    watch: &Watch,
) -> Result<About, DataError> {
    if note.sequences == 0 {
        let first = note.dropped.sequences.first.first().cloned().unwrap_or_default();
        let what = format!("no sequence of {} could be used ({first})", plan.sources.len());
        partial.remove()?;
        return Err(DataError::unusable(
            plan.raw,
            what,
            "check its files: images of silhouettes, white (255) on black (0), or .pkl of uint8 \
             [frames, 64, 64]",
        ));
    }
    let [clips, description] = [CLIPS_FILE, ABOUT_FILE].map(|name| partial.folder.join(name));
    let mut file = ArrowFile::create(&clips)?;
    let mut subjects = BTreeSet::new();
    let mut contents = ContentsFingerprint::default();
    for number in 0..plan.sources.len().div_ceil(SEQUENCES) {
        watch.check()?;
        for batch in Shard::new(&partial.folder, number).batches()? {
            let columns = Columns::of(&batch);
            subjects.extend(columns.subject.iter().flatten().map(String::from));
            contents.feed(&columns);
            file.copy(&batch)?;
        }
    }
    let bytes = file.finish()?;
    // What the listing met comes first.
    let mut dropped =
        Dropped { strays: plan.strays, sequences: plan.unreadable, ..Dropped::default() };
    dropped.append(&note.dropped);
    let about = About {
        form: FORM,
        source: std::path::absolute(plan.raw).unwrap_or_else(|_| plan.raw.to_path_buf()),
        settings: plan.settings,
        counts: Counts {
            subjects: subjects.len() as u64,
            sequences: note.sequences,
            frames: note.frames,
        },
        partition: plan.partition.of_held(&subjects),
        dropped,
        bytes,
        fingerprint: plan.fingerprint,
        contents: Some(contents.to_string()),
    };
    write_json(&description, &about)?;
    // Without its description a set does not count, so the old one goes before its clips do.
    remove_if_there(&out.join(ABOUT_FILE))?;
    rename(&clips, &out.join(CLIPS_FILE))?;
    rename(&description, &out.join(ABOUT_FILE))?;
    partial.remove()?;
    Ok(about)
}

fn remove_if_there(path: &Path) -> Result<(), DataError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(DataError::io("remove", path, e)),
        _ => Ok(()),
    }
}
