//! Starting and resuming a training, with every check before the first step.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::Device;
use gait_data::{ClipSampler, DataError, PreparedSet};
use gait_eval::EvalError;
use gait_support::start_pool;

use super::periodic_test::PeriodicTest;
use super::{Session, TrainError, Trainer};
use crate::checkpoint::Checkpoint;
use crate::embed::{EmbedError, check_size};
use crate::protocols::{self, ProtocolChoiceError};
use crate::run::{DataRecord, RunError, RunFolder};
use crate::settings::{Settings, SettingsError};

/// A training that is ready to run, and what its user should know about it.
pub struct Started {
    /// The training.
    pub session: Session,
    /// Facts worth showing, in the order in which they were found.
    pub notes: Vec<StartNote>,
}

/// Something that the user of a training should know. None of it is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartNote {
    /// A batch has one sequence per subject, so there is no pair of one person and no triplet.
    NoTriplets {
        /// Whether a classifier learns nevertheless.
        classifies: bool,
    },
    /// There are no tests during training, since the protocol only describes a submission.
    NoTests {
        /// The protocol's name.
        protocol: String,
    },
    /// The tests during training use some of the test sequences (`train.test_subjects`).
    PartialTests {
        /// Sequences of such a test.
        sequences: usize,
        /// Test sequences of the set.
        all: usize,
    },
    /// An earlier version started the run and did not record which set it trains on, so the set
    /// could not be compared. From now on it is.
    DataNotRecorded,
    /// The run continues after this iteration.
    Resumed {
        /// Iterations done.
        iteration: u64,
    },
}

impl fmt::Display for StartNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTriplets { classifies } => {
                let learns =
                    if *classifies { "only the classifier learns" } else { "nothing learns" };
                write!(
                    f,
                    "train.batch.sequences = 1 leaves no two sequences of one subject in a batch: \
                     the triplet loss is always 0, and {learns}"
                )
            }
            Self::NoTests { protocol } => {
                write!(f, "no tests during training: {protocol} only writes a submission")
            }
            Self::PartialTests { sequences, all } => write!(
                f,
                "tests during training: {sequences} of {all} sequences (train.test_subjects)"
            ),
            Self::DataNotRecorded => f.write_str(
                "the run does not record which set it was trained on, so this set was not compared \
                 with it",
            ),
            Self::Resumed { iteration } => write!(f, "resuming after iteration {iteration}"),
        }
    }
}

/// A training that cannot be started or resumed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The silhouettes do not fit the network.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The set cannot serve the batches of the recipe.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The protocol of the tests during training cannot be used.
    #[error(transparent)]
    Protocol(#[from] ProtocolChoiceError),
    /// The protocol of the tests during training does not fit the set.
    #[error("the tests during training cannot be run with the protocol {protocol}")]
    Test {
        /// The protocol's name.
        protocol: String,
        /// Why.
        source: EvalError,
    },
    /// The network or its optimiser cannot be made.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The run folder cannot be used.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A resumed run would have another network.
    #[error("a resumed run cannot change its network (model.*)")]
    OtherNetwork,
    /// A run that starts from a network would have another one.
    #[error("a run that starts from a network cannot change it (model.*)")]
    FixedNetwork,
    /// The set has other training subjects than the run.
    #[error("{} was not trained on the training subjects of {}", .run.display(), .set.display())]
    OtherSubjects {
        /// The run folder.
        run: PathBuf,
        /// The folder of the set.
        set: PathBuf,
    },
    /// The set has the run's training subjects, but other sequences or silhouettes.
    #[error(
        "{} was trained on other data (from {trained_on}) than {} now holds",
        .run.display(), .set.display()
    )]
    OtherData {
        /// The run folder.
        run: PathBuf,
        /// The folder of the set.
        set: PathBuf,
        /// The folder of the run's own set when it was recorded.
        trained_on: String,
    },
    /// The run has already done more iterations than it should.
    #[error(
        "{} has done {done} iterations, more than train.iterations = {wanted}", .run.display()
    )]
    PastTheEnd {
        /// The run folder.
        run: PathBuf,
        /// Iterations done.
        done: u64,
        /// `train.iterations`.
        wanted: u64,
    },
}

/// The subjects on which settings train, in the order of the classifier's classes: the training
/// subjects of the set that have a sequence.
///
/// # Errors
/// A set whose silhouettes do not fit the network, or that cannot serve the batches of the recipe.
pub fn training_subjects(
    set: &Arc<PreparedSet>,
    settings: &Settings,
) -> Result<Vec<String>, StartError> {
    check_size(&settings.model, set)?;
    let recipe = &settings.train;
    Ok(ClipSampler::new(set.clone(), recipe.batch, recipe.seed)?.classes().to_vec())
}

/// Starts a run in a new folder. The folder is made only after everything else is checked.
///
/// # Errors
/// Settings, a set or a protocol that do not fit together, a folder that already holds a run or
/// cannot be written to.
pub fn begin(
    folder: RunFolder,
    set: &Arc<PreparedSet>,
    settings: Settings,
    device: &Device,
) -> Result<Started, StartError> {
    begin_new(folder, set, settings, None, device)
}

/// [`begin`] from the weights of a network instead of random ones; only its classifier is new. The
/// first checkpoint is written at once, so that the run resumes from it.
///
/// # Errors
/// As [`begin`], and settings of another network than that of `from`.
pub fn begin_from(
    folder: RunFolder,
    set: &Arc<PreparedSet>,
    settings: Settings,
    from: &Checkpoint,
    device: &Device,
) -> Result<Started, StartError> {
    if settings.model != from.settings.model {
        return Err(StartError::FixedNetwork);
    }
    begin_new(folder, set, settings, Some(from), device)
}

fn begin_new(
    mut folder: RunFolder,
    set: &Arc<PreparedSet>,
    mut settings: Settings,
    from: Option<&Checkpoint>,
    device: &Device,
) -> Result<Started, StartError> {
    // Burn's operations would panic where the system limits threads.
    start_pool(None);
    settings.check()?;
    settings.train.protocol = protocols::lasting_name(&settings.train.protocol)?;
    let subjects = training_subjects(set, &settings)?;
    let mut notes = Vec::from_iter(note_on_triplets(&settings));
    let test = periodic_test(set, &settings, &mut notes)?;
    let config = settings.to_toml()?;
    let keep = settings.train.keep;
    let trainer = match from {
        Some(from) => Trainer::fine_tune(from, settings, subjects, device)?,
        None => Trainer::new(settings, subjects, device)?,
    };
    folder.begin(&config, &record_of(set))?;
    if from.is_some() {
        folder.save(&trainer.checkpoint(None)?, keep)?;
    }
    Ok(Started { session: Session::new(trainer, set.clone(), folder, test, None), notes })
}

/// Continues the run of a folder from its newest checkpoint, or from its start if it has none yet.
/// On the CPU the result is bit for bit that of a run that was never stopped.
///
/// `change` receives the settings of the run and returns those to continue with; the network and
/// the kind of optimiser must stay.
///
/// # Errors
/// There is no run, another process trains in the folder, or set, settings and checkpoint do not fit
/// together.
pub fn resume(
    mut folder: RunFolder,
    set: &Arc<PreparedSet>,
    device: &Device,
    change: impl FnOnce(Settings) -> Result<Settings, SettingsError>,
) -> Result<Started, StartError> {
    start_pool(None);
    let checkpoint = folder.resume()?;
    let saved =
        checkpoint.as_ref().map_or_else(|| folder.settings(), |c| Ok(c.settings.clone()))?;
    let mut settings = change(saved.clone())?;
    settings.check()?;
    settings.train.protocol = protocols::lasting_name(&settings.train.protocol)?;
    if settings.model != saved.model {
        return Err(StartError::OtherNetwork);
    }
    let subjects = training_subjects(set, &settings)?;
    if let Some(checkpoint) = &checkpoint {
        check_same_training(&folder, checkpoint, &settings, &subjects, set)?;
    }
    let data = record_of(set);
    let mut notes = check_same_data(&folder, set, &data)?;
    notes.extend(note_on_triplets(&settings));
    let test = periodic_test(set, &settings, &mut notes)?;
    let config = settings.to_toml()?;
    // Scores by two protocols do not compare.
    let same_test = settings.train.protocol == saved.train.protocol;
    let best = checkpoint.as_ref().and_then(|checkpoint| checkpoint.score).filter(|_| same_test);
    let trainer = match checkpoint {
        Some(checkpoint) => Trainer::resume(checkpoint, settings, device)?,
        None => Trainer::new(settings, subjects, device)?,
    };
    folder.rewind_metrics(trainer.iteration())?;
    folder.write_data(&data)?;
    folder.write_config(&config)?;
    notes.push(StartNote::Resumed { iteration: trainer.iteration() });
    Ok(Started { session: Session::new(trainer, set.clone(), folder, test, best), notes })
}

/// Refuses to continue from a checkpoint of other people, or beyond the last iteration.
fn check_same_training(
    folder: &RunFolder,
    checkpoint: &Checkpoint,
    settings: &Settings,
    subjects: &[String],
    set: &PreparedSet,
) -> Result<(), StartError> {
    let run = folder.path().to_path_buf();
    if !checkpoint.trained_on(subjects) {
        return Err(StartError::OtherSubjects { run, set: set.folder().into() });
    }
    let done = checkpoint.iteration;
    let wanted = settings.train.iterations;
    if wanted < done {
        return Err(StartError::PastTheEnd { run, done, wanted });
    }
    Ok(())
}

/// Refuses to continue with other data than the run recorded; a note if it recorded none.
fn check_same_data(
    folder: &RunFolder,
    set: &PreparedSet,
    now: &DataRecord,
) -> Result<Vec<StartNote>, StartError> {
    match folder.data()? {
        None => Ok(vec![StartNote::DataNotRecorded]),
        Some(recorded) if recorded.fingerprint == now.fingerprint => Ok(Vec::new()),
        Some(recorded) => Err(StartError::OtherData {
            run: folder.path().into(),
            set: set.folder().into(),
            trained_on: recorded.folder,
        }),
    }
}

fn record_of(set: &PreparedSet) -> DataRecord {
    let folder = std::path::absolute(set.folder()).unwrap_or_else(|_| set.folder().into());
    DataRecord { fingerprint: set.fingerprint(), folder: folder.display().to_string() }
}

fn note_on_triplets(settings: &Settings) -> Option<StartNote> {
    let classifies = settings.model.neck.classifies();
    (settings.train.batch.sequences == 1).then_some(StartNote::NoTriplets { classifies })
}

/// The test during training, if the recipe has one and the protocol has something to score.
fn periodic_test(
    set: &PreparedSet,
    settings: &Settings,
    notes: &mut Vec<StartNote>,
) -> Result<Option<PeriodicTest>, StartError> {
    let recipe = &settings.train;
    let name = Some(recipe.protocol.as_str()).filter(|name| !name.is_empty());
    let protocol = protocols::for_set(name, set)?;
    if recipe.test_every == 0 || recipe.test_every > recipe.iterations {
        return Ok(None);
    }
    let name = protocol.name().to_owned();
    if protocol.group_names().len() == 0 {
        notes.push(StartNote::NoTests { protocol: name });
        return Ok(None);
    }
    let test = PeriodicTest::new(protocol, set, recipe.test_subjects)
        .map_err(|source| StartError::Test { protocol: name, source })?;
    let all = set.test().len();
    if test.sequences() < all {
        notes.push(StartNote::PartialTests { sequences: test.sequences(), all });
    }
    Ok(Some(test))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::settings::{Optimizer, TrainSettings};
    use crate::train::OptimizerStateError;
    use crate::train::tests::{tiny, walkers};

    /// A run of four iterations in `folder`, and its set.
    fn trained(folder: &std::path::Path) -> (Arc<PreparedSet>, RunFolder) {
        let set = walkers(folder);
        let run = RunFolder::new(folder.join("run"));
        let mut started = begin(run.clone(), &set, tiny(), &crate::cpu()).unwrap();
        assert_eq!(started.notes, []);
        started.session.run(&mut (), &AtomicBool::new(false)).unwrap();
        (set, run)
    }

    fn refusal(
        run: &RunFolder,
        set: &Arc<PreparedSet>,
        change: impl FnOnce(&mut Settings),
    ) -> StartError {
        let change = |mut settings| {
            change(&mut settings);
            Ok(settings)
        };
        resume(run.clone(), set, &crate::cpu(), change).map(drop).unwrap_err()
    }

    #[test]
    fn a_run_is_resumed_as_the_same_training_only() {
        let folder = tempfile::tempdir().unwrap();
        let (set, run) = trained(folder.path());
        let error = refusal(&run, &set, |settings| settings.model.channels = vec![2, 2, 2]);
        assert!(matches!(error, StartError::OtherNetwork), "{error}");
        let error = refusal(&run, &set, |settings| settings.train.iterations = 3);
        assert!(matches!(error, StartError::PastTheEnd { done: 4, wanted: 3, .. }), "{error}");
        let error = refusal(&run, &set, |settings| settings.train.protocol = "ou-mvlp".into());
        assert!(matches!(error, StartError::Test { .. }), "{error}");
        let error = refusal(&run, &set, |settings| settings.train.optimizer = Optimizer::Sgd);
        let StartError::Train(TrainError::Optimizer(error)) = error else { panic!("{error}") };
        assert!(
            matches!(error, OptimizerStateError::OtherKind { setting: "train.optimizer", .. }),
            "{error}"
        );
        let again = begin(run, &set, tiny(), &crate::cpu()).map(drop).unwrap_err();
        assert!(matches!(again, StartError::Run(RunError::Exists(_))), "{again}");
    }

    #[test]
    fn a_run_knows_its_data_from_its_start() {
        let folder = tempfile::tempdir().unwrap();
        let (set, run) = trained(folder.path());
        let longer = |settings: Settings| {
            Ok(Settings { train: TrainSettings { iterations: 6, ..settings.train }, ..settings })
        };
        let notes = |folder: RunFolder| resume(folder, &set, &crate::cpu(), longer).unwrap().notes;
        assert_eq!(notes(run.clone()), [StartNote::Resumed { iteration: 4 }]);
        std::fs::remove_file(run.path().join("data.json")).unwrap();
        let unknown = [StartNote::DataNotRecorded, StartNote::Resumed { iteration: 4 }];
        assert_eq!(notes(run.clone()), unknown);
        assert_eq!(notes(run.clone()), [StartNote::Resumed { iteration: 4 }]);
        let mut other = run.data().unwrap().unwrap();
        other.fingerprint = "0123".into();
        run.write_data(&other).unwrap();
        let error = refusal(&run, &set, |_| ());
        assert!(matches!(error, StartError::OtherData { .. }), "{error}");
    }

    #[test]
    fn what_a_user_should_know_is_noted() {
        let folder = tempfile::tempdir().unwrap();
        let set = walkers(folder.path());
        let notes = |name: &str, change: fn(&mut Settings)| {
            let mut settings = tiny();
            change(&mut settings);
            let run = RunFolder::new(folder.path().join(name));
            begin(run, &set, settings, &crate::cpu()).unwrap().notes
        };
        let single = notes("single", |settings| settings.train.batch.sequences = 1);
        assert_eq!(single, [StartNote::NoTriplets { classifies: true }]);
        let few = notes("few", |settings| settings.train.test_subjects = 1);
        assert_eq!(few, [StartNote::PartialTests { sequences: 20, all: set.test().len() }]);
    }

    /// The optimiser's state too, which Burn lists in the order of a hash map.
    #[test]
    fn equal_trainings_write_equal_checkpoints() {
        let [a, b] = [(), ()].map(|()| {
            let folder = tempfile::tempdir().unwrap();
            let (_, run) = trained(folder.path());
            std::fs::read(run.require_latest().unwrap()).unwrap()
        });
        assert!(a == b, "{} and {} bytes differ", a.len(), b.len());
    }
}
