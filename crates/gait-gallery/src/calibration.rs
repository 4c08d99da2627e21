//! The rule for decisions, and what it rests on.

use gait_eval::{Distance, OpenSet, OpenSetRule, RateError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::store::Store;
use crate::{By, Event, Gallery, GalleryError};

/// A rule for decisions, calibrated to a false accept rate.
///
/// The rate is that of one comparison of a track and a subject, measured on each sequence and each
/// other subject, whose distance is the smallest one to its templates: the score of which decisions
/// are made. A stranger is compared with all subjects, so the chance to be taken for one of them is
/// larger, up to the rate times the number of subjects; [`OpenSet::searches`] measures it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The rule.
    #[serde(flatten)]
    pub rule: OpenSetRule,
    /// The distance that is compared with the threshold.
    pub distance: Distance,
    /// The false accept rate that was asked for, as a fraction.
    pub false_accept_rate: f64,
    /// The number of pairs of different people that the threshold rests on.
    pub pairs: usize,
    /// The fingerprint of the network.
    pub network: String,
    /// Whose embeddings were compared: the gallery's, or those of a named set.
    pub source: String,
    /// When.
    pub at: Timestamp,
}

impl Calibration {
    /// The largest threshold that accepts at most this fraction of pairs of different people.
    ///
    /// # Errors
    /// A rate that so few pairs cannot support; see [`RateError`].
    pub fn new(
        scores: &OpenSet,
        false_accept_rate: f64,
        margin: f32,
        measured: Measured,
        at: Timestamp,
    ) -> Result<Self, RateError> {
        let threshold = scores.threshold(false_accept_rate)?;
        let Measured { distance, network, source } = measured;
        Ok(Self {
            rule: OpenSetRule { threshold, margin },
            distance,
            false_accept_rate,
            pairs: scores.impostors(),
            network,
            source,
            at,
        })
    }
}

/// What the scores of a [`Calibration`] were measured on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// The distance of the scores.
    pub distance: Distance,
    /// The fingerprint of the network that made the embeddings.
    pub network: String,
    /// The gallery, or the name of a set.
    pub source: String,
}

impl<S: Store> Gallery<S> {
    /// The rule for decisions that was set last; `None` if there is none for the gallery's network.
    ///
    /// # Errors
    /// A store that fails.
    pub fn calibration(&self) -> Result<Option<Calibration>, GalleryError> {
        self.read(|ledger| {
            let network = ledger.network()?;
            let stored: Option<Calibration> = ledger.setting("calibration")?;
            let fits = |stored: &Calibration| {
                network.as_ref().is_none_or(|network| network.fingerprint == stored.network)
            };
            Ok(stored.filter(fits))
        })
    }

    /// Sets the rule for decisions.
    ///
    /// # Errors
    /// [`GalleryError::OtherNetwork`], or a store that fails.
    pub fn set_calibration(
        &mut self,
        calibration: &Calibration,
        by: &By,
    ) -> Result<(), GalleryError> {
        let event = Event::Calibrated {
            threshold: calibration.rule.threshold,
            false_accept_rate: calibration.false_accept_rate,
            pairs: calibration.pairs,
        };
        self.write(|ledger| {
            let network = ledger.network()?;
            let given = &calibration.network;
            if let Some(network) = network.filter(|network| network.fingerprint != *given) {
                let gallery = network.fingerprint;
                return Err(GalleryError::OtherNetwork { gallery, given: given.clone() });
            }
            ledger.set_setting("calibration", calibration)?;
            ledger.changed(by, &event)
        })
    }
}
