//! Where a box is and where it goes: a Kalman filter with constant velocity.
//!
//! As in SORT and ByteTrack, the state is the centre, the ratio of width to height, and the height,
//! with their velocities. All noise there is independent between the four, so the filter of eight
//! numbers is four filters of two, and needs no matrices.

use crate::Bounds;

/// The motion of one box.
#[derive(Debug, Clone)]
pub(super) struct Motion {
    x: Part,
    y: Part,
    /// Width over height.
    ratio: Part,
    height: Part,
}

/// Standard deviations of the noise, as ByteTrack has them.
struct Noise {
    /// Of a position in a frame, and of its measurement.
    position: f32,
    /// Of a velocity in a frame.
    velocity: f32,
}

impl Noise {
    /// Of centre and height, for a box of this height.
    fn of_length(height: f32) -> Self {
        Self { position: height / 20.0, velocity: height / 160.0 }
    }

    /// Of the ratio, which people keep.
    const RATIO: Self = Self { position: 1e-2, velocity: 1e-5 };
}

/// Standard deviation of a measured ratio.
const MEASURED_RATIO: f32 = 1e-1;

impl Motion {
    pub(super) fn new(bounds: &Bounds) -> Self {
        let Noise { position, velocity } = Noise::of_length(bounds.height());
        let length = |value| Part::new(value, 2.0 * position, 10.0 * velocity);
        let [x, y] = bounds.centre();
        let ratio = Part::new(ratio(bounds), Noise::RATIO.position, Noise::RATIO.velocity);
        Self { x: length(x), y: length(y), ratio, height: length(bounds.height()) }
    }

    /// Goes on to the next frame.
    pub(super) fn predict(&mut self) {
        let noise = Noise::of_length(self.height.position);
        for part in [&mut self.x, &mut self.y, &mut self.height] {
            part.predict(&noise);
        }
        self.ratio.predict(&Noise::RATIO);
    }

    /// The box is seen here.
    pub(super) fn update(&mut self, bounds: &Bounds) {
        let noise = Noise::of_length(self.height.position).position;
        let [x, y] = bounds.centre();
        self.x.update(x, noise);
        self.y.update(y, noise);
        self.height.update(bounds.height(), noise);
        self.ratio.update(ratio(bounds), MEASURED_RATIO);
    }

    /// Keeps the height, of a box that is out of sight.
    pub(super) fn hold_height(&mut self) {
        self.height.velocity = 0.0;
    }

    pub(super) fn bounds(&self) -> Bounds {
        let height = self.height.position;
        Bounds::around(self.x.position, self.y.position, self.ratio.position * height, height)
    }
}

fn ratio(bounds: &Bounds) -> f32 {
    bounds.width() / bounds.height()
}

/// One number with its velocity per frame, and their covariance.
#[derive(Debug, Clone, Copy)]
struct Part {
    position: f32,
    velocity: f32,
    variance: f32,
    covariance: f32,
    velocity_variance: f32,
}

impl Part {
    fn new(position: f32, deviation: f32, velocity_deviation: f32) -> Self {
        Self {
            position,
            velocity: 0.0,
            variance: deviation.powi(2),
            covariance: 0.0,
            velocity_variance: velocity_deviation.powi(2),
        }
    }

    fn predict(&mut self, noise: &Noise) {
        self.position += self.velocity;
        self.variance += 2.0 * self.covariance + self.velocity_variance + noise.position.powi(2);
        self.covariance += self.velocity_variance;
        self.velocity_variance += noise.velocity.powi(2);
    }

    fn update(&mut self, measured: f32, noise: f32) {
        let total = self.variance + noise.powi(2);
        let gain = self.variance / total;
        let velocity_gain = self.covariance / total;
        let surprise = measured - self.position;
        self.position += gain * surprise;
        self.velocity += velocity_gain * surprise;
        self.velocity_variance -= velocity_gain * self.covariance;
        self.covariance *= 1.0 - gain;
        self.variance *= 1.0 - gain;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A box 100 high, 40 wide, 3 pixels further right and 1 up in each frame.
    fn walker(frame: usize) -> Bounds {
        Bounds::around(50.0 + 3.0 * frame as f32, 200.0 - frame as f32, 40.0, 100.0)
    }

    #[test]
    fn a_constant_velocity_is_learnt_and_kept() {
        let mut motion = Motion::new(&walker(0));
        for frame in 1..40 {
            motion.predict();
            motion.update(&walker(frame));
        }
        assert!(motion.bounds().overlap(&walker(39)) > 0.98);
        (0..10).for_each(|_| motion.predict());
        assert!(motion.bounds().overlap(&walker(49)) > 0.95, "{:?}", motion.bounds());
    }

    #[test]
    fn first_steps_are_those_of_the_full_filter() {
        // Two steps of ByteTrack's `kalman_filter.py`, in float64.
        let mut motion = Motion::new(&walker(0));
        motion.predict();
        motion.update(&walker(1));
        motion.predict();
        motion.update(&Bounds { top: 140.0, ..walker(2) });
        let found = motion.bounds();
        let found = [found.left, found.top, found.right, found.bottom];
        let expected = [34.1858, 141.9676, 76.5899, 248.204];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-3, "{found:?} {expected:?}");
        }
    }
}
