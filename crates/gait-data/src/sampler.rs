//! Batches of P identities times K sequences.

use std::path::PathBuf;
use std::sync::Arc;

use rand::{RngExt, SeedableRng, seq::index};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::sequence::{append_trimmed, trimmed_width};
use crate::{DataError, PreparedSet, SequenceKey};

/// The shape of a batch: `subjects` x `sequences` clips of `frames` frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchSettings {
    /// P: identities in a batch.
    pub subjects: usize,
    /// K: sequences of each identity.
    pub sequences: usize,
    /// Frames of each clip.
    pub frames: usize,
    /// Whether an identity or a sequence may be drawn several times for one batch (the authors' own
    /// code for HID 2020).
    #[serde(default)]
    pub with_replacement: bool,
}

/// Why batches cannot be drawn from a set.
#[derive(Debug, thiserror::Error)]
pub enum SamplerError {
    /// A size of the batch is zero.
    #[error("a batch cannot have 0 {field}")]
    Zero {
        /// Field of [`BatchSettings`].
        field: &'static str,
    },
    /// The set has fewer training subjects than a batch needs.
    #[error("a batch of {wanted} subjects cannot be drawn from {available} training subjects")]
    TooFewSubjects {
        /// P of the settings.
        wanted: usize,
        /// Training subjects of the set.
        available: usize,
    },
    /// A batch would have more than 512 MiB.
    #[error(
        "{} x {} clips of {} frames are more than {} MiB",
        settings.subjects, settings.sequences, settings.frames, LARGEST_BATCH >> 20
    )]
    TooLarge {
        /// The settings as given.
        settings: BatchSettings,
    },
    /// The training sequences have silhouettes of several sizes.
    #[error(
        "{}: silhouettes of {}x{} and of {}x{} are mixed ({key})",
        folder.display(), first[0], first[1], other[0], other[1]
    )]
    MixedSizes {
        /// The prepared set.
        folder: PathBuf,
        /// Rows and columns of the first training sequence, trimmed.
        first: [usize; 2],
        /// Those of another one.
        other: [usize; 2],
        /// That other sequence; boxed to keep the error small.
        key: Box<SequenceKey>,
    },
}

/// One batch. `pixels` is `[n, t, h, w]` with n = P * K; the K sequences of an identity follow one
/// another.
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

/// Draws batches from the training side of a prepared set: P identities, K sequences of each, and of
/// each sequence a random window of consecutive frames. A sequence shorter than the window is
/// repeated first. Unless the settings ask for replacement, no identity is drawn twice for a batch,
/// and a sequence only if the identity has fewer than K.
///
/// A batch depends only on the set, the settings, the seed and its number, so a stopped training
/// continues by asking for the next number.
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

/// Bytes. More than 20 times OU-MVLP's batch, so that only a mistyped size is refused.
const LARGEST_BATCH: usize = 1 << 29;

impl ClipSampler {
    /// A sampler of `set`'s training side.
    ///
    /// # Errors
    /// [`SamplerError`] if a size is zero, P exceeds the number of training subjects, a batch would
    /// exceed 512 MiB, or the silhouettes do not all have the same size.
    pub fn new(
        set: Arc<PreparedSet>,
        settings: BatchSettings,
        seed: u64,
    ) -> Result<Self, DataError> {
        let (classes, members): (Vec<String>, Vec<Vec<usize>>) =
            set.classes().into_iter().map(|(name, members)| (name.to_string(), members)).unzip();
        check_counts(settings, classes.len())?;
        let [height, width] = common_size(&set, &set.train())?;
        check_bytes(settings, height * width)?;
        Ok(ClipSampler { set, settings, seed, classes, members, height, width })
    }

    /// The subjects of [`PreparedSet::classes`]: class `i` is subject `classes()[i]`.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Batch number `iteration`.
    ///
    /// # Errors
    /// If a sequence of the set is damaged.
    pub fn batch(&self, iteration: u64) -> Result<Batch, DataError> {
        let BatchSettings { subjects, sequences, frames, with_replacement } = self.settings;
        let size = self.height * self.width;
        let mut generator = ChaCha8Rng::seed_from_u64(self.seed);
        generator.set_stream(iteration);
        let mut batch = Batch {
            subjects: Vec::with_capacity(subjects * sequences),
            frames,
            height: self.height,
            width: self.width,
            pixels: Vec::with_capacity(subjects * sequences * frames * size),
        };
        for class in draw(&mut generator, self.classes.len(), subjects, with_replacement) {
            let members = &self.members[class];
            for member in draw(&mut generator, members.len(), sequences, with_replacement) {
                batch.subjects.push(class);
                self.append_window(members[member], &mut generator, &mut batch.pixels)?;
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
        // Whole repetitions, so that the window may start anywhere in the sequence.
        let tiled = clip.frames * wanted.div_ceil(clip.frames).max(1);
        let start = generator.random_range(0..=tiled - wanted);
        let size = clip.height * clip.width;
        for frame in (start..start + wanted).map(|t| t % clip.frames) {
            append_trimmed(&clip.pixels[frame * size..(frame + 1) * size], clip.width, pixels);
        }
        Ok(())
    }
}

/// Draws `count` of the numbers below `length`, each at most once if there are enough, unless they are
/// replaced.
fn draw(
    generator: &mut ChaCha8Rng,
    length: usize,
    count: usize,
    with_replacement: bool,
) -> Vec<usize> {
    if length >= count && !with_replacement {
        index::sample(generator, length, count).into_vec()
    } else {
        (0..count).map(|_| generator.random_range(0..length)).collect()
    }
}

fn check_counts(settings: BatchSettings, available: usize) -> Result<(), SamplerError> {
    let counts = [
        ("subjects", settings.subjects),
        ("sequences", settings.sequences),
        ("frames", settings.frames),
    ];
    if let Some((field, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
        return Err(SamplerError::Zero { field });
    }
    if settings.subjects > available {
        return Err(SamplerError::TooFewSubjects { wanted: settings.subjects, available });
    }
    Ok(())
}

/// Refuses batches of silhouettes of `size` pixels that are far beyond any real one.
fn check_bytes(settings: BatchSettings, size: usize) -> Result<(), SamplerError> {
    let BatchSettings { subjects, sequences, frames, .. } = settings;
    let sizes = [subjects, sequences, frames, size];
    let bytes = sizes.iter().try_fold(1_usize, |product, n| product.checked_mul(*n));
    match bytes {
        Some(bytes) if bytes <= LARGEST_BATCH => Ok(()),
        _ => Err(SamplerError::TooLarge { settings }),
    }
}

/// The rows and columns that all sequences of `indices` have once they are trimmed.
fn common_size(set: &PreparedSet, indices: &[usize]) -> Result<[usize; 2], SamplerError> {
    let size = |index: usize| {
        let entry = set.entry(index);
        [entry.height, trimmed_width(entry.width)]
    };
    let first = indices.first().map_or([0, 0], |&index| size(index));
    match indices.iter().find(|&&index| size(index) != first) {
        None => Ok(first),
        Some(&other) => Err(SamplerError::MixedSizes {
            folder: set.folder().to_path_buf(),
            first,
            other: size(other),
            key: Box::new(set.entry(other).key.clone()),
        }),
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
        let raw = place.path().join("raw");
        let out = place.path().join("out");
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
        let text = fs::read(out.join(ABOUT_FILE)).unwrap();
        let mut about: serde_json::Value = serde_json::from_slice(&text).unwrap();
        about["bytes"] = bytes.into();
        fs::write(out.join(ABOUT_FILE), about.to_string()).unwrap();

        let set = Arc::new(PreparedSet::open(&out).unwrap());
        let settings =
            BatchSettings { subjects: 1, sequences: 1, frames: 1, with_replacement: false };
        let error = ClipSampler::new(set, settings, 0).unwrap_err().to_string();
        assert!(error.contains("64x44 and of 128x88 are mixed (001/nm-02/090)"), "{error}");
    }
}
