//! A video that is written, through the user's `ffmpeg`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::{self, JoinHandle};

use gait_support::FileError;

use super::ffmpeg::{beside_the_terminal, last_reason, program, without_name};
use super::{FfmpegReason, Rate, VideoError};

/// A video that is written frame by frame. If it is dropped before [`Self::finish`], nothing is left.
pub struct VideoWriter {
    path: PathBuf,
    /// Where the frames go until the video is whole.
    unfinished: PathBuf,
    child: Child,
    frames: Option<ChildStdin>,
    messages: Option<JoinHandle<Option<String>>>,
}

/// Encoders in the order of preference, with their options. The second is part of every `ffmpeg`.
const ENCODERS: [(&str, &[&str]); 2] =
    [("libx264", &["-preset", "veryfast", "-crf", "23"]), ("mpeg4", &["-q:v", "4"])];

impl VideoWriter {
    /// Begins a video of frames of this width and height. The extension of its name says the format:
    /// `.mp4`, `.mkv`, `.avi` and others.
    ///
    /// # Errors
    /// No ffmpeg.
    pub fn create(
        path: &Path,
        [width, height]: [usize; 2],
        rate: Rate,
        ffmpeg: Option<&Path>,
    ) -> Result<Self, VideoError> {
        let program = program(ffmpeg);
        let unfinished = beside(path);
        let (encoder, options) = encoder(&program);
        let mut command = Command::new(&program);
        command.args(["-hide_banner", "-loglevel", "error", "-y", "-f", "rawvideo"]);
        command.args(["-pix_fmt", "rgb24", "-s", &format!("{width}x{height}")]);
        command.args(["-r", &format!("{}/{}", rate.frames, rate.seconds), "-i", "-"]);
        // Colours have half the resolution, which needs even sides.
        command.args(["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p"]);
        command.args(["-c:v", encoder]).args(options).arg(file(&unfinished));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        beside_the_terminal(&mut command);
        let mut child =
            command.spawn().map_err(|source| VideoError::NoFfmpeg { ffmpeg: program, source })?;
        let (Some(frames), Some(stderr)) = (child.stdin.take(), child.stderr.take()) else {
            unreachable!("both are pipes")
        };
        let path = path.to_path_buf();
        let mut writer = Self { path, unfinished, child, frames: Some(frames), messages: None };
        let messages = thread::Builder::new().spawn(|| last_reason(stderr));
        writer.messages = Some(messages.map_err(VideoError::Thread)?);
        Ok(writer)
    }

    /// Adds a frame: `[height, width, 3]` bytes, red, green, blue.
    ///
    /// # Errors
    /// ffmpeg has given up.
    pub fn push(&mut self, pixels: &[u8]) -> Result<(), VideoError> {
        let written = self.frames.as_mut().map(|frames| frames.write_all(pixels));
        if matches!(written, Some(Ok(()))) { Ok(()) } else { Err(self.failure()) }
    }

    /// Ends the video and gives it its name.
    ///
    /// # Errors
    /// ffmpeg has given up, or the video cannot be renamed.
    pub fn finish(mut self) -> Result<(), VideoError> {
        drop(self.frames.take());
        if !self.child.wait().is_ok_and(|status| status.success()) {
            return Err(self.failure());
        }
        let renamed = std::fs::rename(&self.unfinished, &self.path);
        renamed.map_err(|e| FileError::io("write", &self.path, e).into())
    }

    /// What ffmpeg says about its failure.
    fn failure(&mut self) -> VideoError {
        drop(self.frames.take());
        let status = self.child.wait();
        let said = self.messages.take().and_then(|messages| messages.join().ok().flatten());
        let silent = || status.map_or_else(|error| error.to_string(), |status| status.to_string());
        let named = self.unfinished.display().to_string();
        let line = said.map(|line| without_name(&line, &named)).unwrap_or_else(silent);
        VideoError::NotWritten { path: self.path.clone(), source: FfmpegReason { line } }
    }
}

impl Drop for VideoWriter {
    fn drop(&mut self) {
        // It has ended by itself if the video is finished; the file is then gone, too.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.unfinished);
    }
}

/// A name in the same folder with the same extension.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".unfinished-{}-{name}", std::process::id()))
}

/// With the protocol, so that no name means anything but a file.
fn file(path: &Path) -> String {
    format!("file:{}", path.display())
}

/// The first encoder that this `ffmpeg` has.
fn encoder(program: &Path) -> (&'static str, &'static [&'static str]) {
    let mut command = Command::new(program);
    command.args(["-hide_banner", "-loglevel", "error", "-encoders"]).stdin(Stdio::null());
    let listed = command.output().map(|output| output.stdout).unwrap_or_default();
    let listed = String::from_utf8_lossy(&listed);
    let [preferred, fallback] = ENCODERS;
    if listed.split_whitespace().any(|word| word == preferred.0) { preferred } else { fallback }
}
