//! Rankings without the exact distance of each pair: a first pass bounds all distances, and what the
//! bounds leave open is computed exactly.
//!
//! The first pass takes the lengths of strips by `|x|^2 + |y|^2 - 2xy`: half the arithmetic of
//! [`pairwise`](crate::pairwise), and a matrix product, for which some processors have units that
//! multiply bf16 numbers. Its errors are bounded:
//!
//! - Rounding the values moves each strip by a length that is known when it is packed. By the triangle
//!   inequality the distance changes by no more than the sum of both.
//! - The sums of the product lose a part of `|x|^2 + |y|^2` that depends on their length. In the
//!   root, this is an error of that part over the root; see `block`.
//! - The distance that is bounded is the one that [`pairwise`](crate::pairwise) computes in single
//!   precision, which has rounding errors of its own.
//!
//! So every result is the one that the exact distances give, ties included.

mod block;
mod format;
mod pack;
mod pair;
mod row;

use rayon::prelude::*;

use crate::rows::relative_rows;
use crate::{Distance, Embeddings, EvalError, Watch};
use block::{ENTRIES, PROBES, ROOT_ERROR, SUMS};
use format::Format;
use gait_kernels::bf16::Bf16Unit;
use pack::{ONE, Packed, Source, TWO};
use pair::Exact;
use row::Open;
pub(crate) use row::Row;

/// The most pairs whose bounds are held at once (512 MiB).
const HELD_PAIRS: usize = 64 << 20;
/// Bytes of a packed gallery that are held at once.
const HELD_BYTES: usize = 1 << 30;
/// Fewer pairs are compared exactly: a first pass would save no time that is noticed.
const FEW_PAIRS: usize = 1 << 16;
/// If more than one of so many pairs are computed exactly, it is faster to compute all of them in
/// blocks: a pair by itself takes ten times as long.
const OPEN_SHARE: usize = 16;
/// Longer strips, or more of them, are compared exactly, so that the bounds of rounding errors hold.
const MOST_PARTS: usize = 4096;

/// The product of the first pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstPass {
    /// In f32.
    Single,
    /// With values rounded to bf16.
    Half,
    /// With values as sums of two bf16 numbers: three products, and nearly as close as f32.
    TwoHalves,
}

/// What is asked of the bounds.
#[derive(Clone, Copy)]
pub(crate) enum Wanted {
    /// The nearest entries: few are ever in question, so bounds may be wide.
    Nearest,
    /// The places of many entries in the ranking: bounds should be narrow.
    Places,
}

impl FirstPass {
    /// The fastest one on this machine; `None` if exact distances are as fast.
    pub fn choose(
        e: &Embeddings,
        distance: Distance,
        [probes, gallery]: [usize; 2],
        wanted: Wanted,
    ) -> Option<Self> {
        if distance != Distance::Strips || probes.saturating_mul(gallery) < FEW_PAIRS {
            return None;
        }
        if e.channels() < format::TILE || e.channels().max(e.strips()) > MOST_PARTS {
            return None;
        }
        let unit = Bf16Unit::best();
        Some(match wanted {
            Wanted::Nearest if unit.pays() => Self::Half,
            Wanted::Places if unit.is_tiled() => Self::TwoHalves,
            Wanted::Nearest | Wanted::Places => Self::Single,
        })
    }
}

/// Calls `f` with each probe's position in `probes` and what a first pass tells of its distances, on
/// all threads, and returns the results in order. Without a first pass, all distances are known.
///
/// # Errors
/// Those of `f`, [`EvalError::Range`] if a distance is too small for the unit, and
/// [`EvalError::Stopped`] if the watch asks to stop.
pub(crate) fn bounded_rows<T: Send>(
    e: &Embeddings,
    distance: Distance,
    pass: Option<FirstPass>,
    [probes, gallery]: [&[usize]; 2],
    watch: &Watch,
    f: impl Fn(usize, &mut Row) -> Result<T, EvalError> + Sync,
) -> Result<Vec<T>, EvalError> {
    let Some(pass) = pass else {
        let known = |at: usize, row: &[f32]| Row::known(row, |row| f(at, row));
        return relative_rows(e, distance, probes, gallery, watch, known)?.into_iter().collect();
    };
    let terms = if pass == FirstPass::TwoHalves { TWO } else { ONE };
    let exact = Exact::new(e);
    let source = Source { e, factor: exact.scale.factor(), terms };
    let search = Search { source, exact, probes, gallery, watch };
    match pass {
        FirstPass::Single => search.rows::<f32, T>(f),
        FirstPass::Half | FirstPass::TwoHalves => search.rows::<u16, T>(f),
    }
}

struct Search<'a> {
    source: Source<'a>,
    exact: Exact<'a>,
    probes: &'a [usize],
    gallery: &'a [usize],
    watch: &'a Watch<'a>,
}

impl Search<'_> {
    fn rows<F: Format, T: Send>(
        &self,
        f: impl Fn(usize, &mut Row) -> Result<T, EvalError> + Sync,
    ) -> Result<Vec<T>, EvalError> {
        let gallery = Gallery::<F>::new(self);
        let held = HELD_PAIRS / (gallery.across * SUMS);
        let held = held.max(1) * PROBES;
        let mut results = Vec::with_capacity(self.probes.len());
        while results.len() < self.probes.len() {
            // Few at first, to find out whether the bounds decide enough.
            let most = if results.is_empty() { PROBES } else { held };
            let probes = &self.probes[results.len()..];
            let probes = &probes[..most.min(probes.len())];
            let bounds = self.bounds(&gallery, probes)?;
            let from = results.len();
            results.extend(self.ask(&bounds, from, probes, &f)?);
            self.watch.report(results.len() as u64, self.probes.len() as u64);
            let compared = results.len() * self.gallery.len();
            if self.exact.computed() > compared / OPEN_SHARE {
                break;
            }
        }
        let from = results.len();
        let rest = &self.probes[from..];
        let known = |at: usize, row: &[f32]| Row::known(row, |row| f(from + at, row));
        let progress = |done: u64, _| {
            self.watch.report(from as u64 + done, self.probes.len() as u64);
        };
        let watch = Watch { progress: &progress, stop: self.watch.stop };
        let Source { e, .. } = self.source;
        let rest = relative_rows(e, Distance::Strips, rest, self.gallery, &watch, known)?;
        rest.into_iter().try_for_each(|result| result.map(|result| results.push(result)))?;
        Ok(results)
    }

    /// Bounds the distances of these probes to the gallery.
    fn bounds<F: Format>(
        &self,
        gallery: &Gallery<F>,
        probes: &[usize],
    ) -> Result<Bounds, EvalError> {
        let left = probes.par_chunks(PROBES).map(|probes| Packed::<F>::left(&self.source, probes));
        let left: Vec<Packed<F>> = left.collect();
        let mut bounds = Bounds::new(left.len(), gallery.across);
        match &gallery.packed {
            Some(packed) => self.add_up(&left, packed, 0, &mut bounds)?,
            None => {
                for (at, entries) in self.gallery.chunks(gallery.slab).enumerate() {
                    let right = pack_right(&self.source, entries);
                    self.add_up(&left, &right, at * gallery.slab / ENTRIES, &mut bounds)?;
                }
            }
        }
        Ok(bounds)
    }

    /// Bounds the distances of probes to the blocks of the gallery from `first` on.
    fn add_up<F: Format>(
        &self,
        left: &[Packed<F>],
        right: &[Packed<F>],
        first: usize,
        bounds: &mut Bounds,
    ) -> Result<(), EvalError> {
        let margins = Margins::new(&self.source);
        let rows = bounds.low.par_chunks_mut(bounds.across * SUMS);
        let rows = rows.zip(bounds.high.par_chunks_mut(bounds.across * SUMS)).zip(left);
        rows.try_for_each(|((low, high), left)| {
            self.watch.check()?;
            let blocks = low.par_chunks_mut(SUMS).zip(high.par_chunks_mut(SUMS)).skip(first);
            blocks.zip(right).for_each(|((low, high), right)| {
                let strips = self.source.e.strips();
                block::add_up(left, right, strips, margins.product, low, high);
                margins.bound(&left.apart, &right.apart, low, high);
            });
            Ok(())
        })
    }

    /// Calls `f` for each of these probes, of which the first is at `from` in all.
    fn ask<T: Send>(
        &self,
        bounds: &Bounds,
        from: usize,
        probes: &[usize],
        f: impl Fn(usize, &mut Row) -> Result<T, EvalError> + Sync,
    ) -> Result<Vec<T>, EvalError> {
        let buffers = || (Vec::new(), Vec::new());
        let rows = probes.par_iter().enumerate();
        rows.map_init(buffers, |(low, high): &mut (Vec<f32>, Vec<f32>), (at, &probe)| {
            bounds.read(&bounds.low, at, low, self.gallery.len());
            bounds.read(&bounds.high, at, high, self.gallery.len());
            let open = Open { exact: &self.exact, probe, gallery: self.gallery };
            f(from + at, &mut Row::bounded(low, high, open)?)
        })
        .collect()
    }
}

/// The gallery of a search.
struct Gallery<F> {
    /// Blocks of the gallery.
    across: usize,
    /// Entries that are packed at once.
    slab: usize,
    /// All of it, if that is not more than a slab.
    packed: Option<Vec<Packed<F>>>,
}

impl<F: Format> Gallery<F> {
    fn new(search: &Search) -> Self {
        let Search { source, gallery, .. } = search;
        let bytes = ENTRIES * source.e.strips() * source.depth() * size_of::<F>();
        let slab = (HELD_BYTES / bytes).max(1) * ENTRIES;
        let packed = (gallery.len() <= slab).then(|| pack_right(source, gallery));
        Self { across: gallery.len().div_ceil(ENTRIES), slab, packed }
    }
}

fn pack_right<F: Format>(source: &Source, entries: &[usize]) -> Vec<Packed<F>> {
    entries.par_chunks(ENTRIES).map(|entries| Packed::right(source, entries)).collect()
}

/// Bounds of all distances of a block of probes, `[blocks, across, PROBES, ENTRIES]`.
struct Bounds {
    low: Vec<f32>,
    high: Vec<f32>,
    across: usize,
}

impl Bounds {
    fn new(blocks: usize, across: usize) -> Self {
        let zeros = || vec![0.0; blocks * across * SUMS];
        Self { low: zeros(), high: zeros(), across }
    }

    /// Reads the bounds of probe `at`.
    fn read(&self, bounds: &[f32], at: usize, row: &mut Vec<f32>, entries: usize) {
        row.clear();
        let block = &bounds[at / PROBES * self.across * SUMS..][..self.across * SUMS];
        for block in block.chunks_exact(SUMS) {
            row.extend_from_slice(&block[at % PROBES * ENTRIES..][..ENTRIES]);
        }
        row.truncate(entries);
    }
}

/// How far computed distances may be from each other.
struct Margins {
    /// Of squared lengths of strips, relative to the sum of those of both.
    product: f32,
    /// Of distances, relative.
    relative: f32,
    strips: f32,
}

/// Room for the rounding errors of the bounds themselves, which are far smaller.
const ROOM: f32 = 1.01;
/// What squares and lengths lose that are too small for f32, in the unit: at most 2^-59 for each
/// strip. Distances that are not far larger are computed in double precision.
const VANISHED: f32 = 1.0 / (1u64 << 55) as f32;

impl Margins {
    fn new(source: &Source) -> Self {
        let strips = source.e.strips();
        // Sums in single precision lose at most 2^-24 in each step. The distance that is bounded is
        // a sum over channels, of which the root halves the relative error, and over strips; so is
        // what bounds it.
        let steps = source.e.channels() / 2 + 2 * strips + 16;
        let sums = steps as f32 * 2f32.powi(-24);
        Self {
            product: block::product_error(source.terms, source.width()),
            relative: ROOT_ERROR + sums,
            strips: strips as f32,
        }
    }

    /// Turns sums of lengths and their errors into bounds of the mean.
    fn bound(&self, probes: &[f32], entries: &[f32], low: &mut [f32], high: &mut [f32]) {
        let rows = low.chunks_exact_mut(ENTRIES).zip(high.chunks_exact_mut(ENTRIES));
        for ((low, high), apart) in rows.zip(probes) {
            for ((low, high), also_apart) in low.iter_mut().zip(high).zip(entries) {
                let middle = *low / self.strips;
                let margin = *high / self.strips + apart + also_apart + self.relative * middle;
                let margin = ROOM * margin + VANISHED;
                *low = middle - margin;
                *high = middle + margin;
            }
        }
    }
}

#[cfg(test)]
mod tests;
