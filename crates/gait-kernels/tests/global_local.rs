//! The training layer against the convolutions, activations and gradients that it fuses.

mod common;

use common::{ARITHMETICS, Arithmetic, assert_close, noise};
use gait_kernels::{GlobalLocal, Join, RegionConv3d, reference};

const SLOPE: f32 = 0.01;

/// The layer step by step, in both precisions.
fn check(problem: RegionConv3d, join: Join) {
    ARITHMETICS.into_iter().for_each(|arithmetic| check_in(arithmetic, problem, join));
}

/// Branches, activation, junction, and back.
fn check_in((precision, values, slope): Arithmetic, problem: RegionConv3d, join: Join) {
    let problem = RegionConv3d { precision, ..problem };
    let layer = GlobalLocal { problem, join, slope };
    let frame = problem.height * problem.width;
    let rows = if join == Join::Stack { 2 } else { 1 };
    let x = values(problem.sequences * problem.in_channels * problem.frames * frame, 1);
    let weight_len = problem.out_channels * problem.in_channels * 27;
    let weights = [values(weight_len, 2), values(weight_len, 3)];
    let out_len = problem.sequences * problem.out_channels * problem.frames_out() * frame;
    let grad = values(rows * out_len, 4);
    let problems = [RegionConv3d { labels: None, ..problem }, problem];
    let branches = [0, 1].map(|b| reference::forward(&problems[b], &x, &weights[b]));

    let place = |b: usize, i: usize| {
        i / frame * rows * frame + if join == Join::Stack { b * frame } else { 0 } + i % frame
    };
    let mut y = vec![0.0; rows * out_len];
    let grads = [0, 1].map(|b| {
        let mut to = vec![0.0; out_len];
        for (i, &v) in branches[b].iter().enumerate() {
            let factor = if v > 0.0 { 1.0 } else { slope };
            y[place(b, i)] += factor * v;
            to[i] = factor * grad[place(b, i)];
        }
        to
    });
    let dx: Vec<f32> = reference::backward_data(&problems[0], &weights[0], &grads[0])
        .iter()
        .zip(reference::backward_data(&problems[1], &weights[1], &grads[1]))
        .map(|(g, l)| g + l)
        .collect();

    let (got, signs) = layer.forward(&x, &weights[0], &weights[1]);
    assert_close("forward", &got, &y);
    let got = layer.backward(&x, [&weights[0], &weights[1]], &signs, &grad, true);
    assert_close("gradient of the input", got.x.as_deref().unwrap_or_default(), &dx);
    assert_close("global", &got.global, &reference::backward_weight(&problems[0], &x, &grads[0]));
    assert_close("local", &got.local, &reference::backward_weight(&problems[1], &x, &grads[1]));
    let without = layer.backward(&x, [&weights[0], &weights[1]], &signs, &grad, false);
    assert!(without.x.is_none() && without.global == got.global && without.local == got.local);
}

#[test]
fn the_layer_and_its_gradients_match_their_parts() {
    let bands: Vec<i32> = (0..9 * 10).map(|p| p / 10 / 4).collect();
    let columns: Vec<i32> = (0..9 * 10).map(|p| p % 10 % 3 / 2).collect();
    for (ci, co) in [(1, 18), (3, 5), (17, 33), (32, 64)] {
        for labels in [None, Some(&bands[..]), Some(&columns[..])] {
            for join in [Join::Sum, Join::Stack] {
                check(RegionConv3d { labels, ..RegionConv3d::same(2, ci, co, [5, 9, 10]) }, join);
            }
        }
    }
}

/// A frame of 64 x 44 is several tasks of the first layer's path.
#[test]
fn the_first_layer_at_its_real_size() {
    let columns: Vec<i32> = (0..64 * 44).map(|p| p % 44 * 7 % 10 / 7).collect();
    for join in [Join::Sum, Join::Stack] {
        let same = RegionConv3d::same(2, 1, 5, [3, 64, 44]);
        check(RegionConv3d { labels: Some(&columns), ..same }, join);
    }
}

#[test]
fn a_batch_of_nothing_is_empty() {
    let layer = GlobalLocal {
        problem: RegionConv3d::same(0, 16, 16, [3, 4, 4]),
        join: Join::Sum,
        slope: SLOPE,
    };
    let weight = noise(16 * 16 * 27, 1);
    let (y, signs) = layer.forward(&[], &weight, &weight);
    assert!(y.is_empty());
    let gradients = layer.backward(&[], [&weight, &weight], &signs, &[], true);
    assert_eq!(gradients.global, vec![0.0; weight.len()]);
}

#[test]
fn the_gradients_do_not_depend_on_the_threads() {
    for (ci, (precision, ..)) in [1, 20].into_iter().flat_map(|ci| ARITHMETICS.map(|a| (ci, a))) {
        let problem = RegionConv3d { precision, ..RegionConv3d::same(3, ci, 32, [7, 12, 10]) };
        let layer = GlobalLocal { problem, join: Join::Sum, slope: SLOPE };
        let x = noise(3 * ci * 7 * 120, 1);
        let weights = [noise(32 * ci * 27, 2), noise(32 * ci * 27, 3)];
        let grad = noise(3 * 32 * 7 * 120, 4);
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let (y, signs) = layer.forward(&x, &weights[0], &weights[1]);
                let [global, local] = &weights;
                (y, layer.backward(&x, [global, local], &signs, &grad, true))
            })
        };
        let one = run(1);
        for threads in [2, 5] {
            assert!(one == run(threads), "{ci} channels, {threads} threads");
        }
    }
}
