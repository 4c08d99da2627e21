//! `gaitgl plot masks`: a sequence under every partition of the local branch.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use gait_data::synth::{SynthOptions, aligned_clip};
use gait_data::{Clip, PreparedSet};
use gait_support::{did_you_mean, nearest};
use gaitgl::settings::{LocalSettings, Settings};

use super::Target;
use crate::ExitStatus;
use crate::commands::seed_parser;
use crate::input::expect_folder;
use crate::plot::masks;
use crate::plot::silhouette::Frames;

/// Rows of the synthetic walker.
const HEIGHT: usize = 64;
/// View of the synthetic walker in degrees.
const VIEW: f64 = 90.0;

/// Draw a sequence under every kind of mask and its complement (Fig. 1 of the paper)
///
/// The sequence is one of a prepared set, or a synthetic walker. The masks are drawn as in a
/// training, but at the size of the silhouettes.
#[derive(Args)]
pub struct Masks {
    #[command(flatten)]
    target: Target,
    /// Prepared set, as `gaitgl prepare` writes it [default: a synthetic walker]
    #[arg(long, value_name = "PREPARED")]
    data: Option<PathBuf>,
    /// Sequence of the set [default: the first one]
    #[arg(long, value_name = "SUBJECT/CONDITION/VIEW", requires = "data")]
    sequence: Option<String>,
    /// Share of rows, columns or pixels that a mask takes [default: that of paper-small]
    #[arg(long, value_name = "SHARE")]
    ratio: Option<f64>,
    /// Seed of the masks and of the synthetic walker
    #[arg(long, default_value_t = 1, value_parser = seed_parser())]
    seed: u64,
    /// Frames
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=28))]
    frames: u16,
}

impl Masks {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        self.target.prepare()?;
        let local = self.local()?;
        let (name, clip) = match &self.data {
            Some(data) => sequence(data, self.sequence.as_deref())?,
            None => (format!("a synthetic walker, {VIEW}°"), self.walker()?),
        };
        let title = format!("{name}: masks with ratio {}, seed {}", local.ratio, self.seed);
        let frames = Frames::new(&clip, self.frames.into());
        self.target.write(&masks::Masks::new(title, frames, &local, self.seed))
    }

    fn local(&self) -> anyhow::Result<LocalSettings> {
        let ratio = self.ratio.map(|ratio| format!("model.local.ratio={ratio:?}"));
        Ok(Settings::assemble(Some("paper-small"), None, ratio.as_slice())?.model.local)
    }

    fn walker(&self) -> anyhow::Result<Clip> {
        let views = vec![VIEW];
        let options = SynthOptions { views, seed: self.seed, ..SynthOptions::default() };
        Ok(aligned_clip(&options, HEIGHT)?)
    }
}

/// A sequence of a set with its name.
fn sequence(data: &Path, name: Option<&str>) -> anyhow::Result<(String, Clip)> {
    expect_folder(data)?;
    let set = PreparedSet::open(data)?;
    let names: Vec<String> = set.entries().iter().map(|entry| entry.key.to_string()).collect();
    let index = match name {
        Some(name) => names.iter().position(|known| known == name).with_context(|| {
            let hint = did_you_mean(nearest(name, &names).as_ref());
            format!("{} holds no sequence {name}{hint}", data.display())
        })?,
        None => 0,
    };
    Ok((names[index].clone(), set.clip(index)?))
}
