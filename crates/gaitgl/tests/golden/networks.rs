use burn::module::ParamId;
use burn::optim::GradientsParams;
use gaitgl::loss::{cross_entropy, triplet_batch_all};
use gaitgl::mask::Regions;
use gaitgl::net::GaitGl;
use gaitgl::settings::presets;
use gaitgl::settings::{LastJoin, LocalPartition, ModelSettings, Neck, Precision};
use gaitgl::weights::{Weight, Weights};

use crate::fixture::{BACKWARD, FORWARD, Fixture, frames};
use crate::names::{named, weights};
use crate::testing::test_device;

fn settings(preset: &str) -> ModelSettings {
    let mut settings = presets::model(preset).unwrap();
    (settings.height, settings.width) = (16, 20);
    settings.channels = (0..settings.channels.len()).map(|stage| 3 + stage).collect();
    settings
}

fn check(preset: &str, scale: f64, smoothing: f64) {
    check_file(preset, preset, &settings(preset), scale, smoothing);
}

fn check_file(file: &str, preset: &str, settings: &ModelSettings, scale: f64, smoothing: f64) {
    let golden = Fixture::open(file);
    let device = test_device().autodiff();
    let weights = weights(&golden, preset, "net");
    let classes = weights.get("head.classifier.weight").map_or(1, |weight| weight.shape[2]);
    let net = GaitGl::new(settings, classes, 1, &device).unwrap();
    let mut net = net.with_tensors(&weights).unwrap();
    let clips = golden.tensor::<5>("clips", &device) / 255.0;

    let masks = net.draw_masks(1, 0);
    let drawn = golden.names().iter().filter(|name| name.starts_with("mask.")).count();
    let masks: Vec<Option<Regions>> = match drawn {
        0 => masks,
        _ => (0..masks.len()).map(|i| Some(golden.regions(&format!("mask.{i}")))).collect(),
    };
    let output = net.forward_train(clips.clone(), &masks, Precision::F32).unwrap();
    golden.check("embedding", &output.embedding, FORWARD);
    let labels = golden.labels("labels");
    let mut loss = triplet_batch_all(output.embedding, &labels, 0.2).unwrap().loss;
    if let Some(logits) = output.logits {
        golden.check("logits", &logits, FORWARD);
        loss = loss + cross_entropy(logits, &labels, scale, smoothing).unwrap();
    }
    golden.check_values("loss", &[loss.clone().into_scalar()], FORWARD);

    let grads = GradientsParams::from_grads(loss.backward(), &net);
    let gradients = gradients(&net, &grads);
    let wanted = named(&golden, preset, "grad");
    assert_eq!(gradients.len(), wanted.len());
    for (ours, name) in wanted {
        let gradient = gradients.get(&ours).unwrap_or_else(|| panic!("{ours} has no gradient"));
        assert_eq!(gradient.shape, golden.shape(&name), "{ours}");
        golden.check_values(&name, &gradient.values, BACKWARD);
    }
    let after = net.tensors();
    for (ours, name) in named(&golden, preset, "after") {
        golden.check_values(&name, &after[&ours].values, FORWARD);
    }

    let evaluator = net.evaluator(Precision::F32);
    let one = clips.clone().without_autodiff().narrow(0, 0, 1);
    for count in [1, 2, 3, 4, 7, 17] {
        let order: Vec<i64> = (0..count).map(|frame| frame % 7).collect();
        let embedding = evaluator.embed(frames(&one, &order)).unwrap();
        golden.check(&format!("test.{count}"), &embedding, FORWARD);
    }
    if golden.names().iter().any(|name| name == "test.logits") {
        let logits = evaluator.classify(clips.without_autodiff()).unwrap();
        golden.check("test.logits", &logits.unwrap(), FORWARD);
    }
}

/// The gradients by the names of their tensors.
fn gradients(net: &GaitGl, grads: &GradientsParams) -> Weights {
    fn values<const D: usize>(grads: &GradientsParams, id: ParamId) -> Option<Vec<f32>> {
        Some(grads.get::<D>(id)?.into_data().try_to_vec().unwrap())
    }
    let ids = net.parameter_ids();
    let named = net.tensors().into_iter().filter_map(|(name, Weight { shape, .. })| {
        let values = match shape.len() {
            1 => values::<1>(grads, ids[&name]),
            3 => values::<3>(grads, ids[&name]),
            _ => values::<5>(grads, ids[&name]),
        }?;
        Some((name, Weight { shape, values }))
    });
    named.collect()
}

#[test]
fn parts_small() {
    check("parts-small", 1.0, 0.0);
}

#[test]
fn two_rows_of_the_final_map_in_each_strip() {
    let settings = ModelSettings { height: 32, strips: 16, ..settings("parts-small") };
    check_file("parts-small-tall", "parts-small", &settings, 1.0, 0.0);
}

#[test]
fn parts_large() {
    check("parts-large", 1.0, 0.1);
}

#[test]
fn parts_large_bnneck() {
    check("parts-large-bnneck", 16.0, 0.1);
}

#[test]
fn hid_2020() {
    check("hid-2020", 1.0, 0.0);
}

#[test]
fn paper_small() {
    check("paper-small", 1.0, 0.0);
}

#[test]
fn paper_large() {
    check("paper-large", 1.0, 0.0);
}

/// A variant of `paper-small` with the file of its name.
fn check_variant(variant: &str, scale: f64, change: impl FnOnce(&mut ModelSettings)) {
    let mut settings = settings("paper-small");
    change(&mut settings);
    check_file(&format!("paper-small-{variant}"), "paper-small", &settings, scale, 0.0);
}

#[test]
fn normalised_classifiers_after_the_embedding() {
    check_variant("bnneck", 16.0, |s| s.neck = Neck::Bnneck);
}

#[test]
fn an_embedding_after_the_norm() {
    check_variant("batch-norm", 1.0, |s| s.neck = Neck::BatchNorm);
}

#[test]
fn classifiers_of_the_embedding_itself() {
    check_variant("linear", 1.0, |s| s.neck = Neck::Linear);
}

#[test]
fn no_classifiers() {
    check_variant("none", 1.0, |s| s.neck = Neck::None);
}

#[test]
fn a_last_layer_that_sums() {
    check_variant("sum", 1.0, |s| s.last_join = LastJoin::Sum);
}

#[test]
fn intervals_of_rows_and_of_columns() {
    check_variant("part-h", 1.0, |s| s.local.partition = LocalPartition::PartH);
    check_variant("part-v", 1.0, |s| s.local.partition = LocalPartition::PartV);
}
