//! What a gallery holds.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Consent;

/// The network that makes the embeddings of a gallery. Those of two networks cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Tells its weights and settings from others.
    pub fingerprint: String,
    /// Channels `c` of an embedding.
    pub channels: usize,
    /// Strips `p` of an embedding.
    pub strips: usize,
}

impl Network {
    /// Number of values of an embedding.
    pub fn width(&self) -> usize {
        self.channels.saturating_mul(self.strips)
    }
}

/// A person in the gallery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// Its number, which no other subject ever gets, not even after a removal.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// When it was enrolled first.
    pub created: Timestamp,
    /// The consent that holds: the subject's own, or that of the whole gallery.
    pub consent: Consent,
    /// Whether the consent is the subject's own.
    pub own_consent: bool,
    /// Number of templates.
    pub templates: u64,
}

/// Where an embedding comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The file or camera.
    pub source: String,
    /// When the person was filmed or, if unknown, enrolled.
    pub date: Timestamp,
    /// Frames that the embedding was made from.
    pub frames: u64,
    /// The angle of view, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<String>,
    /// How good the silhouettes were, from 0 to 1, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<f32>,
}

/// One embedding of a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// Where it comes from.
    pub origin: Origin,
    /// The embedding `[c, p]`.
    pub values: Vec<f32>,
    /// The silhouettes that it was made from, as the caller encodes them, if they are to be kept for
    /// [`Gallery::rebuild`](crate::Gallery::rebuild).
    pub silhouettes: Option<Vec<u8>>,
}

/// A template of the gallery, without its values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TemplateInfo {
    /// Its number.
    pub id: i64,
    /// The fingerprint of the network that made it.
    pub network: String,
    /// Where it comes from.
    #[serde(flatten)]
    pub origin: Origin,
}

/// What is added to a subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Enrolment {
    /// The consent of the person; it replaces an earlier one. A new subject needs one unless the
    /// gallery has a policy.
    pub consent: Option<Consent>,
    /// The network that made the embeddings.
    pub network: Network,
    /// The embeddings.
    pub templates: Vec<Template>,
}
