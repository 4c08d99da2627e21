use burn::optim::decay::WeightDecayConfig;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, OptimizerRecord};
use burn::tensor::{Bytes, Tensor};
use gait_support::full_message;
use gaitgl::exchange::{ImportOptions, import, import_bytes};
use gaitgl::net::published_names;
use gaitgl::settings::{Optimizer, Settings};
use gaitgl::train::Trainer;

use crate::testing::test_device;
use crate::{
    Checkpoint, check_close, check_embeddings, embedded, fixture, golden, golden_of, imported,
};

fn check(file: &str, golden: &str, preset: &str, classes: usize) {
    let got = imported(file);
    let checkpoint = got.checkpoint;
    assert_eq!(checkpoint.settings.preset, preset, "{file}");
    assert_eq!(checkpoint.subjects.len(), classes, "{file}");
    let channels: Vec<usize> = (3..).take(checkpoint.settings.model.channels.len()).collect();
    assert_eq!(checkpoint.settings.model.channels, channels);
    assert_eq!((checkpoint.settings.model.height, checkpoint.settings.model.width), (16, 11));
    assert_eq!(got.dropped.len(), usize::from(classes > 1), "{file}");
    check_embeddings(&checkpoint, golden);
}

#[test]
fn zip_files_of_a_bare_state_dict() {
    check("parts-small.pt", "parts-small", "parts-small", 5);
}

#[test]
fn legacy_files_with_the_model_under_its_key() {
    check("parts-small-legacy.pt", "parts-small", "parts-small", 5);
    let (a, b) = (imported("parts-small.pt"), imported("parts-small-legacy.pt"));
    assert_eq!(a.checkpoint, b.checkpoint);
}

#[test]
fn deflated_files_of_a_parallel_model_in_training() {
    check("parts-small-adam.pt", "parts-small-adam", "parts-small", 5);
    assert_eq!(imported("parts-small-adam.pt").checkpoint.iteration, 3);
}

#[test]
fn views_of_one_shared_storage() {
    check("parts-large.pt", "parts-large", "parts-large", 5);
}

#[test]
fn bfloat16_float16_and_float64_become_float32() {
    check("parts-large-bnneck.pt", "parts-large-bnneck", "parts-large-bnneck", 5);
    check("hid-2020.ptm", "hid-2020", "hid-2020", 1);
    check("parts-small-double.pt", "parts-small-double", "parts-small", 5);
}

#[test]
fn a_compiled_network_of_more_rows_than_strips_is_pytorchs() {
    let file = fixture("parts-small-compiled.pt");
    let with = |height| import(&file, &ImportOptions { height, ..ImportOptions::default() });
    let tall = with(Some(32)).unwrap();
    assert_eq!(tall.assumed[..2], ["model.height = 32", "model.width = 22"]);
    let model = &tall.checkpoint.settings.model;
    assert_eq!((model.height, model.width, model.strips), (32, 22, 16));
    for frames in [1, 2, 3, 17, 30] {
        let got = embedded(&tall.checkpoint, golden_of("golden-tall.safetensors", "clip"), frames);
        let (_, want) = golden_of("golden-tall.safetensors", &format!("test.{frames}"));
        check_close(&format!("{frames} frames"), &got, &want);
    }
    let one_row_each = with(None).unwrap().checkpoint.settings.model;
    assert_eq!((one_row_each.height, one_row_each.strips), (16, 16));
    let error = full_message(&with(Some(24)).unwrap_err());
    assert!(error.contains("model.strips = 16") && error.contains("24 rows"), "{error}");
}

#[test]
fn settings_that_the_tensors_do_not_show_are_reported_and_may_be_set() {
    let with = |set: &[&str]| {
        let set = set.iter().map(|s| s.to_string()).collect();
        import(&fixture("parts-small.pt"), &ImportOptions { set, ..ImportOptions::default() })
    };
    let assumed = with(&[]).unwrap().assumed;
    let bands = ["model.local.partition = \"bands\"", "model.local.bands = 8"];
    assert_eq!(assumed[..2], ["model.height = 16", "model.width = 11"]);
    assert_eq!(assumed[2..], bands);
    let given = with(&["model.local.bands=4"]).unwrap();
    assert_eq!(given.checkpoint.settings.model.local.bands, 4);
    assert!(with(&["model.local.bands=400"]).is_err());
    let error = full_message(&with(&["model.lta_kernel=[3,3,3]"]).unwrap_err());
    assert!(
        error.contains("LTA.0.conv3d.weight is 3x3x3x1x1, the network has 3x3x3x3x3"),
        "{error}"
    );
}

#[test]
fn a_rate_without_milestones_stays_and_says_why() {
    let got = imported("parts-small-compiled.pt");
    let recipe = got.checkpoint.settings.train;
    assert_eq!((recipe.learning_rate, recipe.milestones), (5e-4, Vec::new()));
    let why = got.constant_rate.unwrap();
    assert_eq!(
        why.to_string(),
        "its scheduler is not a MultiStepLR (it has step_size, gamma, base_lrs, last_epoch)"
    );
    assert_eq!(imported("parts-small-adam.pt").constant_rate, None);
}

/// The legacy file with `value` behind the first `key` of its pickles.
fn patched(file: &str, key: &str, value: u8) -> Vec<u8> {
    let mut bytes = std::fs::read(fixture(file)).unwrap();
    let at = bytes.windows(key.len()).position(|window| window == key.as_bytes()).unwrap();
    let truth = bytes[at..].iter().position(|byte| [0x88, 0x89].contains(byte)).unwrap();
    bytes[at + truth] = value;
    bytes
}

#[test]
fn legacy_storages_are_little_endian_on_every_machine() {
    let bytes = patched("parts-small-legacy.pt", "little_endian", 0x89);
    let path = fixture("parts-small-legacy.pt");
    let big = import_bytes(&path, bytes, &ImportOptions::default()).unwrap();
    assert_eq!(big.checkpoint, imported("parts-small-legacy.pt").checkpoint);
}

#[test]
fn an_optimiser_that_maximises_is_left_out() {
    let bytes = patched("parts-large-bnneck.pt", "maximize", 0x88);
    let got = import_bytes(&fixture("x.pt"), bytes, &ImportOptions::default()).unwrap();
    assert_eq!(got.without_optimizer.unwrap().to_string(), "it maximises the loss");
    assert_eq!(got.checkpoint.optimizer, None);
}

#[test]
fn a_network_without_classes_serves_any_subjects() {
    let names: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
    let subjects = Some(names.clone());
    let options = ImportOptions { subjects, ..ImportOptions::default() };
    let named = import(&fixture("hid-2020.ptm"), &options).unwrap().checkpoint;
    assert_eq!(named.subjects, names);
    check_embeddings(&named, "hid-2020");
    assert!(imported("hid-2020.ptm").checkpoint.trained_on(&names));
}

#[test]
fn the_recipe_comes_from_optimiser_and_scheduler() {
    let adam = imported("parts-small-adam.pt");
    assert!(adam.without_optimizer.is_none());
    let recipe = adam.checkpoint.settings.train;
    assert_eq!(recipe.optimizer, Optimizer::Adam);
    assert_eq!((recipe.learning_rate, recipe.weight_decay, recipe.decay), (1e-3, 5e-4, 0.5));
    assert_eq!(recipe.milestones, [2, 70, 70]);
    let sgd = imported("parts-large-bnneck.pt");
    assert!(sgd.without_optimizer.is_none());
    let recipe = sgd.checkpoint.settings.train;
    assert_eq!(recipe.optimizer, Optimizer::Sgd);
    assert_eq!((recipe.momentum, recipe.milestones), (0.9, vec![150]));
}

#[test]
fn training_goes_on_from_an_imported_checkpoint() {
    for (file, optimizer) in
        [("parts-small-adam.pt", Optimizer::Adam), ("parts-large-bnneck.pt", Optimizer::Sgd)]
    {
        let checkpoint = imported(file).checkpoint;
        let settings: Settings = checkpoint.settings.clone();
        assert_eq!(settings.train.optimizer, optimizer);
        let again = checkpoint.clone();
        let trainer = Trainer::resume(checkpoint, settings, &test_device()).unwrap();
        assert_eq!(trainer.iteration(), 3);
        // What is kept is what was read.
        let kept = trainer.checkpoint(None).unwrap();
        assert_eq!(kept.weights, again.weights);
        assert_eq!(state_tensors(kept), state_tensors(again));
    }
}

fn state_tensors(checkpoint: Checkpoint) -> usize {
    let state = Bytes::from_bytes_vec(checkpoint.optimizer.unwrap());
    OptimizerRecord::from_bytes(state).unwrap().len()
}

#[test]
fn a_step_of_the_imported_adam_is_pytorchs() {
    let checkpoint = imported("parts-small-adam.pt").checkpoint;
    let device = test_device().autodiff();
    let (model, recipe) = (&checkpoint.settings.model, &checkpoint.settings.train);
    let net = gaitgl::net::GaitGl::new(model, 5, 0, &device).unwrap();
    let net = net.with_tensors(&checkpoint.weights).unwrap();
    let decay = Some(WeightDecayConfig::new(recipe.weight_decay as f32));
    let adam = AdamConfig::new().with_epsilon(1e-8).with_weight_decay(decay).init();
    let state = Bytes::from_bytes_vec(checkpoint.optimizer.unwrap());
    let mut adam: ModuleOptimizer = adam.load_record(OptimizerRecord::from_bytes(state).unwrap());
    // Ones as the gradient of every parameter.
    let mut sum: Tensor<1> = Tensor::zeros([1], &device);
    burn::module::Module::visit(&net, &mut Sum(&mut sum));
    let grads = GradientsParams::from_grads(sum.backward(), &net);
    let net = adam.step(recipe.learning_rate_at(3), net, grads);
    let after = net.tensors();
    for (theirs, ours) in published_names("parts-small") {
        if theirs.contains("running") {
            continue;
        }
        let (_, want) = golden(&format!("parts-small-adam.after.{theirs}"));
        check_close(theirs, &after[ours].values, &want);
    }
}

/// The sum of all parameters that learn.
struct Sum<'s>(&'s mut Tensor<1>);

impl burn::module::ModuleVisitor for Sum<'_> {
    fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
        if param.val().is_require_grad() {
            *self.0 = self.0.clone() + param.val().sum();
        }
    }
}

#[test]
fn another_network_than_the_preset_is_refused_with_every_tensor() {
    let error = import(
        &fixture("hid-2020.ptm"),
        &ImportOptions { preset: Some("parts-small".into()), ..ImportOptions::default() },
    )
    .unwrap_err();
    let message = full_message(&error);
    for part in [
        "hid-2020.ptm does not hold the network parts-small",
        "HPP.p (1) is missing",
        "fc_bin.0 (16x6x6) is unused",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert!(!message.contains('\n'));
}

#[test]
fn subjects_name_the_classes_and_may_be_fewer() {
    let names: Vec<String> = ["a", "b", "c", "d", "e", "f"].map(String::from).to_vec();
    let with = |n: usize| {
        let subjects = Some(names[..n].to_vec());
        import(&fixture("parts-small.pt"), &ImportOptions { subjects, ..ImportOptions::default() })
    };
    assert_eq!(with(5).unwrap().checkpoint.subjects, names[..5]);
    let fewer = with(4).unwrap().checkpoint;
    assert_eq!(fewer.subjects, ["a", "b", "c", "d", ""]);
    assert!(fewer.trained_on(&names[..4]));
    assert!(!fewer.trained_on(&names[..5]) && !fewer.trained_on(&names[1..5]));
    assert!(!fewer.trained_on(&names[..3]), "d is a subject that the set does not have");
    let error = full_message(&with(6).unwrap_err());
    assert!(error.contains("5 classes for the data set's 6 training subjects"), "{error}");
}
