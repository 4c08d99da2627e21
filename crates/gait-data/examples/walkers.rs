//! Makes a few synthetic walkers: a tree of silhouettes as CASIA-B has them, and a contact sheet.
//!
//! ```sh
//! cargo run --release -p gait-data --example walkers -- FOLDER
//! ```

#![allow(clippy::print_stdout, reason = "an example may print")]

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};

use gait_data::Watch;
use gait_data::synth::{SynthOptions, SynthReport, contact_sheet, write_tree};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).map_or_else(|| PathBuf::from("walkers"), PathBuf::from);
    let report = make_walkers(&folder)?;
    println!(
        "{}: {} people, {} sequences, {} silhouettes, and sheet.png",
        folder.display(),
        report.subjects,
        report.sequences,
        report.frames
    );
    Ok(())
}

/// Writes the silhouettes to `folder/silhouettes` and the sheet to `folder/sheet.png`.
pub fn make_walkers(folder: &Path) -> Result<SynthReport, Box<dyn Error>> {
    let options = SynthOptions {
        subjects: 3,
        views: vec![0.0, 45.0, 90.0],
        frames: 30,
        // One recording each: everyday clothes, a bag, a coat.
        normal: 1,
        bags: 1,
        coats: 1,
        ..SynthOptions::default()
    };
    let report = write_tree(&folder.join("silhouettes"), &options, &Watch::silent())?;
    contact_sheet(&options)?.save(folder.join("sheet.png"))?;
    Ok(report)
}
