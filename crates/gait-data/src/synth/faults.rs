//! Faults of segmenters. Background subtraction has ragged borders, holes, lost limbs, specks and
//! shadows; a network has those of [`Network`]; both lose frames.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::chance::{between, happens, within};
use super::raster::{BODY, Mask};
use super::smooth::Network;
use super::solids::Region;
use super::world::Masks;

/// A fault that lasts for a run of frames.
#[derive(Clone, Debug)]
struct Spell<T> {
    from: usize,
    to: usize,
    what: T,
}

impl<T> Spell<T> {
    /// A spell of `shortest..=longest` frames somewhere in the clip.
    fn draw(rng: &mut ChaCha8Rng, frames: usize, lengths: [f32; 2], what: T) -> Spell<T> {
        let from = between(rng, 0.0, frames as f32) as usize;
        let length = between(rng, lengths[0], lengths[1] + 1.0) as usize;
        Spell { from, to: from + length, what }
    }

    fn holds(&self, frame: usize) -> bool {
        (self.from..self.to).contains(&frame)
    }
}

/// A patch of clothing in the background's colour: its position (fractions of the silhouette's
/// width and height) and its half-axes (fractions of the height).
#[derive(Clone, Copy, Debug)]
struct Patch {
    at: [f32; 2],
    half: [f32; 2],
}

/// A box that is too small: the share of the mask's height that it cuts off, above or below.
#[derive(Clone, Copy, Debug)]
struct Cut {
    share: f32,
    above: bool,
}

/// The segmenter of one clip. Its faults are drawn once, its ragged borders in each frame.
#[derive(Clone, Debug)]
pub(super) struct Segmenter {
    missing: Vec<Spell<()>>,
    lost: Vec<Spell<Region>>,
    holes: Vec<Spell<Patch>>,
    /// Number of dents and bumps on a frame's border.
    ragged: f32,
    /// Fraction of frames with a speck beside the person.
    specks: f32,
    cuts: Vec<Spell<Cut>>,
    /// Fraction of frames that repeat the one before.
    repeated: f32,
    /// Where a shadow lies beside the feet, in heights of the person.
    shadow: Option<f32>,
    network: Option<Network>,
    rng: ChaCha8Rng,
}

impl Segmenter {
    /// Draws background subtraction as in CASIA-B, with `faults` times as many faults.
    pub fn draw(mut rng: ChaCha8Rng, frames: usize, faults: f32) -> Segmenter {
        let missing = spells(&mut rng, frames, 0.8, [1.0, 3.0], |_| ());
        let lost = spells(&mut rng, frames, 0.5 * faults, [2.0, 7.0], limb);
        let holes = spells(&mut rng, frames, 1.5 * faults, [3.0, 12.0], patch);
        let ragged = faults * between(&mut rng, 4.0, 12.0);
        Segmenter {
            missing,
            lost,
            holes,
            ragged,
            specks: 0.012 * faults,
            cuts: vec![],
            repeated: 0.0,
            shadow: None,
            network: None,
            rng,
        }
    }

    /// Draws one of the segmenters of a world. `rng` gives the faults, `kind` the rest.
    pub fn of_world(
        masks: &Masks,
        rng: ChaCha8Rng,
        mut kind: ChaCha8Rng,
        frames: usize,
    ) -> Segmenter {
        let subtraction = within(&mut kind, masks.faults);
        let network = happens(&mut kind, masks.network).then(|| Network::draw(masks, &mut kind));
        let faults = if network.is_some() { 0.0 } else { subtraction };
        let shaded = network.is_none() && happens(&mut kind, masks.shadow);
        let rate = within(&mut kind, masks.cut);
        Segmenter {
            network,
            shadow: shaded.then(|| between(&mut kind, -0.15, 0.15)),
            repeated: within(&mut kind, masks.repeated),
            cuts: spells(&mut kind, frames, rate, [2.0, 10.0], |rng| Cut {
                share: between(rng, 0.01, 0.07),
                above: happens(rng, 0.3),
            }),
            ..Segmenter::draw(rng, frames, faults)
        }
    }

    /// Whether frames are shown again at all.
    pub fn can_repeat(&self) -> bool {
        self.repeated > 0.0
    }

    /// Whether the frame before is shown again.
    pub fn repeats(&mut self) -> bool {
        self.can_repeat() && happens(&mut self.rng, self.repeated)
    }

    /// Whether a foot that swings fast is lost.
    pub fn loses_foot(&mut self) -> bool {
        let share = self.network.as_ref().map_or(0.0, |network| network.lost_feet);
        share > 0.0 && happens(&mut self.rng, share)
    }

    /// Whether the whole frame is lost.
    pub fn misses(&self, frame: usize) -> bool {
        self.missing.iter().any(|spell| spell.holds(frame))
    }

    /// Whether the region is lost in the frame.
    pub fn loses(&self, frame: usize, region: Region) -> bool {
        self.lost.iter().any(|spell| spell.holds(frame) && spell.what == region)
    }

    /// Damages a clean silhouette.
    pub fn spoil(&mut self, frame: usize, mask: &mut Mask) {
        for spell in self.holes.iter().filter(|spell| spell.holds(frame)) {
            let patch = spell.what;
            let centre = [patch.at[0] * mask.width as f32, patch.at[1] * mask.height as f32];
            let half = patch.half.map(|share| share * mask.height as f32);
            mask.stamp(centre, half, 0);
        }
        self.fray(mask);
        if happens(&mut self.rng, self.specks) {
            let x = between(&mut self.rng, 0.0, mask.width as f32);
            let y = between(&mut self.rng, 0.0, mask.height as f32);
            let half = between(&mut self.rng, 1.0, 3.0);
            mask.stamp([x, y], [half, 0.8 * half], BODY);
        }
        if let Some(beside) = self.shadow {
            let height = mask.height as f32;
            let centre = [0.5 * mask.width as f32 + beside * height, 0.97 * height];
            mask.stamp(centre, [0.16 * height, 0.02 * height], BODY);
        }
        if let Some(network) = &mut self.network {
            network.remake(mask, &mut self.rng);
        }
        for spell in self.cuts.iter().filter(|spell| spell.holds(frame)) {
            let rows = (spell.what.share * mask.height as f32) as usize;
            let kept = mask.height - rows;
            let start = if spell.what.above { rows * mask.width } else { 0 };
            mask.pixels.copy_within(start..start + kept * mask.width, 0);
            mask.pixels.truncate(kept * mask.width);
            mask.height = kept;
        }
    }

    /// Adds dents and bumps of one to a few pixels to the border.
    fn fray(&mut self, mask: &mut Mask) {
        let scale = mask.height as f32 / 110.0;
        let times = (self.ragged * between(&mut self.rng, 0.6, 1.4)) as usize;
        for _ in 0..times {
            let row = between(&mut self.rng, 0.0, mask.height as f32) as usize;
            let from_left = happens(&mut self.rng, 0.5);
            let value = if happens(&mut self.rng, 0.55) { 0 } else { BODY };
            let half = [
                scale * between(&mut self.rng, 0.6, 2.0),
                scale * between(&mut self.rng, 0.7, 2.8),
            ];
            if let Some(column) = border(mask, row, from_left, &mut self.rng) {
                mask.stamp([column as f32, row as f32], half, value);
            }
        }
    }
}

/// As many spells as a rate per 100 frames gives; `draw` gives what happens in each.
fn spells<T>(
    rng: &mut ChaCha8Rng,
    frames: usize,
    per_100_frames: f32,
    lengths: [f32; 2],
    draw: impl Fn(&mut ChaCha8Rng) -> T,
) -> Vec<Spell<T>> {
    let expected = per_100_frames * frames as f32 / 100.0;
    let count = (expected + between(rng, 0.0, 1.0)) as usize;
    let spell = |rng: &mut ChaCha8Rng| {
        let what = draw(rng);
        Spell::draw(rng, frames, lengths, what)
    };
    (0..count).map(|_| spell(rng)).collect()
}

/// A column where the row enters (or leaves) the silhouette, chosen at random.
fn border(mask: &Mask, row: usize, entering: bool, rng: &mut impl Rng) -> Option<usize> {
    let pixels = mask.pixels.get(row * mask.width..(row + 1) * mask.width)?;
    let edge = |pair: &[u8]| if entering { pair[0] < pair[1] } else { pair[0] > pair[1] };
    let edges = pixels.windows(2).filter(|pair| edge(pair)).count();
    let chosen = between(rng, 0.0, edges as f32) as usize;
    pixels.windows(2).enumerate().filter(|(_, pair)| edge(pair)).map(|(x, _)| x).nth(chosen)
}

fn limb(rng: &mut impl Rng) -> Region {
    let side = usize::from(happens(rng, 0.5));
    match between(rng, 0.0, 5.0) {
        at if at < 1.8 => Region::Forearm(side),
        at if at < 3.2 => Region::Foot(side),
        at if at < 4.5 => Region::Shank(side),
        _ => Region::Head,
    }
}

fn patch(rng: &mut impl Rng) -> Patch {
    let half = between(rng, 0.012, 0.045);
    Patch {
        at: [between(rng, 0.3, 0.7), between(rng, 0.15, 0.85)],
        half: [half, half * between(rng, 0.7, 1.8)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::chance::{Purpose, generator};

    fn segmenter(index: u64) -> Segmenter {
        Segmenter::draw(generator(2, Purpose::Segmenter, [index, 0]), 60, 1.0)
    }

    fn block() -> Mask {
        let mut mask = Mask::new(60, 110);
        for row in 10..100 {
            mask.pixels[row * 60 + 20..row * 60 + 40].fill(BODY);
        }
        mask
    }

    #[test]
    fn most_frames_and_most_of_each_survive() {
        let clean = block();
        let mut kept = 0;
        let mut changed = 0;
        for index in 0..50 {
            let mut segmenter = segmenter(index);
            for frame in (0..60).filter(|f| !segmenter.misses(*f)).collect::<Vec<_>>() {
                let mut mask = block();
                segmenter.spoil(frame, &mut mask);
                kept += 1;
                changed += mask.pixels.iter().zip(&clean.pixels).filter(|(a, b)| a != b).count();
            }
        }
        assert!((2850..3000).contains(&kept), "{kept} of 3000 frames");
        let share = changed as f32 / (kept * 90 * 20) as f32;
        assert!((0.01..0.08).contains(&share), "{share} of the body changed");
    }

    #[test]
    fn every_kind_of_fault_occurs() {
        let clips: Vec<Segmenter> = (0..100).map(segmenter).collect();
        assert!(clips.iter().any(|c| !c.missing.is_empty()));
        assert!(clips.iter().any(|c| !c.holes.is_empty()));
        for region in [Region::Head, Region::Foot(0), Region::Forearm(1), Region::Shank(0)] {
            assert!(
                clips.iter().any(|c| (0..60).any(|frame| c.loses(frame, region))),
                "{region:?} is never lost"
            );
        }
    }
}
