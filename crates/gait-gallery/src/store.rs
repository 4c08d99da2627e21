//! What a gallery needs from the place that holds its records.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

use crate::{AuditEntry, AuditQuery, By, Event, GalleryError};

/// A place that holds the records of a gallery.
///
/// What is in the records is the gallery's business: a store keeps bytes, and keeps them together.
pub trait Store {
    /// Runs `work` on one state of the records, which nobody changes meanwhile.
    ///
    /// # Errors
    /// Those of the store and of `work`.
    fn read<T>(
        &self,
        work: impl FnOnce(&dyn Records) -> Result<T, GalleryError>,
    ) -> Result<T, GalleryError>;

    /// Runs `work` while nobody else writes. All its changes are kept, or none if it fails.
    ///
    /// # Errors
    /// Those of the store and of `work`.
    fn write<T>(
        &mut self,
        work: impl FnOnce(&dyn Records) -> Result<T, GalleryError>,
    ) -> Result<T, GalleryError>;

    /// Overwrites what removed records left behind.
    ///
    /// # Errors
    /// [`StoreProblem::Locked`] if another program keeps reading the former state.
    fn erase(&mut self) -> Result<(), StoreError>;

    /// Checks every record that the store can check.
    ///
    /// # Errors
    /// [`StoreProblem::Damaged`].
    fn check(&self) -> Result<(), StoreError>;
}

/// One template as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateRecord {
    /// Its number.
    pub id: i64,
    /// The number of its subject.
    pub subject: i64,
    /// What is known of it.
    pub details: Vec<u8>,
    /// Its values.
    pub embedding: Vec<u8>,
}

/// What is called with each template; an error ends the reading.
pub type Visit<'a> = &'a mut dyn FnMut(TemplateRecord) -> Result<(), GalleryError>;

/// The records of a gallery, within one transaction.
///
/// Every method fails with the error of the store.
#[allow(clippy::missing_errors_doc, reason = "said once for all")]
pub trait Records {
    /// A value by its name.
    fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;
    /// Replaces a value.
    fn set_setting(&self, name: &str, value: &[u8]) -> Result<(), StoreError>;
    /// All subjects, in the order of their numbers.
    fn subjects(&self) -> Result<Vec<(i64, Vec<u8>)>, StoreError>;
    /// A new subject without details; its number was never used before.
    fn add_subject(&self) -> Result<i64, StoreError>;
    /// Replaces the details of a subject.
    fn set_subject(&self, id: i64, details: &[u8]) -> Result<(), StoreError>;
    /// Removes a subject and its templates.
    fn remove_subject(&self, id: i64) -> Result<(), StoreError>;
    /// Adds a template to a subject and returns its number.
    fn add_template(
        &self,
        subject: i64,
        details: &[u8],
        embedding: &[u8],
    ) -> Result<i64, StoreError>;
    /// Replaces the details and the embedding of a template.
    fn set_template(&self, id: i64, details: &[u8], embedding: &[u8]) -> Result<(), StoreError>;
    /// Keeps the silhouettes of a template that has none yet; they go with the template.
    fn add_silhouettes(&self, template: i64, frames: &[u8]) -> Result<(), StoreError>;
    /// The silhouettes of a template, if they were kept.
    fn silhouettes(&self, template: i64) -> Result<Option<Vec<u8>>, StoreError>;
    /// Visits the templates of one subject or of all, in the order of their numbers.
    fn templates(&self, subject: Option<i64>, visit: Visit) -> Result<(), GalleryError>;
    /// The number of templates of each subject that has one.
    fn template_counts(&self) -> Result<BTreeMap<i64, u64>, StoreError>;
    /// Appends to the audit.
    fn append_audit(&self, by: &By, event: &Event) -> Result<(), StoreError>;
    /// Entries of the audit, in their order.
    fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError>;
}

/// An error of a library below a store.
pub type Cause = Box<dyn Error + Send + Sync>;

/// A store that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("gallery {}", path.display())]
pub struct StoreError {
    /// The file of the store.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub problem: StoreProblem,
}

/// What is wrong with a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreProblem {
    /// There is no such file.
    #[error("there is no such file")]
    Missing,
    /// The file is something else; it was left as it is.
    #[error("the file is not a gallery")]
    NotAGallery,
    /// The file or a record in it is damaged; it was left as it is.
    #[error("the file is damaged")]
    Damaged(#[source] Option<Cause>),
    /// A later version of this crate wrote the file.
    #[error("its format has version {found}, and this program knows up to version {known}")]
    Newer {
        /// The version of the file.
        found: i64,
        /// The latest known version.
        known: i64,
    },
    /// Another program kept the file locked for longer than this one waits.
    #[error("another program is using it")]
    Locked,
    /// The file may not be written to.
    #[error("it may not be written to")]
    ReadOnly,
    /// The disk is full.
    #[error("the disk is full")]
    Full,
    /// The library below failed.
    #[error("the file cannot be used")]
    Other(#[source] Cause),
}
