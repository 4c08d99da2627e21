//! k-reciprocal re-ranking (Zhong et al., "Re-ranking Person Re-identification with k-reciprocal
//! Encoding", CVPR 2017), as gait competitions use it: the distance of two sequences is blended
//! with the share of near neighbours that they do not have in common.
//!
//! Neighbourhoods are sparse, so memory grows with `n * k`, not with `n * n`. Published code stores
//! neighbourhood weights in half precision; here they have double precision, so near ties may be
//! ordered differently.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::rows::{relative_matrix, relative_rows};
use crate::{Distance, Embeddings, EvalError, Rerank, Watch};

/// Weights by sequence, in ascending order of sequences; they sum to 1.
type Neighbourhood = Vec<(usize, f64)>;

impl Rerank {
    /// As [`map_rows`](crate::map_rows), with re-ranked distances (0 to 1). Neighbours are sought
    /// among probes and gallery together.
    ///
    /// # Errors
    /// [`EvalError::Range`] if a distance exceeds single precision, [`EvalError::Stopped`] if the
    /// watch asks to stop.
    pub fn map_rows<T: Send>(
        &self,
        e: &Embeddings,
        distance: Distance,
        probes: &[usize],
        gallery: &[usize],
        watch: &Watch,
        f: impl Fn(usize, &[f32]) -> T + Sync,
    ) -> Result<Vec<T>, EvalError> {
        let mut place = BTreeMap::new();
        let mut everyone = Vec::new();
        for &i in probes.iter().chain(gallery) {
            place.entry(i).or_insert_with(|| {
                everyone.push(i);
                everyone.len() - 1
            });
        }
        let quiet = Watch { progress: &|_, _| {}, stop: watch.stop };
        let near = self.nearest(e, distance, &everyone, &quiet)?;
        let neighbourhoods: Vec<Neighbourhood> = (0..everyone.len())
            .into_par_iter()
            .map(|i| self.neighbourhood(e, distance, &everyone, &near, i))
            .collect::<Result<_, _>>()?;
        let neighbourhoods: Vec<Neighbourhood> = near
            .par_iter()
            .map(|near| average(near.order.iter().take(self.k2).map(|&j| &neighbourhoods[j])))
            .collect();
        // By sequence: the gallery positions that have it in their neighbourhood, and its weight.
        let mut holders: Vec<Vec<(usize, f64)>> = vec![Vec::new(); everyone.len()];
        for (position, i) in gallery.iter().enumerate() {
            for &(member, weight) in &neighbourhoods[place[i]] {
                holders[member].push((position, weight));
            }
        }
        relative_rows(e, distance, probes, gallery, watch, |at, row| {
            let i = place[&probes[at]];
            let mut shared = vec![0.0; row.len()];
            for &(member, weight) in &neighbourhoods[i] {
                for &(position, other) in &holders[member] {
                    shared[position] += weight.min(other);
                }
            }
            let blend = |(&d, shared): (&f32, f64)| {
                // Jaccard distance of two weighted sets of sum 1 each.
                let jaccard = 1.0 - shared / (2.0 - shared);
                (jaccard * (1.0 - self.lambda) + near[i].scaled(d) * self.lambda) as f32
            };
            let blended: Vec<f32> = row.iter().zip(shared).map(blend).collect();
            f(at, &blended)
        })
    }

    /// Neighbours of `k1 / 2`, halves rounded to even as numpy rounds them.
    fn half(&self) -> usize {
        (self.k1 as f64 / 2.0).round_ties_even() as usize
    }

    fn nearest(
        &self,
        e: &Embeddings,
        distance: Distance,
        everyone: &[usize],
        watch: &Watch,
    ) -> Result<Vec<Near>, EvalError> {
        let keep = (self.k1 + 1).max(self.k2).min(everyone.len());
        relative_rows(e, distance, everyone, everyone, watch, |_, row| {
            let nearer = |a: &usize, b: &usize| row[*a].total_cmp(&row[*b]).then(a.cmp(b));
            let mut order: Vec<usize> = (0..row.len()).collect();
            if keep < order.len() {
                order.select_nth_unstable_by(keep, nearer);
                order.truncate(keep);
            }
            order.sort_by(nearer);
            order.shrink_to_fit();
            Near { farthest: row.iter().copied().fold(0.0, f32::max), order }
        })
    }

    /// The sequences that have `i` among their nearest and are among the nearest of `i`, extended by
    /// the like of its members where these mostly agree; weighted by nearness.
    fn neighbourhood(
        &self,
        e: &Embeddings,
        distance: Distance,
        everyone: &[usize],
        near: &[Near],
        i: usize,
    ) -> Result<Neighbourhood, EvalError> {
        let core = reciprocal(near, i, self.k1 + 1);
        let mut members = core.clone();
        for &candidate in &core {
            let others = reciprocal(near, candidate, self.half() + 1);
            let common = others.iter().filter(|other| core.contains(other)).count();
            if 3 * common > 2 * others.len() {
                members.extend(others);
            }
        }
        members.sort_unstable();
        members.dedup();
        let indices: Vec<usize> = members.iter().map(|&m| everyone[m]).collect();
        let distances = relative_matrix(e, distance, &[everyone[i]], &indices)?;
        let weights: Vec<f64> = distances.iter().map(|&d| (-near[i].scaled(d)).exp()).collect();
        let sum: f64 = weights.iter().sum();
        Ok(members.into_iter().zip(weights).map(|(m, weight)| (m, weight / sum)).collect())
    }
}

/// The nearest sequences of one, including itself, nearest first.
struct Near {
    order: Vec<usize>,
    farthest: f32,
}

impl Near {
    /// A distance as a fraction of that to the farthest sequence.
    fn scaled(&self, d: f32) -> f64 {
        if self.farthest > 0.0 { f64::from(d) / f64::from(self.farthest) } else { 0.0 }
    }
}

/// Those of the `k` nearest of `i` that have `i` among their own `k` nearest.
fn reciprocal(near: &[Near], i: usize, k: usize) -> Vec<usize> {
    let nearest = |j: usize| near[j].order.iter().take(k);
    nearest(i).copied().filter(|&j| nearest(j).any(|&back| back == i)).collect()
}

fn average<'a>(some: impl ExactSizeIterator<Item = &'a Neighbourhood>) -> Neighbourhood {
    let n = some.len() as f64;
    let mut sums: BTreeMap<usize, f64> = BTreeMap::new();
    for (member, weight) in some.flatten() {
        *sums.entry(*member).or_default() += weight / n;
    }
    sums.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reranked(values: &[f32], [k1, k2]: [usize; 2], lambda: f64) -> Vec<f32> {
        let rerank = Rerank::new(k1, k2, lambda).unwrap();
        let names = values.iter().map(|_| (String::new(), String::new(), String::new()));
        let e = Embeddings::new(1, 1, values.to_vec(), names).unwrap();
        let gallery: Vec<usize> = (1..values.len()).collect();
        let rows = rerank
            .map_rows(&e, Distance::Flat, &[0], &gallery, &Watch::silent(), |_, r| r.to_vec());
        rows.unwrap().concat()
    }

    #[test]
    fn lambda_one_keeps_the_distances_in_scale() {
        let d = reranked(&[0.0, 1.0, 2.0, 4.0], [2, 1], 1.0);
        assert_eq!(d, [0.25, 0.5, 1.0]);
    }

    #[test]
    fn sequences_without_common_neighbours_are_at_distance_one() {
        // Two pairs far apart: with one neighbour each, the pairs share nothing.
        let d = reranked(&[0.0, 0.1, 10.0, 10.1], [1, 1], 0.0);
        assert!(d[0] < 0.1, "{d:?}");
        assert_eq!(d[1..], [1.0, 1.0]);
    }

    #[test]
    fn all_equal_embeddings_do_not_divide_by_zero() {
        let d = reranked(&[1.0; 5], [20, 6], 0.3);
        assert!(d.iter().all(|d| d.abs() < 1e-6), "{d:?}");
    }
}
