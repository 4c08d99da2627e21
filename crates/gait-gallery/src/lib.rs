//! A gallery of known walkers: who they are, what they agreed to, and who of them a new track shows.
//!
//! - [`Gallery`]: subjects, their consents and templates (embeddings), and an append-only audit, in a
//!   [`SqliteStore`] or any other [`Store`];
//! - [`Index`]: the templates in memory; ranks all subjects for the windows of a track;
//! - [`Decision`]: a name, or unknown, by a rule that [`Calibration`] derives from a false accept rate;
//! - [`Gallery::export`] and [`Gallery::import`]: a gallery as one file of JSON lines.
//!
//! ```
//! use gait_eval::{Distance, Embeddings, OpenSetRule};
//! use gait_gallery::{By, Decision, Enrolment, Gallery, Network, Origin, SqliteStore, Template};
//!
//! let folder = tempfile::tempdir()?;
//! let by = By::now("anna@door-3");
//! let store = SqliteStore::open_or_create(&folder.path().join("people.db"))?;
//! let mut gallery = Gallery::open(store, None, &by)?;
//!
//! // Embeddings of two channels and one strip.
//! let network = Network { fingerprint: "6f12".into(), channels: 2, strips: 1 };
//! for (name, values) in [("ben", vec![0.0, 1.0]), ("cleo", vec![4.0, 4.0])] {
//!     let consent = "signed form, 2026-11-02, door, 2999-12-31".parse()?;
//!     let origin = Origin {
//!         source: "door.mp4".into(),
//!         date: by.at,
//!         frames: 64,
//!         view: None,
//!         quality: None,
//!     };
//!     let templates = vec![Template { origin, values, silhouettes: None }];
//!     let network = network.clone();
//!     gallery.enrol(name, &Enrolment { consent: Some(consent), network, templates }, &by)?;
//! }
//!
//! let index = gallery.index(&network, Distance::Strips, by.at)?;
//! // Two windows of one track.
//! let names = [1, 2].map(|window| (String::new(), window.to_string(), String::new()));
//! let windows = Embeddings::new(2, 1, vec![0.0, 1.1, 0.1, 1.0], names)?;
//! let candidates = index.rank(&windows, by.at, 2)?;
//! let rule = OpenSetRule { threshold: 0.5, margin: 0.1 };
//! let decision = Decision::new(&candidates, rule);
//! assert_eq!(decision.known().map(|candidate| &*candidate.subject), Some("ben"));
//! gallery.record(&decision.event("door camera", &candidates), &by)?;
//!
//! gallery.remove("ben", &by)?;
//! assert_eq!(gallery.subjects()?.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Consent, expiry and removal
//!
//! Nobody is enrolled without a [`Consent`], be it the subject's own or the gallery's policy. When it
//! has ended, the subject is no longer a candidate, and [`Gallery::purge`] erases it. Erasing
//! overwrites the records in the file with zeros, and empties SQLite's log of former states. File
//! systems and flash memory may keep blocks that no file uses any more; only encryption helps against
//! somebody who reads those.
//!
//! The audit keeps, for ever, that a subject with some number was enrolled, identified and removed. It
//! holds no names and no embeddings; triggers of the database refuse to change or to delete its
//! entries. Whoever may write to the file can remove the triggers, so this guards against mistakes and
//! against programs, not against the owner of the file.
//!
//! # Encryption
//!
//! A gallery that is opened for the first time with a key file is encrypted, with
//! XChaCha20-Poly1305. There are three files:
//!
//! - the **key file** ([`create_key_file`]): 32 random bytes;
//! - the **subjects' keys** ([`subject_keys_path`]), beside the key file: a random key for each
//!   subject, sealed with the key of the key file;
//! - the **gallery**: the name, consent and templates of each subject, sealed with the subject's key and
//!   bound to the subject, so that records cannot be given to somebody else.
//!
//! Removing a subject also erases its key. A backup of the gallery from before the removal still has
//! the sealed records, and nobody can open them: in a restored backup, removed people stay removed
//! ([`Gallery::lost`]), and [`Gallery::purge_lost`] erases what is left of them. This holds on two
//! conditions: **the file of the subjects' keys is not in the backups of the gallery** (keep it, with the
//! key file, in another place or on another disk), **and older copies of it are destroyed**. It does need a backup of its own,
//! because without it the gallery cannot be read; replace that backup after each removal.
//!
//! | who has | learns |
//! |---|---|
//! | the gallery, or backups of it | how many subjects and templates there are, sizes, the policy, the calibration, the network's fingerprint, and the audit with its numbers, times, sources and the names of those who acted |
//! | the gallery and the subjects' keys | the same |
//! | the gallery and the key file | the same |
//! | all three | everybody who is enrolled now, and nobody who was removed, unless they have an older copy of the subjects' keys |
//! | the memory of a running program | everything |
//!
//! Changes to a sealed record are noticed. Somebody who may write to the file can remove records, or put
//! back older ones of the same subject, unnoticed. Exported files are not encrypted.

mod audit;
mod calibration;
mod changes;
mod cipher;
mod consent;
mod database;
mod decision;
mod error;
mod gallery;
mod index;
mod ledger;
mod memory;
mod moment;
mod portable;
mod rebuild;
mod records;
mod sqlite;
mod store;
mod subject_keys;

pub use audit::{AuditEntry, AuditQuery, By, Event, Removal};
pub use calibration::{Calibration, Measured};
pub use cipher::{KeyError, create_key_file};
pub use consent::{Consent, ConsentError, ConsentPart};
pub use decision::{Decision, Doubt};
pub use error::{GalleryError, Record};
pub use gallery::Gallery;
pub use index::{Candidate, Index};
pub use jiff::Timestamp;
pub use memory::MemoryStore;
pub use moment::{NotATime, first_second, last_second};
pub use portable::{Counts, PortableError, PortableProblem};
pub use rebuild::Embed;
pub use records::{Enrolment, Network, Origin, Subject, Template, TemplateInfo};
pub use sqlite::SqliteStore;
pub use store::{Cause, Records, Store, StoreError, StoreProblem, TemplateRecord, Visit};
pub use subject_keys::subject_keys_path;
