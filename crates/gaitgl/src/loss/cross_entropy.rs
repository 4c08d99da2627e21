//! Cross-entropy per strip (the second term of Eqn. 12), with the scale and the label smoothing of
//! published code.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};

use super::{LossError, check_count};

/// Mean over sequences and strips of the cross-entropy of `scale * logits`. `smoothing` is the share
/// of the target that is spread evenly over all classes.
///
/// # Shapes
/// - logits: `[n, classes, p]`
/// - result: `[1]`
///
/// # Errors
/// Another number of labels than of sequences, or a label beyond the classes.
pub fn cross_entropy(
    logits: Tensor<3>,
    labels: &[usize],
    scale: f64,
    smoothing: f64,
) -> Result<Tensor<1>, LossError> {
    let [n, _, strips] = logits.dims();
    let targets = targets(&logits, labels)?;
    let targets = targets.reshape([1, n, 1]).expand([strips, n, 1]);
    let scores = logits.permute([2, 0, 1]);
    let scores = if scale == 1.0 { scores } else { scores * scale };
    let log_shares = log_softmax(scores, 2);
    let target = -log_shares.clone().gather(2, targets).mean();
    if smoothing == 0.0 {
        return Ok(target);
    }
    Ok(target * (1.0 - smoothing) - log_shares.mean() * smoothing)
}

/// Share, 0 to 1, of sequences and strips whose highest logit is that of their label. `logits` is
/// `[n, classes, p]`.
///
/// # Errors
/// Another number of labels than of sequences, or a label beyond the classes.
pub fn accuracy(logits: Tensor<3>, labels: &[usize]) -> Result<f64, LossError> {
    let [n, _, strips] = logits.dims();
    let targets = targets(&logits, labels)?;
    let chosen = logits.detach().argmax(1).reshape([n, strips]);
    let right = chosen.equal(targets.reshape([n, 1]).expand([n, strips])).int().sum();
    Ok(right.into_scalar::<i64>() as f64 / (n * strips) as f64)
}

fn targets(logits: &Tensor<3>, labels: &[usize]) -> Result<Tensor<1, Int>, LossError> {
    let [n, classes, _] = logits.dims();
    check_count(labels, n)?;
    if let Some(&class) = labels.iter().find(|&&class| class >= classes) {
        return Err(LossError::Class { class, classes });
    }
    let labels: Vec<u32> = labels.iter().map(|&label| label as u32).collect();
    Ok(Tensor::from_data(TensorData::new(labels, [n]), &logits.device()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::testing::{test_device, test_tolerance};

    /// Two sequences, three classes, two strips, with a different value everywhere.
    fn logits() -> Tensor<3> {
        let values = vec![0.5f32, -1.0, 2.0, 0.25, -0.5, 3.0, 1.5, 0.0, -2.0, 1.0, 0.75, 4.0];
        let device = test_device().autodiff();
        Tensor::from_data(TensorData::new(values, [2, 3, 2]), &device).require_grad()
    }

    fn by_hand(labels: [usize; 2], scale: f64, smoothing: f64) -> f64 {
        let values: Vec<f32> = logits().into_data().try_to_vec().unwrap();
        let at = |n: usize, c: usize, p: usize| scale * f64::from(values[(n * 3 + c) * 2 + p]);
        let mut sum = 0.0;
        for (n, p) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let normaliser = (0..3).map(|c| at(n, c, p).exp()).sum::<f64>().ln();
            for c in 0..3 {
                let hot = f64::from(u8::from(c == labels[n]));
                let target = (1.0 - smoothing) * hot + smoothing / 3.0;
                sum += target * (normaliser - at(n, c, p));
            }
        }
        sum / 4.0
    }

    #[test]
    fn scale_and_smoothing_equal_the_sum_by_hand() {
        for (scale, smoothing) in [(1.0, 0.0), (16.0, 0.0), (1.0, 0.1), (3.0, 0.2)] {
            let loss = cross_entropy(logits(), &[2, 0], scale, smoothing).unwrap();
            let got = f64::from(loss.into_scalar::<f32>());
            let want = by_hand([2, 0], scale, smoothing);
            assert!(
                (got - want).abs() < f64::from(test_tolerance(1e-5)) * want.abs(),
                "{scale} {smoothing}: {got} {want}"
            );
        }
    }

    #[test]
    fn gradients_sum_to_zero_over_classes() {
        let x = logits();
        let grads = cross_entropy(x.clone(), &[2, 0], 2.0, 0.1).unwrap().backward();
        let sums = x.grad(&grads).unwrap();
        assert!(sums.clone().abs().max().into_scalar::<f32>() > 0.01);
        assert!(sums.sum_dim(1).abs().max().into_scalar::<f32>() < test_tolerance(1e-6));
    }

    #[test]
    fn accuracy_counts_strips() {
        // Highest logits: sequence 0 classes 1 and 2, sequence 1 classes 0 and 2.
        assert_eq!(accuracy(logits(), &[1, 2]).unwrap(), 0.5);
        assert_eq!(accuracy(logits(), &[0, 1]).unwrap(), 0.0);
    }

    #[test]
    fn labels_that_do_not_fit_are_refused() {
        let message = cross_entropy(logits(), &[0, 3], 1.0, 0.0).unwrap_err().to_string();
        assert!(message.contains("class 3"), "{message}");
        assert!(accuracy(logits(), &[0]).is_err());
    }
}
