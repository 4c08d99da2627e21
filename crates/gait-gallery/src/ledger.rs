//! The records of a gallery as values: reads and writes details, and seals them if there are keys.

use std::borrow::Cow;
use std::collections::BTreeMap;

use gait_support::nearest;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::cipher::SecretKey;
use crate::error::Record;
use crate::store::{Records, TemplateRecord};
use crate::subject_keys::SubjectKeys;
use crate::{By, Consent, Event, GalleryError, Network, Origin, Removal, Subject};

/// The setting that lists the subjects who are removed and whose keys may still be there.
const STALE_KEYS: &str = "stale_keys";

/// What is stored of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SubjectDetails {
    pub name: String,
    pub created: Timestamp,
    /// The subject's own consent.
    pub consent: Option<Consent>,
}

impl SubjectDetails {
    /// The consent that holds for the subject with this number: its own, or else the gallery's.
    pub fn holding(&self, id: i64, policy: Option<&Consent>) -> Result<Consent, GalleryError> {
        let record = Record::Subject(id);
        let consent = self.consent.as_ref().or(policy).cloned();
        consent.ok_or(GalleryError::DamagedRecord { record })
    }
}

/// What is stored of a template, beside its values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TemplateDetails {
    pub network: String,
    #[serde(flatten)]
    pub origin: Origin,
}

/// A template as it is read: sealed, until somebody asks for one of its parts.
pub(crate) struct StoredTemplate<'a> {
    record: &'a TemplateRecord,
    cipher: &'a Cipher,
}

impl StoredTemplate<'_> {
    pub fn id(&self) -> i64 {
        self.record.id
    }

    pub fn subject(&self) -> i64 {
        self.record.subject
    }

    pub fn details(&self) -> Result<TemplateDetails, GalleryError> {
        let place = details_place(self.subject());
        let text = self.cipher.open(&place, self.name(), &self.record.details)?;
        parsed(&text, self.name())
    }

    pub fn values(&self) -> Result<Vec<f32>, GalleryError> {
        let place = embedding_place(self.subject());
        let bytes = self.cipher.open(&place, self.name(), &self.record.embedding)?;
        floats(&bytes).ok_or(GalleryError::DamagedRecord { record: self.name() })
    }

    fn name(&self) -> Record {
        Record::Template(self.id())
    }
}

/// Reads and writes the templates of one subject.
pub(crate) struct SubjectTemplates<'a> {
    records: &'a dyn Records,
    subject: i64,
    cipher: Cipher,
}

impl SubjectTemplates<'_> {
    /// Adds a template, with its silhouettes if they are kept.
    pub fn add(
        &self,
        details: &TemplateDetails,
        values: &[f32],
        silhouettes: Option<&[u8]>,
    ) -> Result<(), GalleryError> {
        let [details, embedding] = self.sealed(details, values)?;
        let id = self.records.add_template(self.subject, &details, &embedding)?;
        if let Some(silhouettes) = silhouettes {
            let place = silhouettes_place(self.subject);
            let sealed = self.cipher.seal(&place, silhouettes.to_vec())?;
            self.records.add_silhouettes(id, &sealed)?;
        }
        Ok(())
    }

    /// Replaces a template, but for its silhouettes.
    pub fn replace(
        &self,
        id: i64,
        details: &TemplateDetails,
        values: &[f32],
    ) -> Result<(), GalleryError> {
        let [details, embedding] = self.sealed(details, values)?;
        Ok(self.records.set_template(id, &details, &embedding)?)
    }

    /// The silhouettes of a template, if they were kept.
    pub fn silhouettes(&self, id: i64) -> Result<Option<Vec<u8>>, GalleryError> {
        let Some(sealed) = self.records.silhouettes(id)? else { return Ok(None) };
        let place = silhouettes_place(self.subject);
        let frames = self.cipher.open(&place, Record::Template(id), &sealed)?;
        Ok(Some(frames.into_owned()))
    }

    fn sealed(
        &self,
        details: &TemplateDetails,
        values: &[f32],
    ) -> Result<[Vec<u8>; 2], GalleryError> {
        let text = written(details, Record::Subject(self.subject))?;
        Ok([
            self.cipher.seal(&details_place(self.subject), text)?,
            self.cipher.seal(&embedding_place(self.subject), bytes(values))?,
        ])
    }
}

/// How the records of one subject are kept.
enum Cipher {
    Plain,
    Sealed(SecretKey),
}

impl Cipher {
    fn seal(&self, place: &str, text: Vec<u8>) -> Result<Vec<u8>, GalleryError> {
        match self {
            Self::Plain => Ok(text),
            Self::Sealed(key) => Ok(key.seal(place, &text)?),
        }
    }

    fn open<'a>(
        &self,
        place: &str,
        record: Record,
        sealed: &'a [u8],
    ) -> Result<Cow<'a, [u8]>, GalleryError> {
        match self {
            Self::Plain => Ok(sealed.into()),
            Self::Sealed(key) => {
                let text = key.open(place, sealed).map(Cow::Owned);
                text.ok_or(GalleryError::DamagedRecord { record })
            }
        }
    }
}

/// The records of a gallery within one transaction.
pub(crate) struct Ledger<'a> {
    pub records: &'a dyn Records,
    pub keys: Option<&'a SubjectKeys>,
}

impl Ledger<'_> {
    /// `None` if the key of the subject is gone.
    fn cipher(&self, subject: i64) -> Result<Option<Cipher>, GalleryError> {
        match self.keys {
            None => Ok(Some(Cipher::Plain)),
            Some(keys) => Ok(keys.get(subject)?.map(Cipher::Sealed)),
        }
    }

    fn cipher_of(&self, subject: i64) -> Result<Cipher, GalleryError> {
        let record = Record::SubjectKey(subject);
        self.cipher(subject)?.ok_or(GalleryError::DamagedRecord { record })
    }

    pub fn setting<T: DeserializeOwned>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, GalleryError> {
        let read = |bytes: Vec<u8>| parsed(&bytes, Record::Setting(name));
        self.records.setting(name)?.map(read).transpose()
    }

    pub fn set_setting<T: Serialize + ?Sized>(
        &self,
        name: &'static str,
        value: &T,
    ) -> Result<(), GalleryError> {
        Ok(self.records.set_setting(name, &written(value, Record::Setting(name))?)?)
    }

    /// Counts the changes of the gallery, so that programs notice those of others.
    pub fn revision(&self) -> Result<u64, GalleryError> {
        Ok(self.setting("revision")?.unwrap_or(0))
    }

    /// Appends to the audit what has changed the gallery.
    pub fn changed(&self, by: &By, event: &Event) -> Result<(), GalleryError> {
        self.set_setting("revision", &(self.revision()? + 1))?;
        Ok(self.records.append_audit(by, event)?)
    }

    /// All subjects whose keys are there.
    pub fn subjects(&self) -> Result<BTreeMap<i64, SubjectDetails>, GalleryError> {
        let mut subjects = BTreeMap::new();
        for (id, sealed) in self.records.subjects()? {
            if let Some(cipher) = self.cipher(id)? {
                let record = Record::Subject(id);
                let text = cipher.open(&subject_place(id), record, &sealed)?;
                subjects.insert(id, parsed(&text, record)?);
            }
        }
        Ok(subjects)
    }

    /// The numbers of the subjects whose keys are gone.
    pub fn lost(&self) -> Result<Vec<i64>, GalleryError> {
        let mut lost = Vec::new();
        for (id, _) in self.records.subjects()? {
            if self.cipher(id)?.is_none() {
                lost.push(id);
            }
        }
        Ok(lost)
    }

    pub fn find(&self, name: &str) -> Result<Option<(i64, SubjectDetails)>, GalleryError> {
        Ok(self.subjects()?.into_iter().find(|(_, subject)| subject.name == name))
    }

    /// The subject of this name.
    pub fn named(&self, name: &str) -> Result<(i64, SubjectDetails), GalleryError> {
        if let Some(found) = self.find(name)? {
            return Ok(found);
        }
        let names: Vec<String> = self.subjects()?.into_values().map(|s| s.name).collect();
        Err(GalleryError::UnknownSubject { name: name.to_owned(), nearest: nearest(name, &names) })
    }

    pub fn policy(&self) -> Result<Option<Consent>, GalleryError> {
        self.setting("policy")
    }

    /// All subjects as a caller sees them.
    pub fn listed(&self) -> Result<Vec<Subject>, GalleryError> {
        let counts = self.records.template_counts()?;
        let policy = self.policy()?;
        let mut listed = Vec::new();
        for (id, details) in self.subjects()? {
            listed.push(Subject {
                id,
                consent: details.holding(id, policy.as_ref())?,
                own_consent: details.consent.is_some(),
                templates: counts.get(&id).copied().unwrap_or(0),
                name: details.name,
                created: details.created,
            });
        }
        Ok(listed)
    }

    /// A new subject, with its key.
    pub fn add_subject(&self, details: &SubjectDetails) -> Result<i64, GalleryError> {
        let mut id = self.records.add_subject()?;
        while !self.keys.map_or(Ok(true), |keys| keys.create(id))? {
            self.records.remove_subject(id)?;
            id = self.records.add_subject()?;
        }
        self.set_subject(id, details)?;
        Ok(id)
    }

    pub fn set_subject(&self, id: i64, details: &SubjectDetails) -> Result<(), GalleryError> {
        let text = written(details, Record::Subject(id))?;
        let sealed = self.cipher_of(id)?.seal(&subject_place(id), text)?;
        Ok(self.records.set_subject(id, &sealed)?)
    }

    /// What reads and writes the templates of a subject.
    pub fn templates_of(&self, subject: i64) -> Result<SubjectTemplates<'_>, GalleryError> {
        let cipher = self.cipher_of(subject)?;
        Ok(SubjectTemplates { records: self.records, subject, cipher })
    }

    /// Visits the templates of one subject, or of all whose numbers are `wanted`.
    pub fn templates(
        &self,
        subject: Option<i64>,
        wanted: impl Fn(i64) -> bool,
        mut visit: impl FnMut(StoredTemplate) -> Result<(), GalleryError>,
    ) -> Result<(), GalleryError> {
        let mut ciphers: BTreeMap<i64, Option<Cipher>> = BTreeMap::new();
        self.records.templates(subject, &mut |record| {
            let owner = record.subject;
            if !wanted(owner) {
                return Ok(());
            }
            if let std::collections::btree_map::Entry::Vacant(place) = ciphers.entry(owner) {
                place.insert(self.cipher(owner)?);
            }
            let Some(Some(cipher)) = ciphers.get(&owner) else { return Ok(()) };
            visit(StoredTemplate { record: &record, cipher })
        })
    }

    /// Checks that embeddings of a network may be compared with those of the gallery.
    pub fn check_network(&self, given: &Network) -> Result<(), GalleryError> {
        let Some(network) = self.network()? else { return Ok(()) };
        if network.fingerprint != given.fingerprint {
            return Err(GalleryError::OtherNetwork {
                gallery: network.fingerprint,
                given: given.fingerprint.clone(),
            });
        }
        let shape = |network: &Network| [network.channels, network.strips];
        if network != *given {
            return Err(GalleryError::OtherShape { gallery: shape(&network), given: shape(given) });
        }
        Ok(())
    }

    /// The network of the templates; without templates a gallery has none.
    pub fn network(&self) -> Result<Option<Network>, GalleryError> {
        let any = !self.records.template_counts()?.is_empty();
        if any { self.setting("network") } else { Ok(None) }
    }

    /// Removes subjects, and says so in the audit.
    pub fn remove_subjects(
        &self,
        ids: &[i64],
        reason: Removal,
        by: &By,
    ) -> Result<(), GalleryError> {
        let counts = self.records.template_counts()?;
        for &subject in ids {
            let templates = counts.get(&subject).copied().unwrap_or(0);
            self.forget(subject)?;
            self.changed(by, &Event::Removed { subject, templates, reason })?;
        }
        Ok(())
    }

    /// Removes a subject. Its key must stay until this is committed, or a failure would lose a
    /// subject that is still there; until then it is noted as stale.
    pub fn forget(&self, id: i64) -> Result<(), GalleryError> {
        self.records.remove_subject(id)?;
        if self.keys.is_some() {
            let mut stale = self.stale_keys()?;
            stale.push(id);
            self.set_setting(STALE_KEYS, &stale)?;
        }
        Ok(())
    }

    fn stale_keys(&self) -> Result<Vec<i64>, GalleryError> {
        Ok(self.setting(STALE_KEYS)?.unwrap_or_default())
    }

    pub fn has_stale_keys(&self) -> Result<bool, GalleryError> {
        Ok(self.keys.is_some() && !self.stale_keys()?.is_empty())
    }

    /// Erases the keys of subjects whose removal is committed.
    pub fn remove_stale_keys(&self) -> Result<(), GalleryError> {
        if let Some(keys) = self.keys {
            self.stale_keys()?.into_iter().try_for_each(|id| keys.remove(id))?;
            self.set_setting::<[i64]>(STALE_KEYS, &[])?;
        }
        Ok(())
    }
}

/// Where a sealed text belongs; see [`SecretKey::seal`].
fn subject_place(id: i64) -> String {
    format!("subject {id}")
}

fn details_place(subject: i64) -> String {
    format!("details of a template of subject {subject}")
}

fn silhouettes_place(subject: i64) -> String {
    format!("silhouettes of a template of subject {subject}")
}

fn embedding_place(subject: i64) -> String {
    format!("embedding of a template of subject {subject}")
}

fn parsed<T: DeserializeOwned>(bytes: &[u8], record: Record) -> Result<T, GalleryError> {
    serde_json::from_slice(bytes).map_err(|_| GalleryError::DamagedRecord { record })
}

fn written<T: Serialize + ?Sized>(value: &T, record: Record) -> Result<Vec<u8>, GalleryError> {
    serde_json::to_vec(value).map_err(|_| GalleryError::DamagedRecord { record })
}

/// Floats as little-endian bytes.
pub(crate) fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Little-endian floats; `None` if bytes are left over.
pub(crate) fn floats(bytes: &[u8]) -> Option<Vec<f32>> {
    let (values, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then(|| values.iter().map(|value| f32::from_le_bytes(*value)).collect())
}
