//! Frames of bf16 values with zeros around them, so that a tap needs no check of the border.

use super::block::{DEPTH, Half, narrow, round, widen};
use super::layout::Layout;
use crate::Isa;
use crate::buffer::{Buffer, Shared};
use crate::channel_last::{Transpose, transpose};
use crate::maps::higher;
use crate::simd::{Simd, dispatch};
use rayon::prelude::*;
use std::cell::RefCell;
use std::ops::Range;

thread_local! {
    /// One row as `[width, channels]`.
    static TURNED: RefCell<Buffer> = RefCell::default();
    /// Memory of frames that are gone. The system takes longer to clear new pages than a layer takes
    /// to write them.
    static KEPT: RefCell<Vec<Buffer<Half>>> = RefCell::default();
}

/// Values of a frame that one task takes.
const PIECE: usize = 1 << 14;

/// How many frames' memory a thread keeps: what a layer needs.
const MOST_KEPT: usize = 6;

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
    /// Zeros around every frame, and the zero frame. The pixels hold whatever the memory held
    /// before; every one of them is to be written.
    pub fn bordered(layout: Layout, order: Order, channels: usize, count: usize) -> Self {
        let mut frames = Self::unwritten(layout, order, channels, count);
        let layout = frames.layout.clone();
        let all = frames.values.par_chunks_exact_mut(frames.frame_len).enumerate();
        all.for_each(|(t, frame)| match order {
            _ if t == count => frame.fill(0),
            Order::ChannelLast => layout.clear_border(channels, frame),
            Order::Planes => {
                let planes = frame.chunks_exact_mut(layout.pixels());
                planes.take(channels).for_each(|plane| layout.clear_border(1, plane));
            }
        });
        frames
    }

    /// All of it whatever the memory held before.
    pub fn unwritten(layout: Layout, order: Order, channels: usize, count: usize) -> Self {
        // The last step of a product may read past the last value, up to a step; and frames start
        // on a cache line.
        let frame_len = (layout.pixels() * channels + DEPTH).next_multiple_of(DEPTH);
        let len = (count + 1) * frame_len;
        let mut values = recycled(len);
        values.grow(len);
        Self { layout, order, channels, count, frame_len, values }
    }

    /// A frame; their number gives the zero frame.
    pub fn frame(&self, index: usize) -> &[Half] {
        &self.values[index * self.frame_len..][..self.frame_len]
    }

    /// Rounds all frames. `read(channel, frame, pixel, to)` writes the pixels of a row from `pixel`
    /// on.
    pub fn fill(&mut self, isa: Isa, read: impl Fn(usize, usize, usize, &mut [f32]) + Sync) {
        let rounding = Rounding::of(isa, self);
        let order = self.order;
        self.each().enumerate().for_each(|(t, frame)| {
            rounding.rows(
                |channel, pixel, to| read(channel, t, pixel, to),
                |row, rows| match order {
                    Order::ChannelLast => rounding.channel_last(row, rows, frame),
                    Order::Planes => rounding.planes(row, rows, frame),
                },
            );
        });
    }

    /// Rounds frames into both orders, each value read once.
    ///
    /// # Panics
    /// If the frames differ in more than their order.
    pub fn fill_both(
        isa: Isa,
        planes: &mut Self,
        channel_last: &mut Self,
        read: impl Fn(usize, usize, usize, &mut [f32]) + Sync,
    ) {
        let orders = [planes.order, channel_last.order];
        assert_eq!(orders, [Order::Planes, Order::ChannelLast], "orders of the frames");
        let shape = |frames: &Self| (frames.layout.clone(), frames.channels, frames.count);
        assert!(shape(planes) == shape(channel_last), "frames of one shape");
        let rounding = Rounding::of(isa, planes);
        planes.each().zip(channel_last.each()).enumerate().for_each(|(t, (planes, last))| {
            rounding.rows(
                |channel, pixel, to| read(channel, t, pixel, to),
                |row, rows| {
                    rounding.planes(row, rows, planes);
                    rounding.channel_last(row, rows, last);
                },
            );
        });
    }

    /// Every frame but the zero frame.
    fn each(&mut self) -> impl IndexedParallelIterator<Item = &mut [Half]> {
        self.values[..self.count * self.frame_len].par_chunks_exact_mut(self.frame_len)
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
        let mut pooled = Self::bordered(to.clone(), Order::ChannelLast, channels, count);
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

    /// One frame: the highest value of each place over `frames`, of which there is at least one.
    pub fn max_over_time(&self, isa: Isa, frames: &Range<usize>) -> Self {
        let Self { ref layout, order, channels, frame_len, .. } = *self;
        let mut highest = Self::bordered(layout.clone(), order, channels, 1);
        let pieces = highest.values[..frame_len].par_chunks_mut(PIECE).enumerate();
        pieces.for_each(|(i, to)| {
            let len = to.len();
            let piece = |t: usize| &self.frame(t)[i * PIECE..][..len];
            to.copy_from_slice(piece(frames.start));
            for t in frames.start + 1..frames.end {
                raise(isa, Raise { from: piece(t), to });
            }
        });
        highest
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.values);
        // At the end of a thread there is nothing left to keep memory in.
        let _ = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < MOST_KEPT {
                kept.push(values);
            }
        });
    }
}

/// The smallest memory that this thread has kept and that holds `len` values, else new memory.
fn recycled(len: usize) -> Buffer<Half> {
    KEPT.with_borrow_mut(|kept| {
        let fitting = (0..kept.len()).filter(|&i| kept[i].capacity() >= len);
        match fitting.min_by_key(|&i| kept[i].capacity()) {
            Some(best) => kept.swap_remove(best),
            // One that is too small gives way, so that not all that are kept are.
            None => {
                kept.pop();
                Buffer::default()
            }
        }
    })
}

/// How rows of f32 become rows of a frame.
struct Rounding {
    isa: Isa,
    layout: Layout,
    channels: usize,
}

impl Rounding {
    fn of(isa: Isa, frames: &Frames) -> Self {
        Self { isa, layout: frames.layout.clone(), channels: frames.channels }
    }

    /// Hands over each row of a frame for all channels, `[channels, width]`.
    fn rows(&self, read: impl Fn(usize, usize, &mut [f32]), mut write: impl FnMut(usize, &[f32])) {
        let width = self.layout.width;
        let mut rows = Buffer::<f32>::zeros(self.channels * width);
        for r in 0..self.layout.height {
            for (channel, row) in rows.chunks_exact_mut(width).enumerate() {
                read(channel, r * width, row);
            }
            write(r, &rows);
        }
    }

    fn planes(&self, r: usize, rows: &[f32], frame: &mut [Half]) {
        let Layout { width, pitch, margin, .. } = self.layout;
        let planes = frame.chunks_exact_mut(self.layout.pixels());
        for (from, plane) in rows.chunks_exact(width).zip(planes) {
            let to = &mut plane[margin + r * pitch..][..width];
            round_all(self.isa, &mut RoundAll { from, to });
        }
    }

    fn channel_last(&self, r: usize, rows: &[f32], frame: &mut [Half]) {
        let Layout { width, pitch, margin, .. } = self.layout;
        let channels = self.channels;
        TURNED.with_borrow_mut(|turned| {
            turned.grow(channels * width);
            let mut call = Transpose {
                from: rows,
                from_step: width,
                to: turned,
                to_step: channels,
                rows: channels,
                columns: width,
            };
            transpose(self.isa, &mut call);
            let to = &mut frame[(margin + r * pitch) * channels..][..channels * width];
            round_all(self.isa, &mut RoundAll { from: turned, to });
        });
    }
}

/// Values to round; both sides have the same length.
pub(crate) struct RoundAll<'a> {
    pub from: &'a [f32],
    pub to: &'a mut [Half],
}

/// Values to raise to those of `from` where these are higher.
pub(crate) struct Raise<'a> {
    from: &'a [Half],
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
    /// Takes the higher of two values at each place.
    fn raise(Raise<'_>) => raise_on
);
dispatch!(
    /// Rounds each value.
    fn round_all(&mut RoundAll<'_>) => round_all_on
);
#[inline(always)]
fn round_all_on<S: Simd>(_: S, call: &mut RoundAll) {
    assert_eq!(call.from.len(), call.to.len(), "values to round and places");
    call.to.iter_mut().zip(call.from).for_each(|(to, &from)| *to = round(from));
}

#[inline(always)]
fn pool_row_on<S: Simd>(_: S, call: PoolRow) {
    let PoolRow { rows: [above, below], channels, to } = call;
    let pairs = above.chunks_exact(2 * channels).zip(below.chunks_exact(2 * channels));
    for (to, (above, below)) in to.chunks_exact_mut(channels).zip(pairs) {
        let [above, below] = [above, below].map(|pair| {
            let (left, right) = pair.split_at(channels);
            left.iter().zip(right).map(|(&a, &b)| higher(widen(a), widen(b)))
        });
        // Exact: the value is one of the four.
        to.iter_mut().zip(above.zip(below)).for_each(|(to, (a, b))| *to = narrow(higher(a, b)));
    }
}

#[inline(always)]
fn raise_on<S: Simd>(_: S, call: Raise) {
    let Raise { from, to } = call;
    let pairs = to.iter_mut().zip(from);
    pairs.for_each(|(to, &from)| *to = narrow(higher(widen(*to), widen(from))));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RegionConv3d;

    #[test]
    fn both_orders_hold_every_value_and_zeros_around_it() {
        let p = RegionConv3d::same(1, 1, 1, [3, 2, 3]);
        for order in [Order::ChannelLast, Order::Planes] {
            let layout = Layout::of(&p);
            // Memory that is used again holds other values.
            let mut used = Frames::unwritten(layout.clone(), order, 2, 3);
            used.values.fill(7);
            drop(used);
            let mut frames = Frames::bordered(layout.clone(), order, 2, 3);
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
            let all: f32 = (0..4)
                .flat_map(|t| frames.frame(t)[..2 * layout.pixels()].to_vec())
                .map(widen)
                .sum();
            assert_eq!(all, seen, "{order:?}: zeros elsewhere");
        }
    }
}
