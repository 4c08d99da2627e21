//! Which people of a frame are whole, alone and large enough.

use std::ops::RangeInclusive;

use crate::silhouette::Body;
use crate::{BodyMask, Bounds, DropReason, Frame, Tracked};

/// The tests that the people of one frame have to pass.
pub(super) struct Gates {
    width: f32,
    height: f32,
    min_height: f32,
    boxes: Vec<Bounds>,
}

/// Share of a box that a nearer person may cover. The mask network leaves a neighbour out, but cannot
/// draw what the neighbour covers.
const MOST_HIDDEN: f32 = 0.15;

/// Height of a body over that of its box. Less is a part of a body.
const LEAST_OF_BOX: f32 = 0.6;

/// Share of a neighbour's box that a body may cover beyond its own box. If it covers more, the mask
/// shows both.
const MOST_OF_NEIGHBOUR: f32 = 0.2;

/// Height over width of a body that walks, from the longest step to the narrowest side view.
const SHAPES: RangeInclusive<f32> = 1.2..=5.0;

/// How near to the border a body counts as cut, over its height.
const BORDER: f32 = 0.01;

impl Gates {
    pub(super) fn new(frame: &Frame, min_height: f32, people: &[Tracked]) -> Self {
        let width = frame.width() as f32;
        let height = frame.height() as f32;
        let boxes = people.iter().map(|person| person.bounds).collect();
        Self { width, height, min_height, boxes }
    }

    /// What the boxes tell of each person, before their masks are drawn.
    pub(super) fn before_masks(&self) -> Vec<Result<(), DropReason>> {
        let passes = |bounds: &Bounds| {
            if self.leaves(bounds) {
                Err(DropReason::Border)
            } else if bounds.height() < self.min_height {
                Err(DropReason::Small)
            } else if self.boxes.iter().any(|other| hides(other, bounds)) {
                Err(DropReason::Hidden)
            } else {
                Ok(())
            }
        };
        self.boxes.iter().map(passes).collect()
    }

    /// The body that the mask of this person shows, if it is whole and large enough.
    pub(super) fn body(&self, person: usize, mask: &BodyMask) -> Result<Body, DropReason> {
        let body = mask.is_present().then(|| Body::of(mask)).flatten();
        let body = body.ok_or(DropReason::NoBody)?;
        let bounds = &body.bounds;
        if bounds.height() < LEAST_OF_BOX * self.boxes[person].height() {
            Err(DropReason::NoBody)
        } else if body.is_cut || self.touches(bounds) {
            Err(DropReason::Border)
        } else if bounds.height() < self.min_height {
            Err(DropReason::Small)
        } else if self.shows_neighbour(person, bounds) {
            Err(DropReason::Hidden)
        } else if !SHAPES.contains(&(bounds.height() / bounds.width())) {
            Err(DropReason::NoBody)
        } else {
            Ok(body)
        }
    }

    /// Whether the body in the mask of this person has parts of somebody else.
    fn shows_neighbour(&self, person: usize, body: &Bounds) -> bool {
        let own = &self.boxes[person];
        let others = self.boxes.iter().enumerate().filter(|&(other, _)| other != person);
        others.into_iter().any(|(_, other)| {
            let beyond = other.shared_area(body) - other.shared_area(own);
            beyond > MOST_OF_NEIGHBOUR * other.area()
        })
    }

    /// Whether a tenth of a box lies outside the frame; its edges are not more exact than that.
    fn leaves(&self, bounds: &Bounds) -> bool {
        let x = bounds.width() / 10.0;
        let y = bounds.height() / 10.0;
        bounds.left < -x
            || bounds.top < -y
            || bounds.right > self.width + x
            || bounds.bottom > self.height + y
    }

    /// Whether a body reaches the border of the frame.
    fn touches(&self, body: &Bounds) -> bool {
        let near = (BORDER * body.height()).max(1.0);
        body.left < near
            || body.top < near
            || body.right > self.width - near
            || body.bottom > self.height - near
    }
}

/// Whether `other` stands before the person in `bounds` and covers part of it. Who stands lower in the
/// picture is nearer to the camera.
fn hides(other: &Bounds, bounds: &Bounds) -> bool {
    other.bottom > bounds.bottom && other.shared_area(bounds) > MOST_HIDDEN * bounds.area()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Square;

    fn gates(boxes: &[Bounds]) -> Gates {
        let tracked = |(track, &bounds)| Tracked { track, bounds, score: Some(0.9) };
        let people: Vec<Tracked> = (1..).zip(boxes).map(tracked).collect();
        Gates::new(&Frame::grey(320, 240, 0), 48.0, &people)
    }

    /// What the gates say of people with these boxes.
    fn judged(boxes: &[Bounds]) -> Vec<Result<(), DropReason>> {
        gates(boxes).before_masks()
    }

    #[test]
    fn people_at_the_border_and_small_people_are_dropped() {
        let whole = Bounds::around(100.0, 120.0, 40.0, 100.0);
        let inexact = Bounds { top: -9.0, ..whole };
        let left = Bounds::around(10.0, 120.0, 40.0, 100.0);
        let below = Bounds::around(200.0, 210.0, 40.0, 100.0);
        let small = Bounds::around(280.0, 60.0, 20.0, 47.0);
        assert_eq!(judged(&[whole]), [Ok(())]);
        assert_eq!(judged(&[inexact]), [Ok(())]);
        assert_eq!(
            judged(&[left, below, small]),
            [Err(DropReason::Border), Err(DropReason::Border), Err(DropReason::Small)]
        );
    }

    #[test]
    fn whoever_stands_behind_another_is_hidden() {
        let near = Bounds::around(100.0, 130.0, 40.0, 100.0);
        let behind = Bounds::around(120.0, 115.0, 40.0, 100.0);
        let beside = Bounds::around(136.0, 115.0, 40.0, 100.0);
        let hidden = Err(DropReason::Hidden);
        assert_eq!(judged(&[behind, near]), [hidden, Ok(())]);
        assert_eq!(judged(&[beside, near]), [Ok(()), Ok(())]);
    }

    /// The mask of a body that covers these pixels of a square at (60, 60), 128 pixels wide.
    fn mask([left, top, right, bottom]: [usize; 4], corner: [i64; 2]) -> BodyMask {
        let mut values = vec![0.0; 128 * 128];
        for row in top..bottom {
            values[row * 128 + left..row * 128 + right].fill(1.0);
        }
        let [left, top] = corner;
        BodyMask::of_values(Square { left, top, side: 128 }, 128, values)
    }

    /// What the gates say of a body in the box of a person 100 pixels high.
    fn seen(body: [usize; 4], corner: [i64; 2]) -> Result<Bounds, DropReason> {
        let person = Bounds::around(124.0, 124.0, 40.0, 100.0);
        gates(&[person]).body(0, &mask(body, corner)).map(|body| body.bounds)
    }

    #[test]
    fn a_mask_must_show_a_whole_body() {
        let whole = [50, 14, 78, 114];
        let bounds = Bounds { left: 110.0, top: 74.0, right: 138.0, bottom: 174.0 };
        assert_eq!(seen(whole, [60, 60]), Ok(bounds));
        assert_eq!(seen([0, 0, 0, 0], [60, 60]), Err(DropReason::NoBody));
        let head = [50, 14, 78, 73];
        assert_eq!(seen(head, [60, 60]), Err(DropReason::NoBody));
        let beyond_the_mask = [50, 0, 78, 114];
        assert_eq!(seen(beyond_the_mask, [60, 60]), Err(DropReason::Border));
        for corner in [[-50, 60], [243, 60], [60, -14], [60, 126]] {
            assert_eq!(seen(whole, corner), Err(DropReason::Border), "{corner:?}");
        }
    }

    #[test]
    fn a_body_may_be_smaller_than_its_box() {
        let person = Bounds::around(124.0, 124.0, 40.0, 60.0);
        let body = gates(&[person]).body(0, &mask([50, 40, 78, 87], [60, 60]));
        assert_eq!(body, Err(DropReason::Small));
    }

    #[test]
    fn a_body_has_the_shape_of_a_walker() {
        assert_eq!(seen([20, 14, 108, 114], [60, 60]), Err(DropReason::NoBody));
        assert_eq!(seen([55, 14, 73, 114], [60, 60]), Err(DropReason::NoBody));
    }

    #[test]
    fn a_mask_that_shows_two_people_is_dropped() {
        let person = Bounds::around(124.0, 124.0, 40.0, 100.0);
        let beside = Bounds::around(165.0, 122.0, 40.0, 100.0);
        let near = Bounds::around(175.0, 122.0, 40.0, 100.0);
        // It reaches 174, of 145..185 and of 155..195.
        let both = mask([44, 14, 114, 114], [60, 60]);
        let arm = mask([44, 14, 90, 114], [60, 60]);
        assert_eq!(gates(&[person, beside]).body(0, &both), Err(DropReason::Hidden));
        assert_eq!(gates(&[near, person]).body(1, &both), Err(DropReason::Hidden));
        assert!(gates(&[person, beside]).body(0, &arm).is_ok());
        assert!(gates(&[person]).body(0, &both).is_ok());
    }
}
