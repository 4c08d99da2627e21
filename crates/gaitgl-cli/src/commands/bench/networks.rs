//! One pass of a network over random clips: an embedding or a training step.

use std::fmt;

use burn::tensor::{Device, Tensor, TensorData};
use gait_data::Batch;
use gaitgl::net::GaitGl;
use gaitgl::settings::Settings;
use gaitgl::train::Trainer;

use super::{MANY_CLIPS, Work};

/// What a network does.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Embeds clips.
    Test,
    /// Makes a training step.
    Train,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Test => "test",
            Self::Train => "train",
        })
    }
}

/// A network and the size of its input.
pub struct Network {
    pub settings: Settings,
    pub kind: Kind,
    /// Clips per batch.
    pub clips: usize,
    /// Frames per clip.
    pub frames: usize,
    pub classes: usize,
}

impl Network {
    /// The pass, ready to be timed.
    pub fn work(&self, device: &Device) -> anyhow::Result<Box<Work>> {
        match self.kind {
            Kind::Test => self.embedding(device),
            Kind::Train => self.training_step(device),
        }
    }

    fn embedding(&self, device: &Device) -> anyhow::Result<Box<Work>> {
        let model = &self.settings.model;
        // The classifier is not used at test, so one class is enough.
        let network = GaitGl::new(model, 1, 1, device)?.evaluator(self.settings.train.precision);
        let shape = [self.clips, 1, self.frames, model.height, model.width];
        let bytes = pixels(shape.iter().product());
        let values = gait_data::bytes_to_unit(&bytes);
        let clips = Tensor::<5>::from_data(TensorData::new(values, shape), device);
        Ok(Box::new(move || {
            network.embed(clips.clone())?.into_data();
            Ok(())
        }))
    }

    fn training_step(&self, device: &Device) -> anyhow::Result<Box<Work>> {
        let mut settings = self.settings.clone();
        // The same batch again and again: a small rate keeps the loss finite.
        settings.train.learning_rate = 1e-6;
        let height = settings.model.height;
        let width = settings.model.width;
        let subjects = (0..self.classes).map(|class| class.to_string()).collect();
        let mut trainer = Trainer::new(settings, subjects, device)?;
        let clips_per_subject = if self.clips >= MANY_CLIPS { 8 } else { 2 };
        let batch = Batch {
            subjects: (0..self.clips).map(|clip| clip / clips_per_subject).collect(),
            frames: self.frames,
            height,
            width,
            pixels: pixels(self.clips * self.frames * height * width),
        };
        let device = device.clone();
        Ok(Box::new(move || {
            trainer.step(&batch)?;
            // The step has read its loss, but the gradients may not be computed yet.
            Ok(device.sync()?)
        }))
    }
}

/// Random bytes, the same ones each time.
fn pixels(count: usize) -> Vec<u8> {
    let mut state = 1u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}
