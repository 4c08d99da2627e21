//! When the nearest person is named, and which error rates a number of pairs can show.

use serde::{Deserialize, Serialize};

/// When the person who is nearest to a probe is named.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OpenSetRule {
    /// The largest distance of a person who is named.
    pub threshold: f32,
    /// How much nearer the person must be than the second one, as a fraction of the distance of the
    /// second one, so that it means the same for every network. With 0, only a tie names nobody.
    pub margin: f32,
}

impl OpenSetRule {
    /// Whether a person at this distance is named, if the next person is at `second`.
    pub fn accepts(&self, best: f32, second: Option<f32>) -> bool {
        let clear = |second: f32| best < second && second - best >= self.margin * second;
        best <= self.threshold && second.is_none_or(clear)
    }
}

/// An error rate that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RateError {
    /// It is not a fraction above 0.
    #[error("{0} is not a rate: it must be above 0 and at most 1")]
    NotARate(f64),
    /// There is no pair from which to measure it.
    #[error("there are no pairs of different people")]
    NoPairs,
    /// So few pairs cannot show such a small rate.
    ///
    /// The limit is the "rule of three" (J. A. Hanley, A. Lippman-Hand, "If nothing goes wrong, is
    /// everything all right?", JAMA 249, 1983; also in ISO/IEC 19795-1): if none of `n` independent
    /// trials fails, the rate of failures is at most `3 / n` with 95% confidence.
    #[error(
        "{pairs} pairs of different people support a rate of {} at least, not {rate}",
        rounded_up(*smallest)
    )]
    TooFewPairs {
        /// The rate that was asked for.
        rate: f64,
        /// The smallest rate that the pairs support.
        smallest: f64,
        /// The number of pairs.
        pairs: usize,
    },
}

impl RateError {
    /// Checks that `pairs` support a rate.
    pub(crate) fn check(rate: f64, pairs: usize) -> Result<(), Self> {
        let smallest = 3.0 / pairs as f64;
        if !(rate > 0.0 && rate <= 1.0) {
            Err(Self::NotARate(rate))
        } else if pairs == 0 {
            Err(Self::NoPairs)
        } else if rate < smallest {
            Err(Self::TooFewPairs { rate, smallest, pairs })
        } else {
            Ok(())
        }
    }
}

/// A rate with two digits that is not below the exact one.
fn rounded_up(rate: f64) -> f64 {
    let places = 10_f64.powf(1.0 - rate.log10().floor()).round();
    // A rate of two digits is one up to rounding.
    (rate * places - 1e-9).ceil() / places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_named_if_near_and_clearly_nearest() {
        let rule = OpenSetRule { threshold: 2.0, margin: 0.25 };
        assert!(rule.accepts(2.0, None) && rule.accepts(1.5, Some(2.0)));
        assert!(!rule.accepts(2f32.next_up(), None));
        assert!(!rule.accepts(1.5f32.next_up(), Some(2.0)));
        let rule = OpenSetRule { threshold: 2.0, margin: 0.0 };
        assert!(rule.accepts(1.0, Some(1f32.next_up())));
        assert!(!rule.accepts(1.0, Some(1.0)) && !rule.accepts(0.0, Some(0.0)));
        assert!(!rule.accepts(f32::NAN, None));
    }

    #[test]
    fn a_rate_needs_three_pairs_for_each_error() {
        assert_eq!(RateError::check(0.01, 300), Ok(()));
        let few = RateError::check(0.01, 250).unwrap_err();
        let expected = "250 pairs of different people support a rate of 0.012 at least, not 0.01";
        assert_eq!(few.to_string(), expected);
        assert_eq!([0.012, 3e-5, 0.1501, 1.0].map(rounded_up), [0.012, 3e-5, 0.16, 1.0]);
        for wrong in [0.0, -0.1, 1.5, f64::NAN] {
            assert!(matches!(RateError::check(wrong, 9000), Err(RateError::NotARate(_))));
        }
    }
}
