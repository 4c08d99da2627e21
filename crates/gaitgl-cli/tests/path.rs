//! The whole path through the binary, from walkers to a table of accuracies.

mod common;

use common::{gaitgl, ok, refused, shared, texts, words};

#[test]
fn a_trained_network_prints_and_writes_the_table() {
    let folder = shared().path();
    let table = ok(folder, "test --run run --data prepared --json table.json");
    for part in ["NM", "BG", "CL", "45", "90", "Mean"] {
        assert!(table.contains(part), "no {part} in\n{table}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("table.json")).unwrap()).unwrap();
    assert_eq!(json["protocol"], "casia-b");
    assert!((0.0..=100.0).contains(&json["rank1"]["NM"].as_f64().unwrap()));
    assert!(json["views"]["CL"]["090"].is_number(), "{json}");
    // 3 of 8 subjects are test subjects, with 10 sequences from 2 views each.
    assert_eq!(json["sequences"], 60);
    assert!(json["seconds"].is_number());
}

#[test]
fn the_same_checkpoint_gives_the_same_table() {
    let folder = shared().path();
    let last = "run/checkpoints/iteration-00000004.safetensors";
    let rows = |text: String| {
        text.lines().filter(|l| !l.contains(" s")).map(String::from).collect::<Vec<_>>()
    };
    let by_run = ok(folder, "test --run run --data prepared");
    let by_file = ok(folder, &format!("test --checkpoint {last} --data prepared"));
    assert_eq!(rows(by_run), rows(by_file));
}

#[test]
fn embeddings_are_written_in_both_formats() {
    let folder = shared().path();
    for name in ["e.npz", "e.parquet"] {
        let printed = ok(folder, &format!("embed --run run --data prepared --out {name}"));
        assert!(printed.contains("160 embeddings"), "{printed}");
    }
    let [npz, parquet] =
        ["e.npz", "e.parquet"].map(|n| gait_embeddings::read(&folder.join(n)).unwrap());
    assert_eq!(npz, parquet);
    assert_eq!((npz.len(), npz.subjects()[0].as_str()), (160, "001"));
    assert!(npz.row(0) != npz.row(1));
    refused(folder, "embed --run run --data prepared --out e.csv", &["e.csv", ".npz"]);
}

#[test]
fn embeddings_of_a_file_are_tested_like_those_of_the_network() {
    let folder = shared().path();
    let line = "embed --run run --data prepared --subjects test --out tested.npz";
    assert!(ok(folder, line).contains("60 embeddings"));
    ok(folder, "test --embeddings tested.npz --verify --roc roc.csv --json by-file.json");
    ok(folder, "test --run run --data prepared --json by-run.json");
    let read = |name: &str| -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap()
    };
    let by_file = read("by-file.json");
    let by_run = read("by-run.json");
    assert_eq!(by_file["view_pairs"], by_run["view_pairs"]);
    assert!(by_file["verification"].is_object() && by_run.get("verification").is_none());
    let roc = std::fs::read_to_string(folder.join("roc.csv")).unwrap();
    assert!(roc.lines().count() > 3, "{roc}");
    refused(folder, "test --embeddings none.npz", &["none.npz"]);
    refused(folder, "test --embeddings tested.npz --run run", &["--run"]);
}

#[test]
fn with_embeddings_and_a_set_only_its_test_subjects_are_tested() {
    let folder = shared().path();
    ok(folder, "embed --run run --data prepared --out everyone.npz");
    let table = ok(folder, "test --embeddings everyone.npz --data prepared --json theirs.json");
    assert!(table.contains("60 of 160 sequences are of test subjects"), "{table}");
    ok(folder, "test --run run --data prepared --json ours.json");
    let pairs = |name: &str| -> serde_json::Value {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["view_pairs"].clone()
    };
    assert_eq!(pairs("theirs.json"), pairs("ours.json"));
}

#[test]
fn people_that_the_network_was_trained_on_are_mentioned() {
    let folder = shared().path();
    let own = ok(folder, "test --run run --data prepared");
    assert!(!own.contains("trained on"), "{own}");
    let everyone: Vec<String> = (1..=8).map(|subject| format!("\"{subject:03}\"")).collect();
    let partition = format!("{{\"TRAIN_SET\": [], \"TEST_SET\": [{}]}}", everyone.join(", "));
    std::fs::write(folder.join("everyone.json"), partition).unwrap();
    ok(folder, "prepare raw everyone --layout casia-b --partition everyone.json");
    let printed = ok(folder, "test --run run --data everyone");
    assert!(
        printed.contains("5 of 8 test subjects have names that the network was trained on"),
        "{printed}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_printed_is_a_failure() {
    let folder = shared().path();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = common::command(folder, &words("info run")).stdout(full).output().unwrap();
    let (_, err) = texts(&output);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(err.contains("standard output"), "{err}");
}

#[test]
fn an_export_does_not_take_the_place_of_a_checkpoint() {
    let folder = shared().path();
    let last = "run/checkpoints/iteration-00000004.safetensors";
    let before = std::fs::read(folder.join(last)).unwrap();
    for from in ["run", last] {
        refused(folder, &format!("export {from} {last}"), &[last, "is a checkpoint"]);
    }
    assert!(std::fs::read(folder.join(last)).unwrap() == before);
}

#[test]
fn a_partition_names_the_probes_of_a_file_of_embeddings() {
    let folder = shared().path();
    ok(folder, "embed --run run --data prepared --out listed.npz");
    let line = "test --embeddings listed.npz --protocol gait3d";
    refused(folder, line, &["PROBE_SET", "--partition FILE.json"]);
    let partition = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    partition(
        "probes.json",
        r#"{"TEST_SET": [], "PROBE_SET": ["001-nm-01-090", "002-bg-01-090"]}"#,
    );
    let table = ok(folder, &format!("{line} --partition probes.json --json listed.json"));
    assert!(table.contains("mINP"), "{table}");
    let json = std::fs::read_to_string(folder.join("listed.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["counts"]["ALL"], serde_json::json!({ "probes": 2, "gallery": 158 }));
    partition("none.json", r#"{"TEST_SET": []}"#);
    refused(folder, &format!("{line} --partition none.json"), &["none.json", "no PROBE_SET"]);
    refused(folder, "test --run run --data prepared --partition probes.json", &["--partition"]);
}

#[test]
fn a_built_in_protocol_is_printed_as_a_start_for_another() {
    let folder = shared().path();
    let text = ok(folder, "info --protocol casia-b");
    std::fs::write(folder.join("own.toml"), text).unwrap();
    ok(folder, "test --run run --data prepared --protocol own.toml");
    refused(folder, "info --protocol casiab", &["did you mean `casia-b`"]);
}

#[test]
fn a_protocol_without_probes_of_its_own_only_writes_the_submission() {
    let folder = shared().path();
    ok(folder, "embed --run run --data prepared --out walkers.npz");
    let protocol = r#"
        name = "mine"
        about = "who the probes are is not known"
        metrics = ["rank-1"]
        average = "probes"
        identical_views = "keep"
        [gallery]
        conditions = ["nm-01"]
        [submission]
        gallery = { conditions = ["nm-01"] }
        probes = { subjects = ["001"], conditions = ["nm-02"] }
        id = ["view"]
        id_column = "video"
        rank_column = "subject*"
        ranks = 2
        numbers = false
    "#;
    std::fs::write(folder.join("mine.toml"), protocol).unwrap();
    let line = "test --embeddings walkers.npz --protocol mine.toml";
    ok(folder, &format!("{line} --submission mine.csv"));
    let rows = std::fs::read_to_string(folder.join("mine.csv")).unwrap();
    assert!(rows.starts_with("video,subject1,subject2\n") && rows.lines().count() == 3, "{rows}");
    refused(folder, line, &["mine", "submission"]);
    refused(folder, &format!("{line} --submission mine.csv --json mine.json"), &["mine"]);
}

#[test]
fn info_says_what_a_thing_holds() {
    let folder = shared().path();
    assert!(ok(folder, "info prepared").contains("8 subjects"));
    let run = ok(folder, "info run");
    assert!(run.contains("iteration  4 of 4") && run.contains("5 subjects"), "{run}");
    let preset = ok(folder, "info --preset parts-large --classes 5153");
    assert!(preset.contains("95,620,449"), "{preset}");
    for (set, said, unsaid) in [
        ("neck=batch-norm", "the output of head.norm", "x strips"),
        ("neck=bnneck", "separate FC, normalised", "the output of head.norm"),
        ("neck=bnneck-plain", "norm over channels x strips", "normalised"),
        ("neck=linear", "head.classifier", "head.norm"),
        ("neck=none", "no classes", "head.classifier"),
        ("branches=global", "GLCL, global branch", "stacked"),
        ("last_join=sum", "128 x 10 x 32 x 22", "stacked"),
    ] {
        let table = ok(folder, &format!("info --preset paper-small --set model.{set}"));
        assert!(table.contains(said) && !table.contains(unsaid), "{set}: {table}");
    }
    refused(folder, "info nothing", &["nothing", "does not exist"]);
    refused(folder, "info raw", &["raw"]);
}

#[test]
fn info_measures_this_machine() {
    let folder = shared().path();
    let told = ok(folder, "info --machine");
    let peak =
        |line: &str| line.split_whitespace().filter_map(|word| word.parse::<f64>().ok()).next();
    for precision in ["f32  ", "bf16 "] {
        let peaks = told.lines().filter(|line| line.starts_with(precision)).filter_map(peak);
        assert!(peaks.clone().count() > 0 && peaks.clone().all(|peak| peak > 0.0), "{told}");
    }
    refused(folder, "info run --machine", &["--machine"]);
    refused(folder, "info --machine --preset paper-small", &["--machine"]);
}

#[test]
fn networks_run_in_bf16_on_request() {
    let folder = shared().path();
    let embed = "embed --run run --data prepared --out";
    assert!(ok(folder, &format!("{embed} f32.npz")).contains("computed in f32"));
    let line = format!("{embed} bf16.npz --precision bf16");
    assert!(ok(folder, &line).contains("computed in bf16"));
    let read = |name: &str| gait_embeddings::read(&folder.join(name)).unwrap();
    let [single, half] = ["f32.npz", "bf16.npz"].map(read);
    assert_ne!(single.values(), half.values());
    for i in 0..single.len() {
        let [a, b] = [&single, &half].map(|e| e.row(i));
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
        let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
        assert!(cosine > 0.999, "{i}: {cosine}");
    }
    let line = "test --run run --data prepared --precision bf16 --json half.json";
    assert!(ok(folder, line).contains("embedded in bf16"));
    let json = std::fs::read_to_string(folder.join("half.json")).unwrap();
    assert!(json.contains("\"precision\": \"bf16\""), "{json}");
    assert!(ok(folder, "test --run run --data prepared").contains("embedded in f32"));
    assert!(!ok(folder, "test --embeddings f32.npz").contains("embedded in"));
    refused(folder, &format!("{embed} f16.npz --precision f16"), &["f16", "bf16"]);
}

#[test]
fn a_set_is_converted_and_read_back() {
    let folder = shared().path();
    let printed = ok(folder, "convert prepared tree");
    assert!(printed.contains("160 sequences") && printed.contains("tree.json"), "{printed}");
    assert!(folder.join("tree/001/nm-01/045/045.pkl").exists());
    refused(folder, "convert prepared tree", &["tree", "already holds"]);
    ok(folder, "prepare tree back --layout opengait --partition tree.json");
    let table =
        |data: &str| ok(folder, &format!("test --run run --data {data} --json {data}.json"));
    table("prepared");
    table("back");
    let read = |name: &str| -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap()
    };
    assert_eq!(read("prepared.json")["view_pairs"], read("back.json")["view_pairs"]);
}

#[test]
fn a_run_folder_stands_for_its_last_checkpoint() {
    let folder = shared().path();
    ok(folder, "export run by-run.safetensors");
    ok(folder, "export run/checkpoints/iteration-00000004.safetensors by-file.safetensors");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    assert_eq!(read("by-run.safetensors"), read("by-file.safetensors"));
}

#[test]
fn a_recipe_is_known_by_its_name() {
    let folder = shared().path();
    let train = "train --data prepared --run by-name --set train.iterations=1";
    let small = "--set model.channels=[1,2,2] --set train.batch.frames=4 \
                 --set train.batch.subjects=2 --set train.batch.sequences=2";
    ok(folder, &format!("{train} {small} --config quickstart"));
    let config = std::fs::read_to_string(folder.join("by-name/config.toml")).unwrap();
    assert!(config.contains("milestones = [150]"), "{config}");
    let unknown = "train --data prepared --run by-none --config casia_b";
    refused(folder, unknown, &["casia_b", "did you mean `casia-b`", ".toml"]);
}

#[test]
fn a_bad_image_is_skipped_named_and_remembered_in_the_exit_code() {
    let folder = shared().path();
    ok(folder, "synth faulty --subjects 3 --views 90 --frames 12 --seed 5");
    let sequence = folder.join("faulty/001/nm-01/090");
    let mut frames: Vec<_> =
        std::fs::read_dir(&sequence).unwrap().map(|e| e.unwrap().path()).collect();
    frames.sort();
    let whole = std::fs::read(&frames[0]).unwrap();
    std::fs::write(&frames[0], b"").unwrap();
    std::fs::write(&frames[1], &whole[..whole.len() / 2]).unwrap();
    std::fs::write(&frames[2], b"not an image").unwrap();
    let output = gaitgl(folder, &words("prepare faulty faulty-prepared --layout casia-b"));
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{out}\n{err}");
    for frame in &frames[..3] {
        let name = frame.file_name().unwrap().to_str().unwrap();
        assert!(out.contains(name) || err.contains(name), "{name} is not named:\n{out}\n{err}");
    }
}

#[test]
fn completions_and_help_exist() {
    let folder = shared().path();
    assert!(ok(folder, "completions bash").contains("gaitgl"));
    let commands = ok(folder, "--help");
    let commands = commands.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let commands: Vec<&str> = commands
        .map_while(|line| line.strip_prefix("  "))
        .filter_map(|line| line.split_whitespace().next().filter(|_| !line.starts_with(' ')))
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() >= 13, "{commands:?}");
    for command in commands {
        let help = ok(folder, &format!("{command} --help"));
        assert!(help.contains("Usage"), "{help}");
    }
}
