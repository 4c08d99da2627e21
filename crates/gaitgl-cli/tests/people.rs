//! Enrolling, identifying and comparing people, by the binary and the network that ships.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod common;

use std::fs;
use std::path::Path;

use common::{gaitgl, ok, refused, shared, texts, words};
use serde_json::Value;

/// Enrols a person by a folder of silhouettes below the shared walkers.
fn enrol(folder: &Path, subject: &str, walk: &str) {
    let walk = shared().raw().join(walk);
    let consent = format!("{subject}, 2026-01-01, tests, 2999-12-31");
    let mut line = words("enrol --gallery people.db --subject");
    line.extend([subject.to_owned(), "--consent".into(), consent, walk.display().to_string()]);
    let output = gaitgl(folder, &line);
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert!(out.contains(&format!("{subject}: 1 templates enrolled")), "{out}");
}

/// A folder with a gallery of anna and ben.
fn gallery() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    enrol(folder.path(), "anna", "001/nm-01/090");
    enrol(folder.path(), "ben", "002/nm-01/090");
    folder
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn walks_are_named_and_the_json_has_the_documented_form() {
    let gallery = gallery();
    let walk = shared().raw().join("001/nm-01/090");
    let line = format!("identify --gallery people.db {} --json r.json", walk.display());
    let out = ok(gallery.path(), &line);
    assert!(out.contains("2 people, default threshold"), "{out}");
    let row = out.lines().last().unwrap();
    assert!(row.contains("anna") && row.contains("0.000") && row.contains("ben"), "{out}");

    let result = json(&fs::read_to_string(gallery.path().join("r.json")).unwrap());
    assert_eq!(result["source"], walk.display().to_string());
    assert_eq!(result["network"], "builtin");
    assert!(result["threshold"].as_f64().unwrap() > 0.0);
    let track = &result["tracks"][0];
    assert_eq!([&track["track"], &track["first_frame"], &track["last_frame"]], [1, 0, 11]);
    assert_eq!([&track["frames"], &track["subject"]], [&json("12"), &json("\"anna\"")]);
    assert_eq!([&track["dropped"], &track["quality"]], [&json("{}"), &json("1.0")]);
    let candidates = track["candidates"].as_array().unwrap();
    assert_eq!(candidates.len(), 2);
    assert_eq!(candidates[1]["subject"], "ben");
    assert!(candidates[1]["distance"].as_f64() > candidates[0]["distance"].as_f64());
    assert_eq!(track["distance"], candidates[0]["distance"]);
}

#[test]
fn a_tree_gives_a_row_per_walk_and_following_it_a_line_per_event() {
    let gallery = gallery();
    let tree = shared().raw().join("002/nm-01");
    let out = ok(gallery.path(), &format!("identify --gallery people.db {}", tree.display()));
    assert!(out.contains("045: ") && out.contains("090: ben"), "{out}");

    let line = format!("identify --gallery people.db --follow --json - {}", tree.display());
    let out = ok(gallery.path(), &line);
    let events: Vec<Value> = out.lines().map(json).collect();
    let of = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!([of("began"), of("ended")], [2, 2]);
    assert!(of("named") >= 1, "{out}");
    let last = events.last().unwrap();
    assert_eq!([&last["subject"], &last["track"]], [&json("\"ben\""), &json("2")]);
}

#[test]
fn a_prepared_set_names_its_people() {
    let folder = tempfile::tempdir().unwrap();
    let set = shared().prepared();
    let consent = "all, 2026-01-01, tests, 2999-12-31";
    let mut line = words("enrol --gallery people.db --consent");
    line.extend([consent.to_owned(), set.display().to_string()]);
    let output = gaitgl(folder.path(), &line);
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(0), "{err}");
    let enrolled = out.lines().filter(|line| line.contains("templates enrolled"));
    assert_eq!(enrolled.count(), 8, "{out}");
    let line = format!("enrol --gallery people.db --subject anna {}", set.display());
    refused(folder.path(), &line, &["`001`", "leave out --subject"]);
}

#[test]
fn comparing_a_walk_with_itself_gives_zero() {
    let folder = tempfile::tempdir().unwrap();
    let walk = |name: &str| shared().raw().join(name).display().to_string();
    let [first, second] = [walk("003/nm-01/090"), walk("004/nm-01/045")];
    let out = ok(folder.path(), &format!("compare {first} {first} --json -"));
    let same = json(&out);
    assert_eq!([&same["distance"], &same["same_person"]], [&json("0.0"), &json("true")]);
    let other = json(&ok(folder.path(), &format!("compare {first} {second} --json -")));
    let back = json(&ok(folder.path(), &format!("compare {second} {first} --json -")));
    assert!(other["distance"].as_f64() > Some(0.0));
    assert_eq!(other["distance"], back["distance"]);
}

#[test]
fn what_cannot_be_enrolled_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let walk = shared().raw().join("001/nm-01/090").display().to_string();
    let walk = walk.as_str();
    fs::create_dir_all(path.join("empty")).unwrap();
    for (line, parts) in [
        (format!("enrol --gallery p.db --subject a {walk}"), &["no consent", "--consent"][..]),
        (format!("enrol --gallery p.db {walk}"), &["--subject NAME"]),
        (format!("enrol --gallery p.db --subject a --consent a,b {walk}"), &["who, when"]),
        (
            format!("enrol --gallery p.db --subject a --consent a,2020-01-01,p,2021-01-01 {walk}"),
            &["ended", "2021-01-01"],
        ),
        ("enrol --gallery p.db --subject a empty".into(), &["holds no images"]),
        ("enrol --gallery p.db --subject a nowhere.mp4".into(), &["nowhere.mp4", "check the path"]),
        (format!("identify --gallery none.db {walk}"), &["none.db"]),
    ] {
        refused(path, &line, parts);
    }
    assert!(!path.join("none.db").exists());
}

#[test]
fn a_gallery_whose_silhouettes_were_kept_moves_to_another_network() {
    let folder = tempfile::tempdir().unwrap();
    let walk = shared().raw().join("001/nm-01/090").display().to_string();
    let run = shared().run().display().to_string();
    let consent = "anna,2026-01-01,tests,2999-12-31";
    let enrol = "enrol --gallery people.db --keep-silhouettes --subject anna";
    ok(folder.path(), &format!("{enrol} --consent {consent} {walk}"));
    let out = ok(folder.path(), &format!("gallery rebuild --gallery people.db --run {run}"));
    assert!(out.contains("1 template made anew"), "{out}");
    let calibrate = ["has no threshold", "gaitgl calibrate"];
    refused(folder.path(), &format!("identify --gallery people.db --run {run} {walk}"), &calibrate);
    // Back to the network that ships: the same silhouettes give the same embedding.
    ok(folder.path(), "gallery rebuild --gallery people.db");
    let out = ok(folder.path(), &format!("identify --gallery people.db {walk}"));
    assert!(out.contains("anna") && out.contains("0.000"), "{out}");

    let other = gallery();
    let refusal = &["silhouettes of `anna` were not kept", "--keep-silhouettes"];
    refused(other.path(), &format!("gallery rebuild --gallery people.db --run {run}"), refusal);
}

#[test]
fn a_gallery_of_another_network_is_refused() {
    let gallery = gallery();
    let run = shared().run();
    let walk = shared().raw().join("001/nm-01/090");
    let [run, walk] = [run.display(), walk.display()];
    for command in ["identify", "enrol --subject anna"] {
        let line = format!("{command} --gallery people.db --run {run} {walk}");
        refused(
            gallery.path(),
            &line,
            &["the gallery holds embeddings of network", "--checkpoint"],
        );
    }
}
