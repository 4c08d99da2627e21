//! How embeddings are laid out for the vectors that compare them.

use pulp::{Arch, Simd, WithSimd};

use crate::pairwise::VECTORS;
use crate::range::normalize;
use crate::{Distance, Embeddings};

/// Gallery entries of a block.
pub(crate) const COLUMNS: usize = 64;
/// Values of a flat embedding that are summed before they are added to the total, which loses less to
/// rounding.
const FLAT_PART: usize = 256;
/// Bytes of a cache line, which vectors must not straddle.
const LINE: usize = 64;

/// How an embedding `[c, p]` is divided into vectors that are compared: `parts` of `width` values.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub distance: Distance,
    strips: usize,
    pub parts: usize,
    pub width: usize,
    /// Values of an embedding. A flat one may not fill its last part; zeros fill the rest.
    pub filled: usize,
}

impl Shape {
    pub fn new(e: &Embeddings, distance: Distance) -> Self {
        let (parts, width) = match distance {
            Distance::Flat => (e.width().div_ceil(FLAT_PART), FLAT_PART.min(e.width())),
            Distance::Strips | Distance::Cosine => (e.strips(), e.channels()),
        };
        Self { distance, strips: e.strips(), parts, width, filled: e.width() }
    }

    /// The values of one part of an embedding `[c, p]`.
    pub fn part<'a>(&self, row: &'a [f32], part: usize) -> impl Iterator<Item = &'a f32> {
        let (first, step) = match self.distance {
            Distance::Flat => (part * self.width, 1),
            Distance::Strips | Distance::Cosine => (part, self.strips),
        };
        row[first..].iter().step_by(step).take(self.width)
    }

    /// Whether the embeddings of `e` are divided in the same way.
    pub fn fits(&self, e: &Embeddings) -> bool {
        self.strips == e.strips() && self.filled == e.width()
    }

    /// Channels `c` and strips `p` of an embedding.
    pub fn sizes(&self) -> [usize; 2] {
        [self.filled / self.strips, self.strips]
    }

    /// Part and place in it of a value of the embedding `[c, p]`.
    fn place(&self, at: usize) -> (usize, usize) {
        match self.distance {
            Distance::Flat => (at / self.width, at % self.width),
            Distance::Strips | Distance::Cosine => (at % self.strips, at / self.strips),
        }
    }
}

/// A block of the gallery in groups of entries, `[parts, groups, width, group]`; a short block is
/// filled with zeros.
pub(crate) struct Columns {
    values: Aligned,
    group: usize,
}

impl Columns {
    /// Packs up to [`COLUMNS`] embeddings `[c, p]`, multiplied by a factor, for this machine.
    pub fn new(shape: &Shape, factor: f32, rows: &[&[f32]]) -> Self {
        Self::grouped(shape, factor, rows, VECTORS * Arch::new().dispatch(Lanes))
    }

    pub fn grouped(shape: &Shape, factor: f32, rows: &[&[f32]], group: usize) -> Self {
        let mut packed = Aligned::new(shape.parts * shape.width * COLUMNS);
        let values = packed.values_mut();
        for (first, rows) in rows.chunks(group).enumerate() {
            for at in 0..shape.filled {
                let line = &mut values[line(shape, at, first, group)..][..group];
                line.iter_mut().zip(rows).for_each(|(value, row)| *value = row[at] * factor);
            }
        }
        if shape.distance == Distance::Cosine {
            for vectors in values.chunks_exact_mut(shape.width * group) {
                (0..group).for_each(|column| normalize(&mut vectors[column..], group));
            }
        }
        Self { values: packed, group }
    }

    /// All values, for vectors of the size that they were grouped for.
    pub fn values(&self) -> &[f32] {
        self.values.values()
    }

    /// The packed values of one entry of the block, `[c, p]`.
    pub fn row(&self, shape: &Shape, entry: usize) -> Vec<f32> {
        let first = entry / self.group;
        let value = |at| self.values()[line(shape, at, first, self.group) + entry % self.group];
        (0..shape.filled).map(value).collect()
    }
}

/// Where the values of a group of entries begin that are at `at` in their embeddings `[c, p]`.
#[inline(always)]
fn line(shape: &Shape, at: usize, group_index: usize, group: usize) -> usize {
    let (part, place) = shape.place(at);
    ((part * (COLUMNS / group) + group_index) * shape.width + place) * group
}

/// The number of floats in this machine's vectors.
struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// Zeros that begin at a cache line.
pub(crate) struct Aligned {
    values: Vec<f32>,
    start: usize,
    length: usize,
}

impl Aligned {
    pub fn new(length: usize) -> Self {
        let values = vec![0.0f32; length + LINE / 4];
        // Unaligned values are slower but right, should the platform not give an offset.
        let start = values.as_ptr().align_offset(LINE).min(LINE / 4);
        Self { values, start, length }
    }

    pub fn values(&self) -> &[f32] {
        &self.values[self.start..self.start + self.length]
    }

    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..self.start + self.length]
    }
}
