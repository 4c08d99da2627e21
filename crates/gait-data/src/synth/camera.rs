//! A perspective camera beside the walkers' path.

use super::solids::Ellipsoid;
use super::vector::{Vec3, vec3};

/// An ellipse on the image plane: its centre in pixels, and the symmetric matrix `[xx, xy, yy]`
/// whose square root maps the unit circle to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ellipse {
    pub centre: [f32; 2],
    pub spread: [f32; 3],
}

/// A pinhole camera: its position, its axes, and its focal length in pixels. Image rows grow
/// downwards; the optical axis meets the image at (0, 0).
#[derive(Clone, Copy, Debug)]
pub(super) struct Camera {
    position: Vec3,
    ahead: Vec3,
    right: Vec3,
    down: Vec3,
    focal: f32,
}

/// Smallest depth in metres; nearer points are imaged as if they were this far away.
const NEAREST: f32 = 0.5;

impl Camera {
    /// A camera at `position` that looks at `target` and is not tilted sideways.
    pub fn looking(position: Vec3, target: Vec3, focal: f32) -> Camera {
        let ahead = (target - position).unit();
        let right = ahead.cross(vec3(0.0, 0.0, 1.0)).unit();
        Camera { position, ahead, right, down: ahead.cross(right), focal }
    }

    /// The same camera tilted sideways.
    pub fn tilted(self, radians: f32) -> Camera {
        let (sin, cos) = radians.sin_cos();
        let right = self.right * cos + self.down * sin;
        let down = self.down * cos - self.right * sin;
        Camera { right, down, ..self }
    }

    /// The outline of an ellipsoid, imaged at the scale of its centre's depth. The perspective
    /// between limbs is exact; within a limb the error is below a pixel at these distances.
    pub fn project(&self, solid: &Ellipsoid) -> Ellipse {
        let offset = solid.centre - self.position;
        let scale = self.focal / offset.dot(self.ahead).max(NEAREST);
        let mut spread = [0.0; 3];
        for axis in solid.axes {
            let x = axis.dot(self.right) * scale;
            let y = axis.dot(self.down) * scale;
            spread[0] += x * x;
            spread[1] += x * y;
            spread[2] += y * y;
        }
        let centre = [offset.dot(self.right) * scale, offset.dot(self.down) * scale];
        Ellipse { centre, spread }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearer_balls_are_larger_and_higher_ones_are_higher() {
        let camera = Camera::looking(vec3(0.0, 6.0, 1.0), vec3(0.0, 0.0, 1.0), 400.0);
        let near = camera.project(&Ellipsoid::ball(vec3(0.0, 2.0, 1.0), 0.1));
        let far = camera.project(&Ellipsoid::ball(vec3(0.0, -2.0, 2.0), 0.1));
        assert!((near.spread[0].sqrt() - 10.0).abs() < 1e-3, "{:?}", near.spread);
        assert!((far.spread[2].sqrt() - 5.0).abs() < 1e-3, "{:?}", far.spread);
        assert!(near.centre[1].abs() < 1e-3 && far.centre[1] < -40.0);
    }

    #[test]
    fn camera_on_the_left_sees_the_walker_move_left() {
        let camera = Camera::looking(vec3(0.0, 6.0, 1.0), vec3(0.0, 0.0, 1.0), 400.0);
        let ahead = camera.project(&Ellipsoid::ball(vec3(1.0, 0.0, 1.0), 0.1));
        assert!(ahead.centre[0] < 0.0);
    }
}
