//! The network that ships, and the rule for decisions with it.
//!
//! `models/README.md` says what it was trained on, what it was measured on, and what it fails on.

use std::path::Path;

use gait_eval::{Distance, OpenSetRule};

use crate::checkpoint::{Checkpoint, CheckpointError};

/// What stands for the network that ships where a checkpoint file is expected.
pub const NAME: &str = "builtin";

/// The network that ships, trained on synthetic walkers.
///
/// # Errors
/// None is known: a test reads it.
pub fn checkpoint() -> Result<Checkpoint, CheckpointError> {
    Checkpoint::decode(Path::new(NAME), include_bytes!("../models/walkers.safetensors"))
}

/// A rule for decisions, and what it was measured on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DefaultRule {
    /// The rule.
    pub rule: OpenSetRule,
    /// The distance that is compared with the threshold.
    pub distance: Distance,
    /// The share of comparisons of different people that are at most as far apart as the threshold.
    pub false_accept_rate: f64,
    /// The number of these comparisons.
    pub pairs: usize,
    /// Other false accept rates and their thresholds, both rising.
    pub curve: &'static [(f64, f32)],
}

/// The rule for the network that ships, measured on synthetic people whom it has not seen. For real
/// people in one place, calibrate a rule on them.
pub const RULE: DefaultRule = DefaultRule {
    rule: OpenSetRule { threshold: 1.1437, margin: 0.0 },
    distance: Distance::Strips,
    false_accept_rate: 0.01,
    pairs: 15_200,
    curve: &[
        (0.0005, 1.007),
        (0.001, 1.0175),
        (0.002, 1.0359),
        (0.005, 1.0879),
        (0.01, 1.1437),
        (0.02, 1.2008),
        (0.05, 1.3031),
        (0.1, 1.4137),
        (0.2, 1.5639),
        (0.5, 2.0025),
    ],
};

impl DefaultRule {
    /// The share of comparisons of different people that are at most this far apart, between two
    /// points of the curve that of the upper one.
    pub fn false_accepts(&self, distance: f32) -> f64 {
        let above = self.curve.iter().find(|(_, threshold)| distance <= *threshold);
        above.map_or(1.0, |(rate, _)| *rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Embedder;

    #[test]
    fn the_network_can_be_used_and_has_no_optimiser() {
        let checkpoint = checkpoint().unwrap();
        assert_eq!(checkpoint.optimizer, None);
        let embedder = Embedder::new(&checkpoint, &crate::cpu()).unwrap();
        let [channels, strips] = embedder.shape();
        assert!(channels * strips > 0);
    }

    #[test]
    fn the_curve_rises_and_holds_the_rule() {
        let points = || RULE.curve.iter().zip(&RULE.curve[1..]);
        assert!(points().all(|(low, high)| low.0 < high.0 && low.1 < high.1));
        assert_eq!(RULE.false_accepts(RULE.rule.threshold), RULE.false_accept_rate);
        assert_eq!(RULE.false_accepts(f32::MAX), 1.0);
    }
}
