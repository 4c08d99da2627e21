//! Counting what is dropped and naming the first few.

use gait_support::escape_controls;
use serde::{Deserialize, Serialize};

/// How many of something there were, and the first [`Tally::NAMED`] by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many in all.
    pub count: u64,
    /// The first few, each with its reason where there is one.
    pub first: Vec<String>,
}

impl Tally {
    /// How many are named; the rest are only counted, so that a report stays bounded.
    pub const NAMED: usize = 50;

    /// Counts one more and names it while there is room. Control characters, which a file name may
    /// hold, are escaped.
    pub fn add(&mut self, name: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < Self::NAMED {
            self.first.push(escape_controls(&name()).into_owned());
        }
    }

    /// Counts what `other` counted, after this.
    pub fn append(&mut self, other: &Tally) {
        self.count += other.count;
        let room = Self::NAMED - self.first.len().min(Self::NAMED);
        self.first.extend(other.first.iter().take(room).cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_counts_are_not() {
        let mut all = Tally::default();
        for part in 0..3 {
            let mut tally = Tally::default();
            (0..40).for_each(|n| tally.add(|| format!("{part}-{n}")));
            all.append(&tally);
        }
        assert_eq!(all.count, 120);
        assert_eq!(all.first.len(), Tally::NAMED);
        assert_eq!(all.first[40], "1-0");
    }
}
