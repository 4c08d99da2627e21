//! `gaitgl synth`: silhouettes of synthetic walkers.

use std::io::Cursor;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use gait_data::Watch;
use gait_data::synth::{SynthOptions, contact_sheet, write_tree};
use image::ImageFormat;

use super::say;
use crate::{Outcome, files, progress};

/// Write silhouettes of synthetic walkers as a CASIA-B tree
///
/// OUT/001/nm-01/000/001-nm-01-000-001.png and so on: subjects 001.., conditions nm-01..06 (normal),
/// bg-01..02 (with a bag), cl-01..02 (in a coat), one folder per view. The same seed makes the same
/// files.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Synth {
    /// Folder to write; must be empty or not exist
    #[arg(value_name = "OUT", required_unless_present = "preview")]
    out: Option<PathBuf>,
    /// People
    #[arg(long, default_value_t = 40)]
    subjects: usize,
    /// Views in degrees, 0 towards the camera, 90 from the side; `0,18,...,180` counts on
    #[arg(long, default_value = "0,18,...,180")]
    views: String,
    /// Frames of a sequence
    #[arg(long, default_value_t = 60)]
    frames: usize,
    /// Seed: the same one makes the same people
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Draw a contact sheet of the people to this PNG file
    #[arg(long, value_name = "FILE.png")]
    preview: Option<PathBuf>,
}

impl Synth {
    pub fn run(self) -> anyhow::Result<Outcome> {
        let options = SynthOptions {
            subjects: self.subjects,
            views: parse_views(&self.views)?,
            frames: self.frames,
            seed: self.seed,
            ..SynthOptions::default()
        };
        if let Some(path) = &self.preview {
            let sheet = contact_sheet(&options)?;
            let mut png = Cursor::new(Vec::new());
            sheet.write_to(&mut png, ImageFormat::Png)?;
            files::write(path, png.get_ref())?;
            say(format!("{}: {} x {} pixels", path.display(), sheet.width(), sheet.height()));
        }
        if let Some(out) = &self.out {
            let report = progress::watched("Making walkers", "sequences", |progress, stop| {
                write_tree(out, &options, &Watch { progress, stop })
            })?;
            say(format!(
                "{}: {} people, {} sequences, {} silhouettes ({} lost, as a segmenter loses them)",
                out.display(),
                report.subjects,
                report.sequences,
                report.frames,
                report.missing
            ));
            say(format!("next: gaitgl prepare {} PREPARED --layout casia-b", out.display()));
        }
        Ok(Outcome::Done)
    }
}

/// Views as `0,45,90` or, counting on, `0,18,...,180`.
fn parse_views(text: &str) -> anyhow::Result<Vec<f64>> {
    let mut views: Vec<f64> = Vec::new();
    let mut parts = text.split(',').map(str::trim);
    while let Some(part) = parts.next() {
        if part != "..." {
            views.push(parse_angle(part)?);
            continue;
        }
        let (Some(end), [.., from, to]) = (parts.next(), views.as_slice()) else {
            bail!("--views {text}: `...` stands between two views and a last one: 0,18,...,180");
        };
        let (to, step, end) = (*to, to - from, parse_angle(end)?);
        let steps = ((end - to) / step).round();
        if step <= 0.0 || !(1.0..=360.0).contains(&steps) || (to + steps * step - end).abs() > 1e-6
        {
            bail!("--views {text}: {end} is not reached from {to} in steps of {step}");
        }
        views.extend((1..=steps as usize).map(|k| to + k as f64 * step));
    }
    Ok(views)
}

fn parse_angle(text: &str) -> anyhow::Result<f64> {
    let angle: f64 = text
        .parse()
        .ok()
        .filter(|angle: &f64| (0.0..360.0).contains(angle))
        .with_context(|| format!("--views: `{text}` is not an angle from 0 to below 360"))?;
    Ok(angle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_count_on() {
        assert_eq!(parse_views("0,18,...,90").unwrap(), [0.0, 18.0, 36.0, 54.0, 72.0, 90.0]);
        assert_eq!(parse_views("90").unwrap(), [90.0]);
        assert_eq!(parse_views("0, 15, ..., 45, 180").unwrap(), [0.0, 15.0, 30.0, 45.0, 180.0]);
    }

    #[test]
    fn views_that_make_no_sense_are_refused() {
        for text in [
            "",
            "0,...,90",
            "...,5",
            "0,18,...",
            "0,18,...,100",
            "18,0,...,90",
            "0,x",
            "400",
            "0,1e-9,...,359",
        ] {
            assert!(parse_views(text).is_err(), "{text}");
        }
    }
}
