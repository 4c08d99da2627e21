//! Which of a detector's boxes are kept.

use std::path::Path;

use serde::Deserialize;

use super::Detection;
use crate::ModelError;
use crate::description::check_range;

/// The table `[output.selection]` of a description.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Selection {
    /// The lowest score.
    min_score: f32,
    /// The largest overlap with a box of a higher score (intersection over union).
    max_overlap: f32,
}

impl Selection {
    /// Most boxes of one frame. A crowd has fewer; a network that finds people everywhere has more.
    const MOST: usize = 300;

    pub(super) fn check(&self, path: &Path) -> Result<(), ModelError> {
        check_range(path, "output.selection.min-score", self.min_score.into(), 0.0, 1.0)?;
        check_range(path, "output.selection.max-overlap", self.max_overlap.into(), 0.0, 1.0)
    }

    /// Keeps the best box of each person, the highest score first (greedy non-maximum suppression).
    pub(super) fn select(&self, mut found: Vec<Detection>) -> Vec<Detection> {
        found.retain(|found| found.score >= self.min_score && found.bounds.is_proper());
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut kept: Vec<Detection> = Vec::new();
        for candidate in found {
            let distinct =
                |better: &Detection| candidate.bounds.overlap(&better.bounds) <= self.max_overlap;
            if kept.len() < Self::MOST && kept.iter().all(distinct) {
                kept.push(candidate);
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bounds;

    fn detection(x: f32, score: f32) -> Detection {
        Detection { bounds: Bounds::around(x, 50.0, 10.0, 30.0), score }
    }

    #[test]
    fn the_best_box_of_each_person_is_kept() {
        // Shifts of 2 and 4 pixels overlap by 8/12 and 6/14 of the union.
        let selection = Selection { min_score: 0.3, max_overlap: 0.5 };
        let found = [(20.0, 0.6), (22.0, 0.9), (26.0, 0.5), (80.0, 0.3), (90.0, 0.29)];
        let kept = selection.select(found.map(|(x, score)| detection(x, score)).to_vec());
        assert_eq!(kept, [detection(22.0, 0.9), detection(26.0, 0.5), detection(80.0, 0.3)]);
    }

    #[test]
    fn what_is_no_number_is_dropped() {
        let selection = Selection { min_score: 0.0, max_overlap: 0.5 };
        let found = vec![detection(20.0, f32::NAN), detection(f32::NAN, 0.9), detection(5.0, 0.1)];
        assert_eq!(selection.select(found), [detection(5.0, 0.1)]);
    }

    #[test]
    fn their_number_is_bounded() {
        let selection = Selection { min_score: 0.0, max_overlap: 0.5 };
        let found = (0..2000).map(|i| detection(i as f32 * 20.0, 0.5)).collect();
        assert_eq!(selection.select(found).len(), Selection::MOST);
    }
}
