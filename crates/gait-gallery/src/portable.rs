//! A gallery as one file of JSON lines, to move it to another machine or program.
//!
//! ```text
//! {"gallery":{"version":1,"network":{"fingerprint":"..","channels":64,"strips":16},"policy":..,"calibration":..}}
//! {"subject":{"name":"anna","created":"2026-11-02T10:00:00Z","consent":null}}
//! {"template":{"network":"..","source":"door.mp4","date":"..","frames":64,"view":"090","quality":0.9,"embedding":".."}}
//! {"end":{"subjects":1,"templates":1}}
//! ```
//!
//! Templates follow their subject. An embedding is `[c, p]` as base64 of little-endian floats of 32
//! bits; numpy reads it by `np.frombuffer(base64.b64decode(text), "<f4").reshape(c, p)`. The file is
//! not encrypted.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use gait_eval::Embeddings;
use serde::{Deserialize, Serialize};

use crate::changes::check_name;
use crate::ledger::{Ledger, SubjectDetails, SubjectTemplates, TemplateDetails, bytes, floats};
use crate::store::Store;
use crate::{By, Calibration, Cause, Consent, Event, Gallery, GalleryError, Network};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Gallery(Header),
    Subject(SubjectDetails),
    Template(PortableTemplate),
    End(Counts),
}

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    network: Option<Network>,
    policy: Option<Consent>,
    calibration: Option<Calibration>,
}

#[derive(Serialize, Deserialize)]
struct PortableTemplate {
    #[serde(flatten)]
    details: TemplateDetails,
    embedding: String,
}

/// How many subjects and templates a portable file holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Subjects.
    pub subjects: usize,
    /// Templates.
    pub templates: usize,
}

/// A portable file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the exported gallery")]
pub struct PortableError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    #[source]
    pub problem: PortableProblem,
}

/// What is wrong with a portable file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortableProblem {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It does not begin with a line about the gallery.
    #[error("it is not the beginning of an exported gallery")]
    NotAGallery,
    /// A later version of this crate wrote it.
    #[error("its format has version {found}, and this program knows up to version {known}")]
    Newer {
        /// The version of the file.
        found: u32,
        /// The latest known version.
        known: u32,
    },
    /// A line is not of the form that it must have.
    #[error("it is damaged")]
    Damaged(#[source] Option<Cause>),
    /// The last line is missing, or counts other lines than those before it.
    #[error("the end of the file is missing")]
    Truncated,
}

impl<S: Store> Gallery<S> {
    /// Writes all subjects whose consents hold, their templates, the policy and the calibration as
    /// JSON lines, without encryption. The audit stays here. Anybody who can read this file can
    /// recognise these people.
    ///
    /// # Errors
    /// A file that cannot be written, a store that fails, or a damaged record.
    pub fn export(&mut self, to: &mut dyn Write, by: &By) -> Result<Counts, GalleryError> {
        let mut counts = Counts::default();
        for subject in self.subjects()?.iter().filter(|s| !s.consent.has_ended(by.at)) {
            counts.subjects += 1;
            counts.templates += usize::try_from(subject.templates).unwrap_or(usize::MAX);
        }
        let Counts { subjects, templates } = counts;
        // Before anything leaves, so that no export is missing in the audit.
        self.record(&Event::Exported { subjects, templates }, by)?;
        let calibration = self.calibration()?;
        self.read(|ledger| {
            let mut writer = Writer { to, counts: Counts::default() };
            let network = ledger.network()?;
            let policy = ledger.policy()?;
            writer.line(&Line::Gallery(Header {
                version: VERSION,
                network,
                policy: policy.clone(),
                calibration,
            }))?;
            for (id, details) in ledger.subjects()? {
                if !details.holding(id, policy.as_ref())?.has_ended(by.at) {
                    writer.subject(ledger, id, details)?;
                }
            }
            let counts = writer.counts;
            writer.line(&Line::End(counts))?;
            Ok(counts)
        })
    }

    /// Adds the subjects of an exported gallery, all or none, with new numbers. Their consents are
    /// kept: those that rest on the policy of the other gallery become their own if this gallery has
    /// another policy. A policy and a calibration are taken over if there are none.
    ///
    /// # Errors
    /// [`PortableError`], [`GalleryError::NameTaken`], [`GalleryError::OtherNetwork`],
    /// [`GalleryError::NoConsent`], or a store that fails.
    pub fn import(&mut self, from: &mut dyn BufRead, by: &By) -> Result<Counts, GalleryError> {
        self.write(|ledger| {
            let mut line = 0;
            let mut reader = Reader::new(ledger)?;
            loop {
                line += 1;
                let failed = |problem| PortableError { line, problem };
                let read = next(from).map_err(failed)?;
                if reader.take(read, line)? {
                    break;
                }
            }
            let counts = reader.counts;
            let Counts { subjects, templates } = counts;
            ledger.changed(by, &Event::Imported { subjects, templates })?;
            Ok(counts)
        })
    }
}

struct Writer<'a> {
    to: &'a mut dyn Write,
    counts: Counts,
}

impl Writer<'_> {
    fn line(&mut self, line: &Line) -> Result<(), GalleryError> {
        let mut text = serde_json::to_vec(line).map_err(|e| GalleryError::Write(e.into()))?;
        text.push(b'\n');
        self.to.write_all(&text).map_err(GalleryError::Write)
    }

    fn subject(
        &mut self,
        ledger: &Ledger,
        id: i64,
        details: SubjectDetails,
    ) -> Result<(), GalleryError> {
        self.line(&Line::Subject(details))?;
        self.counts.subjects += 1;
        ledger.templates(
            Some(id),
            |_| true,
            |template| {
                let details = template.details()?;
                let embedding = BASE64_STANDARD.encode(bytes(&template.values()?));
                self.counts.templates += 1;
                self.line(&Line::Template(PortableTemplate { details, embedding }))
            },
        )
    }
}

/// The next line; `None` at the end of the file.
fn next(from: &mut dyn BufRead) -> Result<Option<Line>, PortableProblem> {
    let mut text = String::new();
    if from.read_line(&mut text)? == 0 {
        return Ok(None);
    }
    serde_json::from_str(&text).map(Some).map_err(|e| PortableProblem::Damaged(Some(e.into())))
}

/// What was read of an exported gallery so far.
struct Reader<'a> {
    ledger: &'a Ledger<'a>,
    network: Option<Network>,
    /// The policy of the other gallery, if it does not hold here.
    other_policy: Option<Consent>,
    has_policy: bool,
    /// All names that are taken.
    names: BTreeSet<String>,
    /// The subject whose templates follow, and its name.
    subject: Option<(SubjectTemplates<'a>, String)>,
    counts: Counts,
}

impl<'a> Reader<'a> {
    fn new(ledger: &'a Ledger<'a>) -> Result<Self, GalleryError> {
        Ok(Self {
            ledger,
            network: None,
            other_policy: None,
            has_policy: false,
            names: ledger.subjects()?.into_values().map(|subject| subject.name).collect(),
            subject: None,
            counts: Counts::default(),
        })
    }

    /// Takes a line, and says whether it is the last one.
    fn take(&mut self, read: Option<Line>, line: usize) -> Result<bool, GalleryError> {
        let failed = |problem| Err(PortableError { line, problem }.into());
        match (line, read) {
            (1, Some(Line::Gallery(header))) if header.version > VERSION => {
                failed(PortableProblem::Newer { found: header.version, known: VERSION })
            }
            (1, Some(Line::Gallery(header))) => self.begin(header).map(|()| false),
            (1, _) => failed(PortableProblem::NotAGallery),
            (_, Some(Line::Subject(details))) => self.subject(details).map(|()| false),
            (_, Some(Line::Template(template))) => match self.template(&template)? {
                true => Ok(false),
                false => failed(PortableProblem::Damaged(None)),
            },
            (_, Some(Line::End(counts))) if counts == self.counts => Ok(true),
            (_, Some(Line::End(_)) | None) => failed(PortableProblem::Truncated),
            (_, Some(Line::Gallery(_))) => failed(PortableProblem::Damaged(None)),
        }
    }

    fn begin(&mut self, header: Header) -> Result<(), GalleryError> {
        if let Some(network) = &header.network {
            self.ledger.check_network(network)?;
            self.ledger.set_setting("network", network)?;
        }
        let policy = self.ledger.policy()?;
        match (&policy, header.policy) {
            (None, Some(policy)) => {
                policy.check()?;
                self.ledger.set_setting("policy", &policy)?;
                self.has_policy = true;
            }
            (Some(here), Some(there)) if *here == there => self.has_policy = true,
            (_, there) => self.other_policy = there,
        }
        let calibrated: Option<Calibration> = self.ledger.setting("calibration")?;
        if let Some(calibration) = header.calibration.filter(|_| calibrated.is_none()) {
            self.ledger.set_setting("calibration", &calibration)?;
        }
        self.network = header.network;
        Ok(())
    }

    fn subject(&mut self, mut details: SubjectDetails) -> Result<(), GalleryError> {
        check_name(&details.name)?;
        let name = details.name.clone();
        if !self.names.insert(name.clone()) {
            return Err(GalleryError::NameTaken { name });
        }
        details.consent = details.consent.or_else(|| self.other_policy.clone());
        match &details.consent {
            Some(consent) => consent.check()?,
            None if self.has_policy => {}
            None => return Err(GalleryError::NoConsent { name }),
        }
        let id = self.ledger.add_subject(&details)?;
        self.subject = Some((self.ledger.templates_of(id)?, name));
        self.counts.subjects += 1;
        Ok(())
    }

    /// False if the template is not one of the subject and network before it.
    fn template(&mut self, template: &PortableTemplate) -> Result<bool, GalleryError> {
        let (Some((subject, name)), Some(network)) = (&self.subject, &self.network) else {
            return Ok(false);
        };
        let details = &template.details;
        let values = BASE64_STANDARD.decode(&template.embedding).ok();
        let Some(values) = values.and_then(|bytes| floats(&bytes)) else { return Ok(false) };
        if details.network != network.fingerprint {
            return Ok(false);
        }
        let Network { channels, strips, .. } = *network;
        let names = (name.clone(), details.origin.source.clone(), String::new());
        let checked = Embeddings::new(channels, strips, values, [names])?;
        subject.add(details, checked.values(), None)?;
        self.counts.templates += 1;
        Ok(true)
    }
}
