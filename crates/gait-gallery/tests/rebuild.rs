//! A gallery for another network, from the silhouettes that were kept.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{enrolment, me, network};
use gait_gallery::{
    AuditQuery, Enrolment, Event, Gallery, GalleryError, MemoryStore, Network, SqliteStore, Store,
    create_key_file,
};

/// An enrolment whose silhouettes are the bytes of its first values.
fn with_silhouettes(at: f32, templates: usize) -> Enrolment {
    let mut enrolment = enrolment(at, templates);
    for template in &mut enrolment.templates {
        let bytes = template.values[1].to_le_bytes().to_vec();
        template.silhouettes = Some(bytes);
    }
    enrolment
}

/// One channel, two strips.
fn other() -> Network {
    Network { fingerprint: "bbbb".to_owned(), channels: 1, strips: 2 }
}

fn values(silhouettes: &[u8]) -> Vec<f32> {
    let value = f32::from_le_bytes(silhouettes.try_into().unwrap());
    vec![value, -value]
}

fn check(mut gallery: Gallery<impl Store>) {
    gallery.enrol("ben", &with_silhouettes(1.0, 2), &me()).unwrap();
    gallery.enrol("cleo", &with_silhouettes(5.0, 1), &me()).unwrap();
    gallery.enrol("dan", &with_silhouettes(7.0, 1), &me()).unwrap();
    gallery.merge("dan", "cleo", &me()).unwrap();
    let count = gallery.rebuild(&other(), &mut |frames| Ok(values(frames)), &me()).unwrap();
    assert_eq!(count, 4);
    assert_eq!(gallery.network().unwrap(), Some(other()));
    let embeddings = gallery.embeddings(me().at).unwrap().unwrap();
    assert_eq!(embeddings.subjects(), ["ben", "ben", "cleo", "cleo"]);
    assert_eq!(embeddings.values(), [1.0, -1.0, 1.01, -1.01, 5.0, -5.0, 7.0, -7.0]);
    let infos = gallery.templates("ben").unwrap();
    assert_eq!((infos[0].network.as_str(), infos[0].origin.frames), ("bbbb", 64));
    let audit = gallery.audit(&AuditQuery::default()).unwrap();
    let expected = Event::Rebuilt { network: "bbbb".into(), templates: 4 };
    assert_eq!(audit.last().unwrap().event, expected);
    // Once more: the silhouettes are still there.
    assert_eq!(gallery.rebuild(&other(), &mut |frames| Ok(values(frames)), &me()).unwrap(), 4);
}

#[test]
fn templates_are_made_anew_in_every_store() {
    check(Gallery::open(MemoryStore::default(), None, &me()).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    check(Gallery::open(SqliteStore::open_or_create(&at("a.db")).unwrap(), None, &me()).unwrap());
    create_key_file(&at("key")).unwrap();
    let store = SqliteStore::open_or_create(&at("b.db")).unwrap();
    check(Gallery::open(store, Some(&at("key")), &me()).unwrap());
}

#[test]
fn an_encrypted_gallery_seals_silhouettes() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    create_key_file(&at("key")).unwrap();
    let store = SqliteStore::open_or_create(&at("a.db")).unwrap();
    let mut gallery = Gallery::open(store, Some(&at("key")), &me()).unwrap();
    let mut enrolment = enrolment(1.0, 1);
    let secret = b"these are the frames of a walk";
    enrolment.templates[0].silhouettes = Some(secret.to_vec());
    gallery.enrol("ben", &enrolment, &me()).unwrap();
    for name in ["a.db", "a.db-wal"] {
        let bytes = std::fs::read(at(name)).unwrap();
        assert!(!bytes.windows(secret.len()).any(|part| part == secret), "{name}");
    }
}

#[test]
fn a_rebuild_that_fails_changes_nothing() {
    let mut gallery = Gallery::open(MemoryStore::default(), None, &me()).unwrap();
    gallery.enrol("ben", &with_silhouettes(1.0, 1), &me()).unwrap();
    gallery.enrol("cleo", &enrolment(5.0, 1), &me()).unwrap();
    let error = gallery.rebuild(&other(), &mut |frames| Ok(values(frames)), &me()).unwrap_err();
    assert!(matches!(&error, GalleryError::NoSilhouettes { name } if name == "cleo"), "{error}");
    let failing = gallery.rebuild(&other(), &mut |_| Err("no".into()), &me()).unwrap_err();
    assert!(matches!(failing, GalleryError::Embed(_)), "{failing}");
    let wrong = gallery.rebuild(&other(), &mut |_| Ok(vec![1.0]), &me()).unwrap_err();
    assert!(matches!(wrong, GalleryError::Embeddings(_)), "{wrong}");
    assert_eq!(gallery.network().unwrap(), Some(network()));
    assert_eq!(gallery.embeddings(me().at).unwrap().unwrap().row(0)[0], 1.0);
}

#[test]
fn a_gallery_of_the_first_version_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(include_str!("../src/schema.sql")).unwrap();
    connection.pragma_update(None, "application_id", 0x4741_4954).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    drop(connection);
    check(Gallery::open(SqliteStore::open(&path).unwrap(), None, &me()).unwrap());
}
