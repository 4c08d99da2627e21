//! The people of a frame, drawn onto it.

use gait_vision::{Bounds, DropReason, Frame, Person, SequenceFrame};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{FONT, colour, use_own_font};

/// Colour of the box around a person whose body is of no use in a frame.
const UNUSED: RGBColor = RGBColor(150, 150, 150);

/// The pixels of a frame with a box and the number of the track around each person, and a tint on each
/// body. A body that is of no use has a grey box and the reason.
pub fn overlay(frame: &Frame, people: &[Person]) -> anyhow::Result<Vec<u8>> {
    use_own_font()?;
    let size = [frame.width(), frame.height()];
    let mut pixels = frame.pixels().to_vec();
    for person in people {
        if let Ok(body) = &person.body {
            tint(&mut pixels, size, body, track_colour(person.track));
        }
    }
    let [width, height] = size.map(|side| side as u32);
    let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
    for person in people {
        draw_box(&area, person)?;
    }
    area.present()?;
    drop(area);
    Ok(pixels)
}

fn track_colour(track: u64) -> RGBColor {
    colour((track % 1000) as usize)
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, plotters::coord::Shift>;

fn draw_box(area: &Area, person: &Person) -> anyhow::Result<()> {
    let Bounds { left, top, right, bottom } = person.bounds;
    let [left, top, right, bottom] = [left, top, right, bottom].map(|edge| edge.round() as i32);
    let (colour, label) = match person.body {
        Ok(_) => (track_colour(person.track), person.track.to_string()),
        Err(reason) => (UNUSED, format!("{} {}", person.track, short(reason))),
    };
    let style = colour.stroke_width(2);
    area.draw(&Rectangle::new([(left, top), (right, bottom)], style))?;
    // Letters that grow with the body, in a range in which they can be read.
    let letters = ((bottom - top) / 8).clamp(14, 24);
    let pos = Pos::new(HPos::Left, VPos::Bottom);
    let label_style = (FONT, letters).into_font().color(&colour).pos(pos);
    area.draw(&Text::new(label, (left.max(0), top.max(letters)), label_style))?;
    Ok(())
}

/// One word for a reason.
fn short(reason: DropReason) -> &'static str {
    match reason {
        DropReason::Border => "border",
        DropReason::Hidden => "hidden",
        DropReason::NoBody => "no body",
        DropReason::Small => "small",
        DropReason::Still => "still",
        DropReason::Brief => "brief",
    }
}

/// Mixes a colour into the pixels of a body.
fn tint(pixels: &mut [u8], [width, height]: [usize; 2], body: &SequenceFrame, colour: RGBColor) {
    let Bounds { left, top, .. } = body.bounds;
    let silhouette = &body.silhouette;
    let across = silhouette.width() as f32 / body.bounds.width();
    let down = silhouette.height() as f32 / body.bounds.height();
    let within =
        |from: f32, to: f32, side: usize| from.max(0.0) as usize..(to.max(0.0) as usize).min(side);
    for y in within(top, body.bounds.bottom, height) {
        for x in within(left, body.bounds.right, width) {
            let column = ((x as f32 + 0.5 - left) * across).max(0.0) as usize;
            let row = ((y as f32 + 0.5 - top) * down).max(0.0) as usize;
            if column < silhouette.width()
                && row < silhouette.height()
                && silhouette.pixels()[row * silhouette.width() + column] > 0
            {
                let pixel = &mut pixels[(y * width + x) * 3..][..3];
                let colours = [colour.0, colour.1, colour.2];
                for (level, colour) in pixel.iter_mut().zip(colours) {
                    *level = u8::midpoint(*level, colour);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_without_a_body_gets_a_grey_box_and_nothing_else() {
        let frame = Frame::new(64, 48, vec![0; 64 * 48 * 3]).unwrap();
        let bounds = Bounds { left: 20.0, top: 20.0, right: 40.0, bottom: 40.0 };
        let person = Person { track: 3, bounds, body: Err(DropReason::Border) };
        let pixels = overlay(&frame, &[person]).unwrap();
        let at = |x: usize, y: usize| &pixels[(y * 64 + x) * 3..][..3];
        assert_eq!(at(20, 30), [150; 3]);
        assert_eq!(at(30, 30), [0; 3]);
        assert_eq!(overlay(&frame, &[]).unwrap(), frame.pixels());
    }

    #[test]
    fn boxes_beyond_the_frame_are_cut() {
        let frame = Frame::new(64, 48, vec![0; 64 * 48 * 3]).unwrap();
        let bounds = Bounds { left: -20.0, top: -1e9, right: 400.0, bottom: 1e9 };
        let person = Person { track: 3, bounds, body: Err(DropReason::Border) };
        assert_eq!(overlay(&frame, &[person]).unwrap().len(), 64 * 48 * 3);
    }
}
