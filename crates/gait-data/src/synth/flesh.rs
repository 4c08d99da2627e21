//! The body around the joints: the solids of one instant.

use super::body::{Body, Hair};
use super::clothing::Outfit;
use super::pose::{Arm, Leg, Pose, SOLE, sign};
use super::solids::{Ellipsoid, Part, Region};
use super::vector::{Frame, Vec3, vec3};

/// All solids of a dressed person, coat and bag included. `earlier` is the pose a moment before,
/// which hanging cloth still follows.
pub(super) fn flesh(body: &Body, outfit: &Outfit, pose: &Pose, earlier: &Pose) -> Vec<Part> {
    let mut parts = Vec::with_capacity(40);
    trunk(body, outfit, pose, &mut parts);
    head(body, outfit, pose, &mut parts);
    for side in [0, 1] {
        arm(body, outfit, &pose.arms[side], side, &mut parts);
        leg(body, &pose.legs[side], side, &mut parts);
    }
    outfit.hang(body, pose, earlier, &mut parts);
    parts
}

fn trunk(body: &Body, outfit: &Outfit, pose: &Pose, parts: &mut Vec<Part>) {
    let rings = [0, 1, 2, 3, 4].map(|index| outfit.ring(body, pose, index));
    parts.extend(rings.windows(2).map(|pair| Part::new(Region::Trunk, pair)));
    // The buttocks protrude behind the seat.
    let seat = outfit.clothed(body, 0);
    let behind = pose.pelvis_frame.offset(vec3(-body.buttocks, 0.0, 0.012 * body.stature));
    let half = vec3(seat.half_depth, 0.82 * seat.half_width, 0.055 * body.stature);
    let buttocks = Ellipsoid::turned(pose.pelvis + behind, &pose.pelvis_frame, half);
    parts.push(Part::new(Region::Trunk, [buttocks, rings[1]]));
    // The shoulders slope from the neck to the joints.
    let root = pose.neck_root.towards(pose.head, 0.12);
    for arm in &pose.arms {
        let deltoid = Ellipsoid::ball(arm.shoulder, 1.05 * body.girths.upper_arm + outfit.sleeve());
        let neck = Ellipsoid::ball(root, 0.9 * body.girths.neck);
        parts.push(Part::new(Region::Trunk, [deltoid, neck, rings[4]]));
    }
}

fn head(body: &Body, outfit: &Outfit, pose: &Pose, parts: &mut Vec<Part>) {
    let [height, depth, breadth] = body.head;
    let frame = &pose.head_frame;
    let neck = body.girths.neck;
    let root = pose.neck_root + pose.chest_frame.forward * (0.1 * neck);
    let nape = pose.head + frame.offset(vec3(-0.2 * depth, 0.0, -0.3 * height));
    parts.push(Part::cone(Region::Trunk, (root, 1.12 * neck), (nape, 0.95 * neck)));
    // A skull above and behind, a narrower jaw below and in front.
    let skull = Ellipsoid::turned(
        pose.head + frame.offset(vec3(-0.06 * depth, 0.0, 0.18 * height)),
        frame,
        vec3(0.95 * depth, breadth, 0.82 * height),
    );
    let jaw = Ellipsoid::turned(
        pose.head + frame.offset(vec3(0.30 * depth, 0.0, -0.55 * height)),
        frame,
        vec3(0.52 * depth, 0.66 * breadth, 0.45 * height),
    );
    parts.push(Part::new(Region::Head, [skull, jaw]));
    let size = vec3(depth, breadth, height);
    if let Some(part) = outfit.hood(pose, size) {
        parts.push(part);
    } else {
        hair(body.hair, pose, size, parts);
    }
    parts.extend(outfit.hat(pose, size));
}

fn hair(hair: Hair, pose: &Pose, size: Vec3, parts: &mut Vec<Part>) {
    let frame = &pose.head_frame;
    let crown = pose.head + frame.offset(vec3(-0.12 * size.x, 0.0, 0.2 * size.z));
    match hair {
        Hair::Short => {}
        Hair::Full(more) => {
            let half = vec3(0.98 * size.x, 1.02 * size.y, 0.86 * size.z) * (1.0 + more);
            parts.push(Part::new(Region::Head, [Ellipsoid::turned(crown, frame, half)]));
        }
        Hair::Long(length) => {
            let cap = vec3(0.98 * size.x, 1.06 * size.y, 0.84 * size.z);
            let end =
                crown + frame.offset(vec3(-0.45 * size.x, 0.0, 0.0)) - Frame::UPRIGHT.up * length;
            let tip = vec3(0.35 * size.x, 0.85 * size.y, 0.3 * size.z);
            parts.push(Part::new(
                Region::Head,
                [
                    Ellipsoid::turned(crown, frame, cap * 1.03),
                    Ellipsoid::turned(end, &pose.chest_frame, tip),
                ],
            ));
        }
        Hair::Bun(radius) => {
            let bun = crown + frame.offset(vec3(-size.x, 0.0, 0.25 * size.z));
            parts.push(Part::new(Region::Head, [Ellipsoid::ball(bun, radius)]));
        }
    }
}

fn arm(body: &Body, outfit: &Outfit, arm: &Arm, side: usize, parts: &mut Vec<Part>) {
    let sleeve = outfit.sleeve();
    let [upper, elbow, wrist] =
        [body.girths.upper_arm, body.girths.elbow, body.girths.wrist].map(|r| r + sleeve);
    parts.push(Part::cone(Region::UpperArm(side), (arm.shoulder, upper), (arm.elbow, elbow)));
    parts.push(Part::cone(Region::Forearm(side), (arm.elbow, elbow), (arm.wrist, wrist)));
    // A loosely closed hand: palm and curled fingers.
    let palm = Ellipsoid::ball(arm.wrist.towards(arm.fingers, 0.35), 0.27 * body.hand);
    let fingers = Ellipsoid::ball(arm.wrist.towards(arm.fingers, 0.8), 0.19 * body.hand);
    parts.push(Part::new(Region::Forearm(side), [palm, fingers]));
}

fn leg(body: &Body, leg: &Leg, side: usize, parts: &mut Vec<Part>) {
    let girths = &body.girths;
    let cloth = body.trousers;
    let groin = leg.hip.towards(leg.knee, 0.12);
    let middle = (leg.hip.towards(leg.knee, 0.45), 0.88 * girths.thigh + 0.2 * cloth);
    let knee = (leg.knee, girths.knee + 0.3 * cloth);
    parts.push(Part::cone(Region::Thigh(side), (groin, girths.thigh), middle));
    parts.push(Part::cone(Region::Thigh(side), middle, knee));
    let back = leg.shank_frame.forward * (-0.35 * girths.calf);
    let calf = (leg.knee.towards(leg.ankle, 0.30) + back, girths.calf + 0.35 * cloth);
    let shin = (leg.knee.towards(leg.ankle, 0.88), girths.ankle + cloth);
    parts.push(Part::cone(Region::Shank(side), knee, calf));
    parts.push(Part::cone(Region::Shank(side), calf, shin));
    foot(body, leg, side, parts);
}

fn foot(body: &Body, leg: &Leg, side: usize, parts: &mut Vec<Part>) {
    let length = body.foot;
    let frame = &leg.foot.frame;
    let corner = |centre, radius: f32, half_breadth: f32| {
        Ellipsoid::turned(centre, frame, vec3(radius, half_breadth, radius) * length)
    };
    let heel = corner(leg.foot.heel, SOLE[0], 0.13);
    let outer = frame.left * (sign(side) * 0.03 * length);
    let ball = corner(leg.foot.ball + outer, SOLE[1], 0.19);
    let toe = corner(leg.foot.toe, SOLE[2], 0.14);
    let ankle = Ellipsoid::ball(leg.ankle, body.girths.ankle);
    parts.push(Part::new(Region::Foot(side), [ankle, heel, ball]));
    parts.push(Part::new(Region::Foot(side), [ball, toe]));
}
