//! What a convolution reads for neighbouring pixels, tap by tap.

use crate::channel_last::{self, Transpose};
use crate::geometry::{Geometry, source_pixels};
use crate::simd::{Simd, dispatch};
use crate::{Isa, RegionConv3d};
use std::ops::Range;

/// Every tap's value for neighbouring pixels.
pub(super) struct Patches {
    pub isa: Isa,
    pub geometry: Geometry,
    /// Channels that are read, frames and pixels of the kernel.
    pub inputs: usize,
    pub taps: [usize; 2],
    pub pixels: usize,
    /// For each pixel of the kernel: how far it lies ahead, and for each pixel of the frame all ones
    /// where that tap may be read.
    pub shifts: Vec<isize>,
    pub masks: Vec<Vec<u32>>,
    /// Pixels of a panel.
    pub width: usize,
}

impl Patches {
    /// `flipped` reverses the kernel's rows and columns, as the gradient with respect to the input
    /// does.
    pub fn new(
        isa: Isa,
        geometry: Geometry,
        p: &RegionConv3d,
        inputs: usize,
        flipped: bool,
    ) -> Self {
        let [kt, kh, kw] = p.kernel;
        let pixels = p.pixels();
        let shift = |tap: usize| {
            (tap / kw * p.width + tap % kw).cast_signed()
                - (kh / 2 * p.width + kw / 2).cast_signed()
        };
        let sources = source_pixels(p);
        let mask = |tap: usize| {
            let sources = &sources[tap];
            // Bits to AND: a comparison with a label would keep the loop from being vectorised.
            sources.iter().map(|&s| if s as usize == pixels { 0 } else { u32::MAX }).collect()
        };
        let order: Vec<usize> =
            if flipped { (0..kh * kw).rev().collect() } else { (0..kh * kw).collect() };
        let shifts = order.iter().map(|&tap| shift(tap)).collect();
        let masks = order.iter().map(|&tap| mask(tap)).collect();
        let width = isa.panel_vectors() * isa.lanes();
        Self { isa, geometry, inputs, taps: [kt, kh * kw], pixels, shifts, masks, width }
    }

    /// Rows of a panel: `[kt, inputs, kh * kw]`.
    pub fn depth(&self) -> usize {
        self.taps[0] * self.inputs * self.taps[1]
    }

    /// The row of tap `tap`, counted over frames, rows and columns, of an input.
    pub fn row(&self, input: usize, tap: usize) -> usize {
        let spatial = self.taps[1];
        (tap / spatial * self.inputs + input) * spatial + tap % spatial
    }

    /// Weights as `[outputs, depth]`.
    pub fn weights(&self, outputs: usize, weight: impl Fn(usize, usize, usize) -> f32) -> Vec<f32> {
        let depth = self.depth();
        let taps = self.taps[0] * self.taps[1];
        let mut packed = vec![0.0; outputs * depth];
        for (o, packed) in packed.chunks_exact_mut(depth.max(1)).enumerate() {
            for i in 0..self.inputs {
                for tap in 0..taps {
                    packed[self.row(i, tap)] = weight(o, i, tap);
                }
            }
        }
        packed
    }

    /// The temporal taps of output frame `t` that read a frame, in runs without a gap.
    pub fn runs(&self, t: usize) -> Vec<Range<usize>> {
        let kt = self.taps[0];
        let mut runs: Vec<Range<usize>> = Vec::new();
        for dt in 0..kt {
            if self.geometry.source_frames[t * kt + dt] == self.geometry.frames_in {
                continue;
            }
            match runs.last_mut() {
                Some(run) if run.end == dt => run.end = dt + 1,
                _ => runs.push(dt..dt + 1),
            }
        }
        runs
    }

    /// Fills the panel of the pixels from `first` on for a run of temporal taps and returns its
    /// rows.
    pub fn fill(
        &self,
        x: &[f32],
        n: usize,
        t: usize,
        run: Range<usize>,
        first: usize,
        panel: &mut [f32],
    ) -> usize {
        let frames = self.geometry.frames_in;
        let sources = &self.geometry.source_frames[t * self.taps[0]..][run];
        let depth = sources.len() * self.inputs * self.taps[1];
        let mut rows = panel[..depth * self.width].chunks_exact_mut(self.width);
        for &source in sources {
            for i in 0..self.inputs {
                let x =
                    &x[((n * self.inputs + i) * frames + source) * self.pixels..][..self.pixels];
                for ((&shift, mask), to) in self.shifts.iter().zip(&self.masks).zip(&mut rows) {
                    masked(self.isa, &mut Masked { x, mask, shift, first, to });
                }
            }
        }
        depth
    }

    /// Transposes `[rows, columns]` of a panel.
    pub fn transpose(
        &self,
        panel: &[f32],
        [rows, columns]: [usize; 2],
        to: &mut [f32],
        to_step: usize,
    ) {
        let mut call = Transpose { from: panel, from_step: self.width, to, to_step, rows, columns };
        channel_last::transpose(self.isa, &mut call);
    }
}

/// One tap for neighbouring pixels.
pub(crate) struct Masked<'a> {
    x: &'a [f32],
    mask: &'a [u32],
    shift: isize,
    first: usize,
    to: &'a mut [f32],
}

dispatch!(
    /// Writes `x[first + shift..]`, zero where the mask is and past the last pixel.
    fn masked(&mut Masked<'_>) => masked_on
);

#[inline(always)]
fn masked_on<S: Simd>(_: S, call: &mut Masked) {
    let Masked { x, mask, shift, first, ref mut to } = *call;
    let count = to.len().min(x.len() - first);
    let (to, rest) = to.split_at_mut(count);
    rest.fill(0.0);
    let mask = &mask[first..][..count];
    let start = first.cast_signed() + shift;
    // Where all values lie within the frame, the loop has no branch.
    let inside = usize::try_from(start).ok().and_then(|start| x.get(start..start + count));
    if let Some(inside) = inside {
        for ((to, x), mask) in to.iter_mut().zip(inside).zip(mask) {
            *to = f32::from_bits(x.to_bits() & mask);
        }
        return;
    }
    for (k, (to, &mask)) in to.iter_mut().zip(mask).enumerate() {
        let value = usize::try_from(start + k.cast_signed()).ok().and_then(|at| x.get(at));
        *to = if mask == 0 { 0.0 } else { value.copied().unwrap_or(0.0) };
    }
}
