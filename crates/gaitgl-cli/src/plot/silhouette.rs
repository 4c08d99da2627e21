//! Silhouettes, drawn as rectangles, so that both formats show the same pixels.

use gait_data::Clip;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::{Surface, px};

/// Rows that a silhouette has at least when it is drawn.
const HEIGHT: usize = 128;
/// Grey value from which a pixel belongs to the person. The edges of aligned silhouettes are soft.
const PERSON: u8 = 128;
/// Frames of about one stride.
const STRIDE: usize = 28;

/// A pixel of a silhouette.
pub const BACKGROUND: RGBColor = RGBColor(24, 24, 28);
pub const BODY: RGBColor = RGBColor(250, 250, 250);

/// Some frames of a clip, about one stride.
#[derive(Clone, Debug)]
pub struct Frames {
    clip: Clip,
    chosen: Vec<usize>,
    /// Pixels of the picture to a pixel of a silhouette.
    scale: usize,
}

impl Frames {
    /// Up to `count` frames, evenly spread over the stride in the middle of the clip.
    pub fn new(clip: &Clip, count: usize) -> Self {
        let clip = clip.trimmed();
        let span = clip.frames.min(STRIDE);
        let first = (clip.frames - span) / 2;
        let count = count.min(span);
        let chosen = (0..count).map(|i| first + i * span / count).collect();
        let scale = HEIGHT.div_ceil(clip.height);
        Self { clip, chosen, scale }
    }

    /// Number of frames.
    pub fn len(&self) -> usize {
        self.chosen.len()
    }

    /// Rows and columns of a silhouette.
    pub fn pixels(&self) -> [usize; 2] {
        [self.clip.height, self.clip.width]
    }

    /// Width and height of a frame in the picture.
    pub fn size(&self) -> [i32; 2] {
        [self.clip.width * self.scale, self.clip.height * self.scale].map(px)
    }

    /// Draws a frame with its upper left corner at a place. `colour` receives row, column and
    /// whether the pixel belongs to the person.
    pub fn draw<S: Surface>(
        &self,
        area: &DrawingArea<S, Shift>,
        (left, top): (i32, i32),
        frame: usize,
        colour: impl Fn(usize, usize, bool) -> RGBColor,
    ) -> anyhow::Result<()> {
        let Clip { height, width, .. } = self.clip;
        let frame = &self.clip.pixels[self.chosen[frame] * height * width..][..height * width];
        let colours: Vec<RGBColor> =
            (0..height * width).map(|i| colour(i / width, i % width, frame[i] >= PERSON)).collect();
        let fill = |Block { rows, columns, colour }: &Block| {
            let place = |column: usize, row: usize| {
                (left + px(column * self.scale), top + px(row * self.scale))
            };
            let corners = [place(columns[0], rows[0]), place(columns[1], rows[1])];
            area.draw(&Rectangle::new(corners, colour.filled()))
        };
        // The commonest colour is laid below all others, which nearly halves an SVG.
        let blocks = blocks(&colours, width);
        let Some(ground) = commonest(&blocks) else { return Ok(()) };
        fill(&Block { rows: [0, height], columns: [0, width], colour: ground })?;
        blocks.iter().filter(|block| block.colour != ground).try_for_each(fill)?;
        Ok(())
    }
}

/// The colours of a plain silhouette.
pub fn plain(_: usize, _: usize, person: bool) -> RGBColor {
    if person { BODY } else { BACKGROUND }
}

/// Adjacent pixels of one colour: from a row and a column to those after the last ones.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Block {
    rows: [usize; 2],
    columns: [usize; 2],
    colour: RGBColor,
}

/// The colour of the most blocks.
fn commonest(blocks: &[Block]) -> Option<RGBColor> {
    let count = |block: &&Block| blocks.iter().filter(|b| b.colour == block.colour).count();
    blocks.iter().max_by_key(count).map(|block| block.colour)
}

/// Cuts an image into blocks of one colour: runs in a row, joined with equal runs in the next rows.
fn blocks(pixels: &[RGBColor], width: usize) -> Vec<Block> {
    let mut done: Vec<Block> = Vec::new();
    let mut open: Vec<Block> = Vec::new();
    for (row, pixels) in pixels.chunks_exact(width).enumerate() {
        let above = std::mem::take(&mut open);
        let mut column = 0;
        for run in pixels.chunk_by(|a, b| a == b) {
            let columns = [column, column + run.len()];
            column = columns[1];
            let same = |block: &&Block| block.columns == columns && block.colour == run[0];
            let first = above.iter().find(same).map_or(row, |block| block.rows[0]);
            open.push(Block { rows: [first, row + 1], columns, colour: run[0] });
        }
        let ended = |block: &Block| {
            !open.iter().any(|next| next.rows[0] == block.rows[0] && next.columns == block.columns)
        };
        done.extend(above.into_iter().filter(ended));
    }
    done.extend(open);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_every_pixel_once_in_its_colour() {
        let width = 7;
        let pixels: Vec<RGBColor> =
            (0..width * 9).map(|i| plain(0, 0, i * i % 11 < 5 || i % width == 3)).collect();
        let mut painted: Vec<Option<RGBColor>> = vec![None; pixels.len()];
        for Block { rows, columns, colour } in blocks(&pixels, width) {
            for at in (rows[0]..rows[1])
                .flat_map(|r| (columns[0]..columns[1]).map(move |c| r * width + c))
            {
                assert_eq!(painted[at].replace(colour), None, "painted twice");
            }
        }
        assert_eq!(painted.into_iter().flatten().collect::<Vec<_>>(), pixels);
    }

    #[test]
    fn a_plain_area_is_one_block() {
        let blocks = blocks(&[BODY; 12], 3);
        assert_eq!(blocks, [Block { rows: [0, 4], columns: [0, 3], colour: BODY }]);
    }

    #[test]
    fn frames_are_spread_over_a_stride() {
        let clip = |frames| Clip { frames, height: 64, width: 64, pixels: vec![0; frames * 4096] };
        let frames = Frames::new(&clip(60), 4);
        assert_eq!(frames.chosen, [16, 23, 30, 37]);
        assert_eq!((frames.pixels(), frames.size()), ([64, 44], [88, 128]));
        assert_eq!(Frames::new(&clip(2), 4).chosen, [0, 1]);
        assert_eq!(Frames::new(&clip(0), 4).len(), 0);
    }
}
