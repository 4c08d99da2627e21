//! Open-set rates against those that `reference/export_open_set.py` computed with plain loops.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use gait_eval::{Distance, Embeddings, OpenSetRule, Watch, open_set};
use serde_json::Value;

#[test]
fn rates_and_thresholds_agree_with_plain_loops() {
    let golden: Value = serde_json::from_str(include_str!("fixtures/open_set.json")).unwrap();
    let values: Vec<f32> = serde_json::from_value(golden["values"].clone()).unwrap();
    let subjects: Vec<String> = serde_json::from_value(golden["subjects"].clone()).unwrap();
    let size = |name: &str| usize::try_from(golden[name].as_u64().unwrap()).unwrap();
    let names = subjects.into_iter().map(|subject| (subject, String::new(), String::new()));
    let e = Embeddings::new(size("channels"), size("strips"), values, names).unwrap();
    let scores = open_set(&e, Distance::Strips, &Watch::silent()).unwrap();
    assert_eq!(scores.genuine(), size("genuine"));
    assert_eq!(scores.impostors(), size("impostors"));

    for case in golden["rates"].as_array().unwrap() {
        let number = |name: &str| case[name].as_f64().unwrap();
        let threshold = number("threshold") as f32;
        let pairs = scores.pairs(threshold);
        let rule = OpenSetRule { threshold, margin: number("margin") as f32 };
        let searches = scores.searches(rule);
        // Shares of the same counts: equal to the bit.
        assert_eq!(pairs.false_accept, Some(number("far")), "{case}");
        assert_eq!(pairs.false_reject, Some(number("frr")), "{case}");
        assert_eq!(searches.false_positive, Some(number("fpir")), "{case}");
        assert_eq!(searches.false_negative, Some(number("fnir")), "{case}");
    }
    for case in golden["thresholds"].as_array().unwrap() {
        let rate = case["far"].as_f64().unwrap();
        let refused = case["refused"].as_f64().unwrap();
        let threshold = f64::from(scores.threshold(rate).unwrap());
        // Single against double precision.
        assert!((threshold - refused).abs() < 1e-6 * refused, "{case}: {threshold}");
    }
}
