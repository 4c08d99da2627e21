//! What a world changes about a person and about a walk.

use rand::{Rng, RngExt};

use super::body::Body;
use super::chance::{happens, within};
use super::gait::Gait;
use super::world::{People, Walks};

impl People {
    /// Makes a person as different from others as people of this world are.
    pub(super) fn vary(&self, rng: &mut impl Rng, body: &mut Body, gait: &mut Gait) {
        let girth = within(rng, self.girth);
        let depth = girth * within(rng, self.depth);
        for ring in &mut body.trunk {
            ring.half_width *= girth;
            ring.half_depth *= depth;
        }
        let girths = &mut body.girths;
        for radius in [
            &mut girths.thigh,
            &mut girths.knee,
            &mut girths.calf,
            &mut girths.ankle,
            &mut girths.upper_arm,
            &mut girths.elbow,
            &mut girths.wrist,
            &mut girths.neck,
        ] {
            *radius *= girth;
        }
        let age = within(rng, self.age);
        let posture = within(rng, self.posture);
        gait.stoop += posture + 5.0 * age;
        gait.neck_forward += 0.4 * posture + 4.0 * age;
        gait.step_width += 0.03 * age;
        gait.limp += within(rng, self.limp);
        gait.stretch(1.0 - 0.15 * age);
        gait.swing_arms(within(rng, self.swing) * (1.0 - 0.3 * age));
    }
}

impl Walks {
    /// Makes a walk as different from a person's others as walks of this world are, clothes and
    /// loads aside.
    pub(super) fn vary(&self, rng: &mut impl Rng, gait: &mut Gait) {
        gait.cadence *= within(rng, self.pace);
        gait.stretch(within(rng, self.stride));
        gait.swing_arms(within(rng, self.swing));
        let lean = within(rng, self.posture);
        gait.lean += lean;
        gait.stoop -= 0.5 * lean;
        if happens(rng, self.pockets) {
            [0, 1].into_iter().for_each(|side| gait.pocket_hand(side));
        }
    }

    /// The frame rate of a recording.
    pub(super) fn rate(&self, rng: &mut impl Rng) -> f32 {
        self.rates[rng.random_range(0..self.rates.len())]
    }
}
