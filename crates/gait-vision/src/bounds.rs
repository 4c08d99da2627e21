//! Axis-aligned boxes in the pixels of a frame.

/// The box around a person, in pixels: x to the right, y down, the edges between pixels. A detector
/// may place an edge outside the frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Left edge.
    pub left: f32,
    /// Upper edge.
    pub top: f32,
    /// Right edge.
    pub right: f32,
    /// Lower edge.
    pub bottom: f32,
}

impl Bounds {
    /// The box of this size around a centre.
    pub fn around(x: f32, y: f32, width: f32, height: f32) -> Self {
        Self {
            left: x - width / 2.0,
            top: y - height / 2.0,
            right: x + width / 2.0,
            bottom: y + height / 2.0,
        }
    }

    /// Width in pixels.
    pub fn width(&self) -> f32 {
        self.right - self.left
    }

    /// Height in pixels.
    pub fn height(&self) -> f32 {
        self.bottom - self.top
    }

    /// The centre, x and y.
    pub fn centre(&self) -> [f32; 2] {
        [(self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0]
    }

    /// Area in square pixels; 0 for a box that is inside out.
    pub fn area(&self) -> f32 {
        self.width().max(0.0) * self.height().max(0.0)
    }

    /// Intersection over union: 1 for equal boxes, 0 for boxes that do not meet.
    pub fn overlap(&self, other: &Self) -> f32 {
        let shared = self.shared_area(other);
        let union = self.area() + other.area() - shared;
        if union > 0.0 { shared / union } else { 0.0 }
    }

    /// Area of the intersection.
    pub(crate) fn shared_area(&self, other: &Self) -> f32 {
        let shared = Self {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        };
        shared.area()
    }

    /// Whether all edges are numbers and the box has an area.
    pub fn is_proper(&self) -> bool {
        let edges = [self.left, self.top, self.right, self.bottom];
        edges.iter().all(|edge| edge.is_finite()) && self.width() > 0.0 && self.height() > 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_is_the_share_of_the_union() {
        let a = Bounds { left: 0.0, top: 0.0, right: 4.0, bottom: 2.0 };
        let b = Bounds { left: 2.0, top: 1.0, right: 6.0, bottom: 5.0 };
        // 2 x 1 of 8 + 16 - 2.
        assert_eq!(a.overlap(&b), 2.0 / 22.0);
        assert_eq!(b.overlap(&a), a.overlap(&b));
        assert_eq!(a.overlap(&a), 1.0);
        let beside = Bounds { left: 4.0, ..b };
        assert_eq!(a.overlap(&beside), 0.0);
        let point = Bounds::around(1.0, 1.0, 0.0, 0.0);
        assert_eq!(point.overlap(&point), 0.0);
    }

    #[test]
    fn improper_boxes_are_recognised() {
        assert!(Bounds::around(3.0, 4.0, 1.0, 2.0).is_proper());
        assert!(!Bounds::around(3.0, 4.0, 0.0, 2.0).is_proper());
        assert!(!Bounds::around(3.0, f32::NAN, 1.0, 2.0).is_proper());
        assert!(!Bounds::around(3.0, 4.0, f32::INFINITY, 2.0).is_proper());
    }
}
