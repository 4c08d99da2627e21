//! Seeded random draws: every draw comes from a generator identified by its purpose.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::world::Range;

/// What a generator is for. Each purpose has its own stream, so a new draw in one does not change
/// the others.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// A subject's body, gait and wardrobe: indices (subject, 0).
    Person = 1,
    /// One recording of a subject, common to all cameras: (subject, sequence).
    Walk = 2,
    /// The segmenter's faults in one view: (subject, sequence and view).
    Segmenter = 3,
    /// The position of a view's camera: (view, 0).
    Camera = 4,
    /// What a world changes about a subject: (subject, 0).
    Variety = 5,
    /// What a world changes about a recording: (subject, sequence).
    Day = 6,
    /// Clothes and loads of a recording: (subject, sequence); what a subject usually wears:
    /// (subject, 0).
    Clothes = 7,
    /// The camera of one clip: (subject, sequence and view).
    Lens = 8,
    /// What a world changes about the segmenter of one clip: (subject, sequence and view).
    Masks = 9,
}

/// The generator for one purpose and its two indices.
///
/// It depends on nothing else, neither on the thread nor on the number of subjects.
pub(super) fn generator(seed: u64, purpose: Purpose, indices: [u64; 2]) -> ChaCha8Rng {
    let mut bytes = [0; 32];
    let words = [seed, purpose as u64, indices[0], indices[1]];
    for (slot, word) in bytes.chunks_exact_mut(8).zip(words) {
        slot.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(bytes)
}

/// A bell-shaped deviation around zero with the given standard deviation. As a sum of two uniform
/// numbers it never exceeds 2.45 standard deviations, so nobody leaves the range of real people.
pub(super) fn spread(rng: &mut impl Rng, deviation: f32) -> f32 {
    let sum = rng.random::<f32>() + rng.random::<f32>() - 1.0;
    sum * deviation * 6.0_f32.sqrt()
}

/// One plus a deviation: a factor around one.
pub(super) fn factor(rng: &mut impl Rng, deviation: f32) -> f32 {
    1.0 + spread(rng, deviation)
}

/// A uniform number between two bounds.
pub(super) fn between(rng: &mut impl Rng, low: f32, high: f32) -> f32 {
    low + (high - low) * rng.random::<f32>()
}

/// A uniform number of a range of the settings.
pub(super) fn within(rng: &mut impl Rng, [low, high]: Range) -> f32 {
    between(rng, low, high)
}

/// True with probability `share`.
pub(super) fn happens(rng: &mut impl Rng, share: f32) -> bool {
    rng.random::<f32>() < share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_has_its_deviation_and_its_bound() {
        let mut rng = generator(1, Purpose::Person, [0, 0]);
        let draws: Vec<f32> = (0..20_000).map(|_| spread(&mut rng, 2.0)).collect();
        let variance = draws.iter().map(|d| d * d).sum::<f32>() / draws.len() as f32;
        assert!((variance.sqrt() - 2.0).abs() < 0.05, "deviation {}", variance.sqrt());
        assert!(draws.iter().all(|d| d.abs() <= 4.9));
    }

    #[test]
    fn generators_differ_in_each_argument() {
        let first = |seed, purpose, indices| generator(seed, purpose, indices).random::<u64>();
        let one = first(1, Purpose::Walk, [3, 4]);
        assert_eq!(one, first(1, Purpose::Walk, [3, 4]));
        for other in [
            first(2, Purpose::Walk, [3, 4]),
            first(1, Purpose::Segmenter, [3, 4]),
            first(1, Purpose::Walk, [4, 4]),
            first(1, Purpose::Walk, [3, 5]),
        ] {
            assert_ne!(one, other);
        }
    }
}
