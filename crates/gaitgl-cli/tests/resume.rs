//! A run that was killed or interrupted continues as if nothing had happened, bit for bit.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::{command, shared, texts, train_line};

fn last(run: &Path, iteration: u32) -> std::path::PathBuf {
    run.join(format!("checkpoints/iteration-{iteration:08}.safetensors"))
}

fn start(line: &[String]) -> Child {
    let mut command = command(shared().path(), line);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn wait_for(path: &Path, child: &mut Child) {
    let began = Instant::now();
    while !path.exists() {
        assert!(child.try_wait().unwrap().is_none(), "training ended early");
        assert!(began.elapsed() < Duration::from_secs(120), "{} never appeared", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn lines(run: &Path) -> usize {
    fs::read_to_string(run.join("metrics.jsonl")).unwrap().lines().count()
}

fn resume(run: &Path, more: &str) {
    let data = shared().prepared();
    let line = ["train", "--resume", "--data", data.to_str().unwrap(), "--run"];
    let mut command = command(shared().path(), &line);
    let output = command.arg(run).args(more.split_whitespace()).output().unwrap();
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
}

/// Checks that two checkpoints are the same file, optimiser state and settings included.
fn same_checkpoint(a: &Path, b: &Path) {
    let weights = |path: &Path| {
        gaitgl::checkpoint::Checkpoint::load(path).unwrap_or_else(|e| panic!("{e}")).weights
    };
    let others = weights(b);
    assert!(!others.is_empty());
    for (name, weight) in &weights(a) {
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&weight.values), bits(&others[name].values), "{name}");
    }
    assert!(fs::read(a).unwrap() == fs::read(b).unwrap(), "other bytes around the same weights");
}

#[test]
fn a_killed_run_resumes_to_the_bit() {
    let folder = shared().path();
    let straight = folder.join("straight");
    let killed = folder.join("killed");
    let output = start(&train_line(&straight, 30)).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", texts(&output).1);
    let mut child = start(&train_line(&killed, 30));
    wait_for(&last(&killed, 4), &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!last(&killed, 30).exists(), "the run ended before it could be killed");
    resume(&killed, "");
    same_checkpoint(&last(&straight, 30), &last(&killed, 30));
    assert_eq!(lines(&straight), lines(&killed));
}

#[test]
fn a_run_killed_before_its_first_checkpoint_starts_again_to_the_bit() {
    let folder = shared().path();
    let straight = folder.join("early-straight");
    let killed = folder.join("early-killed");
    let line = |run: &Path, iterations| {
        let mut line = train_line(run, iterations);
        line.extend(common::words("--set train.checkpoint_every=100000 --set train.log_every=1"));
        line
    };
    let output = start(&line(&straight, 6)).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", texts(&output).1);
    let mut child = start(&line(&killed, 100_000));
    wait_for(&killed.join("metrics.jsonl"), &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(fs::read_dir(killed.join("checkpoints")).unwrap().count(), 0);

    common::refused(folder, "test --run early-killed --data prepared", &["no checkpoint"]);
    resume(&killed, "--set train.iterations=6");
    same_checkpoint(&last(&straight, 6), &last(&killed, 6));
    assert_eq!(lines(&straight), lines(&killed));
    let back = "train --data prepared --run early-killed --resume --set train.iterations=5";
    common::refused(folder, back, &["6 iterations", "train.iterations"]);
}

#[test]
fn a_run_keeps_the_protocol_of_its_tests() {
    let folder = shared().path();
    let protocol = common::ok(folder, "info --protocol leave-one-out");
    let protocol = protocol.replace("\"rank-1\"", "\"rank-2\"");
    fs::write(folder.join("second.toml"), protocol).unwrap();
    let run = folder.join("protocol");
    let mut line = train_line(&run, 2);
    line.extend(common::words("--set train.test_every=1 --protocol second.toml"));
    let output = command(folder, &line).output().unwrap();
    assert!(output.status.success(), "{}", texts(&output).1);
    let elsewhere = folder.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let tests = |metric: &str| {
        let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
        metrics.matches(&format!("\"metric\":\"{metric}\"")).count()
    };
    let resume = "train --resume --data ../prepared --run ../protocol --set train.iterations";
    common::ok(&elsewhere, &format!("{resume}=3"));
    assert_eq!((tests("rank-1"), tests("rank-2")), (0, 3));
    common::ok(&elsewhere, &format!("{resume}=4 --protocol leave-one-out"));
    assert_eq!((tests("rank-1"), tests("rank-2")), (1, 3));
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let first = metrics.lines().find(|line| line.contains("\"rank-1\"")).unwrap();
    assert!(first.contains("\"best\":true"), "the first of its kind is the best one: {first}");
}

#[test]
fn two_trainings_in_one_folder_are_refused() {
    let folder = shared().path();
    let run = folder.join("busy");
    let mut child = start(&train_line(&run, 100_000));
    wait_for(&last(&run, 2), &mut child);
    let again = "train --data prepared --run busy --resume";
    common::refused(folder, again, &["another process is training in busy"]);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[cfg(unix)]
#[test]
fn an_interrupt_writes_a_checkpoint_and_names_the_command_to_resume() {
    let run = shared().path().join("inter rupted");
    let mut line = train_line(&run, 100_000);
    line.extend(common::words("--set train.checkpoint_every=50000"));
    let mut child = start(&line);
    wait_for(&run.join("config.toml"), &mut child);
    std::thread::sleep(Duration::from_millis(500));
    let id = child.id().to_string();
    std::process::Command::new("kill").args(["-INT", &id]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(2), "{out}\n{err}");
    let data = shared().prepared();
    let quoted = format!("--resume --run '{}' --data {}", run.display(), data.display());
    assert!(err.contains(&quoted), "no {quoted} in {err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    assert_eq!(fs::read_dir(run.join("checkpoints")).unwrap().count(), 1);
}

/// Seven steps in two parts, where a user has brought a checkpoint with another padding.
#[test]
fn checkpoints_are_ordered_by_number_and_the_newest_stays() {
    let folder = shared().path();
    let run = folder.join("padded");
    let output = start(&train_line(&run, 4)).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", texts(&output).1);
    fs::rename(last(&run, 4), run.join("checkpoints/iteration-4.safetensors")).unwrap();
    resume(&run, "--set train.iterations=12 --set train.keep=1");
    let names: Vec<_> = fs::read_dir(run.join("checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, ["iteration-00000012.safetensors"]);
    assert!(common::ok(folder, "info padded").contains("iteration  12 of 12"));
}

#[test]
fn a_run_is_not_resumed_with_other_data_of_the_same_people() {
    let folder = shared().path();
    let run = folder.join("data");
    let output = start(&train_line(&run, 2)).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", texts(&output).1);
    common::ok(folder, "synth raw2 --subjects 8 --views 45,90 --frames 12 --seed 3");
    fs::remove_dir_all(folder.join("raw2/001/nm-05")).unwrap();
    common::ok(folder, "prepare raw2 fewer --layout casia-b");
    let resume = "train --resume --run data --set train.iterations=4 --data";
    let parts = ["data was trained on other data", "than fewer", "prepared)", "--run"];
    common::refused(folder, &format!("{resume} fewer"), &parts);
    assert!(!last(&run, 4).exists());

    // The same data in another folder are the same.
    common::ok(folder, "prepare raw again --layout casia-b");
    common::ok(folder, &format!("{resume} again"));
    // A run of an earlier version says nothing about its data, the first time.
    fs::remove_file(run.join("data.json")).unwrap();
    let printed = common::ok(folder, &format!("{resume} prepared --set train.iterations=6"));
    assert!(printed.contains("does not record which set"), "{printed}");
    let printed = common::ok(folder, &format!("{resume} prepared --set train.iterations=8"));
    assert!(!printed.contains("does not record"), "{printed}");
}

#[test]
fn equal_trainings_write_equal_files() {
    let folder = shared().path();
    for optimizer in ["adam", "sgd"] {
        let checkpoints = ["a", "b"].map(|name| {
            let run = folder.join(format!("equal-{optimizer}-{name}"));
            let mut line = train_line(&run, 2);
            line.extend(common::words(&format!("--set train.optimizer={optimizer}")));
            let output = start(&line).wait_with_output().unwrap();
            assert!(output.status.success(), "{}", texts(&output).1);
            last(&run, 2)
        });
        same_checkpoint(&checkpoints[0], &checkpoints[1]);
    }
}

#[test]
fn a_resumed_run_keeps_its_optimiser() {
    let folder = shared().path();
    let output = start(&train_line(&folder.join("kept"), 2)).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", texts(&output).1);
    let line = "train --resume --run kept --data prepared --set train.iterations=4 --set \
                train.optimizer=sgd";
    let parts = ["train.optimizer = adam", "train.optimizer = sgd", "start a new run"];
    common::refused(folder, line, &parts);
}

#[test]
fn a_batch_without_triplets_is_mentioned() {
    let folder = shared().path();
    let mut line = train_line(&folder.join("single"), 2);
    line.extend(common::words("--set train.batch.sequences=1"));
    let output = start(&line).wait_with_output().unwrap();
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    assert!(out.contains("train.batch.sequences = 1") && out.contains("triplet loss"), "{out}");
}

#[test]
fn files_of_other_programs_are_named_with_the_way_to_import_them() {
    let folder = shared().path();
    let checkpoint = "run/checkpoints/iteration-00000004.safetensors";
    for (name, parts) in [
        ("weights.pt", &["PyTorch", "gaitgl import"][..]),
        ("weights.onnx", &["ONNX"]),
        ("weights.safetensors", &["safetensors file", "gaitgl import"]),
    ] {
        common::ok(folder, &format!("export {checkpoint} {name}"));
        for line in [
            format!("test --checkpoint {name} --data prepared"),
            format!("info {name}"),
            format!("export {name} out.onnx"),
        ] {
            common::refused(folder, &line, &[&[name], parts].concat());
        }
    }
}
