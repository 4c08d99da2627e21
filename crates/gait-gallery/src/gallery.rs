//! The gallery: its subjects and templates, and what may be done with them.

use std::path::Path;

use jiff::Timestamp;

use crate::cipher::KeyError;
use crate::cipher::SecretKey;
use crate::ledger::{Ledger, TemplateDetails};
use crate::store::{Records, Store};
use crate::subject_keys::SubjectKeys;
use crate::{
    AuditEntry, AuditQuery, By, Consent, Event, GalleryError, Network, SqliteStore, Subject,
    TemplateInfo,
};

/// Known people and their templates.
///
/// Every change is one transaction, together with its entry in the audit.
pub struct Gallery<S: Store = SqliteStore> {
    pub(crate) store: S,
    keys: Option<SubjectKeys>,
}

impl<S: Store> Gallery<S> {
    /// Opens the gallery in a store; an empty store becomes a new gallery.
    ///
    /// With the path of a key file, a new gallery is encrypted; later it opens with this key alone.
    ///
    /// # Errors
    /// A wrong or missing key ([`KeyError`]), or a store that fails.
    pub fn open(mut store: S, key_file: Option<&Path>, by: &By) -> Result<Self, GalleryError> {
        let settings = |records: &dyn Records| {
            Ok((records.setting("gallery")?, records.setting("key_proof")?))
        };
        let (mut gallery, mut proof) = store.read(settings)?;
        if gallery.is_none() {
            let create = |records: &dyn Records| {
                create(&Ledger { records, keys: None }, key_file, by)?;
                settings(records)
            };
            (gallery, proof) = store.write(create)?;
        }
        let keys = match (proof, key_file) {
            (None, None) => None,
            (None, Some(_)) => return Err(KeyError::NotEncrypted.into()),
            (Some(_), None) => return Err(KeyError::Needed.into()),
            (Some(proof), Some(path)) => {
                let keys = SubjectKeys::open(path, &gallery.unwrap_or_default(), false)?;
                keys.check(&proof)?;
                Some(keys)
            }
        };
        let mut opened = Self { store, keys };
        if opened.read(|ledger| ledger.has_stale_keys())? {
            opened.write(|ledger| ledger.remove_stale_keys())?;
        }
        Ok(opened)
    }

    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Ledger) -> Result<T, GalleryError>,
    ) -> Result<T, GalleryError> {
        let keys = self.keys.as_ref();
        self.store.read(|records| work(&Ledger { records, keys }))
    }

    pub(crate) fn write<T>(
        &mut self,
        work: impl FnOnce(&Ledger) -> Result<T, GalleryError>,
    ) -> Result<T, GalleryError> {
        let keys = self.keys.as_ref();
        self.store.write(|records| work(&Ledger { records, keys }))
    }

    /// All subjects, expired ones too, in the order of their enrolment.
    ///
    /// # Errors
    /// A store that fails.
    pub fn subjects(&self) -> Result<Vec<Subject>, GalleryError> {
        self.read(|ledger| ledger.listed())
    }

    /// The subject of this name.
    ///
    /// # Errors
    /// [`GalleryError::UnknownSubject`], or a store that fails.
    pub fn subject(&self, name: &str) -> Result<Subject, GalleryError> {
        self.read(|ledger| {
            let (id, _) = ledger.named(name)?;
            let mut listed = ledger.listed()?;
            listed.retain(|subject| subject.id == id);
            let record = crate::Record::Subject(id);
            listed.pop().ok_or(GalleryError::DamagedRecord { record })
        })
    }

    /// The templates of a subject, without their values.
    ///
    /// # Errors
    /// [`GalleryError::UnknownSubject`], or a store that fails.
    pub fn templates(&self, name: &str) -> Result<Vec<TemplateInfo>, GalleryError> {
        self.read(|ledger| {
            let (id, _) = ledger.named(name)?;
            let mut infos = Vec::new();
            ledger.templates(
                Some(id),
                |_| true,
                |template| {
                    let TemplateDetails { network, origin } = template.details()?;
                    infos.push(TemplateInfo { id: template.id(), network, origin });
                    Ok(())
                },
            )?;
            Ok(infos)
        })
    }

    /// The network of the templates; `None` while there are no templates.
    ///
    /// # Errors
    /// A store that fails.
    pub fn network(&self) -> Result<Option<Network>, GalleryError> {
        self.read(|ledger| ledger.network())
    }

    /// Checks that embeddings of a network can be compared with those of the gallery. With a gallery
    /// without templates, all can.
    ///
    /// # Errors
    /// [`GalleryError::OtherNetwork`], [`GalleryError::OtherShape`], or a store that fails.
    pub fn check_network(&self, network: &Network) -> Result<(), GalleryError> {
        self.read(|ledger| ledger.check_network(network))
    }

    /// Grows with every change by any program, but not with identifications.
    ///
    /// # Errors
    /// A store that fails.
    pub fn revision(&self) -> Result<u64, GalleryError> {
        self.read(|ledger| ledger.revision())
    }

    /// The consent of all subjects that have none of their own.
    ///
    /// # Errors
    /// A store that fails.
    pub fn policy(&self) -> Result<Option<Consent>, GalleryError> {
        self.read(|ledger| ledger.policy())
    }

    /// Sets the consent of all subjects that have none of their own.
    ///
    /// # Errors
    /// A consent that says too little, or a store that fails.
    pub fn set_policy(&mut self, policy: &Consent, by: &By) -> Result<(), GalleryError> {
        policy.check()?;
        self.write(|ledger| {
            ledger.set_setting("policy", policy)?;
            ledger.changed(by, &Event::PolicySet)
        })
    }

    /// The subjects whose consents have ended. They are never candidates.
    ///
    /// # Errors
    /// A store that fails.
    pub fn expired(&self, now: Timestamp) -> Result<Vec<Subject>, GalleryError> {
        let mut subjects = self.subjects()?;
        subjects.retain(|subject| subject.consent.has_ended(now));
        Ok(subjects)
    }

    /// Appends an identification to the audit.
    ///
    /// # Errors
    /// A store that fails.
    pub fn record(&mut self, event: &Event, by: &By) -> Result<(), GalleryError> {
        self.write(|ledger| Ok(ledger.records.append_audit(by, event)?))
    }

    /// Entries of the audit, in their order.
    ///
    /// # Errors
    /// A store that fails.
    pub fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, GalleryError> {
        self.read(|ledger| Ok(ledger.records.audit(query)?))
    }

    /// Checks that every record can be read.
    ///
    /// # Errors
    /// What is damaged.
    pub fn check(&self) -> Result<(), GalleryError> {
        self.store.check()?;
        self.read(|ledger| {
            ledger.listed()?;
            ledger.templates(
                None,
                |_| true,
                |template| {
                    template.details()?;
                    template.values()?;
                    Ok(())
                },
            )?;
            ledger.records.audit(&AuditQuery::default())?;
            Ok(())
        })
    }
}

/// Makes an empty gallery, unless another program did so first.
fn create(ledger: &Ledger, key_file: Option<&Path>, by: &By) -> Result<(), GalleryError> {
    if ledger.records.setting("gallery")?.is_some() {
        return Ok(());
    }
    // Distinguishes galleries that share a key file.
    let id = SecretKey::random()?.bytes()[..16].to_vec();
    ledger.records.set_setting("gallery", &id)?;
    if let Some(path) = key_file {
        let keys = SubjectKeys::open(path, &id, true)?;
        ledger.records.set_setting("key_proof", &keys.proof()?)?;
    }
    ledger.changed(by, &Event::Created { encrypted: key_file.is_some() })
}
