use gaitgl::device::test_device;
use gaitgl::exchange::{export, import};
use gaitgl::net::GaitGl;
use gaitgl::settings::Settings;
use safetensors::{Dtype, SafeTensors};

use crate::{Checkpoint, imported};

fn paper() -> Checkpoint {
    let mut settings = Settings::preset("paper-small").unwrap();
    settings.model.channels = vec![3, 4, 5];
    (settings.model.height, settings.model.width) = (16, 11);
    let net = GaitGl::new(&settings.model, 2, 7, &test_device()).unwrap();
    let subjects = vec!["0".into(), "1".into()];
    let weights = net.tensors();
    Checkpoint { settings, subjects, iteration: 9, score: None, weights, optimizer: None }
}

#[test]
fn what_is_exported_for_pytorch_is_imported_again() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["parts-small.pt", "parts-large.pt", "parts-large-bnneck.pt", "hid-2020.ptm"];
    let checkpoints = files.map(|file| imported(file).checkpoint).into_iter().chain([paper()]);
    for checkpoint in checkpoints {
        let path = folder.path().join("new/out.pt");
        export(&checkpoint, &path).unwrap();
        let again = import(&path, None, None).unwrap().checkpoint;
        assert_eq!(again.weights, checkpoint.weights);
        assert_eq!(again.settings.model, checkpoint.settings.model);
        assert_eq!(again.iteration, checkpoint.iteration);
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
fn a_checkpoint_whose_tensors_do_not_fit_is_not_exported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.onnx");
    let mut checkpoint = paper();
    checkpoint.weights.remove("head.fc.weight");
    let message = export(&checkpoint, &path).unwrap_err().to_string();
    assert!(message.contains("head.fc.weight"), "{message}");
    let message = export(&paper(), &folder.path().join("a.bin")).unwrap_err().to_string();
    assert!(message.contains(".onnx"), "{message}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
