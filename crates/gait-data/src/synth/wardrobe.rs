//! What the people of a world wear and carry on a walk.

use rand::Rng;

use super::chance::{between, happens, within};
use super::clothing::{Bag, Carried, Coat, Hat, Outfit, Skirt};
use super::world::{Clothes, Loads};

/// An outfit, and what trousers and shoes do to the legs: how far the cloth stands off the ankle,
/// and how much longer the feet are, in metres.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dress {
    pub outfit: Outfit,
    pub trousers: f32,
    pub shoes: f32,
}

impl Clothes {
    /// Draws everyday clothes, with a coat over them if there is to be one.
    pub(super) fn dress(&self, rng: &mut impl Rng, coat: bool) -> Dress {
        let top = self.top(rng);
        let over = self.coat(rng);
        let skirt = Skirt { hem: within(rng, self.skirt_hem), flare: between(rng, 0.01, 0.07) };
        let outfit = Outfit {
            coat: Some(if coat { over } else { top }),
            skirt: happens(rng, self.skirt).then_some(skirt),
            hat: happens(rng, self.hat).then(|| hat(rng)),
            scarf: happens(rng, self.scarf).then(|| between(rng, 0.015, 0.05)),
            bag: None,
        };
        Dress { outfit, trousers: within(rng, self.trousers), shoes: within(rng, self.shoes) }
    }

    /// A shirt, a pullover or a jacket: a thin coat that leaves the arms free.
    fn top(&self, rng: &mut impl Rng) -> Coat {
        let layer = within(rng, self.top);
        Coat {
            layer,
            sleeve: layer * between(rng, 0.3, 0.7),
            straight: within(rng, self.straight),
            hem: within(rng, self.hem),
            flare: between(rng, 0.0, 0.02),
            hood: happens(rng, self.hood),
            collar: between(rng, 0.0, 0.06),
            pockets: false,
            swing: 1.0 - 3.0 * layer,
        }
    }

    fn coat(&self, rng: &mut impl Rng) -> Coat {
        let layer = within(rng, self.coat_layer);
        Coat {
            layer,
            sleeve: layer * between(rng, 0.4, 0.7),
            hem: within(rng, self.coat_hem),
            hood: happens(rng, 2.0 * self.hood),
            ..Coat::draw(rng)
        }
    }
}

fn hat(rng: &mut impl Rng) -> Hat {
    let crown = between(rng, 0.03, 0.2);
    match between(rng, 0.0, 3.0) {
        at if at < 1.0 => Hat { crown, front: 0.0, back: 0.0 },
        at if at < 2.0 => Hat { crown, front: between(rng, 0.5, 0.9), back: 0.0 },
        _ => {
            let brim = between(rng, 0.3, 0.8);
            Hat { crown, front: brim, back: brim }
        }
    }
}

impl Loads {
    /// Draws a load.
    pub(super) fn load(&self, rng: &mut impl Rng) -> Bag {
        let kinds = [
            (Carried::OnBack, self.backpack),
            (Carried::OnShoulder, self.shoulder_bag),
            (Carried::InHand, self.hand_bag),
            (Carried::Pulled, self.suitcase),
            (Carried::AtEar, self.phone),
        ];
        let mut left = between(rng, 0.0, kinds.iter().map(|(_, weight)| weight).sum());
        let drawn = kinds.into_iter().find(|(_, weight)| {
            left -= weight;
            left < 0.0
        });
        let carried = drawn.map_or(Carried::OnBack, |(kind, _)| kind);
        let side = usize::from(happens(rng, 0.5));
        let size = between(rng, 0.6, 1.35);
        Bag::sized(rng, carried, side, size)
    }
}
