//! From strips to embedding and logits: separate FC, neck, classifier.

use burn::module::Module;
use burn::tensor::Tensor;

use super::batch_norm::{BatchNorm, BatchNormConfig};
use super::error::ModelError;
use super::init::Init;
use super::separate_fc::{SeparateFc, SeparateFcConfig};
use crate::settings::Neck;

/// The result of a training pass.
#[derive(Clone, Debug)]
pub struct Output {
    /// `[n, c, p]`, for the triplet loss: the embedding that [`super::Evaluator::embed`] returns at
    /// test.
    pub embedding: Tensor<3>,
    /// `[n, classes, p]`, for the cross-entropy; `None` without a classifier.
    pub logits: Option<Tensor<3>>,
}

/// What a [`Head`] is made of.
#[derive(Clone, Debug)]
pub struct HeadConfig {
    /// Channels of the strips.
    pub channels: usize,
    /// Strips.
    pub strips: usize,
    /// Training identities.
    pub classes: usize,
    /// What follows the separate FC.
    pub neck: Neck,
}

impl HeadConfig {
    /// The layers.
    pub fn init(&self, init: &mut Init) -> Head {
        let &Self { channels, strips, classes, neck } = self;
        let fc = SeparateFcConfig { strips, channels: [channels, channels] }.init("fc", init);
        let features = neck.normed_features(channels, strips);
        let norm = features.map(|features| BatchNormConfig { features }.init(init));
        let classifier = neck.classifies().then(|| {
            SeparateFcConfig { strips, channels: [channels, classes] }.init("classifier", init)
        });
        Head { fc, norm, classifier, neck, frozen: false }
    }
}

/// See [`HeadConfig`].
#[derive(Module, Debug)]
pub struct Head {
    /// Eqn. 11.
    pub fc: SeparateFc,
    /// Over channels, or over channels x strips (BNNeck).
    pub norm: Option<BatchNorm>,
    /// One map per strip.
    pub classifier: Option<SeparateFc>,
    #[module(skip)]
    neck: Neck,
    /// Whether training leaves the batch norm's statistics as they are.
    #[module(skip)]
    frozen: bool,
}

impl Head {
    /// From now on, training normalises with the running statistics as they are.
    pub fn freeze_statistics(&mut self) {
        self.frozen = true;
    }

    /// Embedding and logits of strips `[n, c, p]`; the batch norm updates its running statistics,
    /// unless they are frozen.
    ///
    /// # Errors
    /// Another shape, or a batch too small for the batch norm.
    pub fn forward_train(&mut self, strips: Tensor<3>) -> Result<Output, ModelError> {
        let features = self.fc.forward(strips)?;
        let normed = match (&mut self.norm, self.neck) {
            _ if self.frozen => self.normed(features.clone())?,
            (None, _) => features.clone(),
            (Some(norm), Neck::BatchNorm) => norm.forward_train(features.clone())?,
            (Some(norm), _) => {
                let shape = features.dims();
                norm.forward_train(features.clone().flatten::<2>(1, 2))?.reshape(shape)
            }
        };
        let logits = self.logits(normed.clone())?;
        let embedding = if self.neck.embeds_after_norm() { normed } else { features };
        Ok(Output { embedding, logits })
    }

    /// Embedding of strips `[n, c, p]`, with the running statistics.
    ///
    /// # Errors
    /// Another shape.
    pub fn embed(&self, strips: Tensor<3>) -> Result<Tensor<3>, ModelError> {
        let features = self.fc.forward(strips)?;
        if self.neck.embeds_after_norm() { self.normed(features) } else { Ok(features) }
    }

    /// Logits `[n, classes, p]` of strips `[n, c, p]` with the running statistics, if there is a
    /// classifier.
    ///
    /// # Errors
    /// Another shape.
    pub fn classify(&self, strips: Tensor<3>) -> Result<Option<Tensor<3>>, ModelError> {
        let features = self.fc.forward(strips)?;
        self.logits(self.normed(features)?)
    }

    /// The features `[n, c, p]` after the batch norm with its running statistics, if there is one.
    fn normed(&self, features: Tensor<3>) -> Result<Tensor<3>, ModelError> {
        match (&self.norm, self.neck) {
            (None, _) => Ok(features),
            (Some(norm), Neck::BatchNorm) => norm.forward_test(features),
            (Some(norm), _) => {
                let shape = features.dims();
                Ok(norm.forward_test(features.flatten::<2>(1, 2))?.reshape(shape))
            }
        }
    }

    /// Logits of what the batch norm returned, if there is a classifier.
    fn logits(&self, normed: Tensor<3>) -> Result<Option<Tensor<3>>, ModelError> {
        let Some(classifier) = &self.classifier else { return Ok(None) };
        let logits = match self.neck {
            Neck::Bnneck => classifier.forward_normalised(normed),
            _ => classifier.forward(normed),
        };
        logits.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::testing::test_device;
    use burn::tensor::Distribution;

    fn shapes(neck: Neck) -> (Vec<usize>, Option<Vec<usize>>) {
        let device = test_device().autodiff();
        let config = HeadConfig { channels: 3, strips: 4, classes: 5, neck };
        let mut head = config.init(&mut Init::new(1, &device));
        let strips = Tensor::random([2, 3, 4], Distribution::Default, &device);
        assert_eq!(head.embed(strips.clone()).unwrap().dims(), [2, 3, 4]);
        let logits = head.classify(strips.clone()).unwrap().map(|l| l.dims());
        let output = head.forward_train(strips).unwrap();
        let trained = output.logits.map(|l| l.dims());
        assert_eq!(trained, logits);
        (output.embedding.dims().to_vec(), trained.map(|l| l.to_vec()))
    }

    #[test]
    fn frozen_statistics_stay_and_normalise_as_at_test() {
        let device = test_device().autodiff();
        for neck in [Neck::BatchNorm, Neck::BnneckPlain] {
            let config = HeadConfig { channels: 3, strips: 4, classes: 5, neck };
            let mut head = config.init(&mut Init::new(1, &device));
            head.freeze_statistics();
            let strips = Tensor::random([2, 3, 4], Distribution::Default, &device);
            let expected = head.classify(strips.clone()).unwrap().unwrap().into_data();
            let logits = head.forward_train(strips.clone()).unwrap().logits.unwrap();
            logits.into_data().assert_eq(&expected, true);
            let after = head.classify(strips).unwrap().unwrap().into_data();
            after.assert_eq(&expected, true);
        }
    }

    #[test]
    fn every_neck_keeps_the_strips() {
        let logits = Some(vec![2, 5, 4]);
        assert_eq!(shapes(Neck::BatchNorm), (vec![2, 3, 4], logits.clone()));
        assert_eq!(shapes(Neck::Bnneck), (vec![2, 3, 4], logits.clone()));
        assert_eq!(shapes(Neck::BnneckPlain), (vec![2, 3, 4], logits.clone()));
        assert_eq!(shapes(Neck::Linear), (vec![2, 3, 4], logits));
        assert_eq!(shapes(Neck::None), (vec![2, 3, 4], None));
    }
}
