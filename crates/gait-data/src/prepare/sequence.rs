//! One sequence of a raw tree: read, aligned, compressed.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::Path;

use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

use super::budget::MemoryBudget;
use super::pickled::{self, PickledClipError};
use super::{Plan, is_jpeg};
use crate::align::{AlignError, align};
use crate::doubt::{Doubt, Doubts};
use crate::folder::{Cause, Frames, list_frames};
use crate::form::Form;
use crate::image_file::{Grey, read_grey};
use crate::set::arrow_file::Row;
use crate::set::{Dropped, PrepareSettings};
use crate::tree::SequenceFolder;
use crate::{DataError, Resizing, Watch};
use gait_support::{caught, full_message};

/// Compression level of clips. Silhouettes shrink to about a tenth at any level: 14,191 of them to
/// 5.74 MB at this one and to 5.91 MB at level 3, which takes longer.
const LEVEL: i32 = 1;

/// Why nothing of a sequence is used. The report names the sequence before it.
#[derive(Debug, thiserror::Error)]
enum SequenceFault {
    #[error("its folder cannot be read")]
    Folder(#[source] io::Error),
    #[error("the folder holds no .pkl{}", because(.0.as_ref()))]
    NoPickle(Option<Cause>),
    #[error("no frame is left; the folder holds no PNG, BMP or JPEG{}", because(.0.as_ref()))]
    NoImage(Option<Cause>),
    #[error("no frame is left")]
    NoFrame,
    #[error("no frame is left{0}")]
    NoFrameLeft(Losses),
    #[error("{0}")]
    NotSilhouettes(Doubt),
    #[error("{}", file.display())]
    Pickled { file: OsString, source: PickledClipError },
    #[error("it has more frames than a set can count")]
    TooLong,
    #[error("it cannot be compressed")]
    Compression(#[source] io::Error),
}

fn because(cause: Option<&Cause>) -> String {
    cause.map_or_else(String::new, |cause| format!("; {cause}"))
}

/// What all workers share.
pub(super) struct SequenceReader<'a> {
    root: &'a Path,
    settings: &'a PrepareSettings,
    form: &'a Form,
    pickled: bool,
    resizing: Option<Resizing>,
    watch: &'a Watch<'a>,
    budget: MemoryBudget,
}

impl<'a> SequenceReader<'a> {
    pub fn new(plan: &'a Plan<'a>, watch: &'a Watch<'a>) -> Self {
        SequenceReader {
            root: plan.raw,
            settings: &plan.settings,
            form: &plan.form,
            pickled: plan.pickled,
            resizing: plan.resizing,
            watch,
            budget: MemoryBudget::default(),
        }
    }

    /// A worker's compressor.
    pub fn compressor(&self) -> Result<Compressor<'static>, DataError> {
        // It panics if there is no memory for its context.
        let compressor = caught(|| Compressor::new(LEVEL));
        let compressor = compressor.unwrap_or_else(|| Err(io::ErrorKind::OutOfMemory.into()));
        let compressor = compressor.and_then(|mut compressor| {
            compressor.set_parameter(CParameter::ChecksumFlag(true))?;
            Ok(compressor)
        });
        compressor.map_err(|e| DataError::io("compress", self.root, e))
    }

    /// Reads, aligns and compresses the frames of `source`; what is left out is added to the
    /// second part of the result.
    ///
    /// # Errors
    /// The caller asked to stop, or memory ran out. Everything wrong with one sequence drops that sequence.
    pub fn read(
        &self,
        source: &SequenceFolder,
        compressor: &mut Compressor,
    ) -> Result<(Option<Row>, Dropped), DataError> {
        let mut dropped = Dropped::default();
        let pattern = &self.form.parts[source.part].pattern;
        let kept = match list_frames(&self.root.join(&source.folder), pattern) {
            Err(error) => Err(SequenceFault::Folder(error)),
            Ok(frames) => self.frames(source, frames, &mut dropped, compressor)?,
        };
        if let Err(SequenceFault::Compression(reason)) = kept {
            // Nothing is wrong with the sequence: there is no memory left.
            let reason = io::Error::new(io::ErrorKind::OutOfMemory, reason);
            return Err(DataError::io("compress", self.root.join(&source.folder), reason));
        }
        if let Err(fault) = &kept {
            dropped.sequences.add(|| format!("{}: {}", source.key, full_message(fault)));
        }
        Ok((kept.ok(), dropped))
    }

    fn frames(
        &self,
        source: &SequenceFolder,
        frames: Frames,
        dropped: &mut Dropped,
        compressor: &mut Compressor,
    ) -> Result<Result<Row, SequenceFault>, DataError> {
        let Frames { images, pickles, strays, cause } = frames;
        for stray in &strays {
            dropped.strays.add(|| source.folder.join(stray).display().to_string());
        }
        if !pickles.is_empty() && (self.pickled || images.is_empty()) {
            Ok(self.pickle(source, &pickles, dropped, compressor))
        } else if self.pickled {
            Ok(Err(SequenceFault::NoPickle(cause)))
        } else if images.is_empty() {
            Ok(Err(SequenceFault::NoImage(cause)))
        } else {
            self.images(source, &images, dropped, compressor)
        }
    }

    /// A sequence of images.
    fn images(
        &self,
        source: &SequenceFolder,
        images: &[OsString],
        dropped: &mut Dropped,
        compressor: &mut Compressor,
    ) -> Result<Result<Row, SequenceFault>, DataError> {
        let height = self.settings.height;
        let reserved = self.budget.reserve(images.len() * height * height);
        let mut sequence = ImageSequence::new(images.len(), height * height);
        for image in images {
            self.watch.check()?;
            self.image(source, image, &mut sequence, dropped);
        }
        let ImageSequence { pixels, doubts, losses, jpegs } = sequence;
        if let Some(doubt) = doubts.refusal() {
            return Ok(Err(SequenceFault::NotSilhouettes(doubt)));
        }
        if pixels.is_empty() {
            return Ok(Err(SequenceFault::NoFrameLeft(losses)));
        }
        let row = row(source, [height, height], &pixels, compressor);
        drop(reserved);
        if row.is_ok() {
            dropped.jpeg_frames += jpegs;
            note_doubt(source, doubts, dropped);
        }
        Ok(row)
    }

    /// Adds one image to the sequence, or to what is dropped.
    fn image(
        &self,
        source: &SequenceFolder,
        image: &OsStr,
        sequence: &mut ImageSequence,
        dropped: &mut Dropped,
    ) {
        let below = source.folder.join(image);
        let losses = &mut sequence.losses;
        let grey = match read_grey(&self.root.join(&below)) {
            Ok(grey) => grey,
            Err(error) => {
                let reason = full_message(&error);
                dropped.unreadable_images.add(|| format!("{}: {reason}", below.display()));
                losses.unreadable += 1;
                losses.first.get_or_insert_with(|| format!("{}: {reason}", image.display()));
                return;
            }
        };
        sequence.doubts.add(&grey.pixels, grey.width);
        match self.align(grey) {
            Ok(frame) => {
                sequence.pixels.extend_from_slice(&frame);
                sequence.jpegs += u64::from(is_jpeg(image));
            }
            Err(AlignError::Faint) => {
                dropped.faint_frames.add(|| below.display().to_string());
                losses.faint += 1;
            }
            Err(error) => {
                dropped.misshapen_frames.add(|| format!("{}: {error}", below.display()));
                losses.misshapen += 1;
                losses.first.get_or_insert_with(|| format!("{}: {error}", image.display()));
            }
        }
    }

    fn align(&self, grey: Grey) -> Result<Vec<u8>, AlignError> {
        match self.resizing {
            Some(resizing) => resizing.apply(grey, self.settings.height),
            None => align(&grey, self.settings.height),
        }
    }

    /// A sequence of one pickled array.
    fn pickle(
        &self,
        source: &SequenceFolder,
        pickles: &[OsString],
        dropped: &mut Dropped,
        compressor: &mut Compressor,
    ) -> Result<Row, SequenceFault> {
        let chosen = pickled::choose(pickles);
        for other in pickles.iter().filter(|other| *other != chosen) {
            dropped.strays.add(|| source.folder.join(other).display().to_string());
        }
        let path = self.root.join(&source.folder).join(chosen);
        let unread = |source| SequenceFault::Pickled { file: chosen.clone(), source };
        let length = pickled::length(&path).map_err(unread)?;
        // Text of protocol 2 is decoded beside the file's bytes.
        let reserved = self.budget.reserve(2 * length);
        let bytes = pickled::read(&path, length).map_err(unread)?;
        let (size, pixels) =
            pickled::decode_pickled(&bytes, self.settings.height).map_err(unread)?;
        let mut doubts = Doubts::default();
        for frame in pixels.chunks_exact((size[0] * size[1]).max(1)) {
            doubts.add(frame, size[1]);
        }
        if let Some(doubt) = doubts.refusal() {
            return Err(SequenceFault::NotSilhouettes(doubt));
        }
        if pixels.is_empty() {
            return Err(unread(PickledClipError::NoFrame));
        }
        let row = row(source, size, &pixels, compressor);
        drop(reserved);
        if row.is_ok() {
            note_doubt(source, doubts, dropped);
        }
        row
    }
}

fn note_doubt(source: &SequenceFolder, doubts: Doubts, dropped: &mut Dropped) {
    if let Some(doubt) = doubts.doubt() {
        dropped.doubtful.add(|| format!("{}: {doubt}", source.key));
    }
}

/// The frames of a sequence of images, one after the other, and what is known about them.
struct ImageSequence {
    pixels: Vec<u8>,
    doubts: Doubts,
    losses: Losses,
    /// Frames that come from JPEG.
    jpegs: u64,
}

impl ImageSequence {
    fn new(images: usize, frame: usize) -> Self {
        ImageSequence {
            pixels: Vec::with_capacity(images * frame),
            doubts: Doubts::default(),
            losses: Losses { images, ..Losses::default() },
            jpegs: 0,
        }
    }
}

/// " of 12 (3 unreadable, 9 empty; 001.png: truncated)": where the frames of a sequence went.
#[derive(Debug, Default)]
struct Losses {
    images: usize,
    unreadable: usize,
    faint: usize,
    misshapen: usize,
    /// The first file that is not merely empty, and its reason.
    first: Option<String>,
}

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts =
            [(self.unreadable, "unreadable"), (self.faint, "empty"), (self.misshapen, "misshapen")];
        let parts: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let first = self.first.as_ref().map_or_else(String::new, |first| format!("; {first}"));
        write!(f, " of {} ({}{first})", self.images, parts.join(", "))
    }
}

/// The row of `source`: `pixels` are frames of `size` rows and columns.
fn row(
    source: &SequenceFolder,
    size: [usize; 2],
    pixels: &[u8],
    compressor: &mut Compressor,
) -> Result<Row, SequenceFault> {
    let frame = size[0] * size[1];
    if pixels.is_empty() || frame == 0 {
        return Err(SequenceFault::NoFrame);
    }
    let number = |n: usize| u32::try_from(n).map_err(|_| SequenceFault::TooLong);
    Ok(Row {
        key: source.key.clone(),
        frames: number(pixels.len() / frame)?,
        height: number(size[0])?,
        width: number(size[1])?,
        clip: compressor.compress(pixels).map_err(SequenceFault::Compression)?,
    })
}
