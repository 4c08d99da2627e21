//! Synthetic walkers: people with their own build and gait, filmed as CASIA-B's subjects are.
//!
//! The public benchmarks require a signed agreement, so first runs and tests need data that can be
//! generated. A subject has bones and girths (`body`), a gait (`gait`, `curves`), a coat and a bag
//! (`clothing`). Each recording varies the gait a little. All cameras (`walk`) film the same
//! recording, and an imperfect segmenter (`faults`) damages the silhouettes.
//!
//! Identity lies in proportions, posture and movement together: stature disappears when silhouettes
//! are scaled to one height, and no other single number tells people apart.
//!
//! [`write_tree`] writes a dataset tree, [`contact_sheet`] draws an overview, [`aligned_clip`] gives
//! one walker without files:
//!
//! ```
//! use gait_data::Watch;
//! use gait_data::synth::{SynthOptions, write_tree};
//!
//! let folder = tempfile::tempdir()?;
//! let options = SynthOptions {
//!     subjects: 2,
//!     views: vec![90.0],
//!     frames: 10,
//!     normal: 1,
//!     bags: 0,
//!     coats: 0,
//!     ..SynthOptions::default()
//! };
//! let report = write_tree(&folder.path().join("walkers"), &options, &Watch::silent())?;
//! assert_eq!(report.sequences, 2);
//! assert_eq!(report.frames + report.missing, 20);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod body;
mod camera;
mod chance;
mod clip;
mod clothing;
mod curves;
mod error;
mod faults;
mod film;
mod flesh;
mod gait;
mod options;
mod pose;
mod preview;
mod raster;
#[cfg(test)]
mod recognition;
mod smooth;
mod solids;
mod tree;
mod vary;
mod vector;
mod walk;
mod wardrobe;
mod world;

pub use clip::aligned_clip;
pub use error::SynthError;
pub use options::SynthOptions;
pub use preview::contact_sheet;
pub use tree::{SynthReport, write_tree};
pub use world::{Cameras, Clothes, Loads, Masks, People, Range, Walks, World};
