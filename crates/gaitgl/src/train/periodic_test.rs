//! The test on the test subjects that a training runs at regular intervals.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use gait_data::{PreparedSet, Watch};
use gait_eval::{Distance, EvalError, Protocol};

use super::{Observer, TestPart, TrainError, Trainer};
use crate::protocols::names_of;

/// A protocol on sequences of some of the test subjects.
#[derive(Clone, Debug)]
pub(super) struct PeriodicTest {
    protocol: Protocol,
    indices: Vec<usize>,
}

impl PeriodicTest {
    /// A test of at most `subjects` test subjects, spread evenly over all of them in the order of
    /// their names; 0 means all.
    ///
    /// # Errors
    /// A protocol that does not fit the names of their sequences.
    pub(super) fn new(
        protocol: Protocol,
        set: &PreparedSet,
        subjects: usize,
    ) -> Result<Self, EvalError> {
        let mut indices = set.test();
        let all: BTreeSet<&str> = indices.iter().map(|&i| subject(set, i)).collect();
        let most = if subjects == 0 { all.len() } else { subjects.min(all.len()) };
        let places = (0..most).map(|place| place * all.len() / most);
        let names: Vec<&str> = all.iter().copied().collect();
        let chosen: BTreeSet<&str> = places.map(|place| names[place]).collect();
        indices.retain(|&index| chosen.contains(subject(set, index)));
        protocol.check_names(&names_of(set, &indices))?;
        Ok(Self { protocol, indices })
    }

    /// Number of sequences in the test.
    pub(super) fn sequences(&self) -> usize {
        self.indices.len()
    }

    /// Name of the metric.
    pub(super) fn metric(&self) -> String {
        self.protocol.metrics().first().map(ToString::to_string).unwrap_or_default()
    }

    /// The mean of the first metric over the groups of probes in percent; `None` if there is nothing
    /// to compare.
    pub(super) fn score(
        &self,
        trainer: &Trainer,
        set: &PreparedSet,
        observer: &dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Option<f64>, TrainError> {
        let progress = |done, total| observer.testing(TestPart::Embedding, done, total);
        let watch = Watch { progress: &progress, stop };
        let embeddings = trainer.embedder().embed_set(set, &self.indices, &watch)?;
        let progress = |done, total| observer.testing(TestPart::Comparing, done, total);
        let watch = Watch { progress: &progress, stop };
        let found = gait_eval::evaluate(&embeddings, &self.protocol, Distance::Strips, &watch)?;
        Ok(found.mean.first().copied().flatten())
    }
}

fn subject(set: &PreparedSet, index: usize) -> &str {
    &set.entry(index).key.subject
}
