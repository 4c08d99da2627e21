//! Mistakes of users: exit code 2 and one line that names what is wrong and how to fix it.

mod common;

use std::fs;

use common::{TINY, command, gaitgl, ok, refused, shared, texts, train_line, words};

#[test]
fn arguments_that_make_no_sense() {
    let folder = shared().path();
    refused(folder, "trian", &["trian", "train"]);
    refused(folder, "test --data prepared", &["--run"]);
    refused(folder, "synth out --subjects 0", &["subjects"]);
    refused(folder, "synth out --views 0,400", &["400"]);
    refused(folder, "prepare raw out --layout casia-c", &["casia-c", "casia-b"]);
    let most = "18446744073709551615";
    let few = "--data prepared --run out --set train.batch.subjects=3";
    for line in [
        format!("info --preset paper-small --frames {most}"),
        format!("info --preset paper-small --classes {most}"),
        "info --preset paper-small --frames 0".to_string(),
        format!("synth out --frames {most}"),
        format!("synth out --subjects {most}"),
        format!("prepare raw out --height {most}"),
        format!("quickstart --run out --seed {most}"),
        format!("train {few} --set train.seed={most}"),
        format!("train {few} --set train.batch.sequences=9223372036854775807"),
        format!("train {few} --set train.batch.frames=9223372036854775807"),
        format!("train {few} --set train.batch.subjects=9223372036854775807"),
    ] {
        let named = if line.starts_with("train") { "train." } else { "" };
        refused(folder, &line, &[named]);
    }
    let huge = "info --preset paper-small --frames 100000 --classes 10000000";
    assert!(gaitgl(folder, &words(huge)).status.success());
    assert!(!folder.join("out").exists());
}

#[test]
fn devices_that_are_unknown_not_built_or_not_there() {
    let folder = shared().path();
    let embed = "embed --run run --data prepared --out none.npz";
    refused(folder, &format!("{embed} --device gpu"), &["`gpu`", "auto, cpu, vulkan[:N] or cuda"]);
    refused(folder, &format!("{embed} --device cpu:1"), &["`cpu:1`"]);
    for (api, built) in [("vulkan", cfg!(feature = "vulkan")), ("cuda", cfg!(feature = "cuda"))] {
        let reason = if built { "on this machine" } else { &format!("--features {api}") };
        refused(folder, &format!("{embed} --device {api}:99"), &[reason]);
        refused(folder, &format!("quickstart --run new --device {api}:99"), &[reason]);
        let train = "train --data prepared --run new";
        refused(folder, &format!("{train} --device {api}:99"), &[reason]);
    }
    refused(folder, "train --data prepared --run new --set train.precision=f8", &["f8", "bf16"]);
    assert!(!folder.join("new").exists() && !folder.join("none.npz").exists());
}

#[test]
fn trees_that_are_missing_empty_or_of_another_depth() {
    let folder = shared().path();
    fs::create_dir_all(folder.join("empty")).unwrap();
    refused(folder, "prepare nowhere out --layout casia-b", &["nowhere"]);
    refused(folder, "prepare empty out --layout casia-b", &["empty"]);
    refused(folder, "prepare raw/001 out --layout casia-b", &["001"]);
    assert!(!folder.join("out").exists(), "something was left behind");
}

#[test]
fn an_image_that_its_decoder_cannot_read_is_reported_and_nothing_else_is_printed() {
    let shared = shared();
    let folder = tempfile::tempdir().unwrap();
    for subject in ["001", "002"] {
        let from = shared.raw().join(subject).join("nm-01/090");
        let view = folder.path().join("raw").join(subject).join("nm-01/090");
        fs::create_dir_all(&view).unwrap();
        for image in fs::read_dir(from).unwrap().map(Result::unwrap) {
            fs::copy(image.path(), view.join(image.file_name())).unwrap();
        }
        let damaged = include_bytes!("../../gait-data/tests/fixtures/decoder-panics.jpg");
        fs::write(view.join("zzz.jpg"), damaged).unwrap();
    }
    let output = gaitgl(folder.path(), &words("prepare raw prepared --layout casia-b"));
    let (out, err) = texts(&output);
    assert!(out.contains("2 sequences"), "{out}\n{err}");
    // Whether the decoder trips over it depends on the processor.
    let skipped = err.contains("zzz.jpg: damaged") || out.contains("zzz.jpg: damaged");
    assert_eq!(output.status.code(), Some(i32::from(skipped)), "{out}\n{err}");
    assert!(!err.contains("panicked") && !err.contains("zune"), "{err}");
}

#[test]
fn partitions_that_do_not_fit() {
    let folder = shared().path();
    fs::write(folder.join("few.json"), r#"{"TRAIN_SET": ["001"], "TEST_SET": ["002"]}"#).unwrap();
    fs::write(folder.join("broken.json"), r#"{"TRAIN_SET": ["001"#).unwrap();
    refused(folder, "prepare raw out --layout casia-b --partition few.json", &["003", "few.json"]);
    refused(folder, "prepare raw out --layout casia-b --partition broken.json", &["broken.json"]);
    refused(folder, "prepare raw out --layout casia-b --partition none.json", &["none.json"]);
}

#[test]
fn settings_that_cannot_be_used() {
    let folder = shared().path();
    let train = "train --data prepared --run new";
    refused(folder, &format!("{train} --preset paper-smal"), &["paper-smal", "`paper-small`"]);
    refused(folder, &format!("{train} --set train.iteration=5"), &["`train.iterations`"]);
    refused(folder, &format!("{train} --set train.iterations=x"), &["train.iterations"]);
    refused(
        folder,
        &format!("{train} --set train.batch.subjects=9"),
        &["9", "5 training subjects"],
    );
    refused(folder, &format!("{train} --set model.height=128"), &["64 x 44", "128"]);
    refused(folder, &format!("{train} --set model.channels=[]"), &["model.channels"]);
    refused(folder, &format!("{train} --config none.toml"), &["none.toml"]);
    refused(folder, &format!("{train} --set preset=parts-small"), &["preset", "--preset"]);
    fs::write(folder.join("odd.toml"), "[train]\niterationz = 3\n").unwrap();
    refused(
        folder,
        &format!("{train} --config odd.toml"),
        &["train.iterationz", "`train.iterations`"],
    );
    fs::write(folder.join("broken.toml"), "[train\n").unwrap();
    refused(folder, &format!("{train} --config broken.toml"), &["broken.toml"]);
    assert!(!folder.join("new").exists(), "a run folder was left behind");
}

#[test]
fn protocols_are_checked_before_any_work() {
    let folder = shared().path();
    let tiny = TINY.join(" ");
    let train = format!("train --data prepared --run never {tiny} --set train.iterations=2");
    let ablate = format!("ablate table5 --data prepared --out never {tiny}");
    let test = "test --run run --data prepared --submission never";
    for line in [&train, &ablate, test] {
        refused(folder, &format!("{line} --protocol casia-x"), &["casia-x", "casia-b"]);
    }
    refused(
        folder,
        &format!("{train} --protocol ou-mvlp --set train.test_every=1"),
        &["ou-mvlp", "--protocol", "train.test_every=0"],
    );
    refused(folder, &format!("{ablate} --protocol ou-mvlp"), &["ou-mvlp"]);
    refused(folder, &format!("{test} --protocol casia-b"), &["casia-b", "submission"]);
    refused(folder, &format!("{test} --protocol grew"), &["grew"]);
    refused(folder, "test --run run --data prepared --protocol gait3d", &["gait3d"]);
    assert!(!folder.join("never").exists(), "something was left behind");
}

#[test]
fn prepared_sets_that_are_damaged() {
    let folder = shared().path();
    refused(folder, "train --data nowhere --run new", &["nowhere"]);
    refused(folder, "train --data raw --run new", &["raw", "prepare"]);
    let cut = folder.join("cut");
    fs::create_dir_all(&cut).unwrap();
    fs::copy(folder.join("prepared/prepared.json"), cut.join("prepared.json")).unwrap();
    let whole = fs::read(folder.join("prepared/clips.arrow")).unwrap();
    for length in [0, 10, whole.len() / 2, whole.len() - 1] {
        fs::write(cut.join("clips.arrow"), &whole[..length]).unwrap();
        refused(folder, "test --run run --data cut", &["cut"]);
    }
}

#[test]
fn checkpoints_that_are_damaged_or_of_another_network() {
    let folder = shared().path();
    let path = "run/checkpoints/iteration-00000004.safetensors";
    let whole = fs::read(folder.join(path)).unwrap();
    fs::write(folder.join("cut.safetensors"), &whole[..whole.len() - 100]).unwrap();
    refused(folder, "test --checkpoint cut.safetensors --data prepared", &["cut.safetensors"]);
    refused(folder, "info cut.safetensors", &["cut.safetensors"]);
    refused(folder, "test --checkpoint none.safetensors --data prepared", &["none.safetensors"]);
    refused(folder, "test --run raw --data prepared", &["raw", "holds no run"]);
    refused(folder, "test --checkpoint run --data prepared", &["run is a folder", "--run"]);
    refused(folder, &format!("test --run {path} --data prepared"), &["file", "--checkpoint"]);
    refused(folder, "export raw out.onnx", &["raw", "holds no run"]);
    refused(folder, "test --embeddings none.npz", &["none.npz", "does not exist"]);
    refused(folder, "test --run run --data prepared --protocol casia-x", &["casia-x", "casia-b"]);
}

#[test]
fn a_run_is_neither_overwritten_nor_resumed_from_nothing() {
    let folder = shared().path();
    let tiny = TINY.join(" ");
    refused(folder, &format!("train --data prepared --run run {tiny}"), &["run", "--resume"]);
    refused(folder, "train --data prepared --run fresh --resume", &["fresh", "holds no run"]);
    assert!(!folder.join("fresh").exists());
    let deeper = "--resume --set model.channels=[2,2,2]";
    refused(folder, &format!("train --data prepared --run run {deeper}"), &["model"]);
}

#[test]
fn unfinished_folders_are_named_as_what_they_are() {
    let folder = shared().path();
    let prepared = folder.join("unfinished-set");
    fs::create_dir_all(prepared.join(".partial")).unwrap();
    refused(folder, "info unfinished-set", &["unfinished-set", "was not finished"]);
    refused(folder, "info raw", &["raw", "neither a run nor", "not a prepared set"]);
    fs::create_dir_all(folder.join("unfinished-run")).unwrap();
    fs::copy(folder.join("run/config.toml"), folder.join("unfinished-run/config.toml")).unwrap();
    refused(folder, "info unfinished-run", &["unfinished-run holds no checkpoint", "--resume"]);
    refused(folder, "quickstart --run unfinished-run", &["exists already", "remove it"]);
    let set = folder.join("unfinished-run/prepared");
    fs::create_dir_all(&set).unwrap();
    fs::copy(folder.join("prepared/prepared.json"), set.join("prepared.json")).unwrap();
    refused(
        folder,
        "quickstart --run unfinished-run",
        &["--resume --run unfinished-run --data unfinished-run/prepared"],
    );
}

#[test]
fn one_training_subject_is_too_few() {
    let folder = shared().path();
    let subjects = (2..=8).map(|n| format!("\"{n:03}\"")).collect::<Vec<_>>().join(",");
    let partition = format!("{{\"TRAIN_SET\": [\"001\"], \"TEST_SET\": [{subjects}]}}");
    fs::write(folder.join("lonely.json"), partition).unwrap();
    ok(folder, "prepare raw lonely --layout casia-b --partition lonely.json");
    refused(folder, "train --data lonely --run new", &["1 training subjects", "needs two"]);
}

#[test]
fn a_network_without_a_classifier_reports_no_classes() {
    let folder = shared().path();
    let log = |run: &str, more: &str| {
        let mut line = train_line(&folder.join(run), 1);
        line.extend(words(more));
        let output = command(folder, &line).output().unwrap();
        let (out, err) = texts(&output);
        assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
        assert!(out.contains("triplet"), "{out}");
        out
    };
    assert!(log("classified", "").contains("classes"));
    assert!(!log("unclassified", "--set model.neck=none").contains("classes"));
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let folder = shared().path();
    // A folder of that name is in the way.
    fs::create_dir_all(folder.join("in-the-way.json")).unwrap();
    refused(folder, "test --run run --data prepared --json in-the-way.json", &["in-the-way.json"]);
}

/// Prepares onto disks in memory that are too small: page by page up to one that suffices, so that
/// every file of a preparation finds its disk full at some size. With room made, the same command
/// must succeed.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_and_the_same_command_goes_on_when_there_is_room() {
    const SCRIPT: &str = r#"
        mount -t tmpfs none disk 2>/dev/null || exit 42
        umount disk
        fills() {
            mount -t tmpfs -o size=$((4 * $1))k none disk
            "$GAITGL" prepare few disk/out 2>first >/dev/null; code=$?
            mount -o remount,size=16M disk
            "$GAITGL" prepare few disk/out 2>again >/dev/null || { cat first again; exit 1; }
            umount disk
            [ $code = 0 ] && return 1
            [ $code = 2 ] && grep -q 'disk is full; free some space' first || { cat first; exit 1; }
        }
        small=1 enough=400
        while [ $((small + 1)) -lt $enough ]; do
            middle=$(((small + enough) / 2))
            if fills $middle; then small=$middle; else enough=$middle; fi
        done
        for pages in 1 2 3 4 5 6 $((small - 3)) $((small - 2)) $((small - 1)); do fills $pages; done
        echo filled up to $small pages
    "#;
    let folder = tempfile::tempdir().unwrap();
    ok(folder.path(), "synth few --subjects 4 --views 90 --frames 12 --seed 3");
    fs::create_dir(folder.path().join("disk")).unwrap();
    let output = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", SCRIPT])
        .env("GAITGL", env!("CARGO_BIN_EXE_gaitgl"))
        .current_dir(folder.path())
        .output();
    let Ok(output) = output else { return };
    let (out, err) = texts(&output);
    let not_allowed = output.status.code() == Some(42) || err.starts_with("unshare:");
    // Not every machine lets its users mount disks.
    if !not_allowed {
        assert!(out.starts_with("filled up to"), "{out}{err}");
    }
}

#[test]
fn a_loss_that_is_no_number_stops_and_keeps_the_last_checkpoint() {
    let folder = shared().path();
    let run = folder.join("diverges");
    let mut line = train_line(&run, 60);
    line.extend(words("--set train.optimizer=sgd --set train.learning_rate=1e30"));
    line.extend(words("--set train.checkpoint_every=1"));
    let output = command(folder, &line).output().unwrap();
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(2), "{out}\n{err}");
    assert!(err.contains("train.learning_rate"), "{err}");
    assert!(run.join("checkpoints").read_dir().unwrap().count() > 0);
}

#[cfg(unix)]
#[test]
fn an_interrupted_quickstart_leaves_nothing_in_the_way_of_the_next() {
    let folder = shared().path();
    let run = folder.join("quick");
    let child = command(folder, &words("quickstart --run quick"))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let entries = || fs::read_dir(&run).map_or(0, Iterator::count);
    let began = std::time::Instant::now();
    while entries() == 0 {
        assert!(began.elapsed().as_secs() < 60, "it never began");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let id = child.id().to_string();
    std::process::Command::new("kill").args(["-INT", &id]).status().unwrap();
    let (out, err) = texts(&child.wait_with_output().unwrap());
    assert!(out.contains("1 of 5"), "{out}");
    assert!(err.contains("interrupted; run the same command again"), "{err}");
    assert_eq!(entries(), 0, "something stays behind");
    // The empty folder is accepted, so the device is refused.
    refused(folder, "quickstart --run quick --device cuda:99", &["cuda"]);
}
