//! The definition of the region-restricted convolution as plain loops: slow and simple.
//!
//! Sums run in f64, so that the error of the fast algorithms can be measured against them. Each
//! function panics where the method of [`RegionConv3d`] with its name does.

use crate::RegionConv3d;

/// Output `[n, co, t_out, h, w]` of [`RegionConv3d::forward`].
pub fn forward(problem: &RegionConv3d, x: &[f32], weight: &[f32]) -> Vec<f32> {
    problem.check_x(x);
    problem.check_weight(weight);
    let mut y = vec![0f64; problem.output_len()];
    each_product(problem, |xi, wi, yi| {
        y[yi] += f64::from(x[xi]) * f64::from(weight[wi]);
    });
    to_f32(&y)
}

/// Gradient with respect to the input, `[n, ci, t, h, w]`, as
/// [`RegionConv3d::backward_data`].
pub fn backward_data(problem: &RegionConv3d, weight: &[f32], grad: &[f32]) -> Vec<f32> {
    problem.check_weight(weight);
    problem.check_grad(grad);
    let mut dx = vec![0f64; problem.input_len()];
    each_product(problem, |xi, wi, yi| {
        dx[xi] += f64::from(grad[yi]) * f64::from(weight[wi]);
    });
    to_f32(&dx)
}

/// Gradient with respect to the weight, `[co, ci, kt, kh, kw]`, as
/// [`RegionConv3d::backward_weight`].
pub fn backward_weight(problem: &RegionConv3d, x: &[f32], grad: &[f32]) -> Vec<f32> {
    problem.check_x(x);
    problem.check_grad(grad);
    let mut dw = vec![0f64; problem.weight_len()];
    each_product(problem, |xi, wi, yi| {
        dw[wi] += f64::from(grad[yi]) * f64::from(x[xi]);
    });
    to_f32(&dw)
}

/// Calls `visit(x index, weight index, y index)` for every product of the convolution.
fn each_product(p: &RegionConv3d, mut visit: impl FnMut(usize, usize, usize)) {
    let [kt, kh, kw] = p.kernel;
    let h = p.height;
    let w = p.width;
    let same = |a: usize, b: usize| p.labels.is_none_or(|l| l[a] == l[b]);
    for n in 0..p.sequences {
        for (to, row, column) in positions(p.frames_out(), h, w) {
            for (dt, dr, dc) in positions(kt, kh, kw) {
                // Positions in the padded input: the arithmetic stays unsigned.
                let padded_t = to * p.temporal_stride + dt;
                let padded_r = row + dr;
                let padded_c = column + dc;
                let inside = (p.temporal_padding..p.frames + p.temporal_padding)
                    .contains(&padded_t)
                    && (kh / 2..h + kh / 2).contains(&padded_r)
                    && (kw / 2..w + kw / 2).contains(&padded_c);
                if !inside {
                    continue;
                }
                let t = padded_t - p.temporal_padding;
                let r = padded_r - kh / 2;
                let c = padded_c - kw / 2;
                if !same(row * w + column, r * w + c) {
                    continue;
                }
                for co in 0..p.out_channels {
                    for ci in 0..p.in_channels {
                        visit(
                            (((n * p.in_channels + ci) * p.frames + t) * h + r) * w + c,
                            (((co * p.in_channels + ci) * kt + dt) * kh + dr) * kw + dc,
                            (((n * p.out_channels + co) * p.frames_out() + to) * h + row) * w
                                + column,
                        );
                    }
                }
            }
        }
    }
}

/// Every `(a, b, c)` below the three bounds, the last running fastest.
fn positions(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a).flat_map(move |i| (0..b).flat_map(move |j| (0..c).map(move |k| (i, j, k))))
}

#[expect(clippy::cast_possible_truncation, reason = "the sums are wanted in f32")]
fn to_f32(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pixel_of_one_channel_is_a_product() {
        let problem = RegionConv3d { frames: 1, ..RegionConv3d::same(1, 1, 1, [1, 1, 1]) };
        let weight: Vec<f32> = (0..27).map(|i| i as f32).collect();
        assert_eq!(forward(&problem, &[2.0], &weight), [26.0]);
        assert_eq!(backward_data(&problem, &weight, &[3.0]), [39.0]);
        let dw = backward_weight(&problem, &[2.0], &[3.0]);
        assert_eq!(dw[13], 6.0);
        assert_eq!(dw.iter().sum::<f32>(), 6.0);
    }

    #[test]
    fn a_label_border_switches_its_taps_off() {
        // One row of four pixels, all taps of the middle row 1, so y counts the neighbours used.
        let labels = [0, 0, 1, 1];
        let problem =
            RegionConv3d { labels: Some(&labels), ..RegionConv3d::same(1, 1, 1, [1, 1, 4]) };
        let weight = vec![1.0; 27];
        assert_eq!(forward(&problem, &[1.0, 2.0, 4.0, 8.0], &weight), [3.0, 3.0, 12.0, 12.0]);
    }

    #[test]
    fn a_temporal_stride_reads_each_frame_once() {
        let problem = RegionConv3d {
            kernel: [3, 1, 1],
            temporal_stride: 3,
            temporal_padding: 0,
            ..RegionConv3d::same(1, 1, 1, [7, 1, 1])
        };
        assert_eq!(problem.frames_out(), 2);
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        assert_eq!(forward(&problem, &x, &[1.0, 10.0, 100.0]), [321.0, 654.0]);
    }
}
