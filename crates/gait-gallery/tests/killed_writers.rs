//! Two programs write to one gallery and are killed at random moments; nothing is lost.
//!
//! The writers are this test program itself: `writer_process` is what they run.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use common::{enrolment, me, opened};
use gait_gallery::{AuditQuery, Event, create_key_file};

/// The writer's folder, and the beginning of the names that it enrols.
const FOLDER: &str = "GAIT_GALLERY_TEST_FOLDER";
const TAG: &str = "GAIT_GALLERY_TEST_TAG";

#[test]
fn killed_writers_lose_nothing() {
    hammer(10, false);
}

#[test]
fn killed_writers_of_an_encrypted_gallery_lose_nothing() {
    hammer(6, true);
}

#[test]
#[ignore = "takes a minute"]
fn a_hundred_killed_writers_lose_nothing() {
    hammer(30, false);
    hammer(20, true);
}

/// Where a writer's templates are, so that a reader can check their values.
fn place(name: &str) -> f32 {
    name.bytes().fold(0, |sum, byte| (31 * sum + u32::from(byte)) % 8191) as f32
}

/// Not a test: enrols and removes people until it is killed. Says `+name` after an enrolment, `?name`
/// before a removal and `-name` after it.
#[test]
#[ignore = "run by the other tests"]
fn writer_process() {
    let (Ok(folder), Ok(tag)) = (env::var(FOLDER), env::var(TAG)) else { return };
    let folder = Path::new(&folder);
    let key = folder.join("people.key");
    let say = |sign: char, name: &str| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n@{sign}{name}").and_then(|()| out.flush()).unwrap();
    };
    let mut gallery = opened(&folder.join("people.db"), key.exists().then_some(&*key));
    for i in 0.. {
        let name = format!("{tag}-{i}");
        gallery.enrol(&name, &enrolment(place(&name), 3), &me()).unwrap();
        say('+', &name);
        if i % 4 == 3 {
            let name = format!("{tag}-{}", i - 2);
            say('?', &name);
            gallery.remove(&name, &me()).unwrap();
            say('-', &name);
        }
    }
}

struct Writer {
    child: Child,
    says: Receiver<String>,
}

impl Writer {
    fn start(folder: &Path, tag: &str) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "writer_process", "--ignored", "--nocapture"])
            .env(FOLDER, folder)
            .env(TAG, tag)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (send, says) = channel();
        thread::spawn(move || {
            let said = lines.map_while(Result::ok);
            said.filter_map(|line| line.strip_prefix('@').map(str::to_owned))
                .try_for_each(|line| send.send(line))
        });
        Self { child, says }
    }

    /// Kills it, and returns what it said since the last call.
    fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.says.iter().collect()
    }
}

/// Who must be in the gallery, and who must not.
#[derive(Default)]
struct Expected {
    there: BTreeSet<String>,
    gone: BTreeSet<String>,
}

impl Expected {
    fn hear(&mut self, said: &str) {
        let (sign, name) = said.split_at(1);
        match sign {
            "+" => self.there.insert(name.to_owned()),
            // Perhaps it is removed, and nobody lived to say so.
            "?" => self.there.remove(name),
            _ => self.gone.insert(name.to_owned()),
        };
    }
}

fn hammer(rounds: u32, encrypted: bool) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    if encrypted {
        create_key_file(&folder.join("people.key")).unwrap();
    }
    let mut expected = Expected::default();
    let mut state = 1 + u32::from(encrypted);
    for round in 0..rounds {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let moment = Duration::from_micros(u64::from(state >> 16));
        let writers = ["a", "b"].map(|who| Writer::start(folder, &format!("{who}{round}")));
        // Every second time also while they open the gallery, in the first round while they make it.
        if round % 2 == 1 {
            for writer in &writers {
                expected.hear(&writer.says.recv_timeout(Duration::from_secs(120)).unwrap());
            }
        }
        thread::sleep(moment);
        for writer in writers {
            writer.kill().iter().for_each(|said| expected.hear(said));
        }
        check(folder, &expected);
    }
    assert!(expected.there.len() >= rounds as usize, "the writers hardly lived");
}

fn check(folder: &Path, expected: &Expected) {
    let key = folder.join("people.key");
    let gallery = opened(&folder.join("people.db"), key.exists().then_some(&*key));
    gallery.check().unwrap();
    let subjects = gallery.subjects().unwrap();
    let names: BTreeSet<String> = subjects.iter().map(|subject| subject.name.clone()).collect();
    let lost: Vec<&String> = expected.there.difference(&names).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    let undead: Vec<&String> = expected.gone.intersection(&names).collect();
    assert!(undead.is_empty(), "not removed: {undead:?}");

    // Each subject is whole.
    assert!(subjects.iter().all(|subject| subject.templates == 3));
    if let Some(e) = gallery.embeddings(me().at).unwrap() {
        assert_eq!(e.len(), 3 * subjects.len());
        for (i, name) in e.subjects().iter().enumerate() {
            assert_eq!(e.row(i), enrolment(place(name), 3).templates[i % 3].values, "{name}");
        }
    }
    // The audit has one entry for each change that happened, and none for others.
    let mut living = BTreeSet::new();
    for entry in gallery.audit(&AuditQuery::default()).unwrap() {
        match entry.event {
            Event::Enrolled { subject, .. } => assert!(living.insert(subject), "enrolled twice"),
            Event::Removed { subject, .. } => assert!(living.remove(&subject), "removed twice"),
            event => assert_eq!(event, Event::Created { encrypted: key.exists() }),
        }
    }
    assert_eq!(living, subjects.iter().map(|subject| subject.id).collect());
}
