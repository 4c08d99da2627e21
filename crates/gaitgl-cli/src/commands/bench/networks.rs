//! One pass of a network over random clips: an embedding, or a training step.

use std::fmt;

use burn::tensor::{Device, Tensor, TensorData};
use gait_data::Batch;
use gaitgl::net::GaitGl;
use gaitgl::settings::Settings;
use gaitgl::train::Trainer;

use super::{MANY, Work};

/// What a network does.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Embeds clips.
    Test,
    /// Learns from them.
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

/// A network and the clips that pass it at once.
pub struct Network {
    pub settings: Settings,
    pub kind: Kind,
    pub clips: usize,
    pub frames: usize,
    pub classes: usize,
}

impl Network {
    /// The pass, ready to be timed.
    pub fn work(&self, device: &Device) -> anyhow::Result<Box<Work>> {
        match self.kind {
            Kind::Test => self.test(device),
            Kind::Train => self.train(device),
        }
    }

    fn test(&self, device: &Device) -> anyhow::Result<Box<Work>> {
        let model = &self.settings.model;
        // The classifier plays no part at test, so it is made small.
        let network = GaitGl::new(model, 1, 1, device)?.evaluator();
        let shape = [self.clips, 1, self.frames, model.height, model.width];
        let values: Vec<f32> =
            pixels(shape.iter().product()).iter().map(|&v| f32::from(v) / 255.0).collect();
        let clips = Tensor::<5>::from_data(TensorData::new(values, shape), device);
        Ok(Box::new(move || {
            network.embed(clips.clone())?.into_data();
            Ok(())
        }))
    }

    fn train(&self, device: &Device) -> anyhow::Result<Box<Work>> {
        let mut settings = self.settings.clone();
        settings.train.learning_rate = 1e-6;
        let (height, width) = (settings.model.height, settings.model.width);
        let subjects = (0..self.classes).map(|class| class.to_string()).collect();
        let mut trainer = Trainer::new(settings, subjects, device)?;
        let each = if self.clips >= MANY { 8 } else { 2 };
        let batch = Batch {
            subjects: (0..self.clips).map(|clip| clip / each).collect(),
            frames: self.frames,
            height,
            width,
            pixels: pixels(self.clips * self.frames * height * width),
        };
        let device = device.clone();
        Ok(Box::new(move || {
            trainer.step(&batch)?;
            // The step has read its loss, but the gradients may still be on their way.
            Ok(device.sync()?)
        }))
    }
}

/// Bytes without a pattern, the same ones each time.
fn pixels(count: usize) -> Vec<u8> {
    let mut state = 1u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}
