//! The `ffmpeg` process.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use gait_support::FileError;

use super::{FfmpegReason, VideoError};
use crate::ReadOptions;

/// Names the program, unless the caller does.
const VARIABLE: &str = "GAITGL_FFMPEG";

/// Square pixels, and the colours that `yuv` expects, whatever the video has.
const FILTERS: &str = "scale=w=trunc(iw*sar+0.5):h=ih:out_color_matrix=bt601:out_range=tv,setsar=1";

/// How long a stream or camera may send nothing.
const PATIENCE: Duration = Duration::from_secs(15);

/// A running `ffmpeg`; it ends with this value.
pub(super) struct Ffmpeg {
    program: PathBuf,
    video: String,
    process: Arc<Process>,
    /// Reads what it says, so that it never waits for a reader.
    messages: Option<JoinHandle<Option<String>>>,
    guard: Option<JoinHandle<()>>,
}

/// What the guard knows of the process.
struct Process {
    child: Mutex<Child>,
    begun: Instant,
    /// Milliseconds after the beginning since which somebody waits for a frame; [`NOBODY`] if nobody does.
    waiting_since: AtomicU64,
    /// Why the guard ended it: [`STOPPED`] or [`SILENT`].
    ended: AtomicU8,
    is_over: AtomicBool,
}

const NOBODY: u64 = u64::MAX;
const STOPPED: u8 = 1;
const SILENT: u8 = 2;

impl Ffmpeg {
    /// Starts the program, and gives what it writes.
    pub(super) fn start(
        video: &str,
        options: &ReadOptions,
    ) -> Result<(Self, ChildStdout), VideoError> {
        let program = program(options.ffmpeg.as_deref());
        let mut command = Command::new(&program);
        command.args(["-hide_banner", "-nostdin", "-loglevel", "error"]);
        command.args(input(video)?);
        command.args(["-map", "0:v:0", "-vf", &filters(options.max_rate), "-pix_fmt", "yuv420p"]);
        command.args(["-f", "yuv4mpegpipe", "-"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        beside_the_terminal(&mut command);
        let mut child = command
            .spawn()
            .map_err(|source| VideoError::NoFfmpeg { ffmpeg: program.clone(), source })?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            unreachable!("both are pipes")
        };
        let process = Arc::new(Process {
            child: Mutex::new(child),
            begun: Instant::now(),
            waiting_since: AtomicU64::new(0),
            ended: AtomicU8::new(0),
            is_over: AtomicBool::new(false),
        });
        let mut ffmpeg =
            Self { program, video: video.to_owned(), process, messages: None, guard: None };
        let messages = thread::Builder::new().spawn(|| last_reason(stderr));
        ffmpeg.messages = Some(messages.map_err(VideoError::Thread)?);
        let patience = is_stream(video).then_some(PATIENCE);
        let guarded = Arc::clone(&ffmpeg.process);
        let options = options.clone();
        let guard = thread::Builder::new().spawn(move || guarded.guard(patience, &options));
        ffmpeg.guard = Some(guard.map_err(VideoError::Thread)?);
        Ok((ffmpeg, stdout))
    }

    /// Somebody waits for a frame from now on.
    pub(super) fn awaited(&self) {
        let now = self.process.begun.elapsed().as_millis() as u64;
        self.process.waiting_since.store(now, Ordering::Relaxed);
    }

    /// Nobody waits any more.
    pub(super) fn arrived(&self) {
        self.process.waiting_since.store(NOBODY, Ordering::Relaxed);
    }

    /// Waits for the end of the program, whose output has ended.
    pub(super) fn finished(&mut self) -> Result<(), VideoError> {
        let status = self.process.child().wait();
        let said = self.messages.take().and_then(|messages| messages.join().ok().flatten());
        match self.process.ended.load(Ordering::Relaxed) {
            STOPPED => return Ok(()),
            SILENT => {
                let video = self.video.clone();
                return Err(VideoError::Silent { video, seconds: PATIENCE.as_secs() });
            }
            _ => {}
        }
        if status.as_ref().is_ok_and(|status| status.success()) {
            return Ok(());
        }
        let silent = || status.map_or_else(|error| error.to_string(), |status| status.to_string());
        let line = said.map(|line| without_name(&line, &self.video)).unwrap_or_else(silent);
        if line.contains("matches no streams") {
            return Err(VideoError::NoVideo { video: self.video.clone() });
        }
        Err(VideoError::Failed { video: self.video.clone(), source: FfmpegReason { line } })
    }

    pub(super) fn empty(&self) -> VideoError {
        VideoError::Empty { video: self.video.clone() }
    }

    pub(super) fn too_large(&self) -> VideoError {
        VideoError::TooLarge { video: self.video.clone() }
    }

    pub(super) fn unreadable(&self, source: y4m::Error) -> VideoError {
        VideoError::Unreadable { ffmpeg: self.program.clone(), source }
    }
}

impl Process {
    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the process when the flag is set, or when it lets somebody wait for too long.
    fn guard(&self, patience: Option<Duration>, options: &ReadOptions) {
        while !self.is_over.load(Ordering::Relaxed) {
            let waiting = Duration::from_millis(self.waiting_since.load(Ordering::Relaxed));
            let waited = self.begun.elapsed().saturating_sub(waiting);
            let reason = match patience {
                _ if options.stopped() => STOPPED,
                Some(patience) if waited > patience => SILENT,
                _ => {
                    thread::sleep(Duration::from_millis(50));
                    continue;
                }
            };
            self.ended.store(reason, Ordering::Relaxed);
            // It may have ended by itself.
            let _ = self.child().kill();
            return;
        }
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        self.process.is_over.store(true, Ordering::Relaxed);
        // It may have ended by itself; there is nobody to tell of anything else.
        let _ = self.process.child().kill();
        let _ = self.process.child().wait();
        if let Some(guard) = self.guard.take() {
            let _ = guard.join();
        }
    }
}

/// The program of the caller, of the environment, or in the path.
pub(super) fn program(ffmpeg: Option<&Path>) -> PathBuf {
    let named = || std::env::var_os(VARIABLE).filter(|program| !program.is_empty());
    ffmpeg
        .map(PathBuf::from)
        .or_else(|| named().map(PathBuf::from))
        .unwrap_or_else(|| "ffmpeg".into())
}

/// Keeps the terminal's Ctrl-C from the process: this one decides when to end it.
pub(super) fn beside_the_terminal(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(windows)]
    std::os::windows::process::CommandExt::creation_flags(command, 0x200);
    let _ = command;
}

/// A constant rate, no higher than `max_rate`, and what the frames are to be like. A variable rate is
/// brought to the one that the container gives, by repeating frames and leaving some out.
fn filters(max_rate: Option<u32>) -> String {
    let rate = match max_rate {
        Some(rate) => format!("if(gt(source_fps,0),min(source_fps,{rate}),{rate})"),
        None => "if(gt(source_fps,0),source_fps,25)".to_owned(),
    };
    format!("fps='{rate}',{FILTERS}")
}

/// Length of a video in seconds, as its container gives it.
pub(crate) fn seconds(video: &str, options: &ReadOptions) -> Option<f64> {
    let mut command = Command::new(program(options.ffmpeg.as_deref()));
    // Without an output it prints what the input is.
    command.args(["-hide_banner", "-nostdin"]).args(input(video).ok()?);
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).output().ok()?;
    duration(&String::from_utf8_lossy(&output.stderr))
}

/// The duration in what `ffmpeg` prints: `Duration: 00:01:19.50, start: ...`.
fn duration(text: &str) -> Option<f64> {
    let (_, rest) = text.split_once("Duration: ")?;
    let (time, _) = rest.split_once(',')?;
    let parts: Option<Vec<f64>> = time.split(':').map(|part| part.trim().parse().ok()).collect();
    let [hours, minutes, seconds] = parts?.try_into().ok()?;
    Some((hours * 60.0 + minutes) * 60.0 + seconds)
}

fn is_stream(video: &str) -> bool {
    video.starts_with("camera:") || video.contains("://")
}

/// The arguments that name a video.
fn input(video: &str) -> Result<Vec<String>, VideoError> {
    let arguments = |list: &[&str]| list.iter().map(|&argument| argument.to_owned()).collect();
    if let Some(number) = video.strip_prefix("camera:") {
        return camera(number).ok_or_else(|| VideoError::Camera { video: video.to_owned() });
    }
    if video.starts_with("rtsp://") || video.starts_with("rtsps://") {
        // UDP loses packets, and with them parts of pictures.
        return Ok(arguments(&["-rtsp_transport", "tcp", "-i", video]));
    }
    if video.starts_with("http://") || video.starts_with("https://") {
        return Ok(arguments(&["-i", video]));
    }
    let path = Path::new(video);
    let opened = std::fs::File::open(path).and_then(|file| file.metadata());
    let known = opened.map_err(|e| FileError::io("read", path, e))?;
    if known.is_dir() {
        return Err(FileError::io("read", path, std::io::ErrorKind::IsADirectory.into()).into());
    }
    // With the protocol, so that no name means anything but a file.
    Ok(arguments(&["-i", &format!("file:{video}")]))
}

/// The arguments for the camera of this number, as the system names it.
fn camera(number: &str) -> Option<Vec<String>> {
    let number: u16 = number.parse().ok()?;
    let [format, name] = match std::env::consts::OS {
        "macos" => ["avfoundation", &number.to_string()],
        "windows" => ["vfwcap", &number.to_string()],
        _ => ["v4l2", &format!("/dev/video{number}")],
    };
    Some(["-f", format, "-i", name].map(str::to_owned).to_vec())
}

/// The last line that gives a reason, without the address of the part that prints it.
pub(super) fn last_reason(messages: impl Read) -> Option<String> {
    let mut last = None;
    let mut messages = BufReader::new(messages);
    let mut line = Vec::new();
    // Not `lines`: names in messages need not be UTF-8, and a line may be long.
    while messages.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        let text = String::from_utf8_lossy(&line);
        let reason = without_address(text.trim());
        let follows = FOLLOWING.iter().any(|prefix| reason.starts_with(prefix));
        if !reason.is_empty() && (!follows || last.is_none()) {
            last = Some(reason.to_owned());
        }
        line.clear();
    }
    last
}

/// How lines begin that `ffmpeg` prints after the reason.
const FOLLOWING: [&str; 5] = [
    "Error opening input file",
    "Error opening output file",
    "Error parsing options",
    "Failed to set value",
    "To ignore this",
];

fn without_address(line: &str) -> &str {
    let mut rest = line;
    while let Some((_, message)) = rest.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        rest = message;
    }
    rest
}

/// Bytes of a message that are read at once.
const LONGEST_LINE: u64 = 4096;

/// A message without the name of the video, which stands before it.
pub(super) fn without_name(message: &str, video: &str) -> String {
    let prefixes =
        [format!("file:{video}: "), format!("{video}: "), "Error opening input: ".into()];
    let found = prefixes.iter().find_map(|prefix| message.strip_prefix(prefix));
    found.unwrap_or(message).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_video_is_a_file_a_stream_or_a_camera() {
        let rtsp = input("rtsp://gate/1").unwrap();
        assert_eq!(rtsp, ["-rtsp_transport", "tcp", "-i", "rtsp://gate/1"]);
        assert_eq!(input("https://gate/1.m3u8").unwrap(), ["-i", "https://gate/1.m3u8"]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("concat:a|b.mp4");
        std::fs::write(&file, "").unwrap();
        let file = file.to_str().unwrap();
        assert_eq!(input(file).unwrap(), ["-i", &format!("file:{file}")]);
        assert!(matches!(input("camera:front"), Err(VideoError::Camera { .. })));
        let refused = input(folder.path().to_str().unwrap());
        assert!(matches!(refused, Err(VideoError::File(_))), "{refused:?}");
    }

    #[test]
    fn the_duration_is_read_in_seconds() {
        let text =
            "Input #0, avi, from 'a.avi':\n  Duration: 01:01:19.50, start: 0.0, bitrate: 1\n";
        assert_eq!(duration(text), Some(3679.5));
        assert_eq!(duration("  Duration: N/A, start: 0.0"), None);
        assert_eq!(duration("a.avi: No such file"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn cameras_have_numbers() {
        assert_eq!(input("camera:2").unwrap(), ["-f", "v4l2", "-i", "/dev/video2"]);
    }

    fn reason(messages: &str) -> String {
        without_name(&last_reason(messages.as_bytes()).unwrap(), "a.mp4")
    }

    #[test]
    fn a_reason_is_the_last_line_that_gives_one() {
        // ffmpeg 5.1
        let messages = "[mov @ 0x5581] moov atom not found\nfile:a.mp4: Invalid data found\n\n";
        assert_eq!(reason(messages), "Invalid data found");
        // ffmpeg 9.0
        let messages = "[in#0 @ 0x562b] moov atom not found
[in#0 @ 0x562b] Error opening input: Invalid data found when processing input
Error opening input file file:a.mp4.
Error opening input files: Invalid data found when processing input\r
";
        assert_eq!(reason(messages), "Invalid data found when processing input");
        assert_eq!(
            reason("Error opening input files: broken"),
            "Error opening input files: broken"
        );
        assert_eq!(last_reason("\n \n".as_bytes()), None);
        let endless = [b'x'; 3 * LONGEST_LINE as usize / 2];
        assert_eq!(last_reason(&endless[..]).unwrap().len(), LONGEST_LINE as usize / 2);
    }
}
