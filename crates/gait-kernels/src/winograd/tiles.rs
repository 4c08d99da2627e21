//! How the rows and columns of a frame are cut into tiles.

use crate::RegionConv3d;
use crate::geometry::index;

/// Rows and columns of output that one tile produces.
pub(crate) const TILE: usize = 4;
/// Rows and columns of input that one tile reads: the output and a border of one.
pub(crate) const REACH: usize = TILE + 2;
/// Positions of a tile in the transform domain.
pub(crate) const POINTS: usize = REACH * REACH;

/// One tile of one region: what it reads and what it writes, as pixels of a frame.
///
/// A tile that holds several regions appears once for each of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tile {
    /// Pixels read; those outside the frame or of another region are the zero pixel, `h * w`.
    pub input: [u32; POINTS],
    /// Pixels written; `h * w` where the tile writes none.
    pub output: [u32; TILE * TILE],
}

/// Every tile of a frame, region by region within a place, places in row-major order.
pub(crate) fn tiles(p: &RegionConv3d) -> Vec<Tile> {
    let places =
        (0..p.height.div_ceil(TILE)).flat_map(|r| (0..p.width.div_ceil(TILE)).map(move |c| (r, c)));
    places
        .flat_map(|(r, c)| {
            let (row, column) = (r * TILE, c * TILE);
            regions(p, row, column).into_iter().map(move |region| tile(p, row, column, region))
        })
        .collect()
}

/// The number of tiles of a frame, without their tables.
pub(crate) fn count(p: &RegionConv3d) -> usize {
    if p.labels.is_none() {
        return p.height.div_ceil(TILE) * p.width.div_ceil(TILE);
    }
    let rows = (0..p.height).step_by(TILE);
    rows.flat_map(|r| (0..p.width).step_by(TILE).map(move |c| (r, c)))
        .map(|(r, c)| regions(p, r, c).len())
        .sum()
}

/// The regions of a tile's output, in order of appearance.
fn regions(p: &RegionConv3d, row: usize, column: usize) -> Vec<i32> {
    let Some(labels) = p.labels else { return vec![0] };
    let mut found = Vec::new();
    for r in row..p.height.min(row + TILE) {
        for c in column..p.width.min(column + TILE) {
            let region = labels[r * p.width + c];
            if !found.contains(&region) {
                found.push(region);
            }
        }
    }
    found
}

fn tile(p: &RegionConv3d, row: usize, column: usize, region: i32) -> Tile {
    // Input rows and columns start one before the tile; the shift keeps them unsigned.
    let pixel = |r: usize, c: usize| {
        let (r, c) = (r.checked_sub(1)?, c.checked_sub(1)?);
        let inside = r < p.height && c < p.width;
        let pixel = r * p.width + c;
        (inside && p.labels.is_none_or(|l| l[pixel] == region)).then_some(pixel)
    };
    let zero = p.height * p.width;
    let at = |r: usize, c: usize| index(pixel(r, c).unwrap_or(zero));
    Tile {
        input: std::array::from_fn(|i| at(row + i / REACH, column + i % REACH)),
        output: std::array::from_fn(|i| at(row + i / TILE + 1, column + i % TILE + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_is_written_by_exactly_one_tile() {
        let labels: Vec<i32> = (0..9 * 10).map(|p| p * p % 7 % 3).collect();
        for labels in [None, Some(&labels[..])] {
            let p = RegionConv3d { labels, ..RegionConv3d::same(1, 1, 1, [1, 9, 10]) };
            let mut written = vec![0; 91];
            tiles(&p).iter().flat_map(|t| t.output).for_each(|o| written[o as usize] += 1);
            assert_eq!(written[..90], vec![1; 90]);
            assert_eq!(tiles(&p).len(), count(&p));
        }
    }

    #[test]
    fn bands_on_tile_borders_need_no_more_tiles() {
        let labels: Vec<i32> = (0..16 * 8).map(|p| p / 8 / 8).collect();
        let p = RegionConv3d { labels: Some(&labels), ..RegionConv3d::same(1, 1, 1, [1, 16, 8]) };
        assert_eq!(count(&p), 8);
        // The second row of tiles reads nothing of the band below it.
        assert!(tiles(&p)[2].input[5 * REACH..].iter().all(|&i| i == 128));
    }
}
