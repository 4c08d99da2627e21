//! `gaitgl calibrate`: the threshold of a gallery for a false accept rate.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use gait_data::PreparedSet;
use gait_eval::{Distance, Embeddings, OpenSet, OpenSetPoint, Watch, open_set};
use gait_gallery::{Calibration, Gallery, Measured, Timestamp};
use gait_support::files::check_writable;
use serde_json::{Value, json};

use super::print_line;
use crate::files::JsonTarget;
use crate::gallery_file::GalleryFile;
use crate::input::expect_folder;
use crate::plot::Format;
use crate::plot::open_set::OpenSetCurves;
use crate::recognizer::WithNetwork;
use crate::table::{Column, Table};
use crate::{ExitStatus, progress};

/// Set a gallery's threshold: how near a walk must be to be given a name
///
/// Compares the gallery's templates with each other, or the sequences of a prepared set, and chooses
/// the largest distance that accepts at most the wanted fraction of pairs of different people. The
/// threshold is stored in the gallery, with the rate and the number of pairs that it rests on.
///
/// The table shows what other rates would cost. FAR: pairs of different people that are accepted. FRR:
/// pairs of one person that are rejected. FPIR: strangers who are given a name. FNIR: people in the
/// gallery who are not given theirs. A stranger is compared with everybody, so FPIR is above FAR.
///
/// A rate needs three times as many pairs as its inverse: 300 for 0.01.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Calibrate {
    #[command(flatten)]
    file: GalleryFile,
    /// Prepared set to compare instead of the gallery's templates, for galleries of few people. Its
    /// people should be as unknown to the network as those of the gallery; if it has test subjects,
    /// only those are compared
    #[arg(long, value_name = "PREPARED")]
    data: Option<PathBuf>,
    #[command(flatten)]
    network: WithNetwork,
    /// False accept rate, as a fraction
    #[arg(long, value_name = "RATE", default_value_t = 0.01)]
    far: f64,
    /// How much nearer than the second person the first one must be, as a fraction of the second
    /// one's distance
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0, value_parser = margin)]
    margin: f32,
    /// Distance of two walks: strips, flat or cosine, as in `gaitgl test`
    #[arg(long, default_value_t = Distance::Strips)]
    distance: Distance,
    /// Draw the curves; the extension selects the format
    #[arg(long, value_name = "FILE.svg|FILE.png")]
    curve: Option<PathBuf>,
    /// Write threshold and curves as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<JsonTarget>,
}

/// Walks that are compared.
struct Walks {
    embeddings: Embeddings,
    /// The fingerprint of the network.
    network: String,
    source: String,
}

/// False accept rates that the table shows if there are pairs for them.
const SHOWN: [f64; 9] = [0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5, 1e-6];
/// Points of the curves in a picture or in JSON.
const POINTS: usize = 200;

impl Calibrate {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        self.check_targets()?;
        let (mut gallery, by) = self.file.open()?;
        let Walks { embeddings, network, source } = self.walks(&gallery, by.at)?;
        let scores = progress::watched("Comparing", "walks", |progress, stop| {
            open_set(&embeddings, self.distance, &Watch { progress, stop })
        })?;
        let measured = Measured { distance: self.distance, network, source };
        let calibration = Calibration::new(&scores, self.far, self.margin, measured, by.at)?;
        gallery.set_calibration(&calibration, &by)?;
        self.print(&scores, &calibration, &embeddings);
        if let Some(path) = &self.curve {
            let points = scores.curve(self.margin, POINTS);
            let chosen = self.point(&scores, calibration.rule.threshold);
            Format::of(path)?.write(path, &OpenSetCurves { points, chosen })?;
            print_line(format!("{}: written", path.display()));
        }
        if let Some(target) = &self.json {
            target.write(&in_json(&scores, &calibration))?;
        }
        Ok(ExitStatus::Done)
    }

    /// Checks before the work starts that the results can be written.
    fn check_targets(&self) -> anyhow::Result<()> {
        if let Some(path) = &self.curve {
            Format::of(path)?;
            check_writable(path)?;
        }
        Ok(self.json.as_ref().map_or(Ok(()), JsonTarget::prepare)?)
    }

    fn walks(&self, gallery: &Gallery, now: Timestamp) -> anyhow::Result<Walks> {
        if let Some(path) = &self.data {
            return self.walks_of_set(path, gallery);
        }
        let (Some(network), Some(embeddings)) = (gallery.network()?, gallery.embeddings(now)?)
        else {
            bail!(
                "{} holds no templates of people whose consents hold; enrol people first, or \
                 measure on a prepared set with --data",
                self.file.path().display()
            );
        };
        let source = "the gallery".to_owned();
        Ok(Walks { embeddings, network: network.fingerprint, source })
    }

    fn walks_of_set(&self, path: &Path, gallery: &Gallery) -> anyhow::Result<Walks> {
        expect_folder(path)?;
        let set = PreparedSet::open(path)?;
        let recognizer = self.network.load()?;
        gallery.check_network(&recognizer.network)?;
        let test = set.test();
        let indices = if test.is_empty() { (0..set.len()).collect() } else { test };
        let embeddings = recognizer.embed_set(&set, &indices)?;
        let network = recognizer.network.fingerprint;
        Ok(Walks { embeddings, network, source: path.display().to_string() })
    }

    fn point(&self, scores: &OpenSet, threshold: f32) -> OpenSetPoint {
        let rule = gait_eval::OpenSetRule { threshold, margin: self.margin };
        OpenSetPoint { threshold, pairs: scores.pairs(threshold), searches: scores.searches(rule) }
    }

    fn print(&self, scores: &OpenSet, calibration: &Calibration, embeddings: &Embeddings) {
        print_line(format!(
            "{} walks of {}: {} pairs of different people, {} of the same",
            embeddings.len(),
            calibration.source,
            scores.impostors(),
            scores.genuine()
        ));
        print_line(self.table(scores));
        if has_copies(embeddings) {
            print_line(
                "note: some templates are parts of one walk and are much alike, so FRR and FNIR are \
                 too low",
            );
        }
        print_line(format!(
            "threshold {:.4} is stored in {}",
            calibration.rule.threshold,
            self.file.path().display()
        ));
    }

    /// What the chosen rate and some others mean.
    fn table(&self, scores: &OpenSet) -> Table<7> {
        let headings = ["wanted FAR", "threshold", "FAR", "FRR", "FPIR", "FNIR", ""];
        let mut table = Table::new(headings.map(Column::Right));
        let mut rates = SHOWN.to_vec();
        rates.retain(|rate| *rate != self.far);
        rates.push(self.far);
        rates.sort_by(|a, b| b.total_cmp(a));
        for rate in rates {
            let Ok(threshold) = scores.threshold(rate) else { continue };
            let OpenSetPoint { pairs, searches, .. } = self.point(scores, threshold);
            table.row([
                percent(Some(rate)),
                format!("{threshold:.4}"),
                percent(pairs.false_accept),
                percent(pairs.false_reject),
                percent(searches.false_positive),
                percent(searches.false_negative),
                if rate == self.far { "stored".to_owned() } else { String::new() },
            ]);
        }
        table
    }
}

/// Whether some templates of a person are of the same walk.
fn has_copies(e: &Embeddings) -> bool {
    let names = e.names().into_iter();
    let walks: BTreeSet<_> = names.map(|name| (name.subject, name.condition, name.view)).collect();
    walks.len() < e.len()
}

fn percent(rate: Option<f64>) -> String {
    match rate {
        None => "-".to_owned(),
        Some(rate) if rate > 0.0 && rate < 1e-3 => format!("{:.4}%", 100.0 * rate),
        Some(rate) => format!("{:.2}%", 100.0 * rate),
    }
}

fn in_json(scores: &OpenSet, calibration: &Calibration) -> Value {
    let point = |point: &OpenSetPoint| {
        json!({
            "threshold": point.threshold,
            "false_accept": point.pairs.false_accept,
            "false_reject": point.pairs.false_reject,
            "false_positive_identification": point.searches.false_positive,
            "false_negative_identification": point.searches.false_negative,
        })
    };
    let curve = scores.curve(calibration.rule.margin, POINTS);
    json!({
        "calibration": calibration,
        "pairs": { "different": scores.impostors(), "same": scores.genuine() },
        "curve": curve.iter().map(point).collect::<Vec<Value>>(),
    })
}

/// Reads a margin.
fn margin(text: &str) -> Result<f32, String> {
    let margin: Option<f32> = text.parse().ok().filter(|margin| (0.0..1.0).contains(margin));
    margin.ok_or_else(|| "it must be a fraction from 0 to below 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_rates_keep_their_digits() {
        let rates = [None, Some(0.0), Some(0.12345), Some(1e-3), Some(3e-4)].map(percent);
        assert_eq!(rates, ["-", "0.00%", "12.35%", "0.10%", "0.0300%"]);
    }

    #[test]
    fn a_margin_is_a_fraction() {
        assert_eq!(margin("0.25"), Ok(0.25));
        for wrong in ["1", "-0.1", "NaN", "x"] {
            assert!(margin(wrong).is_err(), "{wrong}");
        }
    }
}
