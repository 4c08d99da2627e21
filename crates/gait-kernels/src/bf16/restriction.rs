//! What the regions let each tap read.

use super::block::{Half, ROWS};
use super::layout::Layout;
use crate::simd::{Simd, dispatch};

/// Which of a block's positions a row of the kernel may read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reach {
    /// No position may read any of the row's taps.
    Nothing,
    Some,
    /// Every position may read every tap.
    All,
}

/// Which taps of each position stay within its region.
pub(crate) struct Restriction {
    /// `[rows of the kernel, positions, columns of the kernel]`. Positions that are no pixel may
    /// read anything, because what they compute is dropped.
    pass: Vec<bool>,
    /// `[rows of the kernel, blocks]`.
    reach: Vec<Reach>,
    positions: usize,
    columns: usize,
}

impl Restriction {
    /// The regions of a convolution with so many rows and columns; `labels` are those of each pixel.
    pub fn new(layout: &Layout, [kh, kw]: [usize; 2], labels: &[i32]) -> Self {
        let passes = |[r, c]: [usize; 2], row: usize, column: usize| {
            // Outside the frame are zeros, which need no check.
            let source_row = (r + row).checked_sub(kh / 2).filter(|&row| row < layout.height);
            let source_column = (c + column).checked_sub(kw / 2).filter(|&c| c < layout.width);
            let (Some(row), Some(column)) = (source_row, source_column) else { return true };
            labels[row * layout.width + column] == labels[r * layout.width + c]
        };
        let mut pass = Vec::with_capacity(kh * layout.positions * kw);
        for row in 0..kh {
            for position in 0..layout.positions {
                let pixel = layout.pixel(position);
                let taps = 0..kw;
                pass.extend(taps.map(|tap| pixel.is_none_or(|pixel| passes(pixel, row, tap))));
            }
        }
        let places = 0..layout.positions * kh / ROWS;
        let reach = places.map(|block| {
            let first = block * ROWS;
            let pixels = (first..first + ROWS)
                .filter(|&i| layout.pixel(i % layout.positions).is_some())
                .flat_map(|i| &pass[i * kw..][..kw]);
            let open = pixels.clone().filter(|&&pass| pass).count();
            match open {
                0 => Reach::Nothing,
                _ if open == pixels.count() => Reach::All,
                _ => Reach::Some,
            }
        });
        Self { reach: reach.collect(), pass, positions: layout.positions, columns: kw }
    }

    pub fn reach(&self, block: usize, row: usize) -> Reach {
        self.reach[row * self.positions / ROWS + block]
    }

    /// `[ROWS, columns of the kernel]` of a block and a row of the kernel.
    pub fn pass(&self, block: usize, row: usize) -> &[bool] {
        let first = row * self.positions + block * ROWS;
        &self.pass[first * self.columns..][..ROWS * self.columns]
    }
}

/// What a row of taps reads at a block of positions, to be copied with zeros for closed taps.
pub(crate) struct Gather<'a> {
    /// The first position's first tap; pixels of `channels` values.
    pub from: &'a [Half],
    pub channels: usize,
    pub taps: usize,
    /// `[ROWS, taps]`.
    pub pass: &'a [bool],
    /// [`ROWS`] rows, the same length each, filled up with zeros.
    pub to: &'a mut [Half],
}

dispatch!(
    /// Copies what open taps read.
    fn gather(Gather<'_>) => gather_on
);

#[inline(always)]
fn gather_on<S: Simd>(_: S, call: Gather) {
    let Gather { from, channels, taps, pass, to } = call;
    let len = to.len() / ROWS;
    for (row, (to, pass)) in to.chunks_exact_mut(len).zip(pass.chunks_exact(taps)).enumerate() {
        let (used, rest) = to.split_at_mut(taps * channels);
        rest.fill(0);
        let from = &from[row * channels..][..taps * channels];
        let pixels = used.chunks_exact_mut(channels).zip(from.chunks_exact(channels));
        for ((to, from), &pass) in pixels.zip(pass) {
            // All ones where the tap is open: no branch, whole vectors.
            let mask = 0_u16.wrapping_sub(u16::from(pass));
            to.iter_mut().zip(from).for_each(|(to, &from)| *to = from & mask);
        }
    }
}
