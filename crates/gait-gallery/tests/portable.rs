//! Export and import.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::Path;

use common::{by, day, enrolment, me, names, until};
use gait_eval::{Distance, OpenSetRule};
use gait_gallery::{
    Calibration, Counts, Gallery, GalleryError, MemoryStore, PortableProblem, SqliteStore,
    create_key_file,
};
use gait_support::full_message;

fn empty() -> Gallery<MemoryStore> {
    Gallery::open(MemoryStore::default(), None, &me()).unwrap()
}

/// Ben by his own consent, Cleo by the policy, Dora until the end of January.
fn people(folder: &Path) -> Gallery {
    let key = folder.join("people.key");
    create_key_file(&key).unwrap();
    let store = SqliteStore::open_or_create(&folder.join("people.db")).unwrap();
    let mut gallery = Gallery::open(store, Some(&key), &me()).unwrap();
    gallery.set_policy(&until("12-31"), &me()).unwrap();
    gallery.enrol("ben", &enrolment(1.0 / 3.0, 2), &me()).unwrap();
    let mut cleo = enrolment(-2e-38, 1);
    cleo.consent = None;
    gallery.enrol("cleo", &cleo, &me()).unwrap();
    let mut dora = enrolment(3e20, 1);
    dora.consent = Some(until("01-31"));
    gallery.enrol("dora", &dora, &me()).unwrap();
    let calibration = Calibration {
        rule: OpenSetRule { threshold: 0.1, margin: 0.3 },
        distance: Distance::Strips,
        false_accept_rate: 0.01,
        pairs: 1000,
        network: "aaaa".to_owned(),
        source: "unseen people".to_owned(),
        at: day("01-02"),
    };
    gallery.set_calibration(&calibration, &me()).unwrap();
    gallery
}

fn exported(at: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut text = Vec::new();
    people(folder.path()).export(&mut text, &by(day(at))).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn what_is_exported_is_imported() {
    let folder = tempfile::tempdir().unwrap();
    let mut old = people(folder.path());
    let mut text = Vec::new();
    let counts = Counts { subjects: 3, templates: 4 };
    assert_eq!(old.export(&mut text, &me()).unwrap(), counts);
    let mut new = empty();
    assert_eq!(new.import(&mut text.as_slice(), &me()).unwrap(), counts);
    assert_eq!(new.policy().unwrap(), old.policy().unwrap());
    assert_eq!(new.calibration().unwrap(), old.calibration().unwrap());
    assert_eq!(new.network().unwrap(), old.network().unwrap());
    // Every bit of the values, and all that is known of the subjects but their numbers.
    assert_eq!(new.embeddings(day("01-02")).unwrap(), old.embeddings(day("01-02")).unwrap());
    let known = |mut subject: gait_gallery::Subject| {
        subject.id = 0;
        subject
    };
    let [mut there, here] = [new.subjects().unwrap(), old.subjects().unwrap()];
    assert_eq!(
        there.drain(..).map(known).collect::<Vec<_>>(),
        here.into_iter().map(known).collect::<Vec<_>>()
    );
    let origins = |templates: Vec<gait_gallery::TemplateInfo>| -> Vec<_> {
        templates.into_iter().map(|template| (template.network, template.origin)).collect()
    };
    let [new_ben, old_ben] = [new.templates("ben").unwrap(), old.templates("ben").unwrap()];
    assert_eq!(origins(new_ben), origins(old_ben));
}

#[test]
fn people_whose_consents_have_ended_are_not_exported() {
    let text = exported("02-01");
    assert!(!text.contains("dora"));
    let mut new = empty();
    new.import(&mut text.as_bytes(), &me()).unwrap();
    assert_eq!(names(&new), ["ben", "cleo"]);
}

#[test]
fn consents_do_not_change_under_another_policy() {
    let text = exported("01-02");
    let mut new = empty();
    new.set_policy(&until("11-30"), &me()).unwrap();
    new.import(&mut text.as_bytes(), &me()).unwrap();
    assert_eq!(new.policy().unwrap(), Some(until("11-30")));
    let cleo = new.subject("cleo").unwrap();
    assert_eq!((cleo.consent, cleo.own_consent), (until("12-31"), true));
}

#[test]
fn names_and_networks_that_are_there_are_refused() {
    let text = exported("01-02");
    let mut new = empty();
    new.enrol("cleo", &enrolment(5.0, 1), &me()).unwrap();
    let error = new.import(&mut text.as_bytes(), &me()).unwrap_err();
    assert!(matches!(error, GalleryError::NameTaken { name } if name == "cleo"));
    assert_eq!(names(&new), ["cleo"], "all or none");

    let mut other = enrolment(5.0, 1);
    other.network.fingerprint = "bbbb".to_owned();
    let mut new = empty();
    new.enrol("eve", &other, &me()).unwrap();
    let error = new.import(&mut text.as_bytes(), &me()).unwrap_err();
    assert!(matches!(error, GalleryError::OtherNetwork { .. }));
}

#[test]
fn damaged_files_are_errors_with_the_line() {
    let text = exported("01-02");
    let lines: Vec<&str> = text.lines().collect();
    let problem = |text: &str| {
        let mut new = empty();
        let error = new.import(&mut text.as_bytes(), &me()).unwrap_err();
        assert!(names(&new).is_empty());
        let message = full_message(&error);
        assert!(!message.contains('\n'), "{message}");
        match error {
            GalleryError::Portable(error) => (error.line, error.problem),
            error => panic!("{error}"),
        }
    };
    for end in 1..lines.len() {
        let found = problem(&lines[..end].join("\n"));
        assert!(matches!(found, (line, PortableProblem::Truncated) if line == end + 1));
        let missing = [&lines[..end], &lines[end + 1..]].concat().join("\n");
        let (_, found) = problem(&missing);
        assert!(matches!(found, PortableProblem::Truncated | PortableProblem::Damaged(_)));
    }
    assert!(matches!(problem(""), (1, PortableProblem::NotAGallery)));
    assert!(matches!(problem("{}"), (1, PortableProblem::Damaged(_))));
    assert!(matches!(problem(&lines[1..].join("\n")), (1, PortableProblem::NotAGallery)));
    assert!(matches!(problem(&text[..text.len() / 2]), (_, PortableProblem::Damaged(_))));
    let newer = text.replacen("\"version\":1", "\"version\":2", 1);
    assert!(matches!(problem(&newer), (1, PortableProblem::Newer { found: 2, known: 1 })));
    let mixed =
        text.replacen("{\"template\":{\"network\":\"aaaa\"", "{\"template\":{\"network\":\"b\"", 1);
    assert!(matches!(problem(&mixed), (3, PortableProblem::Damaged(_))));
}
