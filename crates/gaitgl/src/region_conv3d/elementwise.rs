//! Activation and pooling on the CPU, as plain loops over f32 slices on all cores.
//!
//! Every loop is elementwise or writes its own block of the output, so results do not depend on the
//! number of threads. Loops run over several slices at once; the lengths are asserted, because a
//! shorter slice would end a loop early.

use gait_kernels::{higher, zeros};
use rayon::prelude::*;

use super::SLOPE;

/// Elements of one task: few enough for the caches, enough to be worth a task.
const CHUNK: usize = 1 << 14;

fn leaky(value: f32) -> f32 {
    if value > 0.0 { value } else { SLOPE * value }
}

fn slope(positive: bool) -> f32 {
    if positive { 1.0 } else { SLOPE }
}

/// Leaky ReLU in place.
pub fn leaky_in_place(values: &mut [f32]) {
    values.par_chunks_mut(CHUNK).for_each(|chunk| {
        for value in chunk {
            *value = leaky(*value);
        }
    });
}

/// `grad` times the slope at each element, which the sign of `output` determines.
///
/// # Panics
/// If the lengths differ.
pub fn leaky_backward(output: &[f32], grad: &[f32]) -> Vec<f32> {
    assert_eq!(output.len(), grad.len(), "output and gradient of a leaky ReLU");
    let mut grad_input = zeros(grad.len());
    let chunks = grad_input.par_chunks_mut(CHUNK).zip(output.par_chunks(CHUNK));
    chunks.zip(grad.par_chunks(CHUNK)).for_each(|((out, output), grad)| {
        for ((out, &output), &grad) in out.iter_mut().zip(output).zip(grad) {
            *out = grad * slope(output > 0.0);
        }
    });
    grad_input
}

/// The 2 x 2 blocks of two rows of `width` values: the two upper values and the two lower ones.
fn blocks(pair: &[f32], width: usize) -> impl Iterator<Item = (&[f32], &[f32])> {
    let (above, below) = pair.split_at(width);
    above.chunks_exact(2).zip(below.chunks_exact(2))
}

/// As [`gait_kernels::pool`], and which element of its block each maximum is: 0 to 3, row by row, the first of
/// equal values.
pub fn pool_with_choice(x: &[f32], height: usize, width: usize) -> (Vec<f32>, Vec<u8>) {
    let rows = height / 2;
    let columns = width / 2;
    let planes = x.len() / (height * width).max(1);
    let mut pooled = zeros(planes * rows * columns);
    let mut choice = zeros(pooled.len());
    let size = (rows * columns).max(1);
    let outputs = pooled.par_chunks_mut(size).zip(choice.par_chunks_mut(size));
    outputs.zip(x.par_chunks(height * width)).for_each(|((pooled, choice), plane)| {
        let out = pooled.chunks_mut(columns).zip(choice.chunks_mut(columns));
        for ((pooled, choice), pair) in out.zip(plane.chunks(2 * width)) {
            let out = pooled.iter_mut().zip(choice);
            for ((value, index), (a, b)) in out.zip(blocks(pair, width)) {
                let mut best = a[0];
                let mut at = 0;
                // Selects instead of branches: which of the four it is cannot be predicted.
                for (other, place) in [(a[1], 1), (b[0], 2), (b[1], 3)] {
                    at = if other > best || other.is_nan() { place } else { at };
                    best = higher(best, other);
                }
                *value = best;
                *index = at;
            }
        }
    });
    (pooled, choice)
}

/// Gradient with respect to the input of [`pool_with_choice`], planes of `[height, width]`.
///
/// # Panics
/// If the lengths differ.
pub fn pool_backward(grad: &[f32], choice: &[u8], height: usize, width: usize) -> Vec<f32> {
    assert_eq!(grad.len(), choice.len(), "gradient and choice of a pooling");
    let rows = height / 2;
    let columns = width / 2;
    let size = (rows * columns).max(1);
    let mut grad_input = zeros(grad.len() / size * height * width);
    let inputs = grad.par_chunks(size).zip(choice.par_chunks(size));
    grad_input.par_chunks_mut(height * width).zip(inputs).for_each(|(plane, (grad, choice))| {
        let lines = grad.chunks(columns).zip(choice.chunks(columns));
        for (pair, (grad, choice)) in plane.chunks_mut(2 * width).zip(lines) {
            for (column, (&grad, &index)) in grad.iter().zip(choice).enumerate() {
                pair[usize::from(index / 2) * width + 2 * column + usize::from(index % 2)] = grad;
            }
        }
    });
    grad_input
}

/// Max over `frames` frames of planes, and the frame of each maximum, the first of equal values. A
/// NaN in any frame gives NaN.
pub fn max_over_time(x: &[f32], frames: usize, plane: usize) -> (Vec<f32>, Vec<u32>) {
    let mut highest = zeros(x.len() / frames.max(1));
    let mut taken = zeros(highest.len());
    let outputs = highest.par_chunks_mut(plane).zip(taken.par_chunks_mut(plane));
    outputs.zip(x.par_chunks(frames * plane)).for_each(|((highest, taken), x)| {
        highest.copy_from_slice(&x[..plane]);
        for (frame, values) in x.chunks(plane).enumerate().skip(1) {
            for ((highest, taken), &value) in highest.iter_mut().zip(&mut *taken).zip(values) {
                *taken = if value > *highest || value.is_nan() { frame as u32 } else { *taken };
                *highest = higher(*highest, value);
            }
        }
    });
    (highest, taken)
}

/// Gradient with respect to the input of [`max_over_time`].
///
/// # Panics
/// If the lengths differ.
pub fn max_over_time_backward(
    grad: &[f32],
    taken: &[u32],
    frames: usize,
    plane: usize,
) -> Vec<f32> {
    assert_eq!(grad.len(), taken.len(), "gradient and frames of a maximum");
    let mut grad_input = zeros(grad.len() * frames);
    let inputs = grad.par_chunks(plane).zip(taken.par_chunks(plane));
    grad_input.par_chunks_mut(frames * plane).zip(inputs).for_each(
        |(grad_input, (grad, taken))| {
            for (frame, values) in grad_input.chunks_mut(plane).enumerate() {
                for ((value, &grad), &taken) in values.iter_mut().zip(grad).zip(taken) {
                    *value = if taken == frame as u32 { grad } else { 0.0 };
                }
            }
        },
    );
    grad_input
}
