//! SOURCE arguments: where walks come from.

pub mod kept;
pub mod video;
pub mod walk;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::bail;
use gait_data::{ABOUT_FILE, PreparedSet, holds_silhouettes, image_folders, read_folder};

use video::{Event, FrameSource, VisionOptions};
use walk::Walk;

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

/// What a source gives, in this order for each track.
pub enum Happening {
    /// A person has come into view.
    Began {
        /// The number of the track.
        track: u64,
        /// The frame, from 0.
        frame: u64,
    },
    /// A stretch in which the person walks or does not.
    Walk(Walk),
    /// The person is gone.
    Ended {
        /// The number of the track.
        track: u64,
    },
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

impl Source {
    /// Whether it goes on for ever: a stream or a camera.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Frames(frames) if frames.is_live())
    }

    /// Passes on all walks of the source, aligned to `height` rows, and what happens around them.
    ///
    /// # Errors
    /// A source that cannot be read, and what `each` fails with.
    pub fn walks(
        &self,
        vision: &VisionOptions,
        height: usize,
        each: &mut dyn FnMut(Happening) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        match self {
            Self::Frames(frames) => {
                video::sequences(frames, vision, &mut |event| {
                    each(match event {
                        Event::Began { track, frame } => Happening::Began { track, frame },
                        Event::Sequence(found) => {
                            Happening::Walk(Walk::of_sequence(&found, height))
                        }
                        Event::Ended { track, .. } => Happening::Ended { track },
                    })
                })?;
                Ok(())
            }
            Self::Silhouettes(root) => silhouettes(root, height, each),
            Self::Prepared(folder) => prepared(folder, each),
        }
    }
}

fn silhouettes(
    root: &Path,
    height: usize,
    each: &mut dyn FnMut(Happening) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for (track, folder) in (1..).zip(image_folders(root)?) {
        let name = folder.strip_prefix(root).ok().filter(|below| *below != Path::new(""));
        let name = name.unwrap_or(&folder).display().to_string();
        let walk = Walk::of_folder(track, name, read_folder(&folder, height)?);
        one_walk(walk, each)?;
    }
    Ok(())
}

fn prepared(
    folder: &Path,
    each: &mut dyn FnMut(Happening) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let set = PreparedSet::open(folder)?;
    for index in 0..set.len() {
        one_walk(Walk::of_set(&set, index)?, each)?;
    }
    Ok(())
}

/// A walk that is a track of its own.
fn one_walk(
    walk: Walk,
    each: &mut dyn FnMut(Happening) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let track = walk.track;
    each(Happening::Began { track, frame: 0 })?;
    each(Happening::Walk(walk))?;
    each(Happening::Ended { track })
}
