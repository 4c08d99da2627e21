//! Prepared layers against the convolutions and activations that they fuse.

mod common;

use common::{ARITHMETICS, Arithmetic, assert_close, assert_within, noise};
use gait_kernels::{GlobalLocal, Join, Maps, Precision, PreparedLayer, RegionConv3d, reference};

const SLOPE: f32 = 0.01;

fn leaky(v: f32, slope: f32) -> f32 {
    if v > 0.0 { v } else { slope * v }
}

/// The layer on values.
fn run(layer: &PreparedLayer, p: &RegionConv3d, x: &[f32]) -> Vec<f32> {
    let dims = [p.sequences, p.in_channels, p.frames, p.height, p.width];
    layer.forward(Maps::new(dims, x.to_vec())).into_values()
}

/// Every junction of the branches in both precisions.
fn check(problem: &RegionConv3d) {
    ARITHMETICS.into_iter().for_each(|arithmetic| check_in(arithmetic, problem));
}

fn check_in((precision, values, slope): Arithmetic, problem: &RegionConv3d) {
    let problem = &RegionConv3d { precision, ..*problem };
    // Layers in bf16 also hand over bf16.
    let tolerance = if precision == Precision::Bf16 { 1.0 / 256.0 } else { 1e-4 };
    let pixels = problem.height * problem.width;
    let taps = problem.kernel.iter().product::<usize>();
    let weight_len = problem.out_channels * problem.in_channels * taps;
    let x = values(problem.sequences * problem.in_channels * problem.frames * pixels, 1);
    let global = values(weight_len, 2);
    let local = values(weight_len, 3);
    let activated = |problem: &RegionConv3d, weight: &[f32]| -> Vec<f32> {
        let y = reference::forward(problem, &x, weight);
        y.into_iter().map(|v| leaky(v, slope)).collect()
    };
    let g = activated(&RegionConv3d { labels: None, ..*problem }, &global);
    let l = activated(problem, &local);
    let joined = |join| {
        let layer = GlobalLocal { problem: *problem, join, slope };
        run(&layer.prepare(&global, &local), problem, &x)
    };
    assert_within(
        tolerance,
        "one",
        &run(&PreparedLayer::new(problem, &local, slope), problem, &x),
        &l,
    );
    let sum: Vec<f32> = g.iter().zip(&l).map(|(g, l)| g + l).collect();
    assert_within(tolerance, "sum", &joined(Join::Sum), &sum);
    let frame = problem.height * problem.width;
    let frames = g.chunks_exact(frame).zip(l.chunks_exact(frame));
    let stack: Vec<f32> = frames.flat_map(|(g, l)| [g, l].concat()).collect();
    assert_within(tolerance, "stack", &joined(Join::Stack), &stack);
}

#[test]
fn global_local_layers_match_their_parts() {
    let bands: Vec<i32> = (0..9 * 10).map(|p| p / 10 / 4).collect();
    let columns: Vec<i32> = (0..9 * 10).map(|p| p % 10 % 3 / 2).collect();
    for (ci, co) in [(1, 5), (3, 18), (17, 33), (32, 64)] {
        for labels in [None, Some(&bands[..]), Some(&columns[..])] {
            for frames in [1, 5] {
                check(&RegionConv3d { labels, ..RegionConv3d::same(2, ci, co, [frames, 9, 10]) });
            }
        }
    }
}

#[test]
fn other_kernels_match_their_parts() {
    let lta = RegionConv3d {
        temporal_stride: 3,
        temporal_padding: 0,
        ..RegionConv3d::same(2, 20, 20, [8, 9, 10])
    };
    check(&lta);
    check(&RegionConv3d { kernel: [3, 1, 1], ..lta });
    check(&RegionConv3d { kernel: [1, 5, 5], in_channels: 12, ..lta });
}

#[test]
fn a_layer_runs_on_other_lengths_than_it_was_prepared_for() {
    let problem = RegionConv3d::same(1, 16, 16, [4, 8, 8]);
    let weight = noise(16 * 16 * 27, 1);
    let layer = PreparedLayer::new(&problem, &weight, SLOPE);
    for (sequences, frames) in [(2, 1), (1, 7), (0, 3)] {
        let x = noise(sequences * 16 * frames * 64, 2);
        let problem = RegionConv3d { sequences, frames, ..problem };
        let want = reference::forward(&problem, &x, &weight).into_iter().map(|v| leaky(v, SLOPE));
        assert_close("length", &run(&layer, &problem, &x), &want.collect::<Vec<_>>());
    }
}

#[test]
fn a_prepared_layer_does_not_depend_on_the_threads() {
    for (ci, kernel) in [(1, [3, 3, 3]), (20, [3, 3, 3]), (20, [3, 1, 1]), (20, [1, 5, 5])] {
        for (precision, ..) in ARITHMETICS {
            let problem =
                RegionConv3d { kernel, precision, ..RegionConv3d::same(2, ci, 33, [7, 30, 44]) };
            let x = noise(2 * ci * 7 * 30 * 44, 1);
            let len = 33 * ci * kernel.iter().product::<usize>();
            let layer = GlobalLocal { problem, join: Join::Sum, slope: SLOPE };
            let layer = layer.prepare(&noise(len, 2), &noise(len, 3));
            let on = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| run(&layer, &problem, &x))
            };
            let one = on(1);
            for threads in [2, 5] {
                assert!(one == on(threads), "{ci} channels, kernel {kernel:?}, {threads} threads");
            }
        }
    }
}
