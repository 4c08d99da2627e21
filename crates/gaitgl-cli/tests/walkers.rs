//! Worlds of synthetic walkers, and networks that are fine-tuned on new people.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod common;

use std::fs;

use common::{ok, refused, shared};
use gaitgl::builtin;
use gaitgl::checkpoint::Checkpoint;

const WALKERS: &str = "--subjects 2 --views 90,270 --frames 10";

#[test]
fn a_printed_world_can_be_changed_and_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let street = ok(folder, "synth --world street --print-world");
    fs::write(folder.join("same.toml"), &street).unwrap();
    ok(folder, &format!("synth by-name --world street {WALKERS}"));
    ok(folder, &format!("synth by-file --world same.toml {WALKERS}"));
    ok(folder, &format!("synth plain {WALKERS}"));
    let image = "002/cl-01/270/002-cl-01-270-001.png";
    let [by_name, by_file, plain] = ["by-name", "by-file", "plain"]
        .map(|tree| fs::read(folder.join(tree).join(image)).unwrap());
    assert!(by_name == by_file && by_name != plain);
    fs::write(folder.join("wrong.toml"), street.replace("[0.9, 2.8]", "[0.9, 28.0]")).unwrap();
    refused(
        folder,
        &format!("synth out --world wrong.toml {WALKERS}"),
        &["cameras.height", "0.9 to 28", "expected 0.1 to 10", "--world"],
    );
    refused(folder, "synth out --world stret", &["`stret`", "did you mean `street`", "--world"]);
    fs::write(folder.join("odd.toml"), "[masks]\nblurr = [0, 1]\n").unwrap();
    refused(folder, "synth out --world odd.toml", &["odd.toml, line 2", "blurr", "--print-world"]);
    assert!(!folder.join("out").exists());
}

#[test]
fn a_network_is_fine_tuned_on_new_people() {
    let folder = shared().path();
    let recipe = "--set train.iterations=2 --set train.batch.subjects=3 \
                  --set train.batch.sequences=2 --set train.batch.frames=6";
    let line = format!("train --from builtin --data prepared --run tuned {recipe}");
    let out = ok(folder, &line);
    assert!(out.contains("starting from builtin"), "{out}");
    let saved = |iteration: u32| {
        let path = folder.join(format!("tuned/checkpoints/iteration-{iteration:08}.safetensors"));
        Checkpoint::load(&path).unwrap()
    };
    let shipped = builtin::checkpoint().unwrap();
    let start = saved(0);
    let end = saved(2);
    assert_eq!(start.settings.model, shipped.settings.model);
    assert_eq!((start.subjects.len(), &start.subjects), (5, &end.subjects));
    let differ = |a: &Checkpoint, b: &Checkpoint| {
        let names = a.weights.keys().filter(|name| a.weights.get(*name) != b.weights.get(*name));
        names.cloned().collect::<Vec<String>>()
    };
    let new = differ(&start, &shipped);
    assert!(!new.is_empty() && new.iter().all(|name| name.contains("classifier")), "{new:?}");
    let learnt = differ(&end, &start);
    assert!(learnt.len() > new.len(), "{learnt:?}");
    ok(folder, "test --run tuned --data prepared");
    ok(folder, &format!("train --from tuned --data prepared --run again {recipe}"));
    ok(folder, "train --resume --data prepared --run tuned --set train.iterations=3");
}

#[test]
fn what_cannot_be_fine_tuned_is_refused() {
    let folder = shared().path();
    for (rest, parts) in [
        ("--from nowhere", &["nowhere", "check the path"][..]),
        ("--from raw", &["raw", "holds no run"]),
        ("--from builtin --set model.channels=[2,3,4]", &["model.*", "--from"]),
        ("--from builtin --preset paper-small", &["--from", "--preset"]),
        ("--from builtin --resume", &["--from", "--resume"]),
        ("--from run", &["5 training subjects", "train.batch.subjects"]),
    ] {
        let few = if rest == "--from run" { "--set train.batch.subjects=9" } else { "" };
        refused(folder, &format!("train {rest} --data prepared --run untuned {few}"), parts);
    }
    assert!(!folder.join("untuned").exists());
}

#[test]
fn a_compact_checkpoint_is_used_and_fine_tuned_like_the_whole_one() {
    let folder = shared().path();
    let out = ok(folder, "export run small.safetensors --compact");
    assert!(out.contains("MB"), "{out}");
    let small = Checkpoint::load(&folder.join("small.safetensors")).unwrap();
    assert_eq!((small.subjects, small.optimizer), (vec![String::new()], None));
    let table = ok(folder, "test --checkpoint small.safetensors --data prepared");
    assert!(table.contains("NM"), "{table}");
    let recipe = "--set train.iterations=1 --set train.batch.subjects=3 \
                  --set train.batch.sequences=2 --set train.batch.frames=6";
    let line = format!("train --from small.safetensors --data prepared --run from-small {recipe}");
    ok(folder, &line);
    refused(folder, "export run small.onnx --compact", &["small.onnx", ".safetensors"]);
}
