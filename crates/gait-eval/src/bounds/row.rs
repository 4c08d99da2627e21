//! What a first pass tells of the distances of one probe.

use super::pair::Exact;
use crate::EvalError;

/// What is known of the distances of one probe to the gallery, in the unit of
/// [`Scale`](crate::range::Scale).
pub(crate) struct Row<'a> {
    /// Each distance lies between these, `[gallery]`. Where they are equal, it is known.
    low: &'a mut [f32],
    high: &'a mut [f32],
    /// What computes a distance; `None` if all are known.
    open: Option<Open<'a>>,
}

/// A probe and its gallery.
pub(super) struct Open<'a> {
    pub exact: &'a Exact<'a>,
    pub probe: usize,
    pub gallery: &'a [usize],
}

impl<'a> Row<'a> {
    /// Bounds, and what computes the distances that they leave open.
    ///
    /// # Errors
    /// As [`Row::distance`].
    pub(super) fn bounded(
        low: &'a mut [f32],
        high: &'a mut [f32],
        open: Open<'a>,
    ) -> Result<Self, EvalError> {
        let close = open.exact.scale.close();
        let mut row = Self { low, high, open: Some(open) };
        // A distance that vanishes is an error wherever it is in the ranking, and the bounds do not
        // hold for those that are computed in double precision.
        for at in 0..row.low.len() {
            if row.low[at] <= close {
                row.distance(at)?;
            }
        }
        Ok(row)
    }

    /// Calls `f` with known distances.
    pub fn known<T>(distances: &[f32], f: impl FnOnce(&mut Row) -> T) -> T {
        let mut low = distances.to_vec();
        let mut high = distances.to_vec();
        f(&mut Row { low: &mut low, high: &mut high, open: None })
    }

    /// No distance is below its bound.
    pub fn low(&self) -> &[f32] {
        self.low
    }

    /// No distance is above its bound.
    pub fn high(&self) -> &[f32] {
        self.high
    }

    /// The distance to an entry, which is known from then on.
    ///
    /// # Errors
    /// [`EvalError::Range`] if it is too small for the unit.
    pub fn distance(&mut self, at: usize) -> Result<f32, EvalError> {
        if let Some(open) = self.open.as_ref().filter(|_| self.low[at] != self.high[at]) {
            let distance = open.exact.distance(open.probe, open.gallery[at])?;
            self.low[at] = distance;
            self.high[at] = distance;
        }
        Ok(self.low[at])
    }

    /// The `most` nearest entries and their distances, nearest first; of equal distances, the first
    /// in the gallery.
    ///
    /// # Errors
    /// As [`Row::distance`].
    pub fn nearest(&mut self, most: usize) -> Result<Vec<(f32, usize)>, EvalError> {
        let nearer = |a: &(f32, usize), b: &(f32, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        let mut farthest = f32::INFINITY;
        if most < self.high.len() {
            // So many are not farther than this.
            let mut high = self.high.to_vec();
            let (_, last, _) = high.select_nth_unstable_by(most.saturating_sub(1), f32::total_cmp);
            farthest = *last;
        }
        let candidates = self.low.iter().copied().zip(0..).filter(|(low, _)| *low <= farthest);
        let mut candidates: Vec<(f32, usize)> = candidates.collect();
        candidates.sort_by(nearer);
        let mut found: Vec<(f32, usize)> = Vec::new();
        for (low, at) in candidates {
            if found.len() >= most && found.last().is_none_or(|last| low > last.0) {
                break;
            }
            let entry = (self.distance(at)?, at);
            found.insert(found.partition_point(|other| nearer(other, &entry).is_lt()), entry);
            found.truncate(most);
        }
        Ok(found)
    }
}
