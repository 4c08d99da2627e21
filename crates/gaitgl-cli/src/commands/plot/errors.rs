//! `gaitgl plot errors`: the worst errors of a test.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use gait_data::{PreparedSet, SequenceKey};
use gait_eval::{Confusion, Distance, Embeddings, Watch, confusions};
use gaitgl::protocols::{self, names_of};
use gaitgl::settings::Precision;

use super::Target;
use crate::commands::{OnDevice, Trained, test};
use crate::input::expect_folder;
use crate::plot::errors::{Errors as Picture, Shown};
use crate::plot::silhouette::Frames;
use crate::{ExitStatus, progress};

/// Draw the worst errors of a test: whom the network took a probe for, and the right person
///
/// An error is a probe whose nearest sequence of the gallery is of another person. The worst is the
/// one whose own person is farthest behind that sequence.
#[derive(Args)]
pub struct Errors {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    trained: Trained,
    #[command(flatten)]
    on: OnDevice,
    /// File of embeddings of the set instead of a network
    #[arg(long, value_name = "FILE", conflicts_with_all = ["run", "checkpoint"])]
    embeddings: Option<PathBuf>,
    /// Prepared set, as `gaitgl prepare` writes it
    #[arg(long, value_name = "PREPARED")]
    data: PathBuf,
    /// Built-in protocol or protocol file [default: the one that fits the data]
    #[arg(long, value_name = "NAME|FILE.toml")]
    protocol: Option<String>,
    /// Distance between two sequences, as in `gaitgl test`
    #[arg(long, default_value_t = Distance::Strips)]
    distance: Distance,
    /// Errors shown
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=100))]
    count: u16,
    /// Frames of each sequence
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=28))]
    frames: u16,
}

impl Errors {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        self.target.prepare()?;
        expect_folder(&self.data)?;
        let set = PreparedSet::open(&self.data)?;
        let protocol = protocols::for_set(self.protocol.as_deref(), &set)?;
        protocol.check_names(&names_of(&set, &set.test()))?;
        let embeddings = self.embeddings(&set)?;
        let found = progress::watched("Comparing", "probes", |progress, stop| {
            confusions(&embeddings, &protocol, self.distance, &Watch { progress, stop })
        })?;
        if found.is_empty() {
            bail!("no probe is taken for another person, so there is nothing to draw");
        }
        let count = found.len().min(self.count.into());
        let title = format!(
            "{}: the worst {count} of {} probes taken for another person",
            protocol.name(),
            found.len()
        );
        let album = Album::new(&set, &embeddings, self.frames.into());
        let rows = found[..count].iter().map(|error| album.row(error));
        self.target.write(&Picture { title, rows: rows.collect::<anyhow::Result<_>>()? })
    }

    fn embeddings(&self, set: &PreparedSet) -> anyhow::Result<Embeddings> {
        if let Some(path) = &self.embeddings {
            return test::of_test_subjects(gait_embeddings::read(path)?, set);
        }
        let (_, checkpoint) = self.trained.load()?;
        test::embed_set(&checkpoint, set, &set.test(), &self.on.open()?, Precision::F32)
    }
}

/// Finds the silhouettes of embeddings by their names.
struct Album<'a> {
    set: &'a PreparedSet,
    embeddings: &'a Embeddings,
    indices: BTreeMap<&'a SequenceKey, usize>,
    frames: usize,
}

impl<'a> Album<'a> {
    fn new(set: &'a PreparedSet, embeddings: &'a Embeddings, frames: usize) -> Self {
        let entries = set.entries().iter().enumerate();
        let indices = entries.map(|(index, entry)| (&entry.key, index)).collect();
        Self { set, embeddings, indices, frames }
    }

    fn row(&self, error: &Confusion) -> anyhow::Result<[Shown; 3]> {
        let Confusion { group, probe, wrong, right } = error;
        Ok([
            self.shown(*probe, group)?,
            self.shown(wrong.sequence, &format!("{:.3}", wrong.distance))?,
            self.shown(right.sequence, &format!("{:.3}", right.distance))?,
        ])
    }

    /// A sequence of the embeddings with its name and what is said of it.
    fn shown(&self, sequence: usize, about: &str) -> anyhow::Result<Shown> {
        let name = self.embeddings.name(sequence);
        let key = SequenceKey::new(name.subject, name.condition, name.view);
        let index = self.indices.get(&key).with_context(|| {
            let set = self.set.folder().display();
            format!("{set} holds no sequence {key}, which is in the embeddings; give their own set")
        })?;
        let frames = Frames::new(&self.set.clip(*index)?, self.frames);
        Ok(Shown { frames, caption: format!("{name}  {about}") })
    }
}
