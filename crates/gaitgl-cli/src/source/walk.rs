//! A walk: aligned silhouettes of one person, and where they are from.

use std::collections::BTreeMap;
use std::fmt;

use gait_data::{Clip, DataError, FolderClip, Grey, PreparedSet, align};
use gait_vision::{DropReason, Sequence, Silhouette};

/// A stretch in which one person walks.
pub struct Walk {
    /// The number of the track. Other stretches may have the same.
    pub track: u64,
    /// What the walk is called, if it has a name: its folder, or its name in a prepared set.
    pub name: Option<String>,
    /// The subject and the view that a prepared set gives.
    pub labels: Option<Labels>,
    /// The first frame of the stretch, from 0, used or not.
    pub first_frame: u64,
    /// The last frame.
    pub last_frame: u64,
    /// The frames that are used.
    pub clip: Clip,
    /// How many others there are, and why they are not used.
    pub lost: BTreeMap<Loss, usize>,
}

/// What a prepared set knows of a walk.
pub struct Labels {
    /// Who walks.
    pub subject: String,
    /// The angle of view.
    pub view: String,
}

/// Why a frame is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// It was dropped when people were found in it.
    Seen(DropReason),
    /// The image cannot be read or shows no silhouette.
    Unusable,
}

/// The fewest frames that say something about a walk: less than half a step.
const FEWEST: usize = 10;

/// Frames of a window, two gait cycles at 25 frames per second. Windows of one length have distances on
/// one scale, whatever the length of a walk.
const WINDOW: usize = 60;

impl Walk {
    /// The walk of a stretch of a video, aligned to `height` rows.
    pub fn of_sequence(sequence: &Sequence, height: usize) -> Self {
        let mut lost: BTreeMap<Loss, usize> =
            sequence.dropped.iter().map(|(&reason, &count)| (Loss::Seen(reason), count)).collect();
        let mut pixels = Vec::new();
        for seen in &sequence.silhouettes {
            match align(&grey(&seen.silhouette), height) {
                Ok(frame) => pixels.extend(frame),
                Err(_) => *lost.entry(Loss::Seen(DropReason::NoBody)).or_default() += 1,
            }
        }
        let frames = pixels.len() / (height * height).max(1);
        let walk = Self {
            track: sequence.track,
            name: None,
            labels: None,
            first_frame: sequence.first_frame,
            last_frame: sequence.last_frame,
            clip: Clip { frames, height, width: height, pixels },
            lost,
        };
        walk.checked()
    }

    /// The walk of a folder of silhouettes.
    pub fn of_folder(track: u64, name: String, folder: FolderClip) -> Self {
        let unusable = usize::try_from(folder.left_out.count).unwrap_or(usize::MAX);
        let lost = BTreeMap::from([(Loss::Unusable, unusable)]);
        let frames = folder.clip.frames.saturating_add(unusable) as u64;
        let clip = folder.clip;
        let name = Some(name);
        let last_frame = frames.saturating_sub(1);
        Self { track, name, labels: None, first_frame: 0, last_frame, clip, lost }.checked()
    }

    /// The walk of a sequence of a prepared set.
    pub fn of_set(set: &PreparedSet, index: usize) -> Result<Self, DataError> {
        let key = &set.entry(index).key;
        let labels = Labels { subject: key.subject.clone(), view: key.view.clone() };
        Ok(Self::of_clip(index as u64 + 1, key.to_string(), labels, set.clip(index)?))
    }

    fn of_clip(track: u64, name: String, labels: Labels, clip: Clip) -> Self {
        let last_frame = (clip.frames as u64).saturating_sub(1);
        let labels = Some(labels);
        let name = Some(name);
        Self { track, name, labels, first_frame: 0, last_frame, clip, lost: BTreeMap::new() }
            .checked()
    }

    /// The walk without its frames if they are too few.
    fn checked(mut self) -> Self {
        let frames = self.clip.frames;
        if (1..FEWEST).contains(&frames) {
            *self.lost.entry(Loss::Seen(DropReason::Brief)).or_default() += frames;
            self.clip = Clip { frames: 0, pixels: Vec::new(), ..self.clip };
        }
        self.lost.retain(|_, count| *count > 0);
        self
    }

    /// The frames in windows of about [`WINDOW`] frames, all about equally long; none if there are no
    /// frames.
    pub fn windows(&self) -> impl Iterator<Item = Clip> {
        let Clip { frames, height, width, ref pixels } = self.clip;
        let count = ((frames + WINDOW / 2) / WINDOW).max(usize::from(frames > 0));
        (0..count).map(move |window| {
            let from = window * frames / count;
            let to = (window + 1) * frames / count;
            let pixels = pixels[from * height * width..to * height * width].to_vec();
            Clip { frames: to - from, height, width, pixels }
        })
    }

    /// The share of the frames of the stretch that are used.
    pub fn quality(&self) -> f32 {
        let all = self.last_frame - self.first_frame + 1;
        self.clip.frames as f32 / all as f32
    }
}

/// A silhouette as an image.
pub fn grey(silhouette: &Silhouette) -> Grey {
    let pixels = silhouette.pixels().to_vec();
    Grey { height: silhouette.height(), width: silhouette.width(), pixels }
}

impl Loss {
    /// Its name in files.
    pub fn key(self) -> String {
        match self {
            Self::Seen(reason) => serde_json::to_value(reason)
                .ok()
                .and_then(|value| value.as_str().map(str::to_owned))
                .unwrap_or_else(|| reason.to_string()),
            Self::Unusable => "unusable".into(),
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seen(reason) => reason.fmt(f),
            Self::Unusable => f.write_str("unusable"),
        }
    }
}

/// Counts losses to those before.
pub fn add_losses(all: &mut BTreeMap<Loss, usize>, more: &BTreeMap<Loss, usize>) {
    for (&loss, count) in more {
        *all.entry(loss).or_default() += count;
    }
}

/// Counted losses in words: `3 standing still, 1 too small`.
pub fn losses(lost: &BTreeMap<Loss, usize>) -> String {
    let parts: Vec<String> = lost.iter().map(|(loss, count)| format!("{count} {loss}")).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(frames: usize) -> Walk {
        let pixels = (0..frames * 6).map(|at| (at / 6) as u8).collect();
        let labels = Labels { subject: "anna".into(), view: "090".into() };
        Walk::of_clip(1, "anna".into(), labels, Clip { frames, height: 2, width: 3, pixels })
    }

    #[test]
    fn windows_are_about_equally_long_and_hold_each_frame_once() {
        let lengths =
            |frames| walk(frames).windows().map(|clip| clip.frames).collect::<Vec<usize>>();
        assert_eq!(lengths(0), [0; 0]);
        assert_eq!(lengths(12), [12]);
        assert_eq!(lengths(89), [89]);
        assert_eq!(lengths(90), [45, 45]);
        assert_eq!(lengths(200), [66, 67, 67]);
        let pixels: Vec<u8> = walk(200).windows().flat_map(|clip| clip.pixels).collect();
        assert_eq!(pixels, walk(200).clip.pixels);
    }

    #[test]
    fn a_few_frames_are_no_walk() {
        let brief = walk(FEWEST - 1);
        assert_eq!(brief.clip.frames, 0);
        assert_eq!(losses(&brief.lost), "9 in view too briefly");
        assert_eq!(brief.quality(), 0.0);
        assert_eq!((walk(FEWEST).quality(), walk(FEWEST).lost.len()), (1.0, 0));
        assert_eq!(Loss::Seen(DropReason::NoBody).key(), "no_body");
    }
}
