//! The errors of a test as silhouettes: the probe, whom the network took it for, and the right person.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::silhouette::{self, Frames};
use super::{COLOURS, INK, MARGIN, MARK, Picture, Surface, TEXT, TITLE, px, text, text_width};

/// Space between two frames.
const GAP: i32 = 4;
/// Height of the title.
const HEAD: i32 = 130;
/// Height of the bar below the frames, which tells wrong from right.
const BAR: i32 = 6;
/// Space between the bar and the next frames, for a line of text.
const BELOW: i32 = TEXT + 4 * MARK;

/// The columns: titles, and the colours of their bars.
const COLUMNS: [(&str, RGBColor); 3] = [
    ("probe", INK),
    ("nearest: another person", COLOURS[0]),
    ("nearest of the same person", COLOURS[3]),
];

/// A sequence of an error.
pub struct Shown {
    pub frames: Frames,
    /// Name, and distance from the probe.
    pub caption: String,
}

/// The worst errors of a test.
pub struct Errors {
    pub title: String,
    /// Probe, wrong and right sequence of each error.
    pub rows: Vec<[Shown; 3]>,
}

impl Errors {
    fn shown(&self) -> impl Iterator<Item = &Shown> {
        self.rows.iter().flatten()
    }

    /// Width of a column: its frames, or the widest text in it.
    fn column_width(&self) -> i32 {
        let frames = self.shown().map(|shown| strip_width(&shown.frames));
        let captions = self.shown().map(|shown| text_width(&shown.caption, TEXT));
        let titles = COLUMNS.iter().map(|(title, _)| text_width(title, TEXT));
        frames.chain(captions).chain(titles).max().unwrap_or(0)
    }

    fn row_height(&self) -> i32 {
        let heights = self.shown().map(|shown| shown.frames.size()[1]);
        heights.max().unwrap_or(0) + BAR + BELOW
    }

    fn left(&self, column: usize) -> i32 {
        MARGIN + px(column) * (self.column_width() + 2 * MARGIN)
    }
}

fn strip_width(frames: &Frames) -> i32 {
    (px(frames.len()) * (frames.size()[0] + GAP) - GAP).max(0)
}

impl Picture for Errors {
    fn size(&self) -> [u32; 2] {
        let titled = text_width(&self.title, TITLE) + 2 * MARGIN;
        let width = (self.left(COLUMNS.len()) - MARGIN).max(titled);
        let height = HEAD + px(self.rows.len()) * self.row_height() + MARGIN;
        [width, height].map(|side| side as u32)
    }

    fn draw<S: Surface>(&self, root: &DrawingArea<S, Shift>) -> anyhow::Result<()> {
        let style = |size| text(size, HPos::Left, VPos::Top);
        root.draw(&Text::new(self.title.clone(), (MARGIN, MARGIN), style(TITLE)))?;
        for (column, (title, _)) in COLUMNS.iter().enumerate() {
            let place = (self.left(column), HEAD - TEXT - 2 * MARK);
            root.draw(&Text::new(*title, place, style(TEXT)))?;
        }
        for (at, row) in self.rows.iter().enumerate() {
            let top = HEAD + px(at) * self.row_height();
            for (column, shown) in row.iter().enumerate() {
                draw_sequence(root, (self.left(column), top), shown, COLUMNS[column].1)?;
            }
        }
        Ok(())
    }
}

fn draw_sequence<S: Surface>(
    area: &DrawingArea<S, Shift>,
    (left, top): (i32, i32),
    Shown { frames, caption }: &Shown,
    colour: RGBColor,
) -> anyhow::Result<()> {
    let [width, height] = frames.size();
    for frame in 0..frames.len() {
        let place = (left + px(frame) * (width + GAP), top);
        frames.draw(area, place, frame, silhouette::plain)?;
    }
    let bar = [(left, top + height), (left + strip_width(frames), top + height + BAR)];
    area.draw(&Rectangle::new(bar, colour.filled()))?;
    let place = (left, top + height + BAR + MARK);
    area.draw(&Text::new(caption.clone(), place, text(TEXT, HPos::Left, VPos::Top)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use gait_data::Clip;

    use super::*;
    use crate::plot::{png, svg};

    #[test]
    fn every_error_shows_three_sequences_with_their_captions() {
        let clip = Clip { frames: 3, height: 64, width: 64, pixels: vec![255; 3 * 64 * 64] };
        let shown =
            |caption: &str| Shown { frames: Frames::new(&clip, 2), caption: caption.to_owned() };
        let row = |at: usize| ["p", "w", "r"].map(|part| shown(&format!("{part}{at}")));
        let errors = Errors { title: "errors".into(), rows: vec![row(0), row(1)] };
        let text = svg(&errors).unwrap();
        for part in ["errors", "p0", "w0", "r0", "p1", "w1", "r1", "probe", "another person"] {
            assert!(text.contains(part), "no {part}");
        }
        let image = image::load_from_memory(&png(&errors).unwrap()).unwrap().into_rgb8();
        let body = silhouette::BODY;
        let bodies = image.pixels().filter(|p| p.0 == [body.0, body.1, body.2]).count();
        let expected = 2 * 3 * 2 * 88 * 128;
        // The soft edges of letters have a few pixels of that grey too.
        assert!((expected..expected + 200).contains(&bodies), "{bodies}, not {expected}");
    }
}
