//! The body of the network: its layers in forward order, each with its plan and its regions.

use burn::tensor::Tensor;

use super::error::ModelError;
use super::plan::{self, LayerPlan};
use super::{Conv, GaitGl, GlobalLocal, Stage, StageLayer};
use crate::mask::Regions;
use crate::region_conv3d::spatial_max_pool;
use crate::settings::Precision;

/// A layer of the body with what belongs to it.
pub(super) struct BodyStep<'n> {
    pub plan: LayerPlan,
    pub layer: BodyLayer<'n>,
}

pub(super) enum BodyLayer<'n> {
    Conv(&'n Conv),
    GlobalLocal { layer: &'n GlobalLocal, regions: Option<&'n Regions> },
    SpatialPool,
}

impl GaitGl {
    /// The stages in turn: `[n, 1, t, h, w]` to the final map `[n, c, t', h', w']`.
    ///
    /// # Errors
    /// As [`GaitGl::steps`], and regions of another map.
    pub(super) fn body(
        &self,
        clips: Tensor<5>,
        masks: &[Option<Regions>],
        precision: Precision,
    ) -> Result<Tensor<5>, ModelError> {
        self.steps(masks)?.into_iter().try_fold(clips, |x, step| match step.layer {
            BodyLayer::Conv(conv) => conv.forward(x, precision),
            BodyLayer::GlobalLocal { layer, regions } => layer.forward(x, regions, precision),
            BodyLayer::SpatialPool => Ok(spatial_max_pool(x)),
        })
    }

    /// The layers in forward order with their plans and, for each global-local layer, the regions
    /// of its local branch; `None` is one region.
    ///
    /// # Errors
    /// Too few or too many masks or layers.
    pub(super) fn steps<'n>(
        &'n self,
        masks: &'n [Option<Regions>],
    ) -> Result<Vec<BodyStep<'n>>, ModelError> {
        let plans = plan::layers(&self.settings);
        let mut layers: Vec<BodyLayer> = self.stages.iter().flat_map(Stage::layers).collect();
        if layers.len() != plans.len() {
            return Err(ModelError::LayerCount { planned: plans.len(), found: layers.len() });
        }
        let slots: Vec<&mut Option<&Regions>> =
            layers.iter_mut().filter_map(BodyLayer::regions_mut).collect();
        if slots.len() != masks.len() {
            return Err(ModelError::MaskCount { layers: slots.len(), masks: masks.len() });
        }
        for (slot, mask) in slots.into_iter().zip(masks) {
            *slot = mask.as_ref();
        }
        Ok(plans.into_iter().zip(layers).map(|(plan, layer)| BodyStep { plan, layer }).collect())
    }
}

impl Stage {
    /// Its layers in forward order, global-local ones without regions.
    fn layers(&self) -> impl Iterator<Item = BodyLayer<'_>> {
        let layers = self.layers.iter().map(|layer| match layer {
            StageLayer::Conv(conv) => BodyLayer::Conv(conv),
            StageLayer::GlobalLocal(layer) => BodyLayer::GlobalLocal { layer, regions: None },
        });
        let pool = self.spatial_pool.then_some(BodyLayer::SpatialPool);
        layers.chain(self.lta.as_ref().map(BodyLayer::Conv)).chain(pool)
    }
}

impl<'n> BodyLayer<'n> {
    fn regions_mut(&mut self) -> Option<&mut Option<&'n Regions>> {
        match self {
            Self::GlobalLocal { regions, .. } => Some(regions),
            Self::Conv(_) | Self::SpatialPool => None,
        }
    }
}
