//! Prepared layers against the convolutions and activations that they fuse.

mod common;

use common::{assert_close, noise};
use gait_kernels::{GlobalLocal, Join, PreparedLayer, RegionConv3d, reference};

const SLOPE: f32 = 0.01;

fn leaky(v: f32) -> f32 {
    if v > 0.0 { v } else { SLOPE * v }
}

/// Every junction of the branches on noise.
fn check(problem: &RegionConv3d) {
    let pixels = problem.height * problem.width;
    let taps = problem.kernel.iter().product::<usize>();
    let weight_len = problem.out_channels * problem.in_channels * taps;
    let x = noise(problem.sequences * problem.in_channels * problem.frames * pixels, 1);
    let global = noise(weight_len, 2);
    let local = noise(weight_len, 3);
    let activated = |problem: &RegionConv3d, weight: &[f32]| -> Vec<f32> {
        reference::forward(problem, &x, weight).into_iter().map(leaky).collect()
    };
    let g = activated(&RegionConv3d { labels: None, ..*problem }, &global);
    let l = activated(problem, &local);
    let run = |layer: PreparedLayer| layer.forward(problem.sequences, problem.frames, &x);
    let joined = |join| {
        let layer = GlobalLocal { problem: *problem, join, slope: SLOPE };
        run(layer.prepare(&global, &local))
    };
    assert_close("one", &run(PreparedLayer::new(problem, &local, SLOPE)), &l);
    let sum: Vec<f32> = g.iter().zip(&l).map(|(g, l)| g + l).collect();
    assert_close("sum", &joined(Join::Sum), &sum);
    let frame = problem.height * problem.width;
    let frames = g.chunks_exact(frame).zip(l.chunks_exact(frame));
    let stack: Vec<f32> = frames.flat_map(|(g, l)| [g, l].concat()).collect();
    assert_close("stack", &joined(Join::Stack), &stack);
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
        let want: Vec<f32> =
            reference::forward(&problem, &x, &weight).into_iter().map(leaky).collect();
        assert_close("length", &layer.forward(sequences, frames, &x), &want);
    }
}

#[test]
fn a_prepared_layer_does_not_depend_on_the_threads() {
    for (ci, kernel) in [(1, [3, 3, 3]), (20, [3, 3, 3]), (20, [3, 1, 1]), (20, [1, 5, 5])] {
        let problem = RegionConv3d { kernel, ..RegionConv3d::same(2, ci, 33, [7, 30, 44]) };
        let x = noise(2 * ci * 7 * 30 * 44, 1);
        let len = 33 * ci * kernel.iter().product::<usize>();
        let layer = GlobalLocal { problem, join: Join::Sum, slope: SLOPE };
        let layer = layer.prepare(&noise(len, 2), &noise(len, 3));
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| layer.forward(2, 7, &x))
        };
        let one = run(1);
        for threads in [2, 5] {
            assert!(one == run(threads), "{ci} channels, kernel {kernel:?}, {threads} threads");
        }
    }
}
