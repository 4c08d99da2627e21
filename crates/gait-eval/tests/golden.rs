//! Protocols against values that `reference/export_protocol.py` computed with numpy.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{check_close, embeddings, fixture, numbers};
use gait_eval::{Distance, Protocol, Rerank, Watch, evaluate, submission, verify};
use gait_support::full_message;
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
        check_outcomes(&result);
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

/// The outcomes by subject lead to the same figures, but for the rounding to two decimals.
fn check_outcomes(result: &gait_eval::Evaluation) {
    let outcomes = gait_eval::Outcomes::from_json(&result.to_json(0.0)).unwrap();
    for (group, by_subject) in result.groups.iter().zip(&outcomes.groups) {
        for (figure, ratios) in group.values.iter().zip(&by_subject.ratios) {
            let share = |ratio: &gait_eval::Ratio| {
                let count: u32 = ratio.counts.iter().sum();
                100.0 * ratio.weight * ratio.sums.iter().sum::<f64>() / f64::from(count)
            };
            let found = (!ratios.is_empty()).then(|| ratios.iter().map(share).sum::<f64>());
            let close =
                figure.zip(found).map_or(*figure == found, |(a, b)| (a - b).abs() < 0.00501);
            assert!(close, "{}, {}: {figure:?}, {found:?}", result.protocol, group.name);
            let weights: f64 = ratios.iter().map(|ratio| ratio.weight).sum();
            assert!(ratios.is_empty() || (weights - 1.0).abs() < 1e-9, "{weights}");
        }
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

#[test]
fn ou_mvlp_agrees_with_numpy() {
    check("ou_mvlp");
}

#[test]
fn grew_agrees_with_numpy() {
    check("grew");
}

#[test]
fn gait3d_agrees_with_numpy() {
    check("gait3d");
}

#[test]
fn casia_e_agrees_with_numpy() {
    check("casia_e");
}

#[test]
fn sustech1k_agrees_with_numpy() {
    check("sustech1k");
}

#[test]
fn ccpg_agrees_with_numpy() {
    check("ccpg");
}

#[test]
fn verification_agrees_with_numpy() {
    for case in fixture("verification") {
        let protocol = Protocol::builtin(case["protocol"].as_str().unwrap()).unwrap();
        let distance = case["distance"].as_str().unwrap().parse().unwrap();
        let result = verify(&embeddings(&case), &protocol, distance, &Watch::silent()).unwrap();
        let json = result.to_json();
        for group in &result.groups {
            let expected = &case["groups"][&group.name];
            assert_eq!(Some(group.genuine), expected["genuine"].as_u64());
            assert_eq!(Some(group.impostors), expected["impostors"].as_u64());
            let about = format!("{}, {distance}, {}", protocol.name(), group.name);
            check_close(&[group.equal_error_rate], &[expected["eer"].as_f64()], &about);
            let rates: Vec<_> = group.true_accept_rates.iter().map(|(_, best)| *best).collect();
            check_close(&rates, &numbers(&expected["tar"]), &about);
            let written = &json["groups"][&group.name]["tar"];
            let names = ["0.01", "0.001", "0.0001"];
            check_close(&names.map(|name| written[name].as_f64()), &rates, &about);
        }
    }
}

#[test]
fn reranked_distances_and_submission_agree_with_numpy() {
    for case in fixture("rerank") {
        let size = |key: &str| usize::try_from(case[key].as_u64().unwrap()).unwrap();
        let rerank = Rerank::new(size("k1"), size("k2"), case["lambda"].as_f64().unwrap()).unwrap();
        let distance: Distance = case["distance"].as_str().unwrap().parse().unwrap();
        let e = embeddings(&case);
        let indices =
            |key: &str| -> Vec<usize> { serde_json::from_value(case[key].clone()).unwrap() };
        let probes = indices("probes");
        let gallery = indices("gallery");
        let expected: Vec<Vec<f64>> = serde_json::from_value(case["distances"].clone()).unwrap();
        let rows = rerank
            .map_rows(&e, distance, &probes, &gallery, &Watch::silent(), |_, row| row.to_vec())
            .unwrap();
        assert_eq!(rows.len(), expected.len());
        for (ours, theirs) in rows.iter().zip(&expected) {
            assert_eq!(ours.len(), theirs.len());
            for (a, b) in ours.iter().zip(theirs) {
                // Single precision distances, blended and rounded once more.
                assert!((f64::from(*a) - b).abs() < 1e-6, "{rerank:?}: {ours:?}, {theirs:?}");
            }
        }
        let with = "k1 = 6\nk2 = 6\nlambda = 0.3\n";
        let hid = Protocol::builtin_text("hid").unwrap();
        assert!(hid.contains(with));
        if rerank == Rerank::new(6, 6, 0.3).unwrap() {
            let expected: Vec<Vec<String>> =
                serde_json::from_value(case["nearest"].clone()).unwrap();
            let made = |text: &str| {
                let protocol = Protocol::from_toml("hid", text).unwrap();
                submission(&e, &protocol, distance, &Watch::silent()).unwrap()
            };
            assert_eq!(made(hid).header, ["videoID", "label"]);
            assert_eq!(made(hid).rows, expected);
            let plain = made(&hid.replace("[rerank]\n", "").replace(with, ""));
            assert_ne!(made(hid), plain, "the case would not notice a missing re-ranking");
        }
    }
}

#[test]
fn hid_has_nothing_to_score_and_says_so() {
    let case = fixture("rerank").remove(0);
    let protocol = Protocol::builtin("hid").unwrap();
    let error = evaluate(&embeddings(&case), &protocol, Distance::Strips, &Watch::silent());
    let error = full_message(&error.unwrap_err());
    assert!(error.contains("not public, so there is nothing to score"), "{error}");
}
