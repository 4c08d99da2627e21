//! The quality of error messages: what is wrong, where, and how to fix it, in one line.

mod common;

use std::fs;

use common::{gaitgl, ok, refused, shared, texts, words};

/// A command line of a user who made a mistake, and what the line of the answer holds.
struct Mistake {
    line: &'static str,
    /// The thing that is wrong and the place where it is.
    what: &'static [&'static str],
    /// How to fix it.
    fix: &'static str,
}

const fn mistake(line: &'static str, what: &'static [&'static str], fix: &'static str) -> Mistake {
    Mistake { line, what, fix }
}

const MISTAKES: &[Mistake] = &[
    mistake("trian", &["trian"], "train"),
    mistake("test --run run --data nowhere", &["nowhere"], "prepare"),
    mistake("test --run nowhere --data prepared", &["nowhere", "holds no run"], "train"),
    mistake("test --run run --data raw", &["raw"], "gaitgl prepare"),
    mistake("test --run prepared --data prepared", &["prepared", "holds no run"], "train"),
    mistake("test --checkpoint run --data prepared", &["run is a folder"], "--run"),
    mistake("test --run run --data prepared --protocol casia-x", &["casia-x"], "casia-b"),
    mistake("test --run run --data prepared --distance cosin", &["cosin"], "cosine"),
    mistake("test --embeddings e.csv", &["e.csv"], ".npz"),
    mistake("test --run run --data prepared --json raw", &["raw"], "cannot write"),
    mistake("embed --run run --data prepared --out e.csv", &["e.csv"], ".parquet"),
    mistake("prepare nowhere out", &["nowhere", "does not exist"], "check the path"),
    mistake("prepare prepared/clips.arrow out", &["clips.arrow is a file"], "give the folder"),
    mistake("prepare raw out --layout casia-c", &["casia-c"], "casia-b"),
    mistake("prepare raw out --pattern {subject}", &["pattern"], "--layout flat"),
    mistake("prepare raw out --height 63", &["63"], "even number from 16 to 512"),
    mistake("prepare raw out --partition nowhere.json", &["nowhere.json"], "check the path"),
    mistake("synth raw", &["raw", "not empty"], "another folder"),
    mistake("synth out --views 0,...,90", &["--views 0,...,90"], "0,18,...,180"),
    mistake("synth out --views 0,400", &["400"], "from 0 to below 360"),
    mistake(
        "train --data prepared --run run --set train.batch.subjects=3",
        &["run holds a run already"],
        "--resume",
    ),
    mistake("train --data prepared --run new --resume", &["new", "holds no run"], "gaitgl train"),
    mistake("train --data prepared --run new --preset paper", &["paper"], "`paper-"),
    mistake(
        "train --data prepared --run new --set train.iteration=5",
        &["train.iteration"],
        "`train.iterations`",
    ),
    mistake(
        "train --data prepared --run new --set train.batch.subjects=9",
        &["5 training subjects", "9"],
        "train.batch.subjects",
    ),
    mistake("export run out.bin", &["out.bin"], ".onnx"),
    mistake("bench --case nothing", &["nothing"], "parts-small/test/1x30"),
    mistake("bench --against nowhere.json", &["nowhere.json"], "check the path"),
];

#[test]
fn every_mistake_is_answered_with_what_where_and_how_to_fix_it() {
    let faults: Vec<String> = MISTAKES.iter().filter_map(fault_of_answer).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What is wrong with the answer to a mistake.
fn fault_of_answer(Mistake { line, what, fix }: &Mistake) -> Option<String> {
    let output = gaitgl(shared().path(), &words(line));
    let (_, err) = texts(&output);
    let complete = what.iter().chain([fix]).all(|part| err.contains(part));
    let one_line = err.lines().count() == 1 && err.starts_with("gaitgl: ");
    let answered = output.status.code() == Some(2) && complete && one_line;
    (!answered).then(|| format!("{line}\n  must name {what:?} and {fix:?}:\n  {err}"))
}

#[test]
fn results_that_cannot_be_written_are_refused_before_the_work() {
    let folder = shared().path();
    fs::write(folder.join("a-file"), "").unwrap();
    // The set and the run do not exist: whoever looks for them first has begun to work.
    for line in [
        "test --run none --data none --json a-file/x.json",
        "test --run none --data none --roc a-file/x.csv",
        "test --run none --data none --submission a-file/x.csv",
        "compare-results none --against none --json a-file/x.json",
        "embed --run none --data none --out a-file/x.npz",
        "bench --against none --json a-file/x.json",
        "synth --preview a-file/x.png",
    ] {
        refused(folder, line, &["cannot write a-file/x"]);
    }
}

#[test]
fn json_on_standard_output_is_alone_there() {
    let folder = shared().path();
    for line in [
        "test --run run --data prepared --verify --json -",
        "bench --case parts-small/test/1x30 --repeats 1 --json -",
    ] {
        let output = gaitgl(folder, &words(line));
        let (out, err) = texts(&output);
        assert_eq!(output.status.code(), Some(0), "{line}\n{err}");
        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert!(json.is_object() && !err.is_empty(), "{out}\n{err}");
    }
    assert!(!folder.join("-").exists());
    ok(folder, "test --run run --data prepared --json ./-");
    assert!(folder.join("-").exists());
}

#[cfg(unix)]
#[test]
fn control_characters_in_names_do_not_reach_the_terminal() {
    let shared = shared();
    let folder = tempfile::tempdir().unwrap();
    let name = "\u{1b}[31mred\u{7}";
    for subject in ["001", "002"] {
        let view = folder.path().join("raw").join(subject).join("nm-01/090");
        fs::create_dir_all(&view).unwrap();
        for image in fs::read_dir(shared.raw().join(subject).join("nm-01/090")).unwrap() {
            let image = image.unwrap();
            fs::copy(image.path(), view.join(image.file_name())).unwrap();
        }
        fs::write(view.join(format!("{name}.png")), "no image").unwrap();
    }
    for line in [
        vec!["prepare", "raw", name],
        vec!["info", name],
        vec!["info", "\u{1b}]0;title"],
        vec!["test", "--run", "run", "--data", "\u{1b}\u{9b}2J"],
    ] {
        let output = gaitgl(folder.path(), &line);
        let (out, err) = texts(&output);
        let printed = out + &err;
        assert!(!printed.chars().any(|c| c.is_control() && c != '\n'), "{printed:?}");
        assert!(printed.contains("\\u{1b}") || printed.contains("\\x1b"), "{printed:?}");
    }
}
