//! The body of the network as a list of layers with their shapes. [`super::GaitGl`] is built from it;
//! descriptions and the windows of long sequences are computed from it.

use std::collections::BTreeMap;

use crate::region_conv3d::Join;
use crate::settings::{
    Branches, LastJoin, ModelSettings, Pool, ShortSequences, SpatialPooling, Stem,
};

/// The largest number of channels or classes that is allowed.
pub const LARGEST: usize = 1 << 16;

/// Kernel of every convolution except local temporal aggregation.
pub const KERNEL: [usize; 3] = [3, 3, 3];

/// One layer of the body.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerPlan {
    /// Its name, the prefix of the names of its tensors.
    pub name: String,
    /// The stage that it belongs to.
    pub stage: usize,
    /// Its kind.
    pub kind: LayerKind,
    /// Channels that enter.
    pub channels_in: usize,
    /// Channels that leave.
    pub channels_out: usize,
    /// Rows that enter.
    pub height: usize,
    /// Columns that enter.
    pub width: usize,
}

/// The kind of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerKind {
    /// A convolution and a leaky ReLU.
    Conv,
    /// A global-local layer. A single branch is a sum of one.
    GlobalLocal(Join),
    /// Local temporal aggregation: kernel and temporal stride.
    Lta([usize; 3], usize),
    /// Spatial pooling, 1 x 2 x 2.
    SpatialPool,
}

impl LayerPlan {
    /// Kernel of the convolution, `None` if there is none.
    pub fn kernel(&self) -> Option<[usize; 3]> {
        match self.kind {
            LayerKind::Conv | LayerKind::GlobalLocal(_) => Some(KERNEL),
            LayerKind::Lta(kernel, _) => Some(kernel),
            LayerKind::SpatialPool => None,
        }
    }

    /// Frames that an output frame reads before and after its own place, and the temporal stride:
    /// output frame `o` reads input frames `o * stride - before .. o * stride + after + 1`.
    pub fn reach(&self) -> (usize, usize, usize) {
        match self.kind {
            LayerKind::Conv | LayerKind::GlobalLocal(_) => (KERNEL[0] / 2, KERNEL[0] / 2, 1),
            LayerKind::Lta([frames, ..], stride) => (0, frames - 1, stride),
            LayerKind::SpatialPool => (0, 0, 1),
        }
    }

    /// Frames that leave when `frames` enter.
    pub fn frames_out(&self, frames: usize) -> usize {
        match self.kind {
            LayerKind::Lta([kernel, ..], stride) => (frames + stride - kernel) / stride,
            _ => frames,
        }
    }

    /// Rows and columns that leave.
    pub fn map_out(&self) -> [usize; 2] {
        match self.kind {
            LayerKind::SpatialPool => [self.height / 2, self.width / 2],
            LayerKind::GlobalLocal(Join::Stack) => [2 * self.height, self.width],
            _ => [self.height, self.width],
        }
    }
}

/// The layers in forward order. Of unchecked settings sizes may come out as 0, and stages without an
/// entry in every list are left out.
pub fn layers(settings: &ModelSettings) -> Vec<LayerPlan> {
    let mut plans = Vec::new();
    let mut channels = 1;
    let mut map = [settings.height, settings.width];
    let stages = settings.channels.iter().zip(&settings.layers).zip(&settings.pools);
    let last = settings.channels.len().saturating_sub(1);
    for (stage, ((&channels_out, &count), &pool)) in stages.enumerate() {
        let mut push = |name: String, kind, channels_out| {
            let [height, width] = map;
            let channels_in = std::mem::replace(&mut channels, channels_out);
            let plan = LayerPlan { name, stage, kind, channels_in, channels_out, height, width };
            map = plan.map_out();
            plans.push(plan);
        };
        for layer in 0..count {
            let kind = match settings.stem {
                Stem::Conv if stage == 0 => LayerKind::Conv,
                _ if stage == last && layer + 1 == count => {
                    LayerKind::GlobalLocal(last_join(settings))
                }
                _ => LayerKind::GlobalLocal(Join::Sum),
            };
            push(format!("stages.{stage}.layers.{layer}"), kind, channels_out);
        }
        match pool {
            Pool::None => {}
            Pool::Sp => {
                push(format!("stages.{stage}.pool"), LayerKind::SpatialPool, channels_out);
            }
            Pool::Lta => {
                let kind = LayerKind::Lta(settings.lta_kernel, settings.lta_stride);
                push(format!("stages.{stage}.lta"), kind, channels_out);
            }
        }
    }
    plans
}

/// How the last layer joins its branches: a single branch has nothing to stack.
fn last_join(settings: &ModelSettings) -> Join {
    match (settings.branches, settings.last_join) {
        (Branches::Both, LastJoin::Stack) => Join::Stack,
        _ => Join::Sum,
    }
}

/// The global-local layers in forward order, each of which takes one mask.
pub fn global_local_layers(settings: &ModelSettings) -> Vec<LayerPlan> {
    let global_local = |plan: &LayerPlan| matches!(plan.kind, LayerKind::GlobalLocal(_));
    layers(settings).into_iter().filter(global_local).collect()
}

/// Channels, rows and columns of the final map.
pub fn final_map(settings: &ModelSettings) -> [usize; 3] {
    match layers(settings).last() {
        Some(plan) => {
            let [height, width] = plan.map_out();
            [plan.channels_out, height, width]
        }
        None => [0, 0, 0],
    }
}

/// Channels and strips of an embedding.
pub fn strips(settings: &ModelSettings) -> [usize; 2] {
    let [channels, rows, _] = final_map(settings);
    [channels, if settings.strips == 0 { rows } else { settings.strips }]
}

/// Named shapes.
pub type Shapes = BTreeMap<String, Vec<usize>>;

/// The shapes of all tensors of a network, without building it.
pub fn shapes(settings: &ModelSettings, classes: usize) -> Shapes {
    let mut shapes = Shapes::new();
    for plan in layers(settings) {
        let Some([kt, kh, kw]) = plan.kernel() else { continue };
        let shape = vec![plan.channels_out, plan.channels_in, kt, kh, kw];
        let name = &plan.name;
        if let LayerKind::GlobalLocal(_) = plan.kind {
            if settings.branches != Branches::Local {
                shapes.insert(format!("{name}.global"), shape.clone());
            }
            if settings.branches != Branches::Global {
                shapes.insert(format!("{name}.local"), shape);
            }
        } else {
            shapes.insert(format!("{name}.weight"), shape);
        }
    }
    if settings.spatial_pooling == SpatialPooling::Gem {
        shapes.insert("pooling.exponent".into(), vec![1]);
    }
    let [channels, strips] = strips(settings);
    shapes.insert("head.fc.weight".into(), vec![strips, channels, channels]);
    if let Some(features) = settings.neck.normed_features(channels, strips) {
        for name in ["scale", "shift", "running_mean", "running_variance"] {
            shapes.insert(format!("head.norm.{name}"), vec![features]);
        }
    }
    if settings.neck.classifies() {
        let shape = vec![strips, channels, classes];
        shapes.insert("head.classifier.weight".into(), shape);
    }
    shapes
}

/// The fewest frames of which at least one remains after all layers.
pub fn fewest_frames(settings: &ModelSettings) -> usize {
    layers(settings).iter().rev().fold(1, |frames, plan| match plan.kind {
        LayerKind::Lta([kernel, ..], stride) => {
            (frames - 1usize).saturating_mul(stride).saturating_add(kernel)
        }
        _ => frames,
    })
}

/// The frame at each place of the sequence that enters the body. A sequence that is too short is
/// repeated as published, and further if it is still too short for the temporal kernels.
pub fn lengthened(settings: &ModelSettings, frames: usize) -> Vec<usize> {
    let published = match (frames, settings.short_sequences) {
        (1, _) => 3,
        (2, _) => 4,
        (3, ShortSequences::ToFour) => 4,
        _ => frames,
    };
    (0..published.max(fewest_frames(settings))).map(|place| place % frames.max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::presets;

    fn frames_out(settings: &ModelSettings, frames: usize) -> usize {
        layers(settings).iter().fold(frames, |frames, plan| plan.frames_out(frames))
    }

    #[test]
    fn presets_end_in_their_published_maps() {
        for (name, channels, strips, columns) in [
            ("paper-small", 128, 64, 22),
            ("paper-large", 512, 32, 11),
            ("parts-small", 128, 64, 22),
            ("parts-large", 256, 64, 22),
            ("hid-2020", 256, 64, 22),
        ] {
            let mut settings = presets::model(name).unwrap();
            assert_eq!(final_map(&settings), [channels, strips, columns], "{name}");
            assert_eq!(frames_out(&settings, 30), 10, "{name}");
            for (branches, last_join) in
                [(Branches::Both, LastJoin::Sum), (Branches::Local, LastJoin::Stack)]
            {
                (settings.branches, settings.last_join) = (branches, last_join);
                assert_eq!(final_map(&settings)[1], strips / 2, "{name}");
            }
        }
        let gait3d =
            ModelSettings { height: 128, width: 88, ..presets::model("paper-large").unwrap() };
        assert_eq!(final_map(&gait3d), [512, 64, 22]);
    }

    #[test]
    fn short_sequences_are_lengthened_as_published() {
        let parts = presets::model("parts-small").unwrap();
        let hid = presets::model("hid-2020").unwrap();
        assert_eq!(lengthened(&parts, 1), [0, 0, 0]);
        assert_eq!(lengthened(&parts, 2), [0, 1, 0, 1]);
        assert_eq!(lengthened(&parts, 3), [0, 1, 2]);
        assert_eq!(lengthened(&hid, 3), [0, 1, 2, 0]);
        assert_eq!(lengthened(&hid, 5), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn sequences_are_long_enough_for_two_temporal_pools() {
        let mut settings = presets::model("paper-small").unwrap();
        settings.pools = vec![Pool::Lta, Pool::Lta, Pool::None];
        assert_eq!(fewest_frames(&settings), 9);
        assert_eq!(lengthened(&settings, 4), [0, 1, 2, 3, 0, 1, 2, 3, 0]);
        assert_eq!(frames_out(&settings, 9), 1);
    }
}
