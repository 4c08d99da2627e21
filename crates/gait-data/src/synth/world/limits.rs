//! Which values a [`World`] can have.

use super::{Cameras, Clothes, Loads, Masks, People, Range, Walks, World};
use crate::synth::error::SynthError;

/// A value of a world with its key, and the smallest and the largest that it can have.
struct Checked {
    key: &'static str,
    value: Range,
    within: Range,
}

const fn range(key: &'static str, value: Range, within: Range) -> Checked {
    Checked { key, value, within }
}

const fn share(key: &'static str, value: f32) -> Checked {
    Checked { key, value: [value; 2], within: [0.0, 1.0] }
}

impl World {
    /// Checks every value.
    ///
    /// # Errors
    /// Names the first value that is out of range, and the range.
    pub fn check(&self) -> Result<(), SynthError> {
        let people = self.people.iter().flat_map(people);
        let walks = self.walks.iter().flat_map(walks);
        let clothes = self.clothes.iter().flat_map(clothes);
        let loads = self.loads.iter().flat_map(loads);
        let cameras = self.cameras.iter().flat_map(cameras);
        let masks = self.masks.iter().flat_map(masks);
        let all = people.chain(walks).chain(clothes).chain(loads).chain(cameras).chain(masks);
        for Checked { key, value, within } in all {
            // Comparisons with NaN are false.
            let good = within[0] <= value[0] && value[0] <= value[1] && value[1] <= within[1];
            if !good {
                return Err(SynthError::Range { key, value, within });
            }
        }
        match &self.walks {
            Some(walks) if walks.rates.is_empty() => Err(SynthError::NoRates),
            _ => Ok(()),
        }
    }
}

fn people(people: &People) -> Vec<Checked> {
    vec![
        range("people.girth", people.girth, [0.5, 2.0]),
        range("people.depth", people.depth, [0.5, 2.0]),
        range("people.age", people.age, [0.0, 1.0]),
        range("people.posture", people.posture, [-20.0, 20.0]),
        range("people.swing", people.swing, [0.0, 2.0]),
        range("people.limp", people.limp, [-0.1, 0.1]),
    ]
}

fn walks(walks: &Walks) -> Vec<Checked> {
    let rates = walks.rates.iter().map(|rate| range("walks.rates", [*rate; 2], [5.0, 120.0]));
    let others = [
        range("walks.pace", walks.pace, [0.3, 2.0]),
        range("walks.stride", walks.stride, [0.3, 2.0]),
        range("walks.swing", walks.swing, [0.0, 2.0]),
        range("walks.posture", walks.posture, [-20.0, 20.0]),
        share("walks.pockets", walks.pockets),
        range("walks.turn", walks.turn, [-45.0, 45.0]),
        range("walks.slope", walks.slope, [-15.0, 15.0]),
    ];
    rates.chain(others).collect()
}

fn clothes(clothes: &Clothes) -> Vec<Checked> {
    vec![
        share("clothes.usual", clothes.usual),
        share("clothes.coat", clothes.coat),
        range("clothes.top", clothes.top, [0.0, 0.3]),
        range("clothes.coat_layer", clothes.coat_layer, [0.0, 0.3]),
        range("clothes.straight", clothes.straight, [0.0, 1.5]),
        range("clothes.hem", clothes.hem, [0.0, 2.0]),
        range("clothes.coat_hem", clothes.coat_hem, [0.0, 2.0]),
        range("clothes.trousers", clothes.trousers, [0.0, 0.2]),
        range("clothes.shoes", clothes.shoes, [0.0, 0.2]),
        share("clothes.skirt", clothes.skirt),
        range("clothes.skirt_hem", clothes.skirt_hem, [0.2, 2.0]),
        share("clothes.hat", clothes.hat),
        share("clothes.hood", clothes.hood),
        share("clothes.scarf", clothes.scarf),
    ]
}

fn loads(loads: &Loads) -> Vec<Checked> {
    vec![
        share("loads.elsewhere", loads.elsewhere),
        share("loads.backpack", loads.backpack),
        share("loads.shoulder_bag", loads.shoulder_bag),
        share("loads.hand_bag", loads.hand_bag),
        share("loads.suitcase", loads.suitcase),
        share("loads.phone", loads.phone),
    ]
}

fn cameras(cameras: &Cameras) -> Vec<Checked> {
    vec![
        range("cameras.height", cameras.height, [0.1, 10.0]),
        range("cameras.distance", cameras.distance, [3.0, 100.0]),
        range("cameras.view", cameras.view, [-180.0, 180.0]),
        range("cameras.tilt", cameras.tilt, [-30.0, 30.0]),
        range("cameras.rows", cameras.rows, [64.0, 512.0]),
    ]
}

fn masks(masks: &Masks) -> Vec<Checked> {
    vec![
        share("masks.network", masks.network),
        range("masks.blur", masks.blur, [0.0, 0.05]),
        range("masks.threshold", masks.threshold, [0.1, 0.9]),
        range("masks.wobble", masks.wobble, [0.0, 2.0]),
        range("masks.lost_feet", masks.lost_feet, [0.0, 1.0]),
        range("masks.faults", masks.faults, [0.0, 10.0]),
        share("masks.shadow", masks.shadow),
        range("masks.cut", masks.cut, [0.0, 10.0]),
        range("masks.repeated", masks.repeated, [0.0, 0.9]),
    ]
}
