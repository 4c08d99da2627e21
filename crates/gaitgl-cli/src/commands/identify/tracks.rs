//! The tracks of a source, and who they are.

use std::collections::BTreeMap;

use gait_gallery::{Candidate, Decision};

use crate::recognizer::{Recognizer, Search};
use crate::source::Happening;
use crate::source::walk::{Loss, Walk, add_losses};

/// What is known of a track.
#[derive(Clone, Debug)]
pub struct Row {
    pub track: u64,
    /// What the walk is called, if it has a name.
    pub name: Option<String>,
    pub first_frame: u64,
    pub last_frame: u64,
    /// Frames that were used.
    pub frames: usize,
    /// The others.
    pub lost: BTreeMap<Loss, usize>,
    /// Who it is; `None` if nobody can be seen walking.
    pub decision: Option<Decision>,
    /// The nearest people, nearest first.
    pub candidates: Vec<Candidate>,
}

/// What has changed, for who watches.
pub enum News {
    /// A person has come into view, in this frame.
    Began { track: u64, frame: u64 },
    /// A person has got a name or another one.
    Named(Row),
    /// A person is gone.
    Ended(Row),
}

/// The tracks so far.
pub struct Tracks<'a> {
    recognizer: &'a Recognizer,
    search: Search,
    source: &'a str,
    candidates: usize,
    open: BTreeMap<u64, Open>,
    rows: Vec<Row>,
    /// Tracks that have begun.
    seen: u64,
    /// What is added to the numbers of tracks: those of earlier connections.
    offset: u64,
}

/// A track that may go on.
struct Open {
    row: Row,
    windows: Vec<Vec<f32>>,
}

/// The most windows of a track that are kept, the latest ones: some two minutes.
const MOST_WINDOWS: usize = 64;

/// The most rows that are kept: a camera may be followed for years.
const MOST_ROWS: usize = 1 << 16;

impl Row {
    fn new(track: u64, frame: u64) -> Self {
        Self {
            track,
            name: None,
            first_frame: frame,
            last_frame: frame,
            frames: 0,
            lost: BTreeMap::new(),
            decision: None,
            candidates: Vec::new(),
        }
    }

    fn add(&mut self, walk: &Walk) {
        self.name.clone_from(&walk.name);
        self.first_frame = self.first_frame.min(walk.first_frame);
        self.last_frame = self.last_frame.max(walk.last_frame);
        self.frames += walk.clip.frames;
        add_losses(&mut self.lost, &walk.lost);
    }

    /// The name, if there is one.
    pub fn subject(&self) -> Option<&str> {
        self.decision.as_ref()?.known().map(|known| &*known.subject)
    }

    /// The share of the frames that were used.
    pub fn quality(&self) -> f64 {
        self.frames as f64 / (self.last_frame - self.first_frame + 1) as f64
    }
}

impl<'a> Tracks<'a> {
    /// No track has been seen. Rows hold up to `candidates` people.
    pub fn new(
        recognizer: &'a Recognizer,
        search: Search,
        source: &'a str,
        candidates: usize,
    ) -> Self {
        let open = BTreeMap::new();
        let rows = Vec::new();
        Self { recognizer, search, source, candidates, open, rows, seen: 0, offset: 0 }
    }

    /// Takes what happens, and says what is new.
    pub fn take(&mut self, happening: Happening) -> anyhow::Result<Vec<News>> {
        match happening {
            Happening::Began { track, frame } => {
                let track = track + self.offset;
                self.seen = self.seen.max(track);
                let open = Open { row: Row::new(track, frame), windows: Vec::new() };
                self.open.entry(track).or_insert(open);
                Ok(vec![News::Began { track, frame }])
            }
            Happening::Walk(walk) => self.walk(&walk),
            Happening::Ended { track } => self.end(track + self.offset),
        }
    }

    /// The largest number of a track, 0 if there was none.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// A new connection numbers its tracks from 1 again; here they go on.
    pub fn reconnect(&mut self) {
        self.offset = self.seen;
    }

    /// Ends all tracks.
    pub fn finish(&mut self) -> anyhow::Result<Vec<News>> {
        let open: Vec<u64> = self.open.keys().copied().collect();
        let mut news = Vec::new();
        for track in open {
            news.extend(self.end(track)?);
        }
        Ok(news)
    }

    /// The ended tracks in the order of their first frames.
    pub fn into_rows(mut self) -> Vec<Row> {
        self.rows.sort_by_key(|row| (row.first_frame, row.track));
        self.rows
    }

    fn walk(&mut self, walk: &Walk) -> anyhow::Result<Vec<News>> {
        let mut news = Vec::new();
        let track = walk.track + self.offset;
        if !self.open.contains_key(&track) {
            news.extend(
                self.take(Happening::Began { track: walk.track, frame: walk.first_frame })?,
            );
        }
        let Some(open) = self.open.get_mut(&track) else { return Ok(news) };
        open.row.add(walk);
        open.windows.extend(self.recognizer.embed(walk)?);
        let surplus = open.windows.len().saturating_sub(MOST_WINDOWS);
        open.windows.drain(..surplus);
        if walk.clip.frames == 0 {
            return Ok(news);
        }
        let before = open.row.subject().map(str::to_owned);
        let windows = self.recognizer.embeddings(&open.windows)?;
        let (decision, candidates) = self.search.decide(&windows, self.candidates)?;
        open.row.decision = Some(decision);
        open.row.candidates = candidates;
        let now = open.row.subject();
        if now.is_some() && now != before.as_deref() {
            news.push(News::Named(open.row.clone()));
        }
        Ok(news)
    }

    fn end(&mut self, track: u64) -> anyhow::Result<Vec<News>> {
        let Some(Open { row, .. }) = self.open.remove(&track) else { return Ok(Vec::new()) };
        if let Some(decision) = &row.decision {
            self.search.record(self.source, decision, &row.candidates)?;
        }
        if self.rows.len() < MOST_ROWS {
            self.rows.push(row.clone());
        }
        Ok(vec![News::Ended(row)])
    }
}

/// The frames that no row could use.
pub fn all_lost(rows: &[Row]) -> BTreeMap<Loss, usize> {
    let mut all = BTreeMap::new();
    rows.iter().for_each(|row| add_losses(&mut all, &row.lost));
    all
}
