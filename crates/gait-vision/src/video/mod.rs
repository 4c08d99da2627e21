//! Frames of a video, through the user's `ffmpeg`.

mod error;
mod ffmpeg;
mod writer;
mod yuv;

use std::io::BufReader;
use std::process::ChildStdout;

pub use error::{FfmpegReason, VideoError};
use ffmpeg::Ffmpeg;
pub(crate) use ffmpeg::seconds;
pub use writer::VideoWriter;

use crate::{Frame, ReadOptions};

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

/// An open video.
pub(crate) struct Video {
    ffmpeg: Ffmpeg,
    stream: y4m::Decoder<BufReader<ChildStdout>>,
    ended: bool,
}

impl Video {
    pub(crate) fn open(video: &str, options: &ReadOptions) -> Result<Self, VideoError> {
        let (mut ffmpeg, stdout) = Ffmpeg::start(video, options)?;
        let stream = y4m::Decoder::new_with_limits(BufReader::new(stdout), LIMITS);
        ffmpeg.arrived();
        match stream {
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

    pub(crate) fn size(&self) -> [usize; 2] {
        [self.stream.get_width(), self.stream.get_height()]
    }

    pub(crate) fn rate(&self) -> Rate {
        let y4m::Ratio { num, den } = self.stream.get_framerate();
        Rate { frames: num, seconds: den }
    }

    fn next_frame(&mut self) -> Option<Result<Frame, VideoError>> {
        let [width, height] = self.size();
        self.ffmpeg.awaited();
        let read = self.stream.read_frame();
        self.ffmpeg.arrived();
        match read {
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
