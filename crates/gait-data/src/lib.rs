//! Silhouettes: alignment, dataset trees, the prepared set, samplers, synthetic walkers.
//!
//! A raw tree of images becomes a prepared set by [`prepare()`]; [`PreparedSet`] opens it,
//! [`ClipSampler`] draws training batches from it and [`Prefetcher`] draws them ahead.
//! [`convert()`] writes a prepared set as the tree of pickled arrays that OpenGait reads.

mod align;
mod benchmark;
mod convert;
mod cubic;
mod error;
mod folder;
mod image_file;
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

pub use align::{FAINTEST_SUM, Unusable, WIDEST, align};
pub use benchmark::Benchmark;
pub use convert::{ConvertReport, convert};
pub use error::DataError;
pub use gait_support::{FileError, Stopped, Watch};
pub use image_file::{Grey, decode_grey, read_grey};
pub use layout::Layout;
pub use partition::{Partition, PartitionFile, PartitionOrigin, partition_subjects};
pub use pattern::{DEFAULT_CONDITION, DEFAULT_VIEW, PathPattern};
pub use prefetch::Prefetcher;
pub use prepare::{Outcome, PrepareOptions, PrepareReport, can_prepare, decode_pickled, prepare};
pub use resizing::Resizing;
pub use sampler::{Batch, BatchSettings, ClipSampler};
pub use sequence::{Clip, SequenceKey, bytes_to_unit, trim_columns, trimmed_width};
pub use set::{
    ABOUT_FILE, About, CLIPS_FILE, Counts, Dropped, FORM, PrepareSettings, PreparedSet,
    SequenceEntry, read_about,
};
pub use tally::Tally;
