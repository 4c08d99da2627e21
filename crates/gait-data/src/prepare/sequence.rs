//! One sequence of a raw tree: read, aligned, compressed.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};

use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

use super::{Plan, pickled};
use crate::align::{Unusable, align};
use crate::folder::list_frames;
use crate::image_file::{Grey, read_grey};
use crate::layout::Form;
use crate::set::arrow_file::Row;
use crate::set::{Dropped, PrepareSettings};
use crate::tree::Source;
use crate::{DataError, Resizing, Watch};

/// Compression level of clips. Silhouettes shrink to about a tenth at any level: 14,191 of them to
/// 5.74 MB at this one and to 5.91 MB at level 3, which takes longer.
const LEVEL: i32 = 1;

/// Bytes of pixels that may be in work at a time. One longer sequence is worked on alone.
const BUDGET: usize = 192 << 20;

/// What all workers share.
pub(super) struct Workshop<'a> {
    root: &'a Path,
    settings: &'a PrepareSettings,
    form: &'a Form,
    pickled: bool,
    resizing: Option<Resizing>,
    watch: &'a Watch<'a>,
    budget: Budget,
}

impl<'a> Workshop<'a> {
    pub fn new(plan: &'a Plan<'a>, watch: &'a Watch<'a>) -> Self {
        let Plan { raw: root, settings, form, pickled, resizing, .. } = plan;
        let (pickled, resizing) = (*pickled, *resizing);
        Workshop { root, settings, form, pickled, resizing, watch, budget: Budget::default() }
    }

    /// A worker's compressor.
    pub fn compressor(&self) -> Result<Compressor<'static>, DataError> {
        let compressor = Compressor::new(LEVEL).and_then(|mut compressor| {
            compressor.set_parameter(CParameter::ChecksumFlag(true))?;
            Ok(compressor)
        });
        compressor.map_err(|e| DataError::io("compress", self.root, e))
    }

    /// Reads, aligns and compresses the frames of `source`; what is left out is added to the
    /// second part of the result.
    ///
    /// # Errors
    /// Only if the caller asked to stop: everything wrong with one sequence drops that sequence.
    pub fn sequence(
        &self,
        source: &Source,
        compressor: &mut Compressor,
    ) -> Result<(Option<Row>, Dropped), DataError> {
        let mut dropped = Dropped::default();
        let pattern = &self.form.parts[source.part].pattern;
        let kept = match list_frames(&self.root.join(&source.folder), pattern) {
            Err(error) => Err(error.to_string()),
            Ok(frames) => {
                for stray in &frames.strays {
                    dropped.strays.add(|| source.folder.join(stray).display().to_string());
                }
                if !frames.pickles.is_empty() && (self.pickled || frames.images.is_empty()) {
                    self.pickle(source, &frames.pickles, &mut dropped, compressor)
                } else if self.pickled {
                    Err("the folder holds no .pkl".into())
                } else {
                    self.images(source, &frames.images, &mut dropped, compressor)?
                }
            }
        };
        if let Err(reason) = &kept {
            dropped.sequences.add(|| format!("{}: {reason}", source.key));
        }
        Ok((kept.ok(), dropped))
    }

    /// A sequence of images.
    fn images(
        &self,
        source: &Source,
        images: &[OsString],
        dropped: &mut Dropped,
        compressor: &mut Compressor,
    ) -> Result<Result<Row, String>, DataError> {
        let reserved = self.budget.reserve(images.len() * self.frame_size());
        let pixels = self.frames(source, images, dropped)?;
        let height = self.settings.height;
        let kept = row(source, [height, height], &pixels, compressor);
        drop(reserved);
        Ok(kept.map_err(|what| format!("{what}{}", Whereabouts { images: images.len(), dropped })))
    }

    /// A sequence of one pickled array.
    fn pickle(
        &self,
        source: &Source,
        pickles: &[OsString],
        dropped: &mut Dropped,
        compressor: &mut Compressor,
    ) -> Result<Row, String> {
        let chosen = pickled::choose(pickles);
        for other in pickles.iter().filter(|other| *other != chosen) {
            dropped.strays.add(|| source.folder.join(other).display().to_string());
        }
        let path = self.root.join(&source.folder).join(chosen);
        let told = |what: String| format!("{}: {what}", chosen.display());
        let length = pickled::length(&path).map_err(told)?;
        // Text of protocol 2 is decoded beside the file's bytes.
        let reserved = self.budget.reserve(2 * length);
        let row = pickled::read(&path, self.settings.height, |size, pixels| {
            row(source, size, pixels, compressor)
        });
        drop(reserved);
        row.map_err(told)
    }

    fn frame_size(&self) -> usize {
        self.settings.height * self.settings.height
    }

    /// The pixels of the usable frames, one after the other.
    fn frames(
        &self,
        source: &Source,
        images: &[OsString],
        dropped: &mut Dropped,
    ) -> Result<Vec<u8>, DataError> {
        let mut pixels = Vec::with_capacity(images.len() * self.frame_size());
        for image in images {
            self.watch.check()?;
            let below = source.folder.join(image);
            let name = || below.display().to_string();
            match read_grey(&self.root.join(&below)) {
                Err(reason) => {
                    dropped.unreadable_images.add(|| format!("{}: {reason}", below.display()));
                }
                Ok(grey) => match self.align(grey) {
                    Ok(frame) => pixels.extend_from_slice(&frame),
                    Err(Unusable::Faint) => dropped.faint_frames.add(name),
                    Err(Unusable::Misshapen) => dropped.misshapen_frames.add(name),
                },
            }
        }
        Ok(pixels)
    }

    fn align(&self, grey: Grey) -> Result<Vec<u8>, Unusable> {
        match self.resizing {
            Some(resizing) => resizing.apply(grey, self.settings.height),
            None => align(&grey, self.settings.height),
        }
    }
}

/// The row of `source`: `pixels` are frames of `size` rows and columns.
fn row(
    source: &Source,
    size: [usize; 2],
    pixels: &[u8],
    compressor: &mut Compressor,
) -> Result<Row, String> {
    let frame = size[0] * size[1];
    if pixels.is_empty() || frame == 0 {
        return Err("no frame is left".into());
    }
    let number = |n: usize| u32::try_from(n).map_err(|e| e.to_string());
    let (frames, height, width) =
        (number(pixels.len() / frame)?, number(size[0])?, number(size[1])?);
    let clip = compressor.compress(pixels).map_err(|e| e.to_string())?;
    Ok(Row { key: source.key.clone(), frames, height, width, clip })
}

/// " of 12 (3 unreadable, 9 empty)": where the frames of a dropped sequence went.
struct Whereabouts<'a> {
    images: usize,
    dropped: &'a Dropped,
}

impl fmt::Display for Whereabouts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Whereabouts { images, dropped } = self;
        if *images == 0 {
            return write!(f, "; the folder holds no PNG, BMP or JPEG");
        }
        write!(f, " of {images}")?;
        let parts = [
            (dropped.unreadable_images.count, "unreadable"),
            (dropped.faint_frames.count, "empty"),
            (dropped.misshapen_frames.count, "misshapen"),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        write!(f, " ({})", parts.join(", "))
    }
}

/// Bounds the bytes in work.
#[derive(Default)]
struct Budget {
    used: Mutex<usize>,
    freed: Condvar,
}

impl Budget {
    /// Waits until `bytes` fit beside what is in work, or nothing is.
    fn reserve(&self, bytes: usize) -> Reserved<'_> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let crowded = |used: &mut usize| *used > 0 && *used + bytes > BUDGET;
        let used = self.freed.wait_while(used, crowded);
        *used.unwrap_or_else(PoisonError::into_inner) += bytes;
        Reserved { budget: self, bytes }
    }
}

/// Bytes of a [`Budget`], given back on drop.
struct Reserved<'a> {
    budget: &'a Budget,
    bytes: usize,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        *self.budget.used.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Duration;

    #[test]
    fn work_beyond_the_budget_waits_and_a_giant_goes_alone() {
        let budget = Budget::default();
        let finished = AtomicBool::new(false);
        let giant = budget.reserve(10 * BUDGET);
        thread::scope(|scope| {
            scope.spawn(|| {
                let _small = budget.reserve(1);
                assert!(finished.load(Ordering::SeqCst), "it did not wait for the giant");
            });
            thread::sleep(Duration::from_millis(20));
            finished.store(true, Ordering::SeqCst);
            drop(giant);
        });
        assert_eq!(*budget.used.lock().unwrap(), 0);
    }
}
