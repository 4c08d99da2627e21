//! A network that embeds walks, and the people of a gallery who are compared with them.

use std::fmt;
use std::sync::atomic::Ordering;

use anyhow::bail;
use clap::Args;
use gait_data::{Clip, PreparedSet, SequenceKey};
use gait_eval::{Distance, Embeddings, OpenSetRule, Stopped};
use gait_gallery::{By, Calibration, Candidate, Decision, Gallery, Index, Network};
use gaitgl::Embedder;
use gaitgl::builtin::{self, DefaultRule};
use gaitgl::settings::Precision;

use crate::commands::{OnDevice, Trained, precision_parser, print_line};
use crate::progress;
use crate::source::walk::Walk;

/// The network that embeds walks, and where it runs.
#[derive(Args)]
pub struct WithNetwork {
    #[command(flatten)]
    trained: Trained,
    #[command(flatten)]
    on: OnDevice,
    /// Number format of the convolutions [default: bf16 on a processor that is faster in it, otherwise
    /// f32]
    #[arg(long, value_name = "f32|bf16", value_parser = precision_parser(["f32", "bf16"]))]
    precision: Option<Precision>,
}

/// A network that embeds walks.
pub struct Recognizer {
    embedder: Embedder,
    /// Rows of its silhouettes.
    pub height: usize,
    /// What it is called in reports.
    pub name: String,
    /// Its embeddings.
    pub network: Network,
    default_rule: Option<&'static DefaultRule>,
}

impl WithNetwork {
    /// Loads the network that was asked for, or the one that ships.
    pub fn load(&self) -> anyhow::Result<Recognizer> {
        let (path, checkpoint) = self.trained.load_or_builtin()?;
        let device = self.on.open()?;
        let fastest = Precision::fastest_on(&device);
        let precision = self.precision.unwrap_or(fastest);
        if self.precision.is_none() && precision != Precision::F32 {
            print_line(format!("embedding in {precision}, the faster format on this machine"));
        }
        let embedder = Embedder::in_precision(&checkpoint, &device, precision)?;
        let [channels, strips] = embedder.shape();
        let fingerprint = checkpoint.fingerprint();
        let is_builtin = builtin::checkpoint()?.fingerprint() == fingerprint;
        let network = Network { fingerprint: fingerprint.to_string(), channels, strips };
        Ok(Recognizer {
            embedder,
            height: checkpoint.settings.model.height,
            name: path.display().to_string(),
            network,
            default_rule: is_builtin.then_some(&builtin::RULE),
        })
    }
}

impl Recognizer {
    /// The values of the embedding of each window of a walk.
    pub fn embed(&self, walk: &Walk) -> anyhow::Result<Vec<Vec<f32>>> {
        walk.windows().map(|clip| self.embed_clip(&clip)).collect()
    }

    /// The values of the embedding of a clip, `[c, p]`.
    pub fn embed_clip(&self, clip: &Clip) -> anyhow::Result<Vec<f32>> {
        Ok(self.embedder.embed(clip)?.values().to_vec())
    }

    /// The embeddings of the windows of some sequences of a prepared set, with the names of the
    /// sequences. `gaitgl enrol` makes the same ones.
    pub fn embed_set(&self, set: &PreparedSet, indices: &[usize]) -> anyhow::Result<Embeddings> {
        let Network { channels, strips, .. } = self.network;
        let mut values = Vec::new();
        let mut columns = [const { Vec::new() }; 3];
        progress::watched("Embedding", "sequences", |progress, stop| {
            for (done, &index) in (1..).zip(indices) {
                if stop.load(Ordering::Relaxed) {
                    bail!(Stopped);
                }
                let walk = Walk::of_set(set, index)?;
                let SequenceKey { subject, condition, view } = &set.entry(index).key;
                for window in self.embed(&walk)? {
                    values.extend(window);
                    let names = [subject, condition, view];
                    columns.iter_mut().zip(names).for_each(|(c, name)| c.push(name.clone()));
                }
                progress(done, indices.len() as u64);
            }
            Ok(Embeddings::from_columns(channels, strips, values, columns)?)
        })
    }

    /// Embeddings as gait-eval compares them.
    pub fn embeddings(&self, windows: &[Vec<f32>]) -> anyhow::Result<Embeddings> {
        let Network { channels, strips, .. } = self.network;
        let names = (0..windows.len()).map(|at| (String::new(), at.to_string(), String::new()));
        Ok(Embeddings::new(channels, strips, windows.concat(), names)?)
    }

    /// The rule that ships with the network, if it ships.
    pub fn default_rule(&self) -> Option<&'static DefaultRule> {
        self.default_rule
    }
}

/// The rule by which people are named, and where it is from.
pub enum Rule {
    /// Calibrated for the gallery.
    Calibrated(Calibration),
    /// That of the network that ships.
    Default(&'static DefaultRule),
}

impl Rule {
    /// The rule itself.
    pub fn rule(&self) -> OpenSetRule {
        match self {
            Self::Calibrated(calibration) => calibration.rule,
            Self::Default(default) => default.rule,
        }
    }

    /// The distance that it is about.
    pub fn distance(&self) -> Distance {
        match self {
            Self::Calibrated(calibration) => calibration.distance,
            Self::Default(default) => default.distance,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let threshold = self.rule().threshold;
        match self {
            Self::Calibrated(Calibration { false_accept_rate, pairs, source, .. }) => write!(
                f,
                "threshold {threshold:.3}, calibrated on {pairs} pairs of different people of {source}: {:.2}% of them \
                 are accepted wrongly",
                100.0 * false_accept_rate
            ),
            Self::Default(DefaultRule { false_accept_rate, pairs, .. }) => write!(
                f,
                "default threshold {threshold:.3}, measured on {pairs} pairs of different synthetic people: \
                 {:.2}% of them are accepted wrongly; `gaitgl calibrate` fits it to your gallery",
                100.0 * false_accept_rate
            ),
        }
    }
}

/// A gallery that is searched.
pub struct Search {
    gallery: Gallery,
    who: String,
    network: Network,
    index: Index,
    /// How people are named.
    pub rule: Rule,
}

impl Search {
    /// Reads the people of a gallery.
    pub fn new(gallery: Gallery, by: &By, recognizer: &Recognizer) -> anyhow::Result<Self> {
        gallery.check_network(&recognizer.network)?;
        let calibrated = gallery.calibration()?.map(Rule::Calibrated);
        let Some(rule) = calibrated.or_else(|| recognizer.default_rule.map(Rule::Default)) else {
            bail!(
                "the gallery has no threshold for the network {}; run `gaitgl calibrate` first",
                recognizer.name
            );
        };
        let network = recognizer.network.clone();
        let index = gallery.index(&network, rule.distance(), by.at)?;
        Ok(Self { gallery, who: by.who.clone(), network, index, rule })
    }

    /// Number of people who can be named.
    pub fn subjects(&self) -> usize {
        self.index.subjects()
    }

    /// Who the windows of a track show, and the `most` nearest people.
    pub fn decide(
        &mut self,
        windows: &Embeddings,
        most: usize,
    ) -> anyhow::Result<(Decision, Vec<Candidate>)> {
        let now = By::now(&*self.who).at;
        if self.gallery.revision()? != self.index.revision() {
            self.index = self.gallery.index(&self.network, self.rule.distance(), now)?;
        }
        let candidates = self.index.rank(windows, now, most)?;
        Ok((Decision::new(&candidates, self.rule.rule()), candidates))
    }

    /// Writes a decision to the audit.
    pub fn record(
        &mut self,
        source: &str,
        decision: &Decision,
        candidates: &[Candidate],
    ) -> anyhow::Result<()> {
        let by = By::now(&*self.who);
        Ok(self.gallery.record(&decision.event(source, candidates), &by)?)
    }
}
