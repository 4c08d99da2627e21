//! No bytes make the import panic, hang or take more memory than they hold.

use std::io::Cursor;

use gait_support::full_message;
use gaitgl::checkpoint::Checkpoint;
use gaitgl::exchange::{ImportOptions, export, import};
use gaitgl::net::GaitGl;
use gaitgl::settings::Settings;
use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::{fixture, imported};

const FILES: [&str; 4] =
    ["parts-small.pt", "parts-small-legacy.pt", "parts-small-adam.pt", "hid-2020.ptm"];

/// The message of a failed import of these bytes; `None` if they could be used.
fn message(bytes: &[u8]) -> Option<String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let error = full_message(&import(file.path(), &ImportOptions::default()).err()?);
    assert!(error.contains(file.path().to_str().unwrap()) && !error.contains('\n'), "{error}");
    Some(error)
}

#[test]
fn every_truncation_is_an_error() {
    for name in FILES {
        let whole = std::fs::read(fixture(name)).unwrap();
        for length in (0..whole.len()).step_by(499).chain([1, 2, 3, whole.len() - 1]) {
            assert!(message(&whole[..length]).is_some(), "{name} of {length} bytes");
        }
    }
}

#[test]
fn what_would_be_executed_is_refused_by_name() {
    let pickle = b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.";
    let legacy = std::fs::read(fixture("parts-small-legacy.pt")).unwrap();
    // After the magic number and the version.
    let head = &legacy[..15 + 6];
    let facts = b"\x80\x02}.";
    let bytes = [head, facts, pickle].concat();
    let message = message(&bytes).unwrap();
    assert!(message.contains("os.system") && message.contains("refused"), "{message}");
}

#[test]
fn packed_zeros_that_would_outgrow_their_file_are_refused() {
    let set = ["model.channels=[24,24,24]", "model.height=16", "model.width=11"].map(String::from);
    let settings = Settings::assemble(Some("parts-small"), None, &set).unwrap();
    let network = GaitGl::new(&settings.model, 1, 1, &gaitgl::cpu()).unwrap();
    let mut weights = network.tensors();
    weights.values_mut().for_each(|weight| weight.values.fill(0.0));
    let subjects = vec!["0".into()];
    let checkpoint =
        Checkpoint { settings, subjects, iteration: 1, score: None, weights, optimizer: None };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pt");
    export(&checkpoint, &path).unwrap();
    import(&path, &ImportOptions::default()).unwrap();
    let mut stored = ZipArchive::new(std::fs::File::open(&path).unwrap()).unwrap();
    let mut packed = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..stored.len() {
        let mut file = stored.by_index(index).unwrap();
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        packed.start_file(file.name().unwrap(), options).unwrap();
        std::io::copy(&mut file, &mut packed).unwrap();
    }
    let message = message(&packed.finish().unwrap().into_inner()).unwrap();
    assert!(message.contains("more values than a file of its size holds"), "{message}");
}

#[test]
fn other_files_are_named_as_such() {
    for bytes in [&b""[..], b"PK\x03\x04", b"\x80\x02K\x01.", b"hello", b"\x80"] {
        assert!(message(bytes).is_some());
    }
    let folder = tempfile::tempdir().unwrap();
    let onnx = folder.path().join("a.onnx");
    let own = folder.path().join("a.safetensors");
    let checkpoint = imported("parts-small.pt").checkpoint;
    export(&checkpoint, &onnx).unwrap();
    checkpoint.save(&own).unwrap();
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    for (bytes, named) in [
        (std::fs::read(onnx).unwrap(), "it is an ONNX model"),
        (std::fs::read(own).unwrap(), "it is already a checkpoint"),
        (pointer.to_vec(), "it is a Git LFS pointer"),
    ] {
        let message = message(&bytes).unwrap();
        assert!(message.contains(named), "{message}");
    }
}

/// The error of an import of a network whose batch-norm scale is `values`, stored as `dtype`.
fn refused_scale(dtype: Dtype, values: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    export(&imported("parts-small.pt").checkpoint, &path).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut views = file.tensors();
    let scale = views.iter_mut().find(|(name, _)| name == "Bn.weight").unwrap();
    let shape = scale.1.shape().to_vec();
    scale.1 = TensorView::new(dtype, shape, values).unwrap();
    message(&serialize(views, None).unwrap()).unwrap()
}

#[test]
fn values_that_are_not_finite_in_float32_are_refused_with_their_tensor_and_count() {
    let numbers = [f32::NAN, 1.0, f32::NEG_INFINITY, f32::MAX, 0.5];
    let singles: Vec<u8> = numbers.iter().flat_map(|value| value.to_le_bytes()).collect();
    let numbers = [f64::from(f32::MAX), 1e39, -1e39, 1e-300, 2.0];
    let doubles: Vec<u8> = numbers.iter().flat_map(|value| value.to_le_bytes()).collect();
    for (dtype, bytes) in [(Dtype::F32, singles), (Dtype::F64, doubles)] {
        let message = refused_scale(dtype, &bytes);
        let wanted = "Bn.weight: it holds 2 values that are NaN, infinite or beyond float32";
        assert!(message.contains(wanted), "{message}");
    }
    // The same in a file of torch.save.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pt");
    let mut checkpoint = imported("parts-small.pt").checkpoint;
    checkpoint.weights.get_mut("head.fc.weight").unwrap().values[3] = f32::INFINITY;
    export(&checkpoint, &path).unwrap();
    let message = message(&std::fs::read(path).unwrap()).unwrap();
    assert!(message.contains("Head0.fc_bin: it holds 1 values that are NaN"), "{message}");
}

#[test]
fn whole_numbers_are_no_weights() {
    let message = refused_scale(Dtype::I64, &[0; 40]);
    assert!(message.contains("Bn.weight: it holds integers"), "{message}");
}

proptest! {
    #[test]
    fn changed_bytes_never_panic(
        file in 0..FILES.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        near_the_start in any::<bool>(),
    ) {
        let mut bytes = std::fs::read(fixture(FILES[file])).unwrap();
        let range = if near_the_start { bytes.len().min(4000) } else { bytes.len() };
        for (place, value) in changes {
            bytes[place.index(range)] = value;
        }
        message(&bytes);
    }
}
