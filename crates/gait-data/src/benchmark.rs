//! The benchmarks: how their owners ship them and how large they are.
//!
//! Names and trees follow the owners' and OpenGait's descriptions; `docs/data.md` says where each
//! number comes from. What is not established is `None` and not checked.

use crate::layout::{Form, Part};
use crate::pattern::PathPattern;

/// A public data set.
#[derive(Debug, PartialEq, Eq)]
pub struct Benchmark {
    /// The layout's name.
    pub name: &'static str,
    /// The data set's name.
    pub title: &'static str,
    /// Whether its images come aligned.
    pub aligned: bool,
    /// Names in the place of subjects, those of competition probes (`probe`) included.
    pub subjects: Option<u64>,
    /// Sequences.
    pub sequences: Option<u64>,
    /// Trees beside `subject/condition/view`.
    trees: &'static [&'static [Tree]],
}

/// A part of a tree, as in [`Part`].
#[derive(Debug, PartialEq, Eq)]
struct Tree {
    pattern: &'static str,
    fixed: [Option<&'static str>; 3],
    suffix: &'static str,
    numbered: bool,
}

const fn tree(pattern: &'static str, fixed: [Option<&'static str>; 3]) -> Tree {
    Tree { pattern, fixed, suffix: "", numbered: false }
}

const PROBE: Option<&str> = Some("probe");
const DEFAULT: Option<&str> = Some("default");

/// Every benchmark that has a layout of its own. CASIA-B's is the arranged form itself.
pub(crate) static BENCHMARKS: [Benchmark; 7] = [
    Benchmark {
        name: "ou-mvlp",
        title: "OU-MVLP",
        aligned: false,
        subjects: Some(10_307),
        sequences: None,
        trees: &[&[tree("Silhouette_{view}-{condition}/{subject}", [None; 3])]],
    },
    Benchmark {
        name: "grew",
        title: "GREW without its distractors",
        aligned: true,
        subjects: Some(26_001),
        sequences: Some(126_887),
        trees: &[&[
            Tree { suffix: "train", ..tree("train/{subject}/{view}", [None, Some("00"), None]) },
            Tree { numbered: true, ..tree("test/gallery/{subject}/{view}", [None; 3]) },
            tree("test/probe/{view}", [PROBE, Some("03"), None]),
        ]],
    },
    Benchmark {
        name: "gait3d",
        title: "Gait3D",
        aligned: false,
        subjects: Some(4_000),
        sequences: None,
        trees: &[],
    },
    Benchmark {
        name: "casia-e",
        title: "CASIA-E",
        aligned: true,
        subjects: Some(1_014),
        sequences: None,
        trees: &[&[tree(
            "{subject}/{condition}/{condition}/{condition}/{view}/{condition}",
            [None; 3],
        )]],
    },
    Benchmark {
        name: "sustech1k",
        title: "SUSTech1K",
        aligned: true,
        subjects: Some(1_050),
        sequences: Some(25_239),
        trees: &[&[tree("{subject}/{condition}/{view}/Sils_aligned", [None; 3])]],
    },
    Benchmark {
        name: "ccpg",
        title: "CCPG",
        aligned: false,
        subjects: Some(200),
        sequences: None,
        trees: &[],
    },
    Benchmark {
        name: "hid",
        title: "HID",
        aligned: true,
        subjects: None,
        sequences: None,
        trees: &[
            &[
                tree("train/{subject}/{condition}", [None, None, DEFAULT]),
                tree("HID2022_test_gallery/{subject}/{condition}", [None, None, DEFAULT]),
                tree("HID2022_test_probe/{condition}", [PROBE, None, DEFAULT]),
            ],
            &[tree("{subject}/{condition}", [None, None, DEFAULT])],
        ],
    },
];

impl Benchmark {
    /// The benchmark whose layout is called `name`.
    pub fn named(name: &str) -> Option<&'static Self> {
        BENCHMARKS.iter().find(|benchmark| benchmark.name == name)
    }

    /// What `subjects` and `sequences` found say against what the data set has.
    pub fn difference(&self, subjects: u64, sequences: u64) -> Option<String> {
        let found =
            [(self.subjects, subjects, "subjects"), (self.sequences, sequences, "sequences")];
        let differs = found.iter().any(|(all, found, _)| all.is_some_and(|all| all != *found));
        let say = |(all, found, what): &(Option<u64>, u64, &str)| {
            all.map(|all| format!("{found} of {all} {what}"))
        };
        let said: Vec<String> = found.iter().filter_map(say).collect();
        differs.then(|| format!("{}: found {}", self.title, said.join(" and ")))
    }

    /// Its forms beside `subject/condition/view`.
    pub(crate) fn forms(&self) -> Vec<Form> {
        let part = |tree: &Tree| {
            let pattern = PathPattern::part(tree.pattern).ok()?;
            let Tree { fixed, suffix, numbered, .. } = *tree;
            Some(Part { pattern, fixed, suffix, numbered })
        };
        self.trees
            .iter()
            .map(|tree| Form { parts: tree.iter().filter_map(part).collect() })
            .collect()
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
    fn what_is_missing_is_said_and_what_is_unknown_is_not() {
        let named = |name| Benchmark::named(name).unwrap();
        assert_eq!(named("sustech1k").difference(1_050, 25_239), None);
        let said = named("sustech1k").difference(1_050, 25_000).unwrap();
        assert_eq!(said, "SUSTech1K: found 1050 of 1050 subjects and 25000 of 25239 sequences");
        assert_eq!(named("ccpg").difference(200, 3), None);
        assert_eq!(named("ccpg").difference(2, 3).unwrap(), "CCPG: found 2 of 200 subjects");
        assert_eq!(named("hid").difference(1, 1), None);
    }
}
