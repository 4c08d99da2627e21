use burn::tensor::Tensor;
use gaitgl::loss::{cross_entropy, strip_distances, triplet_batch_all};

use crate::fixture::{BACKWARD, FORWARD, Fixture};
use crate::testing::test_device;

fn check(golden: &Fixture, name: &str, input: (&str, &Tensor<3>), loss: &Tensor<1>) {
    let value: f32 = loss.clone().into_scalar();
    golden.check_values(&format!("{name}.loss"), &[value], FORWARD);
    let grads = loss.backward();
    golden.check(&format!("{name}.by_{}", input.0), &input.1.grad(&grads).unwrap(), BACKWARD);
}

#[test]
fn triplet_losses() {
    let golden = Fixture::open("losses");
    let labels = golden.labels("labels");
    for (name, margin) in [("triplet", 0.2), ("triplet_wide", 1.5)] {
        let e = golden.leaf("embedding");
        let triplet = triplet_batch_all(e.clone(), &labels, margin).unwrap();
        check(&golden, name, ("embedding", &e), &triplet.loss);
    }
}

#[test]
fn cross_entropies() {
    let golden = Fixture::open("losses");
    let labels = golden.labels("labels");
    for (name, scale, smoothing) in
        [("plain", 1.0, 0.0), ("smooth", 1.0, 0.1), ("scaled", 16.0, 0.1)]
    {
        let logits = golden.leaf("logits");
        let loss = cross_entropy(logits.clone(), &labels, scale, smoothing).unwrap();
        check(&golden, name, ("logits", &logits), &loss);
    }
}

#[test]
fn distances() {
    let golden = Fixture::open("losses");
    let e = golden.tensor("embedding", &test_device());
    golden.check("distances", &strip_distances(e), FORWARD);
}
