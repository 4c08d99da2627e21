//! A person, one of the person's walks, and the cameras that film it.

use std::f32::consts::TAU;

use super::body::Body;
use super::camera::Camera;
use super::chance::{Purpose, between, factor, generator, happens, spread};
use super::clothing::{Bag, Coat, Outfit};
use super::flesh::flesh;
use super::gait::Gait;
use super::pose::{Pose, stride_length};
use super::solids::Part;
use super::vector::{Frame, Vec3, vec3};

/// Frames per second, as in CASIA-B.
const RATE: f32 = 25.0;

/// The longest path in metres past a fixed camera. In longer clips the camera moves along, or the
/// walker would leave the image.
const LONGEST_WAY: f32 = 4.0;

/// Delay of hanging cloth and bags behind the body, in strides.
const CLOTH_DELAY: f32 = 0.05;

/// What the subject wears or carries in a recording, as in CASIA-B.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition {
    Normal,
    Bag,
    Coat,
}

impl Condition {
    /// The prefix of the condition's folder names.
    pub fn name(self) -> &'static str {
        match self {
            Condition::Normal => "nm",
            Condition::Bag => "bg",
            Condition::Coat => "cl",
        }
    }
}

/// One recording of a subject: condition and repetition (from 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recording {
    pub condition: Condition,
    pub repetition: usize,
}

impl Recording {
    /// A unique number for each recording, independent of the number of recordings.
    pub fn index(self) -> u64 {
        self.repetition as u64 * 3 + self.condition as u64
    }
}

/// A person: build, gait, coat and bag.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub body: Body,
    pub gait: Gait,
    coat: Coat,
    bag: Bag,
}

impl Person {
    /// The subject with this number (from 0) of a seed.
    pub fn draw(seed: u64, subject: usize) -> Person {
        let mut rng = generator(seed, Purpose::Person, [subject as u64, 0]);
        Person {
            body: Body::draw(&mut rng),
            gait: Gait::draw(&mut rng),
            coat: Coat::draw(&mut rng),
            bag: Bag::draw(&mut rng),
        }
    }
}

/// One recording: the day's gait, clothes, and the path past the cameras.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    pub body: Body,
    pub gait: Gait,
    outfit: Outfit,
    start_phase: f32,
    /// Amplitude (in strides) and frequency (in hertz) of the slow variation of the pace.
    wobble: [f32; 2],
    /// Metres per second.
    speed: f32,
    heading: f32,
    /// Offset from the middle of the path in metres: along it, and to its side.
    along: f32,
    beside: f32,
}

impl Walk {
    /// The subject's walk in one recording, the same for all cameras.
    pub fn record(seed: u64, subject: usize, person: &Person, recording: Recording) -> Walk {
        let mut rng = generator(seed, Purpose::Walk, [subject as u64, recording.index()]);
        let mut gait = person.gait.on_another_day(&mut rng);
        let mut outfit = Outfit::default();
        match recording.condition {
            Condition::Normal => {}
            Condition::Bag => {
                let other = Bag::draw(&mut rng);
                let own = if happens(&mut rng, 0.25) { other } else { person.bag };
                outfit.bag = Some(own.on_another_day(&mut rng));
            }
            Condition::Coat => outfit.coat = Some(person.coat.on_another_day(&mut rng)),
        }
        outfit.hinder(&mut gait);
        let speed = stride_length(&person.body, &gait) * gait.cadence;
        Walk {
            body: person.body.clone(),
            outfit,
            start_phase: between(&mut rng, 0.0, 1.0),
            wobble: [spread(&mut rng, 0.008), between(&mut rng, 0.3, 0.6)],
            speed,
            heading: spread(&mut rng, 0.04),
            along: spread(&mut rng, 0.2),
            beside: spread(&mut rng, 0.15),
            gait,
        }
    }

    /// Strides since the walk's phase 0, at a frame.
    pub fn phase(&self, frame: usize) -> f32 {
        let seconds = frame as f32 / RATE;
        let [amplitude, frequency] = self.wobble;
        let wobble = amplitude * (TAU * frequency * seconds).sin();
        self.start_phase + self.gait.cadence * seconds + wobble
    }

    /// The dressed body at a phase, in the walker's own space.
    pub fn solids(&self, phase: f32) -> Vec<Part> {
        let pose = Pose::at(&self.body, &self.gait, phase);
        let earlier = Pose::at(&self.body, &self.gait, phase - CLOTH_DELAY);
        flesh(&self.body, &self.outfit, &pose, &earlier)
    }

    /// The camera of a stand in the walker's own space, at a frame of a clip of `frames` frames.
    pub fn camera(&self, stand: &Stand, frame: usize, frames: usize) -> Camera {
        let way = self.speed * frames as f32 / RATE;
        let moment = (frame as f32 + 0.5) / frames as f32 - 0.5;
        let travelled = moment * way.min(LONGEST_WAY) + self.along;
        let heading = Frame::UPRIGHT.yaw(self.heading);
        let place = heading.offset(vec3(travelled, 0.0, 0.0)) + vec3(0.0, self.beside, 0.0);
        let seen = |point: Vec3| {
            let offset = point - place;
            vec3(offset.dot(heading.forward), offset.dot(heading.left), offset.z)
        };
        Camera::looking(seen(stand.position), seen(stand.target), stand.focal)
    }
}

/// The position of a view's camera, the same for every subject.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stand {
    position: Vec3,
    target: Vec3,
    focal: f32,
}

impl Stand {
    /// The camera of a view in degrees, with CASIA-B's directions: the subject walks towards 0 and
    /// away from 180; the camera at 90 sees the left side.
    pub fn at(seed: u64, view: f64) -> Stand {
        let mut rng = generator(seed, Purpose::Camera, [view.to_bits(), 0]);
        let distance = 6.2 * factor(&mut rng, 0.05);
        let (sin, cos) = view.to_radians().sin_cos();
        let height = 1.3 + spread(&mut rng, 0.1);
        // A metre in the middle of the path is about 62 pixels, so people are 80 to 150 pixels tall.
        let focal = 62.0 * distance * factor(&mut rng, 0.06);
        Stand {
            position: vec3(cos as f32 * distance, sin as f32 * distance, height),
            target: vec3(0.0, 0.0, 0.9),
            focal,
        }
    }
}
