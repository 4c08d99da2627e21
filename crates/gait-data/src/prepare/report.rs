//! What a preparation did, for the user.

use std::fmt;

use super::CASIA_B_SEQUENCES;
use crate::{Benchmark, PartitionOrigin, SetDescription, Tally};

/// What became of the output folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrepareOutcome {
    /// The set was written.
    Written,
    /// The same set was there already, whole.
    Kept,
    /// The same set was there already; only its partition was rewritten.
    Repartitioned,
}

/// What a preparation did. Its `Display` is the report for the user, several lines.
#[derive(Clone, Debug)]
pub struct PrepareReport {
    /// The set's description.
    pub about: SetDescription,
    /// What became of the output folder.
    pub outcome: PrepareOutcome,
    /// Sequences that an earlier, unfinished run had done.
    pub resumed: u64,
    /// Whether unfinished work of another tree or other settings was thrown away.
    pub discarded: bool,
}

impl PrepareReport {
    /// Inputs that should have counted and could not be used; more than 0 means exit code 1.
    pub fn skipped_inputs(&self) -> u64 {
        self.about.dropped.skipped_inputs()
    }

    /// Remarks that the user should see: where the partition is doubtful, what was resumed.
    pub fn notes(&self) -> Vec<String> {
        let partition = &self.about.partition;
        let mut notes = Vec::new();
        match self.outcome {
            PrepareOutcome::Written => {}
            PrepareOutcome::Kept => notes.push("the set was there already and is kept".into()),
            PrepareOutcome::Repartitioned => {
                notes.push("the set was there already; only its partition is new".into());
            }
        }
        if self.resumed > 0 {
            notes.push(format!("{} sequences were done by an earlier run", self.resumed));
        }
        if self.discarded {
            notes.push("unfinished work of another tree or other settings was discarded".into());
        }
        if partition.origin == PartitionOrigin::Layout {
            notes.push(
                "no partition was given: the layout's own folders decide who trains and who is \
                 tested"
                    .into(),
            );
        }
        if partition.origin == PartitionOrigin::Proportional {
            notes.push(
                "no partition was given: the first 74/124 of the sorted subjects train, the \
                 rest test"
                    .into(),
            );
        }
        let named = |names: &[String]| names[..names.len().min(10)].join(", ");
        if !partition.missing.is_empty() {
            let count = partition.missing.len();
            let names = named(&partition.missing);
            notes
                .push(format!("in the partition but without a sequence: {names} ({count} in all)"));
        }
        if !partition.left_out.is_empty() {
            let count = partition.left_out.len();
            let names = named(&partition.left_out);
            notes.push(format!("in no partition and left out: {names} ({count} in all)"));
        }
        for (side, subjects) in [("train on", &partition.train), ("test on", &partition.test)] {
            if subjects.is_empty() {
                notes.push(format!("the partition leaves no subject to {side}"));
            }
        }
        if self.about.dropped.jpeg_frames > 0 {
            notes.push(format!(
                "{} silhouettes come from JPEG, whose noise around edges shrinks or widens the \
                 walker; PNG or BMP are exact",
                self.about.dropped.jpeg_frames
            ));
        }
        let counts = &self.about.counts;
        let all_subjects = partition.train.len() + partition.test.len() == 124;
        if partition.origin == PartitionOrigin::CasiaB
            && all_subjects
            && counts.sequences != CASIA_B_SEQUENCES
        {
            let found = counts.sequences;
            notes.push(format!("CASIA-B has {CASIA_B_SEQUENCES} sequences, {found} are here"));
        }
        let benchmark = Benchmark::named(&self.about.settings.layout);
        notes.extend(benchmark.and_then(|b| b.difference(counts.subjects, counts.sequences)));
        notes
    }
}

impl fmt::Display for PrepareReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SetDescription { counts, partition, dropped, settings, .. } = &self.about;
        let size = settings.height;
        writeln!(
            f,
            "{} sequences of {} subjects, {} silhouettes of {size} rows, {:.1} MB",
            counts.sequences,
            counts.subjects,
            counts.frames,
            self.about.bytes as f64 / 1e6,
        )?;
        let origin = match &partition.origin {
            PartitionOrigin::File(path) => path.display().to_string(),
            PartitionOrigin::Layout => "the folders of the layout".into(),
            PartitionOrigin::CasiaB => "the standard split of CASIA-B".into(),
            PartitionOrigin::Proportional => "74/124 of the subjects by name".into(),
        };
        let train = partition.train.len();
        let test = partition.test.len();
        writeln!(f, "{train} subjects to train on, {test} to test on ({origin})")?;
        for note in self.notes() {
            writeln!(f, "note: {note}")?;
        }
        write_tally(f, "unreadable images skipped", &dropped.unreadable_images)?;
        write_tally(f, "empty frames dropped", &dropped.faint_frames)?;
        write_tally(f, "misshapen frames skipped", &dropped.misshapen_frames)?;
        write_tally(f, "sequences skipped", &dropped.sequences)?;
        write_tally(f, "sequences kept that may not be silhouettes", &dropped.doubtful)?;
        write_tally(f, "other files ignored", &dropped.strays)
    }
}

/// "3 sequences skipped" and the first few names, if there is any.
fn write_tally(f: &mut fmt::Formatter<'_>, what: &str, tally: &Tally) -> fmt::Result {
    const SHOWN: usize = 5;
    if tally.count == 0 {
        return Ok(());
    }
    writeln!(f, "{} {what}:", tally.count)?;
    for name in tally.first.iter().take(SHOWN) {
        writeln!(f, "  {name}")?;
    }
    if tally.count > SHOWN as u64 {
        writeln!(f, "  ... (prepared.json names up to {})", Tally::NAMED)?;
    }
    Ok(())
}
