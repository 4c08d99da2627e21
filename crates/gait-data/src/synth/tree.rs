//! Writes synthetic walkers as a dataset tree: `subject/condition/view/frame.png`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use gait_support::files::StagedFolder;
use gait_support::{FileError, Watch, start_pool};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, ImageError};
use rayon::prelude::*;

use super::error::SynthError;
use super::film::Film;
use super::options::{SynthOptions, view_name};
use super::raster::Mask;
use super::walk::{Person, Recording, Walk};

/// What [`write_tree`] wrote.
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
/// `001/nm-01/000/001-nm-01-000-001.png`, 8-bit grey, 0 or 255, cropped to the person.
///
/// The bytes depend only on the options, not on the number of threads. The tree is written to a
/// temporary folder and renamed when it is complete. `watch` counts finished clips.
///
/// # Errors
/// Options that [`SynthOptions::check`] refuses, an `out` that exists and is not an empty folder, a
/// file that cannot be written, or a stop.
pub fn write_tree(
    out: &Path,
    options: &SynthOptions,
    watch: &Watch,
) -> Result<SynthReport, SynthError> {
    options.check()?;
    check_vacant(out)?;
    let staged = StagedFolder::create(out)?;
    let report = write_subjects(&staged.tree(), options, watch)?;
    staged.finish()?;
    Ok(report)
}

fn check_vacant(out: &Path) -> Result<(), SynthError> {
    if out.is_file() {
        return Err(SynthError::NotAFolder { path: out.to_path_buf() });
    }
    if !out.exists() {
        return Ok(());
    }
    let mut entries = fs::read_dir(out).map_err(|e| FileError::io("read", out, e))?;
    if entries.next().is_some() {
        return Err(SynthError::NotEmpty { path: out.to_path_buf() });
    }
    Ok(())
}

/// Writes all recordings in parallel. Each draws its person again, which is cheap.
fn write_subjects(
    tree: &Path,
    options: &SynthOptions,
    watch: &Watch,
) -> Result<SynthReport, SynthError> {
    let recordings = options.recordings();
    let jobs = options.subjects * recordings.len();
    let sequences = jobs * options.views.len();
    let done = AtomicU64::new(0);
    let count_clip = || watch.report(done.fetch_add(1, Ordering::Relaxed) + 1, sequences as u64);
    start_pool(None);
    let frames = (0..jobs)
        .into_par_iter()
        .map(|job| {
            let subject = job / recordings.len();
            let recording = recordings[job % recordings.len()];
            write_recording(tree, options, subject, recording, watch, count_clip)
        })
        .try_reduce(|| 0, |a, b| Ok(a + b))?;
    let missing = (sequences * options.frames) as u64 - frames;
    Ok(SynthReport { subjects: options.subjects, sequences, frames, missing })
}

/// Writes one recording from every view; the number of its frames.
fn write_recording(
    tree: &Path,
    options: &SynthOptions,
    subject: usize,
    recording: Recording,
    watch: &Watch,
    count_clip: impl Fn(),
) -> Result<u64, SynthError> {
    let person = Person::draw(options, subject);
    let walk = Walk::record(options, subject, &person, recording);
    let mut frames = 0;
    for &view in &options.views {
        watch.check()?;
        let film = Film::new(options, subject, recording, &walk, view);
        let clip = ClipFolder::create(tree, options, subject, recording, view)?;
        frames += clip.write(film, options.frames)?;
        count_clip();
    }
    Ok(frames)
}

/// The folder of a clip, and how its files are named.
struct ClipFolder {
    folder: PathBuf,
    stem: String,
}

impl ClipFolder {
    fn create(
        tree: &Path,
        options: &SynthOptions,
        subject: usize,
        Recording { condition, repetition }: Recording,
        view: f64,
    ) -> Result<ClipFolder, SynthError> {
        let subject_name = numbered(subject + 1, options.subjects, 3);
        let most = options.normal.max(options.bags).max(options.coats);
        let condition_name = format!("{}-{}", condition.name(), numbered(repetition, most, 2));
        let view_name = view_name(view);
        let folder = tree.join(&subject_name).join(&condition_name).join(&view_name);
        fs::create_dir_all(&folder).map_err(|e| FileError::io("create", &folder, e))?;
        let stem = format!("{subject_name}-{condition_name}-{view_name}");
        Ok(ClipFolder { folder, stem })
    }

    /// Writes every frame that the segmenter kept; their number.
    fn write(&self, mut film: Film, frames: usize) -> Result<u64, SynthError> {
        let mut written = 0;
        for frame in 0..frames {
            if let Some(mask) = film.frame(frame) {
                let name = format!("{}-{}.png", self.stem, numbered(frame + 1, frames, 3));
                write_png(&self.folder.join(name), &mask)?;
                written += 1;
            }
        }
        Ok(written)
    }
}

/// A number of a series up to `largest`, padded so that names sort like numbers: to as many digits
/// as `largest` has, and at least `fewest`.
fn numbered(number: usize, largest: usize, fewest: usize) -> String {
    let digits = largest.to_string().len().max(fewest);
    format!("{number:0digits$}")
}

/// Files have a few hundred bytes, so fast encoding matters more than the best compression.
fn write_png(path: &Path, mask: &Mask) -> Result<(), SynthError> {
    let refused = |e| FileError::io("write", path, e);
    let mut file = BufWriter::new(File::create(path).map_err(refused)?);
    PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Up)
        .write_image(&mask.pixels, mask.width as u32, mask.height as u32, ExtendedColorType::L8)
        .map_err(|e| match e {
            ImageError::IoError(e) => refused(e),
            other => refused(io::Error::other(other)),
        })?;
    file.flush().map_err(refused)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::AtomicBool;

    use super::*;

    fn small() -> SynthOptions {
        let views = vec![0.0, 90.0];
        SynthOptions {
            subjects: 2,
            views,
            frames: 12,
            seed: 3,
            normal: 2,
            bags: 1,
            coats: 1,
            ..SynthOptions::default()
        }
    }

    /// Every file under a folder, by its relative path.
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
    fn images_have_the_names_and_the_format_of_casia_b() {
        for (name, bytes) in written(&small(), 2) {
            let parts: Vec<&str> = name.split('/').collect();
            let [subject, condition, view, file] = parts[..] else {
                panic!("{name} has another depth")
            };
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
        assert!(refused.to_string().contains("is not empty"), "{refused}");
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
        assert!(matches!(write_tree(&out, &small(), &watch), Err(SynthError::Stopped(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
