//! Who is trained on and who is tested: OpenGait's partition files and the built-in splits.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::DataError;

/// Subjects of CASIA-B; the standard split trains on the first [`CASIA_B_TRAIN`].
const CASIA_B_SUBJECTS: usize = 124;
const CASIA_B_TRAIN: usize = 74;

/// Where a partition came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartitionOrigin {
    /// A file in OpenGait's format.
    File(PathBuf),
    /// The standard split of CASIA-B: 001 to 074 train, 075 to 124 test.
    CasiaB,
    /// The first 74/124 of the sorted subjects train, the rest test.
    Proportional,
}

/// The subjects on each side, sorted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Where it came from.
    pub origin: PartitionOrigin,
    /// Subjects to train on that have a sequence (`TRAIN_SET`).
    pub train: Vec<String>,
    /// Subjects to test on that have a sequence (`TEST_SET`).
    pub test: Vec<String>,
    /// Probe sequences, as the file lists them (`PROBE_SET`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Vec<String>>,
    /// Gallery sequences, as the file lists them (`GALLERY_SET`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gallery: Option<Vec<String>>,
    /// Subjects that the file names and that have no sequence.
    pub missing: Vec<String>,
    /// Subjects that the tree holds and the file does not name; they are not prepared.
    pub left_out: Vec<String>,
}

impl Partition {
    /// The partition where only the subjects `held` have a sequence: a split by names is made of
    /// them alone, and what else a file names is missing.
    pub(crate) fn of_held(mut self, held: &BTreeSet<String>) -> Self {
        if !matches!(self.origin, PartitionOrigin::File(_)) {
            return split_by_name(held);
        }
        for side in [&mut self.train, &mut self.test] {
            self.missing.extend(side.extract_if(.., |subject| !held.contains(subject)));
        }
        self.missing.sort();
        self
    }
}

/// A partition file as read: OpenGait's `TRAIN_SET`, `TEST_SET`, `PROBE_SET`, `GALLERY_SET`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionFile {
    path: PathBuf,
    train: BTreeSet<String>,
    test: BTreeSet<String>,
    probe: Option<Vec<String>>,
    gallery: Option<Vec<String>>,
}

impl PartitionFile {
    /// Reads a partition file. Keys other than the four are ignored, as other tools do.
    ///
    /// # Errors
    /// If the file cannot be read, is not JSON of that form, or names a subject on both sides.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let text = fs::read(path).map_err(|e| DataError::io("read", path, e))?;
        Self::decode(path, &text)
    }

    /// [`PartitionFile::read`] of a file's bytes; `path` names it in messages.
    ///
    /// # Errors
    /// As [`PartitionFile::read`].
    pub fn decode(path: &Path, text: &[u8]) -> Result<Self, DataError> {
        let wrong = |what: String, mend: &str| DataError::unusable(path, what, mend);
        let mut lists: BTreeMap<String, serde_json::Value> = serde_json::from_slice(text)
            .map_err(|e| wrong(format!("it is not a JSON object ({e})"), FORM))?;
        let mut take = |key: &str| match lists.remove(key) {
            None => Ok(None),
            Some(value) => serde_json::from_value::<Vec<String>>(value)
                .map(Some)
                .map_err(|_| wrong(format!("{key} is not a list of names"), FORM)),
        };
        let (train, test) = (take("TRAIN_SET")?, take("TEST_SET")?);
        let (probe, gallery) = (take("PROBE_SET")?, take("GALLERY_SET")?);
        if train.is_none() && test.is_none() {
            return Err(wrong("it has neither TRAIN_SET nor TEST_SET".into(), FORM));
        }
        let train: BTreeSet<String> = train.unwrap_or_default().into_iter().collect();
        let test: BTreeSet<String> = test.unwrap_or_default().into_iter().collect();
        let both: Vec<&String> = train.intersection(&test).collect();
        if !both.is_empty() {
            return Err(wrong(
                format!("{} both in TRAIN_SET and in TEST_SET", subjects_are(&both)),
                "a subject may be on one side only",
            ));
        }
        Ok(PartitionFile { path: path.to_path_buf(), train, test, probe, gallery })
    }

    /// Probe sequences (`PROBE_SET`), names `subject-condition-view`.
    ///
    /// # Errors
    /// If the file has no such list.
    pub fn into_probe(self) -> Result<Vec<String>, DataError> {
        self.probe.ok_or_else(|| DataError::Unusable {
            path: self.path,
            what: "it has no PROBE_SET".into(),
            mend: "add the list of probes, \"subject-condition-view\" each".into(),
        })
    }

    /// Sorts the subjects of a tree into the sides of the file.
    ///
    /// # Errors
    /// If a subject of the tree is on no side and `leave_out` is false.
    fn assign(self, subjects: &BTreeSet<String>, leave_out: bool) -> Result<Partition, DataError> {
        let (train, rest): (Vec<String>, Vec<String>) =
            subjects.iter().cloned().partition(|s| self.train.contains(s));
        let (test, left_out): (Vec<String>, Vec<String>) =
            rest.into_iter().partition(|s| self.test.contains(s));
        if !left_out.is_empty() && !leave_out {
            return Err(DataError::unusable(
                self.path,
                format!("{} in neither TRAIN_SET nor TEST_SET", subjects_are(&left_out)),
                "add them to one, or leave them out with --leave-out-unlisted",
            ));
        }
        let missing = self.train.union(&self.test).filter(|s| !subjects.contains(*s));
        Ok(Partition {
            missing: missing.cloned().collect(),
            origin: PartitionOrigin::File(self.path),
            train,
            test,
            probe: self.probe,
            gallery: self.gallery,
            left_out,
        })
    }
}

const FORM: &str = "write {\"TRAIN_SET\": [\"001\", ...], \"TEST_SET\": [\"075\", ...]}";

/// Sorts the subjects of a tree by `file` or, without one, by the split that fits their names:
/// CASIA-B's standard one if they are CASIA-B's (001 to 124 with some above 074), else the
/// first 74/124 of the sorted names train and the rest test.
///
/// # Errors
/// If a subject is on no side of `file` and `leave_out` is false.
pub fn partition_subjects(
    subjects: &BTreeSet<String>,
    file: Option<PartitionFile>,
    leave_out: bool,
) -> Result<Partition, DataError> {
    match file {
        Some(file) => file.assign(subjects, leave_out),
        None => Ok(split_by_name(subjects)),
    }
}

fn split_by_name(subjects: &BTreeSet<String>) -> Partition {
    let train = if is_casia_b(subjects) {
        subjects.iter().filter(|s| casia_b_number(s) <= Some(CASIA_B_TRAIN)).count()
    } else {
        (subjects.len() * CASIA_B_TRAIN + CASIA_B_SUBJECTS / 2) / CASIA_B_SUBJECTS
    };
    let origin =
        if is_casia_b(subjects) { PartitionOrigin::CasiaB } else { PartitionOrigin::Proportional };
    let sorted: Vec<String> = subjects.iter().cloned().collect();
    let (train, test) = sorted.split_at(train);
    Partition {
        origin,
        train: train.to_vec(),
        test: test.to_vec(),
        probe: None,
        gallery: None,
        missing: Vec::new(),
        left_out: Vec::new(),
    }
}

/// The number of a CASIA-B subject's name: three digits, 001 to 124.
fn casia_b_number(name: &str) -> Option<usize> {
    let digits = name.len() == 3 && name.bytes().all(|b| b.is_ascii_digit());
    let number = name.parse().ok().filter(|n| (1..=CASIA_B_SUBJECTS).contains(n));
    if digits { number } else { None }
}

fn is_casia_b(subjects: &BTreeSet<String>) -> bool {
    subjects.iter().all(|s| casia_b_number(s).is_some())
        && subjects.iter().any(|s| casia_b_number(s) > Some(CASIA_B_TRAIN))
}

/// "subject 005 is" or "12 subjects (001, 002, 003, ...) are".
fn subjects_are(names: &[impl AsRef<str>]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let dots = if names.len() > SHOWN { ", ..." } else { "" };
    match names {
        [one] => format!("subject {} is", one.as_ref()),
        _ => format!("{} subjects ({}{dots}) are", names.len(), shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(range: impl Iterator<Item = usize>) -> BTreeSet<String> {
        range.map(|n| format!("{n:03}")).collect()
    }

    fn file(text: &str) -> Result<PartitionFile, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("split.json");
        fs::write(&path, text).unwrap();
        PartitionFile::read(&path)
    }

    #[test]
    fn casia_b_names_get_the_standard_split() {
        let partition = partition_subjects(&names(1..=124), None, false).unwrap();
        assert_eq!(partition.origin, PartitionOrigin::CasiaB);
        assert_eq!((partition.train.len(), partition.test.len()), (74, 50));
        assert_eq!(partition.test[0], "075");
        let partition = partition_subjects(&names(70..=80), None, false).unwrap();
        assert_eq!((partition.train.len(), partition.test.len()), (5, 6));
    }

    #[test]
    fn other_names_get_the_proportional_split() {
        for (count, train) in [(1, 1), (2, 1), (25, 15), (40, 24)] {
            let partition = partition_subjects(&names(1..=count), None, false).unwrap();
            assert_eq!(partition.origin, PartitionOrigin::Proportional);
            assert_eq!((partition.train.len(), partition.test.len()), (train, count - train));
        }
    }

    #[test]
    fn file_sorts_subjects_and_reports_missing_ones() {
        let file = file(r#"{"TRAIN_SET": ["002", "001", "009"], "TEST_SET": ["003"]}"#).unwrap();
        let partition = partition_subjects(&names(1..=3), Some(file), false).unwrap();
        assert_eq!(partition.train, ["001", "002"]);
        assert_eq!(partition.test, ["003"]);
        assert_eq!(partition.missing, ["009"]);
    }

    #[test]
    fn unlisted_subjects_are_refused_or_left_out() {
        let file = file(r#"{"TRAIN_SET": ["001"], "TEST_SET": ["003"]}"#).unwrap();
        let error = partition_subjects(&names(1..=3), Some(file.clone()), false).unwrap_err();
        assert!(error.to_string().contains("subject 002 is in neither"), "{error}");
        let partition = partition_subjects(&names(1..=3), Some(file), true).unwrap();
        assert_eq!(partition.left_out, ["002"]);
    }

    #[test]
    fn malformed_files_are_refused() {
        for (text, part) in [
            ("", "not a JSON object"),
            ("[1]", "not a JSON object"),
            (r#"{"TRAIN_SET": [1]}"#, "TRAIN_SET is not a list"),
            (r#"{"train": []}"#, "neither TRAIN_SET nor TEST_SET"),
            (r#"{"TRAIN_SET": ["1"], "TEST_SET": ["1"]}"#, "subject 1 is both in"),
        ] {
            let error = file(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
