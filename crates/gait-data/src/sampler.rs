//! Batches of P identities times K sequences.

use std::sync::Arc;

use rand::{RngExt, SeedableRng, seq::index};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::sequence::{append_trimmed, trimmed_width};
use crate::{DataError, PreparedSet};

/// The shape of a batch: `subjects` x `sequences` clips of `frames` frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchSettings {
    /// P: identities of a batch.
    pub subjects: usize,
    /// K: sequences of each identity.
    pub sequences: usize,
    /// Frames of each clip.
    pub frames: usize,
}

/// One batch. `pixels` is `[n, t, h, w]` with n = P * K, the K sequences of an identity one
/// after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Class of each of the n sequences: an index into [`ClipSampler::classes`].
    pub subjects: Vec<usize>,
    /// t
    pub frames: usize,
    /// h
    pub height: usize,
    /// w, trimmed to what the network reads.
    pub width: usize,
    /// `n * t * h * w` bytes.
    pub pixels: Vec<u8>,
}

/// Draws batches from the training side of a prepared set: P identities without replacement, K
/// sequences of each (with replacement only where there are fewer), and of each sequence a random
/// window of consecutive frames. A sequence shorter than the window is repeated first.
///
/// A batch depends on the set, the settings, the seed and its number alone: a stopped training
/// goes on by asking for the next number.
#[derive(Debug)]
pub struct ClipSampler {
    set: Arc<PreparedSet>,
    settings: BatchSettings,
    seed: u64,
    classes: Vec<String>,
    /// Sequences of each class.
    members: Vec<Vec<usize>>,
    height: usize,
    width: usize,
}

impl ClipSampler {
    /// Bytes of the largest batch; 20 times OU-MVLP's and more, it catches a mistyped size.
    pub const LARGEST_BATCH: usize = 1 << 29;

    /// A sampler of `set`'s training side.
    ///
    /// # Errors
    /// If a size is zero, P exceeds the number of training subjects, a batch would exceed
    /// [`ClipSampler::LARGEST_BATCH`], or the silhouettes are not all of one size.
    pub fn new(
        set: Arc<PreparedSet>,
        settings: BatchSettings,
        seed: u64,
    ) -> Result<Self, DataError> {
        let (classes, members): (Vec<String>, Vec<Vec<usize>>) =
            set.classes().into_iter().map(|(name, members)| (name.to_string(), members)).unzip();
        check_settings(&settings, classes.len())?;
        let (height, width) = one_size(&set, &set.train())?;
        check_bytes(&settings, height * width)?;
        Ok(ClipSampler { set, settings, seed, classes, members, height, width })
    }

    /// The subjects of [`PreparedSet::classes`]: class `i` is subject `classes()[i]`.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Rows and columns of a silhouette in a batch.
    pub fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// The shape of a batch.
    pub fn settings(&self) -> &BatchSettings {
        &self.settings
    }

    /// Batch number `iteration`.
    ///
    /// # Errors
    /// If a sequence of the set is damaged.
    pub fn batch(&self, iteration: u64) -> Result<Batch, DataError> {
        let BatchSettings { subjects, sequences, frames } = self.settings;
        let mut generator = ChaCha8Rng::seed_from_u64(self.seed);
        generator.set_stream(iteration);
        let (height, width) = self.size();
        let mut batch = Batch {
            subjects: Vec::with_capacity(subjects * sequences),
            frames,
            height,
            width,
            pixels: Vec::with_capacity(subjects * sequences * frames * height * width),
        };
        for class in index::sample(&mut generator, self.classes.len(), subjects) {
            for sequence in draw(&mut generator, &self.members[class], sequences) {
                batch.subjects.push(class);
                self.append_window(sequence, &mut generator, &mut batch.pixels)?;
            }
        }
        Ok(batch)
    }

    /// Appends a random window of `sequence`, trimmed.
    fn append_window(
        &self,
        sequence: usize,
        generator: &mut ChaCha8Rng,
        pixels: &mut Vec<u8>,
    ) -> Result<(), DataError> {
        let clip = self.set.clip(sequence)?;
        let wanted = self.settings.frames;
        // As often as needed, whole: the window may then start anywhere in the repeated sequence.
        let tiled = clip.frames * wanted.div_ceil(clip.frames).max(1);
        let start = generator.random_range(0..=tiled - wanted);
        let size = clip.height * clip.width;
        for frame in (start..start + wanted).map(|t| t % clip.frames) {
            append_trimmed(&clip.pixels[frame * size..(frame + 1) * size], clip.width, pixels);
        }
        Ok(())
    }
}

/// `count` of `members`, each at most once if there are enough.
fn draw(generator: &mut ChaCha8Rng, members: &[usize], count: usize) -> Vec<usize> {
    if members.len() >= count {
        index::sample(generator, members.len(), count).iter().map(|i| members[i]).collect()
    } else {
        (0..count).map(|_| members[generator.random_range(0..members.len())]).collect()
    }
}

fn check_settings(settings: &BatchSettings, subjects: usize) -> Result<(), DataError> {
    let sizes = [
        ("train.batch.subjects", settings.subjects),
        ("train.batch.sequences", settings.sequences),
        ("train.batch.frames", settings.frames),
    ];
    if let Some((setting, _)) = sizes.into_iter().find(|(_, size)| *size == 0) {
        let (what, mend) = ("it is 0".into(), "set it to 1 or more".into());
        return Err(DataError::Setting { setting, what, mend });
    }
    if settings.subjects > subjects {
        return Err(DataError::Setting {
            setting: "train.batch.subjects",
            what: format!(
                "a batch of {} identities cannot be drawn from {subjects} training subjects",
                settings.subjects
            ),
            mend: match subjects {
                // A triplet needs two identities.
                0 | 1 => {
                    "training needs two; prepare the set with a partition that has them".into()
                }
                _ => format!("set it to {subjects} or less"),
            },
        });
    }
    Ok(())
}

/// Refuses a batch of `settings` whose silhouettes of `size` pixels would not fit the memory.
fn check_bytes(settings: &BatchSettings, size: usize) -> Result<(), DataError> {
    let BatchSettings { subjects, sequences, frames } = *settings;
    let sizes = [subjects, sequences, frames, size];
    let bytes = sizes.iter().try_fold(1_usize, |all, n| all.checked_mul(*n));
    if bytes.is_some_and(|bytes| bytes <= ClipSampler::LARGEST_BATCH) {
        return Ok(());
    }
    Err(DataError::Setting {
        setting: "train.batch",
        what: format!(
            "{subjects} x {sequences} clips of {frames} frames are more than {} MB",
            ClipSampler::LARGEST_BATCH >> 20
        ),
        mend: "make subjects, sequences or frames smaller".into(),
    })
}

/// The size that all sequences of `indices` have once they are trimmed.
fn one_size(set: &PreparedSet, indices: &[usize]) -> Result<(usize, usize), DataError> {
    let size = |i: &usize| (set.entry(*i).height, trimmed_width(set.entry(*i).width));
    let first = indices.first().map_or((0, 0), size);
    match indices.iter().find(|i| size(i) != first) {
        None => Ok(first),
        Some(other) => Err(DataError::unusable(
            set.folder(),
            format!(
                "silhouettes of {}x{} and of {}x{} are mixed ({})",
                first.0,
                first.1,
                size(other).0,
                size(other).1,
                set.entry(*other).key
            ),
            "prepare them in one go",
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::set::arrow_file::{ArrowFile, Row};
    use crate::{ABOUT_FILE, CLIPS_FILE, Layout, PrepareOptions, SequenceKey, Watch, prepare};

    #[test]
    fn silhouettes_of_mixed_sizes_are_refused() {
        let place = tempfile::tempdir().unwrap();
        let (raw, out) = (place.path().join("raw"), place.path().join("out"));
        for condition in ["nm-01", "nm-02"] {
            let folder = raw.join("001").join(condition).join("090");
            fs::create_dir_all(&folder).unwrap();
            image::GrayImage::from_pixel(9, 9, image::Luma([255]))
                .save(folder.join("1.png"))
                .unwrap();
        }
        prepare(&raw, &out, &PrepareOptions::new(Layout::CasiaB), &Watch::silent()).unwrap();
        let row = |condition, size: u32| Row {
            key: SequenceKey::new("001", condition, "090"),
            frames: 1,
            height: size,
            width: size,
            clip: zstd::bulk::compress(&vec![0; (size * size) as usize], 1).unwrap(),
        };
        let path = out.join(CLIPS_FILE);
        let mut file = ArrowFile::create(&path).unwrap();
        file.write(&[row("nm-01", 64), row("nm-02", 128)]).unwrap();
        let bytes = file.finish().unwrap();
        let about = fs::read(out.join(ABOUT_FILE)).unwrap();
        let mut about: serde_json::Value = serde_json::from_slice(&about).unwrap();
        about["bytes"] = bytes.into();
        fs::write(out.join(ABOUT_FILE), about.to_string()).unwrap();

        let set = Arc::new(PreparedSet::open(&out).unwrap());
        let settings = BatchSettings { subjects: 1, sequences: 1, frames: 1 };
        let error = ClipSampler::new(set, settings, 0).unwrap_err().to_string();
        assert!(error.contains("64x44 and of 128x88 are mixed (001/nm-02/090)"), "{error}");
    }
}
