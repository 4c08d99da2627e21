//! The shapes that model a walker: convex hulls of ellipsoids, each belonging to a body region.

use super::vector::{Frame, Vec3, vec3};

/// An ellipsoid: its centre and its three half-axes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ellipsoid {
    pub centre: Vec3,
    pub axes: [Vec3; 3],
}

impl Ellipsoid {
    /// A sphere.
    pub fn ball(centre: Vec3, radius: f32) -> Ellipsoid {
        Ellipsoid::turned(centre, &Frame::UPRIGHT, vec3(radius, radius, radius))
    }

    /// An ellipsoid whose half-axes lie along a frame: `half` is (forward, left, up).
    pub fn turned(centre: Vec3, frame: &Frame, half: Vec3) -> Ellipsoid {
        let axes = [frame.forward * half.x, frame.left * half.y, frame.up * half.z];
        Ellipsoid { centre, axes }
    }
}

/// Regions of the body, which a segmenter can lose, and things carried or worn. Sides are 0 left,
/// 1 right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Region {
    Head,
    Trunk,
    UpperArm(usize),
    Forearm(usize),
    Thigh(usize),
    Shank(usize),
    Foot(usize),
    Coat,
    Bag,
}

/// The convex hull of a few ellipsoids.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub region: Region,
    pub hull: Vec<Ellipsoid>,
}

impl Part {
    /// A part from its ellipsoids.
    pub fn new(region: Region, hull: impl Into<Vec<Ellipsoid>>) -> Part {
        Part { region, hull: hull.into() }
    }

    /// A limb segment: a rounded cone between two balls.
    pub fn cone(region: Region, from: (Vec3, f32), to: (Vec3, f32)) -> Part {
        Part::new(region, [Ellipsoid::ball(from.0, from.1), Ellipsoid::ball(to.0, to.1)])
    }

    /// A box with rounded edges along a frame: `half` is (forward, left, up).
    pub fn rounded_box(region: Region, centre: Vec3, frame: &Frame, half: Vec3) -> Part {
        let edge = 0.5 * half.x.min(half.z);
        let corners = [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)];
        let balls = corners.map(|(forward, up)| {
            let offset = vec3(forward * (half.x - edge), 0.0, up * (half.z - edge));
            Ellipsoid::turned(centre + frame.offset(offset), frame, vec3(edge, half.y, edge))
        });
        Part::new(region, balls)
    }
}
