//! Every command on a gallery that is not encrypted.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::common::{gaitgl, ok, texts};
use crate::people::{actions, import, json, names, three};

const FILES: &str = "--gallery people.db";

fn gallery() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    import(folder.path(), FILES, &three());
    folder
}

/// Runs a command with an argument that has spaces.
fn with_text(folder: &Path, arguments: &[&str]) -> String {
    let output = gaitgl(folder, &[&["gallery"], arguments, &["--gallery", "people.db"]].concat());
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}\n{err}");
    out
}

#[test]
fn people_are_listed_and_ended_consents_are_marked() {
    let folder = gallery();
    let folder = folder.path();
    let text = ok(folder, "gallery list --gallery people.db");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "name   templates  enrolled    consent until");
    assert_eq!(lines[1], "alice          3  2020-01-02  2999-12-31");
    assert_eq!(lines[3], "cleo           1  2020-01-02  2020-06-30 (ended)");
    assert!(text.contains("3 people, 6 templates") && text.contains("network aaaa"), "{text}");
    let list = json(folder, "gallery list --gallery people.db");
    let ended: Vec<bool> =
        list["people"].as_array().unwrap().iter().map(|p| p["ended"] == true).collect();
    assert_eq!(ended, [false, false, true]);
    assert_eq!(list["network"]["fingerprint"], "aaaa");
}

#[test]
fn a_person_is_shown_with_templates() {
    let folder = gallery();
    let text = ok(folder.path(), "gallery show ben --gallery people.db");
    for part in ["ben, number 2", "form 7, 2020-01-01, door, until 2999-12-31", "door-1.mp4"] {
        assert!(text.contains(part), "no {part}: {text}");
    }
    assert!(text.contains("       5  2020-01-02      64   090     0.88  door-1.mp4"), "{text}");
    let shown = json(folder.path(), "gallery show ben --gallery people.db");
    assert_eq!(shown["templates"][1]["source"], "door-1.mp4");
    assert_eq!(shown["templates"].as_array().unwrap().len(), 2);
}

#[test]
fn names_are_changed_joined_and_erased() {
    let folder = gallery();
    let folder = folder.path();
    ok(folder, "gallery rename alice ada --gallery people.db");
    assert_eq!(names(folder, FILES), ["ada", "ben", "cleo"]);
    let merged = ok(folder, "gallery merge ada ben --gallery people.db");
    assert!(merged.contains("ben, who has 5 templates"), "{merged}");
    let removed = ok(folder, "gallery remove ben --gallery people.db");
    assert!(removed.contains("ben (number 2) is erased, with 5 templates"), "{removed}");
    assert!(removed.contains("backups of people.db still hold"), "{removed}");
    assert_eq!(names(folder, FILES), ["cleo"]);
    let bytes = fs::read(folder.join("people.db")).unwrap();
    assert!(!bytes.windows(10).any(|window| window == b"door-1.mp4"));
    let done = ["created", "imported", "renamed", "merged", "removed"];
    assert_eq!(actions(folder, FILES), done);
}

#[test]
fn people_whose_consents_have_ended_are_purged_unless_they_renew_it() {
    let folder = gallery();
    let folder = folder.path();
    let consent = "form 8, 2026-01-01, door, lift, 2998-12-31";
    let said = with_text(folder, &["consent", "cleo", consent]);
    assert_eq!(said, "cleo: form 8, 2026-01-01, door, lift, until 2998-12-31\n");
    assert!(ok(folder, "gallery purge --gallery people.db").contains("0 people erased"));
    with_text(folder, &["consent", "ben", "form 9, 2020-01-01, door, 2020-02-01"]);
    let purged = ok(folder, "gallery purge --gallery people.db");
    assert!(purged.contains("ben (number 2) is erased\n1 person erased"), "{purged}");
    assert_eq!(names(folder, FILES), ["alice", "cleo"]);
}

#[test]
fn a_policy_is_set_and_printed() {
    let folder = gallery();
    let folder = folder.path();
    assert!(ok(folder, "gallery policy --gallery people.db").contains("there is none"));
    with_text(folder, &["policy", "agreement 3, 2020-01-01, gates, 2020-12-31"]);
    let policy = ok(folder, "gallery policy --gallery people.db");
    assert_eq!(policy, "agreement 3, 2020-01-01, gates, until 2020-12-31 (ended)\n");
}

#[test]
fn the_audit_is_chosen_by_person_and_time() {
    let folder = gallery();
    let folder = folder.path();
    ok(folder, "gallery rename alice ada --gallery people.db");
    ok(folder, "gallery remove ben --gallery people.db");
    assert_eq!(actions(folder, "--gallery people.db --subject ada"), ["renamed"]);
    // Removed people have a number alone.
    assert_eq!(actions(folder, "--gallery people.db --subject 2"), ["removed"]);
    assert_eq!(actions(folder, "--gallery people.db --to 2020-01-01").len(), 0);
    assert_eq!(actions(folder, "--gallery people.db --from 2020-01-01").len(), 4);
    let text = ok(folder, "gallery audit --gallery people.db");
    assert!(text.contains("renamed ada (number 1)") && text.contains("erased number 2"), "{text}");
    let audit = json(folder, "gallery audit --gallery people.db");
    assert!(audit["entries"][0]["who"].as_str().unwrap().contains('@'), "{audit}");
}

#[test]
fn the_user_and_the_machine_come_from_the_environment() {
    let folder = gallery();
    let mut command = crate::common::command(
        folder.path(),
        &["gallery", "rename", "ben", "bob", "--gallery", "people.db"],
    );
    command.env("USER", "anna").env("HOSTNAME", "door-3").output().unwrap();
    let audit = json(folder.path(), "gallery audit --gallery people.db");
    assert_eq!(audit["entries"][2]["who"], "anna@door-3");
}

#[test]
fn an_exported_gallery_is_private_and_can_be_imported() {
    let folder = gallery();
    let folder = folder.path();
    let said = ok(folder, "gallery export out.jsonl --gallery people.db");
    assert_eq!(said, "out.jsonl: 2 people with 5 templates\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(folder.join("out.jsonl")).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
    let said = ok(folder, "gallery import out.jsonl --gallery other.db");
    assert_eq!(said, "other.db: 2 people with 5 templates\n");
    assert_eq!(names(folder, "--gallery other.db"), ["alice", "ben"]);
    let checked = ok(folder, "gallery check --gallery other.db");
    assert!(checked.contains("sound, with 2 people, 5 templates and 2 entries"), "{checked}");
}
