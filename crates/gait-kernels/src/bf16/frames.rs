//! Frames of bf16 values with zeros around them, so that a tap needs no check of the border.

use super::block::{DEPTH, Half, ROWS, round, widen};
use crate::buffer::{Buffer, Shared};
use crate::channel_last::{Transpose, transpose};
use crate::maps::higher;
use crate::simd::{Simd, dispatch};
use crate::temporal::{Combine, Group, Step};
use crate::{Isa, RegionConv3d};
use rayon::prelude::*;

/// Where the pixels of a frame lie.
///
/// Behind each row, above the first one and below the last one are zeros. What lies behind a row
/// also lies before the next one, so that half a kernel of zeros is enough.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layout {
    pub height: usize,
    pub width: usize,
    /// Rows of zeros above and below, and columns of zeros beside the pixels.
    pub zeros: [usize; 2],
    /// Pixels from one row to the next.
    pub pitch: usize,
    /// Pixels before the first one, and behind the last position.
    pub margin: usize,
    /// Positions that are computed, those of the zeros included: whole blocks of them.
    pub positions: usize,
}

impl Layout {
    /// Frames of `height` rows and `width` columns with so many rows and columns of zeros.
    pub fn new(height: usize, width: usize, zeros: [usize; 2]) -> Self {
        let [rows, columns] = zeros;
        let pitch = width + columns;
        let positions = (height * pitch).next_multiple_of(ROWS);
        Self { height, width, zeros, pitch, margin: rows * pitch + columns, positions }
    }

    /// The narrowest layout for frames that `p` reads.
    pub fn of(p: &RegionConv3d) -> Self {
        let [_, kh, kw] = p.kernel;
        Self::new(p.height, p.width, [kh / 2, kw / 2])
    }

    /// Whether a kernel of so many rows and columns reads no further than the zeros.
    pub fn holds(&self, [kh, kw]: [usize; 2]) -> bool {
        kh / 2 <= self.zeros[0] && kw / 2 <= self.zeros[1]
    }

    /// Pixels that a frame takes.
    pub fn pixels(&self) -> usize {
        self.positions + 2 * self.margin
    }

    /// Where the first position's tap lies in a frame, for a kernel that the layout holds.
    pub fn shift(&self, [kh, kw]: [usize; 2], row: usize, column: usize) -> usize {
        let [rows, columns] = self.zeros;
        (rows + row - kh / 2) * self.pitch + columns + column - kw / 2
    }

    /// The row and column of a position; `None` where it is none of a pixel.
    pub fn pixel(&self, position: usize) -> Option<[usize; 2]> {
        let row = position / self.pitch;
        let column = position % self.pitch;
        (row < self.height && column < self.width).then_some([row, column])
    }

    /// Runs of positions in one row: the first pixel, counted over the frame, and how many,
    /// together with the place of the first within `positions`.
    pub fn segments(
        &self,
        positions: std::ops::Range<usize>,
    ) -> impl Iterator<Item = Segment> + '_ {
        let rows =
            positions.start / self.pitch..self.height.min(positions.end.div_ceil(self.pitch));
        rows.filter_map(move |row| {
            let start = (row * self.pitch).max(positions.start);
            let end = (row * self.pitch + self.width).min(positions.end);
            (start < end).then(|| Segment {
                place: start - positions.start,
                pixel: start - row * (self.pitch - self.width),
                count: end - start,
            })
        })
    }
}

/// Neighbouring pixels of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Segment {
    /// The first one among the positions that were asked for.
    pub place: usize,
    /// The first one in the frame `[h, w]`.
    pub pixel: usize,
    pub count: usize,
}

/// How the values of a frame are ordered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Order {
    /// Pixel by pixel, `[pixels, channels]`.
    ChannelLast,
    /// Channel by channel, `[channels, pixels]`.
    Planes,
}

/// Frames of one sequence, the last one zero.
pub(crate) struct Frames {
    pub layout: Layout,
    pub order: Order,
    pub channels: usize,
    /// Frames without the zero frame.
    pub count: usize,
    /// Values from one frame to the next.
    pub frame_len: usize,
    pub values: Buffer<Half>,
}

impl Frames {
    /// All zero.
    pub fn empty(layout: Layout, order: Order, channels: usize, count: usize) -> Self {
        // The last step of a product may read past the last value, up to a step; and frames start
        // on a cache line.
        let frame_len = (layout.pixels() * channels + DEPTH).next_multiple_of(DEPTH);
        let values = Buffer::zeros((count + 1) * frame_len);
        Self { layout, order, channels, count, frame_len, values }
    }

    /// A frame; their number gives the zero frame.
    pub fn frame(&self, index: usize) -> &[Half] {
        &self.values[index * self.frame_len..][..self.frame_len]
    }

    /// Values from one channel to the next in the order of planes.
    pub fn plane_len(&self) -> usize {
        self.layout.pixels()
    }

    /// Rounds all frames. `read(channel, frame, pixel, to)` writes the pixels of a row from `pixel`
    /// on.
    pub fn fill(&mut self, isa: Isa, read: impl Fn(usize, usize, usize, &mut [f32]) + Sync) {
        let Self { ref layout, order, channels, count, frame_len, ref mut values } = *self;
        let frames = values[..count * frame_len].par_chunks_exact_mut(frame_len).enumerate();
        frames.for_each(|(t, frame)| match order {
            Order::Planes => {
                let planes = frame.chunks_exact_mut(layout.pixels()).take(channels);
                let mut row = vec![0.0; layout.width];
                for (c, plane) in planes.enumerate() {
                    for r in 0..layout.height {
                        read(c, t, r * layout.width, &mut row);
                        let to = &mut plane[layout.margin + r * layout.pitch..][..layout.width];
                        round_all(isa, RoundAll { from: &row, to });
                    }
                }
            }
            Order::ChannelLast => {
                let mut rows = Buffer::<f32>::zeros(channels * layout.width);
                let mut turned = Buffer::<f32>::zeros(channels * layout.width);
                for r in 0..layout.height {
                    for (c, row) in rows.chunks_exact_mut(layout.width).enumerate() {
                        read(c, t, r * layout.width, row);
                    }
                    let mut call = Transpose {
                        from: &rows,
                        from_step: layout.width,
                        to: &mut turned,
                        to_step: channels,
                        rows: channels,
                        columns: layout.width,
                    };
                    transpose(isa, &mut call);
                    let start = (layout.margin + r * layout.pitch) * channels;
                    let to = &mut frame[start..][..channels * layout.width];
                    round_all(isa, RoundAll { from: &turned, to });
                }
            }
        });
    }

    /// Writes channel-last frames as f32 `[channels, frames, h, w]`.
    pub fn write_planes(&self, isa: Isa, to: &mut [f32]) {
        let Self { ref layout, channels, count, .. } = *self;
        let pixels = layout.height * layout.width;
        let target = Shared::new(to);
        (0..count).into_par_iter().for_each(|t| {
            let mut wide = Buffer::<f32>::zeros(channels * layout.width);
            let mut turned = Buffer::<f32>::zeros(channels * layout.width);
            for r in 0..layout.height {
                let start = (layout.margin + r * layout.pitch) * channels;
                let row = &self.frame(t)[start..][..channels * layout.width];
                wide.iter_mut().zip(row).for_each(|(to, &from)| *to = widen(from));
                let mut call = Transpose {
                    from: &wide,
                    from_step: channels,
                    to: &mut turned,
                    to_step: layout.width,
                    rows: layout.width,
                    columns: channels,
                };
                transpose(isa, &mut call);
                for (c, row) in turned.chunks_exact(layout.width).enumerate() {
                    let place = (c * count + t) * pixels + r * layout.width;
                    // SAFETY: frame `t` belongs to this task alone, `to` outlives the tasks, and
                    // `at` checks the room for a row.
                    unsafe {
                        let to = target.at(place, layout.width);
                        std::ptr::copy_nonoverlapping(row.as_ptr(), to, layout.width);
                    }
                }
            }
        });
    }

    /// Max pooling of channel-last frames over 2 x 2 pixels.
    pub fn pooled(&self, isa: Isa, to: &Layout) -> Self {
        let Self { ref layout, channels, count, .. } = *self;
        let mut pooled = Self::empty(to.clone(), Order::ChannelLast, channels, count);
        let frames = pooled.values.par_chunks_exact_mut(pooled.frame_len).take(count).enumerate();
        frames.for_each(|(t, pooled)| {
            let frame = self.frame(t);
            for r in 0..to.height {
                let row = |r: usize| &frame[(layout.margin + r * layout.pitch) * channels..];
                let start = (to.margin + r * to.pitch) * channels;
                let to = &mut pooled[start..][..to.width * channels];
                pool_row(isa, PoolRow { rows: [row(2 * r), row(2 * r + 1)], channels, to });
            }
        });
        pooled
    }

    /// For each group and step the frame that the step reads, `[groups, steps]`, by `sources` of a
    /// step and `combine`.
    pub fn combined(
        &self,
        isa: Isa,
        groups: &[Group],
        steps: &[Step],
        sources: impl Fn(&Group, &Step) -> [usize; 2] + Sync,
        combine: impl Fn(&Step) -> Combine + Sync,
    ) -> Self {
        let count = groups.len() * steps.len();
        let mut all = Self::empty(self.layout.clone(), self.order, self.channels, count);
        let frames = all.values.par_chunks_exact_mut(self.frame_len).take(count).enumerate();
        frames.for_each(|(i, to)| {
            let step = &steps[i % steps.len()];
            let [first, second] = sources(&groups[i / steps.len()], step).map(|s| self.frame(s));
            combine_all(isa, CombineAll { first, second, combine: combine(step), to });
        });
        all
    }
}

/// Values to round; both sides have the same length.
pub(crate) struct RoundAll<'a> {
    pub from: &'a [f32],
    pub to: &'a mut [Half],
}

/// Values to combine in f32 and round; all have the same length.
pub(crate) struct CombineAll<'a> {
    first: &'a [Half],
    second: &'a [Half],
    combine: Combine,
    to: &'a mut [Half],
}

/// Two rows of pixels to pool into one.
pub(crate) struct PoolRow<'a> {
    rows: [&'a [Half]; 2],
    channels: usize,
    to: &'a mut [Half],
}

dispatch!(
    /// The highest of each 2 x 2 pixels.
    fn pool_row(PoolRow<'_>) => pool_row_on
);
dispatch!(
    /// Rounds each value.
    fn round_all(RoundAll<'_>) => round_all_on
);
dispatch!(
    /// Combines two frames.
    fn combine_all(CombineAll<'_>) => combine_all_on
);

#[inline(always)]
fn round_all_on<S: Simd>(_: S, call: RoundAll) {
    assert_eq!(call.from.len(), call.to.len(), "values to round and places");
    call.to.iter_mut().zip(call.from).for_each(|(to, &from)| *to = round(from));
}

#[inline(always)]
fn pool_row_on<S: Simd>(_: S, call: PoolRow) {
    let PoolRow { rows: [above, below], channels, to } = call;
    for (i, to) in to.chunks_exact_mut(channels).enumerate() {
        let pixel = |row: &'_ [Half], place: usize, c: usize| {
            widen(row[(2 * i + place) * channels..][..channels][c])
        };
        for (c, to) in to.iter_mut().enumerate() {
            let a = higher(pixel(above, 0, c), pixel(above, 1, c));
            let b = higher(pixel(below, 0, c), pixel(below, 1, c));
            // Exact: the value is one of the four.
            *to = round(higher(a, b));
        }
    }
}

#[inline(always)]
fn combine_all_on<S: Simd>(_: S, call: CombineAll) {
    let CombineAll { first, second, combine, to } = call;
    assert!(first.len() == to.len() && second.len() == to.len(), "frames of one length");
    let pairs = to.iter_mut().zip(first.iter().zip(second));
    match combine {
        Combine::First => to.copy_from_slice(first),
        Combine::Sum => pairs.for_each(|(to, (&a, &b))| *to = round(widen(a) + widen(b))),
        Combine::Difference => pairs.for_each(|(to, (&a, &b))| *to = round(widen(a) - widen(b))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_the_pixels_of_the_positions() {
        let layout = Layout::of(&RegionConv3d::same(1, 1, 1, [1, 5, 7]));
        assert_eq!((layout.pitch, layout.margin, layout.positions), (8, 9, 64));
        let mut pixels = Vec::new();
        for first in [0, 32] {
            for s in layout.segments(first..first + 32) {
                for i in 0..s.count {
                    let pixel = layout.pixel(first + s.place + i).unwrap();
                    assert_eq!(pixel, [(s.pixel + i) / 7, (s.pixel + i) % 7]);
                    pixels.push(s.pixel + i);
                }
            }
        }
        assert_eq!(pixels, (0..35).collect::<Vec<_>>());
    }

    #[test]
    fn both_orders_hold_every_value_and_zeros_around_it() {
        let p = RegionConv3d::same(1, 1, 1, [3, 2, 3]);
        for order in [Order::ChannelLast, Order::Planes] {
            let layout = Layout::of(&p);
            let mut frames = Frames::empty(layout.clone(), order, 2, 3);
            frames.fill(Isa::best(), |c, t, pixel, to| {
                for (i, to) in to.iter_mut().enumerate() {
                    *to = (1 + c * 18 + t * 6 + pixel + i) as f32;
                }
            });
            let at = |t: usize, c: usize, place: usize| {
                let place = match order {
                    Order::ChannelLast => place * 2 + c,
                    Order::Planes => c * layout.pixels() + place,
                };
                widen(frames.frame(t)[place])
            };
            let mut seen = 0.0;
            for t in 0..3 {
                for c in 0..2 {
                    for position in 0..layout.positions {
                        let value = at(t, c, layout.margin + position);
                        let want = layout
                            .pixel(position)
                            .map_or(0, |[r, column]| 1 + c * 18 + t * 6 + r * 3 + column);
                        assert_eq!(value, want as f32, "{order:?} {t} {c} {position}");
                        seen += value;
                    }
                }
            }
            let all: f32 = frames.values.iter().copied().map(widen).sum();
            assert_eq!(all, seen, "{order:?}: zeros elsewhere");
        }
    }
}
