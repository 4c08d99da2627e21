//! Galleries with a key file.

use std::fs;
use std::path::Path;

use crate::common::{ok, refused};
use crate::people::{import, names, three};

const FILES: &str = "--gallery people.db --key-file people.key";

fn copy(folder: &Path, from: &str, to: &str) {
    fs::copy(folder.join(from), folder.join(to)).unwrap();
}

#[test]
fn every_command_works_on_an_encrypted_gallery() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    import(folder, FILES, &three());
    for (command, expected) in [
        ("list", "cleo           1  2020-01-02  2020-06-30 (ended)"),
        ("show alice", "door-2.mp4"),
        ("rename alice ada", "alice is now ada"),
        ("merge ada ben", "5 templates"),
        ("purge", "cleo (number 3) is erased"),
        ("purge --lost", "0 people erased"),
        ("policy", "there is none"),
        ("audit --subject ben", "merged number 1 into ben (number 2)"),
        ("check", "sound, with 1 person, 5 templates"),
        ("export out.jsonl", "1 person with 5 templates"),
        ("remove ben", "replace the backups of people.key.subjects"),
    ] {
        let said = ok(folder, &format!("gallery {command} {FILES}"));
        assert!(said.contains(expected), "{command}: {said}");
    }
    let bytes = fs::read(folder.join("people.db")).unwrap();
    assert!(!bytes.windows(5).any(|window| window == b"alice"));
}

#[test]
fn a_key_is_made_for_a_new_gallery_alone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    import(folder, FILES, &three());
    let key = fs::read(folder.join("people.key")).unwrap();
    assert_eq!(key.len(), 32);
    // A key that is there is used.
    ok(folder, "gallery import people.jsonl --gallery other.db --key-file people.key");
    assert_eq!(fs::read(folder.join("people.key")).unwrap(), key);
    assert_eq!(names(folder, "--gallery other.db --key-file people.key").len(), 3);
    // None is made for a gallery that has another.
    fs::rename(folder.join("people.key"), folder.join("kept.key")).unwrap();
    let line = format!("gallery import people.jsonl {FILES}");
    refused(folder, &line, &["people.key", "does not exist"]);
    assert!(!folder.join("people.key").exists());
}

#[test]
fn wrong_and_missing_keys_are_answered_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    import(folder, FILES, &three());
    import(folder, "--gallery open.db", &three());
    fs::write(folder.join("other.key"), [7; 32]).unwrap();
    fs::write(folder.join("text.key"), "no key").unwrap();
    copy(folder, "people.key.subjects", "other.key.subjects");
    let before = fs::read(folder.join("people.db")).unwrap();
    let list = |files: &str| format!("gallery list {files}");
    refused(folder, &list("--gallery people.db"), &["is encrypted", "--key-file"]);
    let wrong = list("--gallery people.db --key-file other.key");
    refused(folder, &wrong, &["other.key is not that of the gallery", "give the key file"]);
    let text = list("--gallery people.db --key-file text.key");
    refused(folder, &text, &["text.key is not a key", "give the key file"]);
    let open = list("--gallery open.db --key-file people.key");
    refused(folder, &open, &["is not encrypted", "leave out --key-file"]);
    fs::remove_file(folder.join("people.key.subjects")).unwrap();
    refused(
        folder,
        &list(FILES),
        &["people.key.subjects, are missing", "put those of this key file there"],
    );
    assert!(fs::read(folder.join("people.db")).unwrap() == before);
}

#[test]
fn a_backup_brings_nobody_back() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    import(folder, FILES, &three());
    copy(folder, "people.db", "backup.db");
    ok(folder, &format!("gallery remove alice {FILES}"));
    copy(folder, "backup.db", "people.db");
    assert_eq!(names(folder, FILES), ["ben", "cleo"]);
    let list = ok(folder, &format!("gallery list {FILES}"));
    assert!(list.contains("1 person whose keys are gone"), "{list}");
    let purged = ok(folder, &format!("gallery purge --lost {FILES}"));
    assert!(purged.contains("somebody (number 1) is erased"), "{purged}");
    ok(folder, &format!("gallery check {FILES}"));
}
