//! What can go wrong with a gallery.

use gait_eval::{EmbeddingsError, EvalError, RateError};
use gait_support::did_you_mean;
use jiff::Timestamp;

use crate::ConsentError;
use crate::cipher::KeyError;
use crate::portable::PortableError;
use crate::store::{Cause, StoreError};

/// A request that a gallery does not fulfil.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GalleryError {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Nobody has this name.
    #[error("nobody in the gallery is named `{name}`{}", did_you_mean(nearest.as_ref()))]
    UnknownSubject {
        /// The name.
        name: String,
        /// The most similar name in the gallery.
        nearest: Option<String>,
    },
    /// The name belongs to somebody else.
    #[error("the gallery already has a subject named `{name}`")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A name must have a character, and neither control characters nor space at its ends.
    #[error("{name:?} cannot be the name of a subject")]
    InvalidName {
        /// The name.
        name: String,
    },
    /// A subject cannot be merged with itself.
    #[error("`{name}` cannot be merged with itself")]
    SameSubject {
        /// The name.
        name: String,
    },
    /// Neither the subject nor the gallery has a consent.
    #[error("there is no consent for `{name}`")]
    NoConsent {
        /// The name of the subject.
        name: String,
    },
    /// The consent has ended.
    #[error("the consent for `{name}` ended at {until}")]
    ConsentEnded {
        /// The name of the subject.
        name: String,
        /// When it ended.
        until: Timestamp,
    },
    /// The consent says too little.
    #[error(transparent)]
    Consent(#[from] ConsentError),
    /// The embeddings are those of another network.
    #[error("the gallery holds embeddings of network {gallery}, and these are of network {given}")]
    OtherNetwork {
        /// The fingerprint of the gallery's network.
        gallery: String,
        /// The fingerprint of the network that was given.
        given: String,
    },
    /// The network has one fingerprint and two shapes.
    #[error(
        "the gallery holds embeddings of {}x{} (channels x strips), and these have {}x{}",
        gallery[0], gallery[1], given[0], given[1]
    )]
    OtherShape {
        /// Channels and strips of the gallery.
        gallery: [usize; 2],
        /// Channels and strips that were given.
        given: [usize; 2],
    },
    /// A template cannot be made anew.
    #[error("the silhouettes of `{name}` were not kept")]
    NoSilhouettes {
        /// The name of the subject.
        name: String,
    },
    /// The silhouettes of a template cannot be embedded.
    #[error("the silhouettes of a template cannot be embedded")]
    Embed(#[source] Cause),
    /// There is nothing to enrol.
    #[error("there is no template to enrol")]
    NoTemplates,
    /// The embeddings cannot be used.
    #[error(transparent)]
    Embeddings(#[from] EmbeddingsError),
    /// The embeddings cannot be compared.
    #[error(transparent)]
    Compare(#[from] EvalError),
    /// The false accept rate cannot be used.
    #[error(transparent)]
    Rate(#[from] RateError),
    /// A record of the gallery is damaged.
    #[error("{record} is damaged")]
    DamagedRecord {
        /// The record.
        record: Record,
    },
    /// The records are removed; only their former bytes are still in the file.
    #[error("the records are removed, but their bytes are still in the file")]
    NotErased(#[source] StoreError),
    /// The portable file cannot be written.
    #[error("the exported gallery cannot be written")]
    Write(#[source] std::io::Error),
    /// The portable file cannot be used.
    #[error(transparent)]
    Portable(#[from] PortableError),
}

/// A record of a gallery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// A setting.
    Setting(&'static str),
    /// The subject with this number.
    Subject(i64),
    /// The key of the subject with this number.
    SubjectKey(i64),
    /// The template with this number.
    Template(i64),
}

impl std::fmt::Display for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Setting(name) => write!(f, "the gallery's setting `{name}`"),
            Self::Subject(id) => write!(f, "subject number {id} of the gallery"),
            Self::SubjectKey(id) => write!(f, "the key of subject number {id} of the gallery"),
            Self::Template(id) => write!(f, "template number {id} of the gallery"),
        }
    }
}
