//! Joint-angle curves over one stride, as short Fourier series.
//!
//! The means approximate published normative curves at natural cadence in shape, timing and
//! range: D. A. Winter, "The Biomechanics and Motor Control of Human Gait" (2nd ed., 1991),
//! chapter 3, and J. Perry, "Gait Analysis" (1992), chapter 4, for the leg; M. P. Murray,
//! S. B. Sepic and E. J. Barnard, "Patterns of sagittal rotation of the upper limbs in walking",
//! Physical Therapy 47 (1967), for the arm. The leg's curves were sampled every 5% of the stride,
//! to about a degree, and fitted with five harmonics (largest residual 1.3 degrees, at the ankle's
//! push-off).

use std::f32::consts::TAU;

use rand::Rng;

use super::chance::spread;

/// Number of harmonics. With fewer than three, the knee loses its flexion under load in early
/// stance.
pub(super) const HARMONICS: usize = 5;

/// An angle in degrees over the stride: `mean + sum of a_k cos(k w) + b_k sin(k w)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Curve {
    pub mean: f32,
    pub harmonics: [[f32; 2]; HARMONICS],
}

/// Inclination of the thigh to the vertical, positive forwards. Heel strike is at phase 0.
pub(super) const THIGH: Curve = Curve {
    mean: 7.25,
    harmonics: [[20.52, -2.40], [-3.33, -2.80], [-0.25, 1.26], [0.0, 0.0], [-0.10, 0.20]],
};

/// Knee flexion: a small peak under load (15%), the large one in swing (72%).
pub(super) const KNEE: Curve = Curve {
    mean: 25.2,
    harmonics: [[-4.75, -20.14], [-13.70, 8.34], [-0.89, 3.89], [-0.50, 0.56], [-0.30, 0.50]],
};

/// Ankle dorsiflexion, negative at push-off (62%).
pub(super) const ANKLE: Curve = Curve {
    mean: -0.6,
    harmonics: [[-0.20, 7.41], [1.15, -7.16], [-3.25, 0.93], [1.85, -0.43], [-0.25, -0.95]],
};

/// Shoulder flexion: the arm is behind at its own side's heel strike, in front half a stride later.
pub(super) const SHOULDER: Curve = Curve {
    mean: -9.0,
    harmonics: [[-14.5, -1.5], [0.8, 0.6], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]],
};

/// Elbow flexion, largest shortly after the arm is in front.
pub(super) const ELBOW: Curve =
    Curve { mean: 24.0, harmonics: [[-9.0, -3.0], [1.5, 1.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]] };

impl Curve {
    /// Degrees at `phase`, in strides; whole strides change nothing.
    pub fn degrees(&self, phase: f32) -> f32 {
        let (sin, cos) = (TAU * phase.fract()).sin_cos();
        // The sine and cosine of each harmonic follow from those of the one before.
        let mut s = sin;
        let mut c = cos;
        let mut angle = self.mean;
        for [a, b] in self.harmonics {
            angle += a * c + b * s;
            (s, c) = (s * cos + c * sin, c * cos - s * sin);
        }
        angle
    }

    /// Radians at `phase`.
    pub fn radians(&self, phase: f32) -> f32 {
        self.degrees(phase).to_radians()
    }

    /// The curve with its swing multiplied by `swing` and its mean shifted by `offset` degrees.
    pub fn scaled(&self, swing: f32, offset: f32) -> Curve {
        let harmonics = self.harmonics.map(|[a, b]| [a * swing, b * swing]);
        Curve { mean: self.mean + offset, harmonics }
    }

    /// One person's version: every harmonic varies in size (relative deviation `size`) and timing
    /// (deviation `timing`, in strides), so that the shape is personal and not only the range.
    pub fn personal(&self, rng: &mut impl Rng, size: f32, timing: f32) -> Curve {
        let mut harmonics = self.harmonics;
        for [a, b] in &mut harmonics {
            let factor = 1.0 + spread(rng, size);
            let (sin, cos) = (TAU * spread(rng, timing)).sin_cos();
            (*a, *b) = (factor * (*a * cos - *b * sin), factor * (*b * cos + *a * sin));
        }
        Curve { mean: self.mean, harmonics }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest and the largest angle of a curve, and the phase of the largest.
    struct Extremes {
        bottom: f32,
        top: f32,
        top_phase: f32,
    }

    fn extremes(curve: &Curve) -> Extremes {
        let phases = (0..200).map(|i| i as f32 / 200.0);
        let by_angle = |a: &f32, b: &f32| curve.degrees(*a).total_cmp(&curve.degrees(*b));
        let top_phase = phases.clone().max_by(by_angle).unwrap();
        let bottom_phase = phases.min_by(by_angle).unwrap();
        let bottom = curve.degrees(bottom_phase);
        Extremes { bottom, top: curve.degrees(top_phase), top_phase }
    }

    #[test]
    fn knee_bends_most_in_swing_and_never_backwards() {
        let Extremes { bottom, top, top_phase } = extremes(&KNEE);
        assert!(bottom > 0.0, "the knee bends backwards: {bottom}");
        assert!((58.0..68.0).contains(&top), "{top}");
        assert!((0.68..0.78).contains(&top_phase), "{top_phase}");
    }

    #[test]
    fn thigh_leads_at_heel_strike_and_trails_before_toe_off() {
        let Extremes { bottom, top, top_phase } = extremes(&THIGH);
        assert!((-20.0..-14.0).contains(&bottom) && (22.0..30.0).contains(&top));
        assert!(top_phase > 0.8);
        assert!(THIGH.degrees(0.0) > 20.0 && THIGH.degrees(0.5) < -14.0);
    }

    #[test]
    fn arm_swings_against_its_own_leg() {
        let together = (0..100)
            .map(|i| i as f32 / 100.0)
            .map(|p| (SHOULDER.degrees(p) - SHOULDER.mean) * (THIGH.degrees(p) - THIGH.mean))
            .sum::<f32>();
        assert!(together < 0.0);
    }
}
