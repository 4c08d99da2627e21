//! The structure of exported ONNX files. That they compute what the network does is checked by
//! `reference/check_onnx.py` with onnxruntime.

use std::collections::BTreeMap;

use gait_support::full_message;
use gaitgl::exchange::export;
use gaitgl::net::GaitGl;
use gaitgl::settings::presets;
use gaitgl::settings::{AtTest, Branches, LastJoin, Neck, Settings};

use crate::Checkpoint;
use crate::testing::test_device;

fn checkpoint(preset: &str, change: impl Fn(&mut Settings)) -> Checkpoint {
    let mut settings = Settings::preset(preset).unwrap();
    settings.model.channels = (3..).take(settings.model.channels.len()).collect();
    (settings.model.height, settings.model.width) = (16, 20);
    change(&mut settings);
    let net = GaitGl::new(&settings.model, 2, 7, &test_device()).unwrap();
    let subjects = vec!["0".into(), "1".into()];
    let weights = net.tensors();
    Checkpoint { settings, subjects, iteration: 9, score: None, weights, optimizer: None }
}

fn exported(checkpoint: &Checkpoint) -> Result<Vec<u8>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.onnx");
    export(checkpoint, &path).map_err(|error| full_message(&error))?;
    Ok(std::fs::read(&path).unwrap())
}

/// The fields of a message: number, value of a varint, bytes of a string or message.
fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        match tag & 7 {
            0 => fields.push((tag >> 3, varint(&mut bytes), &bytes[..0])),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (value, rest) = bytes.split_at(length);
                fields.push((tag >> 3, 0, value));
                bytes = rest;
            }
            5 => bytes = &bytes[4..],
            other => panic!("wire type {other}"),
        }
    }
    fields
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7F) << shift;
        shift += 7;
        if byte < 0x80 {
            return value;
        }
    }
}

fn within(bytes: &[u8], field: u64) -> Vec<&[u8]> {
    fields(bytes).into_iter().filter(|f| f.0 == field).map(|f| f.2).collect()
}

fn texts(bytes: &[u8], field: u64) -> Vec<String> {
    within(bytes, field).into_iter().map(|t| String::from_utf8(t.to_vec()).unwrap()).collect()
}

/// How often each operator occurs; every input of a node must be made before it.
fn operators(model: &[u8]) -> BTreeMap<String, usize> {
    let graph = within(model, 7)[0];
    let mut known: Vec<String> = within(graph, 11).iter().flat_map(|i| texts(i, 1)).collect();
    known.extend(within(graph, 5).iter().flat_map(|tensor| texts(tensor, 8)));
    let mut counts = BTreeMap::new();
    for node in within(graph, 1) {
        for input in texts(node, 1) {
            assert!(known.contains(&input), "{input} is used before it is made");
        }
        for output in texts(node, 2) {
            assert!(!known.contains(&output), "{output} is made twice");
            known.push(output);
        }
        *counts.entry(texts(node, 4)[0].clone()).or_default() += 1;
    }
    assert!(within(graph, 12).iter().flat_map(|o| texts(o, 1)).all(|name| known.contains(&name)));
    counts
}

#[test]
fn every_network_is_a_sound_graph_with_free_frames() {
    for preset in presets::NAMES {
        let model = exported(&checkpoint(preset, |_| {})).unwrap();
        let opset = fields(within(&model, 8)[0]);
        assert!(opset.iter().any(|f| f.0 == 2 && f.1 >= 17), "{preset}");
        let counts = operators(&model);
        assert_eq!(counts["Range"], 1, "{preset}");
        assert_eq!(
            counts.contains_key("BatchNormalization"),
            ["parts-small", "parts-large"].contains(&preset),
            "{preset}"
        );
        let graph = within(&model, 7)[0];
        let ends = [within(graph, 11), within(graph, 12)].concat();
        let free: Vec<Vec<String>> = ends
            .iter()
            .map(|end| {
                let shape = within(within(within(end, 2)[0], 1)[0], 2)[0];
                within(shape, 1).iter().flat_map(|size| texts(size, 2)).collect()
            })
            .collect();
        assert_eq!(free, [vec!["n".to_string(), "t".to_string()], vec!["n".to_string()]]);
    }
}

#[test]
fn bands_are_split_and_expected_taps_are_folded() {
    let parts = operators(&exported(&checkpoint("parts-small", |_| {})).unwrap());
    assert_eq!((parts["Split"], parts["Conv"]), (3, 2 + 3 * (1 + 8)));
    let paper = operators(&exported(&checkpoint("paper-small", |_| {})).unwrap());
    assert_eq!((paper.get("Split"), paper["Conv"]), (None, 1 + 4 * 2));
    let seeded = checkpoint("paper-small", |s| s.model.local.at_test = AtTest::Seeded);
    let seeded = operators(&exported(&seeded).unwrap());
    assert_eq!((seeded["Mul"], seeded["Conv"]), (4 * 4 + 1, 1 + 4 * 3));
}

#[test]
fn the_norm_is_exported_where_the_embedding_is_after_it() {
    for neck in [Neck::BatchNorm, Neck::Bnneck, Neck::BnneckPlain, Neck::Linear, Neck::None] {
        let counts =
            operators(&exported(&checkpoint("paper-small", |s| s.model.neck = neck)).unwrap());
        let norms = counts.get("BatchNormalization").copied().unwrap_or(0);
        assert_eq!(norms, usize::from(neck == Neck::BatchNorm), "{neck:?}");
        assert_eq!(counts["MatMul"], 1, "{neck:?}");
    }
}

#[test]
fn the_last_layer_joins_its_branches_as_set() {
    let joins = |change: fn(&mut Settings)| {
        let counts = operators(&exported(&checkpoint("paper-small", change)).unwrap());
        ["Add", "Concat"].map(|operator| counts.get(operator).copied().unwrap_or(0))
    };
    assert_eq!(joins(|_| {}), [3, 1]);
    assert_eq!(joins(|s| s.model.last_join = LastJoin::Sum), [4, 0]);
    assert_eq!(joins(|s| s.model.branches = Branches::Local), [0, 0]);
}

#[test]
fn a_mean_of_draws_is_refused() {
    let mean = checkpoint("paper-small", |s| s.model.local.at_test = AtTest::MeanOfK);
    assert!(exported(&mean).unwrap_err().contains("at_test"));
}
