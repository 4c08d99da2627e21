//! One walk seen by one camera: a clip of silhouettes.

use super::camera::{Camera, Ellipse};
use super::chance::{Purpose, between, generator};
use super::faults::Segmenter;
use super::raster::{Bounds, Compass, Mask, Outline};
use super::solids::Part;
use super::walk::{Recording, Stand, Walk};

/// Films one recording from one view, frame by frame.
#[derive(Clone, Debug)]
pub(super) struct Film<'a> {
    walk: &'a Walk,
    stand: Stand,
    frames: usize,
    segmenter: Segmenter,
    canvas: Canvas,
}

impl<'a> Film<'a> {
    /// A film with `frames` frames.
    pub fn new(
        seed: u64,
        subject: usize,
        recording: Recording,
        walk: &'a Walk,
        view: f64,
        frames: usize,
    ) -> Film<'a> {
        // The sum identifies the clip: a tenth of a degree changes the bits of a view by far more than
        // the number of any recording.
        let clip = view.to_bits().wrapping_add(recording.index());
        let mut rng = generator(seed, Purpose::Segmenter, [subject as u64, clip]);
        let margin = between(&mut rng, 2.0, 8.0).floor();
        Film {
            walk,
            stand: Stand::at(seed, view),
            frames,
            segmenter: Segmenter::draw(rng, frames),
            canvas: Canvas::new(margin),
        }
    }

    /// The frame's silhouette in its bounding box, or `None` if the segmenter lost the frame.
    pub fn frame(&mut self, frame: usize) -> Option<Mask> {
        if self.segmenter.misses(frame) {
            return None;
        }
        let mut parts = self.walk.solids(self.walk.phase(frame));
        parts.retain(|part| !self.segmenter.loses(frame, part.region));
        let camera = self.walk.camera(&self.stand, frame, self.frames);
        let mut mask = self.canvas.draw(&parts, &camera);
        self.segmenter.spoil(frame, &mut mask);
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
