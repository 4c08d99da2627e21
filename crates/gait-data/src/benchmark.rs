//! The public benchmarks: how their owners distribute them and how large they are.
//!
//! Names and trees follow the descriptions of the owners and of OpenGait; `docs/data.md` gives the
//! source of each number. Numbers that are not established or depend on the edition are not checked.

use crate::form::{Form, PROBE_SUBJECT, Side, TreePart};
use crate::pattern::PathPattern;
use crate::resizing::Resizing;

/// A public data set.
#[derive(Debug, PartialEq, Eq)]
pub struct Benchmark {
    /// The layout's name.
    pub name: &'static str,
    /// The data set's name.
    pub title: &'static str,
    /// How images that come aligned are resized; none where they come as filmed.
    pub aligned: Option<Resizing>,
    /// Names in the place of subjects, those of competition probes (`probe`) included; several
    /// numbers where several editions share the layout.
    pub subjects: &'static [u64],
    /// Sequences.
    pub sequences: Option<u64>,
    /// Trees beside `subject/condition/view`.
    trees: &'static [&'static [Tree]],
    /// End of the names of training subjects in the arranged tree.
    train_suffix: Option<&'static str>,
    /// Whether it is a competition, whose probes are the subject [`PROBE_SUBJECT`].
    has_probes: bool,
}

/// A part of a tree, as in [`TreePart`].
#[derive(Debug, PartialEq, Eq)]
struct Tree {
    pattern: &'static str,
    fixed: [Option<&'static str>; 3],
    suffix: &'static str,
    numbered: bool,
    side: Option<Side>,
}

const fn tree(pattern: &'static str, fixed: [Option<&'static str>; 3]) -> Tree {
    Tree { pattern, fixed, suffix: "", numbered: false, side: None }
}

const fn train(pattern: &'static str, fixed: [Option<&'static str>; 3]) -> Tree {
    Tree { side: Some(Side::Train), ..tree(pattern, fixed) }
}

const fn test(pattern: &'static str, fixed: [Option<&'static str>; 3]) -> Tree {
    Tree { side: Some(Side::Test), ..tree(pattern, fixed) }
}

const PROBE: Option<&str> = Some(PROBE_SUBJECT);
const DEFAULT: Option<&str> = Some("default");

/// Every benchmark that has a layout of its own. CASIA-B's is the arranged form itself.
pub(crate) static BENCHMARKS: [Benchmark; 7] = [
    Benchmark {
        name: "ou-mvlp",
        title: "OU-MVLP",
        aligned: None,
        subjects: &[10_307],
        sequences: None,
        trees: &[&[tree("Silhouette_{view}-{condition}/{subject}", [None; 3])]],
        train_suffix: None,
        has_probes: false,
    },
    Benchmark {
        name: "grew",
        title: "GREW without its distractors",
        aligned: Some(Resizing::Halving),
        subjects: &[26_001],
        sequences: Some(126_887),
        trees: &[&[
            Tree { suffix: "train", ..train("train/{subject}/{view}", [None, Some("00"), None]) },
            Tree { numbered: true, ..test("test/gallery/{subject}/{view}", [None; 3]) },
            test("test/probe/{view}", [PROBE, Some("03"), None]),
        ]],
        train_suffix: Some("train"),
        has_probes: true,
    },
    Benchmark {
        name: "gait3d",
        title: "Gait3D",
        aligned: None,
        subjects: &[4_000],
        sequences: Some(25_309),
        trees: &[],
        train_suffix: None,
        has_probes: false,
    },
    Benchmark {
        name: "casia-e",
        title: "CASIA-E",
        aligned: Some(Resizing::Halving),
        subjects: &[1_014],
        sequences: None,
        trees: &[&[tree(
            "{subject}/{condition}/{condition}/{condition}/{view}/{condition}",
            [None; 3],
        )]],
        train_suffix: None,
        has_probes: false,
    },
    Benchmark {
        name: "sustech1k",
        title: "SUSTech1K",
        aligned: Some(Resizing::Cubic),
        subjects: &[1_050],
        sequences: Some(25_239),
        trees: &[&[tree("{subject}/{condition}/{view}/Sils_aligned", [None; 3])]],
        train_suffix: None,
        has_probes: false,
    },
    Benchmark {
        name: "ccpg",
        title: "CCPG",
        aligned: None,
        subjects: &[200],
        sequences: None,
        trees: &[],
        train_suffix: None,
        has_probes: false,
    },
    Benchmark {
        name: "hid",
        title: "HID",
        aligned: Some(Resizing::Halving),
        subjects: &[860, 1_006],
        sequences: None,
        trees: &[
            &[
                train("train/{subject}/{condition}", [None, None, DEFAULT]),
                test("HID2022_test_gallery/{subject}/{condition}", [None, None, DEFAULT]),
                test("HID2022_test_probe/{condition}", [PROBE, None, DEFAULT]),
            ],
            &[tree("{subject}/{condition}", [None, None, DEFAULT])],
        ],
        train_suffix: None,
        has_probes: true,
    },
];

impl Benchmark {
    /// The benchmark whose layout is called `name`.
    pub fn named(name: &str) -> Option<&'static Self> {
        BENCHMARKS.iter().find(|benchmark| benchmark.name == name)
    }

    /// How the numbers of `subjects` and `sequences` found differ from what the data set has.
    pub fn difference(&self, subjects: u64, sequences: u64) -> Option<String> {
        let known = [
            (self.subjects, subjects, "subjects"),
            (self.sequences.as_slice(), sequences, "sequences"),
        ];
        let known = known.iter().filter(|(all, ..)| !all.is_empty());
        let compared = known.clone().map(|(all, found, what)| {
            let all: Vec<String> = all.iter().map(u64::to_string).collect();
            format!("{found} of {} {what}", all.join(" or "))
        });
        let compared: Vec<String> = compared.collect();
        let differs = known.clone().any(|(all, found, _)| !all.contains(found));
        differs.then(|| format!("{}: found {}", self.title, compared.join(" and ")))
    }

    /// Its forms beside `subject/condition/view`.
    pub(crate) fn forms(&self) -> Vec<Form> {
        let part = |tree: &Tree| {
            let pattern = PathPattern::part(tree.pattern).ok()?;
            let Tree { fixed, suffix, numbered, side, .. } = *tree;
            Some(TreePart { pattern, fixed, suffix, numbered, side })
        };
        let form = |trees: &&[Tree]| {
            let mut form = Form {
                parts: trees.iter().filter_map(part).collect(),
                train_suffix: None,
                has_probe_subject: false,
            };
            self.mark_sides(&mut form);
            form
        };
        self.trees.iter().map(form).collect()
    }

    /// Adds to a form of its tree how names alone tell training from test.
    pub(crate) fn mark_sides(&self, form: &mut Form) {
        form.train_suffix = self.train_suffix;
        form.has_probe_subject = self.has_probes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tree_has_a_readable_pattern() {
        for benchmark in &BENCHMARKS {
            for (tree, form) in benchmark.trees.iter().zip(benchmark.forms()) {
                assert_eq!(tree.len(), form.parts.len(), "{}", benchmark.name);
            }
        }
    }

    #[test]
    fn what_is_missing_is_reported_and_what_is_unknown_is_not() {
        let named = |name| Benchmark::named(name).unwrap();
        assert_eq!(named("sustech1k").difference(1_050, 25_239), None);
        let text = named("sustech1k").difference(1_050, 25_000).unwrap();
        assert_eq!(text, "SUSTech1K: found 1050 of 1050 subjects and 25000 of 25239 sequences");
        assert_eq!(named("ccpg").difference(200, 3), None);
        assert_eq!(named("ccpg").difference(2, 3).unwrap(), "CCPG: found 2 of 200 subjects");
        assert_eq!(named("hid").difference(860, 1), None);
        assert_eq!(named("hid").difference(1_006, 1), None);
        let text = named("hid").difference(859, 1).unwrap();
        assert_eq!(text, "HID: found 859 of 860 or 1006 subjects");
    }
}
