//! Points, directions and rotated frames in the walkers' space.
//!
//! Metres; x is the walking direction, y the walker's left, z up.

use std::ops::{Add, AddAssign, Mul, Neg, Sub};

/// A point or a direction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Vec3 {
    pub x: f32,
    pub y: f32,
    pub z: f32,
}

/// Shorthand for a [`Vec3`].
pub(super) const fn vec3(x: f32, y: f32, z: f32) -> Vec3 {
    Vec3 { x, y, z }
}

impl Vec3 {
    pub fn dot(self, other: Vec3) -> f32 {
        self.x * other.x + self.y * other.y + self.z * other.z
    }

    pub fn cross(self, other: Vec3) -> Vec3 {
        vec3(
            self.y * other.z - self.z * other.y,
            self.z * other.x - self.x * other.z,
            self.x * other.y - self.y * other.x,
        )
    }

    pub fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    /// The same direction with length one; directions here are never zero.
    pub fn unit(self) -> Vec3 {
        self * (1.0 / self.length().max(1e-9))
    }

    /// The point at the fraction `share` of the way to `other`.
    pub fn towards(self, other: Vec3, share: f32) -> Vec3 {
        self + (other - self) * share
    }
}

impl Add for Vec3 {
    type Output = Vec3;
    fn add(self, other: Vec3) -> Vec3 {
        vec3(self.x + other.x, self.y + other.y, self.z + other.z)
    }
}

impl AddAssign for Vec3 {
    fn add_assign(&mut self, other: Vec3) {
        *self = *self + other;
    }
}

impl Sub for Vec3 {
    type Output = Vec3;
    fn sub(self, other: Vec3) -> Vec3 {
        vec3(self.x - other.x, self.y - other.y, self.z - other.z)
    }
}

impl Neg for Vec3 {
    type Output = Vec3;
    fn neg(self) -> Vec3 {
        self * -1.0
    }
}

impl Mul<f32> for Vec3 {
    type Output = Vec3;
    fn mul(self, factor: f32) -> Vec3 {
        vec3(self.x * factor, self.y * factor, self.z * factor)
    }
}

/// Three orthogonal unit axes of a body segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Frame {
    pub forward: Vec3,
    pub left: Vec3,
    pub up: Vec3,
}

impl Frame {
    /// Upright, facing the walking direction.
    pub const UPRIGHT: Frame =
        Frame { forward: vec3(1.0, 0.0, 0.0), left: vec3(0.0, 1.0, 0.0), up: vec3(0.0, 0.0, 1.0) };

    /// Rotates about its own up axis, positive to the left.
    pub fn yaw(self, radians: f32) -> Frame {
        let (sin, cos) = radians.sin_cos();
        Frame {
            forward: self.forward * cos + self.left * sin,
            left: self.left * cos - self.forward * sin,
            up: self.up,
        }
    }

    /// Leans forward about its own left axis.
    pub fn lean(self, radians: f32) -> Frame {
        let (sin, cos) = radians.sin_cos();
        Frame {
            forward: self.forward * cos - self.up * sin,
            left: self.left,
            up: self.up * cos + self.forward * sin,
        }
    }

    /// Lists about its own forward axis; positive lifts the left side.
    pub fn list(self, radians: f32) -> Frame {
        let (sin, cos) = radians.sin_cos();
        Frame {
            forward: self.forward,
            left: self.left * cos + self.up * sin,
            up: self.up * cos - self.left * sin,
        }
    }

    /// `local` (forward, left, up) as an offset in the walker's space.
    pub fn offset(self, local: Vec3) -> Vec3 {
        self.forward * local.x + self.left * local.y + self.up * local.z
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_close(found: Vec3, expected: Vec3) {
        assert!((found - expected).length() < 1e-6, "{found:?} is not {expected:?}");
    }

    #[test]
    fn rotations_have_the_documented_directions() {
        let quarter = std::f32::consts::FRAC_PI_2;
        check_close(Frame::UPRIGHT.yaw(quarter).forward, vec3(0.0, 1.0, 0.0));
        check_close(Frame::UPRIGHT.lean(quarter).up, vec3(1.0, 0.0, 0.0));
        check_close(Frame::UPRIGHT.list(quarter).left, vec3(0.0, 0.0, 1.0));
    }

    #[test]
    fn rotated_frames_stay_right_handed() {
        let frame = Frame::UPRIGHT.yaw(0.4).lean(-0.3).list(0.7);
        check_close(frame.forward.cross(frame.left), frame.up);
    }
}
