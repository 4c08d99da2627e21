//! Frames of a video, through the user's `ffmpeg`.

mod error;
mod ffmpeg;
mod yuv;

use std::io::BufReader;
use std::path::PathBuf;
use std::process::ChildStdout;

pub use error::{FfmpegReason, VideoError};
use ffmpeg::Ffmpeg;

use crate::Frame;

/// A number of frames in a number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Numerator.
    pub frames: usize,
    /// Denominator.
    pub seconds: usize,
}

impl Rate {
    /// Frames per second.
    pub fn per_second(self) -> f64 {
        self.frames as f64 / self.seconds.max(1) as f64
    }
}

/// An open video. It iterates over its frames: upright, with square pixels, at a constant rate.
///
/// `ffmpeg` runs beside this process until the video is dropped, and waits while no frame is taken.
pub struct Video {
    ffmpeg: Ffmpeg,
    stream: y4m::Decoder<BufReader<ChildStdout>>,
    ended: bool,
}

impl Video {
    /// Opens a file, a stream (`rtsp://`, `http://`, `https://`) or a camera (`camera:0`), with the
    /// given `ffmpeg`, or the one that the environment variable `GAITGL_FFMPEG` names, or the one in
    /// the path.
    ///
    /// # Errors
    /// No ffmpeg, no such file, a file that is no video, a stream that cannot be reached.
    pub fn open(video: &str, ffmpeg: Option<PathBuf>) -> Result<Self, VideoError> {
        let (mut ffmpeg, stdout) = Ffmpeg::start(video, ffmpeg)?;
        match y4m::Decoder::new_with_limits(BufReader::new(stdout), LIMITS) {
            Ok(stream) if !yuv::is_known(stream.get_colorspace()) => {
                Err(ffmpeg.unreadable(y4m::Error::UnknownColorspace))
            }
            Ok(stream) if stream.get_width().max(stream.get_height()) <= Frame::LONGEST_SIDE => {
                Ok(Self { ffmpeg, stream, ended: false })
            }
            Ok(_) | Err(y4m::Error::OutOfMemory) => Err(ffmpeg.too_large()),
            Err(y4m::Error::EOF) => Err(ffmpeg.finished().err().unwrap_or_else(|| ffmpeg.empty())),
            Err(source) => Err(ffmpeg.unreadable(source)),
        }
    }

    /// Width of its frames.
    pub fn width(&self) -> usize {
        self.stream.get_width()
    }

    /// Height of its frames.
    pub fn height(&self) -> usize {
        self.stream.get_height()
    }

    /// The rate of its frames.
    pub fn rate(&self) -> Rate {
        let y4m::Ratio { num, den } = self.stream.get_framerate();
        Rate { frames: num, seconds: den }
    }

    fn next_frame(&mut self) -> Option<Result<Frame, VideoError>> {
        let width = self.width();
        let height = self.height();
        match self.stream.read_frame() {
            Ok(picture) => {
                let planes = [picture.get_y_plane(), picture.get_u_plane(), picture.get_v_plane()];
                let frame = Frame::new(width, height, yuv::to_rgb(planes, width, height));
                Some(frame.map_err(|_| self.ffmpeg.too_large()))
            }
            Err(y4m::Error::EOF) => self.ffmpeg.finished().err().map(Err),
            Err(source) => Some(Err(self.ffmpeg.unreadable(source))),
        }
    }
}

/// The bytes of the largest frame: one for each pixel, and two for each four.
const LIMITS: y4m::Limits =
    y4m::Limits { bytes: Frame::LONGEST_SIDE * Frame::LONGEST_SIDE / 2 * 3 };

impl Iterator for Video {
    type Item = Result<Frame, VideoError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let frame = self.next_frame();
        self.ended = !matches!(frame, Some(Ok(_)));
        frame
    }
}
