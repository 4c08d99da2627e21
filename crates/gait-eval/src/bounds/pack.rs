//! Embeddings in the number format and the order in which strips are multiplied.

use super::format::{Format, TILE};
use crate::Embeddings;

/// How values are rounded and multiplied: each as the sum of one or two numbers, of which the
/// products of these pairs are added.
pub(super) type Terms = &'static [(usize, usize)];

/// Each value as one number.
pub(super) const ONE: Terms = &[(0, 0)];
/// Each value as a number and its rounding error. The product of two errors is left out. What is small
/// is added first, and so loses little.
pub(super) const TWO: Terms = &[(0, 1), (1, 0), (0, 0)];

/// Numbers that stand for a value.
fn levels(terms: Terms) -> usize {
    if terms.len() > 1 { 2 } else { 1 }
}

/// Which embeddings are multiplied, and how.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub e: &'a Embeddings,
    /// What values are multiplied by first; a power of two.
    pub factor: f32,
    pub terms: Terms,
}

impl Source<'_> {
    /// Channels, filled up to whole tiles.
    pub fn width(&self) -> usize {
        self.e.channels().next_multiple_of(TILE)
    }

    /// Length of the sums of products.
    pub fn depth(&self) -> usize {
        self.terms.len() * self.width()
    }
}

/// Sequences in the order of one side of the product.
pub(super) struct Packed<F> {
    /// The number of sequences, filled up to whole tiles.
    pub n: usize,
    /// As the left side `[p, n, depth]`; as the right side `[p, n / TILE]` tiles.
    values: Vec<F>,
    /// Squared lengths of the rounded strips, `[p, n]`.
    squares: Vec<f32>,
    /// How far the rounded strips of each sequence are from the strips at most, on average, `[n]`.
    pub apart: Vec<f32>,
}

impl<F: Format> Packed<F> {
    /// Packs sequences as rows of the left side.
    pub fn left(source: &Source, sequences: &[usize]) -> Self {
        let terms = source.terms.iter().map(|(left, _)| *left).collect::<Vec<_>>();
        Self::pack(source, sequences, &terms, |depth, row, k| row * depth + k)
    }

    /// Packs sequences as columns of the right side.
    pub fn right(source: &Source, sequences: &[usize]) -> Self {
        let terms = source.terms.iter().map(|(_, right)| *right).collect::<Vec<_>>();
        Self::pack(source, sequences, &terms, |depth, column, k| {
            column / TILE * depth * TILE + F::place(k, column % TILE)
        })
    }

    fn pack(
        source: &Source,
        sequences: &[usize],
        terms: &[usize],
        place: impl Fn(usize, usize, usize) -> usize + Sync,
    ) -> Self {
        let n = sequences.len().next_multiple_of(TILE);
        let depth = source.depth();
        let width = source.width();
        let strips = source.e.strips();
        let mut values = vec![F::default(); strips * n * depth];
        let mut squares = vec![0.0; strips * n];
        let mut apart = vec![0.0; n];
        // The sequences of a tile strip by strip, so that what is written stays in the L1 cache.
        let mut rounded: Vec<Rounded<F>> = (0..TILE).map(|_| Rounded::new(source)).collect();
        for (first, sequences) in sequences.chunks(TILE).enumerate() {
            for (at, &sequence) in sequences.iter().enumerate() {
                apart[first * TILE + at] = rounded[at].round(source, sequence);
            }
            for strip in 0..strips {
                let values = &mut values[strip * n * depth..][..n * depth];
                for (at, rounded) in rounded[..sequences.len()].iter().enumerate() {
                    let at = first * TILE + at;
                    squares[strip * n + at] = rounded.square(strip);
                    for (term, &level) in terms.iter().enumerate() {
                        for (k, &value) in rounded.strip(level, strip).iter().enumerate() {
                            values[place(depth, at, term * width + k)] = value;
                        }
                    }
                }
            }
        }
        Self { n, values, squares, apart }
    }

    /// The values of one strip of all sequences.
    pub fn strip(&self, strip: usize) -> &[F] {
        let length = self.values.len() / (self.squares.len() / self.n);
        &self.values[strip * length..][..length]
    }

    /// The squared lengths of one strip of all sequences.
    pub fn squares(&self, strip: usize) -> &[f32] {
        &self.squares[strip * self.n..][..self.n]
    }
}

/// One embedding, rounded, strip by strip.
struct Rounded<F> {
    /// `[levels, p, step]`; more than the channels, so that strips do not share cache lines of the
    /// same set.
    values: Vec<F>,
    strips: usize,
    channels: usize,
    step: usize,
    levels: usize,
    /// Rounded values and what is lost of one channel, `[p]` each.
    rest: Vec<f32>,
    lost: Vec<f32>,
}

impl<F: Format> Rounded<F> {
    fn new(source: &Source) -> Self {
        let strips = source.e.strips();
        let channels = source.e.channels();
        let step = source.width() + TILE;
        let levels = levels(source.terms);
        Self {
            values: vec![F::default(); levels * strips * step],
            strips,
            channels,
            step,
            levels,
            rest: vec![0.0; strips],
            lost: vec![0.0; strips],
        }
    }

    /// Rounds an embedding. Returns the mean over strips of the distances to the rounded ones, at
    /// least.
    fn round(&mut self, source: &Source, sequence: usize) -> f32 {
        self.lost.fill(0.0);
        let row = source.e.row(sequence);
        for (channel, values) in row.chunks_exact(self.strips).enumerate() {
            self.rest.iter_mut().zip(values).for_each(|(rest, v)| *rest = v * source.factor);
            for level in 0..self.levels {
                let to = &mut self.values[level * self.strips * self.step + channel..];
                let places = to.iter_mut().step_by(self.step);
                for (place, rest) in places.zip(&mut self.rest) {
                    *place = F::nearest(*rest);
                    // Exact: the error of a rounding is a number of the same format.
                    *rest -= place.value();
                }
            }
            self.lost.iter_mut().zip(&self.rest).for_each(|(lost, rest)| *lost += rest * rest);
        }
        let sum: f32 = self.lost.iter().map(|lost| lost.sqrt()).sum();
        sum / self.strips as f32
    }

    fn strip(&self, level: usize, strip: usize) -> &[F] {
        &self.values[(level * self.strips + strip) * self.step..][..self.channels]
    }

    /// The squared length of a rounded strip.
    fn square(&self, strip: usize) -> f32 {
        let mut sums = [0.0; LANES];
        let high = self.strip(0, strip).chunks(LANES);
        if self.levels == 1 {
            for values in high {
                sums.iter_mut().zip(values).for_each(|(sum, v)| *sum += v.value() * v.value());
            }
        } else {
            for (high, low) in high.zip(self.strip(1, strip).chunks(LANES)) {
                for (sum, (high, low)) in sums.iter_mut().zip(high.iter().zip(low)) {
                    let value = high.value() + low.value();
                    *sum += value * value;
                }
            }
        }
        sums.iter().sum()
    }
}

/// Sums that are added up side by side.
const LANES: usize = 16;
