//! `bench`: its report, compared with those of other programs.

mod common;

use common::{ok, refused, shared};

const SMALL: &str = "bench --case parts-small/test/1x30 --repeats 1 --threads 1";

#[test]
fn a_report_is_written_and_compared() {
    let folder = shared().path();
    let printed = ok(folder, &format!("{SMALL} --json bench.json"));
    assert!(printed.contains("parts-small/test/1x30"), "{printed}");
    let json: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("bench.json")).unwrap()).unwrap();
    assert_eq!(json["cases"].as_array().unwrap().len(), 1);
    assert!(json["cases"][0]["seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(json["threads"], 1);

    let compared = ok(folder, &format!("{SMALL} --against bench.json"));
    let row = compared.lines().find(|line| line.starts_with("parts-small")).unwrap();
    assert_eq!(row.split_whitespace().count(), 4, "{row}");
    let two = SMALL.replace("--threads 1", "--threads 2");
    refused(folder, &format!("{two} --against bench.json"), &["1 threads", "give --threads 1"]);
}

#[test]
fn a_report_without_its_number_of_threads_is_compared_with_a_remark() {
    let folder = shared().path();
    let least =
        r#"{"cases": [{"name": "parts-small/test/1x30", "seconds": 1.5}], "peak_bytes": 1}"#;
    std::fs::write(folder.join("least.json"), least).unwrap();
    let printed = ok(folder, &format!("{SMALL} --against least.json"));
    assert!(
        printed.contains("does not give its number of threads") && printed.contains("1.500"),
        "{printed}"
    );
}

#[test]
fn what_cannot_be_timed_is_refused() {
    let folder = shared().path();
    refused(folder, "bench --case parts-smal/", &["parts-smal/", "parts-small/test/1x30"]);
    refused(folder, "bench --threads 1025", &["1025", "--threads"]);
    refused(folder, "bench --against none.json", &["none.json", "does not exist"]);
    std::fs::write(folder.join("other.json"), "{}").unwrap();
    refused(folder, "bench --against other.json", &["other.json", "cases"]);
}
