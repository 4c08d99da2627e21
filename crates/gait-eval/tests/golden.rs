//! Protocols against values that `reference/export_protocol.py` computed with numpy.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{check_close, embeddings, fixture, numbers};
use gait_eval::{Protocol, Watch, evaluate};
use serde_json::Value;

fn check(file: &str) {
    for case in fixture(file) {
        let name = case["protocol"].as_str().unwrap();
        let mut protocol = Protocol::builtin(name).unwrap();
        if let Some(listed) = case.get("listed") {
            let listed: Vec<String> = serde_json::from_value(listed.clone()).unwrap();
            protocol = protocol.with_listed(listed);
        }
        let distance = case["distance"].as_str().unwrap().parse().unwrap();
        let e = embeddings(&case);
        let result = evaluate(&e, &protocol, distance, &Watch::silent()).unwrap();
        let about = format!("{name}, {distance}, {} sequences", e.len());

        let metrics: Vec<String> = result.metrics.iter().map(ToString::to_string).collect();
        assert_eq!(serde_json::to_value(metrics).unwrap(), case["metrics"], "{about}");
        let groups = case["groups"].as_object().unwrap();
        assert_eq!(result.groups.len(), groups.len(), "{about}");
        for group in &result.groups {
            let expected = &groups[&group.name];
            let about = format!("{about}, {}", group.name);
            check_close(&group.values, &numbers(&expected["values"]), &about);
            let views = expected["views"].as_object().unwrap();
            assert_eq!(group.views.len(), views.len(), "{about}");
            for view in &group.views {
                let about = format!("{about}, view {}", view.view);
                check_close(&view.values, &numbers(&views[&view.view]), &about);
            }
            check_pairs(group, &expected["pairs"], &about);
        }
        check_close(&result.mean, &numbers(&case["mean"]), &about);
        check_json(&result.to_json(1.5), &case);
    }
}

fn check_pairs(group: &gait_eval::GroupResult, expected: &Value, about: &str) {
    let none = Vec::new();
    let expected = expected.as_array().unwrap_or(&none);
    assert_eq!(group.pairs.len(), expected.len(), "{about}");
    for (pair, expected) in group.pairs.iter().zip(expected) {
        let expected = expected.as_array().unwrap();
        assert_eq!(pair.probe_view, expected[0].as_str().unwrap(), "{about}");
        assert_eq!(pair.gallery_view, expected[1].as_str().unwrap(), "{about}");
        check_close(&pair.values, &numbers(&expected[2..].into()), about);
    }
}

/// The JSON holds the same figures under the names that it promises.
fn check_json(json: &Value, case: &Value) {
    assert_eq!(json["protocol"], case["protocol"]);
    assert_eq!(json["seconds"], 1.5);
    assert_eq!(json["sequences"], case["shape"][0]);
    for (at, metric) in case["metrics"].as_array().unwrap().iter().enumerate() {
        let figures = &json[metric.as_str().unwrap().replace('-', "")];
        check_close(&[figures["mean"].as_f64()], &[case["mean"][at].as_f64()], "JSON mean");
        for (name, group) in case["groups"].as_object().unwrap() {
            check_close(&[figures[name].as_f64()], &[group["values"][at].as_f64()], "JSON");
        }
    }
    for (name, group) in case["groups"].as_object().unwrap() {
        for (view, values) in group["views"].as_object().unwrap() {
            check_close(&[json["views"][name][view].as_f64()], &[values[0].as_f64()], "JSON view");
        }
    }
}

#[test]
fn casia_b_agrees_with_numpy() {
    check("casia_b");
}

#[test]
fn leave_one_out_agrees_with_numpy() {
    check("leave_one_out");
}
