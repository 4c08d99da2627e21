//! Reading fixtures and comparing figures.

use gait_eval::Embeddings;
use serde_json::Value;

/// The cases of a fixture.
pub fn fixture(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The embeddings of a case.
pub fn embeddings(case: &Value) -> Embeddings {
    let names = |key: &str| -> Vec<String> { serde_json::from_value(case[key].clone()).unwrap() };
    let size = |axis: usize| usize::try_from(case["shape"][axis].as_u64().unwrap()).unwrap();
    let values = serde_json::from_value(case["values"].clone()).unwrap();
    let columns = [names("subjects"), names("conditions"), names("views")];
    Embeddings::from_columns(size(1), size(2), values, columns).unwrap()
}

/// Numbers or null.
pub fn numbers(list: &Value) -> Vec<Option<f64>> {
    list.as_array().unwrap().iter().map(Value::as_f64).collect()
}

/// Percentages agree to 1e-9: rankings are discrete, so only the order of additions differs.
pub fn check_close(ours: &[Option<f64>], theirs: &[Option<f64>], about: &str) {
    assert_eq!(ours.len(), theirs.len(), "{about}: {ours:?} against {theirs:?}");
    for pair in ours.iter().zip(theirs) {
        match pair {
            (Some(a), Some(b)) => assert!((a - b).abs() < 1e-9, "{about}: {ours:?}, {theirs:?}"),
            (a, b) => assert_eq!(a, b, "{about}"),
        }
    }
}
