//! Every algorithm side by side on the layers that matter:
//! `cargo bench -p gait-kernels [-- NAME...]`.
//!
//! Rayon chooses the number of threads; `RAYON_NUM_THREADS=1` compares the algorithms themselves.
//! Without a harness of a library: such harnesses ask shared dependencies for features that the
//! program does not need, and everything would be compiled twice.

#![expect(clippy::print_stdout, reason = "the table is the result")]

use gait_kernels::{Algorithm, GlobalLocal, Isa, Join, Maps, Precision, RegionConv3d};
use std::hint::black_box;
use std::time::Instant;

/// Runs of each measurement, after one that warms up.
const RUNS: usize = 11;

/// A layer: its name, shape and the label of each pixel of a row-major frame.
struct Case {
    name: &'static str,
    problem: RegionConv3d<'static>,
    label: fn(row: usize, column: usize) -> i32,
}

fn cases() -> Vec<Case> {
    let glcl = |name, ci, co, shape, label| Case {
        name,
        problem: RegionConv3d::same(1, ci, co, shape),
        label,
    };
    let one = |_, _| 0;
    let lta = |name, channels, rows| Case {
        name,
        problem: RegionConv3d {
            kernel: [3, rows, rows],
            temporal_stride: 3,
            temporal_padding: 0,
            ..RegionConv3d::same(1, channels, channels, [30, 64, 44])
        },
        label: |_, _| 0,
    };
    vec![
        glcl("first 1-64", 1, 64, [30, 64, 44], one),
        glcl("16-32", 16, 32, [10, 64, 44], one),
        lta("lta 32 3x1x1", 32, 1),
        lta("lta 64 3x3x3", 64, 3),
        glcl("32-64 bands of 8", 32, 64, [10, 64, 44], |row, _| {
            i32::try_from(row / 8).unwrap_or(0)
        }),
        glcl("128-128", 128, 128, [10, 32, 22], one),
        glcl("128-128 bands of 4", 128, 128, [10, 32, 22], |row, _| {
            i32::try_from(row / 4).unwrap_or(0)
        }),
        glcl("128-128 columns", 128, 128, [10, 32, 22], |_, column| i32::from(column * 7 % 10 < 3)),
        glcl("512-512", 512, 512, [10, 16, 11], one),
    ]
}

/// Which measurements to make, and how.
struct Bench {
    /// Only names that contain one of these; all if there are none.
    filters: Vec<String>,
    /// One run each, as a test that everything runs; without `--bench`, as `cargo test` calls it.
    once: bool,
}

impl Bench {
    fn from_arguments() -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let once = !arguments.iter().any(|argument| argument == "--bench");
        let filters = arguments.into_iter().filter(|argument| !argument.starts_with('-'));
        Self { filters: filters.collect(), once }
    }

    /// Prints the median and the fastest time of `run`, and the speed for `operations`
    /// floating-point operations.
    fn measure<T>(&self, name: &str, operations: usize, run: impl Fn() -> T) {
        if !self.filters.is_empty() && !self.filters.iter().any(|filter| name.contains(filter)) {
            return;
        }
        let seconds = || {
            let start = Instant::now();
            black_box(run());
            start.elapsed().as_secs_f64()
        };
        let first = seconds();
        let mut times: Vec<f64> =
            if self.once { vec![first] } else { (0..RUNS).map(|_| seconds()).collect() };
        times.sort_by(f64::total_cmp);
        let median = times[times.len() / 2];
        println!(
            "{name:58} {:9.3} ms  fastest {:9.3} ms  {:7.1} GFLOP/s",
            median * 1e3,
            times[0] * 1e3,
            operations as f64 / median * 1e-9
        );
    }
}

/// Values that are neither equal nor special.
fn wave(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i * 7919 % 1009) as f32 / 1009.0 - 0.4).collect()
}

fn algorithms(bench: &Bench) {
    for Case { name, problem, label } in cases() {
        let h = problem.height;
        let w = problem.width;
        let labels: Vec<i32> = (0..h * w).map(|p| label(p / w, p % w)).collect();
        let p = RegionConv3d { labels: Some(&labels), ..problem };
        let weight_len = p.in_channels * p.out_channels * p.kernel.iter().product::<usize>();
        let x = wave(p.in_channels * p.frames * h * w);
        let weight = wave(weight_len);
        let grad = wave(p.out_channels * p.frames_out() * h * w);
        let isa = Isa::best();
        // Two floating-point operations for each product of the definition.
        let operations = 2 * weight_len * p.frames_out() * h * w;
        let all = Algorithm::ALL.into_iter().chain([Algorithm::Bf16]);
        for algorithm in all.filter(|algorithm| algorithm.supports(&p)) {
            let chosen = if algorithm == Algorithm::for_problem(&p) { " (chosen)" } else { "" };
            let id = |what| format!("{name}, {what}, {algorithm:?}{chosen}");
            bench
                .measure(&id("output"), operations, || p.forward_with(algorithm, isa, &x, &weight));
            bench.measure(&id("input gradient"), operations, || {
                p.backward_data_with(algorithm, isa, &weight, &grad)
            });
            bench.measure(&id("weight gradient"), operations, || {
                p.backward_weight_with(algorithm, isa, &x, &grad)
            });
        }
    }
}

/// A global-local layer: two convolutions, and the fused forms of both.
fn global_local(bench: &Bench) {
    let p = RegionConv3d::same(1, 128, 128, [10, 32, 22]);
    let labels: Vec<i32> = (0..32 * 22).map(|p| p / 22 / 4).collect();
    let bands = RegionConv3d { labels: Some(&labels), ..p };
    let x = wave(128 * 10 * 704);
    let weight = wave(128 * 128 * 27);
    let operations = 2 * 2 * weight.len() * 10 * 704;
    let id = |what: &str| format!("global-local 128-128, {what}");
    bench.measure(&id("two convolutions"), operations, || {
        (p.forward(&x, &weight), bands.forward(&x, &weight))
    });
    let cases = [("bands of 4", bands), ("one region", p)];
    for (regions, f32_problem) in cases {
        for precision in [Precision::F32, Precision::Bf16] {
            let problem = RegionConv3d { precision, ..f32_problem };
            let layer = GlobalLocal { problem, join: Join::Sum, slope: 0.01 };
            let prepared = layer.prepare(&weight, &weight);
            let id = |what: &str| id(&format!("{what}, {regions}, {precision:?}"));
            bench.measure(&id("prepared"), operations, || {
                prepared.forward(Maps::new([1, 128, 10, 32, 22], x.clone())).into_values()
            });
            bench.measure(&id("training forward"), operations, || {
                layer.forward(&x, &weight, &weight)
            });
            let (y, signs) = layer.forward(&x, &weight, &weight);
            bench.measure(&id("training backward"), 2 * operations, || {
                layer.backward(&x, [&weight, &weight], &signs, &y, true)
            });
        }
    }
}

fn main() {
    let bench = Bench::from_arguments();
    algorithms(&bench);
    global_local(&bench);
}
