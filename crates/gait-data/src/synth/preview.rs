//! A sheet of silhouettes that shows at a glance whether they walk like people.

use image::{GrayImage, Luma};

use super::error::SynthError;
use super::film::Film;
use super::options::SynthOptions;
use super::raster::Mask;
use super::walk::{Condition, Person, Recording, Walk};

/// The largest numbers of people, views and phases of the stride that are drawn.
const PEOPLE: usize = 4;
const VIEWS: usize = 5;
const PHASES: usize = 4;

/// Pixels of one silhouette's cell and of the line between cells.
const CELL: [usize; 2] = [104, 168];
const LINE: u32 = 1;

/// Draws up to four people (groups of rows: everyday clothes, bag, coat) from up to five views
/// (groups of columns) at four phases of the stride (columns), as a grey image.
///
/// The clips are those that [`write_tree`](super::write_tree) writes with the same options, faults
/// included. The cell of a frame that the segmenter lost stays empty.
///
/// # Errors
/// Options that [`SynthOptions::check`] refuses.
pub fn contact_sheet(options: &SynthOptions) -> Result<GrayImage, SynthError> {
    options.check()?;
    let people = options.subjects.min(PEOPLE);
    let views = evenly_spread(&options.views, VIEWS);
    let recordings = first_of_each_condition(options);
    let mut sheet = Sheet::new(views.len() * PHASES, people * recordings.len());
    for subject in 0..people {
        let person = Person::draw(options, subject);
        for (index, recording) in recordings.iter().enumerate() {
            let row = subject * recordings.len() + index;
            let walk = Walk::record(options, subject, &person, *recording);
            let frames = stride_frames(&walk, options.frames);
            for (group, view) in views.iter().enumerate() {
                let film = Film::new(options, subject, *recording, &walk, *view);
                sheet.place_strides(group * PHASES, row, film, frames);
            }
        }
    }
    Ok(sheet.0)
}

fn first_of_each_condition(options: &SynthOptions) -> Vec<Recording> {
    let recordings = options.recordings();
    let first = |wanted| recordings.iter().copied().find(|r| r.condition == wanted);
    [Condition::Normal, Condition::Bag, Condition::Coat].into_iter().filter_map(first).collect()
}

/// Up to `most` of the views, evenly spread and in their order.
fn evenly_spread(views: &[f64], most: usize) -> Vec<f64> {
    let count = views.len().min(most);
    (0..count).map(|i| views[i * (views.len() - 1) / (count - 1).max(1)]).collect()
}

/// One frame for each drawn phase of the stride, as close to the middle of the clip as possible.
fn stride_frames(walk: &Walk, frames: usize) -> [usize; PHASES] {
    std::array::from_fn(|index| {
        let wanted = index as f32 / PHASES as f32;
        let distance = |frame: usize| {
            let late = (walk.phase(frame) - wanted).rem_euclid(1.0);
            late.min(1.0 - late) * 100.0 + frame.abs_diff(frames / 2) as f32 * 0.1
        };
        (0..frames).min_by(|a, b| distance(*a).total_cmp(&distance(*b))).unwrap_or(0)
    })
}

/// The image, a grid of cells.
struct Sheet(GrayImage);

impl Sheet {
    fn new(columns: usize, rows: usize) -> Sheet {
        let [width, height] = CELL.map(|side| side as u32 + LINE);
        Sheet(GrayImage::from_pixel(columns as u32 * width, rows as u32 * height, Luma([70])))
    }

    /// Places the frames of a film side by side, from `column` on.
    fn place_strides(
        &mut self,
        column: usize,
        row: usize,
        mut film: Film,
        frames: [usize; PHASES],
    ) {
        for (phase, frame) in frames.into_iter().enumerate() {
            if let Some(mask) = film.frame(frame) {
                self.place(column + phase, row, &mask);
            }
        }
    }

    /// Places a silhouette at the bottom of its cell, centred, reduced if it is too large.
    fn place(&mut self, column: usize, row: usize, mask: &Mask) {
        let excess = |size: usize, cell: usize| size as f32 / cell as f32;
        let shrink = excess(mask.width, CELL[0]).max(excess(mask.height, CELL[1])).max(1.0);
        let reduced = |size: usize| (size as f32 / shrink) as usize;
        let width = reduced(mask.width);
        let height = reduced(mask.height);
        let enlarged = |at: usize, size: usize| ((at as f32 * shrink) as usize).min(size - 1);
        let left = column * (CELL[0] + LINE as usize);
        let top = row * (CELL[1] + LINE as usize);
        for y in 0..CELL[1] {
            let mask_y = (y + height).checked_sub(CELL[1]).filter(|y| *y < height);
            for x in 0..CELL[0] {
                let mask_x = (x + width / 2).checked_sub(CELL[0] / 2).filter(|x| *x < width);
                let value = mask_x.zip(mask_y).map_or(0, |(x, y)| {
                    let start = enlarged(y, mask.height) * mask.width;
                    mask.pixels[start + enlarged(x, mask.width)]
                });
                self.0.put_pixel((left + x) as u32, (top + y) as u32, Luma([value]));
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
            let column = cell % 20;
            let row = cell / 20;
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
