//! A first pass changes no result.

use proptest::prelude::*;

use super::*;
use crate::Protocol;
use crate::evaluate::evaluate_by;
use crate::rows::relative_matrix;

const PASSES: [FirstPass; 3] = [FirstPass::Single, FirstPass::Half, FirstPass::TwoHalves];

/// Sequences of few people, with ties, copies, near copies and strips of very different lengths.
fn embeddings() -> impl Strategy<Value = Embeddings> {
    let shape = (2..70usize, 1..70usize, 1..6usize);
    let power = prop::sample::select(vec![-120, -40, -20, 0, 0, 0, 20, 40, 100]);
    (shape, power, any::<u32>(), any::<bool>()).prop_map(
        |((n, channels, strips), power, seed, coarse)| {
            let width = channels * strips;
            let mut state = seed | 1;
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            };
            let mut values: Vec<f32> = (0..n * width).map(|_| next()).collect();
            if coarse {
                values.iter_mut().for_each(|value| *value = (*value * 4.0).round() / 4.0);
            }
            for sequence in 1..n {
                let from = sequence * width;
                let kind = (next() * 8.0) as i32;
                match kind {
                    // A copy of the one before, a near copy, one that is a little farther, a zero strip.
                    -1 => values.copy_within(from - width..from, from),
                    1..=3 => {
                        values.copy_within(from - width..from, from);
                        let near = [1e-9, 1e-6, 1e-3][kind as usize - 1];
                        values[from..from + width]
                            .iter_mut()
                            .for_each(|value| *value += near * next());
                    }
                    4 => {
                        let first = values[from..from + width].iter_mut().step_by(strips);
                        first.for_each(|value| *value = 0.0);
                    }
                    5 => values[from..from + width].iter_mut().for_each(|v| *v *= 1e-5),
                    _ => {}
                }
            }
            values.iter_mut().for_each(|value| *value *= 2f32.powi(power));
            let conditions = ["nm-01", "nm-02", "nm-05", "nm-06", "bg-01", "cl-01"];
            let names = (0..n).map(|i| {
                let condition = conditions[i % conditions.len()];
                (((i / 3) % 5).to_string(), condition.to_owned(), (18 * (i % 2)).to_string())
            });
            Embeddings::new(channels, strips, values, names).unwrap()
        },
    )
}

/// The bounds of all distances, and each distance as the bounds leave it.
fn rows(e: &Embeddings, pass: FirstPass) -> Result<Vec<Vec<[f32; 3]>>, EvalError> {
    let all: Vec<usize> = (0..e.len()).collect();
    let watch = Watch::silent();
    bounded_rows(e, Distance::Strips, Some(pass), [&all, &all], &watch, |_, row| {
        let bounded = |at: usize| [row.low()[at], row.high()[at], row.distance(at).unwrap()];
        Ok((0..e.len()).map(bounded).collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn bounds_hold_and_distances_have_their_bits(e in embeddings()) {
        let all: Vec<usize> = (0..e.len()).collect();
        let expected = relative_matrix(&e, Distance::Strips, &all, &all);
        for pass in PASSES {
            let found = rows(&e, pass);
            // Which of several distances that vanish is named depends on the threads.
            prop_assert_eq!(found.is_err(), expected.is_err());
            let (Ok(found), Ok(expected)) = (found, &expected) else { continue };
            for (at, [low, high, distance]) in found.concat().into_iter().enumerate() {
                let exact = expected[at];
                prop_assert!(low <= exact && exact <= high, "{:?}: {} {} {}", pass, low, exact, high);
                prop_assert_eq!(distance.to_bits(), exact.to_bits());
            }
        }
    }

    #[test]
    fn tables_are_those_of_all_distances(e in embeddings()) {
        for name in ["casia-b", "leave-one-out"] {
            let protocol = Protocol::builtin(name).unwrap();
            let table = |pass: Option<FirstPass>| {
                let watch = Watch::silent();
                let result = evaluate_by(&e, &protocol, Distance::Strips, &|_| pass, &watch);
                result.map(|result| format!("{result:?}\n{result}")).map_err(|_| ())
            };
            let expected = table(None);
            for pass in PASSES {
                prop_assert_eq!(table(Some(pass)), expected.clone(), "{:?}", pass);
            }
        }
    }

    #[test]
    fn the_nearest_are_those_of_all_distances(e in embeddings(), most in 0..12usize) {
        let all: Vec<usize> = (0..e.len()).collect();
        let nearest = |pass: Option<FirstPass>| {
            let watch = Watch::silent();
            let nearest = |_: usize, row: &mut Row| row.nearest(most);
            bounded_rows(&e, Distance::Strips, pass, [&all, &all], &watch, nearest).ok()
        };
        let expected = nearest(None);
        for pass in PASSES {
            prop_assert_eq!(nearest(Some(pass)), expected.clone(), "{:?}", pass);
        }
    }
}

/// Noise is the hardest case: all distances are nearly equal.
fn noise(n: usize, channels: usize, strips: usize) -> Embeddings {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let values = (0..n * channels * strips).map(|_| next()).collect();
    let names = (0..n).map(|i| (i.to_string(), String::new(), String::new()));
    Embeddings::new(channels, strips, values, names).unwrap()
}

#[test]
fn few_distances_of_noise_are_computed_in_full() {
    let e = noise(600, 128, 16);
    let indices: Vec<usize> = (0..e.len()).collect();
    let (probes, gallery) = indices.split_at(300);
    for (pass, share) in
        [(FirstPass::Single, 200), (FirstPass::Half, 20), (FirstPass::TwoHalves, 200)]
    {
        let exact = Exact::new(&e);
        let terms = if pass == FirstPass::TwoHalves { TWO } else { ONE };
        let source = Source { e: &e, factor: exact.scale.factor(), terms };
        let watch = &Watch::silent();
        let search = Search { source, exact, probes, gallery, watch };
        let nearest = |_: usize, row: &mut Row| row.nearest(1);
        match pass {
            FirstPass::Single => search.rows::<f32, _>(nearest),
            FirstPass::Half | FirstPass::TwoHalves => search.rows::<u16, _>(nearest),
        }
        .unwrap();
        let computed = search.exact.computed();
        assert!(computed >= 300 && computed < 300 * 300 / share, "{pass:?}: {computed}");
    }
}

#[test]
fn a_gallery_around_one_point_is_compared_in_blocks() {
    // All distances are lost in the rounding of the common part.
    let e = noise(300, 32, 2);
    let values = e.values().iter().map(|value| 1e4 + value * 1e-3).collect();
    let names = (0..e.len()).map(|i| (i.to_string(), String::new(), String::new()));
    let e = Embeddings::new(32, 2, values, names).unwrap();
    let all: Vec<usize> = (0..e.len()).collect();
    let exact = Exact::new(&e);
    let source = Source { e: &e, factor: exact.scale.factor(), terms: ONE };
    let watch = &Watch::silent();
    let search = Search { source, exact, probes: &all, gallery: &all, watch };
    let found = search.rows::<u16, _>(|_, row| row.nearest(2)).unwrap();
    let computed = search.exact.computed();
    assert!(computed <= PROBES * all.len(), "{computed}");
    let nearest = |_: usize, row: &mut Row| row.nearest(2);
    let expected = bounded_rows(&e, Distance::Strips, None, [&all, &all], watch, nearest).unwrap();
    assert_eq!(found, expected);
}

#[test]
fn a_first_pass_is_for_strips_and_for_many_pairs() {
    let e = noise(2, 64, 2);
    let many = [1000, 1000];
    let choose = |distance, pairs| FirstPass::choose(&e, distance, pairs, Wanted::Places);
    assert!(choose(Distance::Strips, many).is_some());
    assert_eq!(choose(Distance::Strips, [10, 10]), None);
    assert_eq!(choose(Distance::Flat, many), None);
    assert_eq!(choose(Distance::Cosine, many), None);
    let short = noise(2, 4, 2);
    assert_eq!(FirstPass::choose(&short, Distance::Strips, many, Wanted::Nearest), None);
}
