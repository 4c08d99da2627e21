//! Tests that walkers are recognised by their gait as real people are: by no single number, less
//! well with a bag, and least well in a coat.

use rayon::prelude::*;

use super::film::Film;
use super::options::SynthOptions;
use super::raster::Mask;
use super::walk::{Condition, Person, Recording, Walk};
use super::world::World;
use crate::align::align;
use crate::image_file::Grey;

const SIZE: usize = 64;

/// One clip: its labels and its measurements.
struct Clip {
    subject: usize,
    condition: Condition,
    repetition: usize,
    /// Mean height in pixels before alignment: the stature as seen by the camera.
    height: f32,
    /// The mean aligned silhouette.
    energy: Vec<f32>,
}

impl Clip {
    fn film_all(options: &SynthOptions, subject: usize, view: f64) -> Vec<Clip> {
        let person = Person::draw(options, subject);
        let film = |recording| Clip::film(options, subject, &person, view, recording);
        options.recordings().into_iter().map(film).collect()
    }

    fn film(
        options: &SynthOptions,
        subject: usize,
        person: &Person,
        view: f64,
        recording: Recording,
    ) -> Clip {
        let walk = Walk::record(options, subject, person, recording);
        let mut film = Film::new(options, subject, recording, &walk, view);
        let masks: Vec<Mask> = (0..options.frames).filter_map(|frame| film.frame(frame)).collect();
        let count = masks.len() as f32;
        let height = masks.iter().map(|mask| mask.height as f32).sum::<f32>() / count;
        let mut energy = vec![0.0; SIZE * SIZE];
        for Mask { width, height, pixels } in masks {
            let aligned = align(&Grey { width, height, pixels }, SIZE).unwrap();
            energy.iter_mut().zip(aligned).for_each(|(sum, p)| *sum += f32::from(p) / count);
        }
        let Recording { condition, repetition } = recording;
        Clip { subject, condition, repetition, height, energy }
    }

    fn enrolled(&self) -> bool {
        self.condition == Condition::Normal && self.repetition <= 4
    }
}

/// Percentage of a condition's clips whose nearest enrolled clip shows the same subject.
fn rank1(clips: &[Clip], condition: Condition, distance: impl Fn(&Clip, &Clip) -> f32) -> f32 {
    let probes = clips.iter().filter(|clip| clip.condition == condition && !clip.enrolled());
    let right = probes.clone().filter(|probe| {
        let gallery = clips.iter().filter(|clip| clip.enrolled());
        let nearest =
            gallery.min_by(|a, b| distance(probe, a).total_cmp(&distance(probe, b))).unwrap();
        nearest.subject == probe.subject
    });
    100.0 * right.count() as f32 / probes.count() as f32
}

fn energy_distance(a: &Clip, b: &Clip) -> f32 {
    a.energy.iter().zip(&b.energy).map(|(a, b)| (a - b) * (a - b)).sum()
}

#[test]
fn bags_disturb_and_coats_disturb_more_but_identity_survives() {
    let options = SynthOptions { subjects: 30, frames: 40, seed: 11, ..SynthOptions::default() };
    let clips: Vec<Clip> = (0..options.subjects)
        .into_par_iter()
        .flat_map(|subject| Clip::film_all(&options, subject, 90.0))
        .collect();
    let [normal, bag, coat] = [Condition::Normal, Condition::Bag, Condition::Coat]
        .map(|condition| rank1(&clips, condition, energy_distance));
    // Chance is 3.3%; the mean silhouette without training is weak on coats.
    println!("NM {normal}, BG {bag}, CL {coat}");
    assert!(normal > 85.0, "NM {normal}");
    assert!(normal > bag + 10.0 && bag > coat + 5.0, "NM {normal}, BG {bag}, CL {coat}");
    assert!(coat > 2.0 * 3.3, "CL {coat}");

    let by_height = rank1(&clips, Condition::Normal, |a, b| (a.height - b.height).abs());
    let mass = |clip: &Clip| clip.energy.iter().sum::<f32>();
    let by_mass = rank1(&clips, Condition::Normal, |a, b| (mass(a) - mass(b)).abs());
    println!("by height {by_height}, by mass {by_mass}");
    assert!(by_height < 50.0, "stature alone identifies {by_height}% of them");
    assert!(by_mass < 50.0, "the silhouette's area alone identifies {by_mass}% of them");
}

/// On the street all else varies more than people do, so that a network must learn what stays.
#[test]
fn on_the_street_identity_survives_but_a_mean_silhouette_hardly_shows_it() {
    let world = World::street();
    let options =
        SynthOptions { subjects: 30, frames: 40, seed: 11, world, ..SynthOptions::default() };
    let clips: Vec<Clip> = (0..options.subjects)
        .into_par_iter()
        .flat_map(|subject| Clip::film_all(&options, subject, 90.0))
        .collect();
    let [normal, coat] = [Condition::Normal, Condition::Coat]
        .map(|condition| rank1(&clips, condition, energy_distance));
    println!("NM {normal}, CL {coat}");
    assert!((3.0 * 3.3..80.0).contains(&normal), "NM {normal}");
    assert!(coat < normal, "NM {normal}, CL {coat}");
}
