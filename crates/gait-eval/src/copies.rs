//! Finds exact copies among embeddings, as a file has them that holds everything twice.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::Embeddings;

/// Which sequences have exactly the same embedding as another one.
pub(crate) struct Copies {
    /// The first sequence with the same embedding, by sequence.
    originals: Vec<usize>,
    /// Sequences by their first equal one, where there are several.
    groups: BTreeMap<usize, Vec<usize>>,
}

impl Copies {
    pub fn find(e: &Embeddings) -> Self {
        let hashes: Vec<u64> = (0..e.len()).into_par_iter().map(|i| hash(e.row(i))).collect();
        let mut by_hash: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        let mut originals = Vec::with_capacity(e.len());
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (i, hash) in hashes.into_iter().enumerate() {
            let same_hash = by_hash.entry(hash).or_default();
            match same_hash.iter().copied().find(|&first| e.row(first) == e.row(i)) {
                Some(first) => {
                    originals.push(first);
                    groups.entry(first).or_insert_with(|| vec![first]).push(i);
                }
                None => {
                    originals.push(i);
                    same_hash.push(i);
                }
            }
        }
        Self { originals, groups }
    }

    /// The sequences with the same embedding as sequence `i`, itself included; none if it is alone.
    pub fn same_as(&self, i: usize) -> &[usize] {
        self.groups.get(&self.originals[i]).map_or(&[], Vec::as_slice)
    }
}

/// Equal for equal rows; -0 equals 0.
fn hash(row: &[f32]) -> u64 {
    // FNV-1a by values instead of bytes. Adding 0 makes -0 positive.
    row.iter().fold(0xCBF2_9CE4_8422_2325, |hash, value| {
        (hash ^ u64::from((value + 0.0).to_bits())).wrapping_mul(0x0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rows_are_copies_and_others_are_not() {
        let values = vec![1.0, 0.0, 2.0, 0.0, 1.0, -0.0, 2.0, 0.5, 1.0, 0.0];
        let names = (0..5).map(|i| (i.to_string(), String::new(), String::new()));
        let copies = Copies::find(&Embeddings::new(2, 1, values, names).unwrap());
        assert_eq!(copies.same_as(0), [0, 2, 4]);
        assert_eq!(copies.same_as(4), [0, 2, 4]);
        assert!(copies.same_as(1).is_empty() && copies.same_as(3).is_empty());
    }
}
