//! The inner loop of all distances: every probe of a block against every entry of a gallery block.
//!
//! A SIMD vector holds gallery entries, so each pair adds its channels one after the other, whatever
//! the width of the vectors. Squared differences cost no more than a matrix product where addition
//! and multiplication are one instruction, and keep equal embeddings at distance 0.
//!
//! The vectors come from `pulp`, which compiles one generic loop for each instruction set and picks
//! the best at run time. This loop needs no more, and so this crate has no unsafe code. The crate
//! gait-kernels has its own SIMD layer, because its convolutions depend on the instruction set in
//! more than the width of vectors: in tile sizes, numbers of registers and loads.

use std::borrow::Cow;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::columns::{Aligned, COLUMNS, Columns, Shape};
use crate::range::{Scale, normalize};
use crate::{Distance, Embeddings, EvalError};

/// Probes, and vectors of gallery entries, that are held in registers together. The entries of these
/// vectors are adjacent, channel after channel: 256 channels take 16 or 32 KiB, which stay in the L1
/// cache while all probes pass. With the whole block adjacent, every read came from the L2 cache,
/// and 5,000 sequences against 5,000 took 19.9 s with AVX2 instead of 9.5 s.
const ROWS: usize = 4;
pub(crate) const VECTORS: usize = 2;

/// Probes, `[parts, n, width]`.
pub(crate) struct Probes<'a> {
    e: &'a Embeddings,
    /// Which sequences of `e` they are, `[n]`.
    indices: &'a [usize],
    scale: Scale<'a>,
    shape: Shape,
    values: Vec<f32>,
}

impl<'a> Probes<'a> {
    pub fn new(e: &'a Embeddings, distance: Distance, indices: &'a [usize]) -> Self {
        Self::scaled(e, distance, indices, Scale::new(e, distance))
    }

    /// Probes in a given unit.
    pub fn scaled(
        e: &'a Embeddings,
        distance: Distance,
        indices: &'a [usize],
        scale: Scale<'a>,
    ) -> Self {
        let shape = Shape::new(e, distance);
        let n = indices.len();
        let mut values = vec![0.0; shape.parts * n * shape.width];
        let parts = values.par_chunks_exact_mut((n * shape.width).max(1)).enumerate();
        parts.for_each(|(part, vectors)| {
            for (vector, &index) in vectors.chunks_exact_mut(shape.width).zip(indices) {
                let row = shape.part(e.row(index), part);
                vector.iter_mut().zip(row).for_each(|(to, v)| *to = *v * scale.factor());
                if distance == Distance::Cosine {
                    normalize(vector, 1);
                }
            }
        });
        Self { e, indices, scale, shape, values }
    }

    /// Writes the distances `[n, entries]` to a block of the gallery, in the unit of [`Scale`].
    ///
    /// # Errors
    /// [`EvalError::Range`] if a distance is too small for the unit.
    pub fn compare(&self, gallery: &[usize], out: &mut [f32]) -> Result<(), EvalError> {
        self.compare_with(gallery, out, |tile| Arch::new().dispatch(tile))
    }

    fn compare_with(
        &self,
        gallery: &[usize],
        out: &mut [f32],
        run: impl FnOnce(Tile),
    ) -> Result<(), EvalError> {
        let mut sums = Aligned::new(self.indices.len() * COLUMNS);
        run(Tile { probes: self, gallery, sums: sums.values_mut() });
        self.finish(&sums, out, |at| Cow::Borrowed(self.e.row(gallery[at])))
    }

    /// Writes the distances `[n, entries]` to a packed block of the gallery, in the unit of [`Scale`].
    ///
    /// # Errors
    /// As [`Probes::compare`].
    pub fn compare_packed(&self, packed: &Columns, out: &mut [f32]) -> Result<(), EvalError> {
        let mut sums = Aligned::new(self.indices.len() * COLUMNS);
        let columns = packed.values();
        Arch::new().dispatch(PackedTile { probes: self, columns, sums: sums.values_mut() });
        self.finish(&sums, out, |at| Cow::Owned(packed.row(&self.shape, at)))
    }

    /// Distances `[n, entries]` from the sums `[n, COLUMNS]` of their parts.
    fn finish<'g>(
        &self,
        sums: &Aligned,
        out: &mut [f32],
        entry: impl Fn(usize) -> Cow<'g, [f32]>,
    ) -> Result<(), EvalError> {
        let parts = self.shape.parts as f32;
        let entries = out.len() / self.indices.len();
        let rows = sums.values().chunks_exact(COLUMNS).zip(out.chunks_exact_mut(entries));
        for ((sums, out), &probe) in rows.zip(self.indices) {
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = match self.shape.distance {
                    Distance::Strips => sum / parts,
                    Distance::Flat => sum.sqrt(),
                    Distance::Cosine => 1.0 - sum / parts,
                };
            }
            self.scale.refine(out, self.e.row(probe), &entry)?;
        }
        Ok(())
    }
}

/// One block of probes against one of the gallery; adds the distances of the parts to `sums`.
struct Tile<'a> {
    probes: &'a Probes<'a>,
    /// Which sequences are the gallery block.
    gallery: &'a [usize],
    /// `[n, COLUMNS]`
    sums: &'a mut [f32],
}

impl WithSimd for Tile<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Probes { e, shape, scale, .. } = self.probes;
        // Not a vector: the heap then gave the packed values a place at which 1,500 sequences against
        // 3,000 took 3.5 s instead of 2.7 s.
        let mut rows: [&[f32]; COLUMNS] = [&[]; COLUMNS];
        for (row, &i) in rows.iter_mut().zip(self.gallery) {
            *row = e.row(i);
        }
        let rows = &rows[..self.gallery.len()];
        let packed = Columns::grouped(shape, scale.factor(), rows, VECTORS * S::F32_LANES);
        let columns = packed.values();
        PackedTile { probes: self.probes, columns, sums: self.sums }.with_simd(simd);
    }
}

/// One block of probes against a packed one of the gallery; adds the distances of the parts to
/// `sums`.
struct PackedTile<'a> {
    probes: &'a Probes<'a>,
    /// [`Columns`] for the vectors that run this.
    columns: &'a [f32],
    /// `[n, COLUMNS]`
    sums: &'a mut [f32],
}

impl WithSimd for PackedTile<'_> {
    type Output = ();

    // No closures from here on: one that the compiler does not inline is compiled without the
    // instruction set, and is a hundred times slower.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Shape { distance, parts, width, .. } = self.probes.shape;
        let n = self.probes.indices.len();
        let (columns, _) = S::as_simd_f32s(self.columns);
        let (sums, _) = S::as_mut_simd_f32s(self.sums);
        let vectors = COLUMNS / S::F32_LANES;
        for part in 0..parts {
            let probes = &self.probes.values[part * n * width..][..n * width];
            let columns = &columns[part * width * vectors..][..width * vectors];
            let whole = n - n % ROWS;
            for (group, columns) in columns.chunks_exact(VECTORS * width).enumerate() {
                let sums = &mut sums[group * VECTORS..];
                for i in (0..whole).step_by(ROWS) {
                    let rows = &probes[i * width..][..ROWS * width];
                    let sums = &mut sums[i * vectors..];
                    add_distances::<S, ROWS>(simd, distance, rows, columns, sums, vectors);
                }
                for i in whole..n {
                    let rows = &probes[i * width..][..width];
                    let sums = &mut sums[i * vectors..];
                    add_distances::<S, 1>(simd, distance, rows, columns, sums, vectors);
                }
            }
        }
    }
}

/// Adds the distances between `R` probes `[R, width]` and a group of columns `[width, VECTORS]` to
/// the `VECTORS` first of each row of `sums`, whose rows are `step` vectors apart.
#[inline(always)]
fn add_distances<S: Simd, const R: usize>(
    simd: S,
    distance: Distance,
    rows: &[f32],
    columns: &[S::f32s],
    sums: &mut [S::f32s],
    step: usize,
) {
    let width = rows.len() / R;
    // Slices of one known length, so that the loop checks no bounds.
    let mut probes = [rows; R];
    for r in 0..R {
        probes[r] = &rows[r * width..][..width];
    }
    let columns = &columns[..VECTORS * width];
    let mut totals = [[simd.splat_f32s(0.0); VECTORS]; R];
    for k in 0..width {
        let line = &columns[VECTORS * k..][..VECTORS];
        for r in 0..R {
            let x = simd.splat_f32s(probes[r][k]);
            for j in 0..VECTORS {
                totals[r][j] = if distance == Distance::Cosine {
                    simd.mul_add_e_f32s(x, line[j], totals[r][j])
                } else {
                    let difference = simd.sub_f32s(x, line[j]);
                    simd.mul_add_e_f32s(difference, difference, totals[r][j])
                };
            }
        }
    }
    for r in 0..R {
        for j in 0..VECTORS {
            let sum = &mut sums[r * step + j];
            let total = totals[r][j];
            let total = if distance == Distance::Strips { simd.sqrt_f32s(total) } else { total };
            *sum = simd.add_f32s(*sum, total);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distances of 7 probes to 61 entries with some instruction set.
    fn distances(distance: Distance, run: impl FnOnce(Tile)) -> Vec<f32> {
        let (n, channels, strips) = (68, 131, 3);
        let values = (0..n * channels * strips).map(|i| (i * 7919 % 2003) as f32 / 500.0 - 2.0);
        let names = (0..n).map(|i| (i.to_string(), String::new(), String::new()));
        let e = Embeddings::new(channels, strips, values.collect(), names).unwrap();
        let probes: Vec<usize> = (0..7).collect();
        let gallery: Vec<usize> = (7..n).collect();
        let mut out = vec![f32::NAN; probes.len() * gallery.len()];
        Probes::new(&e, distance, &probes).compare_with(&gallery, &mut out, run).unwrap();
        out
    }

    fn check(run: impl Fn(Tile)) {
        for distance in Distance::ALL {
            let plain = distances(distance, |tile| tile.with_simd(pulp::Scalar));
            let fast = distances(distance, &run);
            for (a, b) in plain.iter().zip(&fast) {
                // Fused or not, 131 or 256 additions in single precision.
                assert!((a - b).abs() <= 4e-6 * a.abs().max(1.0), "{distance}: {a}, {b}");
            }
        }
    }

    #[test]
    fn this_machines_vectors_agree_with_plain_numbers() {
        check(|tile| Arch::new().dispatch(tile));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn narrower_vectors_give_the_same_bits_where_both_fuse() {
        if let (Some(v3), Some(v4)) = (pulp::x86::V3::try_new(), pulp::x86::V4::try_new()) {
            for distance in Distance::ALL {
                let narrow = distances(distance, |tile| Simd::vectorize(v3, tile));
                assert_eq!(
                    narrow,
                    distances(distance, |tile| Simd::vectorize(v4, tile)),
                    "{distance}"
                );
            }
        }
    }
}
