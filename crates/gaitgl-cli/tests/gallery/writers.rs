//! Two programs write to one gallery and are killed at random moments; nothing is lost.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Instant;

use gait_gallery::{AuditQuery, By, Event, Gallery, SqliteStore};

use crate::common::{command, ok, words};
use crate::people::{person, values, write};

/// People in one file, who come all or not at all.
const TOGETHER: usize = 3;
/// Programs that write at the same time.
const AT_ONCE: usize = 2;

#[test]
fn a_hundred_killed_programs_lose_nothing() {
    hammer("--gallery people.db", 100);
}

#[test]
fn killed_programs_of_an_encrypted_gallery_lose_nothing() {
    hammer("--gallery people.db --key-file people.key", 30);
}

/// Where the templates of a person are, so that a reader can check their values.
fn place(name: &str) -> f32 {
    name.bytes().fold(0, |sum, byte| (31 * sum + u32::from(byte)) % 8191) as f32
}

fn start(folder: &Path, files: &str, number: usize) -> Child {
    let names = (0..TOGETHER).map(|i| format!("n{number}-{i}"));
    let people: Vec<_> = names.map(|name| person(&*name, place(&name), 4)).collect();
    let file = format!("{number}.jsonl");
    write(&folder.join(&file), "aaaa", &people);
    let line = words(&format!("gallery import {file} {files}"));
    let mut command = command(folder, &line);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn hammer(files: &str, kills: usize) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // How long one takes on this machine now; kills are spread over a little more.
    let began = Instant::now();
    assert!(start(folder, files, 0).wait().unwrap().success());
    let longest = began.elapsed().mul_f64(1.3);
    let mut done = BTreeSet::from([0]);
    let mut killed = 0;
    let mut next = 1;
    let mut state = 7_u32;
    while killed < kills {
        let numbers = next..next + AT_ONCE;
        next += AT_ONCE;
        let programs: Vec<(usize, Child)> =
            numbers.map(|number| (number, start(folder, files, number))).collect();
        for (number, mut program) in programs {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            thread::sleep(longest.mul_f64(f64::from(state >> 16) / 65_536.0 / AT_ONCE as f64));
            program.kill().unwrap();
            let status = program.wait().unwrap();
            match status.code() {
                None => killed += 1,
                Some(0) => drop(done.insert(number)),
                Some(code) => panic!("import {number} failed with {code}"),
            }
        }
        assert!(next < 50 * kills, "{killed} of {next} programs were killed: all are too fast");
    }
    check(folder, files, &done);
}

/// Checks that all who must be there are, and that everything that is there is whole.
fn check(folder: &Path, files: &str, done: &BTreeSet<usize>) {
    ok(folder, &format!("gallery check {files}"));
    let by = By::now("a test");
    let key = folder.join("people.key");
    let store = SqliteStore::open(&folder.join("people.db")).unwrap();
    let gallery = Gallery::open(store, key.exists().then_some(&*key), &by).unwrap();
    let subjects = gallery.subjects().unwrap();
    let imports: BTreeSet<usize> =
        subjects.iter().map(|s| s.name[1..].split_once('-').unwrap().0.parse().unwrap()).collect();
    assert!(imports.is_superset(done), "lost: {:?}", done.difference(&imports));
    // Of an import, all people or none, with all their templates.
    assert_eq!(subjects.len(), TOGETHER * imports.len());
    assert!(subjects.iter().all(|subject| subject.templates == 4));
    let e = gallery.embeddings(by.at).unwrap().unwrap();
    for (i, name) in e.subjects().iter().enumerate() {
        assert_eq!(e.row(i), values(place(name), i % 4), "{name}");
    }
    // The audit has an entry for each import that happened, and for no other.
    let audit = gallery.audit(&AuditQuery::default()).unwrap();
    let whole = Event::Imported { subjects: TOGETHER, templates: 4 * TOGETHER };
    assert_eq!(audit.iter().filter(|entry| entry.event == whole).count(), imports.len());
    assert_eq!(audit.len(), imports.len() + 1);
}
