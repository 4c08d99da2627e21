//! The split into training and test subjects: OpenGait's partition files, the split given by a
//! layout's folders, and the built-in splits.

mod fault;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use gait_support::nearest;

use crate::form::Side;
use crate::{DataError, TreeFault, json};
pub use fault::PartitionFault;

/// Subjects of CASIA-B; the standard split trains on the first [`CASIA_B_TRAIN`].
const CASIA_B_SUBJECTS: usize = 124;
const CASIA_B_TRAIN: usize = 74;

/// Where a partition came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartitionOrigin {
    /// A file in OpenGait's format.
    File(PathBuf),
    /// The layout's own folders or names, such as `train` and `test/gallery` of GREW.
    Layout,
    /// The standard split of CASIA-B: 001 to 074 train, 075 to 124 test.
    CasiaB,
    /// The first 74/124 of the sorted subjects train, the rest test.
    Proportional,
}

/// The subjects on each side, sorted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectPartition {
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

impl SubjectPartition {
    /// A partition of subjects that all have a sequence.
    fn new(origin: PartitionOrigin, train: Vec<String>, test: Vec<String>) -> Self {
        SubjectPartition {
            origin,
            train,
            test,
            probe: None,
            gallery: None,
            missing: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// The partition where only the subjects `held` have a sequence: a split by names is made of
    /// them alone, and the other subjects that a file names are missing.
    pub(crate) fn restricted_to(mut self, held: &BTreeSet<String>) -> Self {
        match self.origin {
            PartitionOrigin::CasiaB | PartitionOrigin::Proportional => split_by_name(held),
            PartitionOrigin::Layout => {
                for side in [&mut self.train, &mut self.test] {
                    side.retain(|subject| held.contains(subject));
                }
                self
            }
            PartitionOrigin::File(_) => {
                for side in [&mut self.train, &mut self.test] {
                    self.missing.extend(side.extract_if(.., |subject| !held.contains(subject)));
                }
                self.missing.sort();
                self
            }
        }
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
        let wrong = |fault| DataError::partition(path, fault);
        let mut lists: BTreeMap<String, serde_json::Value> = json::from_slice(path, text)?;
        let mut take = |key: &'static str| match lists.remove(key) {
            None => Ok(None),
            Some(value) => serde_json::from_value::<Vec<String>>(value)
                .map(Some)
                .map_err(|_| wrong(PartitionFault::NotAList { key })),
        };
        let train = take("TRAIN_SET")?;
        let test = take("TEST_SET")?;
        let probe = take("PROBE_SET")?;
        let gallery = take("GALLERY_SET")?;
        if train.is_none() && test.is_none() {
            return Err(wrong(PartitionFault::NoSides));
        }
        let train: BTreeSet<String> = train.unwrap_or_default().into_iter().collect();
        let test: BTreeSet<String> = test.unwrap_or_default().into_iter().collect();
        let both: Vec<String> = train.intersection(&test).cloned().collect();
        if !both.is_empty() {
            return Err(wrong(PartitionFault::BothSides { subjects: both }));
        }
        Ok(PartitionFile { path: path.to_path_buf(), train, test, probe, gallery })
    }

    /// Probe sequences (`PROBE_SET`), names `subject-condition-view`.
    ///
    /// # Errors
    /// If the file has no such list.
    pub fn into_probe(self) -> Result<Vec<String>, DataError> {
        self.probe.ok_or_else(|| DataError::partition(&self.path, PartitionFault::NoProbes))
    }

    /// Sorts the subjects of a tree into the sides of the file.
    ///
    /// # Errors
    /// If no subject of the tree is on a side, or one is on none and `leave_out` is false.
    fn assign(
        self,
        subjects: &BTreeSet<String>,
        leave_out: bool,
    ) -> Result<SubjectPartition, DataError> {
        let (train, rest): (Vec<String>, Vec<String>) =
            subjects.iter().cloned().partition(|s| self.train.contains(s));
        let (test, left_out): (Vec<String>, Vec<String>) =
            rest.into_iter().partition(|s| self.test.contains(s));
        let listed = || self.train.union(&self.test).cloned();
        if train.is_empty() && test.is_empty() && !subjects.is_empty() {
            let fault = PartitionFault::OtherNames { listed: listed().collect(), held: left_out };
            return Err(DataError::partition(&self.path, fault));
        }
        if !left_out.is_empty() && !leave_out {
            let known: Vec<String> = listed().collect();
            let nearest = left_out.first().and_then(|subject| nearest(subject, &known));
            let fault = PartitionFault::Unlisted { subjects: left_out, nearest };
            return Err(DataError::partition(&self.path, fault));
        }
        let missing = self.train.union(&self.test).filter(|s| !subjects.contains(*s));
        Ok(SubjectPartition {
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

/// Sorts the subjects of a tree by `file` or, without one, by the split that fits their names:
/// CASIA-B's standard one if they are CASIA-B's (001 to 124 with some above 074), else the
/// first 74/124 of the sorted names train and the rest test.
///
/// # Errors
/// If none of the subjects is in `file`, or one is on no side and `leave_out` is false.
pub fn partition_subjects(
    subjects: &BTreeSet<String>,
    file: Option<PartitionFile>,
    leave_out: bool,
) -> Result<SubjectPartition, DataError> {
    match file {
        Some(file) => file.assign(subjects, leave_out),
        None => Ok(split_by_name(subjects)),
    }
}

/// The split given by a layout's own folders and names; none where they give no side at all. A
/// subject without a side, beside others that have one, is tested, so that no test subject is
/// trained on by mistake.
///
/// # Errors
/// If a subject is on both sides.
pub(crate) fn split_by_sides(
    sides: &BTreeMap<&str, BTreeSet<Side>>,
) -> Result<Option<SubjectPartition>, TreeFault> {
    if sides.values().all(BTreeSet::is_empty) {
        return Ok(None);
    }
    if let Some((subject, _)) = sides.iter().find(|(_, sides)| sides.len() > 1) {
        return Err(TreeFault::BothSides { subject: (*subject).to_owned() });
    }
    let names = |is_train: bool| {
        let of_side = sides.iter().filter(|(_, side)| side.contains(&Side::Train) == is_train);
        of_side.map(|(subject, _)| (*subject).to_owned()).collect()
    };
    Ok(Some(SubjectPartition::new(PartitionOrigin::Layout, names(true), names(false))))
}

fn split_by_name(subjects: &BTreeSet<String>) -> SubjectPartition {
    let train = if is_casia_b(subjects) {
        subjects.iter().filter(|s| casia_b_number(s) <= Some(CASIA_B_TRAIN)).count()
    } else {
        (subjects.len() * CASIA_B_TRAIN + CASIA_B_SUBJECTS / 2) / CASIA_B_SUBJECTS
    };
    let origin =
        if is_casia_b(subjects) { PartitionOrigin::CasiaB } else { PartitionOrigin::Proportional };
    let sorted: Vec<String> = subjects.iter().cloned().collect();
    let (train, test) = sorted.split_at(train);
    SubjectPartition::new(origin, train.to_vec(), test.to_vec())
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
    fn a_partition_of_other_names_is_refused_with_names_of_both_sides() {
        let file = file(r#"{"TRAIN_SET": ["a"], "TEST_SET": ["b"]}"#).unwrap();
        for leave_out in [true, false] {
            let error = partition_subjects(&names(1..=4), Some(file.clone()), leave_out);
            let error = error.unwrap_err().to_string();
            let wanted = "it lists none of the 4 subjects of the tree (001, 002, 003, 004), \
                          only 2 others (a, b)";
            assert!(error.ends_with(wanted), "{error}");
        }
    }

    #[test]
    fn names_that_look_equal_show_how_they_differ() {
        let subjects = |names: &[&str]| names.iter().copied().map(String::from).collect();
        let file =
            file("{\"TRAIN_SET\": [\"001 \", \"\u{e9}\"], \"TEST_SET\": [\"003\"]}").unwrap();
        let held: BTreeSet<String> = subjects(&["001", "003", "e\u{301}"]);
        let error = partition_subjects(&held, Some(file), false).unwrap_err().to_string();
        assert!(error.contains(r"2 subjects (001, e\u{301}) are in neither"), "{error}");
        assert!(error.contains(r"did you mean `001\u{20}`?"), "{error}");
    }

    #[test]
    fn the_sides_of_a_layout_make_the_partition() {
        let side = |sides: &[Side]| sides.iter().copied().collect::<BTreeSet<Side>>();
        let mut sides = BTreeMap::from([
            ("0001", side(&[Side::Train])),
            ("0500", side(&[])),
            ("probe", side(&[Side::Test])),
        ]);
        let partition = split_by_sides(&sides).unwrap().unwrap();
        assert_eq!(partition.origin, PartitionOrigin::Layout);
        assert_eq!(partition.train, ["0001"]);
        assert_eq!(partition.test, ["0500", "probe"]);
        sides.insert("0001", side(&[Side::Train, Side::Test]));
        assert!(matches!(split_by_sides(&sides), Err(TreeFault::BothSides { .. })));
        let nothing = BTreeMap::from([("0001", side(&[]))]);
        assert_eq!(split_by_sides(&nothing).unwrap(), None);
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
            ("", "not JSON of the expected form"),
            ("[1]", "not JSON of the expected form"),
            (r#"{"TRAIN_SET": [1]}"#, "TRAIN_SET is not a list"),
            (r#"{"train": []}"#, "neither TRAIN_SET nor TEST_SET"),
            (r#"{"TRAIN_SET": ["1"], "TEST_SET": ["1"]}"#, "subject 1 is both in"),
        ] {
            let error = file(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
