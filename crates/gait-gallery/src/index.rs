//! Search: the templates in memory, and who is nearest.

use std::collections::BTreeMap;

use gait_eval::{Distance, Embeddings, PackedGallery};
use jiff::Timestamp;
use rayon::prelude::*;
use serde::Serialize;

use crate::ledger::Ledger;
use crate::store::Store;
use crate::{Gallery, GalleryError, Network};

/// Templates that are packed at once.
const CHUNK: usize = 4096;

/// The templates of a gallery at one time, in memory, ready to be searched.
///
/// It holds each value of a template in single precision: 4 KiB for 64 channels and 16 strips.
pub struct Index {
    packed: Option<PackedGallery>,
    people: Vec<Person>,
    /// The person of each template, as a place in `people`.
    owners: Vec<u32>,
    /// The number of each template.
    templates: Vec<i64>,
    revision: u64,
}

struct Person {
    id: i64,
    name: String,
    until: Timestamp,
}

/// A subject who may be the one who was filmed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// The number of the subject.
    pub id: i64,
    /// The name of the subject.
    pub subject: String,
    /// The distance; see [`Index::rank`].
    pub distance: f32,
    /// The number of the template that is nearest to any window.
    pub template: i64,
}

impl<S: Store> Gallery<S> {
    /// Reads the templates of all subjects whose consents hold.
    ///
    /// # Errors
    /// [`GalleryError::OtherNetwork`] if probes of this network cannot be compared with the gallery,
    /// a store that fails, or a damaged record.
    pub fn index(
        &self,
        network: &Network,
        distance: Distance,
        now: Timestamp,
    ) -> Result<Index, GalleryError> {
        self.read(|ledger| {
            ledger.check_network(network)?;
            Index::read(ledger, network, distance, now)
        })
    }

    /// The embeddings of all subjects whose consents hold, with the source as condition; `None` if
    /// there are none.
    ///
    /// # Errors
    /// A store that fails, or a damaged record.
    pub fn embeddings(&self, now: Timestamp) -> Result<Option<Embeddings>, GalleryError> {
        self.read(|ledger| {
            let Some(network) = ledger.network()? else { return Ok(None) };
            let people = people(ledger, now)?;
            let names: BTreeMap<i64, &str> = people.iter().map(|p| (p.id, &*p.name)).collect();
            let mut values = Vec::new();
            let mut columns = [const { Vec::new() }; 3];
            ledger.templates(
                None,
                |id| names.contains_key(&id),
                |template| {
                    let origin = template.details()?.origin;
                    let name = names.get(&template.subject()).map(|name| (*name).to_owned());
                    columns[0].extend(name);
                    columns[1].push(origin.source);
                    columns[2].push(origin.view.unwrap_or_default());
                    values.extend(template.values()?);
                    Ok(())
                },
            )?;
            if values.is_empty() {
                return Ok(None);
            }
            let Network { channels, strips, .. } = network;
            Ok(Some(Embeddings::from_columns(channels, strips, values, columns)?))
        })
    }
}

/// The subjects whose consents hold.
fn people(ledger: &Ledger, now: Timestamp) -> Result<Vec<Person>, GalleryError> {
    let mut listed = ledger.listed()?;
    listed.retain(|subject| !subject.consent.has_ended(now));
    let person = |s: crate::Subject| Person { id: s.id, name: s.name, until: s.consent.until };
    Ok(listed.into_iter().map(person).collect())
}

impl Index {
    fn read(
        ledger: &Ledger,
        network: &Network,
        distance: Distance,
        now: Timestamp,
    ) -> Result<Self, GalleryError> {
        let mut index = Self {
            packed: None,
            people: people(ledger, now)?,
            owners: Vec::new(),
            templates: Vec::new(),
            revision: ledger.revision()?,
        };
        let places = index.people.iter().zip(0..).map(|(person, place)| (person.id, place));
        let places: BTreeMap<i64, u32> = places.collect();
        let mut chunk = Vec::new();
        ledger.templates(
            None,
            |id| places.contains_key(&id),
            |template| {
                index.owners.extend(places.get(&template.subject()));
                index.templates.push(template.id());
                chunk.extend(template.values()?);
                if chunk.len() >= CHUNK * network.width() {
                    index.pack(network, distance, std::mem::take(&mut chunk))?;
                }
                Ok(())
            },
        )?;
        if !chunk.is_empty() {
            index.pack(network, distance, chunk)?;
        }
        Ok(index)
    }

    fn pack(
        &mut self,
        network: &Network,
        distance: Distance,
        values: Vec<f32>,
    ) -> Result<(), GalleryError> {
        let names = (0..values.len() / network.width().max(1)).map(|_| Default::default());
        let e = Embeddings::new(network.channels, network.strips, values, names)?;
        match &mut self.packed {
            Some(packed) => packed.push(&e)?,
            None => self.packed = Some(PackedGallery::new(&e, distance)),
        }
        Ok(())
    }

    /// Number of templates.
    pub fn templates(&self) -> usize {
        self.templates.len()
    }

    /// Number of subjects whose consents held when the index was made.
    pub fn subjects(&self) -> usize {
        self.people.len()
    }

    /// The [`Gallery::revision`] that it was made from. If the gallery has another one now, it was
    /// changed meanwhile.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The `most` nearest subjects to the windows of one track, nearest first; at least two, since a
    /// decision needs the second. Subjects whose consents have ended by `now` are left out.
    ///
    /// The distance of a window to a subject is the smallest one to the subject's templates. That of
    /// a track is the mean over its windows. All windows show the same person, so the mean keeps
    /// what they agree on, and what is wrong in single windows averages out. It also stays on the
    /// scale of single windows, on which thresholds are calibrated, and varies less: the false accept
    /// rate of long tracks is at most about the calibrated one. Votes would need a calibration for
    /// each number of windows, and a window that is certain would count no more than one that is not.
    ///
    /// # Errors
    /// Windows of another shape than the templates, or distances beyond single precision.
    pub fn rank(
        &self,
        windows: &Embeddings,
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<Candidate>, GalleryError> {
        let Some(packed) = &self.packed else { return Ok(Vec::new()) };
        let distances = packed.distances(windows)?;
        let mut sums = vec![0.0; self.people.len()];
        let mut best = vec![(f32::INFINITY, 0); self.people.len()];
        let mut nearest = vec![f32::INFINITY; self.people.len()];
        for row in distances.chunks_exact(self.owners.len()) {
            nearest.fill(f32::INFINITY);
            for (at, (&d, &owner)) in row.iter().zip(&self.owners).enumerate() {
                let owner = owner as usize;
                nearest[owner] = nearest[owner].min(d);
                if d < best[owner].0 {
                    best[owner] = (d, at);
                }
            }
            sums.iter_mut().zip(&nearest).for_each(|(sum, d)| *sum += f64::from(*d));
        }
        let mean = |place: usize| (sums[place] / windows.len() as f64) as f32;
        let mut ranked: Vec<(f32, usize)> = (0..self.people.len())
            .filter(|&place| best[place].0.is_finite() && now <= self.people[place].until)
            .map(|place| (mean(place), place))
            .collect();
        ranked.par_sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let candidate = |&(distance, place): &(f32, usize)| Candidate {
            id: self.people[place].id,
            subject: self.people[place].name.clone(),
            distance,
            template: self.templates[best[place].1],
        };
        Ok(ranked.iter().take(most.max(2)).map(candidate).collect())
    }
}
