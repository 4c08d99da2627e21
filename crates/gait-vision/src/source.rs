//! Where frames come from: a video, a stream, a camera or a folder of images.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::images::Images;
use crate::video::Video;
use crate::{Frame, Rate, VideoError};

/// Where frames come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameSource {
    /// A file, a stream (`rtsp://`, `http://`, `https://`) or a camera (`camera:0`), read through
    /// `ffmpeg`.
    Video(String),
    /// A folder of PNG, BMP and JPEG images in natural order, all of one size.
    Images(PathBuf),
}

/// How frames are read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// The `ffmpeg` to run. Otherwise it is the one that the environment variable `GAITGL_FFMPEG`
    /// names, or the one in the path.
    pub ffmpeg: Option<PathBuf>,
    /// The highest rate: of a faster video, frames are left out.
    pub max_rate: Option<u32>,
    /// The rate of images; 25 frames per second unless it is given.
    pub image_rate: Option<u32>,
    /// The frames end soon after this flag is set, as if the source ended there.
    pub stop: Option<&'static AtomicBool>,
}

impl ReadOptions {
    pub(crate) fn stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}

impl FrameSource {
    /// What a text names: a folder that exists is one of images, everything else a video.
    pub fn of(text: &str) -> Self {
        let path = Path::new(text);
        if path.is_dir() { Self::Images(path.into()) } else { Self::Video(text.to_owned()) }
    }

    /// Whether it may go on for ever: a stream or a camera.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Video(name) if name.contains("://") || name.starts_with("camera:"))
    }

    /// Whether frames come at a pace of their own, so that a slow reader has to leave some out. What is
    /// behind an address of `http` can be either; it is taken for a file, which waits for its reader.
    pub fn sets_the_pace(&self) -> bool {
        self.is_live() && !matches!(self, Self::Video(name) if name.starts_with("http"))
    }

    /// Opens the source.
    ///
    /// # Errors
    /// No ffmpeg, no such file, a file that is no video, a stream that cannot be reached, a folder
    /// without images.
    pub fn open(&self, options: &ReadOptions) -> Result<Frames, VideoError> {
        let reader = match self {
            Self::Video(video) => Reader::Video(Box::new(Video::open(video, options)?)),
            Self::Images(folder) => Reader::Images(Images::open(folder, options)?),
        };
        Ok(Frames { reader })
    }

    /// About how many frames a source has that runs at `rate`, if it has an end and says so.
    pub fn expected_frames(&self, rate: Rate, options: &ReadOptions) -> Option<u64> {
        match self {
            Self::Images(folder) => Images::open(folder, options).ok().map(|images| images.left()),
            Self::Video(_) if self.is_live() => None,
            Self::Video(video) => {
                let seconds = crate::video::seconds(video, options)?;
                Some((seconds * rate.per_second()).round() as u64)
            }
        }
    }
}

impl fmt::Display for FrameSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Video(video) => f.write_str(video),
            Self::Images(folder) => folder.display().fmt(f),
        }
    }
}

/// The frames of an open source: upright, with square pixels, of one size, at a constant rate.
///
/// Where `ffmpeg` reads the source, it runs beside this process until the frames are dropped, and waits
/// while no frame is taken.
pub struct Frames {
    reader: Reader,
}

enum Reader {
    Video(Box<Video>),
    Images(Images),
}

impl Frames {
    /// Width and height in pixels.
    pub fn size(&self) -> [usize; 2] {
        match &self.reader {
            Reader::Video(video) => video.size(),
            Reader::Images(images) => images.size(),
        }
    }

    /// The rate of the frames.
    pub fn rate(&self) -> Rate {
        match &self.reader {
            Reader::Video(video) => video.rate(),
            Reader::Images(images) => images.rate(),
        }
    }
}

impl Iterator for Frames {
    type Item = Result<Frame, VideoError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.reader {
            Reader::Video(video) => video.next(),
            Reader::Images(images) => images.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cameras_and_some_streams_set_the_pace() {
        let of = |text| {
            let source = FrameSource::of(text);
            [source.is_live(), source.sets_the_pace()]
        };
        assert_eq!(of("camera:0"), [true, true]);
        assert_eq!(of("rtsp://gate/1"), [true, true]);
        assert_eq!(of("https://gate/walk.mp4"), [true, false]);
        assert_eq!(of("walk.mp4"), [false, false]);
        let folder = tempfile::tempdir().unwrap();
        let source = FrameSource::of(folder.path().to_str().unwrap());
        assert_eq!(source, FrameSource::Images(folder.path().into()));
        assert!(!source.is_live());
    }
}
