//! Sums of outer products, of which the gradients with respect to the weight consist.

use crate::Isa;
use crate::micro::{self, LINE, OuterCall, PANEL, ROWS};
use crate::panels::Panel;

/// Outer products between two visits to their sums: both sides stay in the first cache.
const PAIRS: usize = 64;

/// Adds the outer products of `all` pairs to `sums`, `[channels, stride]`.
pub(crate) fn outer_products(
    isa: Isa,
    panels: &[Panel],
    all: &[[u32; 2]],
    a: &[f32],
    b: &[f32],
    sums: &mut [f32],
) {
    let Some(last) = panels.last() else { return };
    let stride = last.start + last.width;
    let channels = sums.len() / stride;
    for (block, pairs) in all.chunks(PAIRS).enumerate() {
        let mut prefetch = Prefetch::new(all.chunks(PAIRS).nth(block + 1), a, b);
        let furthest = pairs.iter().fold([0, 0], |m: [u32; 2], p| [m[0].max(p[0]), m[1].max(p[1])]);
        assert!(furthest[0] as usize + channels.next_multiple_of(ROWS) <= a.len());
        assert!(furthest[1] as usize + stride <= b.len());
        for panel in panels {
            for start in (0..channels).step_by(ROWS) {
                let mut unused = [0.0; PANEL];
                let mut c = [unused.as_mut_ptr(); ROWS];
                for (i, c) in c.iter_mut().enumerate().take(channels - start) {
                    *c = sums[(start + i) * stride + panel.start..][..panel.width].as_mut_ptr();
                }
                let call = OuterCall {
                    pairs,
                    vectors: panel.vectors,
                    a: a[start..].as_ptr(),
                    b: b[panel.start..].as_ptr(),
                    c,
                    ahead: prefetch.advance(pairs.len()),
                };
                // SAFETY: the assertions above bound every read at every pair's offsets; each row of
                // `c` was sliced to the panel's width or is `unused`, PANEL values.
                unsafe { micro::outer(isa, &call) }
            }
        }
    }
}

/// The memory that the next block will read on both sides, line by line, to be fetched while the
/// current block computes: waiting for it cost a tenth of the gradient's time.
struct Prefetch {
    /// Where each side starts, and how many lines it spans.
    sides: [(*const f32, usize); 2],
    done: usize,
}

impl Prefetch {
    fn new(next: Option<&[[u32; 2]]>, a: &[f32], b: &[f32]) -> Self {
        let span = |side: usize, values: &[f32]| match next {
            Some([first, .., last]) => {
                let first = first[side] as usize;
                let last = last[side] as usize;
                (values.as_ptr().wrapping_add(first), last.saturating_sub(first) / LINE)
            }
            _ => (values.as_ptr(), 0),
        };
        Self { sides: [span(0, a), span(1, b)], done: 0 }
    }

    /// Where the next `lines` lines start.
    fn advance(&mut self, lines: usize) -> *const f32 {
        let [left, right] = self.sides;
        let done = self.done;
        self.done += lines;
        match done.checked_sub(left.1) {
            None => left.0.wrapping_add(done * LINE),
            Some(done) if done < right.1 => right.0.wrapping_add(done * LINE),
            Some(_) => left.0,
        }
    }
}
