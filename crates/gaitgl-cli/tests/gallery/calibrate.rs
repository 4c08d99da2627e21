//! `gaitgl calibrate`.

use std::fs;

use crate::common::{ok, refused, shared};
use crate::people::{Person, actions, import, json, person, three};

/// Twenty people, each with three templates.
fn twenty() -> Vec<Person> {
    (0..20).map(|i| person(format!("p{i}"), 10.0 * i as f32, 3)).collect()
}

#[test]
fn the_threshold_is_stored_with_its_rate_and_pairs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for files in ["--gallery a.db", "--gallery b.db --key-file b.key"] {
        import(folder, files, &twenty());
        let line = format!("calibrate {files} --far 0.05 --margin 0.1");
        let text = ok(folder, &line);
        // 60 templates and 19 other people each.
        assert!(text.contains("1140 pairs of different people, 60 of the same"), "{text}");
        let stored = text.lines().find(|line| line.ends_with("stored")).unwrap();
        // All of the same are near, and all others far apart.
        assert!(stored.trim_start().starts_with("5.00%"), "{text}");
        assert!(stored.contains("0.00%"), "{text}");
        let list = json(folder, &format!("gallery list {files}"));
        let calibration = &list["calibration"];
        assert_eq!(calibration["false_accept_rate"], 0.05);
        assert_eq!(calibration["pairs"], 1140);
        assert_eq!(calibration["network"], "aaaa");
        let threshold = calibration["threshold"].as_f64().unwrap();
        assert!(threshold > 0.1 && threshold < 200.0, "{threshold}");
        assert_eq!(actions(folder, files).last().unwrap(), "calibrated");
    }
}

#[test]
fn curves_are_drawn_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    import(folder, "--gallery a.db", &twenty());
    let report = json(folder, "calibrate --gallery a.db --curve c.svg");
    let curve = report["curve"].as_array().unwrap();
    let rates = |name: &str| -> Vec<f64> {
        curve.iter().map(|point| point[name].as_f64().unwrap()).collect()
    };
    assert!(
        rates("false_accept").is_sorted() && rates("false_positive_identification").is_sorted()
    );
    assert!(rates("false_reject").is_sorted_by(|a, b| a >= b));
    assert_eq!(report["pairs"]["different"], 1140);
    assert!(fs::read_to_string(folder.join("c.svg")).unwrap().contains("FNIR over FPIR"));
    ok(folder, "calibrate --gallery a.db --curve c.png");
    assert!(fs::read(folder.join("c.png")).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn what_cannot_be_calibrated_is_refused_and_nothing_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    import(folder, "--gallery few.db", &three());
    import(folder, "--gallery one.db", &[person("ben", 1.0, 3)]);
    import(folder, "--gallery nobody.db", &[]);
    let cases: [(&str, &[&str]); 7] = [
        ("few.db --far 0.01", &["5 pairs", "0.6 at least", "300 pairs", "--data"]),
        ("few.db --far 0", &["0 is not a rate", "--far 0.01"]),
        ("few.db --margin 1", &["--margin", "fraction"]),
        ("few.db --curve c.bmp", &["c.bmp", ".svg"]),
        ("few.db --data nowhere", &["nowhere", "gaitgl prepare"]),
        ("one.db", &["no pairs", "second person"]),
        ("nobody.db", &["nobody.db", "no templates", "enrol people"]),
    ];
    for (line, parts) in cases {
        refused(folder, &format!("calibrate --gallery {line}"), parts);
    }
    assert_eq!(
        json(folder, "gallery list --gallery few.db")["calibration"],
        serde_json::Value::Null
    );
}

#[test]
fn a_prepared_set_stands_in_for_a_small_gallery() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    import(folder, "--gallery empty.db", &[]);
    let data = shared().prepared().display().to_string();
    let run = shared().run().display().to_string();
    let line = format!("calibrate --gallery empty.db --data {data} --run {run} --far 0.1");
    let report = json(folder, &line);
    assert_eq!(report["calibration"]["source"].as_str().unwrap(), data);
    // The test subjects alone.
    let set = gait_data::PreparedSet::open(&shared().prepared()).unwrap();
    let people = set.about().partition.test.len();
    assert_eq!(report["pairs"]["different"], set.test().len() * (people - 1));
    import(folder, "--gallery other.db", &three());
    let line = format!("calibrate --gallery other.db --data {data} --run {run}");
    refused(folder, &line, &["network aaaa", "--checkpoint"]);
}
