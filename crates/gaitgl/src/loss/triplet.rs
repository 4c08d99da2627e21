//! The batch-all triplet loss (Eqn. 13): distances, the active triplets, their mean.

use burn::tensor::{Bool, Tensor, TensorData};
use rayon::prelude::*;

use super::{LossError, check_count};

/// The triplet loss of a batch.
#[derive(Clone, Debug)]
pub struct Triplet {
    /// The loss, `[1]`, with gradients.
    pub loss: Tensor<1>,
    /// Triplets over all strips that violate the margin.
    pub active: u64,
    /// Triplets over all strips.
    pub total: u64,
}

impl Triplet {
    /// Share of triplets that violate the margin, 0 to 1.
    pub fn active_share(&self) -> f64 {
        self.active as f64 / self.total.max(1) as f64
    }
}

/// The triplets of one strip.
#[derive(Clone, Debug, PartialEq)]
struct StripTriplets {
    /// Sum over triplets of `max(0, d(a, p) - d(a, n) + margin)`.
    sum: f64,
    /// Triplets for which that is not zero.
    active: u64,
    /// All triplets.
    total: u64,
    /// Gradient of `sum` with respect to the distances, row-major `[n, n]` (anchor, other): whole
    /// numbers.
    grad_distances: Vec<f32>,
}

/// Batch-all triplet loss: for each strip the mean over its active triplets, then the mean over
/// strips. The pair of an anchor with itself counts as a positive, as in published code.
///
/// The mean over active triplets is piecewise linear in the distances, so the triplets never become
/// tensors: plain loops count them, and the loss is the distances times their counts.
///
/// # Shapes
/// - embedding: `[n, c, p]`
///
/// # Errors
/// Another number of labels than of embeddings.
pub fn triplet_batch_all(
    embedding: Tensor<3>,
    labels: &[usize],
    margin: f64,
) -> Result<Triplet, LossError> {
    let [n, _, strips] = embedding.dims();
    check_count(labels, n)?;
    let distances = strip_distances(embedding);
    let values = distances.clone().detach().into_data().convert::<f32>();
    let values: Vec<f32> = values.try_into_vec().map_err(|_| LossError::Distances)?;
    let triplets: Vec<StripTriplets> = values
        .par_chunks((n * n).max(1))
        .map(|distances| active_triplets(distances, labels, margin as f32))
        .collect();
    let share = 1.0 / strips as f64;
    // NaN stays NaN, also on a GPU whose compiler replaces `x - x` below by 0.
    let loss: f64 = if values.iter().any(|distance| distance.is_nan()) {
        f64::NAN
    } else {
        triplets.iter().map(|t| share * non_zero_mean(t)).sum()
    };
    let weights: Vec<f32> = triplets
        .iter()
        .flat_map(|t| {
            let factor = (share / t.active.max(1) as f64) as f32;
            t.grad_distances.iter().map(move |count| factor * count)
        })
        .collect();
    let weights = TensorData::new(weights, [strips, n, n]);
    let linear = (distances.clone() * Tensor::from_data(weights, &distances.device())).sum();
    // The linear part gives the gradient, the counted value the loss.
    let loss = linear.clone() - linear.detach() + loss;
    let active = triplets.iter().map(|t| t.active).sum();
    Ok(Triplet { loss, active, total: triplets.iter().map(|t| t.total).sum() })
}

/// Euclidean distances `[p, n, n]` of all pairs of embeddings `[n, c, p]`, strip by strip. The
/// gradient at distance 0 is 0.
pub fn strip_distances(embedding: Tensor<3>) -> Tensor<3> {
    let [n, _, strips] = embedding.dims();
    let e = embedding.permute([2, 0, 1]);
    let squares = e.clone().square().sum_dim(2);
    let products = e.clone().matmul(e.transpose());
    let squared = squares.clone() + squares.transpose() - products * 2.0;
    let own: Vec<bool> = (0..n * n).map(|pair| pair / n == pair % n).collect();
    let own = Tensor::<3, Bool>::from_data(TensorData::new(own, [1, n, n]), &squared.device());
    // Where two embeddings are equal, rounding leaves small values of either sign. The root has no
    // finite gradient at 0, so those distances become constants.
    let zero = squared.clone().lower_equal_scalar(0.0).bool_or(own.expand([strips, n, n]));
    squared.mask_fill(zero.clone(), 1.0).sqrt().mask_fill(zero, 0.0)
}

/// The triplets of one strip that violate the margin, from its distances `[n, n]`.
fn active_triplets(distances: &[f32], labels: &[usize], margin: f32) -> StripTriplets {
    let n = labels.len();
    let mut triplets =
        StripTriplets { sum: 0.0, active: 0, total: 0, grad_distances: vec![0.0; n * n] };
    for anchor in 0..n {
        let row = &distances[anchor * n..(anchor + 1) * n];
        let (positives, negatives): (Vec<usize>, Vec<usize>) =
            (0..n).partition(|&other| labels[other] == labels[anchor]);
        let far: Vec<f32> = negatives.iter().map(|&negative| row[negative]).collect();
        let mut hits = vec![0.0f32; far.len()];
        let counts = &mut triplets.grad_distances[anchor * n..(anchor + 1) * n];
        for &positive in &positives {
            let mut sum = 0.0f32;
            let mut active = 0.0f32;
            for (&far, hits) in far.iter().zip(&mut hits) {
                let loss = row[positive] - far + margin;
                let violated = f32::from(u8::from(loss > 0.0));
                sum += loss.max(0.0);
                active += violated;
                *hits += violated;
            }
            counts[positive] += active;
            triplets.sum += f64::from(sum);
            triplets.active += active as u64;
        }
        for (&negative, hits) in negatives.iter().zip(hits) {
            counts[negative] -= hits;
        }
        triplets.total += (positives.len() * negatives.len()) as u64;
    }
    triplets
}

/// The mean over the active triplets; 0 if there are none.
fn non_zero_mean(triplets: &StripTriplets) -> f64 {
    if triplets.active == 0 { 0.0 } else { triplets.sum / triplets.active as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::testing::{test_device, test_tolerance};
    use burn::tensor::Distribution;

    fn embedding(values: &[f32], shape: [usize; 3]) -> Tensor<3> {
        let device = test_device().autodiff();
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &device).require_grad()
    }

    fn gradient(e: &Tensor<3>, loss: &Tensor<1>) -> Vec<f32> {
        e.grad(&loss.backward()).unwrap().into_data().try_to_vec().unwrap()
    }

    /// Two people on a line, at 0 and 1 and at 1.5: one strip, one channel.
    #[test]
    fn points_on_a_line_give_the_sum_by_hand() {
        let e = embedding(&[0.0, 1.0, 1.5], [3, 1, 1]);
        let triplet = triplet_batch_all(e.clone(), &[7, 7, 9], 0.2).unwrap();
        // Anchor 0: self -1.3, pair 1 - 1.5 + 0.2 < 0. Anchor 1: self 0 - 0.5 + 0.2 < 0,
        // pair 1 - 0.5 + 0.2 = 0.7. Anchor 2: self against 1.5 and 0.5, both far.
        assert_eq!((triplet.active, triplet.total), (1, 6));
        assert!((triplet.loss.clone().into_scalar::<f32>() - 0.7).abs() < test_tolerance(1e-6));
        // d(1, 0) - d(1, 2) = (x1 - x0) - (x2 - x1)
        assert_eq!(gradient(&e, &triplet.loss), [-1.0, 2.0, -1.0]);
    }

    #[test]
    fn loss_and_gradient_equal_plain_loops() {
        let (n, c, p) = (6, 3, 2);
        let device = test_device();
        let values = Tensor::<3>::random([n, c, p], Distribution::Default, &device).into_data();
        let values: Vec<f32> = values.try_to_vec().unwrap();
        let labels = [0, 1, 0, 2, 1, 1];
        let loss = |values: &[f64]| {
            let at = |i: usize, k: usize, s: usize| values[(i * c + k) * p + s];
            let mut mean = 0.0;
            for s in 0..p {
                let d = |i: usize, j: usize| -> f64 {
                    (0..c).map(|k| (at(i, k, s) - at(j, k, s)).powi(2)).sum::<f64>().sqrt()
                };
                let (mut sum, mut count) = (0.0, 0.0);
                for (a, b, x) in (0..n * n * n).map(|i| (i / n / n, i / n % n, i % n)) {
                    if labels[a] == labels[b] && labels[a] != labels[x] {
                        let loss = d(a, b) - d(a, x) + 0.2;
                        sum += loss.max(0.0);
                        count += f64::from(u8::from(loss > 0.0));
                    }
                }
                mean += sum / count / p as f64;
            }
            mean
        };
        let exact: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
        let e = embedding(&values, [n, c, p]);
        let triplet = triplet_batch_all(e.clone(), &labels, 0.2).unwrap();
        let got = f64::from(triplet.loss.clone().into_scalar::<f32>());
        assert!(
            (got - loss(&exact)).abs() < f64::from(test_tolerance(1e-5)),
            "{got} {}",
            loss(&exact)
        );
        for (i, got) in gradient(&e, &triplet.loss).into_iter().enumerate() {
            let moved = |step: f64| {
                let mut exact = exact.clone();
                exact[i] += step;
                loss(&exact)
            };
            let want = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!(
                (f64::from(got) - want).abs() < f64::from(test_tolerance(1e-3)),
                "{i}: {got} {want}"
            );
        }
    }

    #[test]
    fn satisfied_batches_and_equal_embeddings_have_finite_gradients() {
        let far = embedding(&[0.0, 0.0, 0.1, 0.0, 9.0, 0.0, 9.1, 0.0], [4, 2, 1]);
        let triplet = triplet_batch_all(far.clone(), &[0, 0, 1, 1], 0.2).unwrap();
        assert_eq!((triplet.active, triplet.loss.clone().into_scalar::<f32>()), (0, 0.0));
        assert_eq!(gradient(&far, &triplet.loss), [0.0; 8]);
        let equal = embedding(&[0.5; 8], [4, 2, 1]);
        let triplet = triplet_batch_all(equal.clone(), &[0, 0, 1, 1], 0.2).unwrap();
        assert_eq!((triplet.active, triplet.total), (16, 16));
        assert!((triplet.loss.clone().into_scalar::<f32>() - 0.2).abs() < test_tolerance(1e-6));
        assert_eq!(gradient(&equal, &triplet.loss), [0.0; 8]);
    }

    #[test]
    fn not_a_number_is_not_hidden() {
        let e = embedding(&[0.0, 0.0, f32::NAN, 0.0, 9.0, 0.0, 9.1, 0.0], [4, 2, 1]);
        let triplet = triplet_batch_all(e, &[0, 0, 1, 1], 0.2).unwrap();
        assert!(triplet.loss.into_scalar::<f32>().is_nan());
    }

    #[test]
    fn a_batch_of_one_person_has_no_triplets() {
        let e = embedding(&[0.0, 1.0], [2, 1, 1]);
        let triplet = triplet_batch_all(e, &[3, 3], 0.2).unwrap();
        assert_eq!((triplet.total, triplet.active_share()), (0, 0.0));
        assert!(triplet_batch_all(embedding(&[0.0, 1.0], [2, 1, 1]), &[3], 0.2).is_err());
    }
}
