//! `gaitgl silhouettes`: from a video to the silhouettes of the people who walk in it.

mod tracks;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use gait_support::files::{StagedFolder, check_writable};
use gait_vision::{DropReason, Event, FrameSource, Step, VideoWriter};

use super::{print_line, quoted};
use crate::ExitStatus;
use crate::files::{self, JsonTarget};
use crate::plot::Format;
use crate::plot::overlay::overlay;
use crate::source::video::{Summary, Viewing, VisionOptions};
use tracks::Tracks;

/// Write the silhouettes of the people who walk in a video
///
/// VIDEO is a file, a stream (rtsp://, http://), a camera (camera:0) or a folder of images; Ctrl-C ends
/// a stream or a camera. The silhouettes are written as OUT/TRACK/NNNNNN.png, where NNNNNN is the number
/// of the frame and TRACK that of the person: 001, or 001-2 for the second stretch of a walk. Frames in
/// which the body is cut off, hidden, too small or stands still are left out. OUT/tracks.json says how
/// many and why, and where each person was. docs/video.md says how to film.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Silhouettes {
    /// Video file, stream, camera or folder of images
    #[arg(value_name = "VIDEO")]
    video: String,
    /// Folder to write; it must be empty or not exist yet
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// Draw a contact sheet of the silhouettes, a row for each stretch, as a PNG or SVG image
    #[arg(long, value_name = "FILE.png")]
    preview: Option<PathBuf>,
    /// Write the video with boxes, numbers of tracks and tinted bodies
    #[arg(long, value_name = "FILE.mp4")]
    overlay: Option<PathBuf>,
    /// Write what tracks.json holds to another place, too; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<JsonTarget>,
    #[command(flatten)]
    vision: VisionOptions,
}

impl Silhouettes {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        let format = self.check()?;
        let source = FrameSource::of(&self.video);
        let viewing = Viewing::open(&source, &self.vision)?;
        let staged = StagedFolder::create(&self.out)?;
        let mut tracks = Tracks::new(staged.tree());
        let (size, rate) = (viewing.size(), viewing.rate());
        let create = |path| VideoWriter::create(path, size, rate, self.vision.ffmpeg.as_deref());
        let mut writer = self.overlay.as_deref().map(create).transpose()?;
        let summary = viewing.watch(|step| match step {
            Step::Frame { frame, people, .. } => {
                writer.as_mut().map_or(Ok(()), |writer| Ok(writer.push(&overlay(frame, people)?)?))
            }
            Step::Event(Event::Sequence(sequence)) => tracks.add(&sequence),
            Step::Event(_) => Ok(()),
        })?;
        if let Some(writer) = writer {
            writer.finish()?;
        }
        self.check_found(&tracks, &summary)?;
        let report = tracks.json(&self.video, &summary);
        files::write_json(&staged.tree().join("tracks.json"), &report)?;
        if let (Some(path), Some(format)) = (&self.preview, format) {
            format.write(path, &tracks.sheet(&self.video))?;
        }
        staged.finish()?;
        if let Some(target) = &self.json {
            target.write(&report)?;
        }
        self.print(&tracks, &summary);
        Ok(ExitStatus::Done)
    }

    /// Checks before the work that everything can be written.
    fn check(&self) -> anyhow::Result<Option<Format>> {
        if let Some(target) = &self.json {
            target.prepare()?;
        }
        for path in [&self.preview, &self.overlay].into_iter().flatten() {
            check_writable(path)?;
        }
        check_vacant(&self.out)?;
        self.preview.as_deref().map(Format::of).transpose()
    }

    /// Checks that somebody walks.
    fn check_found(&self, tracks: &Tracks, summary: &Summary) -> anyhow::Result<()> {
        let frames = summary.statistics.frames;
        if tracks.is_empty() {
            bail!("nobody is in the picture in {}; frames read: {frames}", self.video);
        }
        if tracks.silhouettes() == 0 {
            bail!(
                "nobody walks in {}, whole and in view; frames read: {frames}, dropped: {}",
                self.video,
                reasons(&tracks.dropped())
            );
        }
        Ok(())
    }

    fn print(&self, tracks: &Tracks, summary: &Summary) {
        print_line(tracks.table());
        let Summary { statistics, rate, .. } = summary;
        let late = match statistics.late {
            0 => String::new(),
            late => format!(", {late} left out because they came too fast"),
        };
        print_line(format!(
            "{}: {} silhouettes of {} frames at {:.2} per second{late}",
            self.out.display(),
            tracks.silhouettes(),
            statistics.frames,
            rate.per_second()
        ));
        print_line(format!(
            "next: gaitgl prepare {} PREPARED --layout flat --pattern '{{subject}}'",
            quoted(&self.out)
        ));
    }
}

fn check_vacant(out: &Path) -> anyhow::Result<()> {
    if out.is_file() {
        bail!("{} is a file; choose another folder", out.display());
    }
    if std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} is not empty; choose another folder", out.display());
    }
    Ok(())
}

/// Frames by the reason for which they were dropped.
fn reasons(dropped: &BTreeMap<DropReason, usize>) -> String {
    let reasons: Vec<String> =
        dropped.iter().map(|(reason, frames)| format!("{frames} {reason}")).collect();
    reasons.join(", ")
}
