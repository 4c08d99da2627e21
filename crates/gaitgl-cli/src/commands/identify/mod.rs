//! `gaitgl identify`: who walks there?

mod report;
mod tracks;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use super::enrol::nobody;
use super::gallery::people;
use super::print_line;
use crate::files::JsonTarget;
use crate::gallery_file::GalleryFile;
use crate::output::report as report_line;
use crate::recognizer::{Recognizer, Search, WithNetwork};
use crate::source::{Source, video::VisionOptions};
use crate::{ExitStatus, progress};
use report::{Live, table};
use tracks::{News, Row, Tracks, all_lost};

/// Name the people who walk in a video, a stream or silhouettes by a gallery
///
/// Prints a row for each track: its frames, the name or `unknown`, the distance to the nearest person
/// and to the second one, the share of frames that could be used, and why the others were dropped.
/// See `gaitgl enrol --help` for what a SOURCE is. Without --run or --checkpoint, the network that ships
/// is used. Each identification is written to the gallery's
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

/// What is found out while a source is read.
struct Watching<'a> {
    source: Source,
    recognizer: &'a Recognizer,
    tracks: Tracks<'a>,
    live: Option<Live>,
    stop: &'static AtomicBool,
}

impl Identify {
    pub fn run(mut self) -> anyhow::Result<ExitStatus> {
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
        print_line(format!("{}, {}", people(search.subjects()), search.rule));
        let threshold = search.rule.rule().threshold;
        let tracks = Tracks::new(&recognizer, search, &self.source, self.candidates.into());
        let live = if self.follow { Some(Live::open(self.json.as_ref())?) } else { None };
        let stop = progress::watch_interrupts()?;
        let mut watching = Watching { source, recognizer: &recognizer, tracks, live, stop };
        if self.follow {
            self.vision.longest_walk = Some(SECONDS_TO_A_NAME);
            watching.follow(&self.vision)?;
            return Ok(ExitStatus::Done);
        }
        watching.read(&self.vision)?;
        watching.tracks.finish()?;
        self.report(&watching.tracks.into_rows(), &recognizer, threshold)
    }

    fn report(
        &self,
        rows: &[Row],
        recognizer: &Recognizer,
        threshold: f32,
    ) -> anyhow::Result<ExitStatus> {
        if rows.iter().all(|row| row.frames == 0) {
            bail!("{}: {}", self.source, nobody(&all_lost(rows)));
        }
        print_line(table(rows));
        if let Some(target) = &self.json {
            let tracks: Vec<Value> = rows.iter().map(report::row_json).collect();
            target.write(&json!({
                "source": self.source, "network": recognizer.name, "threshold": threshold,
                "tracks": tracks,
            }))?;
        }
        Ok(ExitStatus::Done)
    }
}

/// Seconds of walking after which somebody who is followed is looked up in the gallery, again and again.
const SECONDS_TO_A_NAME: f64 = 2.5;

/// Seconds before the first attempt to reconnect, and at most; the wait doubles each time.
const RECONNECT_AFTER: [u64; 2] = [1, 32];

impl Watching<'_> {
    /// Reads the source to its end.
    fn read(&mut self, vision: &VisionOptions) -> anyhow::Result<()> {
        let Self { source, recognizer, tracks, live, stop } = self;
        source.walks(vision, recognizer.height, &mut |happening| {
            if stop.load(Ordering::Relaxed) {
                bail!("interrupted");
            }
            let news = tracks.take(happening)?;
            live.as_mut().map_or(Ok(()), |live| live.print(news))
        })
    }

    /// Reads the source until Ctrl-C, and connects again when a stream or a camera ends.
    fn follow(&mut self, vision: &VisionOptions) -> anyhow::Result<()> {
        let [first_wait, longest_wait] = RECONNECT_AFTER;
        let mut wait = first_wait;
        loop {
            let before = self.tracks.seen();
            let read = self.read(vision);
            let news = self.tracks.finish()?;
            self.print(news)?;
            let is_new = self.tracks.seen() == 0;
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            if !self.source.is_live() || (read.is_err() && is_new) {
                return read;
            }
            wait = if self.tracks.seen() > before { first_wait } else { wait };
            let reason = read.err().map_or("it has ended".into(), |error| format!("{error:#}"));
            report_line(&format!(
                "the connection is lost: {reason}; the next attempt is in {wait} s"
            ));
            self.pause(wait);
            wait = (2 * wait).min(longest_wait);
            self.tracks.reconnect();
        }
    }

    fn print(&mut self, news: Vec<News>) -> anyhow::Result<()> {
        self.live.as_mut().map_or(Ok(()), |live| live.print(news))
    }

    /// Waits for some seconds or for Ctrl-C.
    fn pause(&self, seconds: u64) {
        let began = Instant::now();
        while began.elapsed().as_secs() < seconds && !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
