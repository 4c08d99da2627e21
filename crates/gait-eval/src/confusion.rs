//! The errors of a test one by one: probes whose nearest gallery sequence is of another person.

use crate::pairs::Pairs;
use crate::rows::map_rows;
use crate::selection::{self, Chosen};
use crate::{Distance, Embeddings, EvalError, Protocol, Watch};

/// A probe that is nearer to a sequence of another person than to all of its own person.
///
/// Sequences are indices in the embeddings.
#[derive(Debug, Clone, PartialEq)]
pub struct Confusion {
    /// The group of the probe.
    pub group: String,
    /// The probe.
    pub probe: usize,
    /// The nearest sequence of the gallery, which is of another person.
    pub wrong: Neighbour,
    /// The nearest sequence of the probe's own person.
    pub right: Neighbour,
}

/// A sequence of the gallery and its distance from a probe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// The sequence.
    pub sequence: usize,
    /// The distance.
    pub distance: f32,
}

impl Confusion {
    /// How much farther the right person is than the wrong one; at least 0.
    pub fn gap(&self) -> f32 {
        gap(&[self.wrong, self.right])
    }
}

/// The errors that cost a protocol's rank-1 accuracy, the one with the largest gap first.
///
/// Where the protocol averages pairs of views, a probe is compared with each view of the gallery by
/// itself, and the worst of its errors is listed. Probes without a sequence of their own person to
/// compare with are not listed. Distances are not re-ranked.
///
/// # Errors
/// As [`crate::evaluate`].
pub fn confusions(
    e: &Embeddings,
    protocol: &Protocol,
    distance: Distance,
    watch: &Watch,
) -> Result<Vec<Confusion>, EvalError> {
    let mut notes = Vec::new();
    let chosen = selection::select(&e.names(), protocol, &mut notes)?;
    let pairs = Pairs::new(e, protocol, &chosen, &mut notes);
    let found = selection::each_group(protocol, &chosen, watch, |group, chosen, watch| {
        let parts = pairs.parts(&chosen.gallery, protocol.average);
        let worst = |at: usize, row: &[f32]| {
            let errors = parts.values().filter_map(|part| error(&pairs, chosen, at, part, row));
            let worst = errors.max_by(|a, b| gap(a).total_cmp(&gap(b)));
            let group = group.name.clone();
            worst.map(|[wrong, right]| Confusion { group, probe: chosen.probes[at], wrong, right })
        };
        map_rows(e, distance, &chosen.probes, &chosen.gallery, watch, worst)
    })?;
    let mut found: Vec<Confusion> = found.into_iter().flatten().flatten().collect();
    // A stable sort: equal gaps stay in the order of the protocol and of the data.
    found.sort_by(|a, b| b.gap().total_cmp(&a.gap()));
    Ok(found)
}

fn gap([wrong, right]: &[Neighbour; 2]) -> f32 {
    right.distance - wrong.distance
}

/// The nearest wrong and the nearest right sequence of a part of the gallery, if the wrong one is the
/// nearer one, or as near and first in the data.
fn error(
    pairs: &Pairs,
    chosen: &Chosen,
    at: usize,
    part: &[usize],
    row: &[f32],
) -> Option<[Neighbour; 2]> {
    let probe = chosen.probes[at];
    let mut nearest: [Option<Neighbour>; 2] = [None; 2];
    for &position in part {
        let sequence = chosen.gallery[position];
        if !pairs.compared(probe, sequence) {
            continue;
        }
        let found = Neighbour { sequence, distance: row[position] };
        let so_far = &mut nearest[usize::from(pairs.same_subject(probe, sequence))];
        if so_far.is_none_or(|so_far| found.distance < so_far.distance) {
            *so_far = Some(found);
        }
    }
    let [wrong, right] = nearest;
    let wrong = wrong?;
    let right = right?;
    let first = wrong.distance == right.distance && wrong.sequence < right.sequence;
    (wrong.distance < right.distance || first).then_some([wrong, right])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One-dimensional embeddings of named sequences, (subject, condition, view) and the value.
    fn embeddings(sequences: &[(&str, &str, &str, f32)]) -> Embeddings {
        let names = sequences.iter().map(|(s, c, v, _)| ((*s).into(), (*c).into(), (*v).into()));
        let values = sequences.iter().map(|(.., value)| *value).collect();
        Embeddings::new(1, 1, values, names).unwrap()
    }

    fn found(e: &Embeddings, protocol: &str) -> Vec<Confusion> {
        let protocol = Protocol::builtin(protocol).unwrap();
        confusions(e, &protocol, Distance::Strips, &Watch::silent()).unwrap()
    }

    #[test]
    fn the_error_with_the_largest_gap_comes_first() {
        let e = embeddings(&[
            ("anna", "1", "90", 0.0),
            ("anna", "2", "90", 7.0),
            ("ben", "1", "90", 10.0),
            ("ben", "2", "90", 11.0),
        ]);
        let found = found(&e, "leave-one-out");
        // anna/2 is at 7: 3 from ben, 7 from anna. All other probes are right.
        let wrong = Neighbour { sequence: 2, distance: 3.0 };
        let right = Neighbour { sequence: 0, distance: 7.0 };
        let expected = Confusion { group: "ALL".to_owned(), probe: 1, wrong, right };
        assert_eq!(found, [expected]);
        assert_eq!(found[0].gap(), 4.0);
    }

    #[test]
    fn a_probe_is_listed_once_with_the_worst_of_its_views() {
        let e = embeddings(&[
            ("a", "nm-01", "000", 0.0),
            ("a", "nm-01", "036", 0.0),
            ("a", "nm-01", "090", 0.0),
            ("b", "nm-01", "000", 5.0),
            ("b", "nm-01", "036", 9.0),
            ("b", "nm-01", "090", 6.0),
            ("a", "nm-05", "090", 6.5),
            ("b", "nm-05", "090", 6.0),
        ]);
        let found = found(&e, "casia-b");
        // a/nm-05 at 6.5 is nearer to b in view 000 (1.5 against 6.5) and in view 036 (2.5 against
        // 6.5); its own view is excluded.
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].probe, found[0].wrong.sequence, found[0].right.sequence), (6, 3, 0));
        assert_eq!(found[0].gap(), 5.0);
    }

    #[test]
    fn a_probe_that_has_no_own_sequence_in_the_gallery_is_not_listed() {
        let e = embeddings(&[("a", "nm-01", "000", 0.0), ("b", "nm-05", "090", 1.0)]);
        assert_eq!(found(&e, "casia-b"), []);
    }
}
