//! The GaitGL network: silhouettes `[n, 1, t, h, w]` to embeddings `[n, c, p]`.
//!
//! Read `GaitGl::body` (in `body`) and `Head::forward_train`: that is the network. `plan` lists its
//! layers and their sizes; the other files hold one layer each.

pub(crate) mod batch_norm;
mod body;
mod check;
mod conv;
mod describe;
mod error;
mod evaluator;
mod global_local;
mod head;
mod init;
pub(crate) mod plan;
mod prepared;
mod published;
mod separate_fc;
pub(crate) mod strip_pooling;
mod tensors;
mod windows;

pub use batch_norm::{BatchNorm, BatchNormConfig};
pub use conv::{Conv, ConvConfig};
pub use describe::{LayerDescription, describe};
pub use error::{ExpectedShape, ModelError};
pub use evaluator::Evaluator;
pub use global_local::{GlobalLocal, GlobalLocalConfig};
pub use head::Output;
use head::{Head, HeadConfig};
pub use init::Init;
pub use published::published_names;
pub use separate_fc::{SeparateFc, SeparateFcConfig};
pub use strip_pooling::{StripPooling, StripPoolingConfig};
pub(crate) use tensors::values;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};

use crate::mask::{self, Regions};
use crate::region_conv3d::max_over_time;
use crate::settings::{
    Branches, LocalPartition, ModelSettings, Precision, Reading, Requirement, SettingsError,
};
use error::check_shape;
use plan::{LayerKind, LayerPlan};

/// The network. Train it with [`GaitGl::forward_train`]; use it through [`GaitGl::evaluator`].
#[derive(Module, Debug)]
pub struct GaitGl {
    // The names of the tensors follow these fields.
    /// Layers, each stage with the pooling that ends it.
    pub(crate) stages: Vec<Stage>,
    /// From rows to strips.
    pub(crate) pooling: StripPooling,
    /// From strips to embedding and logits.
    pub(crate) head: Head,
    #[module(skip)]
    settings: ModelSettings,
}

/// One stage.
#[derive(Module, Debug)]
pub(crate) struct Stage {
    /// Its layers.
    layers: Vec<StageLayer>,
    /// The temporal pooling that ends it.
    lta: Option<Conv>,
    #[module(skip)]
    spatial_pool: bool,
}

/// A layer of a stage.
#[derive(Module, Debug)]
pub(crate) enum StageLayer {
    /// In the stem of published networks.
    Conv(Conv),
    /// Everywhere else.
    GlobalLocal(GlobalLocal),
}

impl GaitGl {
    /// An untrained network. Its weights depend on the settings, `classes` and `seed` alone. On a
    /// device with autodiff its parameters require gradients.
    ///
    /// # Errors
    /// Settings that describe no network, or a classifier without classes.
    pub fn new(
        settings: &ModelSettings,
        classes: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Self, ModelError> {
        settings.check()?;
        if classes == 0 {
            return Err(SettingsError::invalid("classes", 0, Requirement::AtLeast(1)).into());
        }
        settings.check_size(classes)?;
        let mut init = Init::new(seed, device);
        let plans = plan::layers(settings);
        let stages = (0..settings.channels.len())
            .map(|stage| {
                let plans = plans.iter().filter(|plan| plan.stage == stage);
                Stage::new(settings, plans, &mut init)
            })
            .collect();
        let [channels, strips] = plan::strips(settings);
        let pooling = StripPoolingConfig {
            strips,
            kind: settings.spatial_pooling,
            gem_start: settings.gem_start,
        };
        let pooling = pooling.init(&mut init);
        let head = HeadConfig { channels, strips, classes, neck: settings.neck }.init(&mut init);
        Ok(Self { stages, pooling, head, settings: settings.clone() })
    }

    /// The settings that it was built from.
    pub fn settings(&self) -> &ModelSettings {
        &self.settings
    }

    /// Channels and strips of an embedding.
    pub fn embedding_shape(&self) -> [usize; 2] {
        plan::strips(&self.settings)
    }

    /// The regions of every global-local layer, in forward order, for one training iteration. They
    /// depend on the settings, `seed` and `iteration` alone.
    pub fn draw_masks(&self, seed: u64, iteration: u64) -> Vec<Option<Regions>> {
        self.masks(|layer| mask::training_generator(seed, iteration, layer))
    }

    /// One training pass: embedding and logits, both with gradients. The batch norm updates its
    /// running statistics. `masks` holds the regions of each global-local layer, as
    /// [`GaitGl::draw_masks`] returns them; `None` is one region. The convolutions compute in
    /// `precision`.
    ///
    /// # Shapes
    /// - clips: `[n, 1, t, h, w]`
    /// - result: `[n, c, p]` and `[n, classes, p]`
    ///
    /// # Errors
    /// Clips or masks that do not fit the settings, another number of masks than of global-local
    /// layers, or a batch of one value for the batch norm.
    pub fn forward_train(
        &mut self,
        clips: Tensor<5>,
        masks: &[Option<Regions>],
        precision: Precision,
    ) -> Result<Output, ModelError> {
        let maps = self.body(self.entering(clips)?, masks, precision)?;
        let strips = self.pooling.forward(max_over_time(maps))?;
        self.head.forward_train(strips)
    }

    /// From now on, training leaves the batch norm's running statistics as they are and normalises
    /// with them.
    pub fn freeze_statistics(&mut self) {
        self.head.freeze_statistics();
    }

    /// The network as it is now, for inference: no gradients, frozen statistics, masks at test; its
    /// convolutions compute in `precision`.
    pub fn evaluator(&self, precision: Precision) -> Evaluator {
        Evaluator::new(self, precision)
    }

    /// Embeddings `[n, c, p]` of clips `[n, 1, t, h, w]`; for many clips keep an
    /// [`evaluator`](GaitGl::evaluator).
    ///
    /// # Errors
    /// Clips that do not fit the settings.
    pub fn embed(&self, clips: Tensor<5>) -> Result<Tensor<3>, ModelError> {
        self.evaluator(Precision::F32).embed(clips)
    }

    /// Checks the shape of clips and lengthens them where they are too short.
    fn entering(&self, clips: Tensor<5>) -> Result<Tensor<5>, ModelError> {
        let map = [Some(self.settings.height), Some(self.settings.width)];
        check_shape("clips", "n c t h w", [None, Some(1), None, map[0], map[1]], clips.dims())?;
        let frames = clips.dims()[2];
        let order = plan::lengthened(&self.settings, frames);
        if order.len() == frames {
            return Ok(clips);
        }
        let order: Vec<u32> = order.into_iter().map(|frame| frame as u32).collect();
        let order = Tensor::<1, Int>::from_data(order.as_slice(), &clips.device());
        Ok(clips.select(2, order))
    }

    /// One label map per global-local layer; `None` where the settings restrict no local branch.
    fn masks(&self, generator: impl Fn(usize) -> rand_chacha::ChaCha8Rng) -> Vec<Option<Regions>> {
        let settings = &self.settings;
        let plain =
            settings.branches == Branches::Global || settings.local.reading == Reading::Literal;
        let draw = |(layer, plan): (usize, LayerPlan)| {
            let mut generator = generator(layer);
            (!plain).then(|| mask::draw(&settings.local, plan.height, plan.width, &mut generator))
        };
        plan::global_local_layers(settings).into_iter().enumerate().map(draw).collect()
    }

    /// Whether masks are drawn at random.
    fn has_random_masks(&self) -> bool {
        self.settings.local.partition != LocalPartition::Bands
    }
}

impl Stage {
    fn new<'a>(
        settings: &ModelSettings,
        plans: impl Iterator<Item = &'a LayerPlan>,
        init: &mut Init,
    ) -> Self {
        let mut stage = Self { layers: Vec::new(), lta: None, spatial_pool: false };
        for plan in plans {
            let channels = [plan.channels_in, plan.channels_out];
            match plan.kind {
                LayerKind::Conv => {
                    let conv = ConvConfig::same(channels, plan::KERNEL);
                    stage.layers.push(StageLayer::Conv(conv.init(&plan.name, init)));
                }
                LayerKind::GlobalLocal(join) => {
                    let branches = settings.branches;
                    let reading = settings.local.reading;
                    let config = GlobalLocalConfig { channels, join, branches, reading };
                    stage.layers.push(StageLayer::GlobalLocal(config.init(&plan.name, init)));
                }
                LayerKind::Lta(kernel, stride) => {
                    let lta = ConvConfig::lta(channels, kernel, stride);
                    stage.lta = Some(lta.init(&plan.name, init));
                }
                LayerKind::SpatialPool => stage.spatial_pool = true,
            }
        }
        stage
    }
}

#[cfg(test)]
pub(crate) mod tests;
