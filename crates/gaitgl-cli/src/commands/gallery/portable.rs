//! `gaitgl gallery export` and `import`.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use gait_gallery::{By, Counts, GalleryError};
use gait_support::FileError;
use gait_support::files::{check_writable, write_private_with};

use super::{people, templates};
use crate::commands::print_line;
use crate::gallery_file::GalleryFile;
use crate::progress;

/// Write the people of a gallery to a file of JSON lines
///
/// The file holds names, consents, templates, the policy and the calibration, but no audit, and nobody
/// whose consent has ended. It is NOT encrypted: whoever has it can recognise these people. Only you
/// may read it at first; delete it when it has been imported.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Export {
    /// File to write
    #[arg(value_name = "FILE.jsonl")]
    out: PathBuf,
    #[command(flatten)]
    file: GalleryFile,
}

impl Export {
    pub fn run(self) -> anyhow::Result<()> {
        if self.file.is_made_of(&self.out) {
            bail!("{} is a file of the gallery; choose another one", self.out.display());
        }
        check_writable(&self.out)?;
        let (mut gallery, by) = self.file.open()?;
        let counts = write_private_with(&self.out, |file| export(&mut gallery, file, &by));
        print_counts(&self.out, counts.map_err(|error| named(&self.out, error))?);
        Ok(())
    }
}

/// An error while a file is written, with the name of the file.
fn named(path: &Path, error: anyhow::Error) -> anyhow::Error {
    let failed = |reason| FileError::io("write", path, reason).into();
    match error.downcast::<GalleryError>() {
        Ok(GalleryError::Write(reason)) => failed(reason),
        Ok(error) => error.into(),
        Err(error) => error.downcast().map_or_else(|error| error, failed),
    }
}

fn export(gallery: &mut gait_gallery::Gallery, file: &mut File, by: &By) -> anyhow::Result<Counts> {
    let mut writer = BufWriter::new(file);
    let counts = gallery.export(&mut writer, by)?;
    writer.flush()?;
    Ok(counts)
}

/// Add the people of an exported gallery
///
/// All are added, or none: if one of them has a name that the gallery knows already, nothing is
/// changed. A gallery that does not exist is made. People keep their consents; the policy and the
/// calibration are taken over if the gallery has none.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Import {
    /// File that `gaitgl gallery export` wrote
    #[arg(value_name = "FILE.jsonl")]
    from: PathBuf,
    #[command(flatten)]
    file: GalleryFile,
}

impl Import {
    pub fn run(self) -> anyhow::Result<()> {
        let failed = |error| FileError::io("read", &self.from, error);
        let from = File::open(&self.from).map_err(failed)?;
        let length = from.metadata().map_err(failed)?.len();
        let (mut gallery, by) = self.file.create_or_open()?;
        let bar = progress::bar("Importing", "bytes");
        bar.set_length(length);
        let counts = gallery.import(&mut BufReader::new(bar.wrap_read(from)), &by);
        bar.finish_and_clear();
        let refused = || format!("{} cannot be imported", self.from.display());
        print_counts(self.file.path(), counts.with_context(refused)?);
        Ok(())
    }
}

fn print_counts(path: &Path, counts: Counts) {
    let Counts { subjects, templates: all } = counts;
    print_line(format!("{}: {} with {}", path.display(), people(subjects), templates(all)));
}
