//! `gaitgl info`: describes a file or folder of this program, or this machine.

mod machine;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use gait_data::{PreparedSet, SequenceKey};
use gait_eval::Protocol;
use gaitgl::checkpoint::Checkpoint;
use gaitgl::net::{LayerDescription, describe};
use gaitgl::run::RunFolder;
use gaitgl::settings::Settings;

use super::print_line;
use crate::ExitStatus;

/// Describe a prepared set, a run, a checkpoint, a preset, a protocol or this machine
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Info {
    /// Prepared set, run folder or checkpoint
    #[arg(
        value_name = "FILE_OR_DIR",
        required_unless_present_any = ["preset", "protocol", "machine"],
        conflicts_with_all = ["preset", "protocol", "machine"]
    )]
    path: Option<PathBuf>,
    /// Describe the network of a preset instead
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Change a setting of the preset, as in `gaitgl train`
    #[arg(long, value_name = "KEY=VALUE", requires = "preset")]
    set: Vec<String>,
    /// Print the file of a built-in protocol instead, as a start for your own
    #[arg(long, value_name = "NAME", conflicts_with = "preset")]
    protocol: Option<String>,
    /// Describe this machine instead: its instruction sets, which of them each precision uses, and
    /// how fast they multiply, which takes a second to measure
    #[arg(long, conflicts_with_all = ["preset", "protocol"])]
    machine: bool,
    /// Classes of the described network
    #[arg(long, default_value_t = 74, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    classes: u32,
    /// Frames of the described input
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    frames: u32,
}

/// The most names that are listed one by one: enough for the views of a benchmark.
const MOST_NAMES: usize = 16;

impl Info {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        if let Some(name) = &self.protocol {
            print_line(Protocol::builtin_text(name)?.trim_end());
            return Ok(ExitStatus::Done);
        }
        if self.machine {
            machine::print();
            return Ok(ExitStatus::Done);
        }
        match (&self.preset, &self.path) {
            (Some(preset), _) => {
                let settings = Settings::assemble(Some(preset), None, &self.set)?;
                print_network(&settings, self.classes as usize, self.frames as usize);
                print_line("");
                print_line(settings.to_toml()?.trim_end());
            }
            (None, Some(path)) => self.print_path(path)?,
            (None, None) => {
                bail!("give a file, a folder, --preset NAME, --protocol NAME or --machine")
            }
        }
        Ok(ExitStatus::Done)
    }

    fn print_path(&self, path: &Path) -> anyhow::Result<()> {
        if !path.exists() {
            bail!("{} does not exist; check the path", path.display());
        }
        if path.is_file() {
            return print_checkpoint(path, self.frames as usize);
        }
        if path.join(gait_data::ABOUT_FILE).exists() {
            return print_set(path);
        }
        let run = RunFolder::new(path);
        if !run.has_begun() && run.latest()?.is_none() {
            // The error of an unfinished preparation says what it is.
            PreparedSet::open(path).with_context(|| {
                format!("{} is neither a run nor a complete set", path.display())
            })?;
        }
        let checkpoint = run.require_latest()?;
        print_line(format!("run        {}", path.display()));
        print_checkpoint(&checkpoint, self.frames as usize)
    }
}

fn print_set(path: &Path) -> anyhow::Result<()> {
    let set = PreparedSet::open(path)?;
    let about = set.about();
    let counts = &about.counts;
    let [height, width] = set.entries().first().map_or([0, 0], |entry| [entry.height, entry.width]);
    print_line(format!("set        {}, {:.1} MB", path.display(), about.bytes as f64 / 1e6));
    print_line(format!("source     {} ({})", about.source.display(), about.settings.layout));
    print_line(format!(
        "holds      {} subjects, {} sequences, {} silhouettes of {height} x {width}",
        counts.subjects, counts.sequences, counts.frames
    ));
    let partition = &about.partition;
    print_line(format!("trains     {} subjects: {}", partition.train.len(), few(&partition.train)));
    print_line(format!("tests      {} subjects: {}", partition.test.len(), few(&partition.test)));
    let names = |part: fn(&SequenceKey) -> &String| -> Vec<String> {
        let names: BTreeSet<&String> = set.entries().iter().map(|e| part(&e.key)).collect();
        names.into_iter().cloned().collect()
    };
    print_line(format!("conditions {}", few(&names(|key| &key.condition))));
    print_line(format!("views      {}", few(&names(|key| &key.view))));
    let lengths = set.entries().iter().map(|e| e.frames);
    let shortest = lengths.clone().min().unwrap_or(0);
    let longest = lengths.max().unwrap_or(0);
    print_line(format!("lengths    {shortest} to {longest} frames"));
    let skipped = about.dropped.skipped_inputs();
    if skipped > 0 {
        print_line(format!("skipped    {skipped} inputs, listed in {}", gait_data::ABOUT_FILE));
    }
    Ok(())
}

fn print_checkpoint(path: &Path, frames: usize) -> anyhow::Result<()> {
    let checkpoint = Checkpoint::load(path)?;
    let settings = &checkpoint.settings;
    print_line(format!("checkpoint {}", path.display()));
    print_line(format!("iteration  {} of {}", checkpoint.iteration, settings.train.iterations));
    let subjects = checkpoint.subjects.iter().filter(|name| !name.is_empty());
    let subjects: Vec<String> = subjects.cloned().collect();
    print_line(format!("trained on {} subjects: {}", subjects.len(), few(&subjects)));
    if let Some(score) = checkpoint.score {
        print_line(format!("best test  {score:.2}%"));
    }
    let resumes = if checkpoint.optimizer.is_some() { "yes" } else { "no, for use only" };
    print_line(format!("resumes    {resumes}"));
    print_line("");
    print_network(settings, checkpoint.subjects.len(), frames);
    Ok(())
}

/// Prints a network layer by layer.
fn print_network(settings: &Settings, classes: usize, frames: usize) {
    let layers = describe(&settings.model, classes, frames);
    let neck = settings.model.neck;
    let classes = if neck.classifies() { classes.to_string() } else { "no".into() };
    let title = format!("{} for {frames} frames and {classes} classes", settings.preset);
    print_line(format!("network    {title}"));
    let header = ["layer", "kind", "output", "parameters", "multiply-adds"].map(String::from);
    let total = |count: fn(&LayerDescription) -> usize| layers.iter().map(count).sum::<usize>();
    let parameters = grouped(total(|layer| layer.parameters));
    let multiply_adds = grouped(total(|layer| layer.multiply_adds));
    let rows = layers.iter().map(|layer| {
        let shape: Vec<String> = layer.output.iter().map(ToString::to_string).collect();
        [
            layer.name.clone(),
            layer.kind.clone(),
            shape.join(" x "),
            grouped(layer.parameters),
            grouped(layer.multiply_adds),
        ]
    });
    let sum = ["sum".to_string(), String::new(), String::new(), parameters, multiply_adds];
    let rows: Vec<[String; 5]> = std::iter::once(header).chain(rows).chain([sum]).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3), width(4)];
    for [name, kind, output, parameters, adds] in &rows {
        let [n, k, o, p, a] = widths;
        print_line(format!("  {name:<n$}  {kind:<k$}  {output:>o$}  {parameters:>p$}  {adds:>a$}"));
    }
    let embedding = if neck.embeds_after_norm() { "head.norm" } else { "head.fc" };
    let twice = if settings.model.mirrored { ", of a clip and of its mirror image" } else { "" };
    print_line(format!("embedding  the output of {embedding}{twice}"));
}

/// A number with separated thousands: 95,620,449.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    groups.join(",")
}

/// All names, or the first ones and the last one if they are many.
fn few(names: &[String]) -> String {
    match names {
        [first @ .., last] if names.len() > MOST_NAMES => {
            format!("{}, ..., {last} ({})", first[..3].join(", "), names.len())
        }
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_shortened_and_no_range_is_claimed() {
        let odd =
            |count: usize| (0..count).map(|i| format!("{:03}", 2 * i + 1)).collect::<Vec<_>>();
        assert_eq!(few(&odd(62)), "001, 003, 005, ..., 123 (62)");
        assert_eq!(few(&odd(2)), "001, 003");
        assert_eq!(few(&[]), "");
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(grouped(95_620_449), "95,620,449");
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1000), "1,000");
    }
}
