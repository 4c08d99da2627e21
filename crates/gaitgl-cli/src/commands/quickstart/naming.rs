//! The last step of `gaitgl quickstart`: a gallery of half of the unseen people, who names walks of
//! all of them.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use gait_eval::{Distance, Embeddings, Watch, open_set};
use gait_gallery::{
    By, Calibration, Decision, Enrolment, Gallery, Index, Measured, Network, Origin, SqliteStore,
    Template,
};
use gaitgl::checkpoint::Checkpoint;

/// The condition of the walks that are enrolled; those of all other conditions are identified.
const ENROLLED: [&str; 4] = ["nm-01", "nm-02", "nm-03", "nm-04"];
/// Rate of comparisons with another person that the threshold accepts.
const FALSE_ACCEPT_RATE: f64 = 0.0025;
/// The consent of people who do not exist.
const CONSENT: &str = "synthetic people, 2026-01-01, quickstart, 2999-12-31";

/// How many walks got the right name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Naming {
    /// People in the gallery.
    pub enrolled: usize,
    /// People who are not.
    pub strangers: usize,
    /// Walks of enrolled people that got their name.
    pub named: usize,
    /// Walks of enrolled people that got another name.
    pub confused: usize,
    /// Walks of enrolled people that got no name.
    pub missed: usize,
    /// Walks of strangers that got no name.
    pub unknown: usize,
    /// Walks of strangers that got a name.
    pub mistaken: usize,
}

impl fmt::Display for Naming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { enrolled, strangers, named, confused, missed, unknown, mistaken } = self;
        let known = named + confused + missed;
        let others = unknown + mistaken;
        writeln!(
            f,
            "{known} walks of the {enrolled} people in the gallery: {named} named, {missed} \
             unknown, {confused} given another name"
        )?;
        write!(
            f,
            "{others} walks of the {strangers} who are not in it: {unknown} rightly unknown, \
             {mistaken} mistaken for somebody"
        )
    }
}

/// Makes a gallery of every second person at `path`, calibrates it and identifies the other walks.
pub fn name_people(
    path: &Path,
    checkpoint: &Checkpoint,
    embeddings: &Embeddings,
) -> anyhow::Result<Naming> {
    let people: BTreeSet<&str> = embeddings.subjects().iter().map(String::as_str).collect();
    let enrolled: BTreeSet<&str> = people.iter().copied().step_by(2).collect();
    let by = By::now("quickstart");
    let mut gallery = Gallery::open(SqliteStore::open_or_create(path)?, None, &by)?;
    let network = Network {
        fingerprint: checkpoint.fingerprint().to_string(),
        channels: embeddings.channels(),
        strips: embeddings.strips(),
    };
    gallery.set_policy(&CONSENT.parse()?, &by)?;
    for name in &enrolled {
        let templates = templates(embeddings, name, &by);
        let enrolment = Enrolment { consent: None, network: network.clone(), templates };
        gallery.enrol(name, &enrolment, &by)?;
    }
    let calibration = calibrate(&mut gallery, &network, &by)?;
    let index = gallery.index(&network, Distance::Strips, by.at)?;
    let mut naming = Naming {
        enrolled: enrolled.len(),
        strangers: people.len() - enrolled.len(),
        ..Naming::default()
    };
    for walk in (0..embeddings.len()).filter(|&walk| !is_enrolled(embeddings, walk)) {
        let subject = &*embeddings.subjects()[walk];
        let named = named(&index, &calibration, embeddings, walk, &by)?;
        naming.count(enrolled.contains(subject).then_some(subject), named.as_deref());
    }
    Ok(naming)
}

impl Naming {
    /// Counts a walk of this enrolled person, or of a stranger, by the name that it got.
    fn count(&mut self, person: Option<&str>, name: Option<&str>) {
        *match (person, name) {
            (Some(person), Some(name)) if person == name => &mut self.named,
            (Some(_), Some(_)) => &mut self.confused,
            (Some(_), None) => &mut self.missed,
            (None, None) => &mut self.unknown,
            (None, Some(_)) => &mut self.mistaken,
        } += 1;
    }
}

fn is_enrolled(embeddings: &Embeddings, walk: usize) -> bool {
    ENROLLED.contains(&&*embeddings.conditions()[walk])
}

fn templates(embeddings: &Embeddings, subject: &str, by: &By) -> Vec<Template> {
    let walks = (0..embeddings.len())
        .filter(|&walk| embeddings.subjects()[walk] == subject && is_enrolled(embeddings, walk));
    let template = |walk: usize| Template {
        origin: Origin {
            source: embeddings.conditions()[walk].clone(),
            date: by.at,
            frames: super::FRAMES as u64,
            view: Some(embeddings.views()[walk].clone()),
            quality: None,
        },
        values: embeddings.row(walk).to_vec(),
        silhouettes: None,
    };
    walks.map(template).collect()
}

fn calibrate(gallery: &mut Gallery, network: &Network, by: &By) -> anyhow::Result<Calibration> {
    let Some(known) = gallery.embeddings(by.at)? else {
        anyhow::bail!("no walk was enrolled");
    };
    let scores = open_set(&known, Distance::Strips, &Watch::silent())?;
    let measured = Measured {
        distance: Distance::Strips,
        network: network.fingerprint.clone(),
        source: "the gallery".into(),
    };
    let calibration = Calibration::new(&scores, FALSE_ACCEPT_RATE, 0.0, measured, by.at)?;
    gallery.set_calibration(&calibration, by)?;
    Ok(calibration)
}

/// The name that a walk gets.
fn named(
    index: &Index,
    calibration: &Calibration,
    embeddings: &Embeddings,
    walk: usize,
    by: &By,
) -> anyhow::Result<Option<String>> {
    let name = (String::new(), String::new(), String::new());
    let values = embeddings.row(walk).to_vec();
    let window = Embeddings::new(embeddings.channels(), embeddings.strips(), values, [name])?;
    let candidates = index.rank(&window, by.at, 2)?;
    let decision = Decision::new(&candidates, calibration.rule);
    Ok(decision.known().map(|known| known.subject.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_walk_is_counted_once() {
        let mut naming = Naming { enrolled: 1, strangers: 1, ..Naming::default() };
        for (person, name) in [
            (Some("a"), Some("a")),
            (Some("a"), Some("b")),
            (Some("a"), None),
            (None, None),
            (None, Some("a")),
        ] {
            naming.count(person, name);
        }
        let expected = Naming {
            enrolled: 1,
            strangers: 1,
            named: 1,
            confused: 1,
            missed: 1,
            unknown: 1,
            mistaken: 1,
        };
        assert_eq!(naming, expected);
        assert!(naming.to_string().contains("3 walks of the 1 people in the gallery: 1 named"));
    }
}
