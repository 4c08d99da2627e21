//! People to import.

use std::fs::File;
use std::path::Path;

use gait_gallery::{By, Enrolment, Gallery, MemoryStore, Network, Origin, Template, Timestamp};
use serde_json::Value;

use crate::common::ok;

/// A person whose templates are near `at`.
pub struct Person {
    pub name: String,
    pub at: f32,
    pub templates: usize,
    /// The end of the consent.
    pub until: &'static str,
}

/// Somebody whose consent holds.
pub fn person(name: impl Into<String>, at: f32, templates: usize) -> Person {
    Person { name: name.into(), at, templates, until: "2999-12-31" }
}

/// Alice and Ben, and Cleo whose consent has ended.
pub fn three() -> Vec<Person> {
    let cleo = Person { until: "2020-06-30", ..person("cleo", 9.0, 1) };
    vec![person("alice", 1.0, 3), person("ben", 5.0, 2), cleo]
}

/// What every template of a person holds, but for its number.
pub fn values(at: f32, template: usize) -> Vec<f32> {
    vec![at, at + 0.01 * template as f32, 0.1, 1e-30, -at, 0.0]
}

/// A moment at which all consents hold.
fn then() -> Timestamp {
    "2020-01-02T12:00:00Z".parse().unwrap()
}

/// Writes people to a file that can be imported; the network has three channels and two strips.
pub fn write(path: &Path, network: &str, people: &[Person]) {
    let by = By { who: "anna@door".to_owned(), at: then() };
    let mut gallery = Gallery::open(MemoryStore::default(), None, &by).unwrap();
    for Person { name, at, templates, until } in people {
        let origin = |template: usize| Origin {
            source: format!("door-{template}.mp4"),
            date: then(),
            frames: 64,
            view: Some("090".to_owned()),
            quality: Some(0.875),
        };
        let template =
            |i| Template { origin: origin(i), values: values(*at, i), silhouettes: None };
        let enrolment = Enrolment {
            consent: Some(format!("form 7, 2020-01-01, door, {until}").parse().unwrap()),
            network: Network { fingerprint: network.to_owned(), channels: 3, strips: 2 },
            templates: (0..*templates).map(template).collect(),
        };
        gallery.enrol(name, &enrolment, &by).unwrap();
    }
    gallery.export(&mut File::create(path).unwrap(), &by).unwrap();
}

/// Imports people with the program; `files` are the flags of the gallery.
pub fn import(folder: &Path, files: &str, people: &[Person]) {
    write(&folder.join("people.jsonl"), "aaaa", people);
    ok(folder, &format!("gallery import people.jsonl {files}"));
}

/// What a command line writes as JSON.
pub fn json(folder: &Path, line: &str) -> Value {
    serde_json::from_str(&ok(folder, &format!("{line} --json -"))).unwrap()
}

/// The names in a gallery.
pub fn names(folder: &Path, files: &str) -> Vec<String> {
    let list = json(folder, &format!("gallery list {files}"));
    let people = list["people"].as_array().unwrap();
    people.iter().map(|person| person["name"].as_str().unwrap().to_owned()).collect()
}

/// The actions in the audit of a gallery.
pub fn actions(folder: &Path, line: &str) -> Vec<String> {
    let audit = json(folder, &format!("gallery audit {line}"));
    let entries = audit["entries"].as_array().unwrap();
    entries.iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
}
