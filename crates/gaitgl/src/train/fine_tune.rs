//! Fine-tuning: a training that starts from the weights of a network, with classes of its own.

use burn::tensor::Device;

use super::{TrainError, Trainer};
use crate::checkpoint::Checkpoint;
use crate::net::GaitGl;
use crate::settings::Settings;

/// How the names of the classifier's tensors begin.
const CLASSIFIER: &str = "head.classifier";

/// Keeps the statistics of the batch norm if `train.frozen_statistics` says so.
pub(super) fn freeze(network: &mut GaitGl, settings: &Settings) {
    if settings.train.frozen_statistics {
        network.freeze_statistics();
    }
}

impl Trainer {
    /// A training of other subjects that starts from the weights of `from`, batch-norm statistics
    /// included. The classifier, whose classes are new, is initialised from `train.seed`.
    ///
    /// # Errors
    /// As [`Trainer::new`], and tensors that do not fit the settings.
    pub fn fine_tune(
        from: &Checkpoint,
        settings: Settings,
        subjects: Vec<String>,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let trainer = Self::new(settings, subjects, device)?;
        let mut weights = from.weights.clone();
        weights.retain(|name, _| !name.starts_with(CLASSIFIER));
        let own = trainer.network.tensors().into_iter();
        weights.extend(own.filter(|(name, _)| name.starts_with(CLASSIFIER)));
        trainer.with_weights(&weights)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::run::RunFolder;
    use crate::train::tests::{tiny, walkers};
    use crate::train::{StartError, StartNote, begin_from, resume};

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|i| format!("person {i}")).collect()
    }

    /// A network of two other people with weights of its own.
    fn other() -> Checkpoint {
        let mut settings = tiny();
        settings.train.seed = 9;
        Trainer::new(settings, names(2), &crate::cpu()).unwrap().checkpoint(None).unwrap()
    }

    #[test]
    fn all_but_the_classifier_is_taken_over() {
        let from = other();
        let tuned = Trainer::fine_tune(&from, tiny(), names(5), &crate::cpu()).unwrap();
        assert_eq!(tuned.iteration(), 0);
        for (name, weight) in tuned.network.tensors() {
            let taken = from.weights[&name] == weight;
            assert_eq!(taken, !name.starts_with(CLASSIFIER), "{name}");
        }
    }

    #[test]
    fn frozen_statistics_stay_while_the_rest_learns() {
        let folder = tempfile::tempdir().unwrap();
        let set = walkers(folder.path());
        let from = other();
        let mut settings = tiny();
        settings.train.frozen_statistics = true;
        let run = RunFolder::new(folder.path().join("run"));
        let mut started = begin_from(run, &set, settings, &from, &crate::cpu()).unwrap();
        started.session.run(&mut (), &AtomicBool::new(false)).unwrap();
        let tensors = started.session.trainer().checkpoint(None).unwrap().weights;
        let same = |name: &str| tensors[name] == from.weights[name];
        assert!(same("head.norm.running_mean") && same("head.norm.running_variance"));
        assert!(!same("head.norm.scale") && !same("head.fc.weight"));
    }

    /// A run that is stopped before its first step still starts from the network.
    #[test]
    fn a_run_resumes_from_the_network_that_it_started_from() {
        let folder = tempfile::tempdir().unwrap();
        let set = walkers(folder.path());
        let from = other();
        let run = RunFolder::new(folder.path().join("run"));
        drop(begin_from(run.clone(), &set, tiny(), &from, &crate::cpu()).unwrap());
        let resumed = resume(run, &set, &crate::cpu(), Ok).unwrap();
        assert_eq!(resumed.notes, [StartNote::Resumed { iteration: 0 }]);
        let weights = resumed.session.trainer().checkpoint(None).unwrap().weights;
        assert_eq!(weights["head.fc.weight"], from.weights["head.fc.weight"]);
    }

    #[test]
    fn the_network_cannot_be_changed() {
        let folder = tempfile::tempdir().unwrap();
        let set = walkers(folder.path());
        let from = other();
        let mut settings = tiny();
        settings.model.channels = vec![2, 2, 2];
        let run = RunFolder::new(folder.path().join("run"));
        let error = begin_from(run, &set, settings, &from, &crate::cpu()).map(drop).unwrap_err();
        assert!(matches!(error, StartError::FixedNetwork), "{error}");
        assert!(!folder.path().join("run").exists());
    }
}
