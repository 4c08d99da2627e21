//! What stands beside the figures of a test: published rows, confidence intervals, comparisons.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod common;

use std::fs;
use std::path::Path;

use common::{ok, refused, shared};
use serde_json::Value;

fn json(folder: &Path, name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join(name)).unwrap()).unwrap()
}

#[test]
fn published_rows_are_those_of_the_network_unless_others_are_asked_for() {
    let folder = shared().path();
    let line = "test --run run --data prepared";
    // The walkers have two views, so nothing stands beside them by itself.
    let own = ok(folder, line);
    assert!(!own.contains("GaitGL") && !own.contains("note: "), "{own}");
    let none = ok(folder, &format!("{line} --published none"));
    assert_eq!(own.lines().count(), none.lines().count(), "{own}\n{none}");

    let all = ok(folder, &format!("{line} --published all --json published.json"));
    for row in ["GaitSet", "3D Local", "GaitGL 2021", "91.0", "93.6"] {
        assert!(all.contains(row), "no {row} in\n{all}");
    }
    assert!(all.contains("network of paper-small, from which this one differs in model.channels"));
    assert_eq!(json(folder, "published.json")["published"].as_array().unwrap().len(), 7);

    let other = ok(folder, &format!("{line} --published parts-small"));
    assert!(other.contains("GaitGL 2021") && !other.contains("GaitSet"), "{other}");
    assert!(!other.contains("differs"), "{other}");
    refused(folder, &format!("{line} --published paper-smal"), &["paper-smal", "`paper-small`"]);
}

#[test]
fn confidence_intervals_are_printed_written_and_the_same_again() {
    let folder = shared().path();
    let line = "test --run run --data prepared --confidence 95 --json sure.json";
    let printed = ok(folder, line);
    assert!(printed.contains("95% confidence intervals: bootstrap over 3 subjects"), "{printed}");
    let found = json(folder, "sure.json");
    for group in ["NM", "BG", "CL", "mean"] {
        let ends: [f64; 2] =
            serde_json::from_value(found["confidence"]["rank1"][group].clone()).unwrap();
        let figure = found["rank1"][group].as_f64().unwrap();
        assert!(ends[0] <= figure + 0.005 && figure <= ends[1] + 0.005, "{group}: {found}");
    }
    ok(folder, line);
    assert_eq!(json(folder, "sure.json")["confidence"], found["confidence"]);
    refused(folder, &line.replace("95", "0.95"), &["0.95", "from 1 to 99.9"]);
}

#[test]
fn two_results_are_compared_by_subject() {
    let folder = shared().path();
    ok(folder, "test --run run --data prepared --json strips.json");
    ok(folder, "test --run run --data prepared --distance cosine --json cosine.json");
    let line = "compare-results strips.json --against cosine.json";
    let printed = ok(folder, &format!("{line} --json compared.json"));
    for part in ["first:  strips.json", "second: cosine.json", "95% interval", "wins", "mean"] {
        assert!(printed.contains(part), "no {part} in\n{printed}");
    }
    let found = json(folder, "compared.json");
    let strips = json(folder, "strips.json")["rank1"]["NM"].as_f64().unwrap();
    let group = &found["rank1"]["NM"];
    assert!((group["first"].as_f64().unwrap() - strips).abs() < 0.005, "{found}");
    let subjects = ["wins", "losses", "ties"].map(|key| group[key].as_u64().unwrap());
    assert_eq!(subjects.iter().sum::<u64>(), 3);
    assert!((0.0..=1.0).contains(&group["p"].as_f64().unwrap()));

    // A result is as good as itself, also as the mean of two seeds.
    ok(folder, "compare-results strips.json strips.json --against strips.json --json same.json");
    let same = json(folder, "same.json");
    assert_eq!(same["rank1"]["mean"]["difference"], 0.0);
    assert_eq!(same["rank1"]["mean"]["p"], 1.0);
}

#[test]
fn results_that_cannot_be_compared_are_refused() {
    let folder = shared().path();
    ok(folder, "test --run run --data prepared --json one.json");
    ok(folder, "test --run run --data prepared --protocol leave-one-out --json other.json");
    let against = |other: &str| format!("compare-results one.json --against {other}");
    refused(folder, &against("other.json"), &["casia-b and leave-one-out", "--protocol"]);
    refused(folder, &against("none.json"), &["none.json", "check the path"]);
    fs::write(folder.join("old.json"), "{\"protocol\": \"casia-b\"}").unwrap();
    refused(folder, &against("old.json"), &["old.json", "no outcomes", "gaitgl test --json"]);
    fs::write(folder.join("broken.json"), "{").unwrap();
    refused(folder, &against("broken.json"), &["broken.json is not a result"]);

    ok(folder, "synth fewer --subjects 5 --views 45,90 --frames 12 --seed 3");
    ok(folder, "prepare fewer fewer-prepared --layout casia-b");
    ok(folder, "test --run run --data fewer-prepared --json fewer.json");
    refused(folder, &against("fewer.json"), &["different subjects", "one prepared set"]);
}
