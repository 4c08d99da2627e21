//! Encrypted galleries.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{enrolment, me, names, opened};
use gait_gallery::{
    AuditQuery, Event, Gallery, GalleryError, KeyError, Removal, SqliteStore, create_key_file,
    subject_keys_path,
};

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// Keys `first` and `second`, in a folder of their own.
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(place.folder.path().join("keys")).unwrap();
        ["first", "second"].iter().for_each(|name| create_key_file(&place.key(name)).unwrap());
        place
    }

    fn key(&self, name: &str) -> PathBuf {
        self.folder.path().join("keys").join(name)
    }

    fn gallery(&self) -> PathBuf {
        self.folder.path().join("people.db")
    }
}

fn refusal(path: &Path, key: Option<&Path>) -> KeyError {
    let store = SqliteStore::open_or_create(path).unwrap();
    match Gallery::open(store, key, &me()) {
        Err(GalleryError::Key(error)) => error,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("opened"),
    }
}

#[test]
fn only_the_key_opens_the_gallery() {
    let place = Place::new();
    let first = place.key("first");
    let mut gallery = opened(&place.gallery(), Some(&first));
    gallery.enrol("Zebedee", &enrolment(1.0, 2), &me()).unwrap();
    drop(gallery);
    let bytes = fs::read(place.gallery()).unwrap();
    let value = 1f32.to_le_bytes().repeat(2);
    for secret in [b"Zebedee".as_slice(), b"door.mp4", b"form 7", &value] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{secret:?}");
    }
    assert_eq!(names(&opened(&place.gallery(), Some(&first))), ["Zebedee"]);
    assert!(matches!(refusal(&place.gallery(), None), KeyError::Needed));
    let second = place.key("second");
    // Not even with the right file of subjects' keys beside the wrong key.
    fs::copy(subject_keys_path(&first), subject_keys_path(&second)).unwrap();
    let wrong = refusal(&place.gallery(), Some(&second));
    assert!(matches!(&wrong, KeyError::Wrong { path } if *path == second), "{wrong}");

    let plain = place.folder.path().join("plain.db");
    drop(opened(&plain, None));
    assert!(matches!(refusal(&plain, Some(&first)), KeyError::NotEncrypted));
    let missing = refusal(&place.gallery(), Some(&place.key("third")));
    assert!(matches!(missing, KeyError::File(_)), "{missing}");
}

#[test]
fn without_the_keys_of_the_subjects_nothing_opens() {
    let place = Place::new();
    let key = place.key("first");
    opened(&place.gallery(), Some(&key)).enrol("ben", &enrolment(1.0, 1), &me()).unwrap();
    let keys = subject_keys_path(&key);
    assert_eq!(keys, place.key("first.subjects"));
    let saved = fs::read(&keys).unwrap();
    fs::remove_file(&keys).unwrap();
    let missing = refusal(&place.gallery(), Some(&key));
    assert!(matches!(missing, KeyError::SubjectKeysMissing { path } if path == keys));
    assert!(!keys.exists(), "not made anew");
    fs::write(&keys, saved).unwrap();
    opened(&place.gallery(), Some(&key)).check().unwrap();
}

#[test]
fn removed_people_stay_removed_in_a_backup_from_before() {
    let place = Place::new();
    let key = place.key("first");
    let mut gallery = opened(&place.gallery(), Some(&key));
    let ben = gallery.enrol("ben", &enrolment(1.0, 2), &me()).unwrap();
    gallery.enrol("cleo", &enrolment(2.0, 1), &me()).unwrap();
    let dora = gallery.enrol("dora", &enrolment(3.0, 1), &me()).unwrap();
    drop(gallery);
    let backup = fs::read(place.gallery()).unwrap();

    let mut gallery = opened(&place.gallery(), Some(&key));
    gallery.remove("ben", &me()).unwrap();
    gallery.merge("dora", "cleo", &me()).unwrap();
    drop(gallery);
    fs::write(place.gallery(), backup).unwrap();

    let mut gallery = opened(&place.gallery(), Some(&key));
    assert_eq!(names(&gallery), ["cleo"]);
    let e = gallery.embeddings(me().at).unwrap().unwrap();
    assert_eq!(e.subjects(), ["cleo"]);
    gallery.check().unwrap();
    assert!(gallery.purge(&me()).unwrap().is_empty());
    assert_eq!(gallery.lost().unwrap(), [ben, dora]);
    assert_eq!(gallery.purge_lost(&me()).unwrap(), [ben, dora]);
    assert!(gallery.lost().unwrap().is_empty());
    let about = AuditQuery { subject: Some(ben), ..AuditQuery::default() };
    let removed = Event::Removed { subject: ben, templates: 2, reason: Removal::KeyLost };
    assert_eq!(gallery.audit(&about).unwrap().last().unwrap().event, removed);
    assert_eq!(names(&gallery), ["cleo"]);
}

#[test]
fn no_byte_of_a_removed_key_stays_in_the_file() {
    let place = Place::new();
    let key = place.key("first");
    let mut gallery = opened(&place.gallery(), Some(&key));
    let ben = gallery.enrol("ben", &enrolment(1.0, 1), &me()).unwrap();
    gallery.enrol("cleo", &enrolment(2.0, 1), &me()).unwrap();
    let path = subject_keys_path(&key);
    let wrapped: Vec<u8> = rusqlite::Connection::open(&path)
        .unwrap()
        .query_row("SELECT wrapped FROM subject_key WHERE subject = ?1", [ben], |row| row.get(0))
        .unwrap();
    let journal = place.key("first.subjects-journal");
    let found = || {
        let bytes = [&path, &journal].map(|file| fs::read(file).unwrap_or_default()).concat();
        bytes.windows(16).any(|window| window == &wrapped[24..40])
    };
    assert!(found());
    gallery.remove("ben", &me()).unwrap();
    assert!(!found());
}

#[test]
fn a_restored_backup_takes_no_keys_from_those_who_came_later() {
    let place = Place::new();
    let key = place.key("first");
    let copy = || fs::read(place.gallery()).unwrap();
    opened(&place.gallery(), Some(&key)).enrol("ben", &enrolment(1.0, 1), &me()).unwrap();
    let early = copy();
    let enrolled = opened(&place.gallery(), Some(&key)).enrol("cleo", &enrolment(2.0, 1), &me());
    let cleo = enrolled.unwrap();
    let late = copy();
    fs::write(place.gallery(), early).unwrap();
    let enrolled = opened(&place.gallery(), Some(&key)).enrol("eve", &enrolment(3.0, 1), &me());
    assert!(enrolled.unwrap() > cleo);
    fs::write(place.gallery(), late).unwrap();
    let gallery = opened(&place.gallery(), Some(&key));
    gallery.check().unwrap();
    assert_eq!(names(&gallery), ["ben", "cleo"]);
}

#[test]
fn a_file_of_somebody_else_is_not_taken_for_the_keys() {
    let place = Place::new();
    let key = place.key("first");
    let other = rusqlite::Connection::open(subject_keys_path(&key)).unwrap();
    other.execute_batch("CREATE TABLE note (text TEXT)").unwrap();
    drop(other);
    let before = fs::read(subject_keys_path(&key)).unwrap();
    let store = SqliteStore::open_or_create(&place.gallery()).unwrap();
    let error = Gallery::open(store, Some(&key), &me()).err().unwrap();
    let GalleryError::Key(KeyError::NotSubjectKeys { path }) = error else { panic!("{error}") };
    assert_eq!(path, subject_keys_path(&key));
    assert_eq!(fs::read(subject_keys_path(&key)).unwrap(), before);
}

#[test]
fn records_cannot_be_given_to_somebody_else() {
    let place = Place::new();
    let key = place.key("first");
    let mut gallery = opened(&place.gallery(), Some(&key));
    let ben = gallery.enrol("ben", &enrolment(1.0, 1), &me()).unwrap();
    let cleo = gallery.enrol("cleo", &enrolment(2.0, 1), &me()).unwrap();
    drop(gallery);
    let raw = rusqlite::Connection::open(place.gallery()).unwrap();
    raw.execute("UPDATE template SET subject = ?1 WHERE subject = ?2", [cleo, ben]).unwrap();
    drop(raw);
    let error = opened(&place.gallery(), Some(&key)).check().unwrap_err();
    assert!(matches!(error, GalleryError::DamagedRecord { .. }), "{error}");
}

#[test]
fn galleries_share_a_key_file() {
    let place = Place::new();
    let key = place.key("first");
    let other = place.folder.path().join("other.db");
    let mut first = opened(&place.gallery(), Some(&key));
    let mut second = opened(&other, Some(&key));
    assert_eq!(first.enrol("ben", &enrolment(1.0, 1), &me()).unwrap(), 1);
    assert_eq!(second.enrol("cleo", &enrolment(2.0, 1), &me()).unwrap(), 1);
    second.remove("cleo", &me()).unwrap();
    drop((first, second));
    assert_eq!(names(&opened(&place.gallery(), Some(&key))), ["ben"]);
}
