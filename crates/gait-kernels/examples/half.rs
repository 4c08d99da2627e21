use gait_kernels::*;
use std::time::Instant;
fn wave(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i * 7919 % 1009) as f32 / 1009.0 - 0.4).collect()
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let ci: usize = a[2].parse().unwrap();
    let co: usize = a[3].parse().unwrap();
    let [t, h, w]: [usize; 3] =
        [a[4].parse().unwrap(), a[5].parse().unwrap(), a[6].parse().unwrap()];
    let runs: usize = a[7].parse().unwrap();
    let columns = a.get(8).is_some();
    let labels: Vec<i32> = (0..h * w).map(|p| i32::from(p % w * 7 % 10 < 3)).collect();
    let problem = RegionConv3d {
        precision: Precision::Bf16,
        labels: columns.then_some(&labels[..]),
        ..RegionConv3d::same(1, ci, co, [t, h, w])
    };
    let layer = GlobalLocal { problem, join: Join::Sum, slope: 0.01 };
    let x = wave(ci * t * h * w);
    let weight = wave(ci * co * 27);
    let mut times = vec![];
    let prepared = layer.prepare(&weight, &weight);
    let flops = (2 * 2 * 27 * ci * co * t * h * w) as f64;
    let (y, signs) = layer.forward(&x, &weight, &weight);
    for _ in 0..runs {
        let mut maps = Some(if a[1] == "chain" {
            let one =
                RegionConv3d { kernel: [1, 1, 1], temporal_padding: 0, labels: None, ..problem };
            PreparedLayer::new(
                &RegionConv3d { in_channels: ci, out_channels: ci, ..one },
                &wave(ci * ci),
                0.01,
            )
            .forward(Maps::new([1, ci, t, h, w], x.clone()))
        } else {
            Maps::new([1, ci, t, h, w], x.clone())
        });
        let s = Instant::now();
        match a[1].as_str() {
            "prepared" => {
                std::hint::black_box(prepared.forward(maps.take().unwrap()).into_values());
            }
            "chain" => {
                std::hint::black_box(prepared.forward(maps.take().unwrap()));
            }
            "forward" => {
                std::hint::black_box(layer.forward(&x, &weight, &weight));
            }
            "backward" => {
                std::hint::black_box(layer.backward(&x, [&weight, &weight], &signs, &y, true));
            }
            _ => panic!(),
        }
        times.push(s.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let flops = if a[1] == "backward" { 2.0 * flops } else { flops };
    println!(
        "{} {ci}-{co} {t}x{h}x{w}: median {:.2} ms fastest {:.2} ms {:.0} GFLOP/s",
        a[1],
        times[times.len() / 2] * 1e3,
        times[0] * 1e3,
        flops / times[0] * 1e-9
    );
}
