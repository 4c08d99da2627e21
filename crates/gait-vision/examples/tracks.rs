//! Prints the tracks of a video with the frames that were dropped, and draws a contact sheet of the
//! silhouettes: a row for each sequence. With `background` it uses no network.
//!
//! ```text
//! cargo run --release -p gait-vision --example tracks -- VIDEO SHEET.png [background]
//! ```

#![allow(clippy::print_stdout, reason = "it is what the example is for")]

use std::error::Error;
use std::num::NonZero;

use gait_vision::{
    Background, BodyMasker, Detector, Engine, Event, FrameSource, Networks, PipelineSettings,
    ReadOptions, Segmenter, Sequence, SequenceSettings, Silhouette, Step, run,
};
use image::{GrayImage, imageops};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (sequences, sheet) = match arguments.as_slice() {
        [video, sheet] => (sequences(video, networks()?)?, sheet),
        [video, sheet, "background"] => (sequences(video, Background::new())?, sheet),
        _ => return Err("the arguments are VIDEO SHEET.png [background]".into()),
    };
    sequences.iter().for_each(print);
    draw(&sequences).save(sheet)?;
    Ok(())
}

fn networks() -> Result<Networks, Box<dyn Error>> {
    let engine = Engine::new(threads());
    let detector = Detector::shipped(&engine)?;
    let masker = BodyMasker::shipped(&engine)?;
    Ok(Networks::new(detector, masker))
}

fn threads() -> NonZero<usize> {
    std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN)
}

fn sequences(
    video: &str,
    segmenter: impl Segmenter + Send,
) -> Result<Vec<Sequence>, Box<dyn Error>> {
    let frames = FrameSource::of(video).open(&ReadOptions::default())?;
    let settings = PipelineSettings {
        sequences: SequenceSettings::new(frames.rate().per_second()),
        mask_threads: threads(),
        drop_late: false,
    };
    let mut sequences = vec![];
    let statistics = run(frames, segmenter, &settings, |step| {
        if let Step::Event(Event::Sequence(sequence)) = step {
            sequences.push(sequence);
        }
        Ok::<(), Box<dyn Error>>(())
    })?;
    println!("{statistics:?}");
    Ok(sequences)
}

fn print(sequence: &Sequence) {
    let Sequence { track, first_frame, last_frame, silhouettes, dropped } = sequence;
    let reasons: Vec<String> =
        dropped.iter().map(|(reason, frames)| format!("{frames} {reason}")).collect();
    let silhouettes = silhouettes.len();
    let reasons = reasons.join(", ");
    println!(
        "track {track:3}  {first_frame:5} to {last_frame:5}  {silhouettes:4} silhouettes  {reasons}"
    );
}

/// Side of a cell of the sheet, and cells in a row.
const CELL: u32 = 96;
const CELLS: usize = 16;

/// Silhouettes at equal distances of each sequence that has any.
fn draw(sequences: &[Sequence]) -> GrayImage {
    let shown: Vec<&Sequence> = sequences.iter().filter(|s| !s.silhouettes.is_empty()).collect();
    let mut sheet = GrayImage::new(CELL * CELLS as u32, CELL * shown.len().max(1) as u32);
    for (row, sequence) in shown.iter().enumerate() {
        let count = sequence.silhouettes.len();
        for column in 0..CELLS.min(count) {
            let seen = &sequence.silhouettes[column * count / CELLS.min(count)];
            let cell = cell(&seen.silhouette);
            let x = (column as u32 * CELL + (CELL - cell.width()) / 2).into();
            imageops::replace(&mut sheet, &cell, x, (row as u32 * CELL).into());
        }
    }
    sheet
}

fn cell(silhouette: &Silhouette) -> GrayImage {
    let [width, height] = [silhouette.width() as u32, silhouette.height() as u32];
    let bytes = silhouette.pixels().to_vec();
    let picture = GrayImage::from_raw(width, height, bytes).unwrap_or_default();
    let rows = CELL - 4;
    let columns = (width * rows / height).clamp(1, CELL);
    imageops::resize(&picture, columns, rows, imageops::FilterType::Triangle)
}
