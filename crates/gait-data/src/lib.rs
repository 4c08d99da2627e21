//! Silhouettes: alignment, dataset trees, the prepared set, samplers, synthetic walkers.
//!
//! A raw tree of images becomes a prepared set by [`prepare()`]; [`PreparedSet`] opens it,
//! [`ClipSampler`] draws training batches from it and [`Prefetcher`] draws them ahead.
//! [`convert()`] writes a prepared set as the tree of pickled arrays that OpenGait reads.

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
mod natural;
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
pub use sampler::{Batch, BatchSettings, ClipSampler};
pub use sequence::{Clip, SequenceKey, bytes_to_unit, trimmed_width};
pub use set::{
    ABOUT_FILE, CLIPS_FILE, ClipsFault, Dropped, FORM, PrepareSettings, PreparedSet, SequenceEntry,
    SetCounts, SetDescription, SetFault,
};
pub use tally::Tally;
pub use tree::TreeFault;
