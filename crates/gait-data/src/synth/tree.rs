//! Writes synthetic walkers as a dataset tree: `subject/condition/view/frame.png`.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, ImageError};
use rayon::prelude::*;

use super::film::Film;
use super::raster::Mask;
use super::walk::{Person, Recording, Walk};
use super::{SynthOptions, view_name};
use crate::{DataError, Watch};
use gait_support::files::StagedFolder;

/// What [`write_tree`] made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SynthReport {
    /// People.
    pub subjects: usize,
    /// Clips: one for each subject, recording and view.
    pub sequences: usize,
    /// Image files.
    pub frames: u64,
    /// Frames that the segmenter lost, as a real one does.
    pub missing: u64,
}

/// Films all walkers and writes their silhouettes under `out`, in the layout `casia-b`:
/// `001/nm-01/000/001-nm-01-000-001.png`, 8-bit grey, 0 or 255, cropped around the person.
///
/// Bytes depend on the options alone, not on the number of threads. The tree is written beside
/// `out` and renamed when complete; `watch` is told of finished clips.
///
/// # Errors
/// [`DataError::Setting`] for options out of range, [`DataError::Unusable`] when `out` exists and is
/// not an empty folder, [`DataError::Io`] when the disk refuses, [`DataError::Stopped`].
pub fn write_tree(
    out: &Path,
    options: &SynthOptions,
    watch: &Watch,
) -> Result<SynthReport, DataError> {
    options.check()?;
    refuse_occupied(out)?;
    let beside = StagedFolder::create(out)?;
    let report = write_subjects(&beside.tree(), options, watch)?;
    beside.finish()?;
    Ok(report)
}

fn refuse_occupied(out: &Path) -> Result<(), DataError> {
    let refuse =
        |what| Err(DataError::unusable(out, what, "choose another folder or remove it first"));
    if out.is_file() {
        return refuse("is a file, not a folder");
    }
    if !out.exists() {
        return Ok(());
    }
    let mut entries = fs::read_dir(out).map_err(|e| DataError::io("read", out, e))?;
    if entries.next().is_some() { refuse("is not empty") } else { Ok(()) }
}

/// Every recording in parallel; a subject's person is drawn anew for each, which costs nothing.
fn write_subjects(
    tree: &Path,
    options: &SynthOptions,
    watch: &Watch,
) -> Result<SynthReport, DataError> {
    let recordings = options.recordings();
    let jobs: Vec<(usize, Recording)> = (0..options.subjects)
        .flat_map(|subject| recordings.iter().map(move |recording| (subject, *recording)))
        .collect();
    let sequences = jobs.len() * options.views.len();
    let done = AtomicU64::new(0);
    let written = jobs
        .par_iter()
        .map(|(subject, recording)| {
            let person = Person::draw(options.seed, *subject);
            let walk = Walk::record(options.seed, *subject, &person, *recording);
            let mut written = 0;
            for view in &options.views {
                watch.check()?;
                let film =
                    Film::new(options.seed, *subject, *recording, &walk, *view, options.frames);
                let clip = ClipFolder::create(tree, options, *subject, *recording, *view)?;
                written += clip.write(film, options.frames)?;
                watch.report(done.fetch_add(1, Ordering::Relaxed) + 1, sequences as u64);
            }
            Ok::<_, DataError>(written)
        })
        .try_reduce(|| 0, |a, b| Ok(a + b))?;
    Ok(SynthReport {
        subjects: options.subjects,
        sequences,
        frames: written,
        missing: (sequences * options.frames) as u64 - written,
    })
}

/// A clip's folder and the stem of its file names.
struct ClipFolder {
    folder: PathBuf,
    stem: String,
    digits: usize,
}

impl ClipFolder {
    fn create(
        tree: &Path,
        options: &SynthOptions,
        subject: usize,
        Recording { condition, repetition }: Recording,
        view: f64,
    ) -> Result<ClipFolder, DataError> {
        let digits = |count: usize, fewest: usize| count.to_string().len().max(fewest);
        let subject = format!("{:0width$}", subject + 1, width = digits(options.subjects, 3));
        let most = options.normal.max(options.bags).max(options.coats);
        let condition =
            format!("{}-{repetition:0width$}", condition.name(), width = digits(most, 2));
        let view = view_name(view);
        let folder = tree.join(&subject).join(&condition).join(&view);
        fs::create_dir_all(&folder).map_err(|e| DataError::io("create", &folder, e))?;
        let stem = format!("{subject}-{condition}-{view}");
        Ok(ClipFolder { folder, stem, digits: digits(options.frames, 3) })
    }

    /// Writes every frame that the segmenter kept; their number.
    fn write(&self, mut film: Film, frames: usize) -> Result<u64, DataError> {
        let mut written = 0;
        for frame in 0..frames {
            if let Some(mask) = film.frame(frame) {
                let name = format!("{}-{:0width$}.png", self.stem, frame + 1, width = self.digits);
                write_png(&self.folder.join(name), &mask)?;
                written += 1;
            }
        }
        Ok(written)
    }
}

/// Small files matter more than small bytes here: a few hundred bytes each, encoded fast.
fn write_png(path: &Path, mask: &Mask) -> Result<(), DataError> {
    let refused = |e| DataError::io("write", path, e);
    let mut file = BufWriter::new(File::create(path).map_err(refused)?);
    let (width, height) = (mask.width as u32, mask.height as u32);
    PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Up)
        .write_image(&mask.pixels, width, height, ExtendedColorType::L8)
        .map_err(|e| match e {
            ImageError::IoError(e) => refused(e),
            other => refused(std::io::Error::other(other.to_string())),
        })?;
    file.flush().map_err(refused)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::AtomicBool;

    use super::*;

    fn small() -> SynthOptions {
        let views = vec![0.0, 90.0];
        SynthOptions { subjects: 2, views, frames: 12, seed: 3, normal: 2, bags: 1, coats: 1 }
    }

    /// Every file under a folder by its relative path.
    fn contents(root: &Path) -> BTreeMap<String, Vec<u8>> {
        walkdir::WalkDir::new(root)
            .into_iter()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| {
                let name = entry.path().strip_prefix(root).unwrap().to_string_lossy().into_owned();
                (name, fs::read(entry.path()).unwrap())
            })
            .collect()
    }

    fn written(options: &SynthOptions, threads: usize) -> BTreeMap<String, Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("raw");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let report = pool.install(|| write_tree(&out, options, &Watch::silent())).unwrap();
        let found = contents(&out);
        assert_eq!(report.frames, found.len() as u64);
        assert_eq!(report.sequences, options.subjects * 4 * options.views.len());
        found
    }

    #[test]
    fn same_seed_same_bytes_on_any_number_of_threads() {
        let one = written(&small(), 1);
        assert_eq!(one, written(&small(), 3));
        assert_ne!(one, written(&SynthOptions { seed: 4, ..small() }, 1));
    }

    #[test]
    fn more_subjects_and_views_leave_the_first_as_they_were() {
        let few = written(&small(), 2);
        let views = vec![90.0, 45.0, 0.0];
        let more = written(&SynthOptions { subjects: 3, views, ..small() }, 2);
        for (name, bytes) in &few {
            assert_eq!(more.get(name), Some(bytes), "{name} changed");
        }
    }

    #[test]
    fn images_are_named_and_written_as_casia_b_has_them() {
        for (name, bytes) in written(&small(), 2) {
            let parts: Vec<&str> = name.split('/').collect();
            let [subject, condition, view, file] = parts[..] else { panic!("depth of {name}") };
            assert!(["001", "002"].contains(&subject));
            assert!(["nm-01", "nm-02", "bg-01", "cl-01"].contains(&condition));
            assert!(["000", "090"].contains(&view));
            assert!(file.starts_with(&format!("{subject}-{condition}-{view}-0")), "{file}");
            let image = image::load_from_memory(&bytes).unwrap();
            assert_eq!(image.color(), image::ColorType::L8);
            let image = image.into_luma8();
            assert!(image.pixels().all(|p| [0, 255].contains(&p.0[0])));
            assert!((64..260).contains(&image.height()), "{name} is {} tall", image.height());
            assert!(bytes.len() < 4096, "{name} has {} bytes", bytes.len());
        }
    }

    #[test]
    fn occupied_target_is_refused_and_untouched() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mine.txt"), "mine").unwrap();
        let refused = write_tree(folder.path(), &small(), &Watch::silent()).unwrap_err();
        assert!(refused.to_string().contains("not empty; choose another folder"), "{refused}");
        let file = folder.path().join("mine.txt");
        let refused = write_tree(&file, &small(), &Watch::silent()).unwrap_err();
        assert!(refused.to_string().contains("is a file"), "{refused}");
        assert_eq!(contents(folder.path()).len(), 1);
    }

    #[test]
    fn empty_target_is_filled() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("raw");
        fs::create_dir(&out).unwrap();
        write_tree(&out, &small(), &Watch::silent()).unwrap();
        assert!(out.join("002/cl-01/090").is_dir());
    }

    #[test]
    fn stopping_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        let after_three = |done, _total| stop.store(done >= 3, Ordering::Relaxed);
        let watch = Watch { progress: &after_three, stop: &stop };
        let out = folder.path().join("raw");
        assert!(matches!(write_tree(&out, &small(), &watch), Err(DataError::Stopped(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
