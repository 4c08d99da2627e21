//! Every path side by side on the layers that matter: `cargo bench -p gait-kernels`.
//!
//! Threads as rayon chooses them; `RAYON_NUM_THREADS=1` compares the paths themselves.

#![allow(missing_docs, reason = "criterion_group! makes a public function")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gait_kernels::{Branches, GlobalLocal, Isa, Path, PreparedLayer, RegionConv3d};
use std::hint::black_box;

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

/// Values that are neither equal nor special.
fn wave(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i * 7919 % 1009) as f32 / 1009.0 - 0.4).collect()
}

fn paths(c: &mut Criterion) {
    for Case { name, problem, label } in cases() {
        let (h, w) = (problem.height, problem.width);
        let labels: Vec<i32> = (0..h * w).map(|p| label(p / w, p % w)).collect();
        let p = RegionConv3d { labels: Some(&labels), ..problem };
        let weights = p.in_channels * p.out_channels * p.kernel.iter().product::<usize>();
        let products = weights * p.frames_out() * h * w;
        let (x, weight) = (wave(p.in_channels * p.frames * h * w), wave(weights));
        let grad = wave(p.out_channels * p.frames_out() * h * w);
        let isa = Isa::best();
        let mut group = c.benchmark_group(name);
        // Two floating-point operations for each product of the definition.
        group.throughput(Throughput::Elements(2 * products as u64)).sample_size(10);
        for path in Path::ALL.into_iter().filter(|path| path.serves(&p)) {
            let mark = if path == Path::of(&p) { " (chosen)" } else { "" };
            let id = |what| BenchmarkId::new(what, format!("{path:?}{mark}"));
            group.bench_function(id("output"), |b| {
                b.iter(|| black_box(p.forward_by(path, isa, &x, &weight)));
            });
            group.bench_function(id("by data"), |b| {
                b.iter(|| black_box(p.backward_data_by(path, isa, &weight, &grad)));
            });
            group.bench_function(id("by weight"), |b| {
                b.iter(|| black_box(p.backward_weight_by(path, isa, &x, &grad)));
            });
        }
        group.finish();
    }
}

/// A global-local layer: two convolutions and what the fused forms make of them.
fn global_local(c: &mut Criterion) {
    let p = RegionConv3d::same(1, 128, 128, [10, 32, 22]);
    let labels: Vec<i32> = (0..32 * 22).map(|p| p / 22 / 4).collect();
    let bands = RegionConv3d { labels: Some(&labels), ..p };
    let (x, weight) = (wave(128 * 10 * 704), wave(128 * 128 * 27));
    let mut group = c.benchmark_group("global-local 128-128");
    group.sample_size(10);
    group.bench_function("two convolutions", |b| {
        b.iter(|| (black_box(p.forward(&x, &weight)), black_box(bands.forward(&x, &weight))));
    });
    for (name, p) in [("bands of 4", bands), ("one region", p)] {
        let layer = PreparedLayer::new(&p, Branches::Sum { global: &weight, local: &weight }, 0.01);
        group.bench_function(BenchmarkId::new("prepared", name), |b| {
            b.iter(|| black_box(layer.forward(1, 10, &x)));
        });
        let layer = GlobalLocal { problem: p, stacked: false, slope: 0.01 };
        group.bench_function(BenchmarkId::new("training forward", name), |b| {
            b.iter(|| black_box(layer.forward(&x, &weight, &weight)));
        });
    }
    group.finish();
}

criterion_group!(benches, paths, global_local);
criterion_main!(benches);
