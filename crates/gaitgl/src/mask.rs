//! Label maps of the local branch (section 3.3.2 of the paper): bands, random masks, and their
//! expectation at test.

use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::settings::{LocalPartition, LocalSettings};

/// A label map: pixels (row, column) with the same label belong to the same region. All frames and
/// channels share the map. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regions {
    height: usize,
    width: usize,
    labels: Arc<[i32]>,
}

impl Regions {
    /// A map of `height` x `width` pixels from its row-major labels; `None` unless there is one
    /// label per pixel and at least one pixel.
    pub fn new(height: usize, width: usize, labels: Vec<i32>) -> Option<Self> {
        let whole = height * width > 0 && labels.len() == height * width;
        whole.then(|| Self { height, width, labels: labels.into() })
    }

    fn from_pixels(height: usize, width: usize, label: impl Fn(usize, usize) -> i32) -> Self {
        let pixels = (0..height).flat_map(|h| (0..width).map(move |w| (h, w)));
        Self { height, width, labels: pixels.map(|(h, w)| label(h, w)).collect() }
    }

    /// Bands of `height / bands` rows (Eqn. 5); a remainder makes one more, shorter band.
    pub fn bands(height: usize, width: usize, bands: usize) -> Self {
        let rows = (height / bands.max(1)).max(1);
        Self::from_pixels(height, width, |h, _| i32::try_from(h / rows).unwrap_or(i32::MAX))
    }

    /// Rows of the map.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns of the map.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The labels, row-major `[h * w]`.
    pub fn labels(&self) -> &[i32] {
        &self.labels
    }

    /// The different labels, ascending.
    pub(crate) fn regions(&self) -> Vec<i32> {
        let mut regions = self.labels.to_vec();
        regions.sort_unstable();
        regions.dedup();
        regions
    }

    /// 1 where the label is `region`, else 0; row-major `[h * w]`.
    pub(crate) fn indicator(&self, region: i32) -> Vec<f32> {
        self.labels.iter().map(|&label| f32::from(u8::from(label == region))).collect()
    }

    /// The first row of each band, and the row after the last band, if the regions are bands of
    /// whole rows; else `None`.
    pub(crate) fn row_bands(&self) -> Option<Vec<usize>> {
        let rows: Vec<&[i32]> = self.labels.chunks(self.width).collect();
        if rows.iter().any(|row| row.iter().any(|&label| label != row[0])) {
            return None;
        }
        let inner = (1..self.height).filter(|&h| rows[h][0] != rows[h - 1][0]);
        let starts: Vec<usize> = std::iter::once(0).chain(inner).collect();
        let one_band_each = starts.len() == self.regions().len();
        one_band_each.then(|| starts.into_iter().chain([self.height]).collect())
    }
}

/// The regions of one layer in one training iteration, for a map of `height` x `width` pixels. In a
/// random pair of masks, label 1 marks what the first mask takes and label 0 its complement.
pub fn in_training(
    local: &LocalSettings,
    [height, width]: [usize; 2],
    seed: u64,
    iteration: u64,
    layer: usize,
) -> Regions {
    draw(local, height, width, &mut training_generator(seed, iteration, layer))
}

/// The generator of the masks of one layer in one training iteration. It depends on nothing else,
/// so a resumed run draws the same masks without any saved state.
pub(crate) fn training_generator(seed: u64, iteration: u64, layer: usize) -> ChaCha8Rng {
    generator(*b"training", seed, iteration, layer)
}

/// The generator of the fixed masks of one layer at test; `draw` counts the draws of `mean-of-k`.
pub(crate) fn test_generator(seed: u64, draw: u64, layer: usize) -> ChaCha8Rng {
    generator(*b"testtime", seed, draw, layer)
}

fn generator(purpose: [u8; 8], seed: u64, count: u64, layer: usize) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&purpose);
    key[8..16].copy_from_slice(&seed.to_le_bytes());
    key[16..24].copy_from_slice(&count.to_le_bytes());
    key[24..].copy_from_slice(&(layer as u64).to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// Rows, columns or pixels that a random mask takes from `length`: the share, rounded down. An interval
/// `r, ..., r + share` includes both of its ends.
pub(crate) fn mask_size(local: &LocalSettings, length: usize) -> usize {
    let share = (local.ratio * length as f64) as usize;
    match local.partition {
        LocalPartition::PartH | LocalPartition::PartV => share + 1,
        _ => share,
    }
}

/// The regions of one layer: the bands, or a random pair of complementary masks (label 1 marks
/// what the mask took).
pub(crate) fn draw(
    local: &LocalSettings,
    height: usize,
    width: usize,
    generator: &mut ChaCha8Rng,
) -> Regions {
    let strips = |length: usize, generator: &mut ChaCha8Rng| {
        let chosen = choose(length, mask_size(local, length), generator);
        move |index: usize| i32::from(chosen[index])
    };
    let interval = |length: usize, generator: &mut ChaCha8Rng| {
        let size = mask_size(local, length);
        let start = generator.random_range(0..=length - size.min(length));
        move |index: usize| i32::from((start..start + size).contains(&index))
    };
    match local.partition {
        LocalPartition::Bands => Regions::bands(height, width, local.bands),
        LocalPartition::PartH => {
            let label = interval(height, generator);
            Regions::from_pixels(height, width, |h, _| label(h))
        }
        LocalPartition::PartV => {
            let label = interval(width, generator);
            Regions::from_pixels(height, width, |_, w| label(w))
        }
        LocalPartition::StripH => {
            let label = strips(height, generator);
            Regions::from_pixels(height, width, |h, _| label(h))
        }
        LocalPartition::StripV => {
            let label = strips(width, generator);
            Regions::from_pixels(height, width, |_, w| label(w))
        }
        LocalPartition::Pixel => {
            let label = strips(height * width, generator);
            Regions::from_pixels(height, width, |h, w| label(h * width + w))
        }
    }
}

/// Which of `length` are among `count` chosen at random without replacement.
fn choose(length: usize, count: usize, generator: &mut ChaCha8Rng) -> Vec<bool> {
    let mut order: Vec<usize> = (0..length).collect();
    let mut chosen = vec![false; length];
    for i in 0..count.min(length) {
        let j = generator.random_range(i..length);
        order.swap(i, j);
        chosen[order[i]] = true;
    }
    chosen
}

/// The probability that a pixel and its neighbour at each tap of a `rows` x `columns` kernel share
/// a region, over random masks: the factors of the weights at test, row-major `[rows * columns]`.
///
/// Exact for strips and pixels. For one interval it is the mean over all pixels whose neighbour
/// lies in the map. `None` for bands, which are not random.
pub(crate) fn expected_taps(
    local: &LocalSettings,
    height: usize,
    width: usize,
    [rows, columns]: [usize; 2],
) -> Option<Vec<f32>> {
    let any = |length: usize| {
        let same = strips_agree(mask_size(local, length), length);
        move |distance: usize| if distance == 0 { 1.0 } else { same }
    };
    let interval = |length: usize| {
        let size = mask_size(local, length);
        move |distance: usize| interval_agrees(size, length, distance)
    };
    let agree: Box<dyn Fn(usize, usize) -> f64> = match local.partition {
        LocalPartition::Bands => return None,
        LocalPartition::StripH => {
            let same = any(height);
            Box::new(move |down, _| same(down))
        }
        LocalPartition::StripV => {
            let same = any(width);
            Box::new(move |_, right| same(right))
        }
        LocalPartition::Pixel => {
            let same = any(height * width);
            Box::new(move |down, right| same(down + right))
        }
        LocalPartition::PartH => {
            let same = interval(height);
            Box::new(move |down, _| same(down))
        }
        LocalPartition::PartV => {
            let same = interval(width);
            Box::new(move |_, right| same(right))
        }
    };
    let taps = (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c)));
    let weights = taps.map(|(r, c)| agree(r.abs_diff(rows / 2), c.abs_diff(columns / 2)) as f32);
    Some(weights.collect())
}

/// P(two different strips share a label) when `chosen` of `length` are drawn.
fn strips_agree(chosen: usize, length: usize) -> f64 {
    if length < 2 {
        return 1.0;
    }
    let m = chosen as f64;
    let l = length as f64;
    (m * (m - 1.0) + (l - m) * (l - m - 1.0)) / (l * (l - 1.0))
}

/// The share of pairs at `distance` that one interval of `size` in `length` does not separate, over
/// all its positions.
fn interval_agrees(size: usize, length: usize, distance: usize) -> f64 {
    if distance >= length || size > length {
        return 1.0;
    }
    let inside = |index: usize, start: usize| (start..start + size).contains(&index);
    let mut same = 0u64;
    let mut pairs = 0u64;
    for start in 0..=length - size {
        for index in 0..length - distance {
            pairs += 1;
            same += u64::from(inside(index, start) == inside(index + distance, start));
        }
    }
    same as f64 / pairs as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::presets;

    const RANDOM: [LocalPartition; 5] = [
        LocalPartition::PartH,
        LocalPartition::PartV,
        LocalPartition::StripH,
        LocalPartition::StripV,
        LocalPartition::Pixel,
    ];

    fn local(partition: LocalPartition, ratio: f64) -> LocalSettings {
        LocalSettings { partition, ratio, ..presets::model("paper-small").unwrap().local }
    }

    #[test]
    fn masks_take_the_share_that_was_asked_for() {
        let h = 16;
        let w = 11;
        for (partition, pixels) in RANDOM.into_iter().zip([5 * 11, 16 * 4, 4 * 11, 16 * 3, 52]) {
            for layer in 0..20 {
                let mut generator = training_generator(5, 7, layer);
                let regions = draw(&local(partition, 0.3), h, w, &mut generator);
                let taken: i32 = regions.labels().iter().sum();
                assert_eq!(taken, pixels, "{partition:?}");
            }
        }
    }

    #[test]
    fn an_interval_includes_both_ends_and_starts_wherever_it_fits() {
        let settings = local(LocalPartition::PartH, 0.3);
        let mut generator = training_generator(1, 2, 3);
        let mut starts = [0; 10];
        for _ in 0..200 {
            let labels = draw(&settings, 10, 1, &mut generator).labels().to_vec();
            let start = labels.iter().position(|&label| label == 1).unwrap();
            let taken: Vec<usize> = (0..10).filter(|&row| labels[row] == 1).collect();
            assert_eq!(taken, [start, start + 1, start + 2, start + 3]);
            starts[start] += 1;
        }
        assert!(starts[..=6].iter().all(|&count| count > 0), "{starts:?}");
    }

    #[test]
    fn masks_have_the_shape_of_their_name() {
        let h = 16;
        let w = 11;
        for partition in RANDOM {
            let mut generator = training_generator(1, 2, 3);
            let regions = draw(&local(partition, 0.4), h, w, &mut generator);
            let at = |r: usize, c: usize| regions.labels()[r * w + c];
            let rows = (0..h).all(|r| (0..w).all(|c| at(r, c) == at(r, 0)));
            let columns = (0..h).all(|r| (0..w).all(|c| at(r, c) == at(0, c)));
            let (by_row, by_column) = match partition {
                LocalPartition::PartH | LocalPartition::StripH => (true, false),
                LocalPartition::PartV | LocalPartition::StripV => (false, true),
                _ => (false, false),
            };
            assert_eq!((rows, columns), (by_row, by_column), "{partition:?}");
            let runs = |line: Vec<i32>| line.windows(2).filter(|p| p[0] != p[1]).count();
            if partition == LocalPartition::PartH {
                assert!(runs((0..h).map(|r| at(r, 0)).collect()) <= 2);
            }
            if partition == LocalPartition::PartV {
                assert!(runs((0..w).map(|c| at(0, c)).collect()) <= 2);
            }
        }
    }

    #[test]
    fn masks_depend_on_seed_iteration_and_layer_only() {
        let settings = local(LocalPartition::StripV, 0.3);
        let labels = |seed, iteration, layer| {
            draw(&settings, 4, 44, &mut training_generator(seed, iteration, layer))
        };
        assert_eq!(labels(1, 2, 3), labels(1, 2, 3));
        for other in [labels(2, 2, 3), labels(1, 3, 3), labels(1, 2, 4), labels(1, 3, 2)] {
            assert_ne!(labels(1, 2, 3), other);
        }
    }

    #[test]
    fn bands_keep_a_remainder_as_a_shorter_band() {
        let regions = Regions::bands(7, 2, 3);
        assert_eq!(regions.labels(), [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3]);
        assert_eq!(regions.row_bands(), Some(vec![0, 2, 4, 6, 7]));
        assert_eq!(Regions::bands(2, 1, 5).row_bands(), Some(vec![0, 1, 2]));
    }

    #[test]
    fn only_whole_unsplit_rows_are_bands() {
        let regions = |labels: &[i32]| Regions::new(labels.len() / 2, 2, labels.to_vec()).unwrap();
        assert_eq!(regions(&[0, 0, 0, 1]).row_bands(), None);
        assert_eq!(regions(&[0, 0, 1, 1, 0, 0]).row_bands(), None);
        assert_eq!(regions(&[3, 3, 1, 1]).row_bands(), Some(vec![0, 1, 2]));
        assert_eq!(Regions::new(2, 2, vec![0; 3]), None);
    }

    /// Draws many masks and counts how often the pixel in the middle (or, for an interval, any
    /// pixel) shares its region with each neighbour.
    #[test]
    fn expected_taps_are_the_mean_over_draws() {
        let h = 10;
        let w = 9;
        for partition in RANDOM {
            let settings = local(partition, 0.35);
            let expected = expected_taps(&settings, h, w, [3, 3]).unwrap();
            let mut generator = test_generator(3, 0, 0);
            let mut same = [0u32; 9];
            let mut pairs = [0u32; 9];
            for _ in 0..3000 {
                let regions = draw(&settings, h, w, &mut generator);
                let at = |r: usize, c: usize| regions.labels()[r * w + c];
                for (tap, (dr, dc)) in (0..3).flat_map(|a| (0..3).map(move |b| (a, b))).enumerate()
                {
                    for r in 1..=h {
                        for c in 1..=w {
                            let nr = r + dr - 1;
                            let nc = c + dc - 1;
                            if (1..=h).contains(&nr) && (1..=w).contains(&nc) {
                                pairs[tap] += 1;
                                same[tap] += u32::from(at(r - 1, c - 1) == at(nr - 1, nc - 1));
                            }
                        }
                    }
                }
            }
            for tap in 0..9 {
                let mean = f64::from(same[tap]) / f64::from(pairs[tap]);
                // The standard error of 3000 draws of a probability is below 0.01.
                assert!(
                    (mean - f64::from(expected[tap])).abs() < 0.02,
                    "{partition:?} tap {tap}: {mean} against {}",
                    expected[tap]
                );
            }
            assert_eq!(expected[4], 1.0, "{partition:?}");
        }
    }

    #[test]
    fn bands_have_no_expectation() {
        assert_eq!(expected_taps(&local(LocalPartition::Bands, 0.3), 8, 8, [3, 3]), None);
    }
}
