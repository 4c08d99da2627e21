//! What must hold for any embeddings: blocked distances are the definition's, and results depend
//! neither on the order of the sequences nor on the number of threads.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use gait_eval::{
    Distance, Embeddings, EvalError, Name, Protocol, Watch, distance_matrix, evaluate, submission,
    verify,
};
use gait_support::full_message;
use proptest::prelude::*;

/// The definition of each distance, in double precision.
fn definition(e: &Embeddings, distance: Distance, i: usize, j: usize) -> f64 {
    let at = |n: usize, c: usize, p: usize| f64::from(e.row(n)[c * e.strips() + p]);
    let dot = |i: usize, j: usize, p: usize| -> f64 {
        (0..e.channels()).map(|c| at(i, c, p) * at(j, c, p)).sum()
    };
    let squared =
        |p: usize| -> f64 { (0..e.channels()).map(|c| (at(i, c, p) - at(j, c, p)).powi(2)).sum() };
    let mean = |f: &dyn Fn(usize) -> f64| (0..e.strips()).map(f).sum::<f64>() / e.strips() as f64;
    match distance {
        Distance::Strips => mean(&|p| squared(p).sqrt()),
        Distance::Flat => (0..e.strips()).map(squared).sum::<f64>().sqrt(),
        Distance::Cosine => {
            let length = |n: usize, p: usize| dot(n, n, p).sqrt();
            let lengths = |p: usize| length(i, p) * length(j, p);
            1.0 - mean(&|p| if lengths(p) > 0.0 { dot(i, j, p) / lengths(p) } else { 0.0 })
        }
    }
}

/// Embeddings of n sequences with few distinct names, and values coarse enough to tie at times.
fn embeddings() -> impl Strategy<Value = Embeddings> {
    (1..70usize, 1..40usize, 1..5usize).prop_flat_map(|(n, channels, strips)| {
        let values = prop::collection::vec(-8i8..8, n * channels * strips);
        let names = prop::collection::vec((0..6u8, 0..10u8, 0..3u8), n);
        (Just((channels, strips)), values, names).prop_map(|((channels, strips), values, names)| {
            let conditions = [
                "nm-01", "nm-02", "nm-03", "nm-04", "nm-05", "nm-06", "bg-01", "bg-02", "cl-01",
                "cl-02",
            ];
            let names = names.into_iter().map(|(s, c, v)| {
                let view = (18 * u32::from(v)).to_string();
                (s.to_string(), conditions[usize::from(c)].to_owned(), view)
            });
            let values = values.into_iter().map(|v| f32::from(v) * 0.25).collect();
            Embeddings::new(channels, strips, values, names).unwrap()
        })
    })
}

/// The same sequences in another order.
fn permuted(e: &Embeddings, order: &[usize]) -> Embeddings {
    let owned = |name: Name| (name.subject.into(), name.condition.into(), name.view.into());
    let names = order.iter().map(|&i| owned(e.name(i)));
    let values = order.iter().flat_map(|&i| e.row(i).to_vec()).collect();
    Embeddings::new(e.channels(), e.strips(), values, names).unwrap()
}

fn test(e: &Embeddings, distance: Distance) -> Option<String> {
    let protocol = Protocol::builtin("casia-b").unwrap();
    evaluate(e, &protocol, distance, &Watch::silent()).ok().map(|r| format!("{r:?}\n{r}"))
}

/// Distinct distances of any two sequences, so that no ranking depends on the order of ties.
fn has_ties(e: &Embeddings, distance: Distance) -> bool {
    let all: Vec<usize> = (0..e.len()).collect();
    distance_matrix(e, distance, &all, &all).unwrap().chunks(e.len()).any(|row| {
        let mut row = row.to_vec();
        row.sort_by(f32::total_cmp);
        row.windows(2).any(|pair| pair[0] == pair[1])
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn blocked_distances_are_the_definition(e in embeddings(), all in 0..Distance::ALL.len()) {
        let distance = Distance::ALL[all];
        let every: Vec<usize> = (0..e.len()).collect();
        let some: Vec<usize> = (0..e.len()).rev().step_by(3).collect();
        let d = distance_matrix(&e, distance, &some, &every).unwrap();
        prop_assert_eq!(d.len(), some.len() * every.len());
        for (row, &i) in d.chunks(every.len()).zip(&some) {
            for (&value, &j) in row.iter().zip(&every) {
                let exact = definition(&e, distance, i, j);
                // Single precision over up to 156 additions.
                let close = (f64::from(value) - exact).abs() <= 2e-6 * exact.abs().max(1.0);
                prop_assert!(close, "{} against {}", value, exact);
            }
        }
    }

    #[test]
    fn order_of_sequences_changes_nothing_without_ties(
        e in embeddings(),
        seed in any::<u64>(),
    ) {
        prop_assume!(!has_ties(&e, Distance::Strips));
        let mut order: Vec<usize> = (0..e.len()).collect();
        order.sort_by_key(|&i| (i as u64 + 1).wrapping_mul(seed | 1).rotate_left(17));
        prop_assert_eq!(
            test(&permuted(&e, &order), Distance::Strips),
            test(&e, Distance::Strips)
        );
    }

    #[test]
    fn number_of_threads_changes_nothing(e in embeddings(), all in 0..Distance::ALL.len()) {
        let distance = Distance::ALL[all];
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| test(&e, distance))
        };
        prop_assert_eq!(with(1), with(3));
    }
}

/// Names of all benchmarks and of none.
fn mixed() -> impl Strategy<Value = Embeddings> {
    let subject = prop::sample::select(vec!["001", "17", "probe", "anna", "", "é"]);
    let condition = prop::sample::select(vec![
        "nm-01",
        "nm-02",
        "nm-05",
        "bg-01",
        "bg-02",
        "cl-01",
        "cl-02",
        "00",
        "01",
        "02",
        "03",
        "00-nm",
        "01-nm",
        "02-bg-nt",
        "U0_D0",
        "U1_D1",
        "U1_D0",
        "U3_D3",
        "U0_D3",
        "U0_D0_BG",
        "",
        "H-scene1-nm-1",
        "L-scene2-bg-2",
        "walk",
    ]);
    let view = prop::sample::select(vec!["000", "90", "270", "045-far", "01_2", "", "左"]);
    let name =
        (subject, condition, view).prop_map(|(s, c, v)| (s.to_owned(), c.to_owned(), v.to_owned()));
    (1..4usize, prop::collection::vec((name, -3i8..3), 1..60)).prop_map(|(width, rows)| {
        let values = rows.iter().flat_map(|(_, v)| vec![f32::from(*v); width]).collect();
        Embeddings::new(width, 1, values, rows.into_iter().map(|(name, _)| name)).unwrap()
    })
}

fn in_range(values: &[Option<f64>]) -> bool {
    values.iter().flatten().all(|v| (-1e-9..=100.0 + 1e-9).contains(v))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_names_give_percentages_or_a_misfit(e in mixed(), listed in 0..60usize) {
        for name in Protocol::builtin_names() {
            let some = (0..e.len()).step_by(listed + 1);
            let names = some.map(|i| e.name(i).to_string().replace('/', "-"));
            let protocol = Protocol::builtin(name).unwrap().with_listed(names);
            match evaluate(&e, &protocol, Distance::Strips, &Watch::silent()) {
                Ok(result) => {
                    prop_assert!(in_range(&result.mean), "{}", result);
                    for group in &result.groups {
                        prop_assert!(in_range(&group.values), "{}", result);
                        prop_assert!(group.views.iter().all(|view| in_range(&view.values)));
                    }
                    prop_assert!(!result.to_string().contains("NaN"));
                    prop_assert!(result.to_json(0.0)["rank1"].is_object());
                }
                Err(error) => prop_assert!(matches!(error, EvalError::Misfit { .. }), "{}", error),
            }
            match verify(&e, &protocol, Distance::Flat, &Watch::silent()) {
                Ok(result) => {
                    for group in &result.groups {
                        prop_assert!(in_range(&[group.equal_error_rate]), "{}", result);
                        let rates: Vec<_> =
                            group.true_accept_rates.iter().map(|(_, rate)| *rate).collect();
                        prop_assert!(in_range(&rates), "{}", result);
                    }
                }
                Err(error) => prop_assert!(matches!(error, EvalError::Misfit { .. }), "{}", error),
            }
            if let Err(error) = submission(&e, &protocol, Distance::Cosine, &Watch::silent()) {
                prop_assert!(matches!(error, EvalError::Misfit { .. }), "{}", error);
            }
        }
    }

    #[test]
    fn damaged_protocol_files_give_one_line(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        cut in 0..40usize,
        put in "[ -~\\n]{0,8}",
    ) {
        let names: Vec<_> = Protocol::builtin_names().collect();
        let name = names[which.index(names.len())];
        let mut text: Vec<char> = Protocol::builtin_text(name).unwrap().chars().collect();
        let at = at.index(text.len());
        let end = (at + cut).min(text.len());
        text.splice(at..end, put.chars());
        let text: String = text.into_iter().collect();
        if let Err(error) = Protocol::from_toml("mine.toml", &text) {
            let message = full_message(&error);
            prop_assert!(message.starts_with("protocol mine.toml: "), "{}", message);
            prop_assert!(!message.contains('\n'), "{}", message);
        }
    }
}

#[test]
fn ranking_a_gallery_of_several_blocks_equals_the_matrix() {
    // More probes than one block holds and a gallery of several blocks with a remainder.
    let n = 700u16;
    let value = |i: u16| f32::from(i.wrapping_mul(40503) % 1009) / 100.0;
    let values = (0..n * 3).map(value).collect();
    let names = (0..n).map(|i| (i.to_string(), String::new(), String::new()));
    let e = Embeddings::new(3, 1, values, names).unwrap();
    let probes: Vec<usize> = (0..300).collect();
    let gallery: Vec<usize> = (300..700).collect();
    let d = distance_matrix(&e, Distance::Strips, &probes, &gallery).unwrap();
    assert_eq!(d.len(), 300 * 400);
    for (at, value) in d.iter().enumerate() {
        let exact = definition(&e, Distance::Strips, at / 400, 300 + at % 400);
        assert!((f64::from(*value) - exact).abs() < 1e-5, "{at}: {value} against {exact}");
    }
}
