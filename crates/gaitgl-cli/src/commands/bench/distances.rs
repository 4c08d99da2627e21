//! Ranking a large gallery: distances of many sequences to many others.

use std::hint::black_box;

use gait_eval::{Distance, Embeddings, Watch, map_rows};

use super::Work;

/// Channels and strips of a wide embedding (256 channels, 64 strips).
const SHAPE: [usize; 2] = [256, 64];

/// The distances of `probes` sequences to `gallery` others, by strips; the nearest of each is kept.
pub fn case(probes: usize, gallery: usize) -> anyhow::Result<Box<Work>> {
    let [channels, strips] = SHAPE;
    let total = probes + gallery;
    let embeddings = Embeddings::noise(channels, strips, total)?;
    let (left, right): (Vec<usize>, Vec<usize>) =
        ((0..probes).collect(), (probes..total).collect());
    Ok(Box::new(move || {
        let nearest = |_: usize, row: &[f32]| row.iter().copied().fold(f32::INFINITY, f32::min);
        let watch = Watch::silent();
        black_box(map_rows(&embeddings, Distance::Strips, &left, &right, &watch, nearest)?);
        Ok(())
    }))
}
