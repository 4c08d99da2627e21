//! A contact sheet: silhouettes of some walks, a row for each.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::silhouette::{self, Frames};
use super::{MARGIN, Picture, Surface, TEXT, TITLE, px, text, text_width};

/// Space between two silhouettes.
const GAP: i32 = 4;
/// Height of the title.
const HEAD: i32 = TITLE + 2 * MARGIN;
/// Height of a row's caption.
const CAPTION: i32 = TEXT + 2 * MARGIN;

/// Rows of silhouettes.
pub struct Sheet {
    pub title: String,
    /// The silhouettes of each row, and what stands below them.
    pub rows: Vec<(Frames, String)>,
}

fn strip_width(frames: &Frames) -> i32 {
    px(frames.len()) * (frames.size()[0] + GAP)
}

impl Picture for Sheet {
    fn size(&self) -> [u32; 2] {
        let strips = self.rows.iter().map(|(frames, _)| strip_width(frames));
        let captions = self.rows.iter().map(|(_, caption)| text_width(caption, TEXT));
        let widest = strips.chain(captions).chain([text_width(&self.title, TITLE)]).max();
        let heights = self.rows.iter().map(|(frames, _)| frames.size()[1] + CAPTION);
        [widest.unwrap_or(0) + 2 * MARGIN, HEAD + heights.sum::<i32>() + MARGIN]
            .map(|side| side as u32)
    }

    fn draw<S: Surface>(&self, root: &DrawingArea<S, Shift>) -> anyhow::Result<()> {
        let style = |size| text(size, HPos::Left, VPos::Top);
        root.draw(&Text::new(self.title.clone(), (MARGIN, MARGIN), style(TITLE)))?;
        let mut top = HEAD;
        for (frames, caption) in &self.rows {
            let [width, height] = frames.size();
            for frame in 0..frames.len() {
                let place = (MARGIN + px(frame) * (width + GAP), top);
                frames.draw(root, place, frame, silhouette::plain)?;
            }
            root.draw(&Text::new(caption.clone(), (MARGIN, top + height + 3 * GAP), style(TEXT)))?;
            top += height + CAPTION;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gait_data::Clip;

    use super::*;
    use crate::plot::{png, svg};

    #[test]
    fn every_row_shows_its_silhouettes_and_its_caption() {
        let clip = Clip { frames: 3, height: 64, width: 64, pixels: vec![255; 3 * 64 * 64] };
        let row = |caption: &str| (Frames::new(&clip, 3), caption.to_owned());
        let sheet = Sheet { title: "walk.mp4".into(), rows: vec![row("one"), row("two")] };
        let text = svg(&sheet).unwrap();
        assert!(["walk.mp4", "one", "two"].iter().all(|part| text.contains(part)));
        let image = image::load_from_memory(&png(&sheet).unwrap()).unwrap().into_rgb8();
        let body = silhouette::BODY;
        let bodies = image.pixels().filter(|p| p.0 == [body.0, body.1, body.2]).count();
        let expected = 2 * 3 * 88 * 128;
        // The soft edges of letters have a few pixels of that grey too.
        assert!((expected..expected + 200).contains(&bodies), "{bodies}, not {expected}");
    }
}
