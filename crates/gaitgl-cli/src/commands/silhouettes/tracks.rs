//! The sequences of a video as files, as rows of a table and as JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use gait_data::{Clip, align};
use gait_support::FileError;
use gait_vision::{DropReason, Sequence, SequenceFrame, Silhouette};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use serde_json::{Value, json};

use super::reasons;
use crate::plot::sheet::Sheet;
use crate::plot::silhouette::Frames;
use crate::source::video::Summary;
use crate::source::walk::grey;

/// The sequences that were found; their silhouettes are files already.
pub struct Tracks {
    folder: PathBuf,
    rows: Vec<Row>,
    /// How many sequences with silhouettes each track has.
    stretches: BTreeMap<u64, usize>,
    sheet: Vec<(Frames, String)>,
}

/// A sequence without its silhouettes.
struct Row {
    track: u64,
    /// Its folder, if it has silhouettes.
    folder: Option<String>,
    first_frame: u64,
    last_frame: u64,
    /// The frames that have silhouettes, and the box around the body.
    boxes: Vec<(u64, [i64; 4])>,
    dropped: BTreeMap<DropReason, usize>,
}

/// Silhouettes of a row of the contact sheet, and the most rows.
const SHOWN: usize = 12;
const MOST_ROWS: usize = 60;
/// Rows of a silhouette in the contact sheet.
const SHOWN_ROWS: usize = 64;

impl Row {
    /// The share of the frames in view that have silhouettes.
    fn quality(&self) -> f64 {
        let frames = self.boxes.len();
        let in_view = frames + self.dropped.values().sum::<usize>();
        frames as f64 / in_view.max(1) as f64
    }

    fn json(&self) -> Value {
        let boxes = self
            .boxes
            .iter()
            .map(|(frame, [left, top, right, bottom])| json!([frame, left, top, right, bottom]));
        json!({
            "track": self.track,
            "folder": self.folder,
            "first_frame": self.first_frame,
            "last_frame": self.last_frame,
            "frames": self.boxes.len(),
            "dropped": self.dropped,
            "quality": (self.quality() * 1000.0).round() / 1000.0,
            "boxes": boxes.collect::<Vec<Value>>(),
        })
    }
}

impl Tracks {
    /// Nothing has been found; what is will be written to this folder.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, rows: vec![], stretches: BTreeMap::new(), sheet: vec![] }
    }

    /// Writes the silhouettes of a sequence, and keeps the rest.
    pub fn add(&mut self, sequence: &Sequence) -> anyhow::Result<()> {
        let Sequence { track, first_frame, last_frame, ref dropped, ref silhouettes } = *sequence;
        let folder = (!silhouettes.is_empty()).then(|| self.next_folder(track));
        if let Some(folder) = &folder {
            self.write(folder, silhouettes)?;
        }
        let boxes = silhouettes.iter().map(|seen| (seen.frame, edges(seen))).collect();
        let dropped = dropped.clone();
        let row = Row { track, folder, first_frame, last_frame, boxes, dropped };
        if let Some(folder) = row.folder.as_ref().filter(|_| self.sheet.len() < MOST_ROWS) {
            let caption = format!(
                "{folder}: frames {first_frame} to {last_frame}, {} used, quality {:.2}",
                row.boxes.len(),
                row.quality()
            );
            self.sheet.push((shown(silhouettes), caption));
        }
        self.rows.push(row);
        Ok(())
    }

    fn next_folder(&mut self, track: u64) -> String {
        let stretch = self.stretches.entry(track).or_default();
        *stretch += 1;
        if *stretch == 1 { format!("{track:03}") } else { format!("{track:03}-{stretch}") }
    }

    fn write(&self, folder: &str, silhouettes: &[SequenceFrame]) -> anyhow::Result<()> {
        let folder = self.folder.join(folder);
        fs::create_dir(&folder).map_err(|e| FileError::io("write", &folder, e))?;
        for SequenceFrame { frame, silhouette, .. } in silhouettes {
            let path = folder.join(format!("{frame:06}.png"));
            let png =
                png(silhouette).with_context(|| format!("cannot write {}", path.display()))?;
            fs::write(&path, png).map_err(|e| FileError::io("write", &path, e))?;
        }
        Ok(())
    }

    /// Whether nobody was found.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Number of silhouettes.
    pub fn silhouettes(&self) -> usize {
        self.rows.iter().map(|row| row.boxes.len()).sum()
    }

    /// All frames that were dropped.
    pub fn dropped(&self) -> BTreeMap<DropReason, usize> {
        let mut sum = BTreeMap::new();
        for (&reason, frames) in self.rows.iter().flat_map(|row| &row.dropped) {
            *sum.entry(reason).or_default() += frames;
        }
        sum
    }

    /// A table of the stretches, with those that give nothing.
    pub fn table(&self) -> String {
        let mut lines = vec![format!(
            "{:>8} {:>7} {:>7} {:>6} {:>7}  dropped",
            "track", "from", "to", "frames", "quality"
        )];
        for row in &self.rows {
            let name = row.folder.clone().unwrap_or_else(|| format!("({:03})", row.track));
            let line = format!(
                "{name:>8} {:>7} {:>7} {:>6} {:>7.2}  {}",
                row.first_frame,
                row.last_frame,
                row.boxes.len(),
                row.quality(),
                reasons(&row.dropped)
            );
            lines.push(line.trim_end().to_owned());
        }
        lines.join("\n")
    }

    /// Everything but the silhouettes.
    pub fn json(&self, source: &str, summary: &Summary) -> Value {
        let [width, height] = summary.size;
        json!({
            "source": source,
            "frames": summary.statistics.frames,
            "late_frames": summary.statistics.late,
            "rate": summary.rate.per_second(),
            "width": width,
            "height": height,
            "tracks": self.rows.iter().map(Row::json).collect::<Vec<Value>>(),
        })
    }

    /// The contact sheet.
    pub fn sheet(&mut self, source: &str) -> Sheet {
        let title = match self.stretches.values().sum::<usize>() {
            all if all > MOST_ROWS => format!("{source}: the first {MOST_ROWS} of {all} walks"),
            all => format!("{source}: {all} walks"),
        };
        Sheet { title, rows: std::mem::take(&mut self.sheet) }
    }
}

fn edges(seen: &SequenceFrame) -> [i64; 4] {
    let bounds = &seen.bounds;
    [bounds.left, bounds.top, bounds.right, bounds.bottom].map(|edge| edge.round() as i64)
}

/// Silhouettes at equal distances, aligned.
fn shown(silhouettes: &[SequenceFrame]) -> Frames {
    let count = silhouettes.len().min(SHOWN);
    let chosen = (0..count).map(|i| &silhouettes[i * silhouettes.len() / count].silhouette);
    let aligned = chosen.filter_map(|silhouette| align(&grey(silhouette), SHOWN_ROWS).ok());
    let pixels: Vec<u8> = aligned.flatten().collect();
    let frames = pixels.len() / (SHOWN_ROWS * SHOWN_ROWS);
    Frames::new(&Clip { frames, height: SHOWN_ROWS, width: SHOWN_ROWS, pixels }, SHOWN)
}

fn png(silhouette: &Silhouette) -> image::ImageResult<Vec<u8>> {
    let mut png = vec![];
    let [width, height] = [silhouette.width(), silhouette.height()].map(|side| side as u32);
    PngEncoder::new(&mut png).write_image(
        silhouette.pixels(),
        width,
        height,
        ExtendedColorType::L8,
    )?;
    Ok(png)
}
