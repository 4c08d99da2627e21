//! Ablations through the binary: tables, shared trainings, resuming, failures.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{TINY, command, gaitgl, ok, refused, shared, texts, words};

/// Two rows that differ at test and one that is another network.
const SWEEP: &str = r#"
name = "tiny"
about = "three ways"
columns = ["Branches", "At test"]
published = { protocol = "casia-b", source = "nobody" }
row = [
    { name = "expected", labels = ["both", "expected"], published = { NM = 90.0, mean = 80.0 } },
    { name = "plain", labels = ["both", "plain"], set.model.local.at_test = "plain" },
    { name = "global", labels = ["global", ""], set.model.branches = "global" },
]
"#;

fn line(sweep: &str, out: &str, more: &str) -> String {
    let tiny = TINY.join(" ");
    format!("ablate {sweep} --data prepared --out {out} {tiny} --set train.iterations=3 {more}")
}

fn runs(out: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(out.join("runs")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The results of the tests of a run.
fn results_of(run: &PathBuf) -> Vec<String> {
    let names = fs::read_dir(run).unwrap().map(|entry| entry.unwrap().path());
    let names = names.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let names = names.map(|path| path.display().to_string());
    names.filter(|name| name.contains("/test-")).collect()
}

#[test]
fn a_table_is_made_once_and_reused_afterwards() {
    let folder = shared().path();
    fs::write(folder.join("tiny.toml"), SWEEP).unwrap();
    let out = folder.join("ablation");
    let first = ok(folder, &line("tiny.toml", "ablation", "--seeds 1,2"));
    for part in ["NM", "paper", "90.0*", "±", "[6/6] global, seed 2", "3 iterations", "nobody"] {
        assert!(first.contains(part), "no {part} in\n{first}");
    }
    assert_eq!(runs(&out).len(), 4, "two networks with two seeds");
    let csv = fs::read_to_string(out.join("tiny.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 3 * 4, "{csv}");
    assert!(csv.contains("both,plain,plain,2,"), "{csv}");
    assert!(fs::read(out.join("tiny.png")).unwrap().starts_with(b"\x89PNG"));
    assert!(fs::read_to_string(out.join("tiny.svg")).unwrap().starts_with("<svg"));
    for run in runs(&out) {
        let checkpoints: Vec<_> = fs::read_dir(run.join("checkpoints")).unwrap().collect();
        assert_eq!(checkpoints.len(), 1);
        let checkpoint = run.join("checkpoints/iteration-00000003.safetensors");
        let checkpoint = gaitgl::checkpoint::Checkpoint::load(&checkpoint).unwrap();
        assert!(checkpoint.optimizer.is_none());
    }

    let again = ok(folder, &line("tiny.toml", "ablation", "--seeds 1,2"));
    assert!(!again.contains("training\n") && !again.contains("testing"), "{again}");
    assert_eq!(fs::read_to_string(out.join("tiny.csv")).unwrap(), csv);

    let sure = ok(folder, &line("tiny.toml", "ablation", "--seeds 1,2 --confidence 90"));
    assert!(sure.contains("90% confidence intervals: bootstrap over subjects"), "{sure}");
    let with_ends = fs::read_to_string(out.join("tiny.csv")).unwrap();
    assert_eq!(with_ends.lines().count(), 1 + 3 * 6, "{with_ends}");
    assert!(with_ends.contains("global,,global,low,"), "{with_ends}");
    let results: Vec<String> = runs(&out).iter().flat_map(results_of).collect();
    assert_eq!(results.len(), 6, "two networks with two seeds, one of them tested in two ways");
    let compared = format!("compare-results {} --against {}", results[0], results[1]);
    assert!(ok(folder, &compared).contains("difference"));

    ok(folder, &line("tiny.toml", "ablation", "--seeds 1 --set train.iterations=2"));
    assert_eq!(runs(&out).len(), 6, "another budget is another training");
}

#[test]
fn a_row_that_fails_is_named_and_the_others_continue() {
    let folder = shared().path();
    let sweep = "name = \"rates\"\nabout = \"rates\"\ncolumns = [\"Rate\"]\nrow = [\n{ name = \
                 \"wild\", set.train.learning_rate = 1e30 },\n{ name = \"tame\" },\n]";
    fs::write(folder.join("rates.toml"), sweep).unwrap();
    let output = gaitgl(folder, &words(&line("rates.toml", "rates", "")));
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{out}\n{err}");
    assert!(out.contains("failed: wild: the loss became"), "{out}");
    let csv = fs::read_to_string(folder.join("rates/rates.csv")).unwrap();
    assert!(csv.contains("wild,wild,mean,,,,"), "{csv}");
    assert!(csv.lines().any(|l| l.starts_with("tame,tame,1,") && !l.ends_with(",,,,")), "{csv}");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let folder = shared().path();
    refused(folder, &line("tabel5", "no", ""), &["did you mean `table5`", "at-test"]);
    refused(folder, &line("table5", "no", "--seeds 1,1"), &["--seeds", "twice"]);
    refused(folder, &line("table5", "no", "--seeds 9223372036854775808"), &["--seeds"]);
    let stages =
        "--set model.channels=[2,3] --set model.layers=[1,1] --set model.pools=[\"lta\",\"sp\"]";
    refused(folder, &line("table7", "no", stages), &["table7", "`SP+SP`", "model.pools"]);
    refused(folder, &line("table5", "no", "--set model.height=128"), &["128", "64"]);
    let broken = "name = \"broken\"\nabout = \"x\"\ncolumns = [\"A\"]\nrows = 1\n";
    fs::write(folder.join("broken.toml"), broken).unwrap();
    refused(folder, &line("broken.toml", "no", ""), &["broken.toml", "line 4", "rows"]);
    assert!(!folder.join("no").exists());
}

/// Runs a command line until `ready`, interrupts it and returns what it printed.
#[cfg(unix)]
fn interrupted(line: &str, ready: impl Fn() -> bool) -> (String, String) {
    let mut child = command(shared().path(), &words(line));
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while !ready() {
        assert!(began.elapsed() < Duration::from_secs(120), "training never got that far");
        std::thread::sleep(Duration::from_millis(5));
    }
    let id = child.id().to_string();
    std::process::Command::new("kill").args(["-INT", &id]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(2), "{out}\n{err}");
    assert!(err.contains("same command line") && err.lines().count() == 1, "{err}");
    (out, err)
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_a_checkpoint_to_resume_from() {
    let folder = shared().path();
    let out = folder.join("stopped");
    let long = line("readings", "stopped", "--set train.iterations=100000");
    let logged = || {
        let [run]: [PathBuf; 1] = runs(&out).try_into().ok()?;
        let metrics = fs::read_to_string(run.join("metrics.jsonl")).ok()?;
        let last: serde_json::Value = serde_json::from_str(metrics.lines().last()?).ok()?;
        last["iteration"].as_u64()
    };
    let stopped = || {
        let [run]: [PathBuf; 1] = runs(&out).try_into().unwrap();
        let entries = fs::read_dir(run.join("checkpoints")).unwrap();
        let [file] = entries.map(|e| e.unwrap().path()).collect::<Vec<_>>().try_into().unwrap();
        gaitgl::checkpoint::Checkpoint::load(&file).unwrap().iteration
    };
    interrupted(&long, || {
        let begun = logged().is_some();
        if begun {
            refused(folder, &line("table5", "stopped", ""), &["another `gaitgl ablate`", "--out"]);
        }
        begun
    });
    let first = stopped();
    assert!(first > 0 && first < 100_000);

    let (printed, _) = interrupted(&long, || logged() > Some(first));
    assert!(printed.contains(&format!("after iteration {first}")), "{printed}");
    assert!(stopped() > first && stopped() < 100_000);
}
