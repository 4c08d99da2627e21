//! Rows of identified tracks, as a table, as lines and as JSON.

use std::fs::File;
use std::io::Write;

use anyhow::Context;
use gait_gallery::{Candidate, Decision, Doubt};
use serde_json::{Value, json};

use super::tracks::{News, Row};
use crate::commands::print_line;
use crate::files::JsonTarget;
use crate::output::print_json;
use crate::source::walk::losses;

/// A table with a row per track.
pub fn table(rows: &[Row]) -> String {
    let wide = |width: usize, text: &str| width.max(text.chars().count());
    let names = rows.iter().map(who);
    let width = names.fold(4, |width, name| wide(width, &name));
    let seconds: Vec<String> = rows.iter().map(second).collect();
    let second_width = seconds.iter().fold(6, |width, text| wide(width, text));
    let mut lines = vec![format!(
        "{:>6} {:>7} {:>7} {:>6}  {:width$} {:>8}  {:second_width$} {:>7}  dropped",
        "track", "from", "to", "frames", "name", "distance", "second", "quality"
    )];
    for (row, second) in rows.iter().zip(seconds) {
        let distance = row.candidates.first().map_or("-".into(), |c| format!("{:.3}", c.distance));
        lines.push(format!(
            "{:>6} {:>7} {:>7} {:>6}  {:width$} {distance:>8}  {second:second_width$} {:>7.2}  {}",
            row.track,
            row.first_frame,
            row.last_frame,
            row.frames,
            who(row),
            row.quality(),
            losses(&row.lost)
        ));
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

/// The name, or why there is none; for a walk that has a name of its own, that one too.
fn who(row: &Row) -> String {
    let who = match &row.decision {
        None => "(nobody walks)",
        Some(Decision::Known(candidate)) => &candidate.subject,
        Some(Decision::Unknown(Doubt::TooClose)) => "unknown (two are as near)",
        Some(Decision::Unknown(_)) => "unknown",
    };
    row.name.as_ref().map_or_else(|| who.to_owned(), |name| format!("{name}: {who}"))
}

fn second(row: &Row) -> String {
    let text = |second: &Candidate| format!("{} {:.3}", second.subject, second.distance);
    row.candidates.get(1).map_or("-".into(), text)
}

/// A row as a JSON object.
pub fn row_json(row: &Row) -> Value {
    let dropped: serde_json::Map<String, Value> =
        row.lost.iter().map(|(loss, count)| (loss.key(), json!(count))).collect();
    let candidate = |c: &Candidate| json!({ "subject": c.subject, "distance": c.distance });
    let mut value = json!({
        "track": row.track,
        "first_frame": row.first_frame,
        "last_frame": row.last_frame,
        "frames": row.frames,
        "dropped": dropped,
        "subject": row.subject(),
        "distance": row.candidates.first().map(|candidate| candidate.distance),
        "candidates": row.candidates.iter().map(candidate).collect::<Vec<Value>>(),
        "quality": row.quality(),
    });
    if let Some(name) = &row.name {
        value["name"] = json!(name);
    }
    value
}

/// Where news go while a source is followed.
pub enum Live {
    /// Lines for people.
    Lines,
    /// JSON lines on standard output.
    Stdout,
    /// JSON lines in a file, which grows.
    File(File),
}

impl Live {
    /// Where the news go that this target asks for.
    pub fn open(target: Option<&JsonTarget>) -> anyhow::Result<Self> {
        match target {
            None => Ok(Self::Lines),
            Some(JsonTarget::Stdout) => Ok(Self::Stdout),
            Some(JsonTarget::File(path)) => {
                let file = File::options().append(true).create(true).open(path);
                Ok(Self::File(file.with_context(|| format!("cannot write {}", path.display()))?))
            }
        }
    }

    /// Prints news as they come.
    pub fn print(&mut self, news: Vec<News>) -> anyhow::Result<()> {
        for news in news {
            match self {
                Self::Lines => print_line(line(&news)),
                Self::Stdout => print_json(&news_json(&news).to_string()),
                Self::File(file) => writeln!(file, "{}", news_json(&news))
                    .context("cannot write the news of the tracks")?,
            }
        }
        Ok(())
    }
}

fn line(news: &News) -> String {
    match news {
        News::Began { track, frame } => format!("track {track}: somebody is there, frame {frame}"),
        News::Named(row) => {
            let distance = row.candidates.first().map_or(0.0, |candidate| candidate.distance);
            format!("track {}: {}, distance {distance:.3}", row.track, who(row))
        }
        News::Ended(row) => format!(
            "track {}: gone at frame {}; {} ({} of {} frames used)",
            row.track,
            row.last_frame,
            who(row),
            row.frames,
            row.last_frame - row.first_frame + 1
        ),
    }
}

fn news_json(news: &News) -> Value {
    let with = |event: &str, row: &Row| {
        let mut value = row_json(row);
        value["event"] = json!(event);
        value
    };
    match news {
        News::Began { track, frame } => {
            json!({ "event": "began", "track": track, "first_frame": frame })
        }
        News::Named(row) => with("named", row),
        News::Ended(row) => with("ended", row),
    }
}
