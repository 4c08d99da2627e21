//! Silhouettes of walking people: from folders of images to training batches.
//!
//! - [`prepare()`] aligns a raw tree of images or pickled arrays and packs it into a prepared set: a
//!   folder with one Arrow file. [`PrepareOptions`] selects the [`Layout`] of the tree; the
//!   [`PrepareReport`] names everything that was skipped.
//! - [`PreparedSet`] opens such a folder, lists its sequences and reads a [`Clip`] of each.
//! - [`ClipSampler`] draws training batches of P identities times K sequences; [`Prefetcher`] makes
//!   them in advance on other threads.
//! - [`SubjectPartition`] lists the training and the test subjects; [`PartitionFile`] reads
//!   OpenGait's files.
//! - [`convert()`] writes a prepared set as the tree of pickled arrays that OpenGait reads.
//! - [`align()`] and [`read_grey`] are the steps for a single image; [`read_folder`] takes them for a
//!   folder outside of any layout.
//! - [`synth`] films synthetic walkers, for tests and first experiments without any data set.
//! - [`pickle`] reads Python pickles without executing anything.
//!
//! Alignment and image decoding give the pixels of OpenGait's preparation with OpenCV.
//!
//! ```
//! use std::sync::Arc;
//!
//! use gait_data::{
//!     BatchSettings, ClipSampler, Layout, PrepareOptions, PreparedSet, Watch, prepare,
//! };
//! use image::{GrayImage, Luma};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Three people, a walk each: subject/condition/view/frame.png.
//! let place = tempfile::tempdir()?;
//! for subject in ["001", "002", "003"] {
//!     let folder = place.path().join("raw").join(subject).join("nm-01/090");
//!     std::fs::create_dir_all(&folder)?;
//!     for frame in 0..4 {
//!         let walker = GrayImage::from_fn(60, 80, |x, y| {
//!             let inside = (20 + frame..35 + frame).contains(&x) && (10..70).contains(&y);
//!             Luma([if inside { 255 } else { 0 }])
//!         });
//!         walker.save(folder.join(format!("{frame:03}.png")))?;
//!     }
//! }
//!
//! let out = place.path().join("set");
//! let options = PrepareOptions::new(Layout::CasiaB);
//! let report = prepare(&place.path().join("raw"), &out, &options, &Watch::silent())?;
//! assert_eq!(report.skipped_inputs(), 0);
//!
//! let set = PreparedSet::open(&out)?;
//! assert_eq!(set.len(), 3);
//! assert_eq!(set.clip(0)?.to_unit().len(), 4 * 64 * 64);
//!
//! // Two of the three train. A batch: two identities, a sequence of each, eight frames.
//! let settings = BatchSettings { subjects: 2, sequences: 1, frames: 8, with_replacement: false };
//! let sampler = ClipSampler::new(Arc::new(set), settings, 0)?;
//! assert_eq!(sampler.batch(1)?.pixels.len(), 2 * 8 * 64 * 44);
//! # Ok(())
//! # }
//! ```

mod align;
mod benchmark;
mod convert;
mod cubic;
mod doubt;
mod error;
mod exif;
mod folder;
mod form;
mod image_file;
mod json;
mod layout;
mod partition;
mod pattern;
pub mod pickle;
mod prefetch;
mod prepare;
mod queue;
mod resizing;
mod sampler;
mod sequence;
mod set;
pub mod synth;
mod tally;
mod tree;
mod walk_folder;

pub use align::{AlignError, FAINTEST_SUM, WIDEST, align};
pub use benchmark::Benchmark;
pub use convert::{ConvertReport, convert};
pub use error::DataError;
pub use gait_support::{FileError, Stopped, Watch};
pub use image_file::{Grey, ImageFileError, decode_grey, read_grey};
pub use layout::Layout;
pub use partition::{
    PartitionFault, PartitionFile, PartitionOrigin, SubjectPartition, partition_subjects,
};
pub use pattern::{PathPattern, PatternFault};
pub use prefetch::Prefetcher;
pub use prepare::{
    OutputFault, PickledClipError, PrepareOptions, PrepareOutcome, PrepareReport, can_prepare,
    decode_pickled, prepare,
};
pub use resizing::Resizing;
pub use sampler::{Batch, BatchSettings, ClipSampler, SamplerError};
pub use sequence::{Clip, SequenceKey, bytes_to_unit, trimmed_width};
pub use set::{
    ABOUT_FILE, CLIPS_FILE, ClipsFault, Dropped, FORM, PrepareSettings, PreparedSet, SequenceEntry,
    SetCounts, SetDescription, SetFault,
};
pub use tally::Tally;
pub use tree::TreeFault;
pub use walk_folder::{FolderClip, holds_silhouettes, image_folders, read_folder};
