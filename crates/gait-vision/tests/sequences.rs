//! From frames to sequences with the networks that ship: synthetic walkers before a noisy background.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::num::NonZero;

use gait_data::Clip;
use gait_data::synth::{SynthOptions, aligned_clip};
use gait_vision::{
    Background, BodyMasker, Detector, DropReason, Engine, Event, Frame, ModelError, Networks,
    PipelineSettings, Segmenter, Sequence, SequenceSettings, Sequencer, Statistics, Step,
    VideoError, run,
};

const WIDTH: usize = 320;
const HEIGHT: usize = 240;

/// Rows of an aligned silhouette, and pixels of a frame for each of its pixels.
const ROWS: usize = 64;
const SCALE: usize = 2;

/// A synthetic walker, seen from the side.
fn walker(frames: usize) -> Clip {
    let options = SynthOptions { views: vec![90.0], frames, ..SynthOptions::default() };
    aligned_clip(&options, ROWS).unwrap()
}

/// One of 16 levels, the same for the same number: the last step of SplitMix64.
fn noise(number: usize) -> u8 {
    let mut bits = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (bits >> 60) as u8
}

/// The walker of a frame, `x` pixels from the left, on a grey background with noise.
fn frame(clip: &Clip, index: usize, x: usize) -> Frame {
    let silhouette = &clip.pixels[index * ROWS * ROWS..][..ROWS * ROWS];
    let mut pixels = Vec::with_capacity(WIDTH * HEIGHT * 3);
    for place in 0..WIDTH * HEIGHT {
        let column = (place % WIDTH).wrapping_sub(x) / SCALE;
        let row = (place / WIDTH).wrapping_sub(60) / SCALE;
        let is_body = row < ROWS && column < ROWS && silhouette[row * ROWS + column] > 127;
        let colour = if !is_body { [150, 155, 160] } else { clothes(row) };
        pixels.extend(colour.map(|level| level + noise(index * WIDTH * HEIGHT + place)));
    }
    Frame::new(WIDTH, HEIGHT, pixels).unwrap()
}

fn clothes(row: usize) -> [u8; 3] {
    match row {
        0..4 => [50, 35, 25],
        4..10 => [200, 150, 125],
        10..33 => [130, 40, 45],
        33..60 => [40, 45, 80],
        _ => [25, 20, 20],
    }
}

fn networks() -> Networks {
    let engine = Engine::new(NonZero::<usize>::MIN);
    let detector = Detector::shipped(&engine).unwrap();
    let masker = BodyMasker::shipped(&engine).unwrap();
    Networks::new(detector, masker)
}

fn sequences(segmenter: impl Segmenter, frames: impl Iterator<Item = Frame>) -> Vec<Sequence> {
    let mut sequencer = Sequencer::new(segmenter, SequenceSettings::new(25.0));
    let mut found: Vec<Sequence> =
        frames.flat_map(|frame| sequencer.push(&frame).unwrap()).collect();
    found.extend(sequencer.finish());
    found
}

#[test]
fn a_walker_in_a_video_gives_a_sequence() {
    let clip = walker(50);
    let found =
        sequences(networks(), (0..clip.frames).map(|index| frame(&clip, index, 10 + 3 * index)));
    check_walk(&found);
}

/// One sequence of nearly all frames, in the shape of a body.
fn check_walk(found: &[Sequence]) {
    assert_eq!(found.len(), 1);
    assert!(found[0].silhouettes.len() >= 40);
    for seen in &found[0].silhouettes {
        let silhouette = &seen.silhouette;
        let ratio = silhouette.height() as f32 / silhouette.width() as f32;
        assert!(silhouette.height() >= 64);
        assert!((1.2..5.0).contains(&ratio), "{} {ratio}", seen.frame);
    }
}

#[test]
fn a_fixed_camera_needs_no_network() {
    let clip = walker(50);
    let outside = WIDTH;
    let empty = (0..25).map(|index| frame(&clip, index, outside));
    let walk = (0..clip.frames).map(|index| frame(&clip, index, 10 + 3 * index));
    check_walk(&sequences(Background::new(), empty.chain(walk)));
}

#[test]
fn whoever_stands_in_a_video_gives_none() {
    let clip = walker(10);
    let found = sequences(networks(), (0..40).map(|_| frame(&clip, 0, 100)));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].silhouettes, []);
    assert!(found[0].dropped[&DropReason::Still] >= 30);
}

/// Everything that can stop [`run`] here.
#[derive(Debug)]
enum Failed {
    Video(VideoError),
    Model,
    Caller,
}

impl From<VideoError> for Failed {
    fn from(error: VideoError) -> Self {
        Self::Video(error)
    }
}

impl From<ModelError> for Failed {
    fn from(_: ModelError) -> Self {
        Self::Model
    }
}

fn pipeline() -> PipelineSettings {
    let mask_threads = NonZero::new(3).unwrap();
    PipelineSettings { sequences: SequenceSettings::new(25.0), mask_threads, drop_late: false }
}

/// The sequences that [`run`] finds, after a check of the order of what it tells.
fn found_on_threads(
    segmenter: impl Segmenter + Send,
    frames: impl Iterator<Item = Frame> + Send,
) -> (Vec<Sequence>, Statistics) {
    let mut found = vec![];
    let mut next = 0;
    let mut in_view: Vec<u64> = vec![];
    let told = |step: Step| {
        match step {
            Step::Frame { number, people, .. } => {
                assert_eq!(number, next);
                next += 1;
                assert!(people.iter().all(|person| person.bounds.is_proper()));
            }
            Step::Event(Event::Began { track, .. }) => in_view.push(track),
            Step::Event(Event::Ended { track, .. }) => in_view.retain(|&other| other != track),
            Step::Event(Event::Sequence(sequence)) => {
                assert!(in_view.contains(&sequence.track));
                found.push(sequence);
            }
        }
        Ok::<(), Failed>(())
    };
    let statistics = run(frames.map(Ok), segmenter, &pipeline(), told).unwrap();
    assert!(in_view.is_empty(), "{in_view:?}");
    (found, statistics)
}

#[test]
fn threads_find_the_same_as_one_thread() {
    let clip = walker(50);
    let frames = || (0..clip.frames).map(|index| frame(&clip, index, 10 + 3 * index));
    let engine = Engine::new(NonZero::new(2).unwrap());
    let two_threads = || {
        Networks::new(Detector::shipped(&engine).unwrap(), BodyMasker::shipped(&engine).unwrap())
    };
    let (found, statistics) = found_on_threads(two_threads(), frames());
    assert_eq!(found, sequences(networks(), frames()));
    assert_eq!([statistics.frames, statistics.late], [clip.frames as u64, 0]);
    assert!(statistics.busy.detect > 0.0 && statistics.busy.mask > 0.0);
    let outside = WIDTH;
    let empty = || (0..25).map(|index| frame(&clip, index, outside));
    let (found, _) = found_on_threads(Background::new(), empty().chain(frames()));
    assert_eq!(found, sequences(Background::new(), empty().chain(frames())));
    check_walk(&found);
}

#[test]
fn the_first_failure_ends_the_work() {
    let grey = || Frame::new(64, 48, vec![128; 64 * 48 * 3]).unwrap();
    let broken = || VideoError::Empty { video: "a.mp4".into() };
    let mut seen = 0;
    let frames = (0..40).map(|index| if index == 20 { Err(broken()) } else { Ok(grey()) });
    let ended = run(frames, Background::new(), &pipeline(), |step| {
        seen += u64::from(matches!(step, Step::Frame { .. }));
        Ok::<(), Failed>(())
    });
    assert!(matches!(ended, Err(Failed::Video(VideoError::Empty { .. }))), "{ended:?}");
    assert_eq!(seen, 20);
    // Without end: the caller is what ends it.
    let frames = std::iter::repeat_with(|| Ok(grey()));
    let ended = run(frames, Background::new(), &pipeline(), |_| Err(Failed::Caller));
    assert!(matches!(ended, Err(Failed::Caller)), "{ended:?}");
}

#[test]
fn a_camera_does_not_wait_and_frames_are_bounded() {
    let grey = || Frame::new(64, 48, vec![128; 64 * 48 * 3]).unwrap();
    let (permit, permits) = std::sync::mpsc::channel();
    let count = 500;
    // The caller goes on after the last frame has come.
    let frames = (0..count).map(|index| {
        if index + 1 == count {
            permit.send(()).unwrap();
        }
        Ok(grey())
    });
    let settings = PipelineSettings { drop_late: true, ..pipeline() };
    let mut seen = vec![];
    let statistics = run(frames, Background::new(), &settings, |step| {
        if let Step::Frame { number, .. } = step {
            seen.push(number);
            if number == 0 {
                permits.recv().unwrap();
            }
        }
        Ok::<(), Failed>(())
    });
    let statistics = statistics.unwrap();
    assert_eq!(statistics.frames, count);
    assert_eq!(statistics.frames - statistics.late, seen.len() as u64);
    // Two queues, one frame in each hand.
    assert!(seen.len() < 20, "{seen:?}");
    assert!(seen.is_sorted());
}
