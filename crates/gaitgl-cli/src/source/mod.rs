//! SOURCE arguments: where walks come from.

pub mod video;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::bail;
use gait_data::{ABOUT_FILE, holds_silhouettes, image_folders};

use video::FrameSource;

/// What a SOURCE argument names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Pictures in which people are found first: a video, a stream, a camera, a folder of images.
    Frames(FrameSource),
    /// A folder of silhouettes, or a tree of such folders: a walk each.
    Silhouettes(PathBuf),
    /// A prepared set: each sequence is a walk.
    Prepared(PathBuf),
}

impl FromStr for Source {
    type Err = anyhow::Error;

    /// Looks at what the text names: streams and cameras by their form, folders by what they hold.
    /// Everything else is left to ffmpeg.
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let path = Path::new(text);
        if !path.is_dir() {
            return Ok(Self::Frames(FrameSource::Video(text.to_owned())));
        }
        if path.join(ABOUT_FILE).exists() {
            return Ok(Self::Prepared(path.to_path_buf()));
        }
        let folders = image_folders(path)?;
        let Some(first) = folders.first() else {
            bail!("{text} holds no images; give a video, a folder of images or a prepared set");
        };
        if holds_silhouettes(first)? {
            return Ok(Self::Silhouettes(path.to_path_buf()));
        }
        match folders.as_slice() {
            [only] if only == path => Ok(Self::Frames(FrameSource::Images(path.to_path_buf()))),
            _ => bail!("{text} holds several folders of pictures; give one of them at a time"),
        }
    }
}
