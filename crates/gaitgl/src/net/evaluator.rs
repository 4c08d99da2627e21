//! A network for use: plain tensors, frozen statistics, masks at test, bounded memory.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};

use super::error::ModelError;
use super::prepared::PreparedBody;
use super::windows::{BUDGET, Window, windows};
use super::{GaitGl, Layer, layout};
use crate::mask::{self, Regions};
use crate::region_conv3d::max_over_time;
use crate::settings::{AtTest, Precision, Reading};

/// See [`GaitGl::evaluator`].
#[derive(Clone, Debug)]
pub struct Evaluator {
    net: GaitGl,
    /// Embeddings are averaged over these.
    draws: Vec<Draw>,
    /// Bytes that the maps of one window over time may take.
    pub(super) budget: usize,
}

/// The network under one set of masks.
#[derive(Clone, Debug)]
struct Draw {
    /// The regions of all global-local layers.
    masks: Vec<Option<Regions>>,
    /// The body as the CPU runs it, where it can.
    body: Option<Arc<PreparedBody>>,
}

impl Evaluator {
    pub(super) fn new(net: &GaitGl) -> Self {
        let mut net = net.valid();
        let local = net.settings.local.clone();
        let seeded = |draw| net.masks(|layer| mask::test_generator(local.seed, draw, layer));
        let one_region = vec![None; layout::global_local_layers(&net.settings).len()];
        let draws = match local.at_test {
            _ if !net.random_masks() => vec![seeded(0)],
            AtTest::Expected | AtTest::Plain => vec![one_region],
            AtTest::Seeded => vec![seeded(0)],
            AtTest::MeanOfK => (0..local.draws as u64).map(seeded).collect(),
        };
        // Under the reading `activate` the mean input of each branch is its share of x, and the
        // leaky ReLU is positively homogeneous: the branches add up to the plain convolution.
        if local.at_test == AtTest::Expected && local.reading == Reading::Restrict {
            net.weigh_taps();
        }
        let draw = |masks: Vec<Option<Regions>>| {
            let body = PreparedBody::new(&net, &masks).map(Arc::new);
            Draw { masks, body }
        };
        let draws = draws.into_iter().map(draw).collect();
        Self { net, draws, budget: BUDGET }
    }

    /// Embeddings of clips. A long sequence passes in windows over time; the result is the same.
    ///
    /// # Shapes
    /// - clips: `[n, 1, t, h, w]`
    /// - result: `[n, c, p]`
    ///
    /// # Errors
    /// Clips that do not fit the settings.
    pub fn embed(&self, clips: Tensor<5>) -> Result<Tensor<3>, ModelError> {
        self.mean_over_draws(clips, |strips| self.net.head.embed(strips))
    }

    /// Logits `[n, classes, p]` of clips `[n, 1, t, h, w]`; `None` without a classifier.
    ///
    /// # Errors
    /// Clips that do not fit the settings.
    pub fn classify(&self, clips: Tensor<5>) -> Result<Option<Tensor<3>>, ModelError> {
        if self.net.head.classifier.is_none() {
            return Ok(None);
        }
        self.mean_over_draws(clips, |strips| {
            let logits = self.net.head.classify(strips.clone())?;
            Ok(logits.unwrap_or(strips))
        })
        .map(Some)
    }

    /// Channels and strips of an embedding.
    pub fn embedding_shape(&self) -> [usize; 2] {
        self.net.embedding_shape()
    }

    fn mean_over_draws(
        &self,
        clips: Tensor<5>,
        head: impl Fn(Tensor<3>) -> Result<Tensor<3>, ModelError>,
    ) -> Result<Tensor<3>, ModelError> {
        let clips = self.net.entering(clips.without_autodiff())?;
        let [sequences, _, frames, ..] = clips.dims();
        let windows = windows(&layout::layers(&self.net.settings), sequences, frames, self.budget);
        let mut sum: Option<Tensor<3>> = None;
        for draw in &self.draws {
            let maps = self.final_maps(&clips, draw, &windows)?;
            let each = head(self.net.pooling.forward(maps)?)?;
            sum = Some(match sum {
                Some(sum) => sum + each,
                None => each,
            });
        }
        // The settings' check has refused `draws = 0`.
        let Some(sum) = sum else { unreachable!("at least one draw") };
        Ok(if self.draws.len() > 1 { sum / self.draws.len() as f64 } else { sum })
    }

    /// The final map `[n, c, h, w]`, max over time.
    fn final_maps(
        &self,
        clips: &Tensor<5>,
        draw: &Draw,
        windows: &[Window],
    ) -> Result<Tensor<4>, ModelError> {
        let mut highest: Option<Tensor<4>> = None;
        for Window { frames, keep } in windows {
            let clips = clips.clone().narrow(2, frames.start, frames.len());
            let maps = match &draw.body {
                Some(body) => body.forward(clips),
                None => self.net.body(clips, &draw.masks, Precision::F32)?,
            };
            let exact = max_over_time(maps.narrow(2, keep.start, keep.len()));
            highest = Some(match highest {
                Some(highest) => highest.max_pair(exact),
                None => exact,
            });
        }
        let Some(highest) = highest else { unreachable!("at least one window") };
        Ok(highest)
    }
}

impl GaitGl {
    /// Weighs each tap of the local branches by the probability that a random mask lets it pass.
    fn weigh_taps(&mut self) {
        let mut plans = layout::global_local_layers(&self.settings).into_iter();
        for layer in self.stages.iter_mut().flat_map(|stage| &mut stage.layers) {
            let Layer::GlobalLocal(layer) = layer else { continue };
            let (Some(plan), Some(local)) = (plans.next(), &mut layer.local) else { continue };
            let [.., kh, kw] = local.dims();
            let map = [plan.height, plan.width];
            let taps = mask::expected_taps(&self.settings.local, map[0], map[1], [kh, kw]);
            if let Some(taps) = taps {
                let taps = TensorData::new(taps, [1, 1, 1, kh, kw]);
                let weighed = local.val() * Tensor::from_data(taps, &local.val().device());
                *local = Param::initialized(local.id, weighed);
            }
        }
    }
}
