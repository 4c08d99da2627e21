use gait_support::full_message;
use gaitgl::exchange::{Exported, ImportOptions, export, import};
use gaitgl::net::GaitGl;
use gaitgl::settings::{AtTest, Branches, LastJoin, LocalPartition, ModelSettings, Neck, Settings};
use safetensors::{Dtype, SafeTensors};

use crate::testing::test_device;
use crate::{Checkpoint, imported};

fn paper() -> Checkpoint {
    small("paper-small", |_| {})
}

fn small(preset: &str, change: impl Fn(&mut ModelSettings)) -> Checkpoint {
    let mut settings = Settings::preset(preset).unwrap();
    settings.model.channels = (3..).take(settings.model.channels.len()).collect();
    (settings.model.height, settings.model.width, settings.model.strips) = (16, 11, 16);
    change(&mut settings.model);
    let net = GaitGl::new(&settings.model, 2, 7, &test_device()).unwrap();
    let subjects = vec!["0".into(), "1".into()];
    let weights = net.tensors();
    Checkpoint { settings, subjects, iteration: 9, score: None, weights, optimizer: None }
}

fn check_round_trip(extension: &str) {
    let folder = tempfile::tempdir().unwrap();
    let files = ["parts-small.pt", "parts-large.pt", "parts-large-bnneck.pt", "hid-2020.ptm"];
    let checkpoints = files.map(|file| imported(file).checkpoint).into_iter().chain([paper()]);
    for checkpoint in checkpoints {
        let path = folder.path().join("new/out").with_extension(extension);
        let exported = export(&checkpoint, &path).unwrap();
        let again = import(&path, &ImportOptions::default()).unwrap().checkpoint;
        assert_eq!(again.weights, checkpoint.weights);
        assert_eq!(again.settings.model, checkpoint.settings.model);
        assert_eq!(again.subjects, checkpoint.subjects);
        // In a safetensors file only the counter of a published batch norm holds the iteration.
        if extension == "pt" || exported.published.is_some() {
            assert_eq!(again.iteration, checkpoint.iteration);
        }
    }
}

#[test]
fn what_is_exported_for_pytorch_is_imported_again() {
    check_round_trip("pt");
}

#[test]
fn exported_safetensors_are_imported_again() {
    check_round_trip("safetensors");
}

#[test]
fn every_neck_is_exported_and_imported_again() {
    let folder = tempfile::tempdir().unwrap();
    for preset in ["paper-small", "parts-small", "parts-large"] {
        for neck in [Neck::BatchNorm, Neck::Bnneck, Neck::BnneckPlain, Neck::Linear, Neck::None] {
            let checkpoint = small(preset, |model| model.neck = neck);
            for extension in ["pt", "safetensors", "onnx"] {
                let path = folder.path().join("out").with_extension(extension);
                export(&checkpoint, &path).unwrap();
                if extension == "onnx" {
                    continue;
                }
                let set = match neck {
                    Neck::Bnneck => vec!["model.neck=bnneck".to_string()],
                    Neck::BnneckPlain => vec!["model.neck=bnneck-plain".to_string()],
                    _ => Vec::new(),
                };
                let options = ImportOptions { set, ..ImportOptions::default() };
                let again = import(&path, &options).unwrap();
                assert_eq!(again.checkpoint.weights, checkpoint.weights, "{preset} {neck:?}");
                assert_eq!(again.checkpoint.settings.model, checkpoint.settings.model);
                let assumed = again.assumed.iter().any(|key| key.starts_with("model.neck = "));
                assert_eq!(assumed, matches!(neck, Neck::Bnneck | Neck::BnneckPlain), "{neck:?}");
            }
        }
    }
}

#[test]
fn a_last_layer_that_sums_is_imported_as_such_where_it_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.pt");
    let checkpoint = small("paper-small", |m| {
        (m.height, m.width, m.last_join) = (32, 22, LastJoin::Sum);
    });
    export(&checkpoint, &path).unwrap();
    let set = vec!["model.last_join=sum".to_string()];
    let as_set = import(&path, &ImportOptions { set, ..ImportOptions::default() }).unwrap();
    assert_eq!(as_set.checkpoint.settings.model, checkpoint.settings.model);
    assert_eq!(as_set.checkpoint.weights, checkpoint.weights);
    let assumed = import(&path, &ImportOptions::default()).unwrap().assumed;
    let expected = ["model.height = 16", "model.last_join = \"stack\""];
    assert!(expected.iter().all(|key| assumed.iter().any(|a| a == key)), "{assumed:?}");
}

#[test]
fn a_single_branch_is_imported_as_such_where_it_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.pt");
    for (name, branches) in [("global", Branches::Global), ("local", Branches::Local)] {
        let checkpoint = small("paper-small", |m| (m.branches, m.strips) = (branches, 8));
        export(&checkpoint, &path).unwrap();
        let set = vec![format!("model.branches={name}")];
        let again = import(&path, &ImportOptions { set, ..ImportOptions::default() }).unwrap();
        assert_eq!(again.checkpoint.settings.model, checkpoint.settings.model);
        assert_eq!(again.checkpoint.weights, checkpoint.weights);
    }
}

#[test]
fn exported_safetensors_have_the_published_names_and_counters() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.safetensors");
    export(&imported("parts-small-adam.pt").checkpoint, &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let counter = file.tensor("Bn.num_batches_tracked").unwrap();
    assert_eq!((counter.dtype(), counter.shape()), (Dtype::I64, &[][..]));
    assert_eq!(counter.data(), 3i64.to_le_bytes());
    assert_eq!(
        file.tensor("GLConvA0.global_conv3d.conv3d.weight").unwrap().shape(),
        [4, 3, 3, 3, 3]
    );
    assert_eq!(file.len(), 16);
}

#[test]
fn names_follow_the_tensors_and_not_the_settings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.pt");
    let exported = |change: fn(&mut ModelSettings)| {
        let mut checkpoint = imported("parts-small.pt").checkpoint;
        change(&mut checkpoint.settings.model);
        export(&checkpoint, &path).unwrap()
    };
    let as_small = |unlike: &[&str]| {
        let unlike = unlike.iter().map(|s| s.to_string()).collect();
        Exported { published: Some("parts-small"), unlike }
    };
    assert_eq!(exported(|_| {}), as_small(&[]));
    // Fixed bands draw nothing.
    let drawn = |m: &mut ModelSettings| {
        (m.local.seed, m.local.draws, m.local.ratio, m.local.at_test) = (7, 3, 0.5, AtTest::Plain);
    };
    assert_eq!(exported(drawn), as_small(&[]));
    assert_eq!(exported(|m| m.local.bands = 4), as_small(&["bands = 4"]));
    let as_set =
        ImportOptions { set: vec!["model.local.bands=4".into()], ..ImportOptions::default() };
    assert_eq!(import(&path, &as_set).unwrap().checkpoint.settings.model.local.bands, 4);
    let random = |m: &mut ModelSettings| m.local.partition = LocalPartition::Pixel;
    assert_eq!(exported(random), as_small(&["partition = \"pixel\""]));
    // Twice the rows, so that the strips of the published network divide the map.
    let summed = |m: &mut ModelSettings| (m.height, m.last_join) = (32, LastJoin::Sum);
    assert_eq!(exported(summed), as_small(&["last_join = \"sum\""]));
    assert_eq!(export(&paper(), &path).unwrap(), Exported { published: None, unlike: Vec::new() });
    let bnneck = imported("parts-large-bnneck.pt").checkpoint;
    assert_eq!(export(&bnneck, &path).unwrap().published, Some("parts-large-bnneck"));
}

#[test]
fn a_checkpoint_whose_tensors_do_not_fit_is_not_exported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.onnx");
    let mut checkpoint = paper();
    checkpoint.weights.remove("head.fc.weight");
    let message = full_message(&export(&checkpoint, &path).unwrap_err());
    assert!(message.contains("head.fc.weight"), "{message}");
    let message = full_message(&export(&paper(), &folder.path().join("a.bin")).unwrap_err());
    assert!(message.contains(".onnx"), "{message}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
