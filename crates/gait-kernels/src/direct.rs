//! The direct algorithm: supports every shape and every label map.
//!
//! A pixel's channels are one row of the left matrix, one tap's weights the right matrix. A tap
//! that is switched off reads the zero pixel, and is skipped where it is off for a whole block of
//! pixels. No patch matrix is written.

use crate::buffer::{Buffer, zeros};
use crate::channel_last::{ChannelLast, channel_first, padded};
use crate::geometry::{Geometry, index, source_pixels};
use crate::micro::{self, PANEL, ROWS, RowsCall};
use crate::outer::outer_products;
use crate::panels::{Panel, panels};
use crate::{Isa, RegionConv3d};
use rayon::prelude::*;

/// Pixels of one task: the weights of a tap stay in the first cache while 16 blocks use them.
const CHUNK: usize = 16 * ROWS;
/// Channels of the left matrix in one task of the gradient with respect to the weight.
const CHANNELS: usize = 16 * ROWS;

/// The output `[n, co, t_out, h, w]`.
pub(crate) fn forward(isa: Isa, p: &RegionConv3d, x: &[f32], weight: &[f32]) -> Vec<f32> {
    let [kt, kh, kw] = p.kernel;
    let taps = kt * kh * kw;
    let packed = PackedWeights::new(isa, p.in_channels, p.out_channels, taps, |ci, co, tap| {
        weight[(co * p.in_channels + ci) * taps + tap]
    });
    gather(isa, &Geometry::forward(p), &packed, p, x)
}

/// The gradient with respect to the input, `[n, ci, t, h, w]`.
pub(crate) fn backward_data(isa: Isa, p: &RegionConv3d, weight: &[f32], grad: &[f32]) -> Vec<f32> {
    let [kt, kh, kw] = p.kernel;
    let taps = kt * kh * kw;
    let spatial = kh * kw;
    let packed = PackedWeights::new(isa, p.out_channels, p.in_channels, taps, |co, ci, tap| {
        let flipped = tap / spatial * spatial + spatial - 1 - tap % spatial;
        weight[(co * p.in_channels + ci) * taps + flipped]
    });
    gather(isa, &Geometry::backward(p), &packed, p, grad)
}

/// Weights as `[taps, panels, inputs, panel width]`, outputs padded with zeros to whole vectors.
struct PackedWeights {
    values: Vec<f32>,
    inputs: usize,
    outputs: usize,
    stride: usize,
    panels: Vec<Panel>,
}

impl PackedWeights {
    fn new(
        isa: Isa,
        inputs: usize,
        outputs: usize,
        taps: usize,
        weight: impl Fn(usize, usize, usize) -> f32,
    ) -> Self {
        let stride = padded(outputs, isa.lanes());
        let panels = panels(isa, outputs);
        let mut values = vec![0.0; taps * inputs * stride];
        for tap in 0..taps {
            for panel in &panels {
                let at = (tap * stride + panel.start) * inputs;
                for i in 0..inputs {
                    for o in panel.start..outputs.min(panel.start + panel.width) {
                        values[at + i * panel.width + o - panel.start] = weight(i, o, tap);
                    }
                }
            }
        }
        Self { values, inputs, outputs, stride, panels }
    }

    /// Offset of a tap's panel.
    fn panel(&self, tap: usize, panel: &Panel) -> usize {
        (tap * self.stride + panel.start) * self.inputs
    }
}

/// Every sequence through the taps of `geometry`.
fn gather(
    isa: Isa,
    geometry: &Geometry,
    weights: &PackedWeights,
    p: &RegionConv3d,
    x: &[f32],
) -> Vec<f32> {
    let pixels = p.pixels();
    let frames_out = geometry.frames_out;
    let mut y = zeros(p.sequences * weights.outputs * frames_out * pixels);
    let in_len = weights.inputs * geometry.frames_in * pixels;
    let out_len = weights.outputs * frames_out * pixels;
    if in_len == 0 || out_len == 0 {
        return y;
    }
    let sources = source_pixels(p);
    let mut sums = Buffer::zeros(frames_out * pixels * weights.stride);
    let mut input = ChannelLast::empty(weights.inputs, geometry.frames_in, pixels, isa.lanes());
    for (x, y) in x.chunks_exact(in_len).zip(y.chunks_exact_mut(out_len)) {
        input.fill(isa, x);
        sums.fill(0.0);
        // A chunk never crosses a frame: the tables of sources hold one frame.
        let tasks: Vec<_> = sums
            .chunks_exact_mut(pixels * weights.stride)
            .enumerate()
            .flat_map(|(t, frame)| {
                let chunks = frame.chunks_mut(CHUNK * weights.stride).enumerate();
                chunks.map(move |(chunk, sums)| (t, chunk * CHUNK, sums))
            })
            .collect();
        tasks.into_par_iter().for_each(|(t, first, sums)| {
            gather_chunk(isa, geometry, &sources, weights, &input, (t, first), sums);
        });
        channel_first(isa, &sums, weights.stride, y);
    }
    y
}

/// The pixels of output frame `t` from `first` on, as many as `sums` holds.
fn gather_chunk(
    isa: Isa,
    geometry: &Geometry,
    source_pixels: &[Vec<u32>],
    weights: &PackedWeights,
    x: &ChannelLast,
    (t, first): (usize, usize),
    sums: &mut [f32],
) {
    let count = sums.len() / weights.stride;
    let spatial = source_pixels.len();
    let kt = geometry.source_frames.len() / geometry.frames_out;
    for panel in &weights.panels {
        for dt in 0..kt {
            let source = geometry.source_frames[t * kt + dt];
            if source == geometry.frames_in {
                continue;
            }
            let frame = &x.values[x.frame(source)..];
            for (tap, sources) in source_pixels.iter().enumerate() {
                let start = weights.panel(dt * spatial + tap, panel);
                let values = &weights.values[start..][..weights.inputs * panel.width];
                let tap = Tap { panel, weights: values, frame, zero_pixel: x.pixels };
                let sources = &sources[first..first + count];
                let rows = sums.chunks_mut(ROWS * weights.stride);
                for (block, rows) in sources.chunks(ROWS).zip(rows) {
                    tap.add(isa, block, x.stride, rows, weights.stride);
                }
            }
        }
    }
}

/// One tap of the kernel for one panel of output channels.
struct Tap<'a> {
    panel: &'a Panel,
    /// `[inputs, panel width]`.
    weights: &'a [f32],
    /// The frame that the tap reads, and the pixel in it that is zero.
    frame: &'a [f32],
    zero_pixel: usize,
}

impl Tap<'_> {
    /// Adds the tap's products to `sums` for up to [`ROWS`] pixels, which read the pixels
    /// `sources`. Both strides are values of a pixel.
    fn add(
        &self,
        isa: Isa,
        sources: &[u32],
        in_stride: usize,
        sums: &mut [f32],
        out_stride: usize,
    ) {
        if sources.iter().all(|&s| s as usize == self.zero_pixel) {
            return;
        }
        let width = self.panel.width;
        let depth = self.weights.len() / width;
        let mut unused = [0.0; PANEL];
        let mut call = RowsCall {
            vectors: self.panel.vectors,
            depth,
            a: [self.frame.as_ptr(); ROWS],
            b: self.weights.as_ptr(),
            c: [unused.as_mut_ptr(); ROWS],
        };
        for (i, &source) in sources.iter().enumerate() {
            call.a[i] = self.frame[source as usize * in_stride..][..depth].as_ptr();
            call.c[i] = sums[i * out_stride + self.panel.start..][..width].as_mut_ptr();
        }
        // SAFETY: rows and sums were sliced to the sizes that the call reads and writes; rows that
        // `sources` does not fill read the first pixel of the frame, as long as every other, and
        // write to `unused`, PANEL values. `weights` holds `depth` rows of the panel's width.
        unsafe { micro::rows(isa, &call) }
    }
}

/// The gradient with respect to the weight, `[co, ci, kt, kh, kw]`.
///
/// Each task owns its part of the sum and runs through all positions in order, so the result does
/// not depend on the number of threads.
pub(crate) fn backward_weight(isa: Isa, p: &RegionConv3d, x: &[f32], grad: &[f32]) -> Vec<f32> {
    let [kt, kh, kw] = p.kernel;
    let taps = kt * kh * kw;
    let pixels = p.pixels();
    let stride = padded(p.out_channels, isa.lanes());
    let mut sums = Buffer::zeros(taps * p.in_channels * stride);
    let in_len = p.in_channels * p.frames * pixels;
    let out_len = p.out_channels * p.frames_out() * pixels;
    let mut dw = vec![0.0; p.weight_len()];
    if in_len == 0 || out_len == 0 {
        return dw;
    }
    let geometry = Geometry::forward(p);
    let sources = source_pixels(p);
    let panels = panels(isa, p.out_channels);
    let mut input = ChannelLast::empty(p.in_channels, p.frames, pixels, isa.lanes());
    let mut output = ChannelLast::empty(p.out_channels, p.frames_out(), pixels, isa.lanes());
    for (x, grad) in x.chunks_exact(in_len).zip(grad.chunks_exact(out_len)) {
        input.fill(isa, x);
        output.fill(isa, grad);
        let pairs: Vec<_> = sources.iter().map(|s| position_pairs(s, &input, &output)).collect();
        let tasks: Vec<_> = sums
            .chunks_exact_mut(p.in_channels * stride)
            .enumerate()
            .flat_map(|(tap, sums)| {
                let chunks = sums.chunks_mut(CHANNELS * stride).enumerate();
                chunks.map(move |(chunk, sums)| (tap, chunk * CHANNELS, sums))
            })
            .collect();
        tasks.into_par_iter().for_each(|(tap, channel, sums)| {
            let dt = tap / (kh * kw);
            let spatial = tap % (kh * kw);
            for t in 0..geometry.frames_out {
                let source = geometry.source_frames[t * kt + dt];
                if source < geometry.frames_in {
                    let a = &input.values[input.frame(source) + channel..];
                    let b = &output.values[output.frame(t)..];
                    outer_products(isa, &panels, &pairs[spatial], a, b, sums);
                }
            }
        });
    }
    // From `[taps, ci, stride]` to the order of the weight.
    for (i, value) in dw.iter_mut().enumerate() {
        let co = i / (p.in_channels * taps);
        let ci = i / taps % p.in_channels;
        let tap = i % taps;
        *value = sums[(tap * p.in_channels + ci) * stride + co];
    }
    dw
}

/// Offsets of the input and the gradient for every pixel whose tap is on.
fn position_pairs(sources: &[u32], x: &ChannelLast, grad: &ChannelLast) -> Vec<[u32; 2]> {
    let on = sources.iter().enumerate().filter(|&(_, &source)| source as usize != x.pixels);
    on.map(|(pixel, &source)| [index(source as usize * x.stride), index(pixel * grad.stride)])
        .collect()
}
