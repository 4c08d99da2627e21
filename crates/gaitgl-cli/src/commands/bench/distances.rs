//! Ranking a large gallery: distances of many sequences to many others.

use std::hint::black_box;

use gait_eval::{Distance, Embeddings, EmbeddingsError, Watch, nearest};

use super::Work;

/// Channels and strips of a wide embedding (256 channels, 64 strips).
const SHAPE: [usize; 2] = [256, 64];

/// The distances of `probes` sequences to `gallery` others, by strips; the nearest of each is kept.
pub fn case(probes: usize, gallery: usize) -> anyhow::Result<Box<Work>> {
    let total = probes + gallery;
    let embeddings = noise(total)?;
    let left: Vec<usize> = (0..probes).collect();
    let right: Vec<usize> = (probes..total).collect();
    Ok(Box::new(move || {
        let watch = Watch::silent();
        black_box(nearest(&embeddings, Distance::Strips, &left, &right, 1, &watch)?);
        Ok(())
    }))
}

/// Reproducible noise in [-1, 1), each sequence its own subject. No pattern repeats within an
/// embedding, and gigabytes are made quickly.
fn noise(sequences: usize) -> Result<Embeddings, EmbeddingsError> {
    let [channels, strips] = SHAPE;
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let values = (0..sequences * channels * strips).map(|_| next()).collect();
    let names = (0..sequences).map(|i| (i.to_string(), String::new(), String::new()));
    Embeddings::new(channels, strips, values, names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_centred_and_does_not_repeat() {
        let e = noise(50).unwrap();
        let values = e.values();
        assert_eq!((e.len(), e.width()), (50, SHAPE[0] * SHAPE[1]));
        assert!(values.iter().all(|v| (-1.0..1.0).contains(v)));
        assert!(values.iter().sum::<f32>().abs() < 0.1 * values.len() as f32);
        assert!((1..50).all(|i| e.row(i) != e.row(0)));
    }
}
