//! The sections of a [`World`](super::World), with the values of `street` as their defaults.

use serde::{Deserialize, Serialize};

use super::Range;

/// How much people differ, beyond the bones and curves that every world draws. Drawn per person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct People {
    /// Factor of the girths of trunk and limbs.
    pub girth: Range,
    /// Factor of the trunk's depth.
    pub depth: Range,
    /// From 0 for young to 1 for old: older people stoop, take shorter and wider steps and swing
    /// their arms less.
    pub age: Range,
    /// Degrees of additional stoop.
    pub posture: Range,
    /// Factor of the swing of the arms.
    pub swing: Range,
    /// Delay of the right step, in strides.
    pub limp: Range,
}

/// How a person's walks differ. Drawn per walk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Walks {
    /// Frames per second of the recording; each is equally likely.
    pub rates: Vec<f32>,
    /// Factor of the cadence, and of the length of the steps.
    pub pace: Range,
    /// See `pace`.
    pub stride: Range,
    /// Factor of the swing of the arms.
    pub swing: Range,
    /// Degrees of additional lean.
    pub posture: Range,
    /// Share of walks with the hands in the pockets.
    pub pockets: f32,
    /// Degrees per second by which the path turns to the left.
    pub turn: Range,
    /// Degrees by which the ground rises ahead.
    pub slope: Range,
}

/// What people wear. Drawn per walk; lengths in metres.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clothes {
    /// Share of everyday walks (nm, bg) in the clothes that a person usually wears.
    pub usual: f32,
    /// Share of the walks in other clothes (cl) that show a coat.
    pub coat: f32,
    /// Thickness over the trunk of a shirt, pullover or jacket, and of a coat.
    pub top: Range,
    /// See `top`.
    pub coat_layer: Range,
    /// How straight a top hangs: every section is at least this fraction of the widest one.
    pub straight: Range,
    /// Where a top ends, in thigh lengths below the hip joint, and where a coat ends.
    pub hem: Range,
    /// See `hem`.
    pub coat_hem: Range,
    /// How far trousers stand off the ankle.
    pub trousers: Range,
    /// By how much shoes are longer than the feet.
    pub shoes: Range,
    /// Share of walks in a skirt.
    pub skirt: f32,
    /// Where a skirt ends, in thigh lengths.
    pub skirt_hem: Range,
    /// Shares of walks with a hat, a hood that is up, and a scarf.
    pub hat: f32,
    /// See `hat`.
    pub hood: f32,
    /// See `hat`.
    pub scarf: f32,
}

/// What people carry. Drawn per walk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Loads {
    /// Share of the walks of other conditions than bg on which something is carried.
    pub elsewhere: f32,
    /// How often each load occurs beside the others.
    pub backpack: f32,
    /// See `backpack`.
    pub shoulder_bag: f32,
    /// See `backpack`.
    pub hand_bag: f32,
    /// See `backpack`.
    pub suitcase: f32,
    /// See `backpack`: a telephone at the ear.
    pub phone: f32,
}

/// Where the cameras stand. Drawn per clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cameras {
    /// Metres above the ground.
    pub height: Range,
    /// Metres from the middle of the path: near cameras have a wide lens.
    pub distance: Range,
    /// Degrees by which the direction deviates from that of the view's name.
    pub view: Range,
    /// Degrees by which the camera tilts sideways.
    pub tilt: Range,
    /// Pixels of a person's height in the mask.
    pub rows: Range,
}

/// How people are cut out of the pictures. Drawn per clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Masks {
    /// Share of clips whose masks come from a network, with smooth outlines; the others come from
    /// background subtraction, with ragged ones and holes.
    pub network: f32,
    /// The network's blur, as the standard deviation in heights of the person.
    pub blur: Range,
    /// From which probability on a pixel belongs to the person.
    pub threshold: Range,
    /// How much the network's probabilities err from place to place.
    pub wobble: Range,
    /// Share of the frames in which a foot swings fast and the network does not see it.
    pub lost_feet: Range,
    /// Factor of the faults of background subtraction.
    pub faults: Range,
    /// Share of subtracted clips with a shadow on the ground.
    pub shadow: f32,
    /// Spells per 100 frames in which the box cuts off the head or the feet.
    pub cut: Range,
    /// Share of frames that repeat the one before.
    pub repeated: Range,
}

impl Default for People {
    fn default() -> People {
        People {
            girth: [0.95, 1.12],
            depth: [0.92, 1.1],
            age: [0.0, 0.5],
            posture: [-8.0, 3.0],
            swing: [0.5, 1.4],
            limp: [-0.012, 0.012],
        }
    }
}

impl Default for Walks {
    fn default() -> Walks {
        Walks {
            rates: vec![12.5, 15.0, 20.0, 25.0, 25.0, 25.0, 30.0, 30.0, 50.0],
            pace: [0.84, 1.1],
            stride: [0.98, 1.22],
            swing: [0.5, 1.5],
            posture: [-8.0, 2.0],
            pockets: 0.08,
            turn: [-6.0, 6.0],
            slope: [-3.0, 3.0],
        }
    }
}

impl Default for Clothes {
    fn default() -> Clothes {
        Clothes {
            usual: 0.2,
            coat: 0.75,
            top: [0.002, 0.05],
            coat_layer: [0.02, 0.08],
            straight: [0.7, 1.1],
            hem: [0.0, 0.6],
            coat_hem: [0.35, 1.6],
            trousers: [0.0, 0.032],
            shoes: [0.0, 0.035],
            skirt: 0.1,
            skirt_hem: [0.5, 1.5],
            hat: 0.1,
            hood: 0.06,
            scarf: 0.1,
        }
    }
}

impl Default for Loads {
    fn default() -> Loads {
        Loads {
            elsewhere: 0.15,
            backpack: 0.3,
            shoulder_bag: 0.3,
            hand_bag: 0.25,
            suitcase: 0.03,
            phone: 0.1,
        }
    }
}

impl Default for Cameras {
    fn default() -> Cameras {
        Cameras {
            height: [0.9, 2.8],
            distance: [4.0, 14.0],
            view: [-10.0, 10.0],
            tilt: [-1.5, 1.5],
            rows: [140.0, 215.0],
        }
    }
}

impl Default for Masks {
    fn default() -> Masks {
        Masks {
            network: 0.75,
            blur: [0.006, 0.016],
            threshold: [0.36, 0.5],
            wobble: [0.3, 0.9],
            lost_feet: [0.0, 0.25],
            faults: [0.5, 1.5],
            shadow: 0.2,
            cut: [0.0, 1.0],
            repeated: [0.0, 0.08],
        }
    }
}
