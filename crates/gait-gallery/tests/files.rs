//! The files of a gallery: damage, locks, and what removals leave behind.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;
use std::path::Path;

use common::{by, day, enrolment, me, names, opened, template};
use gait_gallery::{Gallery, GalleryError, SqliteStore, StoreProblem};
use gait_support::full_message;
use rusqlite::Connection;

fn problem(path: &Path) -> StoreProblem {
    SqliteStore::open_or_create(path).unwrap_err().problem
}

/// All bytes of the gallery's files.
fn bytes(path: &Path) -> Vec<u8> {
    let beside = ["", "-wal", "-shm", "-journal"];
    let files = beside.map(|end| fs::read(format!("{}{end}", path.display())).unwrap_or_default());
    files.concat()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_gallery_is_still_there_when_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.db");
    let missing = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(missing.problem, StoreProblem::Missing));
    assert!(!path.exists());
    opened(&path, None).enrol("ben", &enrolment(1.0, 2), &me()).unwrap();
    let gallery = Gallery::open(SqliteStore::open(&path).unwrap(), None, &me()).unwrap();
    assert_eq!(names(&gallery), ["ben"]);
    gallery.check().unwrap();
    drop(gallery);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing stays beside it");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn files_of_others_are_refused_and_left_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("text"), "my notes, longer than the header of a database: ".repeat(30)).unwrap();
    fs::write(at("short"), "x").unwrap();
    let other = Connection::open(at("other.db")).unwrap();
    other.execute_batch("CREATE TABLE note (text TEXT); INSERT INTO note VALUES ('mine')").unwrap();
    drop(other);
    for name in ["text", "short", "other.db"] {
        let before = fs::read(at(name)).unwrap();
        let problem = problem(&at(name));
        assert!(matches!(problem, StoreProblem::NotAGallery), "{name}: {problem:?}");
        assert_eq!(fs::read(at(name)).unwrap(), before, "{name}");
    }
    let message = full_message(&SqliteStore::open(&at("text")).unwrap_err());
    assert_eq!(message, format!("gallery {}: the file is not a gallery", at("text").display()));
    assert!(SqliteStore::open_or_create(folder.path()).is_err(), "a folder");
    assert!(SqliteStore::open_or_create(&at("nowhere/people.db")).is_err());
}

#[test]
fn damaged_galleries_are_refused_and_left_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.db");
    let mut gallery = opened(&path, None);
    for i in 0..50 {
        gallery.enrol(&format!("subject {i}"), &enrolment(i as f32, 40), &me()).unwrap();
    }
    drop(gallery);
    let whole = fs::read(&path).unwrap();
    let page = 4096;
    let mut zeroed = whole.clone();
    zeroed[4 * page..8 * page].fill(0);
    let mut noise = whole.clone();
    noise[3 * page..].iter_mut().step_by(3).for_each(|byte| *byte ^= 0x5a);
    let truncated = [whole[..whole.len() / 2].to_vec(), whole[..page + 100].to_vec()];
    for (which, damaged) in [zeroed, noise].into_iter().chain(truncated).enumerate() {
        fs::write(&path, &damaged).unwrap();
        let problem = problem(&path);
        assert!(matches!(problem, StoreProblem::Damaged(_)), "{problem:?}");
        assert!(fs::read(&path).unwrap() == damaged, "{which} was changed");
    }
    fs::write(&path, whole).unwrap();
    opened(&path, None).check().unwrap();
}

#[test]
fn damage_to_one_byte_of_an_embedding_is_found_if_the_gallery_is_encrypted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.db");
    let key = folder.path().join("people.key");
    gait_gallery::create_key_file(&key).unwrap();
    opened(&path, Some(&key)).enrol("ben", &enrolment(1.0, 1), &me()).unwrap();
    let raw = Connection::open(&path).unwrap();
    raw.execute("UPDATE template SET embedding = zeroblob(length(embedding))", []).unwrap();
    drop(raw);
    let error = opened(&path, Some(&key)).check().unwrap_err();
    assert_eq!(error.to_string(), "template number 1 of the gallery is damaged");
}

#[test]
fn later_versions_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.db");
    drop(opened(&path, None));
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 7).unwrap();
    assert!(matches!(problem(&path), StoreProblem::Newer { found: 7, known: 2 }));
}

#[test]
fn the_audit_cannot_be_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.db");
    opened(&path, None).enrol("ben", &enrolment(1.0, 1), &me()).unwrap();
    let raw = Connection::open(&path).unwrap();
    for sql in [
        "UPDATE audit SET who = 'nobody'",
        "DELETE FROM audit WHERE id = 2",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit (id, at, who, event) VALUES (2, 0, 'nobody', '{}')",
        "REPLACE INTO audit (id, at, who, event) SELECT id, 0, 'nobody', '{}' FROM audit",
    ] {
        let error = raw.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains("append-only"), "{sql}: {error}");
    }
    let who: Vec<String> = {
        let mut statement = raw.prepare("SELECT who FROM audit").unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    assert_eq!(who, ["anna@door", "anna@door"]);
}

#[test]
fn no_byte_of_a_removed_subject_stays_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.db");
    let mut gallery = opened(&path, None);
    // Larger than a page, so that it is stored in several.
    let mut large = enrolment(1.0, 0);
    large.network.channels = 2000;
    let values: Vec<f32> = (0..4000).map(|i| 1234.5 + i as f32).collect();
    let mark = |at: usize| -> Vec<u8> {
        values[at..at + 4].iter().flat_map(|value| value.to_le_bytes()).collect()
    };
    let person = |name: &str, values: &[f32]| {
        let mut one = large.clone();
        one.templates.push(template([0.0; 6]));
        one.templates[0].values = values.to_vec();
        one.templates[0].origin.source = format!("{name}.mp4");
        one
    };
    let others: Vec<f32> = values.iter().map(|value| -value).collect();
    for i in 0..20 {
        let name = format!("other {i}");
        gallery.enrol(&name, &person(&name, &others), &me()).unwrap();
        if i == 10 {
            gallery.enrol("Zebedee", &person("Zebedee", &values), &me()).unwrap();
        }
    }
    let found = |path: &Path| {
        let bytes = bytes(path);
        let marks = [0, 1000, 2000, 3900].map(|at| contains(&bytes, &mark(at)));
        let name = contains(&bytes, b"Zebedee");
        (marks, name)
    };
    assert_eq!(found(&path), ([true; 4], true));
    // Also what an earlier name left behind.
    gallery.rename("Zebedee", "Zebedee the second", &me()).unwrap();
    drop(gallery);
    let mut gallery = opened(&path, None);
    let size = fs::metadata(&path).unwrap().len();
    // Once more, in the log of changes too.
    gallery.enrol("Zebedee the second", &person("Zebedee", &values), &me()).unwrap();
    gallery.remove("Zebedee the second", &me()).unwrap();
    assert_eq!(found(&path), ([false; 4], false), "while it is open");
    assert!(fs::metadata(&path).unwrap().len() < size, "the file gives the space back");
    gallery.check().unwrap();
    assert_eq!(gallery.subjects().unwrap().len(), 20);
    drop(gallery);
    assert_eq!(found(&path), ([false; 4], false));
    // Not only there: the search would find the others.
    let rest: Vec<u8> = others[1000..1004].iter().flat_map(|value| value.to_le_bytes()).collect();
    assert!(contains(&bytes(&path), &rest));
}

#[test]
fn a_reader_of_the_former_state_delays_the_erasure_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.db");
    let mut gallery = opened(&path, None);
    gallery.enrol("ben", &enrolment(1.0, 1), &me()).unwrap();
    let reader = Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM template").unwrap();
    let error = gallery.remove("ben", &me()).unwrap_err();
    assert!(matches!(error, GalleryError::NotErased(_)), "{error}");
    assert!(names(&gallery).is_empty());
    reader.execute_batch("COMMIT").unwrap();
    gallery.purge(&by(day("01-02"))).unwrap();
    assert!(!contains(&bytes(&path), b"door.mp4"));
}

#[test]
fn a_gallery_is_opened_without_being_changed_also_while_another_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.db");
    opened(&path, None).enrol("ben", &enrolment(1.0, 1), &me()).unwrap();
    let before = fs::read(&path).unwrap();
    assert_eq!(names(&opened(&path, None)), ["ben"]);
    assert!(fs::read(&path).unwrap() == before);
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(names(&opened(&path, None)), ["ben"]);
}

#[test]
fn a_writer_that_does_not_finish_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.db");
    let mut gallery = opened(&path, None);
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = gallery.enrol("ben", &enrolment(1.0, 1), &me()).unwrap_err();
    let GalleryError::Store(error) = error else { panic!("{error}") };
    assert!(matches!(error.problem, StoreProblem::Locked), "{error:?}");
}
