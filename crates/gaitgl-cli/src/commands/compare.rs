//! `gaitgl compare`: are these the same person?

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use anyhow::bail;
use clap::Args;
use gait_eval::{Distance, Embeddings, PackedGallery};
use serde_json::json;

use super::enrol::nobody;
use super::print_line;
use crate::files::JsonTarget;
use crate::recognizer::{Recognizer, WithNetwork};
use crate::source::video::VisionOptions;
use crate::source::walk::add_losses;
use crate::source::{Happening, Source};
use crate::{ExitStatus, progress};

/// Compare the walks of two sources: is it the same person?
///
/// Prints the distance and, for the network that ships, how often two different people are as near.
/// Each source should show one person; see `gaitgl enrol --help` for what a SOURCE is.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Compare {
    /// Where somebody walks
    #[arg(value_name = "SOURCE")]
    first: String,
    /// Where somebody else walks, or the same person
    #[arg(value_name = "SOURCE")]
    second: String,
    #[command(flatten)]
    network: WithNetwork,
    #[command(flatten)]
    vision: VisionOptions,
    /// Write the result as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<JsonTarget>,
}

impl Compare {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        if let Some(target) = &self.json {
            target.prepare()?;
        }
        let recognizer = self.network.load()?;
        let first = self.windows(&self.first, &recognizer)?;
        let second = self.windows(&self.second, &recognizer)?;
        let rule = recognizer.default_rule();
        let kind = rule.map_or(Distance::Strips, |rule| rule.distance);
        let distance = (apart(&first, &second, kind)? + apart(&second, &first, kind)?) / 2.0;
        let rate = rule.map(|rule| rule.false_accepts(distance));
        let same = rule.map(|rule| distance <= rule.rule.threshold);
        print_line(match rule.zip(rate) {
            Some((rule, rate)) => format!(
                "{}: distance {distance:.3}; {:.1}% of synthetic people who are different are as \
                 near (threshold {:.3})",
                if distance <= rule.rule.threshold { "same person" } else { "different people" },
                100.0 * rate,
                rule.rule.threshold
            ),
            None => format!("distance {distance:.3}; this network has no threshold of its own"),
        });
        if let Some(target) = &self.json {
            target.write(&json!({
                "first": self.first, "second": self.second, "network": recognizer.name,
                "distance": distance, "same_person": same, "false_accept_rate": rate,
                "threshold": rule.map(|rule| rule.rule.threshold),
            }))?;
        }
        Ok(ExitStatus::Done)
    }

    /// The embeddings of all walks of a source.
    fn windows(&self, text: &str, recognizer: &Recognizer) -> anyhow::Result<Embeddings> {
        let stop = progress::watch_interrupts()?;
        let mut windows = Vec::new();
        let mut lost = BTreeMap::new();
        text.parse::<Source>()?.walks(&self.vision, recognizer.height, &mut |happening| {
            if stop.load(Ordering::Relaxed) {
                bail!("interrupted");
            }
            if let Happening::Walk(walk) = happening {
                add_losses(&mut lost, &walk.lost);
                windows.extend(recognizer.embed(&walk)?);
            }
            Ok(())
        })?;
        if windows.is_empty() {
            bail!("{text}: {}", nobody(&lost));
        }
        recognizer.embeddings(&windows)
    }
}

/// The mean over the windows of one source of the smallest distance to those of the other, as
/// a gallery scores a track.
fn apart(windows: &Embeddings, others: &Embeddings, distance: Distance) -> anyhow::Result<f32> {
    let distances = PackedGallery::new(others, distance).distances(windows)?;
    let nearest = |row: &[f32]| f64::from(row.iter().copied().fold(f32::INFINITY, f32::min));
    let sum: f64 = distances.chunks_exact(others.len()).map(nearest).sum();
    Ok((sum / windows.len() as f64) as f32)
}
