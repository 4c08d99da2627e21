//! One walk seen by one camera: a clip of silhouettes.

use super::camera::{Camera, Ellipse};
use super::chance::{Purpose, between, generator};
use super::faults::Segmenter;
use super::options::SynthOptions;
use super::raster::{Bounds, Compass, Mask, Outline};
use super::solids::{Part, Region};
use super::walk::{Recording, Stand, Walk};

/// Films one recording from one view, frame by frame.
#[derive(Clone, Debug)]
pub(super) struct Film<'a> {
    walk: &'a Walk,
    stand: Stand,
    frames: usize,
    segmenter: Segmenter,
    canvas: Canvas,
    /// The last frame, if frames are repeated.
    last: Option<Mask>,
}

impl<'a> Film<'a> {
    /// The film of a walk.
    pub fn new(
        options: &SynthOptions,
        subject: usize,
        recording: Recording,
        walk: &'a Walk,
        view: f64,
    ) -> Film<'a> {
        // The sum identifies the clip: a tenth of a degree changes the bits of a view by far more than
        // the number of any recording.
        let clip = view.to_bits().wrapping_add(recording.index());
        let drawn = |purpose| generator(options.seed, purpose, [subject as u64, clip]);
        let mut rng = drawn(Purpose::Segmenter);
        let margin = between(&mut rng, 2.0, 8.0).floor();
        let frames = options.frames;
        let segmenter = match &options.world.masks {
            Some(masks) => Segmenter::of_world(masks, rng, drawn(Purpose::Masks), frames),
            None => Segmenter::draw(rng, frames, 1.0),
        };
        let stand = match &options.world.cameras {
            Some(cameras) => Stand::of_clip(cameras, &mut drawn(Purpose::Lens), view),
            None => Stand::at(options.seed, view),
        };
        Film { walk, stand, frames, segmenter, canvas: Canvas::new(margin), last: None }
    }

    /// The frame's silhouette in its bounding box, or `None` if the segmenter lost the frame.
    pub fn frame(&mut self, frame: usize) -> Option<Mask> {
        if self.segmenter.misses(frame) {
            return None;
        }
        if self.segmenter.repeats()
            && let Some(mask) = &self.last
        {
            return Some(mask.clone());
        }
        let phase = self.walk.phase(frame);
        let mut parts = self.walk.solids(phase);
        for side in [0, 1] {
            if self.walk.swings(side, phase) && self.segmenter.loses_foot() {
                parts.retain(|part| part.region != Region::Foot(side));
            }
        }
        parts.retain(|part| !self.segmenter.loses(frame, part.region));
        let camera = self.walk.camera(&self.stand, frame, self.frames);
        let mut mask = self.canvas.draw(&parts, &camera);
        self.segmenter.spoil(frame, &mut mask);
        if self.segmenter.can_repeat() {
            self.last = Some(mask.clone());
        }
        Some(mask)
    }
}

/// Draws solids into images that are just large enough, and reuses its buffers.
#[derive(Clone, Debug)]
pub(super) struct Canvas {
    compass: Compass,
    margin: f32,
    ellipses: Vec<Ellipse>,
    outlines: Vec<Outline>,
    spans: Vec<[f32; 2]>,
}

impl Canvas {
    /// A canvas that leaves `margin` whole pixels around the person.
    pub fn new(margin: f32) -> Canvas {
        let compass = Compass::new();
        Canvas { compass, margin, ellipses: vec![], outlines: vec![], spans: vec![] }
    }

    /// The silhouette of the solids.
    pub fn draw(&mut self, parts: &[Part], camera: &Camera) -> Mask {
        self.outlines.clear();
        let mut bounds = Bounds::NOTHING;
        for part in parts {
            self.ellipses.clear();
            self.ellipses.extend(part.hull.iter().map(|solid| camera.project(solid)));
            let outline = Outline::around(&self.ellipses, &self.compass);
            bounds = outline.join(bounds);
            self.outlines.push(outline);
        }
        let origin = bounds.low.map(|low| low.floor() - self.margin);
        let size = |axis: usize| (bounds.high[axis].ceil() + self.margin - origin[axis]) as usize;
        let mut mask = Mask::new(size(0), size(1));
        for outline in &self.outlines {
            mask.fill(outline, origin, &mut self.spans);
        }
        mask
    }
}
