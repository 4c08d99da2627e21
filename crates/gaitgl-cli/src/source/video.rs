//! From pictures to sequences of silhouettes.

use std::io::IsTerminal;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::bail;
use clap::{Args, ValueEnum};
use gait_vision::{
    Background, BodyMasker, Detector, Engine, Frames, Networks, PipelineSettings, Rate,
    ReadOptions, Segmenter, SequenceSettings, Statistics, Step, run,
};
pub use gait_vision::{Event, FrameSource};

use crate::progress;

/// How people are found in pictures.
#[derive(Args)]
#[command(next_help_heading = "Video")]
pub struct VisionOptions {
    /// The ffmpeg program [default: GAITGL_FFMPEG, or the one in the path]
    #[arg(long, value_name = "PROGRAM")]
    pub ffmpeg: Option<PathBuf>,
    /// How people are separated from the rest of the picture
    #[arg(long, value_enum, default_value_t = Segment::Networks)]
    segment: Segment,
    /// Description of another network that finds people [default: the one that ships]
    #[arg(long, value_name = "FILE.toml")]
    detector: Option<PathBuf>,
    /// Description of another network that draws the mask of a person [default: the one that ships]
    #[arg(long, value_name = "FILE.toml")]
    masks: Option<PathBuf>,
    /// Look for people in every frame of this number; the tracker bridges the others [default: eight
    /// times per second]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    detect_every: Option<u16>,
    /// Highest number of frames per second; of a faster video, frames are left out
    #[arg(long, value_name = "RATE", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=240))]
    max_rate: u16,
    /// Frames per second of a folder of images
    #[arg(long, value_name = "RATE", default_value_t = 25, value_parser = clap::value_parser!(u16).range(1..=240))]
    image_rate: u16,
    /// For a source that is followed: seconds after which a walk that goes on is passed on, and the next
    /// one begins; otherwise 10. No progress is shown then, and no live source has to wait.
    #[arg(skip)]
    pub longest_walk: Option<f64>,
}

/// How people are separated from the rest of the picture.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Segment {
    /// With two networks, one that finds people and one that draws their masks
    Networks,
    /// By what differs from the background, for a fixed camera with people who stay apart
    Background,
}

/// What was read.
pub struct Summary {
    /// What was done.
    pub statistics: Statistics,
    /// The rate of the frames.
    pub rate: Rate,
    /// Width and height of the frames.
    pub size: [usize; 2],
}

/// An open source, and all that is needed to find people in it.
pub struct Viewing {
    frames: Frames,
    segmenter: Box<dyn Segmenter + Send>,
    settings: PipelineSettings,
    is_live: bool,
    is_followed: bool,
    expected: Option<u64>,
}

impl Viewing {
    /// Opens a source and loads the networks.
    ///
    /// # Errors
    /// No ffmpeg, a source that cannot be read, a network that does not load.
    pub fn open(source: &FrameSource, options: &VisionOptions) -> anyhow::Result<Self> {
        let mask_threads =
            NonZero::new(rayon::current_num_threads()).unwrap_or(NonZero::<usize>::MIN);
        let segmenter = options.segmenter(mask_threads)?;
        let read = ReadOptions {
            ffmpeg: options.ffmpeg.clone(),
            max_rate: Some(options.max_rate.into()),
            image_rate: Some(options.image_rate.into()),
            stop: Some(progress::watch_interrupts()?),
        };
        let frames = source.open(&read)?;
        let rate = frames.rate();
        let mut sequences = SequenceSettings::new(rate.per_second());
        if let Some(every) = options.detect_every {
            sequences.detect_every = every.into();
        }
        if let Some(seconds) = options.longest_walk {
            sequences.max_length = (seconds * rate.per_second()).round() as usize;
        }
        let is_live = source.is_live();
        let is_followed = options.longest_walk.is_some();
        let drop_late = source.sets_the_pace() || (is_followed && is_live);
        let settings = PipelineSettings { sequences, mask_threads, drop_late };
        let shows_progress = !is_followed && std::io::stderr().is_terminal();
        let expected = shows_progress.then(|| source.expected_frames(rate, &read)).flatten();
        Ok(Self { frames, segmenter, settings, is_live, is_followed, expected })
    }

    /// Width and height of the frames.
    pub fn size(&self) -> [usize; 2] {
        self.frames.size()
    }

    /// The rate of the frames.
    pub fn rate(&self) -> Rate {
        self.frames.rate()
    }

    /// Reads the source to its end and passes on all frames and what happens in them. Ctrl-C ends a
    /// stream or a camera, and interrupts anything else.
    ///
    /// # Errors
    /// Frames that cannot be read, a network that fails, an interrupt, and what `each` fails with.
    pub fn watch(
        self,
        mut each: impl FnMut(Step) -> anyhow::Result<()>,
    ) -> anyhow::Result<Summary> {
        let size = self.size();
        let rate = self.rate();
        let expected = self.expected.unwrap_or(0);
        let Self { frames, segmenter, settings, is_live, is_followed, .. } = self;
        let read = |progress: &dyn Fn(u64, u64), stop: &AtomicBool| {
            let statistics = run(frames, segmenter, &settings, |step| {
                if let Step::Frame { number, .. } = step {
                    progress(number + 1, expected);
                }
                each(step)
            })?;
            if stop.load(Ordering::Relaxed) && !is_live {
                bail!("interrupted");
            }
            Ok(statistics)
        };
        let statistics = if is_followed {
            read(&|_, _| {}, progress::watch_interrupts()?)?
        } else {
            progress::watched("Looking for people", "frames", |progress, stop| {
                read(&progress, stop)
            })?
        };
        Ok(Summary { statistics, rate, size })
    }
}

impl VisionOptions {
    fn segmenter(&self, threads: NonZero<usize>) -> anyhow::Result<Box<dyn Segmenter + Send>> {
        if self.segment == Segment::Background {
            if self.detector.is_some() || self.masks.is_some() {
                bail!("--segment background uses no network; leave out --detector and --masks");
            }
            return Ok(Box::new(Background::new()));
        }
        let engine = Engine::new(threads);
        let detector = match &self.detector {
            Some(description) => Detector::read(&engine, description)?,
            None => Detector::shipped(&engine)?,
        };
        let masker = match &self.masks {
            Some(description) => BodyMasker::read(&engine, description)?,
            None => BodyMasker::shipped(&engine)?,
        };
        Ok(Box::new(Networks::new(detector, masker)))
    }
}

/// Reads pictures to their end and passes on what happens.
///
/// # Errors
/// No ffmpeg, a source that cannot be read, an interrupt, and what `each` fails with.
pub fn sequences(
    source: &FrameSource,
    options: &VisionOptions,
    each: &mut dyn FnMut(Event) -> anyhow::Result<()>,
) -> anyhow::Result<Summary> {
    Viewing::open(source, options)?.watch(|step| match step {
        Step::Frame { .. } => Ok(()),
        Step::Event(event) => each(event),
    })
}
