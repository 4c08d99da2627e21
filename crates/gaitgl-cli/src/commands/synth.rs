//! `gaitgl synth`: draws silhouettes of synthetic walkers.

use std::io::Cursor;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use gait_data::Watch;
use gait_data::synth::{SynthOptions, World, contact_sheet, write_tree};
use gait_support::files::check_writable;
use image::ImageFormat;

use super::print_line;
use crate::{ExitStatus, files, progress};

/// Draw silhouettes of synthetic walkers as a tree in the CASIA-B layout
///
/// Files are named like OUT/001/nm-01/000/001-nm-01-000-001.png. The conditions are nm-01 to nm-06
/// (normal), bg-01 and bg-02 (with a bag) and cl-01 and cl-02 (in a coat), with one folder per view.
/// The same seed produces the same files.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Synth {
    /// Folder to write; it must be empty or not exist yet
    #[arg(value_name = "OUT", required_unless_present_any = ["preview", "print_world"])]
    out: Option<PathBuf>,
    /// Number of people
    #[arg(long, default_value_t = 40)]
    subjects: usize,
    /// Views in degrees: 0 walks towards the camera, 90 is seen from the side. `0,18,...,180` stands
    /// for every 18th degree
    #[arg(long, default_value = "0,18,...,180")]
    views: String,
    /// Frames per sequence
    #[arg(long, default_value_t = 60)]
    frames: usize,
    /// Seed of the random numbers; the same seed produces the same people
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What varies from walk to walk: casia-b (a laboratory), street (clothes, loads, cameras, masks and
    /// more, to train for real people), or a TOML file
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "casia-b")]
    world: PathBuf,
    /// Print the settings of the world as TOML, to change them in a file
    #[arg(long)]
    print_world: bool,
    /// Draw a contact sheet of the people as a PNG image
    #[arg(long, value_name = "FILE.png")]
    preview: Option<PathBuf>,
}

impl Synth {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        let options = SynthOptions {
            subjects: self.subjects,
            views: parse_views(&self.views)?,
            frames: self.frames,
            seed: self.seed,
            world: World::open(&self.world)?,
            ..SynthOptions::default()
        };
        if self.print_world {
            print_line(options.world.to_toml()?.trim_end());
        }
        if let Some(path) = &self.preview {
            check_writable(path)?;
            let sheet = contact_sheet(&options)?;
            let mut png = Cursor::new(Vec::new());
            sheet.write_to(&mut png, ImageFormat::Png)?;
            files::write(path, png.get_ref())?;
            print_line(format!(
                "{}: {} x {} pixels",
                path.display(),
                sheet.width(),
                sheet.height()
            ));
        }
        if let Some(out) = &self.out {
            let report = progress::watched("Making walkers", "sequences", |progress, stop| {
                write_tree(out, &options, &Watch { progress, stop })
            })?;
            print_line(format!(
                "{}: {} people, {} sequences, {} silhouettes ({} missing, as after a segmentation that fails)",
                out.display(),
                report.subjects,
                report.sequences,
                report.frames,
                report.missing
            ));
            print_line(format!("next: gaitgl prepare {} PREPARED --layout casia-b", out.display()));
        }
        Ok(ExitStatus::Done)
    }
}

/// Reads views such as `0,45,90` or `0,18,...,180`.
fn parse_views(text: &str) -> anyhow::Result<Vec<f64>> {
    let mut views: Vec<f64> = Vec::new();
    let mut parts = text.split(',').map(str::trim);
    while let Some(part) = parts.next() {
        if part != "..." {
            views.push(parse_angle(part)?);
            continue;
        }
        let (Some(end), [.., from, to]) = (parts.next(), views.as_slice()) else {
            bail!(
                "--views {text}: write `...` after two views and before the last one: 0,18,...,180"
            );
        };
        let to = *to;
        let step = to - from;
        let end = parse_angle(end)?;
        let steps = ((end - to) / step).round();
        if step <= 0.0 || !(1.0..=360.0).contains(&steps) || (to + steps * step - end).abs() > 1e-6
        {
            bail!("--views {text}: steps of {step} from {to} do not reach {end}");
        }
        views.extend((1..=steps as usize).map(|k| to + k as f64 * step));
    }
    Ok(views)
}

fn parse_angle(text: &str) -> anyhow::Result<f64> {
    let angle = text.parse().ok().filter(|angle: &f64| (0.0..360.0).contains(angle));
    angle.with_context(|| {
        format!("--views: `{text}` is not an angle in degrees from 0 to below 360")
    })
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
