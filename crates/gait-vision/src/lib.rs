//! From video to silhouettes: frames, the people in them, and the masks of their bodies.
//!
//! - [`FrameSource`] gives the [`Frames`] of a file, a stream or a camera through the user's `ffmpeg`,
//!   or those of a folder of images.
//! - [`Frame`] is a picture; [`Bounds`] is the box around a person in it.
//! - [`Detector`] finds people. The one that ships is SSD MobileNetV2.
//! - [`Tracker`] joins the boxes of the same person in successive frames.
//! - [`BodyMasker`] separates the body in a box from everything else, neighbours included. The
//!   network that ships is the lite one of BlazePose.
//! - [`Sequencer`] does all of this frame by frame, and gives a [`Sequence`] of silhouettes for each
//!   stretch in which a person walks, whole and in view. It counts the frames that it drops by
//!   [`DropReason`].
//! - [`run`] does the same on several threads, and leaves frames out where a camera is faster.
//! - [`Background`] is for fixed cameras: it finds people and masks without any network.
//! - [`Engine`] is the threads that networks run on. They are ONNX files and run on the CPU, in Rust.
//!
//! ```
//! use std::num::NonZero;
//!
//! use gait_vision::{
//!     BodyMasker, Detector, Engine, Frame, Networks, SequenceSettings, Sequencer,
//! };
//!
//! let engine = Engine::new(NonZero::<usize>::MIN);
//! let detector = Detector::shipped(&engine)?;
//! let masker = BodyMasker::shipped(&engine)?;
//! let mut sequencer =
//!     Sequencer::new(Networks::new(detector, masker), SequenceSettings::new(25.0));
//!
//! // 64 x 48 grey pixels: nobody is there. `FrameSource::of("walk.mp4")` gives the frames of a file.
//! let frame = Frame::new(64, 48, vec![128; 64 * 48 * 3])?;
//! let mut sequences = sequencer.push(&frame)?;
//! sequences.extend(sequencer.finish());
//! for sequence in sequences {
//!     println!("track {}: {} silhouettes", sequence.track, sequence.silhouettes.len());
//!     for (reason, frames) in &sequence.dropped {
//!         println!("{frames} frames dropped: {reason}");
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Your own networks
//!
//! [`Detector::read`] and [`BodyMasker::read`] take a TOML file that describes an ONNX network: its
//! file, how a frame becomes its input, and how its outputs are decoded. The networks that ship are
//! described in the same way.
#![doc = concat!("\n```toml\n", include_str!("../models/ssd-mobilenet-v2.toml"), "```\n")]
//! The keys are explained in `models/README.md`.

mod background;
mod body_mask;
mod bounds;
mod description;
mod detector;
mod dropped;
mod engine;
mod error;
mod frame;
mod images;
mod input;
mod pipeline;
mod regions;
mod resize;
mod sequences;
mod silhouette;
mod source;
mod tracker;
mod video;
mod walking;

pub use background::Background;
pub use body_mask::{BodyMask, BodyMasker, MaskInFrame, Square};
pub use bounds::Bounds;
pub use detector::{Detection, Detector};
pub use dropped::DropReason;
pub use engine::Engine;
pub use error::ModelError;
pub use frame::{Frame, FrameError};
pub use pipeline::{BusySeconds, PipelineSettings, Statistics, Step, run};
pub use sequences::{
    Event, Look, MaskDrawer, Networks, Person, Segmenter, Sequence, SequenceFrame,
    SequenceSettings, Sequencer,
};
pub use silhouette::Silhouette;
pub use source::{FrameSource, Frames, ReadOptions};
pub use tracker::{Tracked, Tracker, TrackerSettings};
pub use video::{FfmpegReason, Rate, VideoError, VideoWriter};
