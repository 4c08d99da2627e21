//! From frames to sequences with the networks that ship: synthetic walkers before a noisy background.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::num::NonZero;

use gait_data::Clip;
use gait_data::synth::{SynthOptions, aligned_clip};
use gait_vision::{
    Background, BodyMasker, Detector, DropReason, Engine, Frame, Networks, Segmenter, Sequence,
    SequenceSettings, Sequencer,
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
    Networks { detector, masker }
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
