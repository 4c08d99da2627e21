//! What can go wrong with a video.

use std::path::PathBuf;

use gait_support::FileError;

/// A video, a stream, a camera or a folder of images that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    /// The file is missing or cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The program `ffmpeg` cannot be started.
    #[error("cannot start {}", ffmpeg.display())]
    NoFfmpeg {
        /// The program that was tried.
        ffmpeg: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// There are no cameras of this name.
    #[error("{video:?} is no camera: cameras have numbers")]
    Camera {
        /// What was asked for.
        video: String,
    },
    /// `ffmpeg` gave up, before the first frame or later.
    #[error("cannot read {video}")]
    Failed {
        /// The video.
        video: String,
        /// What `ffmpeg` said last.
        source: FfmpegReason,
    },
    /// The file has no video stream: it holds sound, or text.
    #[error("{video} contains no video")]
    NoVideo {
        /// The file or stream.
        video: String,
    },
    /// `ffmpeg` ended without an error and without a frame.
    #[error("{video} has no frames")]
    Empty {
        /// The video.
        video: String,
    },
    /// The frames are larger than frames can be.
    #[error("the frames of {video} are too large")]
    TooLarge {
        /// The video.
        video: String,
    },
    /// `ffmpeg` could not write a video.
    #[error("cannot write {}", path.display())]
    NotWritten {
        /// The video.
        path: PathBuf,
        /// What `ffmpeg` said last.
        source: FfmpegReason,
    },
    /// A stream or camera gave nothing for some time, at its beginning or later.
    #[error("{video} has sent nothing for {seconds} seconds")]
    Silent {
        /// The stream or camera.
        video: String,
        /// How long was waited.
        seconds: u64,
    },
    /// A folder has no images of the formats that are read.
    #[error("{} holds no images", folder.display())]
    NoImages {
        /// The folder.
        folder: PathBuf,
    },
    /// An image cannot be decoded.
    #[error("cannot read {}", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// The decoder's reason; none if it panicked.
        source: Option<Box<image::ImageError>>,
    },
    /// The images of a folder differ in size.
    #[error(
        "{} is {} x {} pixels large, the images before it {} x {}",
        path.display(), found[0], found[1], expected[0], expected[1]
    )]
    ImageSize {
        /// The image.
        path: PathBuf,
        /// Its width and height.
        found: [usize; 2],
        /// Width and height of the first image.
        expected: [usize; 2],
    },
    /// The system refused a thread.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    /// What `ffmpeg` writes is not what it was asked for.
    #[error("{} does not write YUV4MPEG2 video", ffmpeg.display())]
    Unreadable {
        /// The program.
        ffmpeg: PathBuf,
        /// The reader's reason.
        source: y4m::Error,
    },
}

/// What `ffmpeg` said last, as one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}")]
pub struct FfmpegReason {
    /// The line.
    pub line: String,
}
