//! People to enrol.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use gait_eval::Embeddings;
use gait_gallery::{
    By, Consent, Enrolment, Gallery, Network, Origin, SqliteStore, Template, Timestamp,
};

/// A moment in 2026.
pub fn day(month_and_day: &str) -> Timestamp {
    format!("2026-{month_and_day}T12:00:00Z").parse().unwrap()
}

pub fn by(at: Timestamp) -> By {
    By { who: "anna@door".to_owned(), at }
}

/// Somebody on the second of January.
pub fn me() -> By {
    by(day("01-02"))
}

/// From the first of January until a day of the same year.
pub fn until(month_and_day: &str) -> Consent {
    format!("form 7, 2026-01-01, door, 2026-{month_and_day}").parse().unwrap()
}

/// Three channels, two strips.
pub fn network() -> Network {
    Network { fingerprint: "aaaa".to_owned(), channels: 3, strips: 2 }
}

pub fn template(values: [f32; 6]) -> Template {
    let origin = Origin {
        source: "door.mp4".to_owned(),
        date: day("01-01"),
        frames: 64,
        view: Some("090".to_owned()),
        quality: Some(0.875),
    };
    Template { origin, values: values.to_vec(), silhouettes: None }
}

/// Templates that are near `at`, with a consent until the end of June.
pub fn enrolment(at: f32, templates: usize) -> Enrolment {
    let values = |i: usize| [at, at + 0.01 * i as f32, 0.1, 1e-30, -at, 0.0];
    Enrolment {
        consent: Some(until("06-30")),
        network: network(),
        templates: (0..templates).map(|i| template(values(i))).collect(),
    }
}

/// Windows of a track, near `at`.
pub fn windows(at: &[f32]) -> Embeddings {
    let values = at.iter().flat_map(|&at| [at, at, 0.1, 0.0, -at, 0.0]).collect();
    let names = at.iter().map(|at| (String::new(), at.to_string(), String::new()));
    Embeddings::new(3, 2, values, names).unwrap()
}

pub fn opened(path: &Path, key_file: Option<&Path>) -> Gallery {
    let store = SqliteStore::open_or_create(path).unwrap();
    Gallery::open(store, key_file, &me()).unwrap()
}

pub fn names<S: gait_gallery::Store>(gallery: &Gallery<S>) -> Vec<String> {
    gallery.subjects().unwrap().into_iter().map(|subject| subject.name).collect()
}
