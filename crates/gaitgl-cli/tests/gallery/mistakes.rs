//! Bad input: one line, exit code 2, and nothing is overwritten.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use gait_gallery::{By, Gallery, GalleryError, SqliteStore};

use crate::common::{gaitgl, ok, refused, texts};
use crate::people::{Person, import, names, person, three, write};

#[test]
fn mistakes_are_answered_with_what_where_and_how_to_fix_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    import(folder, "--gallery people.db", &three());
    fs::write(folder.join("notes.txt"), "not a gallery, but a long text. ".repeat(40)).unwrap();
    let before = fs::read(folder.join("people.db")).unwrap();
    let cases: [(&str, &[&str]); 12] = [
        ("list --gallery no.db", &["no.db", "no such file", "gaitgl enrol"]),
        ("list --gallery notes.txt", &["notes.txt", "not a gallery"]),
        ("list", &["--gallery"]),
        ("show alcie --gallery people.db", &["`alcie`", "did you mean `alice`?"]),
        ("remove xyz --gallery people.db", &["`xyz`", "gaitgl gallery list"]),
        ("rename ben alice --gallery people.db", &["`alice`", "gaitgl gallery merge"]),
        ("merge ben ben --gallery people.db", &["`ben`", "two names"]),
        ("consent ben soon --gallery people.db", &["`soon`", "2027-11-01"]),
        ("audit --from soon --gallery people.db", &["`soon`", "2027-03-31"]),
        ("import no.jsonl --gallery new.db", &["no.jsonl", "does not exist"]),
        ("import notes.txt --gallery people.db", &["notes.txt", "line 1", "damaged"]),
        ("export people.db --gallery people.db", &["people.db is a file of the gallery"]),
    ];
    for (line, parts) in cases {
        refused(folder, &format!("gallery {line}"), parts);
    }
    assert!(!folder.join("no.db").exists() && !folder.join("new.db").exists());
    assert!(fs::read(folder.join("people.db")).unwrap() == before);
}

#[test]
fn people_whose_consents_have_ended_are_not_merged() {
    let folder = tempfile::tempdir().unwrap();
    import(folder.path(), "--gallery people.db", &three());
    let line = "gallery merge cleo ben --gallery people.db";
    refused(folder.path(), line, &["consent for `cleo` ended at 2020-06-30", "gallery consent"]);
    assert_eq!(names(folder.path(), "--gallery people.db").len(), 3);
}

#[test]
fn another_network_and_known_names_are_not_imported() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    import(folder, "--gallery people.db", &three());
    write(&folder.join("other.jsonl"), "bbbb", &[person("dora", 1.0, 1)]);
    let line = "gallery import other.jsonl --gallery people.db";
    let network = ["other.jsonl", "network aaaa", "bbbb", "--checkpoint", "enrol everybody again"];
    refused(folder, line, &network);
    write(&folder.join("same.jsonl"), "aaaa", &[person("dora", 1.0, 1), person("ben", 2.0, 1)]);
    refused(folder, "gallery import same.jsonl --gallery people.db", &["same.jsonl", "`ben`"]);
    assert_eq!(names(folder, "--gallery people.db"), ["alice", "ben", "cleo"]);
}

#[test]
fn damaged_galleries_are_left_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let many: Vec<Person> = (0..60).map(|i| person(format!("p{i}"), i as f32, 20)).collect();
    import(folder, "--gallery people.db", &many);
    let path = folder.join("people.db");
    let whole = fs::read(&path).unwrap();
    let mut noise = whole.clone();
    noise[3 * 4096..].iter_mut().step_by(3).for_each(|byte| *byte ^= 0x5a);
    for damaged in [noise, whole[..whole.len() / 2].to_vec()] {
        fs::write(&path, &damaged).unwrap();
        for line in ["list", "import people.jsonl", "remove p1", "check", "purge"] {
            let line = format!("gallery {line} --gallery people.db");
            refused(folder, &line, &["people.db", "damaged", "restore a backup"]);
        }
        assert!(fs::read(&path).unwrap() == damaged);
    }
}

#[test]
fn a_damaged_export_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    import(folder, "--gallery people.db", &three());
    let text = fs::read_to_string(folder.join("people.jsonl")).unwrap().replace("aaaa", "bbbb");
    fs::write(folder.join("half.jsonl"), &text[..text.len() - 60]).unwrap();
    let line = "gallery import half.jsonl --gallery new.db";
    refused(folder, line, &["half.jsonl", "line ", "export the gallery again"]);
    assert!(names(folder, "--gallery new.db").is_empty());
}

#[test]
fn a_locked_gallery_is_waited_for_and_then_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    import(folder, "--gallery people.db", &three());
    write(&folder.join("more.jsonl"), "aaaa", &[person("dora", 1.0, 1)]);
    let by = By::now("a test");
    let store = SqliteStore::open(&folder.join("people.db")).unwrap();
    let mut gallery = Gallery::open(store, None, &by).unwrap();
    // An import that waits for its next line keeps the gallery locked.
    let result = gallery.import(&mut Waiting { folder }, &by);
    assert!(matches!(result, Err(GalleryError::Portable(_))));
    ok(folder, "gallery import more.jsonl --gallery people.db");
}

/// A file that begins well; before it goes on, another program tries to write.
struct Waiting<'a> {
    folder: &'a Path,
}

impl std::io::Read for Waiting<'_> {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        let line = "gallery import more.jsonl --gallery people.db";
        refused(self.folder, line, &["people.db", "another program is using it", "wait until"]);
        // Reading does not wait.
        assert_eq!(names(self.folder, "--gallery people.db").len(), 3);
        Ok(0)
    }
}

impl std::io::BufRead for Waiting<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        std::io::Read::read(self, &mut [])?;
        Ok(&[])
    }

    fn consume(&mut self, _: usize) {}
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_one_line_and_the_gallery_stays_sound() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let many: Vec<Person> = (0..100).map(|i| person(format!("p{i}"), i as f32, 20)).collect();
    write(&folder.join("many.jsonl"), "aaaa", &many);
    write(&folder.join("few.jsonl"), "aaaa", &three());
    fs::create_dir(folder.join("small")).unwrap();
    let program = env!("CARGO_BIN_EXE_gaitgl");
    // A file system of its own, which only this shell sees. Not every machine allows it.
    let script = format!(
        "mount -t tmpfs -o size=300k none small || exit 77
         run() {{ {program} gallery \"$@\" --gallery small/people.db; }}
         run import few.jsonl && ! run import many.jsonl && run check || exit 1
         head -c 300k /dev/zero > small/rest
         ! run list"
    );
    let shell = ["--user", "--map-root-user", "--mount", "sh", "-c", &script];
    let Ok(output) = Command::new("unshare").args(shell).current_dir(folder).output() else {
        return;
    };
    let (out, err) = texts(&output);
    if output.status.code() == Some(77) || err.starts_with("unshare: ") {
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    let full = err.matches("the disk is full; free some space").count();
    // Of head, and of two commands.
    assert_eq!((err.lines().count(), full), (3, 2), "{err}");
    assert!(out.contains("sound, with 3 people, 6 templates"), "{out}");
    // An export has a place that is always full.
    import(folder, "--gallery people.db", &three());
    let line = "gallery export /dev/full --gallery people.db";
    refused(folder, line, &["/dev/full", "the disk is full"]);
}

#[test]
fn two_programs_that_make_one_gallery_both_succeed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let files = "--gallery people.db --key-file people.key";
    thread::scope(|scope| {
        for name in ["a", "b", "c", "d"] {
            let file = format!("{name}.jsonl");
            write(&folder.join(&file), "aaaa", &[person(name, 1.0, 2)]);
            scope.spawn(move || {
                let line = format!("gallery import {file} {files}");
                let output = gaitgl(folder, &crate::common::words(&line));
                assert_eq!(output.status.code(), Some(0), "{}", texts(&output).1);
            });
        }
    });
    let mut together = names(folder, files);
    together.sort();
    assert_eq!(together, ["a", "b", "c", "d"]);
}
