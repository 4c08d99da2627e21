//! `gaitgl enrol`: adds walks of a person to a gallery.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use anyhow::bail;
use clap::Args;
use gait_gallery::{By, Consent, Enrolment, Origin, Template};

use super::print_line;
use crate::gallery_file::GalleryFile;
use crate::recognizer::{Recognizer, WithNetwork};
use crate::source::video::VisionOptions;
use crate::source::walk::{Loss, Walk, add_losses, losses};
use crate::source::{Happening, Source, kept};
use crate::{ExitStatus, progress};

/// Enrol a person in a gallery by videos or silhouettes of their walk
///
/// A SOURCE is a video file, a stream (rtsp://, http://), a camera (camera:0), a folder of images, a
/// folder or tree of silhouettes, or a prepared set. Each walk of a few seconds becomes a template. The
/// gallery is made if there is none.
///
/// Without --run or --checkpoint, the network that ships is used.
///
/// Nobody is enrolled without consent: give it with --consent, or set one for the whole gallery with
/// `gaitgl gallery policy`.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Enrol {
    #[command(flatten)]
    gallery: GalleryFile,
    /// Name of the person; a prepared set names its people itself
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// Consent of the person: who agreed, when, to what purpose, and until when
    #[arg(long, value_name = "WHO, WHEN, PURPOSE, UNTIL")]
    consent: Option<Consent>,
    /// Track to enrol, if several people are in the picture; may be given more than once
    #[arg(long, value_name = "NUMBER")]
    track: Vec<u64>,
    /// Keep the silhouettes in the gallery, so that `gaitgl gallery rebuild` can embed them with another
    /// network
    #[arg(long)]
    keep_silhouettes: bool,
    /// Where the person walks
    #[arg(value_name = "SOURCE", required = true)]
    sources: Vec<String>,
    #[command(flatten)]
    network: WithNetwork,
    #[command(flatten)]
    vision: VisionOptions,
}

/// A track of which something can be enrolled.
struct Track {
    first_frame: u64,
    last_frame: u64,
    subject: Option<String>,
    templates: Vec<Template>,
}

/// The tracks of a source, and what was lost of it.
#[derive(Default)]
struct Found {
    tracks: BTreeMap<u64, Track>,
    lost: BTreeMap<Loss, usize>,
}

impl Enrol {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        let sources = self.sources.iter().map(|text| text.parse::<Source>());
        let sources = sources.collect::<anyhow::Result<Vec<Source>>>()?;
        let recognizer = self.network.load()?;
        self.check_gallery(&recognizer)?;
        let mut people: BTreeMap<String, Vec<Template>> = BTreeMap::new();
        for (text, source) in self.sources.iter().zip(&sources) {
            let found = self.find(text, source, &recognizer)?;
            self.check_one_person(text, &found)?;
            for track in found.tracks.into_values() {
                let subject = self.name_of(text, &track)?;
                people.entry(subject).or_default().extend(track.templates);
            }
        }
        let (mut gallery, by) = self.gallery.create_or_open()?;
        for (name, templates) in people {
            let count = templates.len();
            let network = recognizer.network.clone();
            let enrolment = Enrolment { consent: self.consent.clone(), network, templates };
            gallery.enrol(&name, &enrolment, &by)?;
            let until = gallery.subject(&name)?.consent.until;
            print_line(format!("{name}: {count} templates enrolled, consent until {until}"));
        }
        Ok(ExitStatus::Done)
    }

    /// Refuses a gallery that could not take the embeddings, before the long work.
    fn check_gallery(&self, recognizer: &Recognizer) -> anyhow::Result<()> {
        if !self.gallery.path().exists() {
            return Ok(());
        }
        let (gallery, _) = self.gallery.open()?;
        Ok(gallery.check_network(&recognizer.network)?)
    }

    fn find(&self, text: &str, source: &Source, recognizer: &Recognizer) -> anyhow::Result<Found> {
        let stop = progress::watch_interrupts()?;
        let mut found = Found::default();
        source.walks(&self.vision, recognizer.height, &mut |happening| {
            if stop.load(Ordering::Relaxed) {
                bail!("interrupted; nobody was enrolled");
            }
            match happening {
                Happening::Walk(walk) if self.wants(walk.track) => {
                    self.add(&mut found, text, &walk, recognizer)
                }
                _ => Ok(()),
            }
        })?;
        if found.tracks.is_empty() {
            bail!("{text}: {}", found.nothing(!self.track.is_empty()));
        }
        Ok(found)
    }

    /// Whether this track is to be enrolled: all are, unless some were chosen.
    fn wants(&self, track: u64) -> bool {
        self.track.is_empty() || self.track.contains(&track)
    }

    /// Adds a walk to its track.
    fn add(
        &self,
        found: &mut Found,
        text: &str,
        walk: &Walk,
        recognizer: &Recognizer,
    ) -> anyhow::Result<()> {
        add_losses(&mut found.lost, &walk.lost);
        let part = walk.name.clone().unwrap_or_else(|| format!("track {}", walk.track));
        let mut templates = Vec::new();
        for clip in walk.windows() {
            let origin = Origin {
                source: format!("{text}, {part}"),
                date: By::now("").at,
                frames: clip.frames as u64,
                view: walk.labels.as_ref().map(|labels| labels.view.clone()),
                quality: Some(walk.quality()),
            };
            let values = recognizer.embed_clip(&clip)?;
            let silhouettes = self.keep_silhouettes.then(|| kept::encode(&clip)).transpose()?;
            templates.push(Template { origin, values, silhouettes });
        }
        if templates.is_empty() {
            return Ok(());
        }
        let new = || Track {
            first_frame: walk.first_frame,
            last_frame: walk.last_frame,
            subject: walk.labels.as_ref().map(|labels| labels.subject.clone()),
            templates: Vec::new(),
        };
        let track = found.tracks.entry(walk.track).or_insert_with(new);
        track.templates.extend(templates);
        track.first_frame = track.first_frame.min(walk.first_frame);
        track.last_frame = track.last_frame.max(walk.last_frame);
        Ok(())
    }

    /// Refuses two people at the same time: one of them is not whom the user means.
    fn check_one_person(&self, text: &str, found: &Found) -> anyhow::Result<()> {
        let mut latest: Option<(u64, u64)> = None;
        let mut in_order: Vec<(&u64, &Track)> = found.tracks.iter().collect();
        in_order.sort_by_key(|(_, track)| track.first_frame);
        for (&number, track) in in_order.into_iter().filter(|(_, track)| track.subject.is_none()) {
            match latest {
                Some((other, last)) if self.track.is_empty() && track.first_frame <= last => bail!(
                    "{text} shows several people at once, tracks {other} and {number} among them; \
                     look at them with `gaitgl silhouettes --preview` and choose with --track"
                ),
                Some((_, last)) if track.last_frame <= last => {}
                _ => latest = Some((number, track.last_frame)),
            }
        }
        Ok(())
    }

    /// The name under which a track is enrolled.
    fn name_of(&self, text: &str, track: &Track) -> anyhow::Result<String> {
        match (&self.subject, &track.subject) {
            (Some(name), Some(labelled)) if name != labelled => bail!(
                "{text} names its people itself, `{labelled}` among them; leave out --subject, or \
                 give a set of `{name}` alone"
            ),
            (Some(name), _) | (None, Some(name)) => Ok(name.clone()),
            (None, None) => bail!("{text} does not say who walks; give --subject NAME"),
        }
    }
}

impl Found {
    /// Why there is nothing to enrol.
    fn nothing(&self, chosen: bool) -> String {
        if chosen {
            return "nobody walks in the chosen tracks".into();
        }
        nobody(&self.lost)
    }
}

/// Why a source shows nobody who walks.
pub fn nobody(lost: &BTreeMap<Loss, usize>) -> String {
    if lost.is_empty() {
        "nobody is in the picture".into()
    } else {
        format!("nobody can be seen walking; frames were dropped: {}", losses(lost))
    }
}
