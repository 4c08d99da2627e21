//! Which people of a frame are whole, alone and large enough.

use crate::silhouette::Body;
use crate::{BodyMask, Bounds, DropReason, Frame, Tracked};

/// The tests that a person has to pass in one frame.
pub(super) struct Gates {
    width: f32,
    height: f32,
    min_height: f32,
}

/// Share of a box that a nearer person may cover. The mask network leaves a neighbour out, but cannot
/// draw what the neighbour covers.
const MOST_HIDDEN: f32 = 0.15;

/// Height of a body over that of its box. Less is a part of a body.
const LEAST_OF_BOX: f32 = 0.6;

/// How near to the border a body counts as cut, over its height.
const BORDER: f32 = 0.01;

impl Gates {
    pub(super) fn new(frame: &Frame, min_height: f32) -> Self {
        Self { width: frame.width() as f32, height: frame.height() as f32, min_height }
    }

    /// What the boxes of the people in a frame tell, before their masks are drawn.
    pub(super) fn before_masks(&self, people: &[Tracked]) -> Vec<Result<(), DropReason>> {
        let boxes: Vec<Bounds> = people.iter().map(|person| person.bounds).collect();
        let passes = |bounds: &Bounds| {
            if self.leaves(bounds) {
                Err(DropReason::Border)
            } else if bounds.height() < self.min_height {
                Err(DropReason::Small)
            } else if boxes.iter().any(|other| hides(other, bounds)) {
                Err(DropReason::Hidden)
            } else {
                Ok(())
            }
        };
        boxes.iter().map(passes).collect()
    }

    /// The body that a mask shows, if it is whole and large enough.
    pub(super) fn body(&self, person: &Bounds, mask: &BodyMask) -> Result<Body, DropReason> {
        let body = Body::of(mask).filter(|_| mask.is_present()).ok_or(DropReason::NoBody)?;
        if body.bounds.height() < LEAST_OF_BOX * person.height() {
            Err(DropReason::NoBody)
        } else if body.is_cut || self.touches(&body.bounds) {
            Err(DropReason::Border)
        } else if body.bounds.height() < self.min_height {
            Err(DropReason::Small)
        } else {
            Ok(body)
        }
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
