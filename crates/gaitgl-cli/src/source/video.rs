//! From pictures to sequences of silhouettes.

use std::num::NonZero;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use gait_vision::{
    BodyMasker, Detector, Engine, Networks, Rate, Sequence, SequenceSettings, Sequencer, Video,
};

/// Where pictures come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameSource {
    /// A file, a stream or a camera, as ffmpeg reads it.
    Video(String),
    /// A folder of images, in natural order.
    Images(PathBuf),
}

impl FrameSource {
    /// Whether it goes on for ever: a stream or a camera.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Video(name) if name.contains("://") || name.starts_with("camera:"))
    }
}

/// How people are found in pictures.
#[derive(Args)]
pub struct VisionOptions {
    /// The ffmpeg program [default: GAITGL_FFMPEG, or the one in the path]
    #[arg(long, value_name = "PROGRAM")]
    ffmpeg: Option<PathBuf>,
}

/// What happens while pictures are read.
pub enum Event {
    /// A person has come into view.
    Began {
        /// The number of the track.
        track: u64,
        /// The frame, from 0.
        frame: u64,
    },
    /// A stretch of a track has ended, or is long enough to be looked at.
    Sequence(Sequence),
    /// A person has been out of view for so long that the track is over.
    Ended {
        /// The number of the track.
        track: u64,
        /// The last frame in which the person was in view.
        frame: u64,
    },
}

/// What was read.
pub struct Summary {
    /// Number of frames.
    pub frames: u64,
    /// Their rate.
    pub rate: Rate,
}

/// Reads pictures to their end and passes on what happens.
///
/// # Errors
/// No ffmpeg, a source that cannot be read, and what `each` fails with.
pub fn sequences(
    frames: &FrameSource,
    options: &VisionOptions,
    each: &mut dyn FnMut(Event) -> anyhow::Result<()>,
) -> anyhow::Result<Summary> {
    let FrameSource::Video(video) = frames else { bail!("not yet") };
    let engine = Engine::new(NonZero::<usize>::MIN);
    let networks =
        Networks { detector: Detector::shipped(&engine)?, masker: BodyMasker::shipped(&engine)? };
    let video = Video::open(video, options.ffmpeg.clone())?;
    let rate = video.rate();
    let mut sequencer = Sequencer::new(networks, SequenceSettings::new(rate.per_second()));
    let mut read = 0;
    for frame in video {
        read += 1;
        sequencer.push(&frame?)?.into_iter().try_for_each(|found| each(Event::Sequence(found)))?;
    }
    sequencer.finish().into_iter().try_for_each(|found| each(Event::Sequence(found)))?;
    Ok(Summary { frames: read, rate })
}
