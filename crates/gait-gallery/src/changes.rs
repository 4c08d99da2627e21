//! Changes of a gallery. Each is one transaction, together with its entry in the audit.

use gait_eval::Embeddings;
use jiff::Timestamp;

use crate::ledger::{Ledger, SubjectDetails, TemplateDetails};
use crate::store::Store;
use crate::{
    By, Consent, Enrolment, Event, Gallery, GalleryError, Network, Origin, Removal, Template,
};

impl<S: Store> Gallery<S> {
    /// Adds templates to a subject, who is made if there is none of this name. Returns its number.
    ///
    /// # Errors
    /// No consent, or one that has ended; another network than that of the gallery; embeddings of a
    /// wrong size or that are not finite; a store that fails. Nothing is changed then.
    pub fn enrol(
        &mut self,
        name: &str,
        enrolment: &Enrolment,
        by: &By,
    ) -> Result<i64, GalleryError> {
        check_name(name)?;
        check_enrolment(name, enrolment)?;
        self.write(|ledger| {
            let (known, mut details) = match ledger.find(name)? {
                Some((id, details)) => (Some(id), details),
                None => {
                    let name = name.to_owned();
                    (None, SubjectDetails { name, created: by.at, consent: None })
                }
            };
            if enrolment.consent.is_some() {
                details.consent.clone_from(&enrolment.consent);
            }
            let no_consent = || GalleryError::NoConsent { name: name.to_owned() };
            let policy = ledger.policy()?;
            let consent = details.consent.as_ref().or(policy.as_ref()).ok_or_else(no_consent)?;
            check_holds(name, consent, by.at)?;
            let id = add(ledger, known, &details, enrolment)?;
            ledger.changed(
                by,
                &Event::Enrolled { subject: id, templates: enrolment.templates.len() },
            )?;
            Ok(id)
        })
    }

    /// Gives a subject a consent of its own, or renews it.
    ///
    /// # Errors
    /// [`GalleryError::UnknownSubject`], a consent that says too little, or a store that fails.
    pub fn set_consent(
        &mut self,
        name: &str,
        consent: &Consent,
        by: &By,
    ) -> Result<(), GalleryError> {
        consent.check()?;
        self.write(|ledger| {
            let (id, mut details) = ledger.named(name)?;
            details.consent = Some(consent.clone());
            ledger.set_subject(id, &details)?;
            ledger.changed(by, &Event::ConsentSet { subject: id })
        })
    }

    /// Gives a subject another name.
    ///
    /// # Errors
    /// [`GalleryError::UnknownSubject`], [`GalleryError::NameTaken`], or a store that fails.
    pub fn rename(&mut self, name: &str, new: &str, by: &By) -> Result<(), GalleryError> {
        check_name(new)?;
        self.write(|ledger| {
            let (id, mut details) = ledger.named(name)?;
            if ledger.find(new)?.is_some_and(|(other, _)| other != id) {
                return Err(GalleryError::NameTaken { name: new.to_owned() });
            }
            new.clone_into(&mut details.name);
            ledger.set_subject(id, &details)?;
            ledger.changed(by, &Event::Renamed { subject: id })
        })
    }

    /// Gives the templates of one subject to another who is the same person, and removes the first.
    /// Of the two consents, the one that ends first holds.
    ///
    /// # Errors
    /// [`GalleryError::UnknownSubject`], [`GalleryError::SameSubject`], a consent that has ended,
    /// [`GalleryError::NotErased`], or a store that fails.
    pub fn merge(&mut self, from: &str, into: &str, by: &By) -> Result<(), GalleryError> {
        if from == into {
            return Err(GalleryError::SameSubject { name: from.to_owned() });
        }
        self.write(|ledger| {
            let (old, old_details) = ledger.named(from)?;
            let (id, mut details) = ledger.named(into)?;
            let policy = ledger.policy()?;
            let consent = |id, details: &SubjectDetails| details.holding(id, policy.as_ref());
            let consents = [consent(old, &old_details)?, consent(id, &details)?];
            check_holds(from, &consents[0], by.at)?;
            check_holds(into, &consents[1], by.at)?;
            details.consent = consents.into_iter().min_by_key(|consent| consent.until);
            ledger.set_subject(id, &details)?;
            let mut templates = Vec::new();
            ledger.templates(
                Some(old),
                |_| true,
                |template| {
                    templates.push((template.id(), template.details()?, template.values()?));
                    Ok(())
                },
            )?;
            let reader = ledger.templates_of(old)?;
            let writer = ledger.templates_of(id)?;
            for (template, details, values) in &templates {
                let silhouettes = reader.silhouettes(*template)?;
                writer.add(details, values, silhouettes.as_deref())?;
            }
            ledger.forget(old)?;
            ledger.changed(by, &Event::Merged { subject: id, from: old })
        })?;
        self.erase()
    }

    /// Erases a subject: its name, consent, templates and key. The audit keeps that a subject of this
    /// number was removed.
    ///
    /// # Errors
    /// [`GalleryError::UnknownSubject`], or a store that fails. [`GalleryError::NotErased`] if the
    /// subject is removed and its bytes are still in the file; [`Gallery::purge`] tries again.
    pub fn remove(&mut self, name: &str, by: &By) -> Result<(), GalleryError> {
        self.write(|ledger| {
            let (id, _) = ledger.named(name)?;
            ledger.remove_subjects(&[id], Removal::Asked, by)
        })?;
        self.erase()
    }

    /// Erases the subjects whose consents have ended. Returns their numbers.
    ///
    /// # Errors
    /// As [`Gallery::remove`].
    pub fn purge(&mut self, by: &By) -> Result<Vec<i64>, GalleryError> {
        let purged = self.write(|ledger| {
            let ended = ledger.listed()?.into_iter().filter(|s| s.consent.has_ended(by.at));
            let ended: Vec<i64> = ended.map(|subject| subject.id).collect();
            ledger.remove_subjects(&ended, Removal::Expired, by)?;
            Ok(ended)
        })?;
        self.erase()?;
        Ok(purged)
    }

    /// The numbers of the subjects whose keys are gone, so that nobody can read their records: in a
    /// backup of the gallery, those who were removed later; with an old copy of the subjects' keys,
    /// those who were enrolled later.
    ///
    /// # Errors
    /// A store that fails.
    pub fn lost(&self) -> Result<Vec<i64>, GalleryError> {
        self.read(|ledger| ledger.lost())
    }

    /// Erases the subjects whose keys are gone. Returns their numbers.
    ///
    /// # Errors
    /// As [`Gallery::remove`].
    pub fn purge_lost(&mut self, by: &By) -> Result<Vec<i64>, GalleryError> {
        let purged = self.write(|ledger| {
            let lost = ledger.lost()?;
            ledger.remove_subjects(&lost, Removal::KeyLost, by)?;
            Ok(lost)
        })?;
        self.erase()?;
        Ok(purged)
    }

    /// Erases what removals leave behind: keys, and former states of the records.
    fn erase(&mut self) -> Result<(), GalleryError> {
        if self.read(|ledger| ledger.has_stale_keys())? {
            self.write(|ledger| ledger.remove_stale_keys())?;
        }
        self.store.erase().map_err(GalleryError::NotErased)
    }
}

/// Adds templates to a subject who is known by a number, or to a new one. Returns the number.
pub(crate) fn add(
    ledger: &Ledger,
    known: Option<i64>,
    details: &SubjectDetails,
    enrolment: &Enrolment,
) -> Result<i64, GalleryError> {
    let network = &enrolment.network;
    ledger.check_network(network)?;
    ledger.set_setting("network", network)?;
    let id = match known {
        Some(id) => ledger.set_subject(id, details).map(|()| id)?,
        None => ledger.add_subject(details)?,
    };
    let writer = ledger.templates_of(id)?;
    for template in &enrolment.templates {
        let network = network.fingerprint.clone();
        let details = TemplateDetails { network, origin: template.origin.clone() };
        writer.add(&details, &template.values, template.silhouettes.as_deref())?;
    }
    Ok(id)
}

pub(crate) fn check_name(name: &str) -> Result<(), GalleryError> {
    if name.is_empty() || name.trim() != name || name.chars().any(char::is_control) {
        return Err(GalleryError::InvalidName { name: name.to_owned() });
    }
    Ok(())
}

pub(crate) fn check_enrolment(name: &str, enrolment: &Enrolment) -> Result<(), GalleryError> {
    if let Some(consent) = &enrolment.consent {
        consent.check()?;
    }
    if enrolment.templates.is_empty() {
        return Err(GalleryError::NoTemplates);
    }
    let check = |Template { origin, values, .. }: &Template| {
        check_values(name, &enrolment.network, origin, values)
    };
    enrolment.templates.iter().try_for_each(check)
}

/// Checks that values are an embedding of a network.
pub(crate) fn check_values(
    name: &str,
    network: &Network,
    origin: &Origin,
    values: &[f32],
) -> Result<(), GalleryError> {
    let view = origin.view.clone().unwrap_or_default();
    let names = (name.to_owned(), origin.source.clone(), view);
    Embeddings::new(network.channels, network.strips, values.to_vec(), [names])?;
    Ok(())
}

fn check_holds(name: &str, consent: &Consent, now: Timestamp) -> Result<(), GalleryError> {
    if consent.has_ended(now) {
        let name = name.to_owned();
        return Err(GalleryError::ConsentEnded { name, until: consent.until });
    }
    Ok(())
}
