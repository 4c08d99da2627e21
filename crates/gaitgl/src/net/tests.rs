use burn::module::Module;
use burn::tensor::{Device, TensorData, Tolerance};

use super::plan;
use super::*;
use crate::device::cpu;
use crate::device::testing::{test_device, test_tolerance};
use crate::settings::presets;
use crate::settings::{AtTest, Neck, Pool, SpatialPooling};

/// A preset on small maps with a different width for every stage.
pub(crate) fn small(name: &str) -> ModelSettings {
    let mut settings = presets::model(name).unwrap();
    (settings.height, settings.width) = (16, 20);
    settings.channels = (0..settings.channels.len()).map(|stage| 4 + 2 * stage).collect();
    settings
}

pub(crate) fn clips(n: usize, frames: usize, device: &Device) -> Tensor<5> {
    let count = n * frames * 16 * 20;
    let noise = |i: usize| (i.wrapping_mul(2_654_435_761) >> 7) % 1000;
    let values: Vec<f32> = (0..count).map(|i| if noise(i) < 400 { 0.0 } else { 1.0 }).collect();
    Tensor::from_data(TensorData::new(values, [n, 1, frames, 16, 20]), device)
}

fn net(settings: &ModelSettings) -> GaitGl {
    let mut net = GaitGl::new(settings, 5, 3, &test_device().autodiff()).unwrap();
    // Statistics of a few batches, so that tests see them used.
    for iteration in 0..3 {
        let masks = net.draw_masks(1, iteration);
        let clips = clips(2, 4 + iteration as usize, &test_device().autodiff());
        net.forward_train(clips, &masks, Precision::F32).unwrap();
    }
    net
}

fn close(a: &Tensor<3>, b: &Tensor<3>) {
    let scale = a.clone().abs().max().into_scalar::<f32>();
    let (a, b) = (a.clone().into_data(), b.clone().into_data());
    a.assert_approx_eq::<f32>(&b, Tolerance::absolute(test_tolerance(2e-5) * scale.max(1e-3)));
}

#[test]
fn every_preset_trains_all_its_parameters() {
    for name in presets::NAMES {
        let settings = small(name);
        let device = test_device().autodiff();
        let mut net = GaitGl::new(&settings, 5, 1, &device).unwrap();
        let masks = net.draw_masks(1, 0);
        let output = net.forward_train(clips(2, 7, &device), &masks, Precision::F32).unwrap();
        let [channels, strips] = net.embedding_shape();
        assert_eq!(output.embedding.dims(), [2, channels, strips], "{name}");
        let mut loss = output.embedding.powi_scalar(2).sum();
        if let Some(logits) = output.logits {
            assert_eq!(logits.dims(), [2, 5, strips], "{name}");
            loss = loss + logits.powi_scalar(3).sum();
        }
        let grads = burn::optim::GradientsParams::from_grads(loss.backward(), &net);
        let buffers = if net.head.norm.is_some() { 2 } else { 0 };
        assert_eq!(grads.len(), net.tensors().len() - buffers, "{name}");
    }
}

#[test]
fn sequences_of_any_length_embed() {
    for name in presets::NAMES {
        let evaluator = net(&small(name)).evaluator(Precision::F32);
        for frames in [1, 2, 3, 4, 5, 17] {
            let embedding = evaluator.embed(clips(1, frames, &test_device())).unwrap();
            let values: Vec<f32> = embedding.into_data().try_to_vec().unwrap();
            assert!(values.iter().all(|v| v.is_finite()), "{name} {frames}");
        }
    }
}

#[test]
fn a_short_sequence_equals_its_repetition() {
    let evaluator = net(&small("parts-small")).evaluator(Precision::F32);
    let one = clips(1, 1, &test_device());
    let three = one.clone().repeat_dim(2, 3);
    close(&evaluator.embed(one).unwrap(), &evaluator.embed(three).unwrap());
}

#[test]
fn statistics_are_frozen_and_sequences_independent_at_test() {
    let net = net(&small("paper-small"));
    let before = net.tensors();
    let evaluator = net.evaluator(Precision::F32);
    let both = clips(2, 6, &test_device());
    let together = evaluator.embed(both.clone()).unwrap();
    let alone = evaluator.embed(both.narrow(0, 1, 1)).unwrap();
    close(&together.narrow(0, 1, 1), &alone);
    assert_eq!(net.tensors(), before);
}

#[test]
fn windows_equal_the_whole_sequence() {
    let mut two_ltas = small("paper-small");
    two_ltas.pools = vec![Pool::Lta, Pool::Sp, Pool::Lta];
    two_ltas.lta_kernel = [3, 3, 1];
    two_ltas.lta_stride = 2;
    for settings in [small("parts-small"), small("paper-large"), two_ltas] {
        let net = net(&settings).valid();
        let masks = vec![None; plan::global_local_layers(&settings).len()];
        let x = clips(1, 41, &test_device());
        let whole = net.body(x.clone(), &masks, Precision::F32).unwrap();
        for each in [1, 2, 5] {
            for window in windows::split(&plan::layers(&settings), 41, each) {
                let part = x.clone().narrow(2, window.frames.start, window.frames.len());
                let part = net.body(part, &masks, Precision::F32).unwrap();
                let stride = windows::stride(&plan::layers(&settings));
                let at = window.frames.start / stride + window.keep.start;
                let part = part.narrow(2, window.keep.start, window.keep.len());
                let want = whole.clone().narrow(2, at, window.keep.len());
                part.into_data().assert_approx_eq::<f32>(
                    &want.into_data(),
                    Tolerance::absolute(test_tolerance(1e-5)),
                );
            }
        }
    }
}

#[test]
fn long_sequences_embed_in_pieces_as_they_would_whole() {
    for name in ["parts-small", "paper-large", "hid-2020"] {
        let evaluator = net(&small(name)).evaluator(Precision::F32);
        let mut bounded = evaluator.clone();
        let long = clips(1, 50, &test_device());
        let whole = evaluator.embed(long.clone()).unwrap();
        for budget in [1, 1 << 19] {
            bounded.budget = budget;
            close(&bounded.embed(long.clone()).unwrap(), &whole);
        }
    }
}

/// The body that the CPU, and no other device, runs for use, against the layers of training.
#[test]
fn prepared_bodies_equal_the_layers() {
    let mut stripped = small("paper-small");
    stripped.branches = Branches::Local;
    for settings in [small("parts-small"), small("paper-large"), small("hid-2020"), stripped] {
        let net = net(&settings).valid();
        let masks = net.draw_masks(4, 2);
        let body = prepared::PreparedBody::new(&net, &masks, Precision::F32).unwrap();
        assert_eq!(body.is_some(), test_device() == cpu());
        let Some(body) = body else { continue };
        let x = clips(2, 9, &test_device());
        let want = net.body(x.clone(), &masks, Precision::F32).unwrap();
        for t in 0..want.dims()[2] {
            let got = body.forward(x.clone(), &(t..t + 1)).into_data();
            let want = want.clone().narrow(2, t, 1).squeeze_dim::<4>(2).into_data();
            got.assert_approx_eq::<f32>(&want, Tolerance::absolute(1e-5));
        }
    }
    let mut activated = small("paper-small");
    activated.local.reading = Reading::Activate;
    let net = net(&activated).valid();
    assert!(
        prepared::PreparedBody::new(&net, &net.draw_masks(1, 1), Precision::F32).unwrap().is_none()
    );
}

#[test]
fn another_number_of_masks_or_layers_is_an_error() {
    let mut net = net(&small("paper-small"));
    let device = test_device().autodiff();
    let whole = net.draw_masks(1, 0);
    let too_many: Vec<Option<Regions>> = whole.iter().cloned().chain([None]).collect();
    for masks in [&whole[..whole.len() - 1], &[], &too_many] {
        let wanted =
            format!("expected 4 masks, one for each global-local layer, got {}", masks.len());
        let trained = net.forward_train(clips(2, 5, &device), masks, Precision::F32);
        assert_eq!(trained.unwrap_err().to_string(), wanted);
        let prepared = prepared::PreparedBody::new(&net.valid(), masks, Precision::F32);
        assert_eq!(prepared.unwrap_err().to_string(), wanted);
    }
    net.stages[2].layers.pop();
    let wanted = "the settings describe 6 layers, the network has 5";
    let trained = net.forward_train(clips(2, 5, &device), &whole, Precision::F32);
    assert_eq!(trained.unwrap_err().to_string(), wanted);
    let prepared = prepared::PreparedBody::new(&net.valid(), &whole, Precision::F32);
    assert_eq!(prepared.unwrap_err().to_string(), wanted);
    assert_eq!(net.embed(clips(2, 5, &test_device())).unwrap_err().to_string(), wanted);
}

fn at_test(partition: LocalPartition, reading: Reading, at_test: AtTest) -> Tensor<3> {
    let mut settings = small("paper-small");
    settings.local.partition = partition;
    settings.local.reading = reading;
    let mut net = net(&settings);
    net.settings.local.at_test = at_test;
    net.evaluator(Precision::F32).embed(clips(2, 5, &test_device())).unwrap()
}

#[test]
fn at_test_choices_differ_where_they_should() {
    let embed = |choice| at_test(LocalPartition::StripV, Reading::Restrict, choice);
    let apart = |a: &Tensor<3>, b: &Tensor<3>| {
        assert!((a.clone() - b.clone()).abs().max().into_scalar::<f32>() > 1e-4);
    };
    let (expected, seeded) = (embed(AtTest::Expected), embed(AtTest::Seeded));
    let (mean, plain) = (embed(AtTest::MeanOfK), embed(AtTest::Plain));
    for (a, b) in [(&expected, &seeded), (&seeded, &mean), (&mean, &plain), (&plain, &expected)] {
        apart(a, b);
    }
    close(&expected, &embed(AtTest::Expected));
}

#[test]
fn bands_are_the_same_at_test_whatever_is_chosen() {
    let embed = |choice| at_test(LocalPartition::Bands, Reading::Restrict, choice);
    close(&embed(AtTest::Expected), &embed(AtTest::Plain));
    close(&embed(AtTest::Seeded), &embed(AtTest::MeanOfK));
    close(&embed(AtTest::Seeded), &embed(AtTest::Plain));
}

#[test]
fn readings_without_masks_at_test_are_plain() {
    for reading in [Reading::Activate, Reading::Literal] {
        let embed = |choice| at_test(LocalPartition::Pixel, reading, choice);
        close(&embed(AtTest::Expected), &embed(AtTest::Plain));
    }
    let embed = |choice| at_test(LocalPartition::Pixel, Reading::Literal, choice);
    close(&embed(AtTest::Seeded), &embed(AtTest::Plain));
}

#[test]
fn ablations_build_train_and_embed() {
    let base = small("paper-small");
    let mut variants = Vec::new();
    for branches in [Branches::Global, Branches::Local] {
        variants.push(ModelSettings { branches, ..base.clone() });
    }
    for kind in [SpatialPooling::Max, SpatialPooling::Mean, SpatialPooling::Both] {
        variants.push(ModelSettings { spatial_pooling: kind, ..base.clone() });
    }
    for pools in [[Pool::Sp, Pool::Lta], [Pool::Lta, Pool::Lta], [Pool::Sp, Pool::Sp]] {
        let pools = pools.into_iter().chain([Pool::None]).collect();
        variants.push(ModelSettings { pools, ..base.clone() });
    }
    for neck in [Neck::None, Neck::Linear, Neck::Bnneck, Neck::BnneckPlain] {
        variants.push(ModelSettings { neck, ..base.clone() });
    }
    for settings in variants {
        let net = net(&settings);
        let [channels, strips] = net.embedding_shape();
        let embedding = net.embed(clips(1, 10, &test_device())).unwrap();
        assert_eq!(embedding.dims(), [1, channels, strips], "{settings:?}");
    }
}

#[test]
fn same_seed_gives_the_same_network_to_the_bit() {
    let device = test_device().autodiff();
    let make = |seed| GaitGl::new(&small("paper-small"), 5, seed, &device).unwrap();
    assert_eq!(make(1).tensors(), make(1).tensors());
    assert_ne!(make(1).tensors(), make(2).tensors());
}

#[test]
fn clips_of_another_size_are_refused_before_any_layer() {
    let net = net(&small("parts-small"));
    for shape in [[1, 1, 5, 16, 16], [1, 2, 5, 16, 20], [1, 1, 0, 16, 20]] {
        let message = net.embed(Tensor::zeros(shape, &test_device())).unwrap_err().to_string();
        assert!(message.starts_with("clips: expected [n, c=1, t, h=16, w=20]"), "{message}");
    }
}
