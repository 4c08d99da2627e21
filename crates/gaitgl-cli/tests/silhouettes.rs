//! `silhouettes`: from pictures of walkers to files that `prepare` takes. The walkers are drawn, and no
//! network or `ffmpeg` is needed; where a video is read, a script stands in for `ffmpeg`.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod common;

use std::fs;
use std::path::Path;

use common::{command, ok, refused, texts, words};
use gait_data::synth::{SynthOptions, aligned_clip};
use image::RgbImage;
use serde_json::Value;

const WIDTH: usize = 320;
const HEIGHT: usize = 240;
/// Rows of an aligned silhouette, and pixels of a frame for each of its pixels.
const ROWS: usize = 64;
const SCALE: usize = 2;
/// Frames of the walk.
const FRAMES: usize = 50;
/// Frames of the background alone, which come first.
const EMPTY: usize = 20;

/// Writes pictures of a background, and then of a walker before it who advances by `step` pixels. Gives
/// the number of pictures.
fn film(folder: &Path, step: usize) -> usize {
    let views = vec![90.0];
    let options = SynthOptions { views, frames: FRAMES, ..SynthOptions::default() };
    let clip = aligned_clip(&options, ROWS).unwrap();
    fs::create_dir_all(folder).unwrap();
    let frames = EMPTY + clip.frames;
    for index in 0..frames {
        let walked = index.checked_sub(EMPTY);
        // A walker who stands shows the same silhouette in all frames.
        let shown = walked.map(|index| if step == 0 { 0 } else { index });
        let is_body = |x: u32, y: u32| {
            let Some(shown) = shown else { return false };
            let column = (x as usize).wrapping_sub(10 + step * shown) / SCALE;
            let row = (y as usize).wrapping_sub(60) / SCALE;
            row < ROWS && column < ROWS && clip.pixels[(shown * ROWS + row) * ROWS + column] > 127
        };
        let image = RgbImage::from_fn(WIDTH as u32, HEIGHT as u32, |x, y| {
            let texture = ((x * 7 + y * 5) % 40) as u8;
            image::Rgb(if is_body(x, y) { [40, 45, 80] } else { [150 + texture; 3] })
        });
        image.save(folder.join(format!("{index}.png"))).unwrap();
    }
    frames
}

const BY_BACKGROUND: &str = "--segment background";

#[test]
fn a_walk_becomes_silhouettes_that_prepare_takes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let frames = film(&folder.join("film"), 3);
    let line = format!("silhouettes film out {BY_BACKGROUND} --preview p.png --json t.json");
    let printed = ok(folder, &line);
    assert!(printed.contains("next: gaitgl prepare out PREPARED"), "{printed}");
    let read = |path: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(folder.join(path)).unwrap()).unwrap()
    };
    let tracks = read("out/tracks.json");
    assert_eq!(tracks, read("t.json"));
    assert_eq!([&tracks["frames"], &tracks["width"], &tracks["height"]], [frames, 320, 240]);
    assert_eq!(tracks["rate"], 25.0);
    let [track] = tracks["tracks"].as_array().unwrap().as_slice() else { panic!("{tracks}") };
    assert_eq!([track["track"].clone(), track["folder"].clone()], [1.into(), Value::from("001")]);
    let boxes = track["boxes"].as_array().unwrap();
    assert_eq!(track["frames"], boxes.len());
    assert!(boxes.len() >= 40, "{track}");
    for seen in boxes {
        let [frame, left, top, right, bottom] =
            [0, 1, 2, 3, 4].map(|at| seen[at].as_u64().unwrap());
        let path = folder.join(format!("out/001/{frame:06}.png"));
        let image = image::open(path).unwrap().into_luma8();
        assert!(image.pixels().all(|pixel| [0, 255].contains(&pixel.0[0])));
        let shape = f64::from(image.height()) / f64::from(image.width());
        assert!((1.2..5.0).contains(&shape), "{shape}");
        // Where the walker was drawn: 60 to 188 rows, and 10 + 3 per frame to the right.
        assert!(top.abs_diff(60) <= 3 && bottom.abs_diff(188) <= 3, "{seen}");
        let middle = 10 + 3 * (frame - EMPTY as u64) + (ROWS * SCALE / 2) as u64;
        assert!(((left + right) / 2).abs_diff(middle) <= 16, "{seen}");
    }
    let preview = image::open(folder.join("p.png")).unwrap();
    assert!(preview.width() > 500 && preview.height() > 128);
    ok(folder, "prepare out set --layout flat --pattern {subject}");
    assert!(ok(folder, "info set").contains("001"));
}

#[test]
fn the_stages_of_the_work_are_timed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let frames = film(&folder.join("film"), 3);
    let printed = ok(folder, &format!("bench --video film {BY_BACKGROUND} --json b.json"));
    assert!(printed.contains("1 clips embedded"), "{printed}");
    let report: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("b.json")).unwrap()).unwrap();
    assert_eq!([&report["frames"], &report["clips"]], [frames, 1]);
    for stage in ["decode", "detect", "track", "mask", "embed", "end to end"] {
        assert!(report["seconds"][stage].as_f64().unwrap() > 0.0, "{stage}: {report}");
    }
    refused(folder, "bench --video none.mp4", &["none.mp4", "does not exist"]);
    refused(folder, "bench --video film --growth paper-small", &["--growth"]);
}

#[test]
fn what_cannot_be_read_is_answered_with_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    film(&folder.join("stands"), 0);
    fs::create_dir(folder.join("empty")).unwrap();
    fs::create_dir(folder.join("full")).unwrap();
    fs::write(folder.join("full/file"), "").unwrap();
    fs::write(folder.join("text.mp4"), "no video").unwrap();
    fs::create_dir(folder.join("wall")).unwrap();
    for index in 0..3 {
        let wall = folder.join("wall").join(format!("{index}.png"));
        RgbImage::new(64, 48).save(wall).unwrap();
    }
    let refuses =
        |line: &str, parts: &[&str]| refused(folder, &format!("silhouettes {line}"), parts);
    refuses(&format!("wall out {BY_BACKGROUND}"), &["nobody is in the picture in wall", "read: 3"]);
    let stands = ["nobody walks in stands", "standing still"];
    refuses(&format!("stands out {BY_BACKGROUND}"), &stands);
    refuses("empty out", &["empty holds no images", ".png"]);
    refuses("none.mp4 out", &["none.mp4", "does not exist", "check the path"]);
    refuses("camera:front out", &["camera:front", "camera:0"]);
    refuses("wall full", &["full is not empty", "another folder"]);
    refuses("wall out --detector none.toml", &["none.toml", "does not exist"]);
    refuses("wall out --masks none.toml", &["none.toml", "does not exist"]);
    refuses(&format!("wall out {BY_BACKGROUND} --masks x.toml"), &["--segment background"]);
    refuses("wall out --preview p.gif", &["p.gif", ".png"]);
    refuses("wall out --ffmpeg none --max-rate 0", &["--max-rate"]);
    refuses("text.mp4 out --ffmpeg none", &["cannot start none", "apt install ffmpeg", "--ffmpeg"]);
    refused(folder, "prepare text.mp4 set", &["is a video", "gaitgl silhouettes text.mp4 OUT"]);
    let odd = folder.join("wall/9.png");
    RgbImage::new(48, 64).save(&odd).unwrap();
    refuses(&format!("wall out {BY_BACKGROUND}"), &["9.png is 48 x 64 pixels large", "64 x 48"]);
    assert!(!folder.join("out").exists());
    let left: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("unfinished")), "{left:?}");
}

/// Puts a script in the place of `ffmpeg`.
#[cfg(unix)]
fn fake_ffmpeg(folder: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("ffmpeg");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(folder.join("walk.mp4"), "").unwrap();
}

#[cfg(unix)]
#[test]
fn what_ffmpeg_says_reaches_the_user_as_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let line = "silhouettes walk.mp4 out --ffmpeg ./ffmpeg --segment background";
    fake_ffmpeg(folder, "echo '[x @ 0x1] moov atom not found' >&2; exit 1");
    refused(folder, line, &["cannot read walk.mp4: moov atom not found"]);
    fake_ffmpeg(folder, "exit 0");
    refused(folder, line, &["walk.mp4 has no frames"]);
    fake_ffmpeg(folder, "echo hello");
    refused(folder, line, &["./ffmpeg does not write YUV4MPEG2 video", "--ffmpeg"]);
    let grey = r"printf 'YUV4MPEG2 W2 H2 F25:1 C420\nFRAME\n\353\353\353\353\200\200'";
    fake_ffmpeg(folder, grey);
    refused(folder, line, &["nobody is in the picture", "read: 1"]);
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_ends_a_video_with_an_error_and_a_camera_with_a_result() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let endless = r"printf 'YUV4MPEG2 W2 H2 F25:1 C420\n'
while :; do printf 'FRAME\n\353\353\353\353\200\200'; touch began; sleep 0.02; done";
    fake_ffmpeg(folder, endless);
    for (source, expected) in [
        ("walk.mp4", "interrupted"),
        // Nobody was in view, which is what the result is.
        ("rtsp://gate/1", "nobody is in the picture"),
    ] {
        let line = format!("silhouettes {source} out --ffmpeg ./ffmpeg --segment background");
        let mut process = command(folder, &words(&line));
        let process = process.stdout(std::process::Stdio::piped());
        let running = process.stderr(std::process::Stdio::piped()).spawn().unwrap();
        while !folder.join("began").exists() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let id = running.id().to_string();
        let interrupted = std::process::Command::new("kill").args(["-INT", &id]).status();
        assert!(interrupted.unwrap().success());
        let output = running.wait_with_output().unwrap();
        let (_, err) = texts(&output);
        assert_eq!(output.status.code(), Some(2), "{err}");
        assert!(err.contains(expected) && err.lines().count() == 1, "{err}");
        fs::remove_file(folder.join("began")).unwrap();
    }
    assert!(!folder.join("out").exists());
}
