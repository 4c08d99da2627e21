//! Gait recognition networks in Burn: GaitGL and its kin, their losses, training and checkpoints.
//!
//! A network maps the silhouettes of a walking person to an embedding. The distance of two
//! embeddings says how alike two people walk.
//!
//! | to do this | start here |
//! |---|---|
//! | embed clips and compare them | [`Embedder`] |
//! | train | [`train::begin`], [`train::resume`]; single steps: [`train::Trainer`] |
//! | choose settings | [`settings::Settings`]: presets, recipes, files, assignments |
//! | read what a training logged | [`run::RunFolder::metrics`] |
//! | use the network that ships | [`builtin`] |
//! | read and write networks | [`checkpoint::Checkpoint`]; formats of other programs: [`exchange`] |
//! | choose a test protocol | [`protocols`] |
//! | compare networks | [`ablation`] |
//! | choose a device | [`device::DeviceChoice`], [`cpu()`] |
//!
//! Below these: [`net`] holds the layers, [`region_conv3d`] the convolution that all of them rest
//! on, [`mask`] the regions of the local branch, [`mod@loss`] the losses, [`run`] the folder of a
//! training. Silhouettes and prepared sets come from `gait-data`; distances, protocols and metrics
//! from `gait-eval`.
//!
//! This example prepares synthetic walkers, trains a small network for two steps, and compares two
//! clips with it:
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::AtomicBool;
//!
//! use gait_data::synth::{SynthOptions, write_tree};
//! use gait_data::{Layout, PrepareOptions, PreparedSet, Watch, prepare};
//! use gait_eval::Distance;
//! use gaitgl::Embedder;
//! use gaitgl::run::RunFolder;
//! use gaitgl::settings::Settings;
//! use gaitgl::train::{Ending, begin};
//!
//! let folder = tempfile::tempdir()?;
//! let raw = folder.path().join("raw");
//! let prepared = folder.path().join("prepared");
//! let walkers =
//!     SynthOptions { subjects: 4, frames: 12, views: vec![90.0], ..SynthOptions::default() };
//! write_tree(&raw, &walkers, &Watch::silent())?;
//! prepare(&raw, &prepared, &PrepareOptions::new(Layout::CasiaB), &Watch::silent())?;
//! let set = Arc::new(PreparedSet::open(&prepared)?);
//!
//! let mut settings = Settings::preset("paper-small")?;
//! settings.model.channels = vec![2, 3, 4];
//! settings.train.batch = gait_data::BatchSettings { subjects: 2, sequences: 2, frames: 6, with_replacement: false };
//! settings.train.iterations = 2;
//! let run = RunFolder::new(folder.path().join("run"));
//! let mut started = begin(run, &set, settings, &gaitgl::cpu())?;
//! let ending = started.session.run(&mut (), &AtomicBool::new(false))?;
//! let Ending::Finished(checkpoint) = ending else { unreachable!("nobody stops it") };
//!
//! let embedder = Embedder::from_checkpoint(&checkpoint, &gaitgl::cpu())?;
//! let first = embedder.embed(&set.clip(0)?)?;
//! let second = embedder.embed(&set.clip(1)?)?;
//! assert!(first.distance(&second, Distance::Strips)? > 0.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod ablation;
pub mod builtin;
pub mod checkpoint;
mod compact;
pub mod device;
pub mod embed;
pub mod exchange;
pub mod loss;
pub mod mask;
pub mod net;
mod protobuf;
pub mod protocols;
pub mod region_conv3d;
pub mod run;
pub mod settings;
pub mod train;
pub mod weights;

pub use burn::tensor::Device;
pub use device::cpu;
pub use embed::Embedder;
