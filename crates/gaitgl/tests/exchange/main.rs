//! Files of PyTorch, which `reference/export_exchange.py` writes, against what PyTorch embeds; what
//! is exported against what was imported; damaged files.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod damage;
mod exports;
mod imports;
mod onnx_file;
#[path = "../../src/device/testing.rs"]
#[expect(dead_code, reason = "the golden tests need all of it")]
mod testing;

use std::path::PathBuf;

use burn::tensor::{Tensor, TensorData};
use gaitgl::checkpoint::Checkpoint;
use gaitgl::device::{DeviceChoice, cpu};
use gaitgl::exchange::{ImportOptions, Imported, import};
use gaitgl::settings::Precision;
use safetensors::SafeTensors;

use crate::testing::test_device;

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/exchange/fixtures", name].iter().collect()
}

fn imported(name: &str) -> Imported {
    import(&fixture(name), &ImportOptions::default()).unwrap_or_else(|e| panic!("{e}"))
}

/// A tensor of `golden.safetensors` as f32.
fn golden(name: &str) -> (Vec<usize>, Vec<f32>) {
    golden_of("golden.safetensors", name)
}

fn golden_of(file: &str, name: &str) -> (Vec<usize>, Vec<f32>) {
    let bytes = std::fs::read(fixture(file)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = file.tensor(name).unwrap_or_else(|_| panic!("{name}"));
    let values = match tensor.dtype() {
        safetensors::Dtype::U8 => tensor.data().iter().map(|&v| f32::from(v) / 255.0).collect(),
        _ => {
            let words = tensor.data().chunks_exact(4);
            words.map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
        }
    };
    (tensor.shape().to_vec(), values)
}

/// Embeddings of the first `frames` frames of a golden clip.
fn embedded(
    checkpoint: &Checkpoint,
    (shape, values): (Vec<usize>, Vec<f32>),
    frames: usize,
) -> Vec<f32> {
    let device = test_device();
    let clip: Tensor<5> = Tensor::from_data(TensorData::new(values, shape), &device);
    let network = checkpoint.evaluator(&device, Precision::F32).unwrap();
    network.embed(clip.narrow(2, 0, frames)).unwrap().into_data().try_into_vec().unwrap()
}

/// Every value within 1e-4 of the largest golden one.
fn check_close(name: &str, got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len(), "{name}");
    let largest = want.iter().fold(0.0f32, |most, v| most.max(v.abs()));
    assert!(largest > 0.0, "{name}");
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((got - want).abs() <= 1e-4 * largest, "{name}[{i}]: {got}, golden {want}");
    }
}

fn check_embeddings(checkpoint: &Checkpoint, name: &str) {
    for frames in [1, 2, 3, 17, 30] {
        let (_, want) = golden(&format!("{name}.test.{frames}"));
        check_close(
            &format!("{name}, {frames} frames"),
            &embedded(checkpoint, golden("clip"), frames),
            &want,
        );
    }
}
