//! Connected pixels.

/// Connected pixels and the box around them; `right` and `bottom` are exclusive.
pub(crate) struct Region {
    pub(crate) pixels: Vec<usize>,
    pub(crate) left: usize,
    pub(crate) top: usize,
    pub(crate) right: usize,
    pub(crate) bottom: usize,
}

impl Region {
    fn new(pixels: Vec<usize>, width: usize) -> Self {
        let mut region = Self { pixels, left: usize::MAX, top: usize::MAX, right: 0, bottom: 0 };
        for &pixel in &region.pixels {
            region.left = region.left.min(pixel % width);
            region.right = region.right.max(pixel % width + 1);
            region.top = region.top.min(pixel / width);
            region.bottom = region.bottom.max(pixel / width + 1);
        }
        region
    }
}

/// All sets of pixels that touch at edges or corners.
pub(crate) fn regions(is_set: Vec<bool>, width: usize) -> Vec<Region> {
    let mut is_left = is_set;
    let mut regions = vec![];
    for start in 0..is_left.len() {
        if is_left[start] {
            regions.push(Region::new(fill(&mut is_left, width, start), width));
        }
    }
    regions
}

/// Takes the region around a pixel out of `is_left`.
fn fill(is_left: &mut [bool], width: usize, start: usize) -> Vec<usize> {
    let height = is_left.len() / width;
    is_left[start] = false;
    let mut region = vec![start];
    let mut visited = 0;
    while visited < region.len() {
        let column = region[visited] % width;
        let row = region[visited] / width;
        visited += 1;
        for near_row in row.saturating_sub(1)..=(row + 1).min(height - 1) {
            for near_column in column.saturating_sub(1)..=(column + 1).min(width - 1) {
                let near = near_row * width + near_column;
                if is_left[near] {
                    is_left[near] = false;
                    region.push(near);
                }
            }
        }
    }
    region
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_touch_at_edges_or_corners() {
        let rows = ["#.#.", "#..#", "..#.", "#..."];
        let is_set: Vec<bool> = rows.concat().bytes().map(|byte| byte == b'#').collect();
        let found = regions(is_set, 4);
        let boxes = found.iter().map(|r| [r.left, r.top, r.right, r.bottom, r.pixels.len()]);
        let expected = [[0, 0, 1, 2, 2], [2, 0, 4, 3, 3], [0, 3, 1, 4, 1]];
        assert_eq!(boxes.collect::<Vec<_>>(), expected);
        assert!(regions(vec![false; 4], 2).is_empty());
    }
}
