//! Pictures of masks, embeddings, trainings and tests, drawn by the binary from a tiny run.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod common;

use std::fs;

use common::{gaitgl, ok, refused, shared, texts, train_line};

/// Draws a picture as PNG and as SVG and returns the text of the SVG.
fn drawn(figure: &str, arguments: &str) -> String {
    let folder = shared().path();
    for extension in ["png", "svg"] {
        let file = format!("pictures/{figure}.{extension}");
        let said = ok(folder, &format!("plot {figure} {file} {arguments}"));
        assert!(said.contains(&format!("{file}: written")), "{said}");
    }
    let image = image::open(folder.join(format!("pictures/{figure}.png"))).unwrap().into_rgb8();
    assert!(image.pixels().any(|pixel| pixel.0 != [255; 3]), "{figure} is blank");
    fs::read_to_string(folder.join(format!("pictures/{figure}.svg"))).unwrap()
}

fn check_parts(svg: &str, parts: &[&str]) {
    for part in parts {
        assert!(svg.contains(part), "no {part}");
    }
}

#[test]
fn masks_of_a_walker_and_of_a_sequence_are_drawn() {
    let walker = drawn("masks", "");
    check_parts(&walker, &["a synthetic walker", "fixed bands (8)", "strip-v", "pixel"]);
    let sequence = "--data prepared --sequence 001/nm-01/045 --ratio 0.1 --seed 7 --frames 3";
    check_parts(&drawn("masks", sequence), &["001/nm-01/045", "ratio 0.1, seed 7"]);
    let folder = shared().path();
    let unknown = "plot masks a.svg --data prepared --sequence 001/nm-01/46";
    refused(folder, unknown, &["no sequence 001/nm-01/46", "did you mean `001/nm-01/045`"]);
    refused(folder, "plot masks a.svg --ratio 1.5", &["model.local.ratio"]);
}

#[test]
fn maps_of_a_run_a_checkpoint_and_a_file_show_the_same_people() {
    let folder = shared().path();
    ok(folder, "embed --run run --data prepared --subjects test --out maps.npz");
    let checkpoint = "run/checkpoints/iteration-00000004.safetensors";
    let inputs = format!("run {checkpoint} maps.npz --data prepared --labels run,file,embedded");
    let arguments = format!("{inputs} --subjects 3 --samples 8 --perplexity 5");
    let svg = drawn("tsne", &arguments);
    check_parts(&svg, &["run", "file", "embedded"]);
    // The three inputs hold the same network, so their maps are the same, seed for seed.
    let again = drawn("tsne", &arguments);
    assert_eq!(svg, again);
    assert_ne!(svg, drawn("tsne", &format!("{arguments} --seed 2")));
    check_parts(&drawn("tsne", "maps.npz --subjects 2 --samples 4"), &["maps"]);
    refused(folder, "plot tsne a.png run", &["run is no file of embeddings", "--data"]);
    refused(folder, "plot tsne a.png maps.npz --labels a,b", &["2 names for 1 inputs"]);
    refused(folder, "plot tsne a.png maps.npz --perplexity 0", &["--perplexity 0"]);
}

#[test]
fn trainings_are_drawn_side_by_side() {
    let svg = drawn("training", "run run --labels first,second");
    let quantities = ["triplet loss", "cross-entropy", "active triplets", "learning rate"];
    check_parts(&svg, &quantities);
    check_parts(&svg, &["first", "second", "test rank-1 (%)"]);
    refused(shared().path(), "plot training a.png prepared", &["prepared holds no run"]);
}

#[test]
fn roc_curves_and_the_worst_errors_are_drawn() {
    let folder = shared().path();
    ok(folder, "test --run run --data prepared --roc roc.csv");
    check_parts(&drawn("roc", "roc.csv"), &["NM", "BG", "CL", "false accept rate (%)"]);
    check_parts(&drawn("roc", "roc.csv roc.csv --labels a,b"), &["NM", "a", "b"]);
    fs::write(folder.join("no.csv"), "a,b\n").unwrap();
    refused(folder, "plot roc a.png no.csv", &["no.csv cannot be drawn", "gaitgl test --roc"]);

    let svg = drawn("errors", "--run run --data prepared --count 2 --frames 3");
    check_parts(&svg, &["probes taken for another person", "nearest of the same person"]);
    ok(folder, "embed --run run --data prepared --out errors.npz");
    assert_eq!(
        drawn("errors", "--embeddings errors.npz --data prepared --count 2 --frames 3"),
        svg
    );
}

#[test]
fn only_png_and_svg_are_drawn() {
    refused(shared().path(), "plot masks a.jpg", &["a.jpg", ".png or a .svg"]);
    let help = gaitgl(shared().path(), &["plot"]);
    assert_eq!(help.status.code(), Some(2));
    assert!(texts(&help).1.contains("masks"));
}

/// A resumed run gets an event file of its own; the first one stays as it is.
#[test]
fn every_session_writes_an_event_file_for_tensorboard() {
    let folder = shared().path();
    let run = folder.join("watched");
    let mut line = train_line(&run, 2);
    line.extend(["--set", "train.tensorboard=true"].map(String::from));
    let output = gaitgl(folder, &line);
    assert_eq!(output.status.code(), Some(0), "{:?}", texts(&output));
    let first = run.join("events.out.tfevents.0000000001");
    let before = fs::read(&first).unwrap();
    assert!(holds(&before, "brain.Event:2") && holds(&before, "loss/triplet"));
    ok(folder, "train --resume --run watched --data prepared --set train.iterations=4");
    assert_eq!(fs::read(&first).unwrap(), before);
    assert!(run.join("events.out.tfevents.0000000002").exists());
    assert!(!shared().run().join("events.out.tfevents.0000000001").exists());
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
