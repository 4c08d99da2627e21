//! From joint angles to joint positions: one instant of a walk.

use std::f32::consts::TAU;

use super::body::Body;
use super::gait::Gait;
use super::vector::{Frame, Vec3, vec3};

/// Heel, ball and toe of one foot: the centres of the sole's rounded corners.
#[derive(Clone, Copy, Debug)]
pub(super) struct Foot {
    pub heel: Vec3,
    pub ball: Vec3,
    pub toe: Vec3,
    /// The axes of the foot; the toes may bend away from them.
    pub frame: Frame,
}

/// Radii of the sole's corners as fractions of the foot's length: heel, ball, toe.
pub(super) const SOLE: [f32; 3] = [0.125, 0.10, 0.065];

/// The joints of a leg, and the directions of its segments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leg {
    pub hip: Vec3,
    pub knee: Vec3,
    pub ankle: Vec3,
    pub shank_frame: Frame,
    pub foot: Foot,
}

/// The joints of an arm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arm {
    pub shoulder: Vec3,
    pub elbow: Vec3,
    pub wrist: Vec3,
    pub fingers: Vec3,
}

/// Joints in metres; the ground is z = 0, and the hips move along the x axis on average.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pose {
    pub pelvis: Vec3,
    pub waist: Vec3,
    pub pelvis_frame: Frame,
    pub waist_frame: Frame,
    pub chest_frame: Frame,
    pub head: Vec3,
    pub neck_root: Vec3,
    pub head_frame: Frame,
    pub legs: [Leg; 2],
    pub arms: [Arm; 2],
}

/// The sign of a side (0 left, 1 right) on the left axis.
pub(super) fn sign(side: usize) -> f32 {
    if side == 0 { 1.0 } else { -1.0 }
}

impl Pose {
    /// The body at `phase` of the stride (left heel strike at 0), the lower foot on the ground.
    pub fn at(body: &Body, gait: &Gait, phase: f32) -> Pose {
        let angle = TAU * phase;
        let pelvis = vec3(0.0, gait.sway * angle.sin(), 0.0);
        // At heel strike the striking side leads. Over the standing leg, the pelvis drops on the
        // other side and the chest moves over the standing foot.
        let pelvis_frame = Frame::UPRIGHT
            .yaw(-gait.pelvis_turn.to_radians() * angle.cos())
            .lean((0.4 * gait.lean).to_radians())
            .list(gait.pelvis_list.to_radians() * (angle + 0.2).sin());
        let spine = Frame::UPRIGHT
            .yaw(gait.chest_turn.to_radians() * angle.cos())
            .list(-gait.chest_list.to_radians() * angle.sin());
        let pitch = gait.lean + gait.chest_pitch * (2.0 * angle + 0.6).cos();
        let waist_frame = spine.lean((0.7 * pitch).to_radians());
        let chest_frame = spine.lean((pitch + gait.stoop).to_radians());
        let neck_frame = spine.lean((pitch + gait.stoop + gait.neck_forward).to_radians());
        let waist_height = body.trunk[2].height;
        let waist = pelvis + waist_frame.up * waist_height;
        let neck_root = waist + chest_frame.up * (body.neck_root - waist_height);
        let legs = [0, 1].map(|side| leg(body, gait, phase, pelvis, &pelvis_frame, side));
        let arms = [0, 1].map(|side| {
            let across = vec3(0.0, sign(side) * body.shoulder_half, 0.0);
            let tilt = sign(side) * gait.shoulder_tilt.to_radians() * body.shoulder_half;
            let height = body.shoulder_height - waist_height + gait.shrug + tilt;
            let shoulder = waist + chest_frame.up * height + chest_frame.offset(across);
            arm(body, gait, phase, shoulder, side)
        });
        let pose = Pose {
            pelvis,
            waist,
            pelvis_frame,
            waist_frame,
            chest_frame,
            head: neck_root + neck_frame.up * body.neck,
            neck_root,
            head_frame: Frame::UPRIGHT
                .yaw(0.3 * gait.chest_turn.to_radians() * angle.cos())
                .lean(gait.head_nod.to_radians()),
            legs,
            arms,
        };
        pose.moved(vec3(0.0, 0.0, -pose.lowest(body)))
    }

    /// The pose on ground that rises by `slope` per metre ahead: the foot in front is higher.
    pub fn on_slope(mut self, body: &Body, slope: f32) -> Pose {
        if slope == 0.0 {
            return self;
        }
        for Leg { hip, knee, ankle, foot, .. } in &mut self.legs {
            let rise = slope * (ankle.x - hip.x);
            knee.z += 0.5 * rise;
            for point in [ankle, &mut foot.heel, &mut foot.ball, &mut foot.toe] {
                point.z += rise;
            }
        }
        let lowest = self.lowest(body);
        self.moved(vec3(0.0, 0.0, -lowest))
    }

    /// The lowest point of both soles.
    pub fn lowest(&self, body: &Body) -> f32 {
        self.legs.iter().map(|leg| leg.foot.lowest(body)).fold(f32::INFINITY, f32::min)
    }

    /// The pose moved by `offset`.
    pub fn moved(mut self, offset: Vec3) -> Pose {
        for point in [&mut self.pelvis, &mut self.waist, &mut self.head, &mut self.neck_root] {
            *point += offset;
        }
        for Leg { hip, knee, ankle, foot, .. } in &mut self.legs {
            for point in [hip, knee, ankle, &mut foot.heel, &mut foot.ball, &mut foot.toe] {
                *point += offset;
            }
        }
        for Arm { shoulder, elbow, wrist, fingers } in &mut self.arms {
            for point in [shoulder, elbow, wrist, fingers] {
                *point += offset;
            }
        }
        self
    }
}

impl Foot {
    /// The sole's lowest point.
    pub fn lowest(&self, body: &Body) -> f32 {
        [self.heel, self.ball, self.toe]
            .iter()
            .zip(SOLE)
            .map(|(corner, radius)| corner.z - radius * body.foot)
            .fold(f32::INFINITY, f32::min)
    }
}

/// How flat the foot stands at phase `own` of its own stride: 1 while the whole sole is on the
/// ground, 0 in the air.
fn planted(own: f32) -> f32 {
    let rise = ((own - 0.02) / 0.08).clamp(0.0, 1.0);
    let fall = ((0.48 - own) / 0.14).clamp(0.0, 1.0);
    let share = rise.min(fall);
    share * share * (3.0 - 2.0 * share)
}

/// The phase of one side's own stride, from 0 to 1.
fn own_phase(gait: &Gait, phase: f32, side: usize) -> f32 {
    if side == 0 { phase } else { phase + 0.5 - gait.limp }.rem_euclid(1.0)
}

fn leg(
    body: &Body,
    gait: &Gait,
    phase: f32,
    pelvis: Vec3,
    pelvis_frame: &Frame,
    side: usize,
) -> Leg {
    let own = own_phase(gait, phase, side);
    let hip = pelvis + pelvis_frame.left * (sign(side) * body.hip_half);
    let track = sign(side) * 0.5 * gait.step_width;
    let upright = Frame::UPRIGHT.list(-((hip.y - track) / body.leg()).atan());
    let thigh_angle = gait.thigh[side].radians(own);
    let knee_angle = gait.knee[side].radians(own).max(0.02);
    let shank_angle = thigh_angle - knee_angle;
    let bow = sign(side) * gait.bow_legs.to_radians();
    let thigh_frame = upright.list(bow).lean(-thigh_angle);
    let shank_frame = upright.list(-bow).lean(-shank_angle);
    let knee = hip - thigh_frame.up * body.thigh;
    let ankle = knee - shank_frame.up * body.shank;
    let free = shank_angle + gait.ankle[side].radians(own);
    let pitch = free * (1.0 - planted(own));
    let toe_out = sign(side) * gait.toe_out[side].to_radians();
    Leg { hip, knee, ankle, shank_frame, foot: foot(body, ankle, toe_out, pitch) }
}

/// The foot below an ankle, with its toes `pitch` radians up (negative on tiptoe).
fn foot(body: &Body, ankle: Vec3, toe_out: f32, pitch: f32) -> Foot {
    let frame = Frame::UPRIGHT.yaw(toe_out).lean(-pitch);
    let [heel, ball, _] = SOLE.map(|share| share * body.foot);
    // At push-off the toes stay on the ground longer than the middle of the foot.
    let toes = Frame::UPRIGHT.yaw(toe_out).lean(-if pitch < 0.0 { 0.45 * pitch } else { pitch });
    let ball_centre = ankle + frame.offset(vec3(0.45 * body.foot, 0.0, ball - body.ankle_height));
    Foot {
        heel: ankle + frame.offset(vec3(-0.13 * body.foot, 0.0, heel - body.ankle_height)),
        ball: ball_centre,
        toe: ball_centre + toes.offset(vec3(0.23 * body.foot, 0.0, -0.03 * body.foot)),
        frame,
    }
}

fn arm(body: &Body, gait: &Gait, phase: f32, shoulder: Vec3, side: usize) -> Arm {
    let own = own_phase(gait, phase - gait.arm_delay, side);
    let flexion = gait.shoulder[side].radians(own);
    let bend = gait.elbow[side].radians(own).max(0.05);
    let outwards = sign(side) * gait.arm_spread[side].to_radians();
    let inwards = -sign(side) * gait.arm_turn.to_radians();
    let upper = Frame::UPRIGHT.list(outwards).lean(-flexion);
    let lower = upper.yaw(inwards).lean(-bend);
    let palm = lower.lean(-0.15);
    let elbow = shoulder - upper.up * body.upper_arm;
    let wrist = elbow - lower.up * body.forearm;
    Arm { shoulder, elbow, wrist, fingers: wrist - palm.up * (0.8 * body.hand) }
}

/// Metres per stride: the sum over both feet of the distance that the standing sole moves backwards
/// under the hips between its own heel strike and the other foot's.
pub(super) fn stride_length(body: &Body, gait: &Gait) -> f32 {
    let foot_at = |side: usize, own: f32| {
        let phase = if side == 0 { own } else { own - 0.5 + gait.limp };
        Pose::at(body, gait, phase).legs[side].foot
    };
    let step = |side: usize| {
        // The foot lands on the heel and leaves on the ball, which are this far apart when flat.
        let length = 0.58 * body.foot * gait.toe_out[side].to_radians().cos();
        foot_at(side, 0.0).heel.x + length - foot_at(side, 0.5).ball.x
    };
    step(0) + step(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::chance::{Purpose, generator};

    fn people(count: u64) -> impl Iterator<Item = (Body, Gait)> {
        (0..count).map(|i| {
            let mut rng = generator(8, Purpose::Person, [i, 0]);
            (Body::draw(&mut rng), Gait::draw(&mut rng))
        })
    }

    #[test]
    fn some_sole_touches_the_ground_and_none_goes_below() {
        for (body, gait) in people(100) {
            for step in 0..50 {
                let pose = Pose::at(&body, &gait, step as f32 / 50.0);
                assert!(pose.lowest(&body).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn body_bobs_as_a_walker_does() {
        for (body, gait) in people(100) {
            let heights = (0..100).map(|i| Pose::at(&body, &gait, i as f32 / 100.0).pelvis.z);
            let low = heights.clone().fold(f32::MAX, f32::min);
            let high = heights.fold(f32::MIN, f32::max);
            assert!((0.01..0.11).contains(&(high - low)), "bobs by {} m", high - low);
        }
    }

    #[test]
    fn stride_is_a_human_share_of_the_stature() {
        let mut mean = 0.0;
        for (body, gait) in people(100) {
            let share = stride_length(&body, &gait) / body.stature;
            assert!((0.55..1.15).contains(&share), "a stride of {share} statures");
            mean += share / 100.0;
        }
        assert!((0.72..0.90).contains(&mean), "a mean stride of {mean} statures");
    }

    #[test]
    fn half_a_stride_later_a_symmetric_walker_is_mirrored() {
        let (body, mut gait) = people(1).next().unwrap();
        gait.limp = 0.0;
        gait.shoulder_tilt = 0.0;
        gait.toe_out[1] = gait.toe_out[0];
        gait.arm_spread[1] = gait.arm_spread[0];
        for pair in
            [&mut gait.thigh, &mut gait.knee, &mut gait.ankle, &mut gait.shoulder, &mut gait.elbow]
        {
            pair[1] = pair[0];
        }
        for step in 0..20 {
            let phase = step as f32 / 20.0;
            let now = Pose::at(&body, &gait, phase);
            let later = Pose::at(&body, &gait, phase + 0.5);
            for (left, right) in [
                (now.legs[0].foot.toe, later.legs[1].foot.toe),
                (now.legs[0].knee, later.legs[1].knee),
                (now.arms[0].wrist, later.arms[1].wrist),
            ] {
                let mirrored = vec3(right.x, -right.y, right.z);
                assert!((left - mirrored).length() < 1e-3, "{left:?} against {mirrored:?}");
            }
        }
    }
}
