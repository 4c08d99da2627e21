//! Videos through a script that stands in for `ffmpeg`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use gait_support::full_message;
use gait_vision::{Frame, FrameSource, Frames, Rate, ReadOptions, VideoError, VideoWriter};

/// A folder with a video that nobody reads and a script named ffmpeg.
struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ffmpeg");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::write(folder.path().join("walk.mp4"), "").unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self) -> Result<Frames, VideoError> {
        self.open_with(&ReadOptions::default())
    }

    fn open_with(&self, options: &ReadOptions) -> Result<Frames, VideoError> {
        let options = ReadOptions { ffmpeg: Some(self.path("ffmpeg")), ..options.clone() };
        FrameSource::of(self.path("walk.mp4").to_str().unwrap()).open(&options)
    }

    /// The message without the folder.
    fn message(&self, error: &VideoError) -> String {
        full_message(error).replace(self.folder.path().to_str().unwrap(), "")
    }

    fn problem(&self) -> String {
        match self.open() {
            Ok(_) => panic!("it opened"),
            Err(error) => self.message(&error),
        }
    }
}

/// A stream of two frames of 2 x 2 pixels, white and black.
const TWO_FRAMES: &str = r"printf 'YUV4MPEG2 W2 H2 F30000:1001 Ip A1:1 C420jpeg\n'
printf 'FRAME\n\353\353\353\353\200\200'
printf 'FRAME\n\020\020\020\020\200\200'";

#[test]
fn frames_come_with_their_size_and_rate() {
    let video = Stage::new(TWO_FRAMES).open().unwrap();
    assert_eq!(video.size(), [2, 2]);
    assert_eq!(video.rate(), Rate { frames: 30000, seconds: 1001 });
    let frames: Vec<Frame> = video.map(Result::unwrap).collect();
    let white = Frame::new(2, 2, vec![255; 12]).unwrap();
    let black = Frame::new(2, 2, vec![0; 12]).unwrap();
    assert_eq!(frames, [white, black]);
}

#[test]
fn ffmpeg_is_asked_for_the_first_video_stream_with_square_pixels() {
    let stage = Stage::new(&format!("echo \"$@\" > \"$(dirname \"$0\")/arguments\"\n{TWO_FRAMES}"));
    assert_eq!(stage.open().unwrap().count(), 2);
    let arguments = std::fs::read_to_string(stage.path("arguments")).unwrap();
    for expected in ["-nostdin", "-i file:/", "-map 0:v:0", "iw*sar", "-f yuv4mpegpipe -"] {
        assert!(arguments.contains(expected), "{arguments}");
    }
}

#[test]
fn the_rate_is_constant_and_can_be_limited() {
    let stage = Stage::new(&format!("echo \"$@\" > \"$(dirname \"$0\")/arguments\"\n{TWO_FRAMES}"));
    let arguments = |max_rate| {
        let options = ReadOptions { max_rate, ..ReadOptions::default() };
        assert_eq!(stage.open_with(&options).unwrap().count(), 2);
        std::fs::read_to_string(stage.path("arguments")).unwrap()
    };
    assert!(arguments(None).contains("fps='if(gt(source_fps,0),source_fps,25)',scale="));
    assert!(
        arguments(Some(30)).contains("fps='if(gt(source_fps,0),min(source_fps,30),30)',scale=")
    );
}

#[test]
fn a_flag_ends_a_source_that_waits() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let stage = Stage::new(&format!("{TWO_FRAMES}\nexec sleep 600"));
    let options = ReadOptions { stop: Some(&STOP), ..ReadOptions::default() };
    let mut video = stage.open_with(&options).unwrap();
    assert_eq!(video.by_ref().take(2).count(), 2);
    STOP.store(true, Ordering::Relaxed);
    assert!(video.next().is_none());
}

#[test]
fn the_expected_number_of_frames_is_that_of_the_container() {
    let stage = Stage::new("echo '  Duration: 00:01:00.50, start: 0.0, bitrate: 1' >&2; exit 1");
    let options = ReadOptions { ffmpeg: Some(stage.path("ffmpeg")), ..ReadOptions::default() };
    let rate = Rate { frames: 25, seconds: 1 };
    let source = FrameSource::of(stage.path("walk.mp4").to_str().unwrap());
    assert_eq!(source.expected_frames(rate, &options), Some(1513));
    assert_eq!(FrameSource::of("camera:0").expected_frames(rate, &options), None);
}

#[test]
fn what_ffmpeg_says_last_is_the_reason() {
    let script = "echo 'one thing' >&2; echo \"${6}: Invalid data found\" >&2; exit 1";
    let problem = Stage::new(script).problem();
    assert_eq!(problem, "cannot read /walk.mp4: Invalid data found");
    let script =
        "echo \"Stream map '' matches no streams.\" >&2; echo 'To ignore this, add' >&2; exit 1";
    assert_eq!(Stage::new(script).problem(), "/walk.mp4 contains no video");
    let silent = Stage::new("exit 3").problem();
    assert_eq!(silent, "cannot read /walk.mp4: exit status: 3");
}

#[test]
fn a_video_that_breaks_off_gives_its_frames_and_then_the_reason() {
    let stage = Stage::new(&format!("{TWO_FRAMES}\nprintf 'FRAME\\nabc'\necho broken >&2; exit 1"));
    let mut video = stage.open().unwrap();
    assert!(video.next().unwrap().is_ok());
    assert!(video.next().unwrap().is_ok());
    let error = video.next().unwrap().unwrap_err();
    assert_eq!(stage.message(&error), "cannot read /walk.mp4: broken");
    assert!(video.next().is_none());
}

#[test]
fn a_video_without_frames_is_an_error() {
    assert_eq!(Stage::new("exit 0").problem(), "/walk.mp4 has no frames");
}

#[test]
fn another_program_is_not_ffmpeg() {
    let problem = Stage::new("echo hello").problem();
    assert!(problem.starts_with("/ffmpeg does not write YUV4MPEG2 video: "), "{problem}");
    let grey = Stage::new("printf 'YUV4MPEG2 W2 H2 F25:1 Cmono\\n'").problem();
    assert!(grey.starts_with("/ffmpeg does not write YUV4MPEG2 video: "), "{grey}");
    let huge = Stage::new("printf 'YUV4MPEG2 W20000 H10 F25:1 C420\\n'").problem();
    assert_eq!(huge, "the frames of /walk.mp4 are too large");
}

#[test]
fn a_missing_program_and_a_missing_video_are_named() {
    let stage = Stage::new(TWO_FRAMES);
    std::fs::remove_file(stage.path("ffmpeg")).unwrap();
    assert_eq!(stage.problem(), "cannot start /ffmpeg: it does not exist");
    std::fs::remove_file(stage.path("walk.mp4")).unwrap();
    assert_eq!(stage.problem(), "cannot read /walk.mp4: it does not exist");
}

#[test]
fn a_video_that_is_dropped_stops_ffmpeg() {
    // Without end; `sh` ends with the signal, or when nobody reads.
    let frames = r"printf 'YUV4MPEG2 W2 H2 F25:1 C420\n'
echo $$ > $(dirname $0)/pid
while :; do printf 'FRAME\n\353\353\353\353\200\200'; done";
    let stage = Stage::new(frames);
    let mut video = stage.open().unwrap();
    assert_eq!(video.by_ref().take(100).count(), 100);
    drop(video);
    let pid = std::fs::read_to_string(stage.path("pid")).unwrap();
    assert!(!PathBuf::from(format!("/proc/{}", pid.trim())).exists(), "it still runs");
}

/// A script that keeps its arguments and writes what it is given to the file that they name last.
const WRITER: &str = r#"case "$*" in *-encoders*) echo ' V....D libx264'; exit 0;; esac
echo "$@" > "$(dirname "$0")/arguments"
for last; do :; done
cat > "${last#file:}""#;

#[test]
fn a_video_is_written_and_then_named() {
    let stage = Stage::new(WRITER);
    let path = stage.path("out.mp4");
    let rate = Rate { frames: 30000, seconds: 1001 };
    let create = || VideoWriter::create(&path, [2, 1], rate, Some(&stage.path("ffmpeg"))).unwrap();
    let mut writer = create();
    writer.push(&[1, 2, 3, 4, 5, 6]).unwrap();
    writer.push(&[7; 6]).unwrap();
    assert!(!path.exists());
    writer.finish().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), [1, 2, 3, 4, 5, 6, 7, 7, 7, 7, 7, 7]);
    let arguments = std::fs::read_to_string(stage.path("arguments")).unwrap();
    for expected in ["-s 2x1 -r 30000/1001 -i -", "-c:v libx264"] {
        assert!(arguments.contains(expected), "{arguments}");
    }
    create().push(&[0; 6]).unwrap();
    let names: Vec<_> =
        std::fs::read_dir(stage.folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().contains("unfinished")), "{names:?}");
}

#[test]
fn what_ffmpeg_says_about_an_output_is_the_reason() {
    let stage = Stage::new("cat > /dev/null; echo 'Unable to choose an output format' >&2; exit 1");
    let path = stage.path("out.xyz");
    let rate = Rate { frames: 25, seconds: 1 };
    let writer = VideoWriter::create(&path, [2, 1], rate, Some(&stage.path("ffmpeg"))).unwrap();
    let error = writer.finish().unwrap_err();
    let expected = "cannot write /out.xyz: Unable to choose an output format";
    assert_eq!(stage.message(&error), expected);
}
