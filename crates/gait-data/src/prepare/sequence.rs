//! One sequence of a raw tree: read, aligned, compressed.

use std::fmt;
use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};

use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

use crate::align::{Unusable, align};
use crate::image_file::{Grey, read_grey};
use crate::set::arrow_file::Row;
use crate::set::{Dropped, PrepareSettings};
use crate::tree::{Source, list_frames};
use crate::{DataError, Watch};

/// Compression level of clips. Silhouettes shrink to about a tenth at any level; higher ones
/// would cost more time than the images take to decode.
const LEVEL: i32 = 3;

/// Bytes of pixels that may be in work at a time. One longer sequence is worked on alone.
const BUDGET: usize = 192 << 20;

/// What all workers share.
pub(super) struct Workshop<'a> {
    root: &'a Path,
    settings: &'a PrepareSettings,
    watch: &'a Watch<'a>,
    budget: Budget,
}

impl<'a> Workshop<'a> {
    pub fn new(root: &'a Path, settings: &'a PrepareSettings, watch: &'a Watch<'a>) -> Self {
        Workshop { root, settings, watch, budget: Budget::default() }
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
        let kept = match list_frames(&self.root.join(&source.folder)) {
            Err(error) => Err(error.to_string()),
            Ok(frames) => {
                for stray in &frames.strays {
                    dropped.strays.add(|| source.folder.join(stray).display().to_string());
                }
                let reserved = self.budget.reserve(frames.images.len() * self.frame_size());
                let pixels = self.frames(source, &frames.images, &mut dropped)?;
                let kept = self.row(source, &pixels, compressor);
                drop(reserved);
                kept.map_err(|what| format!("{what}{}", Of(frames.images.len(), &dropped)))
            }
        };
        if let Err(reason) = &kept {
            dropped.sequences.add(|| format!("{}: {reason}", source.key));
        }
        Ok((kept.ok(), dropped))
    }

    fn frame_size(&self) -> usize {
        self.settings.height * self.settings.height
    }

    /// The pixels of the usable frames, one after the other.
    fn frames(
        &self,
        source: &Source,
        images: &[std::ffi::OsString],
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
        let height = self.settings.height;
        if !self.settings.aligned_source {
            return align(&grey, height);
        }
        let fits = (grey.height, grey.width) == (height, height);
        if fits { Ok(grey.pixels) } else { Err(Unusable::Misshapen) }
    }

    fn row(
        &self,
        source: &Source,
        pixels: &[u8],
        compressor: &mut Compressor,
    ) -> Result<Row, String> {
        if pixels.is_empty() {
            return Err("no frame is left".into());
        }
        let size = u32::try_from(self.settings.height).map_err(|e| e.to_string())?;
        let frames = u32::try_from(pixels.len() / self.frame_size()).map_err(|e| e.to_string())?;
        let clip = compressor.compress(pixels).map_err(|e| e.to_string())?;
        Ok(Row { key: source.key.clone(), frames, height: size, width: size, clip })
    }
}

/// " of 12 (3 unreadable, 9 empty)": where the frames of a dropped sequence went.
struct Of<'a>(usize, &'a Dropped);

impl fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Of(images, dropped) = self;
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
