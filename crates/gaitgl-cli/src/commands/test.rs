//! `gaitgl test`: tests a network by a protocol.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::bail;
use burn::tensor::Device;
use clap::Args;
use gait_data::{PartitionFile, PreparedSet};
use gait_eval::{Confidence, Distance, Embeddings, Evaluation, Protocol, Watch};
use gait_support::files::check_writable;
use gaitgl::checkpoint::Checkpoint;
use gaitgl::embed::Embedder;
use gaitgl::protocols::{self, PublishedChoice, names_of, show_published};
use gaitgl::settings::{Precision, Settings};
use serde_json::Value;

use super::statistics::{confidence, published};
use super::{OnDevice, Trained, precision_parser, print_line};
use crate::files::{self, JsonTarget};
use crate::input::expect_folder;
use crate::{ExitStatus, progress};

/// Test a network on the test subjects of a prepared set and print a table of accuracies
///
/// With --embeddings, the embeddings in a file are tested instead, from this or any other program.
/// The file is a .npz or .parquet file as `gaitgl embed` writes it. Accuracies are in percent.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Test {
    #[command(flatten)]
    trained: Trained,
    #[command(flatten)]
    on: OnDevice,
    /// Number format of the convolutions: f32, or bf16, which is faster on some processors (see
    /// `gaitgl info --machine`)
    #[arg(long, value_name = "f32|bf16", default_value = "f32", value_parser = precision_parser(["f32", "bf16"]))]
    precision: Precision,
    /// File of embeddings to test instead of a network
    #[arg(long, value_name = "FILE", conflicts_with_all = ["run", "checkpoint"])]
    embeddings: Option<PathBuf>,
    /// Partition in OpenGait's JSON format; its PROBE_SET names the probes of the embeddings (Gait3D)
    #[arg(long, value_name = "FILE.json", requires = "embeddings", conflicts_with = "data")]
    partition: Option<PathBuf>,
    /// Prepared set, as `gaitgl prepare` writes it. With --embeddings, only its test subjects are
    /// tested
    #[arg(long, value_name = "PREPARED", required_unless_present = "embeddings")]
    data: Option<PathBuf>,
    /// Built-in protocol or protocol file [default: the one that fits the data]
    #[arg(long, value_name = "NAME|FILE.toml")]
    protocol: Option<String>,
    /// Distance between two sequences: strips (Euclidean distance per strip, averaged), flat
    /// (Euclidean distance of whole embeddings) or cosine (cosine distance per strip, averaged)
    #[arg(long, default_value_t = Distance::Strips)]
    distance: Distance,
    /// Published figures beside the result: all, none, or those of a preset [default: those of the
    /// network's own preset, if they are of the same views]
    #[arg(long, value_name = "all|none|PRESET", value_parser = published)]
    published: Option<PublishedChoice>,
    /// Also print confidence intervals of this percentage, by a bootstrap over subjects
    #[arg(long, value_name = "PERCENT", value_parser = confidence)]
    confidence: Option<Confidence>,
    /// Write the result as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<JsonTarget>,
    /// Also print equal error rates and true accept rates
    #[arg(long)]
    verify: bool,
    /// Write the ROC curves as CSV
    #[arg(long, value_name = "FILE.csv")]
    roc: Option<PathBuf>,
    /// Write the submission file for the competition of the protocol
    #[arg(long, value_name = "FILE.csv")]
    submission: Option<PathBuf>,
}

/// What is tested.
struct Tested {
    embeddings: Embeddings,
    protocol: Protocol,
    /// Those of the network, unless the embeddings are from a file.
    settings: Option<Settings>,
}

impl Test {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        self.check_targets()?;
        self.data.as_deref().map_or(Ok(()), expect_folder)?;
        let set = self.data.as_deref().map(PreparedSet::open).transpose()?;
        let started = Instant::now();
        let Tested { embeddings, protocol, settings } = self.embeddings(set.as_ref())?;
        if let Some(path) = &self.submission {
            self.submit(path, &embeddings, &protocol)?;
        }
        if !self.wants_table(&protocol) {
            return Ok(ExitStatus::Done);
        }
        let mut evaluation = evaluate(&embeddings, &protocol, self.distance)?;
        let seconds = started.elapsed().as_secs_f64();
        let choice = self.published.as_ref().unwrap_or(&PublishedChoice::Own);
        let notes = show_published(&mut evaluation, &protocol, choice, settings.as_ref());
        let notes: Vec<String> = notes.iter().map(|note| format!("note: {note}\n")).collect();
        print_line(format!("{evaluation}{}", notes.concat()));
        let embedded = match settings {
            Some(_) => format!(", embedded in {}", self.precision),
            None => String::new(),
        };
        print_line(format!("{} sequences in {seconds:.1} s{embedded}", evaluation.sequences));
        let mut json = evaluation.to_json(seconds);
        if settings.is_some() {
            json["precision"] = self.precision.to_string().into();
        }
        if let Some(confidence) = self.confidence {
            json["confidence"] = intervals(&evaluation, confidence)?;
        }
        if self.verify || self.roc.is_some() {
            json["verification"] = self.verification(&embeddings, &protocol)?;
        }
        if let Some(target) = &self.json {
            target.write(&json)?;
        }
        Ok(ExitStatus::Done)
    }

    /// Checks before the work starts that every result can be written.
    fn check_targets(&self) -> anyhow::Result<()> {
        if let Some(target) = &self.json {
            target.prepare()?;
        }
        for path in self.roc.iter().chain(&self.submission) {
            check_writable(path)?;
        }
        Ok(())
    }

    /// The embeddings to test and the protocol for them.
    fn embeddings(&self, set: Option<&PreparedSet>) -> anyhow::Result<Tested> {
        let name = self.protocol.as_deref();
        if let Some(path) = &self.embeddings {
            let probe = self.partition.as_deref().map(read_probe).transpose()?;
            let embeddings = gait_embeddings::read(path)?;
            let embeddings = match set {
                Some(set) => of_test_subjects(embeddings, set)?,
                None => embeddings,
            };
            let about = set.map(PreparedSet::about);
            let protocol = protocols::for_data(name, embeddings.conditions(), about)?;
            let protocol = match probe {
                Some(probe) => protocol.with_listed(probe),
                None => protocol,
            };
            return Ok(Tested { embeddings, protocol, settings: None });
        }
        let Some(set) = set else { bail!("give --data PREPARED or --embeddings FILE") };
        let protocol = protocols::for_set(name, set)?;
        let names = names_of(set, &set.test());
        if self.submission.is_some() {
            protocol.check_submission(&names)?;
        }
        if self.wants_table(&protocol) {
            protocol.check_names(&names)?;
        }
        let (_, checkpoint) = self.trained.load()?;
        warn_of_known_subjects(&checkpoint, set);
        let device = self.on.open()?;
        let embeddings = embed_set(&checkpoint, set, &set.test(), &device, self.precision)?;
        Ok(Tested { embeddings, protocol, settings: Some(checkpoint.settings) })
    }

    /// Whether to print a table. With --submission alone there may be nothing to score, because the
    /// identities of the probes are not public.
    fn wants_table(&self, protocol: &Protocol) -> bool {
        let figures =
            self.json.is_some() || self.verify || self.roc.is_some() || self.confidence.is_some();
        self.submission.is_none() || figures || protocol.group_names().len() > 0
    }

    fn submit(
        &self,
        path: &Path,
        embeddings: &Embeddings,
        protocol: &Protocol,
    ) -> anyhow::Result<()> {
        let submission = progress::watched("Ranking", "probes", |progress, stop| {
            let watch = Watch { progress, stop };
            gait_eval::submission(embeddings, protocol, self.distance, &watch)
        })?;
        files::write(path, submission.to_string().as_bytes())?;
        print_line(format!("{}: written", path.display()));
        Ok(())
    }

    fn verification(&self, embeddings: &Embeddings, protocol: &Protocol) -> anyhow::Result<Value> {
        let verification = progress::watched("Verifying", "probes", |progress, stop| {
            gait_eval::verify(embeddings, protocol, self.distance, &Watch { progress, stop })
        })?;
        print_line(format!("\n{verification}"));
        if let Some(path) = &self.roc {
            files::write(path, verification.roc_csv().as_bytes())?;
        }
        Ok(verification.to_json())
    }
}

/// Prints the confidence intervals of a result and returns them as JSON.
fn intervals(evaluation: &Evaluation, confidence: Confidence) -> anyhow::Result<Value> {
    let intervals = progress::watched("Resampling", "resamples", |progress, stop| {
        evaluation.outcomes.intervals(confidence, &Watch { progress, stop })
    })?;
    print_line(format!("\n{intervals}"));
    Ok(intervals.to_json())
}

/// The embeddings of the test subjects of a set: the network may have been trained on the others.
pub fn of_test_subjects(embeddings: Embeddings, set: &PreparedSet) -> anyhow::Result<Embeddings> {
    let test = &set.about().partition.test;
    let all = embeddings.len();
    let tested = embeddings.filtered(|name| test.iter().any(|subject| subject == name.subject));
    let Some(embeddings) = tested else {
        bail!("no sequence in the embeddings belongs to a test subject of the set in --data");
    };
    if embeddings.len() < all {
        print_line(format!("{} of {all} sequences are of test subjects", embeddings.len()));
    }
    Ok(embeddings)
}

/// Warns if test subjects have the names of people that the network was trained on.
fn warn_of_known_subjects(checkpoint: &Checkpoint, set: &PreparedSet) {
    let test = &set.about().partition.test;
    let known = test.iter().filter(|subject| checkpoint.subjects.contains(subject)).count();
    if known > 0 {
        print_line(format!(
            "{known} of {} test subjects have names that the network was trained on: if they are \
             the same people, the accuracies are too high",
            test.len()
        ));
    }
}

/// The probes that a partition file names.
fn read_probe(path: &Path) -> anyhow::Result<Vec<String>> {
    Ok(PartitionFile::read(path)?.into_probe()?)
}

/// Tests embeddings by a protocol and shows the progress.
pub fn evaluate(
    embeddings: &Embeddings,
    protocol: &Protocol,
    distance: Distance,
) -> anyhow::Result<Evaluation> {
    progress::watched("Comparing", "probes", |progress, stop| {
        gait_eval::evaluate(embeddings, protocol, distance, &Watch { progress, stop })
    })
}

/// Embeds some sequences of a set with the network of a checkpoint on `device`, in `precision`.
pub fn embed_set(
    checkpoint: &Checkpoint,
    set: &PreparedSet,
    indices: &[usize],
    device: &Device,
    precision: Precision,
) -> anyhow::Result<Embeddings> {
    let embedder = Embedder::in_precision(checkpoint, device, precision)?;
    progress::watched("Embedding", "sequences", |progress, stop| {
        embedder.embed_set(set, indices, &Watch { progress, stop })
    })
}
