//! `gaitgl plot tsne`: maps of embeddings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use gait_data::{PreparedSet, SequenceKey};
use gait_eval::{Distance, Embeddings, Name, Watch};
use gaitgl::protocols::names_of;
use gaitgl::settings::Precision;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{Labels, Target};
use crate::commands::{OnDevice, Trained, seed_parser, test};
use crate::input::expect_folder;
use crate::plot::tsne::{Map, Maps, map};
use crate::{ExitStatus, progress};

/// Draw maps of embeddings by t-SNE, one for each network (Fig. 5 of the paper)
///
/// The people and the samples are drawn at random from the test subjects and are the same in all
/// maps. The same seed gives the same picture.
#[derive(Args)]
pub struct Tsne {
    #[command(flatten)]
    target: Target,
    /// Run folders, checkpoint files, or files of embeddings (.npz, .parquet)
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    labels: Labels,
    /// Prepared set whose test subjects runs and checkpoints embed; with it, only its test subjects
    /// are taken from files of embeddings
    #[arg(long, value_name = "PREPARED")]
    data: Option<PathBuf>,
    /// Number of people
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=30))]
    subjects: u16,
    /// Number of samples of each person
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(2..=200))]
    samples: u16,
    /// About the number of neighbours of a sample that count; fewer if there are few samples
    #[arg(long, value_name = "NUMBER", default_value_t = 20.0)]
    perplexity: f32,
    /// Distance between two embeddings, as in `gaitgl test`
    #[arg(long, default_value_t = Distance::Strips)]
    distance: Distance,
    /// Seed of the choice of people and samples and of the maps
    #[arg(long, default_value_t = 1, value_parser = seed_parser())]
    seed: u64,
    #[command(flatten)]
    on: OnDevice,
}

impl Tsne {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        self.target.prepare()?;
        if !(self.perplexity >= 1.0 && self.perplexity.is_finite()) {
            bail!("--perplexity {}: give a number of 1 or more", self.perplexity);
        }
        let titles = self.labels.of(&self.inputs)?;
        self.data.as_deref().map_or(Ok(()), expect_folder)?;
        let set = self.data.as_deref().map(PreparedSet::open).transpose()?;
        let inputs = self.inputs.iter().map(|path| Input::open(path, set.as_ref()));
        let inputs: Vec<Input> = inputs.collect::<anyhow::Result<_>>()?;
        let samples = self.choose(&inputs)?;
        let people: Vec<String> = samples.keys().cloned().collect();
        let names: Vec<SequenceKey> = samples.into_values().flatten().collect();
        let class = |name: &SequenceKey| people.iter().position(|person| *person == name.subject);
        let classes = names.iter().filter_map(class).collect();
        let mut maps = Vec::new();
        for (title, input) in titles.into_iter().zip(inputs) {
            let embeddings = input.embeddings(&names, &self.on)?;
            let points = progress::watched("Mapping", "steps", |progress, stop| {
                let watch = Watch { progress, stop };
                map(&embeddings, self.distance, self.perplexity, self.seed, &watch)
            })?;
            maps.push(Map { title, points });
        }
        self.target.write(&Maps { maps, people, classes })
    }

    /// Samples by person, from those that all inputs have. People with too few samples are passed
    /// over while there are others.
    fn choose(&self, inputs: &[Input]) -> anyhow::Result<BTreeMap<String, Vec<SequenceKey>>> {
        let mut common = inputs.iter().map(Input::names).reduce(|a, b| &a & &b).unwrap_or_default();
        let mut people: BTreeMap<String, Vec<SequenceKey>> = BTreeMap::new();
        while let Some(name) = common.pop_first() {
            people.entry(name.subject.clone()).or_default().push(name);
        }
        if people.is_empty() {
            bail!(
                "the inputs have no sequence in common; give embeddings of the same test subjects"
            );
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let wanted = usize::from(self.samples);
        let mut chosen: Vec<(String, Vec<SequenceKey>)> = people.into_iter().collect();
        chosen.shuffle(&mut rng);
        chosen.sort_by_key(|(_, samples)| samples.len() < wanted);
        chosen.truncate(self.subjects.into());
        for (_, samples) in &mut chosen {
            samples.shuffle(&mut rng);
            samples.truncate(wanted);
        }
        Ok(chosen.into_iter().collect())
    }
}

fn key(name: Name) -> SequenceKey {
    SequenceKey::new(name.subject, name.condition, name.view)
}

/// Where a map's embeddings come from.
enum Input<'a> {
    /// A network and the set that it embeds.
    Network { trained: Trained, set: &'a PreparedSet },
    /// Embeddings of a file.
    File { path: PathBuf, embeddings: Embeddings },
}

impl<'a> Input<'a> {
    fn open(path: &Path, set: Option<&'a PreparedSet>) -> anyhow::Result<Self> {
        if gait_embeddings::Format::from_path(path).is_ok() && !path.is_dir() {
            let embeddings = gait_embeddings::read(path)?;
            let embeddings = match set {
                Some(set) => test::of_test_subjects(embeddings, set)?,
                None => embeddings,
            };
            return Ok(Self::File { path: path.to_path_buf(), embeddings });
        }
        let set = set.with_context(|| {
            format!(
                "{} is no file of embeddings; give the set to embed with --data",
                path.display()
            )
        })?;
        Ok(Self::Network { trained: Trained::at(path), set })
    }

    /// The names of all samples: subject, condition and view.
    fn names(&self) -> BTreeSet<SequenceKey> {
        match self {
            Self::Network { set, .. } => names_of(set, &set.test()).into_iter().map(key).collect(),
            Self::File { embeddings, .. } => embeddings.names().into_iter().map(key).collect(),
        }
    }

    /// The embeddings of some samples, in their order.
    fn embeddings(self, names: &[SequenceKey], on: &OnDevice) -> anyhow::Result<Embeddings> {
        let places = |all: Vec<Name>| -> BTreeMap<SequenceKey, usize> {
            all.into_iter().enumerate().rev().map(|(at, name)| (key(name), at)).collect()
        };
        match self {
            Self::Network { trained, set } => {
                let all: Vec<usize> = (0..set.len()).collect();
                let places = places(names_of(set, &all));
                let indices: Vec<usize> = names.iter().map(|name| places[name]).collect();
                let (_, checkpoint) = trained.load()?;
                test::embed_set(&checkpoint, set, &indices, &on.open()?, Precision::F32)
            }
            Self::File { path, embeddings: e } => {
                let places = places(e.names());
                let values = names.iter().flat_map(|name| e.row(places[name])).copied().collect();
                let names = names
                    .iter()
                    .cloned()
                    .map(|SequenceKey { subject, condition, view }| (subject, condition, view));
                let chosen = Embeddings::new(e.channels(), e.strips(), values, names);
                chosen.with_context(|| format!("{} cannot be drawn", path.display()))
            }
        }
    }
}
