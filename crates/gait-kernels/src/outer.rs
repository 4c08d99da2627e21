//! Sums of outer products, of which the gradients by the weight consist.

use crate::Isa;
use crate::micro::{self, OuterCall, PANEL, ROWS};
use crate::panels::Panel;

/// Outer products between two visits to their sums: both sides stay in the first cache.
const PAIRS: usize = 64;

/// Adds the outer products of `pairs` to `sums`, `[channels, stride]`.
pub(crate) fn outer_products(
    isa: Isa,
    panels: &[Panel],
    pairs: &[[u32; 2]],
    a: &[f32],
    b: &[f32],
    sums: &mut [f32],
) {
    let Some(last) = panels.last() else { return };
    let stride = last.start + last.width;
    let channels = sums.len() / stride;
    for pairs in pairs.chunks(PAIRS) {
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
                };
                // SAFETY: the assertions above bound every read; sums were sliced, and rows past
                // the last channel write to `unused`.
                unsafe { micro::outer(isa, &call) }
            }
        }
    }
}
