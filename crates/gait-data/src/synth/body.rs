//! Bones and girths of one person.
//!
//! Lengths are fractions of the stature after R. Drillis and R. Contini, "Body Segment Parameters"
//! (New York University, 1966), as drawn in D. A. Winter, "Biomechanics and Motor Control of
//! Human Movement", figure 4.1. Head, trunk and limb girths, which that figure leaves out, follow
//! the means of the ANSUR survey (C. C. Gordon et al., 1989), with light clothes. Deviations are
//! those of adults, rounded up a little, because a silhouette of 64 rows cannot show less than a
//! pixel.

use rand::Rng;

use super::chance::{between, factor, happens, spread};

/// One horizontal section of the trunk, all in metres.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ring {
    /// Above the hip joints, along the spine.
    pub height: f32,
    pub half_width: f32,
    pub half_depth: f32,
    /// Offset of the section's centre from the spine.
    pub forward: f32,
}

/// Radii along one limb, in metres.
#[derive(Clone, Copy, Debug)]
pub(super) struct Girths {
    pub thigh: f32,
    pub knee: f32,
    pub calf: f32,
    pub ankle: f32,
    pub upper_arm: f32,
    pub elbow: f32,
    pub wrist: f32,
    pub neck: f32,
}

/// Hair that changes the outline of the head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Hair {
    /// Close to the skull.
    Short,
    /// Standing off all round, by this fraction of the head.
    Full(f32),
    /// Hanging behind, this long in metres.
    Long(f32),
    /// A bun behind the crown, of this radius in metres.
    Bun(f32),
}

/// A person's build. Lengths and radii in metres, standing upright.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub stature: f32,
    pub thigh: f32,
    pub shank: f32,
    pub ankle_height: f32,
    pub foot: f32,
    /// Half the distance between the hip joints, and between the shoulder joints.
    pub hip_half: f32,
    pub shoulder_half: f32,
    /// Height of the shoulder joints and of the base of the neck above the hip joints, along the
    /// spine.
    pub shoulder_height: f32,
    pub neck_root: f32,
    /// From the base of the neck to the centre of the head.
    pub neck: f32,
    /// Half height, half depth, half breadth of the head.
    pub head: [f32; 3],
    pub upper_arm: f32,
    pub forearm: f32,
    pub hand: f32,
    /// From the seat to the shoulders.
    pub trunk: [Ring; 5],
    pub buttocks: f32,
    pub girths: Girths,
    pub hair: Hair,
    /// How far trousers stand off the shank at the ankle, in metres.
    pub trousers: f32,
}

impl Body {
    /// Draws a person.
    pub fn draw(rng: &mut impl Rng) -> Body {
        let stature = 1.69 + spread(rng, 0.085);
        // Two traits affect the whole body: how heavy a person is, and whether the shoulders or the
        // hips are broader. Everything else varies independently around them.
        let heavy = spread(rng, 1.0);
        let shouldered = spread(rng, 1.0);
        let legs = spread(rng, 0.028);
        let thigh_share = spread(rng, 0.02);
        let arms = factor(rng, 0.035);
        let head = factor(rng, 0.05);
        let trunk_length = 1.0 - 0.9 * legs + spread(rng, 0.02);
        let neck_length = factor(rng, 0.14);
        Body {
            stature,
            thigh: stature * 0.245 * (1.0 + legs + thigh_share),
            shank: stature * 0.246 * (1.0 + legs - thigh_share),
            ankle_height: stature * 0.039,
            foot: stature * 0.158 * factor(rng, 0.05),
            hip_half: stature * 0.052 * factor(rng, 0.05),
            shoulder_half: stature * 0.106 * (1.0 + 0.05 * shouldered) * factor(rng, 0.03),
            shoulder_height: stature * 0.264 * trunk_length,
            neck_root: stature * 0.306 * trunk_length,
            neck: stature * 0.094 * (0.5 + 0.5 * neck_length),
            head: [
                stature * 0.066 * head * factor(rng, 0.03),
                stature * 0.057 * head * factor(rng, 0.04),
                stature * 0.046 * head * factor(rng, 0.04),
            ],
            upper_arm: stature * 0.174 * arms * factor(rng, 0.02),
            forearm: stature * 0.147 * arms * factor(rng, 0.02),
            hand: stature * 0.100 * arms,
            trunk: trunk(rng, stature, trunk_length, heavy, shouldered),
            buttocks: stature * 0.022 * factor(rng, 0.35),
            girths: girths(rng, stature, heavy, shouldered),
            hair: hair(rng, shouldered),
            trousers: between(rng, 0.0, 0.03),
        }
    }

    /// From the hip joint to the ankle joint, leg straight.
    pub fn leg(&self) -> f32 {
        self.thigh + self.shank
    }
}

/// The mean shape of the trunk at one height, and how much each trait changes it.
struct Cut {
    /// Height, half width and half depth as fractions of the stature.
    shares: [f32; 3],
    /// Effect of the shoulder trait and of the weight on the width.
    shouldered: f32,
    heavy: f32,
    /// How far a belly and a chest protrude at this height.
    belly: f32,
    chest: f32,
}

const fn cut(shares: [f32; 3], traits: [f32; 4]) -> Cut {
    let [shouldered, heavy, belly, chest] = traits;
    Cut { shares, shouldered, heavy, belly, chest }
}

/// Seat, hips, waist, chest, shoulders.
const CUTS: [Cut; 5] = [
    cut([-0.020, 0.094, 0.064], [-0.030, 0.06, 0.00, 0.0]),
    cut([0.045, 0.090, 0.062], [-0.025, 0.08, 0.10, 0.0]),
    cut([0.105, 0.080, 0.060], [0.005, 0.11, 0.35, 0.0]),
    cut([0.190, 0.087, 0.066], [0.030, 0.07, 0.15, 0.6]),
    cut([0.256, 0.092, 0.050], [0.045, 0.04, 0.05, 0.0]),
];

fn trunk(rng: &mut impl Rng, stature: f32, length: f32, heavy: f32, shouldered: f32) -> [Ring; 5] {
    let belly = spread(rng, 0.10);
    let chest = spread(rng, 0.10);
    std::array::from_fn(|index| {
        let cut = &CUTS[index];
        let [height, width, depth] = cut.shares;
        let girth = 1.0 + cut.heavy * heavy + cut.belly * belly;
        let build = 1.0 + cut.shouldered * shouldered;
        let bulge = 1.0 + 1.3 * cut.heavy * heavy + 2.0 * cut.belly * belly;
        let ahead = cut.belly * (0.05 * (heavy + 0.4) + 0.8 * belly) + cut.chest * chest;
        Ring {
            height: stature * height * length,
            half_depth: stature * depth * bulge * factor(rng, 0.03),
            half_width: stature * width * girth * build * factor(rng, 0.025),
            forward: stature * 0.25 * depth * ahead,
        }
    })
}

fn girths(rng: &mut impl Rng, stature: f32, heavy: f32, shouldered: f32) -> Girths {
    let legs = 1.0 + 0.07 * heavy - 0.02 * shouldered + spread(rng, 0.04);
    let arms = 1.0 + 0.08 * heavy + 0.04 * shouldered + spread(rng, 0.04);
    Girths {
        thigh: stature * 0.050 * legs * factor(rng, 0.03),
        knee: stature * 0.035 * legs,
        calf: stature * 0.034 * legs * factor(rng, 0.05),
        ankle: stature * 0.023 * (0.5 + 0.5 * legs) * factor(rng, 0.05),
        upper_arm: stature * 0.030 * arms * factor(rng, 0.03),
        elbow: stature * 0.025 * arms,
        wrist: stature * 0.018 * (0.5 + 0.5 * arms),
        neck: stature * 0.034 * (1.0 + 0.04 * heavy + 0.05 * shouldered),
    }
}

fn hair(rng: &mut impl Rng, shouldered: f32) -> Hair {
    // Longer hair goes with broad hips, because women wear it more often.
    let longer = if shouldered < 0.0 { 0.6 } else { 0.15 };
    if happens(rng, longer) {
        if happens(rng, 0.65) {
            Hair::Long(between(rng, 0.12, 0.32))
        } else {
            Hair::Bun(between(rng, 0.03, 0.05))
        }
    } else if happens(rng, 0.4) {
        Hair::Full(between(rng, 0.06, 0.16))
    } else {
        Hair::Short
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::chance::{Purpose, generator};

    fn people(count: u64) -> Vec<Body> {
        (0..count).map(|i| Body::draw(&mut generator(5, Purpose::Person, [i, 0]))).collect()
    }

    fn check_range(name: &str, low: f32, high: f32, measure: impl Fn(&Body) -> f32) {
        for body in people(300) {
            let value = measure(&body);
            assert!((low..=high).contains(&value), "{name} is {value}, outside {low}..{high}");
        }
    }

    #[test]
    fn proportions_stay_human() {
        check_range("stature", 1.45, 1.95, |b| b.stature);
        check_range("leg / stature", 0.44, 0.55, |b| b.leg() / b.stature);
        check_range("thigh / shank", 0.85, 1.15, |b| b.thigh / b.shank);
        check_range("arm / stature", 0.35, 0.50, |b| {
            (b.upper_arm + b.forearm + b.hand) / b.stature
        });
        check_range("head height / stature", 0.10, 0.165, |b| 2.0 * b.head[0] / b.stature);
        check_range("shoulders / hips", 1.0, 1.9, |b| {
            (b.shoulder_half + b.girths.upper_arm) / b.trunk[0].half_width
        });
        check_range("waist breadth / stature", 0.10, 0.22, |b| {
            2.0 * b.trunk[2].half_width / b.stature
        });
    }

    #[test]
    fn standing_height_is_the_stature() {
        for body in people(300) {
            let standing =
                body.ankle_height + body.leg() + body.neck_root + body.neck + body.head[0];
            let ratio = standing / body.stature;
            assert!((0.95..1.05).contains(&ratio), "standing height is {ratio} of the stature");
        }
    }
}
