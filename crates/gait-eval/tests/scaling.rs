//! The scale of embeddings does not matter: distances neither overflow nor underflow in silence.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use gait_eval::{
    Distance, Embeddings, EvalError, Protocol, Watch, distance_matrix, evaluate, submission, verify,
};
use proptest::prelude::*;

fn scaled(e: &Embeddings, factor: f32) -> Embeddings {
    let values = e.values().iter().map(|value| value * factor).collect();
    let columns = [e.subjects(), e.conditions(), e.views()].map(<[String]>::to_vec);
    Embeddings::from_columns(e.channels(), e.strips(), values, columns).unwrap()
}

fn unnamed(channels: usize, strips: usize, values: Vec<f32>) -> Embeddings {
    let names = (0..values.len() / channels / strips)
        .map(|i| (i.to_string(), "walk".to_owned(), "0".to_owned()));
    Embeddings::new(channels, strips, values, names).unwrap()
}

fn matrix(e: &Embeddings, distance: Distance) -> Vec<f32> {
    let all: Vec<usize> = (0..e.len()).collect();
    distance_matrix(e, distance, &all, &all).unwrap()
}

/// Reproducible noise in [-1, 1).
fn noise(count: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Twelve people in CASIA-B's conditions, 24 values each with much noise, so that some are taken for
/// others.
fn walkers() -> Embeddings {
    let people = 12;
    let width = 24;
    let centres = noise(people * width);
    let mut names = Vec::new();
    for subject in 0..people {
        for condition in ["nm-01", "nm-05", "bg-01", "cl-01", "01", "02", "03"] {
            for view in ["000", "090"] {
                let view =
                    if condition == "03" { format!("{subject}-{view}") } else { view.into() };
                names.push((subject.to_string(), condition.to_owned(), view));
            }
        }
    }
    let own = noise((names.len() + people) * width).split_off(people * width);
    let values = own.iter().enumerate().map(|(at, noise)| {
        let subject = at / width * people / names.len();
        centres[subject * width + at % width] + 1.4 * noise
    });
    Embeddings::new(8, 3, values.collect(), names).unwrap()
}

/// Everything that is computed from distances, but for the distances themselves.
fn results(e: &Embeddings, distance: Distance) -> String {
    let mut text = String::new();
    for name in ["casia-b", "leave-one-out", "grew"] {
        let protocol = Protocol::builtin(name).unwrap();
        text += &evaluate(e, &protocol, distance, &Watch::silent()).unwrap().to_string();
        text += &verify(e, &protocol, distance, &Watch::silent()).unwrap().to_string();
    }
    let text_of_grew = Protocol::builtin_text("grew").unwrap();
    let rerank = "[rerank]\nk1 = 6\nk2 = 3\nlambda = 0.3\n";
    for protocol in [text_of_grew.to_owned(), format!("{text_of_grew}\n{rerank}")] {
        let protocol = Protocol::from_toml("grew", &protocol).unwrap();
        text += &submission(e, &protocol, distance, &Watch::silent()).unwrap().to_string();
    }
    text
}

#[test]
fn results_are_the_same_at_any_scale() {
    let e = walkers();
    for distance in Distance::ALL {
        let expected = results(&e, distance);
        assert!(!expected.contains("100.0  100.0"), "too easy to notice a change:\n{expected}");
        for factor in [1e20, 1e30, 1e-10, 1e-25, 1e-30, 3.0] {
            assert_eq!(results(&scaled(&e, factor), distance), expected, "{distance}, {factor:e}");
        }
        for power in [-100, -60, -30, -20, 20, 40, 64, 100, 125] {
            let factor = 2f32.powi(power);
            assert_eq!(results(&scaled(&e, factor), distance), expected, "{distance}, 2^{power}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn powers_of_two_scale_distances_to_the_bit(
        values in prop::collection::vec(-1e3f32..1e3, 12 * 6),
        power in -70i32..70,
    ) {
        let e = unnamed(4, 3, values);
        let factor = 2f32.powi(power);
        for distance in Distance::ALL {
            let expected = match distance {
                Distance::Cosine => matrix(&e, distance),
                _ => matrix(&e, distance).into_iter().map(|d| d * factor).collect(),
            };
            prop_assert_eq!(matrix(&scaled(&e, factor), distance), expected, "{}", distance);
        }
    }

    #[test]
    fn strips_of_any_magnitudes_are_compared(
        values in prop::collection::vec(1f32..2.0, 2 * 2 * 2),
        exponents in prop::array::uniform2(-15i32..15),
        equal in any::<bool>(),
    ) {
        // [n, c, p] = [2, 2, 2]; one strip may be equal, so that only the other one tells.
        let mut values: Vec<f32> = values
            .iter()
            .enumerate()
            .map(|(at, value)| value * 10f32.powi(exponents[at % 2]))
            .collect();
        if equal {
            values[4] = values[0];
            values[6] = values[2];
        }
        let e = unnamed(2, 2, values);
        for distance in Distance::ALL {
            let exact = definition(e.row(0), e.row(1), distance);
            let close = match distance {
                Distance::Cosine => 1e-6,
                _ => 1e-6 * exact,
            };
            let d = matrix(&e, distance)[1];
            prop_assert!((f64::from(d) - exact).abs() <= close, "{}: {}, {}", distance, d, exact);
        }
    }
}

/// The distance of two embeddings `[2, 2]` in double precision.
fn definition(a: &[f32], b: &[f32], distance: Distance) -> f64 {
    let strip = |row: &[f32], p: usize| [f64::from(row[p]), f64::from(row[2 + p])];
    let length = |[x, y]: [f64; 2]| (x * x + y * y).sqrt();
    let apart = |p: usize| {
        let [a, b] = [strip(a, p), strip(b, p)];
        length([a[0] - b[0], a[1] - b[1]])
    };
    let cosine = |p: usize| {
        let [a, b] = [strip(a, p), strip(b, p)];
        (a[0] * b[0] + a[1] * b[1]) / (length(a) * length(b))
    };
    match distance {
        Distance::Strips => (apart(0) + apart(1)) / 2.0,
        Distance::Flat => length([apart(0), apart(1)]),
        Distance::Cosine => 1.0 - (cosine(0) + cosine(1)) / 2.0,
    }
}

#[test]
fn a_huge_sequence_does_not_hide_the_others() {
    // Four sequences of two people around 1e-10, and one that diverged.
    let values = [1.0, 1.1, 5.0, 5.2].map(|value| value * 1e-10).into_iter().chain([1e20]);
    let names = [("a", "1"), ("a", "2"), ("b", "1"), ("b", "2"), ("c", "1")];
    let names = names.map(|(who, how)| (who.to_owned(), how.to_owned(), String::new()));
    let e = Embeddings::new(1, 1, values.collect(), names).unwrap();
    let protocol = Protocol::builtin("leave-one-out").unwrap();
    for distance in [Distance::Strips, Distance::Flat] {
        let result = evaluate(&e, &protocol, distance, &Watch::silent()).unwrap();
        assert_eq!(result.mean[0], Some(100.0), "{distance}");
    }
}

#[test]
fn what_single_precision_cannot_hold_is_an_error_of_one_line() {
    let too_far = unnamed(1, 1, vec![3e38, -3e38]);
    let too_near = unnamed(1, 1, vec![3e38, 0.0, 1e-10]);
    let denormal = unnamed(1, 1, vec![1.0, 0.0, 1e-40]);
    for (e, distance) in [(too_far, "6e38"), (too_near, "1e-10"), (denormal, "1e-40")] {
        let all: Vec<usize> = (0..e.len()).collect();
        let error = distance_matrix(&e, Distance::Strips, &all, &all).unwrap_err();
        let message = error.to_string();
        let EvalError::Range { distance: found, sequence, .. } = error else { panic!("{message}") };
        let expected: f64 = distance.parse().unwrap();
        assert!((found / expected - 1.0).abs() < 1e-4, "{message}");
        assert_eq!(sequence, "0/walk/0");
        assert!(!message.contains('\n'), "{message}");
    }
}

#[test]
fn distances_beyond_single_precision_still_rank() {
    let names = [("a", "1"), ("a", "2"), ("b", "1"), ("b", "2")];
    let names = names.map(|(who, how)| (who.to_owned(), how.to_owned(), String::new()));
    let e = Embeddings::new(1, 1, vec![3e38, 2e38, -3e38, -2e38], names).unwrap();
    let protocol = Protocol::builtin("leave-one-out").unwrap();
    let result = evaluate(&e, &protocol, Distance::Strips, &Watch::silent()).unwrap();
    assert_eq!(result.mean[0], Some(100.0));
}

#[test]
fn a_zero_embedding_is_orthogonal_to_all_and_at_distance_zero_from_itself() {
    let e = unnamed(2, 1, vec![0.0, 0.0, -0.0, 0.0, 3e-30, 4e-30]);
    assert_eq!(matrix(&e, Distance::Cosine)[..3], [1.0, 1.0, 1.0]);
    assert_eq!(matrix(&e, Distance::Cosine)[8].abs(), 0.0);
    assert_eq!(matrix(&e, Distance::Flat)[..2], [0.0, 0.0]);
    assert!((matrix(&e, Distance::Flat)[2] / 5e-30 - 1.0).abs() < 1e-6);
    let zeros = unnamed(2, 1, vec![0.0; 4]);
    assert_eq!(matrix(&zeros, Distance::Strips), [0.0; 4]);
}
