//! A sequence under every partition of the local branch, as in the paper's Fig. 1.

use gaitgl::mask::{self, Regions};
use gaitgl::settings::{LocalPartition, LocalSettings};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::legend::{Legend, Symbol};
use super::silhouette::{self, BACKGROUND, Frames};
use super::{MARGIN, MARK, Picture, Surface, TEXT, TITLE, px, text, text_width};

/// A hidden pixel of the background and of the person.
const HIDDEN: [RGBColor; 2] = [RGBColor(120, 180, 230), RGBColor(70, 125, 200)];
/// Space between two frames, and between two rows.
const GAP: i32 = 4;
/// Height of the titles.
const HEAD: i32 = 160;

/// The partitions in the order of the paper's figure, with their names.
const PARTITIONS: [(LocalPartition, &str); 6] = [
    (LocalPartition::Bands, "fixed bands"),
    (LocalPartition::PartH, "part-h"),
    (LocalPartition::PartV, "part-v"),
    (LocalPartition::StripH, "strip-h"),
    (LocalPartition::StripV, "strip-v"),
    (LocalPartition::Pixel, "pixel"),
];

/// A sequence and the masks for it.
pub struct Masks {
    title: String,
    frames: Frames,
    rows: Vec<Row>,
}

/// One partition.
struct Row {
    name: String,
    regions: Regions,
    /// The region that the first mask shows; the second one shows all others.
    shown: i32,
}

impl Masks {
    /// The masks of `local` with every partition, as a training with `seed` draws them for its first
    /// iteration and layer, on a map of the size of the silhouettes.
    pub fn new(title: String, frames: Frames, local: &LocalSettings, seed: u64) -> Self {
        let rows = PARTITIONS.map(|(partition, name)| {
            let local = LocalSettings { partition, ..local.clone() };
            let regions = mask::in_training(&local, frames.pixels(), seed, 0, 0);
            let bands = partition == LocalPartition::Bands;
            let name = if bands { format!("{name} ({})", local.bands) } else { name.to_owned() };
            // Of the bands, the second one is shown, which holds shoulders; of a pair, what the mask
            // takes.
            Row { name, regions, shown: 1 }
        });
        Self { title, frames, rows: rows.into() }
    }

    /// Width of the names of the rows.
    fn names_width(&self) -> i32 {
        let widths = self.rows.iter().map(|row| text_width(&row.name, TEXT));
        widths.max().unwrap_or(0) + 2 * MARK
    }

    /// Width of the frames under one mask.
    fn strip_width(&self) -> i32 {
        px(self.frames.len()) * (self.frames.size()[0] + GAP)
    }

    /// Left ends of the frames under the first mask and under the second one.
    fn columns(&self) -> [i32; 2] {
        let left = MARGIN + self.names_width();
        [left, left + self.strip_width() + MARGIN]
    }

    fn draw_row<S: Surface>(
        &self,
        area: &DrawingArea<S, Shift>,
        top: i32,
        row: &Row,
    ) -> anyhow::Result<()> {
        let width = self.frames.pixels()[1];
        for (column, in_mask) in self.columns().into_iter().zip([true, false]) {
            let colour = |r: usize, c: usize, person: bool| {
                let region = row.regions.labels()[r * width + c];
                if (region == row.shown) == in_mask {
                    silhouette::plain(r, c, person)
                } else {
                    HIDDEN[usize::from(person)]
                }
            };
            self.draw_frames(area, (column, top), colour)?;
        }
        self.draw_name(area, top, &row.name)
    }

    fn draw_frames<S: Surface>(
        &self,
        area: &DrawingArea<S, Shift>,
        (left, top): (i32, i32),
        colour: impl Fn(usize, usize, bool) -> RGBColor,
    ) -> anyhow::Result<()> {
        let step = self.frames.size()[0] + GAP;
        for frame in 0..self.frames.len() {
            self.frames.draw(area, (left + px(frame) * step, top), frame, &colour)?;
        }
        Ok(())
    }

    fn draw_name<S: Surface>(
        &self,
        area: &DrawingArea<S, Shift>,
        top: i32,
        name: &str,
    ) -> anyhow::Result<()> {
        let place = (MARGIN, top + self.frames.size()[1] / 2);
        area.draw(&Text::new(name.to_owned(), place, text(TEXT, HPos::Left, VPos::Center)))?;
        Ok(())
    }
}

impl Picture for Masks {
    fn size(&self) -> [u32; 2] {
        let width = self.columns()[1] + self.strip_width() + MARGIN;
        let rows = px(self.rows.len()) + 1;
        let height = HEAD + rows * (self.frames.size()[1] + 2 * GAP) + MARGIN;
        [width, height].map(|side| side as u32)
    }

    fn draw<S: Surface>(&self, root: &DrawingArea<S, Shift>) -> anyhow::Result<()> {
        let style = |size| text(size, HPos::Left, VPos::Top);
        root.draw(&Text::new(self.title.clone(), (MARGIN, MARGIN), style(TITLE)))?;
        let legend = Legend::new([
            (Symbol::Square(BACKGROUND), "background".to_owned()),
            (Symbol::Square(HIDDEN[1]), "hidden person".to_owned()),
            (Symbol::Square(HIDDEN[0]), "hidden background".to_owned()),
        ]);
        legend.draw(root, (MARGIN, MARGIN + TITLE + MARK * 2))?;
        for (left, title) in self.columns().into_iter().zip(["mask", "its complement"]) {
            root.draw(&Text::new(title, (left, HEAD - TEXT - MARK), style(TEXT)))?;
        }
        let step = self.frames.size()[1] + 2 * GAP;
        self.draw_frames(root, (self.columns()[0], HEAD), silhouette::plain)?;
        self.draw_name(root, HEAD, "sequence")?;
        for (at, row) in self.rows.iter().enumerate() {
            self.draw_row(root, HEAD + (px(at) + 1) * step, row)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gait_data::Clip;
    use gaitgl::settings::Settings;

    use super::*;
    use crate::plot::{png, svg};

    /// A person who fills the left half of every frame.
    fn masks(ratio: f64, seed: u64) -> Masks {
        let pixels = (0..5 * 64 * 64).map(|i| if i % 64 < 32 { 255 } else { 0 }).collect();
        let clip = Clip { frames: 5, height: 64, width: 64, pixels };
        let local = Settings::preset("paper-small").unwrap().model.local;
        let local = LocalSettings { ratio, ..local };
        Masks::new("walker".into(), Frames::new(&clip, 2), &local, seed)
    }

    /// Pixels of a colour.
    fn count(picture: &Masks, wanted: RGBColor) -> usize {
        let image = image::load_from_memory(&png(picture).unwrap()).unwrap().into_rgb8();
        image.pixels().filter(|p| p.0 == [wanted.0, wanted.1, wanted.2]).count()
    }

    #[test]
    fn every_pixel_is_hidden_by_one_of_the_two_masks() {
        let picture = masks(0.3, 1);
        // Twice the size, two frames, six partitions, the person's 22 of 44 columns.
        let person = 4 * 2 * 6 * 64 * 22;
        let hidden = count(&picture, HIDDEN[1]);
        let legend = 4 * MARK as usize * MARK as usize;
        assert!((person..person + legend).contains(&hidden), "{hidden}, not {person}");
    }

    #[test]
    fn every_partition_is_named_and_the_seed_moves_the_masks() {
        let text = svg(&masks(0.3, 1)).unwrap();
        for (_, name) in PARTITIONS {
            assert!(text.contains(name), "no {name}");
        }
        assert_eq!(text, svg(&masks(0.3, 1)).unwrap());
        assert_ne!(text, svg(&masks(0.3, 2)).unwrap());
    }
}
