//! Legends, and the marks that they explain.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{MARK, Surface, TEXT, colour, text, text_width};

/// Distance of two lines of a legend.
const LINE: i32 = TEXT + MARK;
/// Space after an entry.
const GAP: i32 = 4 * MARK;

/// What a legend explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbol {
    /// A curve with marks.
    Curve(RGBColor),
    /// A line alone.
    Line(RGBColor),
    /// A filled circle.
    Disc(RGBColor),
    /// A hollow circle.
    Ring(RGBColor),
    /// The mark of the class with this number, which has a shape beside its colour.
    Class(usize),
    /// A filled square.
    Square(RGBColor),
}

impl Symbol {
    fn width(self) -> i32 {
        if matches!(self, Self::Curve(_) | Self::Line(_)) { 6 * MARK } else { 2 * MARK }
    }

    /// Draws the symbol with its left end at a place, vertically centred.
    fn draw<S: Surface>(
        self,
        area: &DrawingArea<S, Shift>,
        (x, y): (i32, i32),
    ) -> anyhow::Result<()> {
        let centre = (x + self.width() / 2, y);
        let line = |colour: RGBColor| {
            PathElement::new([(x, y), (x + self.width(), y)], colour.stroke_width(3))
        };
        match self {
            Self::Line(colour) => area.draw(&line(colour))?,
            Self::Curve(colour) => {
                area.draw(&line(colour))?;
                area.draw(&Circle::new(centre, MARK - 2, colour.filled()))?;
            }
            Self::Disc(colour) => area.draw(&Circle::new(centre, MARK, colour.filled()))?,
            // A disc with a white one on it, because plotters draws thick outlines of circles with
            // visible steps.
            Self::Ring(colour) => {
                area.draw(&Circle::new(centre, MARK, colour.filled()))?;
                area.draw(&Circle::new(centre, MARK - 3, WHITE.filled()))?;
            }
            Self::Class(class) => draw_class(area, class, centre, MARK)?,
            Self::Square(colour) => draw_polygon(area, &SQUARE, centre, MARK, colour)?,
        }
        Ok(())
    }
}

/// The explanations of a picture, side by side, on as many lines as they need.
#[derive(Clone, Debug, Default)]
pub struct Legend(Vec<(Symbol, String)>);

impl Legend {
    pub fn new(entries: impl IntoIterator<Item = (Symbol, String)>) -> Self {
        Self(entries.into_iter().collect())
    }

    /// Height of the legend in pixels, in a picture of this width.
    pub fn height(&self, width: i32) -> i32 {
        self.places(width).last().map_or(0, |(_, y)| y + LINE)
    }

    /// Draws the legend below and to the right of a place.
    pub fn draw<S: Surface>(
        &self,
        area: &DrawingArea<S, Shift>,
        (left, top): (i32, i32),
    ) -> anyhow::Result<()> {
        let width = area.dim_in_pixel().0.cast_signed() - left;
        for ((symbol, label), (x, y)) in self.0.iter().zip(self.places(width)) {
            let x = left + x;
            let y = top + y + TEXT / 2;
            symbol.draw(area, (x, y))?;
            let style = text(TEXT, HPos::Left, VPos::Center);
            area.draw(&Text::new(label.clone(), (x + symbol.width() + MARK, y), style))?;
        }
        Ok(())
    }

    /// Left and top of every entry.
    fn places(&self, width: i32) -> Vec<(i32, i32)> {
        let mut places = Vec::new();
        let mut x = 0;
        let mut y = 0;
        for (symbol, label) in &self.0 {
            let entry = symbol.width() + MARK + text_width(label, TEXT);
            if x > 0 && x + entry > width {
                x = 0;
                y += LINE;
            }
            places.push((x, y));
            x += entry + GAP;
        }
        places
    }
}

/// Corners of a mark for radius 1, in parts of 100.
type Corners = [(i32, i32)];
const SQUARE: [(i32, i32); 4] = [(-85, -85), (85, -85), (85, 85), (-85, 85)];
const DIAMOND: [(i32, i32); 4] = [(0, -120), (120, 0), (0, 120), (-120, 0)];
const UP: [(i32, i32); 3] = [(0, -115), (110, 85), (-110, 85)];
const DOWN: [(i32, i32); 3] = [(0, 115), (110, -85), (-110, -85)];
/// The shapes of classes; an empty one is a disc. Their number and that of the colours have no common
/// divisor, so that 30 classes differ.
const SHAPES: [&Corners; 5] = [&[], &UP, &SQUARE, &DOWN, &DIAMOND];

/// Draws the mark of a class at a place, with a white rim that separates it from its neighbours.
pub fn draw_class<S: Surface>(
    area: &DrawingArea<S, Shift>,
    class: usize,
    place: (i32, i32),
    radius: i32,
) -> anyhow::Result<()> {
    let shape = SHAPES[class % SHAPES.len()];
    draw_polygon(area, shape, place, radius + 2, WHITE)?;
    draw_polygon(area, shape, place, radius, colour(class))
}

fn draw_polygon<S: Surface>(
    area: &DrawingArea<S, Shift>,
    corners: &Corners,
    (x, y): (i32, i32),
    radius: i32,
    colour: RGBColor,
) -> anyhow::Result<()> {
    if corners.is_empty() {
        area.draw(&Circle::new((x, y), radius, colour.filled()))?;
        return Ok(());
    }
    let corner = |(dx, dy): &(i32, i32)| (x + dx * radius / 100, y + dy * radius / 100);
    let corners: Vec<(i32, i32)> = corners.iter().map(corner).collect();
    area.draw(&Polygon::new(corners, colour.filled()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_legend_takes_as_many_lines_as_it_needs() {
        crate::plot::use_own_font().unwrap();
        let entries = (0..4).map(|class| (Symbol::Class(class), "a name of some length".into()));
        let legend = Legend::new(entries);
        assert_eq!(legend.height(10_000), LINE);
        assert_eq!(legend.height(1), 4 * LINE);
        let places = legend.places(800);
        assert!(places.iter().any(|(_, y)| *y == LINE) && places[1].1 == 0, "{places:?}");
        assert_eq!(Legend::default().height(100), 0);
    }

    #[test]
    fn thirty_classes_look_different() {
        let looks = (0..30).map(|class: usize| (class % SHAPES.len(), colour(class)));
        let looks: BTreeSet<_> = looks.map(|(shape, RGBColor(r, g, b))| (shape, r, g, b)).collect();
        assert_eq!(looks.len(), 30);
    }
}
