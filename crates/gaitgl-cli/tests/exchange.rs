//! Weights of other programs: `import` and `export`.

mod common;

use common::{ok, refused};

/// A file of PyTorch that the library's tests read too.
fn fixture(name: &str) -> String {
    format!("{}/../gaitgl/tests/exchange/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn weights_of_pytorch_are_imported_and_exported_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let contains = |out: &str, parts: &[&str]| {
        for part in parts {
            assert!(out.contains(part), "no {part} in {out}");
        }
    };
    let out = ok(folder, &format!("import {} a.safetensors", fixture("parts-small-adam.pt")));
    contains(
        &out,
        &["parts-small", "5 classes", "iteration 3", "num_batches_tracked", "can resume"],
    );
    contains(&out, &["tensors do not show model.height = 16, model.width = 11", "--height"]);
    for format in ["pt", "safetensors", "onnx"] {
        let out = ok(folder, &format!("export a.safetensors out/b.{format}"));
        assert!(folder.join(format!("out/b.{format}")).exists());
        assert_eq!(out.contains("names of published code for parts-small"), format != "onnx");
    }
    let compiled = fixture("parts-small-compiled.pt");
    let out = ok(folder, &format!("import {compiled} tall.safetensors --height 32"));
    contains(&out, &["model.height = 32", "the learning rate stays 0.0005", "not a MultiStepLR"]);
    let set = "--set model.local.bands=4";
    let out = ok(folder, &format!("import {compiled} four.safetensors --height 32 {set}"));
    contains(&out, &["model.local.bands = 4"]);
    contains(&ok(folder, "export four.safetensors out/four.pt"), &["this network has bands = 4"]);
    for format in ["pt", "safetensors"] {
        let again =
            ok(folder, &format!("import out/b.{format} again.safetensors --preset parts-small"));
        assert!(again.contains("iteration 3"), "{again}");
    }
}

#[test]
fn a_network_without_classes_takes_any_training_subjects() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    ok(folder, "synth raw --subjects 6 --views 90 --frames 10");
    ok(folder, "prepare raw set --layout casia-b");
    let hid = fixture("hid-2020.ptm");
    let out = ok(folder, &format!("import {hid} a.safetensors --data set --height 32"));
    assert!(out.contains("no classes") && !out.contains("no subject"), "{out}");
    let small = fixture("parts-small.pt");
    ok(folder, "synth many --subjects 12 --views 90 --frames 10");
    ok(folder, "prepare many more --layout casia-b");
    let command = format!("import {small} b.safetensors --data more");
    refused(folder, &command, &["5 classes", "7 training subjects", "leave out --data"]);
}

#[test]
fn what_cannot_be_imported_or_exported_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let hid = fixture("hid-2020.ptm");
    refused(folder, &format!("import {hid} a.pt"), &["a.pt", ".safetensors"]);
    let parts = ["hid-2020.ptm", "parts-large", "is missing", "is unused"];
    refused(folder, &format!("import {hid} a.safetensors --preset parts-large"), &parts);
    refused(folder, &format!("import {hid} a.safetensors --preset part"), &["unknown preset"]);
    std::fs::write(folder.join("no.pt"), b"PK no zip file").unwrap();
    refused(folder, "import no.pt a.safetensors", &["no.pt", "zip"]);
    refused(folder, "export no.pt b.onnx", &["no.pt"]);
    refused(folder, "export no.pt b.bin", &["b.bin", ".onnx"]);
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
}
