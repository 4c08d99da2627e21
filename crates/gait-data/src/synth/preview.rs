//! A sheet of silhouettes to look at: do they walk like people?

use image::{GrayImage, Luma};

use super::SynthOptions;
use super::film::Film;
use super::raster::Mask;
use super::walk::{Condition, Person, Recording, Walk};
use crate::DataError;

/// At most so many persons, views and phases of the stride are drawn.
const PERSONS: usize = 4;
const VIEWS: usize = 5;
const PHASES: usize = 4;

/// Pixels of one silhouette's cell and of the line between cells.
const CELL: [usize; 2] = [104, 168];
const LINE: u32 = 1;

/// Draws a grey image of a few persons (groups of rows: everyday clothes, bag, coat) from a few
/// views (groups of columns) at phases of the stride (columns).
///
/// The clips are those that `write_tree` writes with the same options, faults included. Where the
/// segmenter lost a frame its cell stays empty.
///
/// # Errors
/// [`DataError::Setting`] for options that cannot be filmed.
pub fn contact_sheet(options: &SynthOptions) -> Result<GrayImage, DataError> {
    options.check()?;
    let persons = options.subjects.min(PERSONS);
    let views = chosen(&options.views, VIEWS);
    let recordings: Vec<Recording> = [Condition::Normal, Condition::Bag, Condition::Coat]
        .into_iter()
        .filter_map(|wanted| options.recordings().into_iter().find(|r| r.condition == wanted))
        .collect();
    let mut sheet = Sheet::new(views.len() * PHASES, persons * recordings.len());
    for subject in 0..persons {
        let person = Person::draw(options.seed, subject);
        for (i, recording) in recordings.iter().enumerate() {
            let row = subject * recordings.len() + i;
            let walk = Walk::record(options.seed, subject, &person, *recording);
            for (group, view) in views.iter().enumerate() {
                let seed = options.seed;
                let mut film = Film::new(seed, subject, *recording, &walk, *view, options.frames);
                for (phase, frame) in stride_frames(&walk, options.frames).into_iter().enumerate() {
                    if let Some(mask) = film.frame(frame) {
                        sheet.place(group * PHASES + phase, row, &mask);
                    }
                }
            }
        }
    }
    Ok(sheet.image)
}

/// Up to `most` of the views, evenly spread and in their order.
fn chosen(views: &[f64], most: usize) -> Vec<f64> {
    let count = views.len().min(most);
    (0..count).map(|i| views[i * (views.len() - 1) / (count - 1).max(1)]).collect()
}

/// The frames, one for each phase drawn, nearest to the clip's middle.
fn stride_frames(walk: &Walk, frames: usize) -> [usize; PHASES] {
    std::array::from_fn(|i| {
        let wanted = i as f32 / PHASES as f32;
        let off = |frame: usize| {
            let off = (walk.phase(frame) - wanted).rem_euclid(1.0);
            off.min(1.0 - off) * 100.0 + frame.abs_diff(frames / 2) as f32 * 0.1
        };
        (0..frames).min_by(|a, b| off(*a).total_cmp(&off(*b))).unwrap_or(0)
    })
}

/// The image and where its cells are.
struct Sheet {
    image: GrayImage,
}

impl Sheet {
    fn new(columns: usize, rows: usize) -> Sheet {
        let [width, height] = CELL.map(|side| side as u32 + LINE);
        Sheet {
            image: GrayImage::from_pixel(columns as u32 * width, rows as u32 * height, Luma([70])),
        }
    }

    /// Puts a silhouette on its cell's floor, in the middle, halved in size while it is too big.
    fn place(&mut self, column: usize, row: usize, mask: &Mask) {
        let shrink = mask.width.div_ceil(CELL[0]).max(mask.height.div_ceil(CELL[1]));
        let (width, height) = (mask.width / shrink, mask.height / shrink);
        let left = column * (CELL[0] + LINE as usize);
        let top = row * (CELL[1] + LINE as usize);
        for y in 0..CELL[1] {
            for x in 0..CELL[0] {
                let from = (
                    (x + width / 2).checked_sub(CELL[0] / 2).filter(|x| *x < width),
                    (y + height).checked_sub(CELL[1]).filter(|y| *y < height),
                );
                let value = match from {
                    (Some(x), Some(y)) => mask.pixels[y * shrink * mask.width + x * shrink],
                    _ => 0,
                };
                self.image.put_pixel((left + x) as u32, (top + y) as u32, Luma([value]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheet_shows_a_silhouette_in_every_cell() {
        let options = SynthOptions { subjects: 2, ..SynthOptions::default() };
        let sheet = contact_sheet(&options).unwrap();
        let [width, height] = CELL.map(|side| side as u32 + LINE);
        assert_eq!(sheet.dimensions(), (20 * width, 6 * height));
        let mut empty = 0;
        for cell in 0..120 {
            let (column, row) = (cell % 20, cell / 20);
            let inside = |x, y| sheet.get_pixel(column * width + x, row * height + y).0[0];
            let white =
                (0..CELL[0] as u32).any(|x| (0..CELL[1] as u32).any(|y| inside(x, y) == 255));
            empty += usize::from(!white);
        }
        assert!(empty < 12, "{empty} of 120 cells are empty");
    }

    #[test]
    fn preview_refuses_what_cannot_be_filmed() {
        assert!(contact_sheet(&SynthOptions { subjects: 0, ..SynthOptions::default() }).is_err());
    }
}
