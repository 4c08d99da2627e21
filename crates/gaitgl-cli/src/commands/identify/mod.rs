//! `gaitgl identify`: who walks there?

mod report;
mod tracks;

use std::sync::atomic::Ordering;

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::enrol::nobody;
use super::print_line;
use crate::files::JsonTarget;
use crate::gallery_file::GalleryFile;
use crate::recognizer::{Search, WithNetwork};
use crate::source::{Source, video::VisionOptions};
use crate::{ExitStatus, progress};
use report::{Live, table};
use tracks::Tracks;

/// Name the people who walk in a video, a stream or silhouettes by a gallery
///
/// Prints a row for each track: its frames, the name or `unknown`, the distance to the nearest person
/// and to the second one, the share of frames that could be used, and why the others were dropped.
/// See `gaitgl enrol --help` for what a SOURCE is. Each identification is written to the gallery's
/// audit.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Identify {
    #[command(flatten)]
    gallery: GalleryFile,
    /// Where people walk
    #[arg(value_name = "SOURCE")]
    source: String,
    /// Print a line when a person comes, when the name is certain, and when the person is gone; meant
    /// for streams and cameras, which are followed until Ctrl-C
    #[arg(long)]
    follow: bool,
    /// Number of candidates in the JSON
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    candidates: u16,
    #[command(flatten)]
    network: WithNetwork,
    #[command(flatten)]
    vision: VisionOptions,
    /// Write the result as JSON; `-` is standard output. With --follow, a line for each event
    #[arg(long, value_name = "FILE")]
    json: Option<JsonTarget>,
}

impl Identify {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        if let Some(target) = &self.json {
            target.prepare()?;
        }
        let source: Source = self.source.parse()?;
        let (gallery, by) = self.gallery.open()?;
        let recognizer = self.network.load()?;
        let search = Search::new(gallery, &by, &recognizer)?;
        if search.subjects() == 0 {
            bail!("the gallery has nobody who can be named; enrol people with `gaitgl enrol`");
        }
        print_line(format!("{} people, {}", search.subjects(), search.rule));
        let threshold = search.rule.rule().threshold;
        let mut live = if self.follow { Some(Live::open(self.json.as_ref())?) } else { None };
        let mut tracks = Tracks::new(&recognizer, search, &self.source, self.candidates.into());
        let stop = progress::watch_interrupts()?;
        let read = source.walks(&self.vision, recognizer.height, &mut |happening| {
            if stop.load(Ordering::Relaxed) {
                bail!("interrupted");
            }
            let news = tracks.take(happening)?;
            live.as_mut().map_or(Ok(()), |live| live.print(news))
        });
        if self.follow && stop.load(Ordering::Relaxed) {
            return tracks.finish().and_then(|news| {
                live.as_mut().map_or(Ok(()), |live| live.print(news)).map(|()| ExitStatus::Done)
            });
        }
        read?;
        let news = tracks.finish()?;
        if let Some(live) = &mut live {
            live.print(news)?;
            return Ok(ExitStatus::Done);
        }
        let rows = tracks.into_rows();
        if rows.iter().all(|row| row.frames == 0) {
            bail!("{}: {}", self.source, nobody(&tracks::all_lost(&rows)));
        }
        print_line(table(&rows));
        if let Some(target) = &self.json {
            let tracks: Vec<_> = rows.iter().map(report::row_json).collect();
            target.write(&json!({
                "source": self.source, "network": recognizer.name, "threshold": threshold,
                "tracks": tracks,
            }))?;
        }
        Ok(ExitStatus::Done)
    }
}
