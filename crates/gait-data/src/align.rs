//! Alignment of silhouettes: the crop, the scale and the centre that OpenGait's preparation applies,
//! so that published results can be compared.

use crate::cubic::{Source, reached, resize_columns};
use crate::image_file::Grey;

/// Sum of pixels at or below which a frame counts as empty, as published preparations have it.
pub const FAINTEST_SUM: u64 = 10_000;

/// Columns of the widest scaled frame: a single filled row of a 4096-pixel camera still fits.
/// Without a limit one odd image could take all memory.
pub const WIDEST: usize = 1 << 18;

/// Why a frame is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlignError {
    /// The sum of its pixels is at most [`FAINTEST_SUM`], or it has no centre once it is scaled.
    #[error("empty")]
    Faint,
    /// Scaled to the wanted height, it would have no column, or more than [`WIDEST`].
    #[error("{height} rows and {width} columns are too narrow or too flat to scale")]
    Misshapen {
        /// Rows that are not empty.
        height: usize,
        /// Columns of the image.
        width: usize,
    },
    /// An image that comes aligned has a size that its data set does not have.
    #[error(
        "{height}x{width}, but aligned images must be {size}x{size} or {double}x{double}",
        double = 2 * size
    )]
    Size {
        /// Its rows.
        height: usize,
        /// Its columns.
        width: usize,
        /// The rows and columns wanted.
        size: usize,
    },
}

/// Aligns one silhouette: crops it to its non-empty rows, scales it to `height` rows and
/// floor(height * columns / rows) columns (cubic), and cuts `height` columns around the first
/// one at which more than half of the mass has passed, with zeros where there is no image.
/// Returns `height * height` pixels, not binary again.
///
/// # Errors
/// If the frame is too faint, too narrow or too flat to use.
pub fn align(image: &Grey, height: usize) -> Result<Vec<u8>, AlignError> {
    let width = image.width.max(1);
    let rows = || image.pixels.chunks_exact(width);
    // Pieces short enough for 32 bits, which wide registers add.
    let piece_sum = |piece: &[u8]| u64::from(piece.iter().map(|&p| u32::from(p)).sum::<u32>());
    let sum: u64 = image.pixels.chunks(1 << 16).map(piece_sum).sum();
    if sum <= FAINTEST_SUM {
        return Err(AlignError::Faint);
    }
    // Whole rows are combined instead of searched byte by byte: that runs on wide registers.
    let filled = |row: &[u8]| row.iter().fold(0, |all, p| all | p) != 0;
    let top = rows().position(filled).unwrap_or(0);
    let bottom = rows().rposition(filled).map_or(0, |row| row + 1);
    let scaled_width = height * image.width / (bottom - top).max(1);
    if !(1..=WIDEST).contains(&scaled_width) {
        return Err(AlignError::Misshapen { height: bottom - top, width: image.width });
    }
    let pixels = &image.pixels[top * width..bottom * width];
    let mut shadow = vec![0; width];
    for row in pixels.chunks_exact(width) {
        shadow.iter_mut().zip(row).for_each(|(all, p)| *all |= p);
    }
    let left = shadow.iter().position(|&p| p != 0).unwrap_or(0);
    let right = shadow.iter().rposition(|&p| p != 0).map_or(width, |x| x + 1);
    let columns = left..right;
    // Only columns that the walker can reach are computed; the others are zero.
    let kept = reached(columns.clone(), image.width, scaled_width);
    let source = Source { pixels, width, columns };
    let scaled = resize_columns(&source, height, scaled_width, kept.clone());
    // A few specks can vanish when the frame shrinks. Published preparations drop such a frame, and
    // with it one whose centre is the very first column.
    let centre = mass_centre(&scaled, kept.len()).map(|centre| kept.start + centre);
    let centre = centre.filter(|centre| *centre > 0).ok_or(AlignError::Faint)?;
    Ok(cut(&scaled, kept.start, kept.len(), centre, height))
}

/// First column at which the cumulated sum exceeds half of the total; none in an empty image.
fn mass_centre(pixels: &[u8], width: usize) -> Option<usize> {
    let mut columns = vec![0_u64; width];
    for row in pixels.chunks_exact(width) {
        columns.iter_mut().zip(row).for_each(|(sum, &p)| *sum += u64::from(p));
    }
    let total: u64 = columns.iter().sum();
    let mut passed = 0;
    columns.iter().position(|column| {
        passed += column;
        2 * passed > total
    })
}

/// `size` columns, of which `size / 2` lie left of `centre`, from an image whose first column is
/// number `start`; zeros outside. Padding half a width on both sides where the cut does not fit,
/// as published preparations do, comes to the same.
fn cut(pixels: &[u8], start: usize, width: usize, centre: usize, size: usize) -> Vec<u8> {
    let half = size / 2;
    let first = centre.saturating_sub(half).max(start);
    let last = (centre + size - half).min(start + width);
    let mut out = vec![0; size * size];
    for (to, from) in out.chunks_exact_mut(size).zip(pixels.chunks_exact(width)) {
        let at = first + half - centre;
        to[at..at + (last - first)].copy_from_slice(&from[first - start..last - start]);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use proptest::prelude::*;

    /// A filled rectangle.
    fn rectangle(height: usize, width: usize, rows: [usize; 2], columns: [usize; 2]) -> Grey {
        let inside = |i: usize| {
            (rows[0]..rows[1]).contains(&(i / width))
                && (columns[0]..columns[1]).contains(&(i % width))
        };
        let pixels = (0..height * width).map(|i| if inside(i) { 255 } else { 0 }).collect();
        Grey { height, width, pixels }
    }

    #[test]
    fn a_walker_fills_the_height_and_stands_in_the_middle() {
        let aligned = align(&rectangle(240, 320, [50, 178], [10, 50]), 64).unwrap();
        for row in aligned.chunks_exact(64) {
            assert!(row[23..41].iter().all(|&p| p == 255), "{row:?}");
            assert!(row[..20].iter().chain(&row[44..]).all(|&p| p == 0));
        }
    }

    #[test]
    fn faint_narrow_and_flat_frames_are_refused() {
        assert_eq!(align(&rectangle(50, 50, [0, 3], [0, 13]), 64), Err(AlignError::Faint));
        let misshapen = |height, width| Err(AlignError::Misshapen { height, width });
        assert_eq!(align(&rectangle(200, 3, [0, 200], [0, 3]), 64), misshapen(200, 3));
        assert_eq!(align(&rectangle(1, 5000, [0, 1], [0, 5000]), 64), misshapen(1, 5000));
        assert_eq!(align(&rectangle(0, 0, [0, 0], [0, 0]), 64), Err(AlignError::Faint));
        assert_eq!(align(&rectangle(200, 50, [0, 200], [0, 3]), 64), Err(AlignError::Faint));
    }

    proptest! {
        #[test]
        fn any_image_aligns_or_is_refused(
            height in 1_usize..90, width in 1_usize..90, seed: u64, filled in 1_u32..100,
            size in prop::sample::select(vec![64_usize, 128]),
        ) {
            use rand::{RngExt, SeedableRng};
            let mut generator = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            let mut pixel = || if generator.random_ratio(filled, 100) { generator.random() } else { 0 };
            let pixels = (0..height * width).map(|_| pixel()).collect();
            match align(&Grey { height, width, pixels }, size) {
                Ok(aligned) => prop_assert_eq!(aligned.len(), size * size),
                Err(error) => prop_assert!(error == AlignError::Faint || width * size < height),
            }
        }

        #[test]
        fn the_middle_column_halves_the_mass(left in 0_usize..60, wide in 10_usize..60, tall in 60_usize..100) {
            // Narrower than the cut, so that all mass stays inside it.
            prop_assume!(wide * 64 / tall < 30);
            let image = rectangle(120, 140, [5, 5 + tall], [left, left + wide]);
            let aligned = align(&image, 64).unwrap();
            let mass = |columns: Range<usize>| -> u64 {
                aligned.chunks_exact(64).flat_map(|row| &row[columns.clone()]).map(|&p| u64::from(p)).sum()
            };
            let total = mass(0..64);
            prop_assert!(2 * mass(0..32) <= total);
            prop_assert!(2 * mass(0..33) > total);
        }
    }
}
