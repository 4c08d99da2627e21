//! What a convolution reads for neighbouring pixels, tap by tap.

use crate::geometry::Geometry;
use crate::layout::{self, Turn};
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
    /// For each pixel of the kernel: how far it lies ahead, and all ones where it may be read.
    pub shifts: Vec<isize>,
    pub masks: Vec<Vec<u32>>,
    /// Pixels of a panel.
    pub width: usize,
}

impl Patches {
    /// `flipped` turns the kernel's rows and columns round, as the gradient of the input does.
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
        let mask = |tap: usize| {
            let sources = &geometry.source_pixels[tap];
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
        let (depth, taps) = (self.depth(), self.taps[0] * self.taps[1]);
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
        let mut rows = panel.chunks_exact_mut(self.width);
        let mut count = 0;
        for &source in sources {
            for i in 0..self.inputs {
                let x =
                    &x[((n * self.inputs + i) * frames + source) * self.pixels..][..self.pixels];
                for ((&shift, mask), to) in self.shifts.iter().zip(&self.masks).zip(&mut rows) {
                    // SAFETY: the instruction set is this machine's.
                    unsafe { masked(self.isa, &mut Masked { x, mask, shift, first, to }) }
                    count += 1;
                }
            }
        }
        count
    }

    /// Transposes `[rows, columns]` of a panel.
    pub fn turn(&self, panel: &[f32], [rows, columns]: [usize; 2], to: &mut [f32], to_step: usize) {
        let from_step = self.width;
        assert!(rows * from_step <= panel.len() && columns * to_step <= to.len());
        let call =
            Turn { from: panel.as_ptr(), from_step, to: to.as_mut_ptr(), to_step, rows, columns };
        // SAFETY: the assertion bounds both sides; `rows` does not exceed `to_step`, nor `columns`
        // the width of the panel.
        unsafe { layout::turn(self.isa, &call) }
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
    masked, masked_any, &mut Masked<'_>, masked_avx512, masked_avx2
);

#[inline(always)]
unsafe fn masked_any<S: Simd>(call: &mut Masked) {
    let count = call.to.len().min(call.x.len() - call.first);
    let (to, rest) = call.to.split_at_mut(count);
    rest.fill(0.0);
    let mask = &call.mask[call.first..][..count];
    let start = call.first.cast_signed() + call.shift;
    let inside = usize::try_from(start).ok().and_then(|start| call.x.get(start..start + count));
    if let Some(x) = inside {
        for ((to, x), mask) in to.iter_mut().zip(x).zip(mask) {
            *to = f32::from_bits(x.to_bits() & mask);
        }
        return;
    }
    for (k, (to, &mask)) in to.iter_mut().zip(mask).enumerate() {
        let value = usize::try_from(start + k.cast_signed()).ok().and_then(|at| call.x.get(at));
        *to = if mask == 0 { 0.0 } else { value.copied().unwrap_or(0.0) };
    }
}
