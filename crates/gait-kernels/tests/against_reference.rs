//! Every algorithm against the plain loops that define the convolution: random problems and named
//! cases.

mod common;

use common::{assert_close, noise};
use gait_kernels::{Algorithm, Isa, RegionConv3d, reference};
use proptest::prelude::*;

/// The output and both gradients of `problem` on noise, with the chosen algorithm and with every
/// algorithm that supports the shape, on every instruction set of this machine.
fn check(problem: &RegionConv3d, seed: u64) {
    let pixels = problem.height * problem.width;
    let x = noise(problem.sequences * problem.in_channels * problem.frames * pixels, seed);
    let weight = noise(
        problem.out_channels * problem.in_channels * problem.kernel.iter().product::<usize>(),
        seed + 1,
    );
    let grad =
        noise(problem.sequences * problem.out_channels * problem.frames_out() * pixels, seed + 2);
    let y = reference::forward(problem, &x, &weight);
    let dx = reference::backward_data(problem, &weight, &grad);
    let dw = reference::backward_weight(problem, &x, &grad);
    assert_close("forward", &problem.forward(&x, &weight), &y);
    assert_close("gradient of the input", &problem.backward_data(&weight, &grad), &dx);
    assert_close("gradient of the weight", &problem.backward_weight(&x, &grad), &dw);
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| algorithm.supports(problem)) {
        for isa in Isa::available() {
            let name = |what: &str| format!("{what} with {algorithm:?} and {isa:?} of {problem:?}");
            assert_close(&name("forward"), &problem.forward_with(algorithm, isa, &x, &weight), &y);
            let got = problem.backward_data_with(algorithm, isa, &weight, &grad);
            assert_close(&name("gradient of the input"), &got, &dx);
            let got = problem.backward_weight_with(algorithm, isa, &x, &grad);
            assert_close(&name("gradient of the weight"), &got, &dw);
        }
    }
}

fn bands(h: usize, w: usize, rows: usize) -> Vec<i32> {
    (0..h * w).map(|pixel| i32::try_from(pixel / w / rows).unwrap_or(i32::MAX)).collect()
}

/// One of the label maps of the network, or none: 0 none, 1 bands, 2 rows, 3 columns, 4 pixels,
/// 5 an interval of rows, 6 one of columns, 7 many regions.
fn labels(kind: usize, h: usize, w: usize, seed: u64) -> Option<Vec<i32>> {
    let random = noise(h * w, seed);
    let bit = |i: usize| i32::from(random[i] > 0.3);
    let within = |i: usize, len: usize| {
        let start = seed as usize % len;
        i32::from((start..start + len.div_ceil(3)).contains(&i))
    };
    match kind {
        0 => None,
        1 => Some(bands(h, w, 1 + (seed as usize % 5))),
        2 => Some((0..h * w).map(|p| bit(p / w)).collect()),
        3 => Some((0..h * w).map(|p| bit(p % w)).collect()),
        4 => Some((0..h * w).map(bit).collect()),
        5 => Some((0..h * w).map(|p| within(p / w, h)).collect()),
        6 => Some((0..h * w).map(|p| within(p % w, w)).collect()),
        _ => Some((0..h * w).map(|p| (random[p] * 3.0).floor() as i32).collect()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_shape_any_labels(
        (n, ci, co) in (1usize..3, 1usize..9, 1usize..9),
        (t, h, w) in (1usize..7, 1usize..12, 1usize..12),
        (kt, kh, kw) in (1usize..4, 0usize..3, 0usize..3),
        (stride, padding) in (1usize..4, 0usize..3),
        (kind, seed) in (0usize..8, 0u64..1000),
    ) {
        let labels = labels(kind, h, w, seed);
        let problem = RegionConv3d {
            kernel: [kt, 2 * kh + 1, 2 * kw + 1],
            temporal_stride: stride,
            temporal_padding: padding,
            labels: labels.as_deref(),
            ..RegionConv3d::same(n, ci, co, [t, h, w])
        };
        check(&problem, seed);
    }

    #[test]
    fn global_local_layers_of_any_size(
        (n, ci, co) in (1usize..3, 1usize..40, 1usize..40),
        (t, h, w) in (1usize..6, 1usize..14, 1usize..14),
        (kind, seed) in (0usize..8, 0u64..1000),
    ) {
        let labels = labels(kind, h, w, seed);
        let problem = RegionConv3d { labels: labels.as_deref(), ..RegionConv3d::same(n, ci, co, [t, h, w]) };
        check(&problem, seed);
    }

    #[test]
    fn local_temporal_aggregation_of_any_size(
        (n, ci, co) in (1usize..3, 1usize..40, 1usize..40),
        (t, h, w) in (1usize..12, 1usize..12, 1usize..12),
        (spatial, seed) in (prop::bool::ANY, 0u64..1000),
    ) {
        let k = if spatial { 3 } else { 1 };
        let problem = RegionConv3d {
            kernel: [3, k, k],
            temporal_stride: 3,
            temporal_padding: 0,
            ..RegionConv3d::same(n, ci, co, [t, h, w])
        };
        check(&problem, seed);
    }
}

#[test]
fn more_channels_than_a_panel_holds() {
    let labels = labels(7, 9, 11, 3);
    for (ci, co) in [(1, 7), (20, 35), (130, 70)] {
        let problem =
            RegionConv3d { labels: labels.as_deref(), ..RegionConv3d::same(2, ci, co, [5, 9, 11]) };
        check(&problem, 12);
    }
    let strided = RegionConv3d {
        temporal_stride: 3,
        temporal_padding: 0,
        ..RegionConv3d::same(2, 18, 19, [8, 9, 11])
    };
    check(&strided, 13);
}

#[test]
fn one_region_equals_the_plain_convolution() {
    let labels = vec![7; 9 * 10];
    let plain = RegionConv3d::same(2, 16, 32, [4, 9, 10]);
    let region = RegionConv3d { labels: Some(&labels), ..plain };
    let x = noise(2 * 16 * 4 * 90, 1);
    let weight = noise(32 * 16 * 27, 2);
    assert_close("forward", &region.forward(&x, &weight), &plain.forward(&x, &weight));
    check(&region, 3);
}

#[test]
fn bands_equal_a_convolution_of_each_band() {
    let h = 8;
    let w = 5;
    let rows = 4;
    let labels = bands(h, w, rows);
    let problem =
        RegionConv3d { labels: Some(&labels), ..RegionConv3d::same(1, 16, 16, [3, h, w]) };
    let band = RegionConv3d::same(1, 16, 16, [3, rows, w]);
    let x = noise(16 * 3 * h * w, 1);
    let weight = noise(16 * 16 * 27, 2);
    let y = problem.forward(&x, &weight);
    for b in 0..h / rows {
        let cut = |v: &[f32]| -> Vec<f32> {
            v.chunks_exact(h * w)
                .flat_map(|f| f[b * rows * w..(b + 1) * rows * w].to_vec())
                .collect()
        };
        assert_close("band", &cut(&y), &band.forward(&cut(&x), &weight));
    }
}

#[test]
fn bands_shorter_than_the_kernel() {
    let labels = bands(7, 6, 1);
    check(&RegionConv3d { labels: Some(&labels), ..RegionConv3d::same(1, 16, 16, [3, 7, 6]) }, 4);
    let labels = bands(7, 6, 2);
    check(
        &RegionConv3d {
            kernel: [3, 5, 5],
            labels: Some(&labels),
            ..RegionConv3d::same(1, 5, 6, [3, 7, 6])
        },
        5,
    );
}

#[test]
fn a_remainder_band() {
    let labels = bands(11, 6, 4);
    check(&RegionConv3d { labels: Some(&labels), ..RegionConv3d::same(2, 16, 32, [5, 11, 6]) }, 6);
}

#[test]
fn one_frame() {
    check(&RegionConv3d::same(2, 16, 16, [1, 9, 7]), 7);
}

#[test]
fn one_pixel() {
    check(&RegionConv3d::same(1, 17, 18, [4, 1, 1]), 8);
}

#[test]
fn one_channel() {
    check(&RegionConv3d::same(2, 1, 32, [6, 9, 10]), 9);
    check(&RegionConv3d::same(1, 16, 1, [6, 9, 10]), 10);
}

#[test]
fn no_sequence_and_no_output_frame_are_empty() {
    let none = RegionConv3d::same(0, 3, 4, [2, 3, 3]);
    assert!(none.forward(&[], &noise(3 * 4 * 27, 1)).is_empty());
    let short = RegionConv3d { temporal_padding: 0, ..RegionConv3d::same(1, 3, 4, [2, 3, 3]) };
    assert_eq!(short.frames_out(), 0);
    assert!(short.forward(&noise(3 * 2 * 9, 1), &noise(3 * 4 * 27, 1)).is_empty());
    assert_eq!(short.backward_data(&noise(3 * 4 * 27, 1), &[]), vec![0.0; 3 * 2 * 9]);
    assert_eq!(short.backward_weight(&noise(3 * 2 * 9, 1), &[]), vec![0.0; 3 * 4 * 27]);
}

#[test]
fn subnormal_values_stay_finite() {
    let problem = RegionConv3d::same(1, 16, 16, [3, 8, 8]);
    let x = vec![1e-40; 16 * 3 * 64];
    let weight = noise(16 * 16 * 27, 1);
    assert!(problem.forward(&x, &weight).iter().all(|v| v.abs() < 1e-36));
}

/// The sizes at which the kernels cut their work are larger than plain loops can check: tasks of
/// 72 tiles, blocks of 5,208 tiles of 16 channels, tasks of 704 pixels. Here all are exceeded; the
/// reference is the direct algorithm, which has no tiles.
#[test]
fn work_of_many_tasks_and_blocks() {
    let channels = 16;
    let t = 61;
    let h = 64;
    let w = 44;
    let labels = labels(3, h, w, 8);
    let problem = RegionConv3d {
        labels: labels.as_deref(),
        ..RegionConv3d::same(1, channels, channels, [t, h, w])
    };
    let x = noise(channels * t * h * w, 1);
    let weight = noise(channels * channels * 27, 2);
    let grad = noise(channels * t * h * w, 3);
    let isa = Isa::best();
    let all = |algorithm| {
        [
            problem.forward_with(algorithm, isa, &x, &weight),
            problem.backward_data_with(algorithm, isa, &weight, &grad),
            problem.backward_weight_with(algorithm, isa, &x, &grad),
        ]
    };
    let direct = all(Algorithm::Direct);
    for algorithm in [Algorithm::Pixels, Algorithm::Winograd, Algorithm::WinogradPair] {
        for (what, (got, want)) in ["forward", "gradient of the input", "gradient of the weight"]
            .iter()
            .zip(all(algorithm).iter().zip(&direct))
        {
            assert_close(&format!("{what} with {algorithm:?}"), got, want);
        }
    }
}

#[test]
fn the_result_does_not_depend_on_the_threads() {
    let labels = labels(3, 12, 10, 5);
    let same =
        RegionConv3d { labels: labels.as_deref(), ..RegionConv3d::same(3, 32, 48, [7, 12, 10]) };
    let strided = RegionConv3d { temporal_stride: 3, temporal_padding: 0, ..same };
    for problem in [same, strided] {
        let x = noise(3 * 32 * 7 * 120, 1);
        let weight = noise(48 * 32 * 27, 2);
        let grad = noise(3 * 48 * problem.frames_out() * 120, 3);
        let run = |algorithm: Algorithm, threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let isa = Isa::best();
            pool.install(|| {
                let y = problem.forward_with(algorithm, isa, &x, &weight);
                let dx = problem.backward_data_with(algorithm, isa, &weight, &grad);
                (y, dx, problem.backward_weight_with(algorithm, isa, &x, &grad))
            })
        };
        for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| algorithm.supports(&problem))
        {
            let one = run(algorithm, 1);
            for threads in [2, 3, 7] {
                assert!(one == run(algorithm, threads), "{algorithm:?}, {threads} threads");
            }
        }
    }
}

#[test]
#[should_panic(expected = "length of the weight")]
fn a_short_weight_is_named() {
    RegionConv3d::same(1, 2, 2, [1, 1, 1]).forward(&[0.0; 2], &[0.0; 3]);
}
