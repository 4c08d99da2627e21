//! A person, one of the person's walks, and the cameras that film it.

use std::f32::consts::TAU;

use rand::Rng;

use super::body::Body;
use super::camera::Camera;
use super::chance::{Purpose, between, factor, generator, happens, spread, within};
use super::clothing::{Bag, Coat, Outfit};
use super::flesh::flesh;
use super::gait::Gait;
use super::options::SynthOptions;
use super::pose::{Pose, stride_length};
use super::solids::Part;
use super::vector::{Frame, Vec3, vec3};
use super::wardrobe::Dress;
use super::world::{Cameras, Walks};

/// Frames per second in CASIA-B.
const CASIA_B_RATE: f32 = 25.0;

/// The longest path in metres past a fixed camera. In longer clips the camera moves along, or the
/// walker would leave the image.
const LONGEST_WAY: f32 = 4.0;

/// Metres.
const AVERAGE_STATURE: f32 = 1.7;

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
    /// The subject with this number, from 0.
    pub fn draw(options: &SynthOptions, subject: usize) -> Person {
        let mut rng = generator(options.seed, Purpose::Person, [subject as u64, 0]);
        let mut person = Person {
            body: Body::draw(&mut rng),
            gait: Gait::draw(&mut rng),
            coat: Coat::draw(&mut rng),
            bag: Bag::draw(&mut rng),
        };
        if let Some(people) = &options.world.people {
            let mut rng = generator(options.seed, Purpose::Variety, [subject as u64, 0]);
            people.vary(&mut rng, &mut person.body, &mut person.gait);
        }
        person
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
    /// Frames per second of the cameras.
    rate: f32,
    /// Metres per second.
    speed: f32,
    heading: f32,
    /// Radians per second by which the path turns to the left.
    turn: f32,
    /// How much the ground rises per metre ahead.
    slope: f32,
    /// Offset from the middle of the path in metres: along it, and to its side.
    along: f32,
    beside: f32,
}

impl Walk {
    /// The subject's walk in one recording, the same for all cameras.
    pub fn record(
        options: &SynthOptions,
        subject: usize,
        person: &Person,
        recording: Recording,
    ) -> Walk {
        let indices = [subject as u64, recording.index()];
        let mut rng = generator(options.seed, Purpose::Walk, indices);
        let gait = person.gait.on_another_day(&mut rng);
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
        let mut walk = Walk {
            body: person.body.clone(),
            start_phase: between(&mut rng, 0.0, 1.0),
            wobble: [spread(&mut rng, 0.008), between(&mut rng, 0.3, 0.6)],
            rate: CASIA_B_RATE,
            speed: 0.0,
            heading: spread(&mut rng, 0.04),
            turn: 0.0,
            slope: 0.0,
            along: spread(&mut rng, 0.2),
            beside: spread(&mut rng, 0.15),
            outfit,
            gait,
        };
        walk.dress(options, indices, recording.condition);
        walk.outfit.hinder(&mut walk.gait);
        if let Some(walks) = &options.world.walks {
            walk.vary(walks, &mut generator(options.seed, Purpose::Day, indices));
        }
        walk.speed = stride_length(&walk.body, &walk.gait) * walk.gait.cadence;
        walk
    }

    /// Replaces clothes and load by those of the world, if it has its own.
    fn dress(&mut self, options: &SynthOptions, indices: [u64; 2], condition: Condition) {
        let mut rng = generator(options.seed, Purpose::Clothes, indices);
        if let Some(clothes) = &options.world.clothes {
            let other = condition == Condition::Coat;
            let usual = !other && happens(&mut rng, clothes.usual);
            let coat = other && happens(&mut rng, clothes.coat);
            let Dress { outfit, trousers, shoes } = if usual {
                let mut of_the_person = generator(options.seed, Purpose::Clothes, [indices[0], 0]);
                clothes.dress(&mut of_the_person, false)
            } else {
                clothes.dress(&mut rng, coat)
            };
            self.outfit = Outfit { bag: self.outfit.bag, ..outfit };
            self.body.trousers = trousers;
            self.body.foot += shoes;
        }
        if let Some(loads) = &options.world.loads {
            let loaded = condition == Condition::Bag || happens(&mut rng, loads.elsewhere);
            self.outfit.bag = loaded.then(|| loads.load(&mut rng));
        }
    }

    /// Varies gait, path and frame rate as walks of a world vary.
    fn vary(&mut self, walks: &Walks, rng: &mut impl Rng) {
        walks.vary(rng, &mut self.gait);
        self.rate = walks.rate(rng);
        self.turn = within(rng, walks.turn).to_radians();
        self.slope = within(rng, walks.slope).to_radians().tan();
    }

    /// Strides since the walk's phase 0, at a frame.
    pub fn phase(&self, frame: usize) -> f32 {
        let seconds = frame as f32 / self.rate;
        let [amplitude, frequency] = self.wobble;
        let wobble = amplitude * (TAU * frequency * seconds).sin();
        self.start_phase + self.gait.cadence * seconds + wobble
    }

    /// Whether a foot (0 left, 1 right) is swinging fast at a phase.
    pub fn swings(&self, side: usize, phase: f32) -> bool {
        let own = (phase + 0.5 * side as f32).rem_euclid(1.0);
        (0.66..0.92).contains(&own)
    }

    /// The dressed body at a phase, in the walker's own space.
    pub fn solids(&self, phase: f32) -> Vec<Part> {
        let at = |phase| Pose::at(&self.body, &self.gait, phase).on_slope(&self.body, self.slope);
        let pose = at(phase);
        let earlier = at(phase - CLOTH_DELAY);
        flesh(&self.body, &self.outfit, &pose, &earlier)
    }

    /// The camera of a stand in the walker's own space, at a frame of a clip of `frames` frames.
    pub fn camera(&self, stand: &Stand, frame: usize, frames: usize) -> Camera {
        let seconds = frames as f32 / self.rate;
        let way = self.speed * frames as f32 / self.rate;
        let moment = (frame as f32 + 0.5) / frames as f32 - 0.5;
        let travelled = moment * way.min(LONGEST_WAY) + self.along;
        let heading = Frame::UPRIGHT.yaw(self.heading + moment * seconds * self.turn);
        let place = heading.offset(vec3(travelled, 0.0, 0.0)) + vec3(0.0, self.beside, 0.0);
        let seen = |point: Vec3| {
            let offset = point - place;
            vec3(offset.dot(heading.forward), offset.dot(heading.left), offset.z)
        };
        Camera::looking(seen(stand.position), seen(stand.target), stand.focal).tilted(stand.tilt)
    }
}

/// Where a camera stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stand {
    position: Vec3,
    target: Vec3,
    focal: f32,
    /// Sideways, in radians.
    tilt: f32,
}

impl Stand {
    /// The camera of a view in CASIA-B's laboratory, the same for every subject: a view in degrees with CASIA-B's directions: the subject walks towards 0 and
    /// away from 180; the camera at 90 sees the left side.
    pub fn at(seed: u64, view: f64) -> Stand {
        let mut rng = generator(seed, Purpose::Camera, [view.to_bits(), 0]);
        let distance = 6.2 * factor(&mut rng, 0.05);
        let height = 1.3 + spread(&mut rng, 0.1);
        // A metre in the middle of the path is about 62 pixels, so people are 80 to 150 pixels tall.
        let focal = 62.0 * distance * factor(&mut rng, 0.06);
        Stand::around(view, distance, height, focal)
    }

    /// The camera of one clip, near a view in degrees.
    pub fn of_clip(cameras: &Cameras, rng: &mut impl Rng, view: f64) -> Stand {
        let distance = within(rng, cameras.distance);
        let height = within(rng, cameras.height);
        let view = view + f64::from(within(rng, cameras.view));
        let focal = within(rng, cameras.rows) / AVERAGE_STATURE * distance;
        let tilt = within(rng, cameras.tilt).to_radians();
        Stand { tilt, ..Stand::around(view, distance, height, focal) }
    }

    /// A camera that looks at the middle of the path.
    fn around(view: f64, distance: f32, height: f32, focal: f32) -> Stand {
        let (sin, cos) = view.to_radians().sin_cos();
        Stand {
            position: vec3(cos as f32 * distance, sin as f32 * distance, height),
            target: vec3(0.0, 0.0, 0.9),
            focal,
            tilt: 0.0,
        }
    }
}
