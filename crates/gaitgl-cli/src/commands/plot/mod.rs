//! `gaitgl plot`: pictures of masks, embeddings, trainings and tests. One file per picture.

mod errors;
mod masks;
mod roc;
mod training;
mod tsne;

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::{Args, Subcommand};
use gait_support::files::check_writable;

use super::print_line;
use crate::ExitStatus;
use crate::plot::{Format, Picture};

/// Draw masks, embeddings, trainings and errors as PNG or SVG
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Plot {
    #[command(subcommand)]
    figure: Figure,
}

/// The pictures. Their help texts are in their own files.
#[derive(Subcommand)]
enum Figure {
    Masks(masks::Masks),
    Tsne(tsne::Tsne),
    Training(training::Training),
    Roc(roc::Roc),
    Errors(errors::Errors),
}

impl Plot {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        match self.figure {
            Figure::Masks(command) => command.run(),
            Figure::Tsne(command) => command.run(),
            Figure::Training(command) => command.run(),
            Figure::Roc(command) => command.run(),
            Figure::Errors(command) => command.run(),
        }
    }
}

/// The file of a picture.
#[derive(Args)]
struct Target {
    /// Picture to write; the extension selects the format
    #[arg(value_name = "OUT.png|OUT.svg")]
    out: PathBuf,
}

impl Target {
    /// Checks before the work starts that the picture can be written.
    fn prepare(&self) -> anyhow::Result<()> {
        Format::of(&self.out)?;
        Ok(check_writable(&self.out)?)
    }

    /// Writes the picture and says so.
    fn write(&self, picture: &impl Picture) -> anyhow::Result<ExitStatus> {
        Format::of(&self.out)?.write(&self.out, picture)?;
        print_line(format!("{}: written", self.out.display()));
        Ok(ExitStatus::Done)
    }
}

/// What a picture calls its inputs: names given for all of them, or else the names of the files and
/// folders.
#[derive(Args)]
struct Labels {
    /// Names of the inputs in the picture [default: their file names]
    #[arg(long, value_name = "NAME,NAME,...", value_delimiter = ',')]
    labels: Vec<String>,
}

impl Labels {
    fn of(&self, inputs: &[PathBuf]) -> anyhow::Result<Vec<String>> {
        if self.labels.is_empty() {
            return Ok(inputs.iter().map(|input| file_name(input)).collect());
        }
        if self.labels.len() != inputs.len() {
            let given = self.labels.len();
            bail!("--labels has {given} names for {} inputs; give one for each", inputs.len());
        }
        Ok(self.labels.clone())
    }
}

/// The name of a file without its extension, or of a folder, `.` included.
fn file_name(path: &Path) -> String {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let name = if path.is_dir() { whole.file_name() } else { whole.file_stem() };
    name.map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_called_by_their_labels_or_their_names() {
        let inputs = ["runs/global.only", "a/full.npz"].map(PathBuf::from);
        let labels =
            |names: &[&str]| Labels { labels: names.iter().map(|n| n.to_string()).collect() };
        assert_eq!(labels(&[]).of(&inputs).unwrap(), ["global", "full"]);
        assert_eq!(labels(&["a", "b"]).of(&inputs).unwrap(), ["a", "b"]);
        let message = labels(&["a"]).of(&inputs).unwrap_err().to_string();
        assert!(message.contains("1 names for 2 inputs"), "{message}");
        let here = std::env::current_dir().unwrap();
        assert_eq!(file_name(Path::new(".")), here.file_name().unwrap().to_str().unwrap());
    }
}
