//! Search against the full matrix of distances.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{enrolment, me, network, windows};
use gait_eval::{Distance, Embeddings, distance_matrix};
use gait_gallery::{Enrolment, Gallery, MemoryStore, Network};

/// Reproducible noise in [-1, 1).
fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn candidates_have_the_mean_of_the_smallest_distances() {
    let [channels, strips, people, windows] = [5, 4, 30, 3];
    let width = channels * strips;
    let network = Network { fingerprint: "n".to_owned(), channels, strips };
    let mut gallery = Gallery::open(MemoryStore::default(), None, &me()).unwrap();
    let mut owners = Vec::new();
    let mut values = noise(windows * width, 7);
    let probes = values.clone();
    for person in 0..people {
        let mut one = enrolment(0.0, 1 + person % 4);
        one.network = network.clone();
        for template in &mut one.templates {
            template.values = noise(width, 100 + owners.len() as u32);
            values.extend(&template.values);
            owners.push(person);
        }
        let enrolment = Enrolment { network: network.clone(), ..one };
        gallery.enrol(&person.to_string(), &enrolment, &me()).unwrap();
    }
    let unnamed = |values: Vec<f32>| {
        let names = (0..values.len() / width).map(|_| Default::default());
        Embeddings::new(channels, strips, values, names).unwrap()
    };
    let all = unnamed(values);
    let [left, right] = [0..windows, windows..all.len()].map(Iterator::collect::<Vec<usize>>);
    for distance in Distance::ALL {
        let matrix = distance_matrix(&all, distance, &left, &right).unwrap();
        let mut expected: Vec<(f32, String)> = Vec::new();
        for person in 0..people {
            let mut sum = 0.0;
            for row in matrix.chunks(owners.len()) {
                let own = row.iter().zip(&owners).filter(|(_, owner)| **owner == person);
                sum += own.map(|(d, _)| f64::from(*d)).fold(f64::INFINITY, f64::min);
            }
            expected.push(((sum / windows as f64) as f32, person.to_string()));
        }
        expected.sort_by(|a, b| a.0.total_cmp(&b.0));
        let index = gallery.index(&network, distance, me().at).unwrap();
        assert_eq!((index.subjects(), index.templates()), (people, owners.len()));
        let candidates = index.rank(&unnamed(probes.clone()), me().at, people).unwrap();
        let found: Vec<(f32, String)> =
            candidates.into_iter().map(|c| (c.distance, c.subject)).collect();
        assert_eq!(found, expected, "{distance}");
        for (most, found) in [(0, 2), (2, 2), (3, 3)] {
            let few = index.rank(&unnamed(probes.clone()), me().at, most).unwrap();
            assert_eq!(few.len(), found);
            assert_eq!(few[0].distance, expected[0].0);
        }
    }
}

#[test]
fn a_window_that_is_wrong_does_not_decide_alone() {
    let mut gallery = Gallery::open(MemoryStore::default(), None, &me()).unwrap();
    let ben = gallery.enrol("ben", &enrolment(1.0, 1), &me()).unwrap();
    gallery.enrol("cleo", &enrolment(3.0, 2), &me()).unwrap();
    let index = gallery.index(&network(), Distance::Strips, me().at).unwrap();
    let best = |at: &[f32]| index.rank(&windows(at), me().at, 1).unwrap()[0].clone();
    assert_eq!(best(&[2.4]).subject, "cleo");
    assert_eq!(best(&[2.4, 1.1, 1.0]).subject, "ben");
    assert_eq!(best(&[2.4, 1.1, 1.0]).id, ben);
    let templates = gallery.templates("cleo").unwrap();
    assert_eq!(best(&[3.0]).template, templates[0].id);
    assert_eq!(best(&[3.01]).template, templates[1].id);
}

#[test]
fn windows_of_another_shape_are_refused() {
    let mut gallery = Gallery::open(MemoryStore::default(), None, &me()).unwrap();
    gallery.enrol("ben", &enrolment(1.0, 1), &me()).unwrap();
    let index = gallery.index(&network(), Distance::Strips, me().at).unwrap();
    let other = Embeddings::new(2, 3, vec![0.0; 6], [Default::default()]).unwrap();
    let error = index.rank(&other, me().at, 1).unwrap_err().to_string();
    assert!(error.contains("2x3") && error.contains("3x2"), "{error}");
}
