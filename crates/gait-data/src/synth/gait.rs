//! The gait of one person: posture, joint curves, and their variation from day to day.

use rand::Rng;

use super::chance::{factor, spread};
use super::curves::{ANKLE, Curve, ELBOW, KNEE, SHOULDER, THIGH};

/// A person's gait. Angles in degrees, lengths in metres; pairs are left, right.
#[derive(Clone, Debug)]
pub(super) struct Gait {
    /// Strides (two steps) per second.
    pub cadence: f32,
    pub thigh: [Curve; 2],
    pub knee: [Curve; 2],
    pub ankle: [Curve; 2],
    pub shoulder: [Curve; 2],
    pub elbow: [Curve; 2],
    /// Delay of the right foot beyond half a stride, in strides.
    pub limp: f32,
    /// Delay of the arms behind the legs, in strides.
    pub arm_delay: f32,
    /// Angle of each upper arm away from the trunk, and of the forearms turned across the belly.
    pub arm_spread: [f32; 2],
    pub arm_turn: f32,
    pub toe_out: [f32; 2],
    /// Distance between the tracks of the ankles.
    pub step_width: f32,
    /// Deviation of the knees from the straight leg, positive outwards.
    pub bow_legs: f32,
    /// Lean of the whole trunk, additional lean of the chest and of the neck, nod of the head.
    pub lean: f32,
    pub stoop: f32,
    pub neck_forward: f32,
    pub head_nod: f32,
    /// Amplitudes of pelvis and trunk: turn, list, pitch, and sideways travel of the hips.
    pub pelvis_turn: f32,
    pub pelvis_list: f32,
    pub chest_turn: f32,
    pub chest_list: f32,
    pub chest_pitch: f32,
    pub sway: f32,
    /// Height of the shoulders above their usual position, and their difference as a tilt.
    pub shrug: f32,
    pub shoulder_tilt: f32,
}

/// Both sides of a personal curve: the same shape with slightly unequal swings.
fn both_sides(rng: &mut impl Rng, curve: Curve, unequal: f32) -> [Curve; 2] {
    let difference = spread(rng, unequal);
    [curve.scaled(1.0 + difference, 0.0), curve.scaled(1.0 - difference, 0.0)]
}

impl Gait {
    /// Draws a person's gait.
    ///
    /// Deviations between people have the size that Winter (1991) and Kadaba et al. ("Measurement
    /// of lower extremity kinematics during level walking", J. Orthop. Res. 8, 1990) report.
    pub fn draw(rng: &mut impl Rng) -> Gait {
        let pace = spread(rng, 1.0);
        let thigh = THIGH
            .personal(rng, 0.07, 0.008)
            .scaled(1.0 + 0.05 * pace + spread(rng, 0.07), spread(rng, 2.0));
        let knee =
            KNEE.personal(rng, 0.07, 0.008).scaled(factor(rng, 0.07), 1.5 + spread(rng, 2.5));
        let ankle = ANKLE.personal(rng, 0.10, 0.01).scaled(factor(rng, 0.15), spread(rng, 2.0));
        let shoulder = SHOULDER
            .personal(rng, 0.10, 0.012)
            .scaled(1.0 + 0.10 * pace + spread(rng, 0.28), spread(rng, 4.0));
        let elbow = ELBOW.personal(rng, 0.15, 0.02).scaled(factor(rng, 0.30), spread(rng, 7.0));
        let toe_out = 7.0 + spread(rng, 5.5);
        let arm_spread = 7.0 + spread(rng, 3.5);
        Gait {
            cadence: 0.93 + 0.05 * pace + spread(rng, 0.04),
            thigh: both_sides(rng, thigh, 0.02),
            knee: both_sides(rng, knee, 0.02),
            ankle: both_sides(rng, ankle, 0.03),
            shoulder: both_sides(rng, shoulder, 0.15),
            elbow: both_sides(rng, elbow, 0.12),
            limp: spread(rng, 0.006),
            arm_delay: spread(rng, 0.025),
            arm_spread: [arm_spread + spread(rng, 1.5), arm_spread + spread(rng, 1.5)],
            arm_turn: 10.0 + spread(rng, 8.0),
            toe_out: [toe_out + spread(rng, 2.5), toe_out + spread(rng, 2.5)],
            step_width: 0.09 + spread(rng, 0.03),
            bow_legs: spread(rng, 2.5),
            lean: 2.0 + spread(rng, 2.2),
            stoop: 4.0 + spread(rng, 4.0),
            neck_forward: 14.0 + spread(rng, 7.0),
            head_nod: 4.0 + spread(rng, 5.0),
            pelvis_turn: 5.0 + spread(rng, 2.0),
            pelvis_list: 4.0 + spread(rng, 1.6),
            chest_turn: 5.0 + spread(rng, 2.0),
            chest_list: 1.5 + spread(rng, 1.5),
            chest_pitch: 1.2 + spread(rng, 0.8),
            sway: 0.020 + spread(rng, 0.008),
            shrug: spread(rng, 0.012),
            shoulder_tilt: spread(rng, 1.5),
        }
    }

    /// The same person in another recording: a little faster or slower, with freer or stiffer arms
    /// and a slightly different posture.
    pub fn on_another_day(&self, rng: &mut impl Rng) -> Gait {
        let pace = spread(rng, 1.0);
        let stride = 1.0 + 0.035 * pace + spread(rng, 0.02);
        let arms = 1.0 + 0.08 * pace + spread(rng, 0.13);
        let knee_offset = spread(rng, 1.2);
        let shoulder_offset = spread(rng, 2.0);
        let elbow_offset = spread(rng, 4.0);
        let swing =
            |curves: [Curve; 2], factor: f32, offset| curves.map(|c| c.scaled(factor, offset));
        Gait {
            cadence: self.cadence * (1.0 + 0.04 * pace + spread(rng, 0.02)),
            thigh: swing(self.thigh, stride, spread(rng, 0.8)),
            knee: swing(self.knee, 0.5 + 0.5 * stride, knee_offset),
            ankle: swing(self.ankle, factor(rng, 0.04), 0.0),
            shoulder: swing(self.shoulder, arms, shoulder_offset),
            elbow: swing(self.elbow, arms, elbow_offset),
            arm_spread: self.arm_spread.map(|a| a + spread(rng, 1.2)),
            toe_out: self.toe_out.map(|a| a + spread(rng, 1.5)),
            step_width: self.step_width * factor(rng, 0.12),
            lean: self.lean + spread(rng, 1.2),
            stoop: self.stoop + spread(rng, 1.5),
            neck_forward: self.neck_forward + spread(rng, 2.5),
            head_nod: self.head_nod + spread(rng, 3.0),
            sway: self.sway * factor(rng, 0.1),
            shrug: self.shrug + spread(rng, 0.005),
            ..self.clone()
        }
    }

    /// Multiplies the length of the steps, with it half of the knees' swing.
    pub fn stretch(&mut self, factor: f32) {
        self.thigh = self.thigh.map(|curve| curve.scaled(factor, 0.0));
        self.knee = self.knee.map(|curve| curve.scaled(0.5 + 0.5 * factor, 0.0));
    }

    /// Multiplies the swing of both arms.
    pub fn swing_arms(&mut self, factor: f32) {
        self.shoulder = self.shoulder.map(|curve| curve.scaled(factor, 0.0));
        self.elbow = self.elbow.map(|curve| curve.scaled(factor, 0.0));
    }

    /// Changes one arm (0 left, 1 right) as a load or a sleeve does: multiplies its swing by `swing`,
    /// bends the elbow by `elbow` degrees, and moves the arm `outwards` degrees from the trunk.
    pub fn hinder_arm(&mut self, side: usize, swing: f32, elbow: f32, outwards: f32) {
        self.shoulder[side] = self.shoulder[side].scaled(swing, 0.0);
        self.elbow[side] = self.elbow[side].scaled(swing, elbow);
        self.arm_spread[side] += outwards;
    }

    /// Puts one hand into a coat pocket: the elbow points out and back, and the arm hardly swings.
    pub fn pocket_hand(&mut self, side: usize) {
        self.shoulder[side] = self.shoulder[side].scaled(0.2, -8.0);
        self.elbow[side] = self.elbow[side].scaled(0.2, 18.0);
        self.arm_spread[side] += 9.0;
    }
}
